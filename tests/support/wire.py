"""Configurations whose deployments are the loopback server."""

from __future__ import annotations

from typing import Any

from tests.wire.server import Reply, WireServer

__all__ = [
    "PROVIDERS",
    "SECRET",
    "Reply",
    "WireServer",
    "configured",
    "provider_config",
    "with_providers",
]

SECRET = "sk-canary-4711-do-not-show"


def configured(base: str, *groups: str, **settings: Any) -> dict[str, object]:
    """A config with one deployment for each group; a group is named like its model."""
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


#: LiteLLM's prefix, and what its api_base adds to the server's root, by wire format.
PROVIDERS = {
    "openai": ("openai", "/v1"),
    "anthropic": ("anthropic", ""),
    "gemini": ("gemini", "/v1beta"),
    "ollama": ("ollama_chat", ""),
}


def provider_config(wire: WireServer, provider: str, **settings: Any) -> dict[str, object]:
    """A config with the one deployment ``m`` that speaks a provider's wire format."""
    prefix, path = PROVIDERS[provider]
    config: dict[str, Any] = configured(f"{wire.root}{path}", "m", **settings)
    config["model_list"][0]["litellm_params"]["model"] = f"{prefix}/m"
    return config


def with_providers(wire: WireServer, *providers: str, **settings: Any) -> dict[str, Any]:
    """A config with one deployment for each provider, in its wire format and under its name.

    They are the groups of the default route, in this order; nothing is cached.
    """
    config: dict[str, Any] = configured(wire.base, *providers, cache={"mode": "off"}, **settings)
    for entry, provider in zip(config["model_list"], providers, strict=True):
        prefix, path = PROVIDERS[provider]
        entry["litellm_params"] |= {
            "model": f"{prefix}/{provider}", "api_base": f"{wire.root}{path}",
        }  # fmt: skip
    return config
