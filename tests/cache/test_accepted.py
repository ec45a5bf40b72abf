"""Accepted runs, the level above single answers: evaluated again, repaired from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import Orchestrator
from orchestrator.types.caching import Caching
from orchestrator.types.errors import InvalidOutputError
from orchestrator.types.events import Event
from tests.support.wire import Reply, WireServer, configured

ASK = "a door"
FAULTY, MEND = '{"size": 3}', '[{"op": "replace", "path": "/size", "value": 4}]'


class Door(BaseModel):
    size: int


def even(door: Door) -> list[str]:
    return [] if door.size % 2 == 0 else [f"size must be even, {door.size} is not"]


def even_in_other_words(door: Door) -> list[str]:
    return [] if door.size % 2 == 0 else ["a whole number of pairs is wanted"]


def large(door: Door) -> list[str]:
    return [] if door.size > 4 else [f"{door.size} is not above 4"]


async def test_other_words_for_the_same_finding_buy_nothing(wire: WireServer) -> None:
    wire.plan("m", FAULTY, MEND)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        first = await orc.generate_structured(ASK, Door, checks=[even])
        again = await orc.generate_structured(ASK, Door, checks=[even_in_other_words])
        lines = await orc.usage()
    assert again.value == first.value == Door(size=4)
    assert [a.purpose for a in again.attempts] == ["generate", "patch"]
    assert (again.cached, again.cost_usd, again.usage) == (True, 0.0, first.usage)
    assert len(wire.requests) == 2
    assert (lines[1]["hits"], lines[1]["billed_usd"]) == (2, 0.0)
    assert lines[1]["served_usd"] == pytest.approx(lines[0]["billed_usd"])


async def test_what_a_stricter_contract_refuses_is_repaired_from_there(wire: WireServer) -> None:
    wire.plan("m", FAULTY, MEND, '[{"op": "replace", "path": "/size", "value": 6}]')
    strict: dict[str, Any] = {"checks": [even, large], "refine": 1}
    async with Orchestrator(configured(wire.base, "m")) as orc:
        await orc.generate_structured(ASK, Door, checks=[even])
        stricter = await orc.generate_structured(ASK, Door, **strict)
        assert len(wire.requests) == 3
        again = await orc.generate_structured(ASK, Door, **strict)
        laxer = await orc.generate_structured(ASK, Door)
    assert "4 is not above 4" in wire.requests[2]["messages"][-1]["content"]
    assert [a.answer.cached for a in stricter.attempts] == [True, True, False]
    assert (stricter.value, again.value, laxer.value) == (
        Door(size=6), Door(size=6), Door(size=6)
    )  # fmt: skip
    assert again.cached
    assert len(wire.requests) == 3


async def test_what_was_repaired_then_is_still_reported(wire: WireServer) -> None:
    wire.plan("m", '{"size": "4"}')
    async with Orchestrator(configured(wire.base, "m")) as orc:
        first = await orc.generate_structured(ASK, Door)
        again = await orc.generate_structured(ASK, Door)
    assert first.report.repairs
    assert again.report == first.report
    assert again.attempts[0].answer.text == '{"size": "4"}'
    assert len(wire.requests) == 1


async def test_an_answer_that_was_cut_off_is_not_paid_for_again(wire: WireServer) -> None:
    wire.plan("m", Reply('{"size', finish="length"), '{"size": 4}')
    async with Orchestrator(configured(wire.base, "m")) as orc:
        await orc.generate_structured(ASK, Door)
        again = await orc.generate_structured(ASK, Door)
    assert [a.evaluation.kind for a in again.attempts] == ["truncated", "accepted"]
    assert len(wire.requests) == 2


async def test_samples_are_remembered_by_the_one_that_was_taken(wire: WireServer) -> None:
    wire.plan("m", '{"size": 444}', '{"size": 4}', FAULTY)
    events: list[Event] = []
    async with Orchestrator(configured(wire.base, "m"), hook=events.append) as orc:
        first = await orc.generate_structured(ASK, Door, checks=[even], samples=3)
        assert [type(event).__name__ for event in events].count("Evaluated") == 3
        again = await orc.generate_structured(ASK, Door, checks=[even], samples=3)
    assert first.value == again.value == Door(size=4)
    assert len(again.attempts) == 1
    assert len(wire.requests) == 3


async def test_the_cache_is_used_as_the_call_says(wire: WireServer) -> None:
    wire.plan("m", *['{"size": 4}'] * 4)
    steps: list[tuple[Caching, int]] = [
        ({"mode": "use", "tag": "trial"}, 1), ("off", 2), ("refresh", 3), ("replay", 3)
    ]  # fmt: skip
    async with Orchestrator(configured(wire.base, "m")) as orc:
        for cache, requests in steps:
            await orc.generate_structured(ASK, Door, cache=cache)
            assert len(wire.requests) == requests, cache
        info = await orc.cache_info()
        assert info.entries == 2
        assert await orc.cache_clear() == 2
        await orc.generate_structured(ASK, Door)
    assert len(wire.requests) == 4


async def test_a_run_that_fails_now_leaves_what_was_accepted_then(wire: WireServer) -> None:
    wire.plan("m", FAULTY, FAULTY, FAULTY)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        await orc.generate_structured(ASK, Door)
        with pytest.raises(InvalidOutputError):
            await orc.generate_structured(ASK, Door, checks=[even], refine=0)
        asked = len(wire.requests)
        assert (await orc.generate_structured(ASK, Door)).cached
    assert len(wire.requests) == asked


@pytest.mark.may_block
async def test_a_run_of_another_layout_is_a_miss(wire: WireServer, tmp_path: Path) -> None:
    wire.plan("m", '{"size": 4}', '{"size": 6}')
    async with Orchestrator(configured(wire.base, "m", cache={"directory": str(tmp_path)})) as orc:
        await orc.generate_structured(ASK, Door)
        for key, question in list(orc._store.questions()):
            orc._store.put(key, [0, *orc._store.get(key)[1:]], question=question)
        assert (await orc.generate_structured(ASK, Door)).value == Door(size=6)
