"""Configurations whose deployments point at the loopback server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.wire.server import Reply, WireServer

__all__ = [
    "PROVIDERS",
    "SECRET",
    "Reply",
    "WireServer",
    "configured",
    "for_commands",
    "provider_config",
    "with_providers",
]

SECRET = "sk-canary-4711-do-not-show"


def configured(base: str, *groups: str, **settings: Any) -> dict[str, object]:
    """A config with one deployment for each group; a group has the name of its model."""
    routes = settings.pop("routes", {"default": list(groups)})
    return {
        "model_list": [
            {
                "model_name": group,
                "litellm_params": {
                    "model": f"openai/{group}",
                    "api_base": base,
                    "api_key": SECRET,
                    "input_cost_per_token": 1e-6,
                    "output_cost_per_token": 2e-6,
                },
                "model_info": {"id": f"{group}-id"},
            }
            for group in groups
        ],
        "router_settings": {
            "num_retries": 1,
            "retry_policy": {"RateLimitErrorRetries": 0, "TimeoutErrorRetries": 0},
            "allowed_fails": 1000,
        },
        "orchestrator": {"routes": routes, **settings},
    }


#: By wire format: LiteLLM's prefix, and the path of api_base below the root of the server.
PROVIDERS = {
    "openai": ("openai", "/v1"),
    "anthropic": ("anthropic", ""),
    "gemini": ("gemini", "/v1beta"),
    "ollama": ("ollama_chat", ""),
}


def provider_config(wire: WireServer, provider: str, **settings: Any) -> dict[str, object]:
    """A config with one deployment ``m`` in the wire format of `provider`."""
    prefix, path = PROVIDERS[provider]
    config: dict[str, Any] = configured(f"{wire.root}{path}", "m", **settings)
    config["model_list"][0]["litellm_params"]["model"] = f"{prefix}/m"
    return config


def with_providers(wire: WireServer, *providers: str, **settings: Any) -> dict[str, Any]:
    """A config with one deployment for each provider, in its wire format and under its name.

    The default route lists them in this order; the cache is off.
    """
    config: dict[str, Any] = configured(wire.base, *providers, cache={"mode": "off"}, **settings)
    for entry, provider in zip(config["model_list"], providers, strict=True):
        prefix, path = PROVIDERS[provider]
        entry["litellm_params"] |= {
            "model": f"{prefix}/{provider}", "api_base": f"{wire.root}{path}",
        }  # fmt: skip
    return config


def for_commands(
    config: Mapping[str, object], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make `config` the one that the command line finds."""
    path = directory / "config.yaml"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))
