"""The gate: one asks, the others wait for its answer or its error; each gate is a process."""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cache.gate import Gate
from orchestrator.cache.locks import FileLocks
from orchestrator.types.errors import RateLimitError
from tests.support.places import Directory, Position, Server
from tests.support.redis import WITH_REDIS


class Asked:
    """A question that takes a moment, and counts; `lookers` have looked before it ends."""

    def __init__(
        self, failure: Exception | None = None, *, seconds: float = 0.1, lookers: int = 0
    ) -> None:
        self.seconds = seconds
        self.lookers = lookers
        self.looks = 0
        self.answer: str | None = None
        self.calls = 0
        self.failure = failure

    async def found(self) -> str | None:
        self.looks += 1
        return self.answer

    async def ask(self) -> str:
        self.calls += 1
        while self.looks < self.lookers:
            await asyncio.sleep(0.01)
        await asyncio.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure
        self.answer = "the answer"
        return self.answer


async def together(place: Position, asked: Asked, count: int = 3) -> list[object]:
    gates = [place.gate() for _ in range(count)]
    return await asyncio.gather(
        *(gate.ask("key", asked.found, asked.ask) for gate in gates), return_exceptions=True
    )


async def test_one_asks_and_the_others_find_its_answer(place: Position) -> None:
    asked = Asked()
    made = await together(place, asked)
    assert sorted(made, key=str) == [("the answer", False), ("the answer", False),
                                     ("the answer", True)]  # fmt: skip
    assert asked.calls == 1


async def test_a_gate_that_was_closed_holds_when_it_is_used_again(place: Position) -> None:
    gate, other = place.gate(), place.gate()
    asked = Asked(seconds=1.2)  # longer than a dead holder would keep it
    await asyncio.to_thread(gate.close)
    await gate.ask("before", asked.found, asked.ask)
    await asyncio.to_thread(gate.close)
    asked.answer = None
    first = asyncio.create_task(gate.ask("key", asked.found, asked.ask))
    while asked.calls < 2:
        await asyncio.sleep(0.01)
    assert await other.ask("key", asked.found, asked.ask) == ("the answer", False)
    assert await first == ("the answer", True)
    assert asked.calls == 2


async def test_an_error_of_ours_reaches_the_others_with_all_it_says(place: Position) -> None:
    failure = RateLimitError("too fast", deployment="d", status=429, retry_after_s=3.0)
    asked = Asked(failure, seconds=0, lookers=3)
    made = await together(place, asked)
    assert asked.calls == 1
    for error in made:
        assert isinstance(error, RateLimitError)
        assert (str(error), error.deployment, error.retry_after_s) == ("too fast", "d", 3.0)


class FailsMeanwhile:
    """Locks of a holder that fails just as its lock is asked for the `number`-th time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.taken = self.given_back = 0
        self.note: dict[str, Any] | None = None

    def take(self, key: str) -> Callable[[], None] | None:
        self.taken += 1
        if self.taken == self.number:
            self.note = {"id": "1", "error": "RateLimitError", "message": "too fast", "fields": {}}
        return None if self.taken == 1 else self._release

    def _release(self) -> None:
        self.given_back += 1

    def tell(self, key: str, note: Mapping[str, Any]) -> None:
        raise AssertionError("nothing was asked, so nothing failed")

    def told(self, key: str) -> dict[str, Any] | None:
        return self.note

    def sweep(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("number", [1, 2], ids=["as we arrive", "as we take its place"])
async def test_an_error_that_comes_as_the_lock_is_asked_for_is_not_missed(number: int) -> None:
    locks, asked = FailsMeanwhile(number), Asked()
    with pytest.raises(RateLimitError, match="too fast"):
        await Gate(locks).ask("key", asked.found, asked.ask)
    assert (asked.calls, locks.taken, locks.given_back) == (0, 2, 1)


async def test_whoever_leaves_while_the_lock_is_being_taken_holds_nothing(place: Position) -> None:
    gate, other = place.gate(), place.gate()
    for attempt in range(20):
        asked = Asked(seconds=30)
        leaving = asyncio.create_task(gate.ask(f"key{attempt}", asked.found, asked.ask))
        await asyncio.sleep(attempt * 0.0002)  # from before its thread has begun to well after
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        next_one = Asked(seconds=0)
        answer = other.ask(f"key{attempt}", next_one.found, next_one.ask)
        assert await asyncio.wait_for(answer, 10) == ("the answer", True)


async def test_an_error_of_somebody_elses_keeps_nobody_waiting_in_line(place: Position) -> None:
    asked = Asked(ValueError("not ours: it may quote what was sent"), lookers=3)
    made = await together(place, asked)
    assert [type(error) for error in made] == [ValueError] * 3
    assert asked.calls == 3
    assert b"quote" not in place.raw()


async def test_an_error_of_before_is_nobodys_now(place: Position) -> None:
    await together(place, Asked(RateLimitError("too fast")), 1)
    await asyncio.sleep(0.01)
    asked = Asked()
    await together(place, asked)
    assert (asked.answer, asked.calls) == ("the answer", 1)


async def test_a_directory_that_cannot_be_used_keeps_nobody_from_asking() -> None:
    asked = Asked()
    made = await together(Directory({"directory": "/proc/no-such-place"}), asked, 2)
    assert made == [("the answer", True)] * 2


@pytest.mark.parametrize("marks", [pytest.param("", marks=WITH_REDIS)])
async def test_a_server_that_is_not_there_keeps_nobody_from_asking(marks: str) -> None:
    asked = Asked()
    made = await together(Server({"url": "redis://127.0.0.1:1/0"}), asked, 2)
    assert made == [("the answer", True)] * 2


def test_what_was_left_long_ago_is_swept_away(tmp_path: Path) -> None:
    for name, age in (("old.lock", 7200), ("new.lock", 0)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    Gate(FileLocks(tmp_path)).sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["new.lock"]
    Gate(FileLocks(tmp_path / "none")).sweep()


@pytest.mark.parametrize("marks", [pytest.param("", marks=WITH_REDIS)])
async def test_one_heartbeat_keeps_whatever_a_process_asks(marks: str, redis_port: int) -> None:
    url = f"redis://127.0.0.1:{redis_port}/8"
    client = importlib.import_module("redis").Redis.from_url(url)
    client.flushdb()
    client.config_resetstat()
    mine, others = Server({"url": url}).gate(), Server({"url": url}).gate()
    count = 0

    async def found() -> str | None:
        return None

    async def ask() -> str:
        nonlocal count
        count += 1
        await asyncio.sleep(1.5)  # longer than a dead holder would keep it
        return "mine"

    asking = [asyncio.create_task(mine.ask(f"key{n}", found, ask)) for n in range(30)]
    while count < 30:
        await asyncio.sleep(0.01)
    sets = client.info("commandstats")["cmdstat_set"]["calls"]
    waiting = asyncio.create_task(others.ask("key7", found, ask))
    await asyncio.sleep(1)
    assert count == 30
    beats = client.info("commandstats")["cmdstat_set"]["calls"] - sets
    assert beats < 40  # of two processes, and the looks of who waits; 30 locks apart would be 150
    await asyncio.gather(*asking)
    while count < 31:
        await asyncio.sleep(0.01)
    await waiting
    client.close()
