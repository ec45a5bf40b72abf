"""The facade: each public operation, over the embedded provider unless a server is needed."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import ConfigError, GMNError, NoDeploymentError, Orchestrator
from orchestrator.types.events import Asked, Evaluated, Event
from tests.support.documents import GOOD, swapped
from tests.support.wire import SECRET, WireServer, configured

SENTENCE = "an explorer for a 3x3 grid"
OFFLINE = {
    "model_list": [{"model_name": "offline", "litellm_params": {"model": "offline/library"}}],
    "orchestrator": {"routes": {"default": ["offline"]}},
}


def offline(**settings: Any) -> dict[str, Any]:
    return {**OFFLINE, "orchestrator": {**OFFLINE["orchestrator"], **settings}}  # type: ignore[dict-item]


async def test_a_sentence_becomes_a_model_with_a_line_in_the_ledger() -> None:
    async with Orchestrator(OFFLINE) as orc:
        made = await orc.generate_gmn(SENTENCE, "explorer", tenant="lab")
        (line,) = await orc.usage()
    assert made.report.is_accepted
    assert made.spec.agent_type == "explorer"
    assert (made.provider, made.cost_usd) == ("offline", 0.0)
    assert (line["operation"], line["tenant"], line["outcome"]) == (
        "generate_gmn", "lab", "accepted",
    )  # fmt: skip


def test_blocking_code_closes_with_with(monkeypatch: pytest.MonkeyPatch) -> None:
    close, closed = Orchestrator.aclose, []

    async def noted(orc: Orchestrator) -> None:
        closed.append(orc)
        await close(orc)

    monkeypatch.setattr(Orchestrator, "aclose", noted)
    with Orchestrator(OFFLINE) as orc:
        made = orc.sync.generate_gmn(SENTENCE)
        assert closed == []
    assert closed == [orc]
    assert made.report.is_accepted
    assert made.as_dict()["spec"] == made.spec.to_json()
    assert orc.sync.usage()[-1]["operation"] == "generate_gmn"


def test_a_script_that_never_closes_ends_without_a_word(tmp_path: Path) -> None:
    # Python 3.13 and later warn of databases that are left open.
    script = f"""
from orchestrator import Orchestrator
print(repr(Orchestrator({OFFLINE!r}).sync.generate_gmn({SENTENCE!r})))
"""
    command = [sys.executable, "-W", "always::ResourceWarning", "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    verdict = "valid, runs: yes, fits: 1 of 1; 1 call; "
    assert ended.stdout.startswith(f"<Generation of GMNSpec: {verdict}")


def test_streams_say_of_themselves_what_they_give() -> None:
    orc = Orchestrator(OFFLINE)
    for own in (orc.stream_gmn, Orchestrator.stream_gmn, orc.sync.stream_gmn):
        assert (own.__name__, own.__qualname__) == ("stream_gmn", "Orchestrator.stream_gmn")
        assert "the last is `Done`" in str(own.__doc__)
    given = inspect.signature(orc.stream_gmn)
    assert given.return_annotation == "AsyncGenerator[Event, None]"
    blocking = inspect.signature(orc.sync.stream_gmn)
    assert blocking.return_annotation == "Iterator[Event]"
    assert [*given.parameters] == [*blocking.parameters]
    assert next(iter(given.parameters)) == "prompt"


async def test_the_same_sentence_again_comes_from_the_cache_and_is_counted_as_such() -> None:
    async with Orchestrator(OFFLINE) as orc:
        made = await orc.generate_gmn(SENTENCE)
        again = await orc.generate_gmn(SENTENCE)
        lines = await orc.usage()
        info = await orc.cache_info()
        assert info.entries > 0
        assert await orc.cache_clear() == info.entries
        assert not (await orc.generate_gmn(SENTENCE)).cached
    assert again.cached
    assert str(again) == made.text == again.text
    assert [line["hits"] for line in lines] == [0, 1]


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"prompt": 5}, TypeError, "prompt must be a str, not int"),
        ({"prompt": " "}, ValueError, "prompt is empty"),
        ({"agent_type": "pirate"}, ValueError, "pirate"),
        ({"constraints": {"max_wheels": 3}}, ValueError, "max_wheels"),
        ({"expectations": ["whatever happens"]}, ValueError, "whatever happens"),
        ({"examples": ["gmn 1.0 nonsense"]}, GMNError, "example"),
        ({"model": "nobody"}, ConfigError, "nobody"),
        ({"provider": "acme"}, ConfigError, "acme"),
        ({"provider": "openai"}, NoDeploymentError, "openai"),
        ({"cache": "sometimes"}, ValueError, "sometimes"),
        ({"cache": {"colour": "red"}}, ValueError, "colour"),
    ],
)
async def test_a_wrong_argument_is_refused_before_anything_is_asked(
    wrong: dict[str, Any], error: type[Exception], words: str
) -> None:
    events: list[Event] = []
    async with Orchestrator(OFFLINE, hook=events.append) as orc:
        with pytest.raises(error, match=words):
            await orc.generate_gmn(**{"prompt": SENTENCE, **wrong})
        assert await orc.usage() == []
    assert events == []


async def test_the_hook_of_a_call_takes_the_place_of_the_one_for_all_calls() -> None:
    general: list[Event] = []
    own: list[Event] = []
    async with Orchestrator(OFFLINE, hook=general.append) as orc:
        await orc.generate_gmn(SENTENCE, hook=own.append)
        assert general == []
        await orc.generate_gmn("a trader", "trader")
    assert isinstance(own[0], Asked)
    assert isinstance(own[-1], Evaluated)
    assert isinstance(general[0], Asked)


async def test_a_change_is_made_to_the_given_document_and_nothing_else() -> None:
    async with Orchestrator(OFFLINE) as orc:
        made = await orc.generate_gmn(SENTENCE)
        changed = await orc.refine_gmn(made.text, "set the horizon to 5")
        with pytest.raises(GMNError, match="cannot be read"):
            await orc.refine_gmn("{", "set the horizon to 5")
    assert changed.spec.policy is not None
    assert changed.spec.policy.horizon == 5
    assert changed.spec.states == made.spec.states


async def test_validation_asks_nobody_and_unpacks() -> None:
    async with Orchestrator(OFFLINE) as orc:
        is_valid, errors = await orc.validate_gmn(GOOD)
        assert (is_valid, list(errors)) == (True, [])
        is_valid, errors = await orc.validate_gmn(swapped("rows: [[0.5, 0.3, 0.2]]", "map: [zz]"))
        assert not is_valid
        assert errors
        with pytest.raises(ValueError, match="max_wheels"):
            await orc.validate_gmn(GOOD, constraints={"max_wheels": 1})
        assert await orc.usage() == []


async def test_a_constraint_holds_for_validation_as_for_generation() -> None:
    async with Orchestrator(OFFLINE) as orc:
        report = await orc.validate_gmn(GOOD, constraints={"max_states": 1})
    assert not report.is_valid


async def test_messages_of_ones_own_need_a_role_and_text() -> None:
    async with Orchestrator(OFFLINE) as orc:
        with pytest.raises(ValueError, match="captain"):
            await orc.generate([{"role": "captain", "content": "ahoy"}])
        answer = await orc.generate([{"role": "user", "content": SENTENCE}])
    assert answer.provider == "offline"
    assert answer.text


async def test_a_plan_of_the_embedded_provider_costs_nothing() -> None:
    async with Orchestrator(OFFLINE) as orc:
        plan = await orc.plan(SENTENCE, "explorer")
        assert plan.max_cost_usd == 0.0
        with pytest.raises(ConfigError, match="nobody"):
            await orc.plan(SENTENCE, model="nobody")
        assert await orc.usage() == []


async def test_what_can_be_called_and_how_it_fares_is_known_without_a_call() -> None:
    async with Orchestrator(OFFLINE) as orc:
        known = await orc.models()
        health = await orc.health_check()
        assert await orc.usage() == []
    assert [one.group for one in known.ready] == ["offline"]
    assert [one.name for one in health.deployments] == [known.ready[0].id]


async def test_a_probe_is_on_the_bill(wire: WireServer) -> None:
    wire.plan("m", "x")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        health = await orc.health_check(probe=True)
        (line,) = await orc.usage()
    assert [one.available for one in health.deployments] == [True]
    assert (line["operation"], len(line["wire"])) == ("probe", 1)
    assert SECRET not in str(health)


def test_every_operation_has_a_blocking_twin_with_the_same_arguments() -> None:
    names = {"acompletion": "completion", "aembedding": "embedding", "aclose": "close"}
    operations = [
        name for name, member in inspect.getmembers(Orchestrator)
        if not name.startswith("_")
        and (inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member))
    ]  # fmt: skip
    orc = Orchestrator(OFFLINE)
    try:
        for name in operations:
            twin: Callable[..., Any] = getattr(orc.sync, names.get(name, name))
            own = inspect.signature(getattr(orc, name))
            assert list(inspect.signature(twin).parameters) == list(own.parameters), name
        assert orc.sync.generate_gmn(SENTENCE).report.is_accepted
    finally:
        orc.sync.close()


async def test_a_file_configures_as_a_mapping_does(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "model_list:\n  - model_name: offline\n    litellm_params: {model: offline/library}\n"
        "orchestrator:\n  routes: {default: [offline]}\n"
    )
    async with Orchestrator.from_config(path) as orc:
        assert (await orc.generate_gmn(SENTENCE)).report.is_accepted
    with pytest.raises(ConfigError, match="nowhere"):
        Orchestrator.from_config(tmp_path / "nowhere.yaml")


async def test_without_a_ledger_nothing_is_listed() -> None:
    async with Orchestrator(offline(ledger={"enabled": False})) as orc:
        await orc.generate_gmn(SENTENCE)
        assert await orc.usage() == []


async def test_closing_twice_is_closing_once() -> None:
    orc = Orchestrator(OFFLINE)
    await orc.generate_gmn(SENTENCE)
    await orc.aclose()
    await orc.aclose()


@pytest.mark.may_block  # the property reads the templates where nothing has been asked yet
async def test_every_template_has_a_version_of_its_own() -> None:
    async with Orchestrator(OFFLINE) as orc:
        versions = dict(orc.templates)
    assert {"system", "generate", "patch"} <= set(versions)
    assert len(set(versions.values())) == len(versions)
