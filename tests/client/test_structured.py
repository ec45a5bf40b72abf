"""Answers held to a contract, through real HTTP: typed value, LiteLLM's response, what it took."""

from __future__ import annotations

import asyncio
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.models.deployments import deployments_of
from orchestrator.models.refused_modes import RefusedModes
from orchestrator.routing.output_modes import takes_strictly, tightened
from orchestrator.types.errors import BudgetExceededError, InvalidOutputError
from orchestrator.types.requests import OutputMode
from tests.support.wire import Reply, WireServer, configured

ASK: list[dict[str, object]] = [{"role": "user", "content": "a door"}]
GOOD = '{"size": 4, "goal": "open"}'
FAULTY = '{"size": 3, "goal": "open"}'
MEND = '[{"op": "replace", "path": "/size", "value": 4}]'


class Door(BaseModel):
    size: int
    goal: str


def even(door: Door) -> list[str]:
    return [] if door.size % 2 == 0 else [f"size must be even, {door.size} is not"]


async def even_later(door: Door) -> list[str]:
    await asyncio.sleep(0.01)
    return even(door)


@pytest.mark.parametrize("check", [even, even_later])
async def test_a_fault_is_patched_and_the_value_typed(wire: WireServer, check: Any) -> None:
    wire.plan("m", f"Here: {FAULTY}", MEND)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured(ASK, Door, checks=[check])
        (line,) = await orc.usage()
    assert made.value == Door(size=4, goal="open")
    assert [a.purpose for a in made.attempts] == ["generate", "patch"]
    assert (line["operation"], line["outcome"], len(line["wire"])) == (
        "generate_structured", "accepted", 2
    )  # fmt: skip
    first, second = wire.requests
    assert first["response_format"]["json_schema"]["strict"] is True
    assert second["messages"][0] == ASK[0]
    assert "3 is not" in second["messages"][-1]["content"]
    asked_for = second["response_format"]["json_schema"]
    assert (asked_for["name"], asked_for["strict"]) == ("json_patch", True)


async def test_the_drop_in_gives_litellms_response_with_the_value_beside(wire: WireServer) -> None:
    wire.plan("m", FAULTY, MEND)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        response = await orc.acompletion(
            model="m", messages=ASK, response_format=Door, refine=2, checks=[even], temperature=0
        )
        again = await orc.acompletion(
            model="m", messages=ASK, response_format=Door, refine=2, checks=[even], temperature=0
        )
    assert type(response).__name__ == "ModelResponse"
    assert json.loads(response.choices[0].message.content) == {"size": 4, "goal": "open"}
    assert response.parsed == Door(size=4, goal="open")
    assert response.usage.total_tokens == response.generation.usage.total_tokens > 0
    assert response._hidden_params["response_cost"] == response.generation.cost_usd
    assert (response.generation.cost_usd or 0) > 0
    assert (again.parsed, again._hidden_params["response_cost"]) == (response.parsed, 0)
    assert len(wire.requests) == 2
    assert wire.requests[0]["temperature"] == 0


async def test_what_stays_wrong_ends_with_everything_that_was_paid_for(wire: WireServer) -> None:
    wire.plan("m", FAULTY, FAULTY, FAULTY)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(InvalidOutputError, match="3 is not") as caught:
            await orc.acompletion(
                model="m", messages=ASK, response_format=Door, refine=1, checks=[even]
            )
    assert len(caught.value.attempts) == len(wire.requests) == 2


async def test_local_repair_costs_no_call(wire: WireServer) -> None:
    wire.plan("m", "```json\n{'Size': '4', 'goal': 'open',}\n```")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured("a door", Door, checks=[even])
    assert made.value == Door(size=4, goal="open")
    assert [d.code for d in made.report.repairs] == ["MEND0", "MEND2", "MEND1"]
    assert len(wire.requests) == 1


async def test_misuse_is_said_before_anything_is_asked(wire: WireServer) -> None:
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(ValueError, match="no provider can look up"):
            await orc.generate_structured(ASK, {"$ref": "https://example.org/door"})
        with pytest.raises(ValueError, match="stream"):
            await orc.acompletion(model="m", messages=ASK, refine=1, stream=True)
    assert wire.requests == []


def refused(words: str) -> Reply:
    return Reply(status=400, error_message=words)


async def test_a_refused_form_is_learned_per_deployment_and_kept(
    wire: WireServer, tmp_path: Path
) -> None:
    wire.plan(
        "m",
        refused("response_format is not supported"),
        refused("tools are not supported"),
        refused("response_format is not supported"),
        GOOD,
        '{"size": 6, "goal": "open"}',
    )
    config = configured(wire.base, "m", cache={"directory": str(tmp_path)})
    async with Orchestrator(config) as orc:
        assert (await orc.generate_structured(ASK, Door)).value.size == 4
    sent = [sorted(set(r) & {"response_format", "tools"}) for r in wire.requests]
    assert sent == [["response_format"], ["tools"], ["response_format"], []]
    assert "JSON Schema" in wire.requests[-1]["messages"][-1]["content"]
    async with Orchestrator(config) as orc:
        assert (await orc.generate_structured("another door", Door)).value.size == 6
    assert len(wire.requests) == 5
    kept = json.loads((tmp_path / "modes.json").read_text())
    assert set(kept["m-id"]["refused"]) == {"json_schema", "tool_call", "json_object"}
    assert stat.S_IMODE((tmp_path / "modes.json").stat().st_mode) == 0o600

    config["model_list"][0]["litellm_params"]["model"] = "openai/n"  # type: ignore[index]
    wire.plan("n", GOOD)
    async with Orchestrator(config) as orc:  # another model: everything is open again
        await orc.generate_structured("a third door", Door)
    assert "response_format" in wire.requests[-1]


async def test_a_schema_that_is_ignored_is_not_sent_again(wire: WireServer) -> None:
    wire.plan("m", "A door of size four.", GOOD, '{"size": 6, "goal": "open"}')
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured(ASK, Door)
        await orc.generate_structured("another door", Door)
    assert [a.purpose for a in made.attempts] == ["generate", "rewrite"]
    assert "response_format" in wire.requests[0]
    assert "tools" in wire.requests[-1]


async def test_a_tool_call_is_an_answer(wire: WireServer) -> None:
    wire.plan("m", GOOD)
    config = configured(wire.base, "m", generation={"mode": "tool_call"})
    async with Orchestrator(config) as orc:
        assert (await orc.generate_structured(ASK, Door)).value == Door(size=4, goal="open")
    assert wire.requests[0]["tool_choice"]["function"]["name"] == "Door"


async def test_of_several_samples_the_simplest_valid_one_is_taken(wire: WireServer) -> None:
    wire.plan("m", FAULTY, '{"size": 4, "goal": "open, and then shut again"}', GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured(ASK, Door, checks=[even], samples=3)
        (line,) = await orc.usage()
    assert made.value == Door(size=4, goal="open")
    assert len(wire.requests) == len(line["wire"]) == len(made.attempts) == 3


async def test_when_no_sample_is_valid_the_best_is_mended(wire: WireServer) -> None:
    wire.plan("m", "{}", FAULTY, MEND)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured(ASK, Door, checks=[even], samples=2)
    assert made.value == Door(size=4, goal="open")
    assert [a.purpose for a in made.attempts] == ["generate", "generate", "patch"]


async def test_samples_keep_to_the_budget(wire: WireServer) -> None:
    wire.plan("m", GOOD)
    config = configured(wire.base, "m", budgets={"usd_per_request": 1e-5})
    async with Orchestrator(config) as orc:
        with pytest.raises(BudgetExceededError):
            await orc.generate_structured(ASK, Door, samples=3)
    assert wire.requests == []


async def test_a_dollar_budget_stops_the_next_call_and_keeps_what_was_paid(
    wire: WireServer,
) -> None:
    wire.plan("m", FAULTY, GOOD)
    config = configured(wire.base, "m", budgets={"usd_per_request": 0.010001})
    config["model_list"][0]["litellm_params"] |= {  # type: ignore[index]
        "input_cost_per_token": 0.0, "output_cost_per_token": 1e-5,
    }  # fmt: skip
    async with Orchestrator(config) as orc:
        with pytest.raises(BudgetExceededError) as caught:
            await orc.generate_structured(ASK, Door, checks=[even], max_tokens=1000)
    assert [attempt.answer.text for attempt in caught.value.attempts] == [FAULTY]
    assert len(wire.requests) == 1


@pytest.mark.parametrize(("tokens", "answered"), [(300, 0), (1_050, 1)])
async def test_a_budget_of_tokens_is_reserved_before_each_call(
    wire: WireServer, tokens: int, answered: int
) -> None:
    """A call may take its prompt and the 1,000 tokens of an answer of full length."""
    wire.plan("m", FAULTY, GOOD)
    config = configured(wire.base, "m", budgets={"tokens_per_request": tokens})
    async with Orchestrator(config) as orc:
        with pytest.raises(BudgetExceededError, match="are left for this request") as caught:
            await orc.generate_structured(ASK, Door, checks=[even], max_tokens=1_000)
    assert [attempt.answer.text for attempt in caught.value.attempts] == [FAULTY] * answered
    assert len(wire.requests) == answered


def test_a_schema_is_closed_where_that_changes_nothing() -> None:
    schema = Door.model_json_schema()
    assert not takes_strictly(schema)
    made = tightened(schema)
    assert takes_strictly(made)
    assert made["additionalProperties"] is False
    assert "title" not in json.dumps(made)
    open_ended = {"type": "object", "properties": {"title": {"type": "string"}}}
    assert tightened(open_ended) == open_ended
    assert not takes_strictly(open_ended)


def test_what_several_learn_at_once_is_all_kept(tmp_path: Path) -> None:
    config = configured("http://localhost:1", *(f"m{n}" for n in range(12)))
    ready = deployments_of(Config.load(config, {}), {}).ready
    modes = [RefusedModes(tmp_path / "modes.json") for _ in range(3)]  # as in three processes
    with ThreadPoolExecutor(12) as pool:
        for n, one in enumerate(ready):
            pool.submit(modes[n % 3].note, one, OutputMode.JSON_SCHEMA, "refused it")
    fresh = RefusedModes(tmp_path / "modes.json")
    assert all("json_schema" in fresh.refused(one) for one in ready)
    assert fresh.forget() == 12
    assert not RefusedModes(tmp_path / "modes.json").refused(ready[0])
