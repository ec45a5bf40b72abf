"""Fallbacks that name what is not there are refused when a configuration is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.models.deployments import deployments_of
from orchestrator.types.errors import ConfigError


def configured(section: str, **stated: Any) -> dict[str, Any]:
    groups = ("primary", "backup", "openai/*", "azure/large")
    return {
        "model_list": [
            {
                "model_name": group,
                "litellm_params": {"model": f"openai/{group[:3]}-1", "api_key": "none"},
                "model_info": {"id": f"{group}-id"},
            }
            for group in groups
        ],
        section: stated,
    }


BY_GROUP = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


@pytest.mark.parametrize("section", ["router_settings", "litellm_settings"])
@pytest.mark.parametrize("key", BY_GROUP)
@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"primary": ["backpu"]}, "0.primary: 'backpu' .*Did you mean 'backup'"),
        ({"primary": ["backup", "nowhere"]}, "'nowhere' .*Known: azure/large, backup, "),
        ({"primary": [{"model": "nowhere"}]}, "0.primary: 'nowhere'"),
        ({"primry": ["backup"]}, "0: 'primry' .*Did you mean 'primary'"),
        ({"*": ["nowhere"]}, "'nowhere'"),
        ({"primary": ["anthropic/claude-unlisted"]}, "'anthropic/claude-unlisted'"),
    ],
)
def test_a_fallback_that_names_no_group_is_refused_at_load(
    section: str, key: str, entry: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^{section}\.{key}\..*{said}"):
        Orchestrator(configured(section, **{key: [entry]}))


def test_a_default_fallback_that_names_no_group_is_refused_at_load() -> None:
    with pytest.raises(ConfigError, match=r"default_fallbacks: 'backpu' .*'backup'"):
        Orchestrator(configured("router_settings", default_fallbacks=["backpu"]))


@pytest.mark.parametrize(
    "entry",
    [
        {"primary": ["backup", "backup-id", "openai/gpt-unlisted", "openai/bac-1", "other"]},
        {"*": ["backup"]},
        {"large": ["primary"]},
        {"gemini/unlisted": ["primary", {"model": "backup", "temperature": 0}]},
    ],
)
def test_what_litellm_finds_by_another_name_is_taken(entry: dict[str, Any]) -> None:
    settings = {"fallbacks": [entry], "model_group_alias": {"other": "backup"}}
    found = deployments_of(Config.load(configured("router_settings", **settings), {}), {})
    assert "primary" in found.groups()


def test_a_group_whose_key_is_missing_is_a_known_fallback() -> None:
    config = configured("router_settings", fallbacks=[{"primary": ["backup"]}])
    config["model_list"][1]["litellm_params"]["api_key"] = "os.environ/NO_SUCH_KEY"
    found = deployments_of(Config.load(config, {}), {})
    assert "backup" not in found.groups()
