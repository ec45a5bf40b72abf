"""A batch that is left, cancelled or cut off: what was paid for is kept, and nothing goes on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator import Orchestrator
from orchestrator.client.batch.job import job_of, opened
from orchestrator.client.batch.journal import Journal
from orchestrator.client.batch.limit import Limit
from orchestrator.client.batch.rows import RowFile
from orchestrator.client.batch.runner import Runner
from orchestrator.client.batch.source import AsyncSource
from tests.client.test_batch_runner import (
    JOB,
    ScriptedEngine,
    collected,
    failure,
    good,
    run_of,
    source,
)
from tests.support.wire import WireServer, configured

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.may_block


def sums(path: Path) -> tuple[int, int]:
    """Requests that are done, and the calls that are counted."""
    db = sqlite3.connect(path)
    found = db.execute("SELECT total(state = 'done'), total(calls) FROM requests").fetchone()
    db.close()
    return int(found[0]), int(found[1])


async def test_a_reader_that_leaves_early_finds_every_answer_in_the_journal(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with Orchestrator() as orc:
        rows = orc.batch(
            [f"p{n}" for n in range(40)], provider="offline", engine=engine,
            journal=tmp_path / "j", concurrency=4,
        )  # fmt: skip
        async for _ in rows:
            while engine.now:  # what is in flight ends while nobody reads on
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            break
        await rows.aclose()
    asked = sum(engine.calls.values())
    assert sums(tmp_path / "j") == (asked, asked)


async def test_a_cancelled_batch_keeps_an_answer_once_and_waits_for_its_journal(
    tmp_path: Path,
) -> None:
    writes, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Slow(Journal):
        def step(self, ended: Any, *more: Any) -> Any:
            if ended:
                loop.call_soon_threadsafe(writes.set)
                go_on.wait(10)
            return super().step(ended, *more)

    journal = Slow(tmp_path / "j", JOB)
    engine = ScriptedEngine()
    made = Runner(engine, journal, Limit(2, lambda: 0.0))
    task = asyncio.create_task(collected(made, source([f"p{n}" for n in range(20)])))
    await writes.wait()
    task.cancel()
    await asyncio.sleep(0.05)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    journal.close()
    done, calls = sums(tmp_path / "j")
    assert 1 <= done == calls <= sum(engine.calls.values())


@pytest.mark.parametrize("times", [2, 3])
async def test_cancelled_again_and_again_it_keeps_what_came(tmp_path: Path, times: int) -> None:
    journal = Journal(tmp_path / "j", JOB)
    engine = ScriptedEngine()
    made = Runner(engine, journal, Limit(4, lambda: 0.0))
    found = made.results(source([f"p{n}" for n in range(20)]))
    await anext(found)
    await asyncio.sleep(0.01)  # the next four end, and nobody reads on
    asked = sum(engine.calls.values())
    made._tasks.add(asyncio.create_task(_slow_to_leave()))
    await asyncio.sleep(0)
    leaving: asyncio.Task[None] = asyncio.create_task(found.aclose())
    for _ in range(times):
        await asyncio.sleep(0.01)
        leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await asyncio.sleep(0.2)
    journal.close()
    assert asked > 4
    assert sums(tmp_path / "j") == (asked, asked)


async def _slow_to_leave() -> None:
    try:
        await asyncio.sleep(10)
    finally:
        await asyncio.sleep(0.1)


def test_rows_that_break_off_let_what_is_in_flight_finish() -> None:
    class Source:
        def __init__(self) -> None:
            self.rows = iter(source(["p1", "p2", "p3"])._items)
            self.given = False

        async def take(self, most: int) -> Any:
            if self.given:
                raise OSError("the disk is gone")
            self.given = True
            return list(self.rows)

    given: list[Any] = []

    async def ran() -> None:
        made = Runner(ScriptedEngine(), Journal(None, JOB), Limit(3, lambda: 0.0))
        async for some in made.results(Source()):
            given.extend(some)

    with pytest.raises(OSError, match="the disk is gone"):
        asyncio.run(asyncio.wait_for(ran(), 20))
    assert len(given) == 3


def test_in_order_and_without_a_journal_a_stop_gives_what_was_paid_for() -> None:
    engine = ScriptedEngine()
    engine.outcomes["p0"] = [failure("BudgetExceededError", "pending")]
    engine.outcomes["p2"] = [good("two")]
    found = run_of(["p0", "p1", "p2"], engine, is_ordered=True)
    assert [one.row.row.line for one in found] == [2, 3]


async def test_rows_that_nobody_waits_for_any_more_leave_no_task() -> None:
    is_closed = asyncio.Event()

    async def rows() -> Any:
        try:
            yield "p1"
            await asyncio.Event().wait()
        finally:
            is_closed.set()

    made = AsyncSource(rows())
    assert await made.take(5) == ["p1"]
    await made.aclose()
    assert is_closed.is_set()


def test_a_pipe_that_says_nothing_is_left_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.jsonl")
    writer = os.open(tmp_path / "in.jsonl", os.O_RDWR)
    file = RowFile(str(tmp_path / "in.jsonl"))
    reader = threading.Thread(target=lambda: list(file), daemon=True)
    reader.start()
    while not reader.is_alive():
        pass
    threading.Event().wait(0.2)  # it waits in the pipe by now, or fails nothing
    closing = threading.Thread(target=file.close, daemon=True)
    closing.start()
    closing.join(5)
    is_stuck = closing.is_alive()
    os.write(writer, b"\n")
    os.close(writer)
    reader.join(5)
    assert not is_stuck


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"cache": "sometimes"}, "is not a mode"),
        ({"cache": {"mode": "sometimes"}}, "is not a mode"),
        ({"engine": "provider", "concurrency": 3}, "say batch_size"),
    ],
)
async def test_what_is_wrong_for_every_row_is_raised_once(
    wire: WireServer, stated: dict[str, Any], words: str
) -> None:
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(ValueError, match=words):
            [row async for row in orc.batch(["a", "b"], operation="ask", **stated)]
    assert wire.requests == []


@pytest.mark.parametrize(
    "row", [{"prompt": "a", "id": 10**5000}, {"prompt": "a", "id": object()}, {"prompt": 10**5000}]
)
def test_a_row_of_a_program_that_has_no_json_is_a_row(row: dict[str, Any]) -> None:
    found = run_of([row, "p"], ScriptedEngine())
    assert {one.row.row.line: one.status for one in found} == {1: "failed", 2: "done"}


@pytest.mark.parametrize("depth", [150, 400, 900, 100_000])
def test_a_row_that_holds_itself_or_is_too_deep_is_a_row(depth: int) -> None:
    deep: Any = []
    for _ in range(depth):
        deep = [deep]
    circle: dict[str, Any] = {"prompt": "a"}
    circle["id"] = circle
    found = run_of([{"prompt": "a", "id": deep}, circle, "p"], ScriptedEngine())
    assert len(found) == 3


class KeepingScript(ScriptedEngine):
    """Answers that are kept elsewhere until the journal holds them."""

    def begin(self, journal: Journal, budget: object, stop: object) -> None:
        """Nothing is kept yet."""

    def kept(self, keys: object) -> None:
        """Nothing is to be deleted."""


@pytest.mark.parametrize(("engine", "left"), [(ScriptedEngine(), 7), (KeepingScript(), 9)])
async def test_answers_that_wait_elsewhere_are_not_counted_before_they_come(
    wire: WireServer, tmp_path: Path, engine: ScriptedEngine, left: int
) -> None:
    async with Orchestrator(configured(wire.base, "m")) as orc:
        job = await job_of(orc, "ask")
        killed = Journal(tmp_path / "journal", job.parts)
        killed.step([], [], ["one", "two"])
        killed.close()
        with opened(orc, job, tmp_path / "journal", engine=engine, budget="9calls") as made:
            assert made.budget is not None
            assert made.budget.left == left
            assert made.interrupted == 9 - left


def test_a_journal_closes_after_what_another_thread_writes(tmp_path: Path) -> None:
    """Else SQLite frees what that thread works with, and the process ends by signal 11."""
    journal = Journal(tmp_path / "job.journal", JOB)
    begun, may_end = threading.Event(), threading.Event()

    def keys() -> Iterator[str]:
        yield "first"
        begun.set()
        may_end.wait(60)
        yield "second"

    with ThreadPoolExecutor(2) as threads:
        written = threads.submit(journal.set_written, keys())
        assert begun.wait(60)
        closed = threads.submit(journal.close)
        try:
            with pytest.raises(TimeoutError):
                closed.result(timeout=0.2)
        finally:
            may_end.set()
        written.result(timeout=60)
        closed.result(timeout=60)
