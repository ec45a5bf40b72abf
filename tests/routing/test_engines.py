"""Which engines can be asked, in which order, and what is said of the others at load."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.routing.engines import KEYLESS, PROVIDERS, Engines, engines_of
from orchestrator.types.errors import ConfigError, MissingExtraError

OFFLINE = {"model_name": "offline", "litellm_params": {"model": "offline/gmn"}}
CANARY = "search-canary-4711"


def config(
    *tools: Mapping[str, Any], engines: tuple[str, ...] = ("auto",), mode: str = "off", **ours: Any
) -> dict[str, Any]:
    stated = [{"search_tool_name": f"web{n}", "litellm_params": p} for n, p in enumerate(tools)]
    search = {"engines": list(engines), "mode": mode}
    return {
        "model_list": [OFFLINE], "search_tools": stated, "orchestrator": {"search": search, **ours},
    }  # fmt: skip


def found(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Engines:
    return engines_of(Config.load(given, {}), environ or {})


def names(engines: Engines) -> list[str]:
    return [one.name for one in engines.ready]


def test_auto_asks_the_files_tools_then_what_has_a_key_then_what_needs_none() -> None:
    keys = dict.fromkeys(("TAVILY_API_KEY", "BRAVE_API_KEY", "XAI_API_KEY"), CANARY)
    keys["SEARXNG_API_BASE"] = "http://127.0.0.1:8888"
    every = found(config({"search_provider": "tavily", "api_key": "k" * 9}), keys)
    keyless = list(KEYLESS)[:3]
    assert names(every) == ["web0", "searxng", "brave", "tavily", *keyless]
    assert [one.params.value.get("api_base") for one in every.ready[:2]] == [
        None, "http://127.0.0.1:8888",
    ]  # fmt: skip


def test_names_of_providers_aliases_and_engines_without_a_key_are_known() -> None:
    keys = {"GOOGLE_PSE_API_KEY": CANARY, "EXA_API_KEY": CANARY, "BRAVE_API_KEY": CANARY}
    every = found(config(engines=("exa", "brave", "brave-html", "duckduckgo", "exa_ai")), keys)
    assert [(one.provider, one.backend) for one in every.ready] == [
        ("exa_ai", ""), ("brave", ""), ("ddgs", "brave"), ("ddgs", "duckduckgo"),
    ]  # fmt: skip


@pytest.mark.may_block
def test_every_search_provider_of_litellm_is_known() -> None:
    import litellm

    assert {one.value for one in litellm.types.utils.SearchProviders} == set(PROVIDERS)


def keys_of(provider: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The variables in which the installed LiteLLM looks for the key of a search provider."""
    from litellm.llms.base_llm.search.transformation import BaseSearchConfig
    from litellm.types.utils import SearchProviders
    from litellm.utils import ProviderConfigManager

    asked: set[str] = set()

    def note(self: object, *, key_env_vars: tuple[str, ...], **others: object) -> str:
        asked.update(key_env_vars)
        raise LookupError

    monkeypatch.setattr(BaseSearchConfig, "resolve_server_api_key", note)
    one = ProviderConfigManager.get_provider_search_config(SearchProviders(provider))
    assert one is not None
    with contextlib.suppress(LookupError, ValueError):
        one.validate_environment({}, None, None)
        one.sign_request({}, {}, {}, "https://127.0.0.1/mcp")
    return asked


@pytest.mark.may_block
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_missing_key_of_each_search_provider_is_named_at_load(
    provider: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in {one for every in PROVIDERS.values() for one in every.process}:
        monkeypatch.delenv(name, raising=False)
    stated = config({"search_provider": provider}, engines=("web0",))
    Orchestrator(stated).sync.close()
    is_free = provider in ("you_com", "duckduckgo")
    assert ("web0 is left out: " in caplog.text) is not is_free
    assert ("is not set" in caplog.text) is not is_free
    names_of_keys = keys_of(provider, monkeypatch)
    assert names_of_keys or provider in ("dataforseo", "duckduckgo")
    for name in names_of_keys:
        with_key = found(stated, {name: CANARY, PROVIDERS[provider].base: "https://127.0.0.1/"})
        # An address or a model may be wanted as well.
        assert not any(name in str(one) for one in with_key.skipped), name
        assert all(one.params.value["api_key"] == CANARY for one in with_key.ready), name
        if PROVIDERS[provider].needs_key and not PROVIDERS[provider].process:
            assert names(with_key) == ["web0"], with_key.skipped


def test_a_key_may_stand_in_the_environment_of_the_file() -> None:
    tool = {"search_provider": "tavily", "api_key": "os.environ/MY_SEARCH_KEY"}
    one = found(config(tool, engines=("web0",)), {"MY_SEARCH_KEY": CANARY}).ready[0]
    assert one.params.value["api_key"] == CANARY
    assert CANARY not in repr(one)
    assert CANARY not in str(one.identity)


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ({"search_provider": "tavily"}, "TAVILY_API_KEY is not set"),
        ({"search_provider": "tavily", "api_key": "os.environ/NO_KEY"}, "NO_KEY"),
        ({"search_provider": "searxng"}, "SEARXNG_API_BASE is not set"),
        ({"search_provider": "google_pse", "api_key": CANARY}, "GOOGLE_PSE_ENGINE_ID is not set"),
        ({"search_provider": "dataforseo"}, "DATAFORSEO_LOGIN and DATAFORSEO_PASSWORD is not set"),
        ({"search_provider": "tavilly"}, "'tavilly' is not a search provider; use tavily"),
        ({}, "is not a search provider"),
    ],
)
def test_what_cannot_be_asked_is_named_when_the_file_is_loaded(
    tool: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Orchestrator(config(tool, engines=("web0",)), environ={})
    assert words in caplog.text
    assert CANARY not in caplog.text
    with pytest.raises(ConfigError, match="no search engine can be asked") as caught:
        Orchestrator(config(tool, engines=("web0",), mode="auto"), environ={})
    assert words in str(caught.value)
    assert "TAVILY_API_KEY" in caught.value.fix


def test_a_key_of_the_environment_is_not_sent_to_an_address_of_the_file() -> None:
    tool = {"search_provider": "google_pse", "api_base": "https://search.example/customsearch/v1"}
    environ = {"GOOGLE_PSE_API_KEY": CANARY}
    (skipped,) = found(config(tool, engines=("web0",)), environ).skipped
    assert "GOOGLE_PSE_API_KEY is not sent to its api_base" in skipped.reason
    own = environ | {"GOOGLE_PSE_API_BASE": "https://search.example/other"}
    assert "is not sent" not in str(found(config(tool, engines=("web0",)), own).skipped)


@pytest.mark.parametrize("name", ["tavly", "duckduck", "", "web7"])
def test_a_name_that_is_not_an_engine_is_an_error_with_the_nearest(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a search engine") as caught:
        Orchestrator(config(engines=(name,)), environ={})
    assert caught.value.fix


@pytest.mark.parametrize("tool", [{}, {"search_tool_name": "web"}, {"litellm_params": {}}])
def test_a_search_tool_without_name_or_parameters_is_an_error(tool: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"search_tools\.0"):
        Orchestrator({"model_list": [OFFLINE], "search_tools": [tool]}, environ={})


def test_without_the_extra_an_engine_without_key_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ddgs", None)
    with pytest.raises(MissingExtraError, match="search"):
        Orchestrator(config(engines=("duckduckgo",), mode="always"), environ={})


@pytest.mark.parametrize(
    ("base", "is_near"),
    [
        ("http://127.0.0.1:8888", True),
        ("http://localhost:8888", True),
        ("http://[::1]:8888", True),
        ("http://192.168.1.5:8888", True),
        ("http://10.0.0.9", True),
        ("http://0.0.0.0:8888", False),
        ("http://8.8.8.8", False),
        ("http://searx.local", False),
        ("http://127.0.0.1@evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("https://searx.example", False),
    ],
)
def test_local_only_asks_no_engine_elsewhere(base: str, is_near: bool) -> None:
    tool = {"search_provider": "searxng", "api_base": base}
    every = found(config(tool, privacy="local_only"), {"TAVILY_API_KEY": CANARY})
    assert names(every) == ["web0"] * is_near
    assert all("privacy is local_only" in one.reason for one in every.skipped)
    proxied = found(config(tool, privacy="local_only"), {"HTTP_PROXY": "http://proxy.example:3128"})
    assert names(proxied) == []


def test_an_orchestrator_that_does_not_search_looks_for_no_engine() -> None:
    orc = Orchestrator({"model_list": [OFFLINE]}, environ={"TAVILY_API_KEY": CANARY})
    assert "_searcher" not in vars(orc)


@pytest.mark.parametrize(
    ("tool", "results", "usd"),
    [
        ({"search_provider": "tavily"}, 5, 0.008),
        ({"search_provider": "tavily", "search_depth": "advanced"}, 5, 0.016),
        ({"search_provider": "exa_ai"}, 25, 0.005),
        ({"search_provider": "exa_ai"}, 50, 0.025),
        ({"search_provider": "brave"}, 5, None),
        ({"search_provider": "brave", "input_cost_per_query": 0.002}, 5, 0.002),
        ({"search_provider": "you_com"}, 5, 0.0),
    ],
)
def test_the_price_of_a_search_is_litellms_or_the_stated_one(
    tool: dict[str, Any], results: int, usd: float | None
) -> None:
    one = found(config(tool | {"api_key": CANARY}, engines=("web0",))).ready[0]
    assert one.price_usd(results) == usd


def test_a_key_that_is_named_is_the_one_that_is_missing_and_the_next_step_can_be_taken() -> None:
    tool = {"search_provider": "tavily", "api_key": "os.environ/NOPE"}
    engines = found(config(tool, engines=("web0",)))
    assert [one.reason for one in engines.skipped] == ["NOPE is not set"]
    with pytest.raises(ConfigError, match="NOPE is not set") as caught:
        engines.require()
    assert ("install" in str(caught.value)) == (importlib.util.find_spec("ddgs") is None)
