"""A run as a stream of events: what comes, what is found on the way, and what leaving it costs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import Orchestrator
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.gmn.model import GMNSpec
from orchestrator.types.errors import ServiceUnavailableError
from orchestrator.types.events import Asked, Delta, Done, Evaluated, Event, Partial
from tests.support.documents import GOOD
from tests.support.wire import Reply, WireServer, configured

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

FAULTY = '{ "size": "3", "goal": "open the door", "tags": [ 1, "two" ] }'
MEND = '[{"op": "replace", "path": "/size", "value": 4}]'


class Door(BaseModel):
    size: int
    goal: str
    tags: list[str | int] = []


def even(door: Door) -> list[str]:
    return [] if door.size % 2 == 0 else [f"size must be even, {door.size} is not"]


async def events(stream: Any) -> list[Event]:
    return [event async for event in stream]


def kinds(found: list[Event]) -> list[str]:
    names = [type(event).__name__ for event in found]
    return [name for n, name in enumerate(names) if n == 0 or name != names[n - 1]]


async def test_the_pieces_come_and_done_says_what_holds(wire: WireServer) -> None:
    wire.plan("m", FAULTY, MEND)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        found = await events(orc.stream_structured("a door", Door, checks=[even]))
        (line,) = await orc.usage()
    assert found[0] == Asked(1, "default", "generate")
    text = "".join(e.text for e in found if isinstance(e, Delta) and e.attempt == 1)
    assert text.strip() == FAULTY
    partials = [e for e in found if isinstance(e, Partial)]
    assert partials[0] == Partial(1, {"size": "3"}, ("/size",))
    assert partials[-1].complete_paths == ("/size", "/goal", "/tags/0", "/tags/1", "/tags")
    reports = [e.evaluation.report for e in found if isinstance(e, Evaluated)]
    assert [repair.code for report in reports for repair in report.repairs] == ["MEND1"]
    assert Asked(2, "default", "patch", "1 faults to mend") in found
    done = found[-1]
    assert isinstance(done, Done)
    assert done.result.value == Door(size=4, goal="open the door", tags=[1, "two"])
    assert (line["outcome"], len(line["wire"])) == ("accepted", 2)
    assert all(body["stream"] for body in wire.requests)


async def test_a_closed_part_is_checked_while_the_rest_still_comes(wire: WireServer) -> None:
    wire.plan("m", Reply('{ "size": [], "goal": "open the door" }', stall_after=5))
    config = configured(wire.base, "m", limits={"deadline_s": 5.0})
    async with Orchestrator(config) as orc:
        async for event in orc.stream_structured("a door", Door):
            if isinstance(event, Partial) and event.findings:
                assert event.findings[0].pointer == "/size"
                break
        else:
            pytest.fail("nothing was found")


async def test_the_cache_streams_in_one_piece(wire: WireServer) -> None:
    wire.plan("m", '{"size": 4, "goal": "open"}')
    async with Orchestrator(configured(wire.base, "m")) as orc:
        await orc.generate_structured("a door", Door)
        found = await events(orc.stream_structured("a door", Door))
    assert kinds(found) == ["Asked", "Delta", "Partial", "Answered", "Evaluated", "Done"]
    assert len(wire.requests) == 1


async def test_the_stronger_route_is_announced(wire: WireServer) -> None:
    wire.plan("m", FAULTY, '[{"op": "replace", "path": "/size", "value": 5}]', FAULTY)
    wire.plan("big", MEND)
    routes = {"default": ["m"], "strong": ["big"]}
    async with Orchestrator(configured(wire.base, "m", "big", routes=routes)) as orc:
        found = await events(orc.stream_structured("a door", Door, checks=[even]))
    routes_asked = [e.route for e in found if isinstance(e, Asked)]
    assert routes_asked == ["default"] * 3 + ["strong"]


@pytest.mark.parametrize("way", ["break", "cancel"])
async def test_leaving_closes_the_connection_and_settles_the_bill(
    wire: WireServer, way: str
) -> None:
    wire.plan("m", Reply("one two three four", stall_after=2))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        stream = orc.stream_structured("a door", Door)
        has_begun = asyncio.Event()

        async def read() -> None:
            async for event in stream:
                if isinstance(event, Delta):
                    has_begun.set()
                    if way == "break":
                        return

        task = asyncio.create_task(read())
        await has_begun.wait()
        if way == "cancel":
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await stream.aclose()
        for _ in range(100):
            if wire.cancelled:
                break
            await asyncio.sleep(0.02)
        (line,) = await orc.usage()
    assert wire.cancelled == 1
    assert line["outcome"] == "cancelled"
    assert [one["outcome"] for one in line["wire"]] == ["cancelled"]


async def test_an_error_ends_the_stream_as_it_ends_the_call(wire: WireServer) -> None:
    wire.plan("m", Reply(status=500))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(ServiceUnavailableError):
            await events(orc.stream_structured("a door", Door))


async def test_a_model_of_an_agent_streams_node_by_node(wire: WireServer) -> None:
    wire.plan("m", GOOD)
    config = configured(wire.base, "m", generation={"mode": "prompt"})
    async with Orchestrator(config) as orc:
        found = await events(orc.stream_gmn("a walker"))
    partials = [e for e in found if isinstance(e, Partial)]
    assert len(partials) > 3
    assert all(len(a.complete_paths) <= len(b.complete_paths)
               for a, b in itertools.pairwise(partials))  # fmt: skip
    done = found[-1]
    assert isinstance(done, Done)
    assert isinstance(done.result.spec, GMNSpec)


def test_partial_models_in_json_close_part_by_part() -> None:
    found = GMNContract().read_partial('{"states": [{"name": "pos", "labels": ["a", "b"]}, {"na')
    assert found is not None
    assert found.closed == ("/states/0",)
    assert GMNContract().read_partial("node state x { labels") is None


def test_a_piece_that_closes_nothing_is_not_read_again() -> None:
    contract = GMNContract()
    begun = GOOD.partition("node action")[0]
    assert contract.read_partial(f"{begun}node action go {{") is contract.read_partial(begun)


@pytest.mark.parametrize(
    "text", [GOOD, f"Here it is.\n```gmn\n{GOOD}```\nIt walks.", "} {x}\n" + GOOD]
)
def test_what_was_read_before_changes_nothing(text: str) -> None:
    contract = GMNContract()
    for end in range(len(text) + 1):
        assert contract.read_partial(text[:end]) == GMNContract().read_partial(text[:end])


def test_a_blocking_stream_can_be_read_and_left(wire: WireServer) -> None:
    wire.plan("m", '{ "size": 4, "goal": "open" }')
    orc = Orchestrator(configured(wire.base, "m"))
    try:
        found = list(orc.sync.stream_structured("a door", Door))
        assert isinstance(found[-1], Done)
        for event in orc.sync.stream_structured("another door", Door):
            assert isinstance(event, Asked)
            break
    finally:
        orc.sync.close()


async def test_samples_are_told_apart_in_whatever_order_they_come(wire: WireServer) -> None:
    wire.plan(
        "m", Reply('{"size": 3, "goal": "one"}', delay_s=0.3), '{"size": 5, "goal": "another"}',
        '[{"op": "replace", "path": "/size", "value": 4}]',
    )  # fmt: skip
    async with Orchestrator(configured(wire.base, "m")) as orc:
        found = await events(orc.stream_structured("a door", Door, checks=[even], samples=2))
    texts: dict[int, str] = {}
    for event in found:
        if isinstance(event, Delta):
            texts[event.attempt] = texts.get(event.attempt, "") + event.text
    assert {"one" in texts[n] for n in (1, 2)} == {True, False}
    assert len(texts) == 3
    reports = {e.attempt: e.evaluation.report for e in found if isinstance(e, Evaluated)}
    for n in (1, 2):
        assert f"even, {texts[n][9]} is not" in reports[n].errors[0].message
    assert isinstance(found[-1], Done)
    assert found[-1].result.value.size == 4
