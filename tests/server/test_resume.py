"""A stream that was cut goes on where it was, and never mixes two answers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.agents.interaction import Interaction
from orchestrator.agents.live import LiveTurn
from orchestrator.server import agui
from tests.support.examples import share_of

TURN = "0" * 8 + "-0000" * 3 + "-" + "0" * 12
PIECES = st.lists(st.text(min_size=1, max_size=4), max_size=8)


async def stream(parts: list[str], place: agui.Place | None, *, fails: bool = False) -> list[str]:
    """All that a reader at a place gets while an answer comes in parts."""
    live = LiveTurn(TURN, "c", 1)

    async def answered() -> Interaction:
        for part in parts:
            live.hear(part)
            await asyncio.sleep(0)
        if fails:
            raise ValueError("no")
        live.settle("".join(parts))
        return Interaction(live.text, TURN, "c", 1, "p", "m", "p", {}, None, 0.0)

    live.task = asyncio.create_task(answered())
    return [event async for event in agui.of_turn(live, place, dataclasses.asdict)]


class Reader:
    """A browser: it keeps the last id, and the messages that it is to show."""

    def __init__(self) -> None:
        self.last_id = ""
        self.shown: dict[str, str] = {}
        self.open: set[str] = set()
        self.runs = 0
        self.last: dict[str, Any] = {}

    def read(self, event: str) -> None:
        for line in event.splitlines():
            if line.startswith("id: "):
                self.last_id = line[4:]
        data = self.last = json.loads(event.split("data: ", 1)[1])
        kind = data["type"]
        if kind == "RUN_STARTED":
            self.runs += 1
        elif kind == "TEXT_MESSAGE_START":
            assert not self.open
            assert data["messageId"] not in self.shown
            self.open.add(data["messageId"])
            self.shown[data["messageId"]] = ""
        elif kind == "TEXT_MESSAGE_CONTENT":
            assert data["messageId"] in self.open
            self.shown[data["messageId"]] += data["delta"]
        elif kind == "TEXT_MESSAGE_END":
            self.open.remove(data["messageId"])
        elif kind == "CUSTOM":
            self.shown.pop(data["value"]["void"], None)


async def read_with_cuts(answers: list[list[str]], cuts: list[int]) -> Reader:
    """Each answer but the last is one of a process that is killed after so many events."""
    reader = Reader()
    for n, parts in enumerate(answers):
        events = await stream(parts, agui.place_of(reader.last_id), fails=n < len(answers) - 1)
        # What a process that is killed does not say any more is how the turn ended.
        for event in events if n == len(answers) - 1 else events[:-1][: cuts[n]]:
            reader.read(event)
    return reader


@settings(deadline=None)
@given(PIECES)
def test_the_same_answer_goes_on_after_every_cut_point(parts: list[str]) -> None:
    async def check() -> None:
        whole = await stream(parts, None)
        for cut in range(len(whole) + 1):
            reader = Reader()
            for event in whole[:cut]:
                reader.read(event)
            for event in await stream(parts, agui.place_of(reader.last_id)):
                reader.read(event)
            assert list(reader.shown.values()) == ["".join(parts)]
            assert not reader.open
            assert (reader.runs, reader.last["type"]) == (1, "RUN_FINISHED")

    asyncio.run(check())


@settings(deadline=None, max_examples=share_of(300))
@given(st.lists(PIECES, min_size=2, max_size=4), st.lists(st.integers(1, 12), min_size=3,
                                                          max_size=3))  # fmt: skip
def test_another_answer_begins_again_and_is_never_mixed(
    answers: list[list[str]], cuts: list[int]
) -> None:
    reader = asyncio.run(read_with_cuts(answers, cuts))
    assert list(reader.shown.values()) == ["".join(answers[-1])]
    assert not reader.open
    assert reader.last["type"] == "RUN_FINISHED"


def test_an_answer_that_was_kept_before_this_one_takes_its_place() -> None:
    async def check() -> None:
        live = LiveTurn(TURN, "c", 1)

        async def answered() -> Interaction:
            live.hear("half of mine")
            await asyncio.sleep(0.01)
            live.settle("of another process")
            return Interaction(live.text, TURN, "c", 1, "p", "m", "p", {}, None, 0.0)

        live.task = asyncio.create_task(answered())
        reader = Reader()
        async for event in agui.of_turn(live, None, dataclasses.asdict):
            reader.read(event)
        assert list(reader.shown.values()) == ["of another process"]

    asyncio.run(check())
