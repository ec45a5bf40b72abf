"""What an orchestrator is made of: settings decide the parts, and wrong ones say so at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator import ConfigError, Orchestrator
from orchestrator.client.stores import stated, store_of
from orchestrator.config.settings import Cache

MODELS = [{"model_name": "offline", "litellm_params": {"model": "offline/library"}}]
SENTENCE = "an explorer for a 3x3 grid"


def config(**settings: Any) -> dict[str, Any]:
    return {"model_list": MODELS, "orchestrator": {"routes": {"default": ["offline"]}, **settings}}


def test_a_setting_may_name_a_variable_and_says_when_it_is_not_set() -> None:
    assert stated("plain", {}) == "plain"
    assert stated("os.environ/PLACE", {"PLACE": "here"}) == "here"
    with pytest.raises(ConfigError, match="PLACE is not set"):
        stated("os.environ/PLACE", {})


def test_answers_are_kept_where_the_settings_say(tmp_path: Path) -> None:
    store = store_of(Cache(directory=str(tmp_path / "kept")), {})
    try:
        store.put("k", {"a": 1}, question={})
        assert store.get("k") == {"a": 1}
        assert (tmp_path / "kept").is_dir()
    finally:
        store.close()


def test_a_key_that_encrypts_is_read_from_the_environment(tmp_path: Path) -> None:
    settings = Cache(directory=str(tmp_path), encrypt="os.environ/CACHE_KEY")
    with pytest.raises(ConfigError, match="CACHE_KEY is not set"):
        store_of(settings, {})
    with pytest.raises(ConfigError, match=r"cache\.encrypt"):
        store_of(settings, {"CACHE_KEY": "short"})


async def test_two_orchestrators_share_what_is_kept_and_the_ledger(tmp_path: Path) -> None:
    shared = config(
        cache={"directory": str(tmp_path / "cache")}, ledger={"directory": str(tmp_path / "ledger")}
    )
    async with Orchestrator(shared) as one, Orchestrator(shared) as other:
        first = await one.generate_gmn(SENTENCE)
        second = await other.generate_gmn(SENTENCE)
        assert len(await one.usage()) == len(await other.usage()) == 2
    assert (first.cached, second.cached) == (False, True)


async def test_with_the_cache_off_everything_is_asked_again(tmp_path: Path) -> None:
    async with Orchestrator(config(cache={"mode": "off", "directory": str(tmp_path)})) as orc:
        assert not (await orc.generate_gmn(SENTENCE)).cached
        assert not (await orc.generate_gmn(SENTENCE)).cached
        assert (await orc.cache_info()).entries == 0


async def test_nothing_is_made_before_the_first_request(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    orc = Orchestrator(
        config(cache={"directory": str(directory)}, ledger={"directory": str(tmp_path / "bill")})
    )
    assert not directory.exists()
    assert not (tmp_path / "bill").exists()
    await orc.generate_gmn(SENTENCE)
    assert directory.exists()
    await orc.aclose()


def test_a_wrong_configuration_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"orchestrator\.cache\.mode"):
        Orchestrator(config(cache={"mode": "sometimes"}))
    with pytest.raises(ConfigError, match="colour"):
        Orchestrator(config(colour="red"))
    with pytest.raises(ConfigError, match="no deployment can be called"):
        Orchestrator({"model_list": []})


async def test_a_replay_asks_nobody_and_says_what_is_missing(tmp_path: Path) -> None:
    cassette = {"mode": "record", "cassette": str(tmp_path / "tape")}
    async with Orchestrator(config(cache=cassette)) as orc:
        made = await orc.generate_gmn(SENTENCE)
    async with Orchestrator(config(cache={**cassette, "mode": "replay"})) as orc:
        again = await orc.generate_gmn(SENTENCE)
        with pytest.raises(Exception, match="nothing is kept for this question"):
            await orc.generate_gmn("a trader")
    assert again.text == made.text
