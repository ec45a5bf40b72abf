"""The scheduler of a batch with an engine of the test's own: killed anywhere, in any order."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.client.batch import busy
from orchestrator.client.batch.budget import job_budget
from orchestrator.client.batch.busy import Busy
from orchestrator.client.batch.journal import Journal
from orchestrator.client.batch.limit import PAUSES_S, Limit, Refusals
from orchestrator.client.batch.operations import BatchOutcome, BatchRequest, PreparedRow, prepared
from orchestrator.client.batch.output import Output, line_of
from orchestrator.client.batch.rows import Row, given_rows
from orchestrator.client.batch.runner import RowResult, Runner, inline
from orchestrator.client.batch.source import AsyncSource, InlineSource, ThreadSource
from orchestrator.types.bill import Taken
from orchestrator.types.errors import BudgetExceededError, ConfigError
from orchestrator.types.requests import Usage, WireAttempt
from tests.support.examples import share_of

JOB = {"operation": "generate"}
ID = "0123456789abcdef"
pytestmark = pytest.mark.may_block  # the scheduler does its blocking work here, as a simulation


class Killed(BaseException):
    """The process is gone: nothing runs after it."""


class Life:
    """One process, which dies at its nth step of any kind."""

    def __init__(self, dies_at: int | None) -> None:
        self.left = dies_at
        self.is_dead = False

    def step(self) -> None:
        if self.is_dead:
            raise Killed
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.is_dead = True
                raise Killed


class MortalJournal(Journal):
    life: Life

    def step(self, *arguments: Any) -> Any:
        self.life.step()
        made = super().step(*arguments)
        self.life.step()
        return made


class ScriptedEngine:
    """Answers at once or after a turn of the loop; counts its calls by key."""

    def __init__(self, life: Life | None = None, calls: Counter[str] | None = None) -> None:
        self.life = life or Life(None)
        self.calls = Counter() if calls is None else calls
        self.most, self.now = 0, 0
        self.outcomes: dict[str, list[BatchOutcome]] = {}

    async def run(self, request: BatchRequest) -> BatchOutcome:
        self.life.step()
        self.calls[request.key] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(len(request.arguments["prompt"]) % 4):
            await asyncio.sleep(0)
        self.now -= 1
        self.life.step()
        planned = self.outcomes.get(request.arguments["prompt"])
        return planned.pop(0) if planned else good(request.arguments["prompt"])


def good(text: str) -> BatchOutcome:
    return BatchOutcome("done", {"valid": True, "text": text}, Taken(0.1, 10, 1))


def failure(error: str, status: Any = "failed", **more: Any) -> BatchOutcome:
    body = {"valid": False, "error": {"kind": error, "message": f"it was {error}"}}
    return BatchOutcome(status, body, Taken(0.0, 0, 1), error=error, **more)


def source(rows: list[Any]) -> InlineSource[PreparedRow]:
    made = (prepared(row, "generate", shared={}, carry=False) for row in given_rows(rows))
    return InlineSource(made)


def runner(engine: ScriptedEngine, journal: Journal, most: int = 3, **more: Any) -> Runner:
    more = {"is_busy": lambda: False, **more}
    return Runner(engine, journal, Limit(most, lambda: 0.0), aside=inline, **more)


async def turn(seconds: float) -> None:
    await asyncio.sleep(0)


async def collected(run: Runner, rows: Any) -> list[RowResult]:
    return [one async for some in run.results(rows) for one in some]


def run_of(
    rows: list[Any], engine: ScriptedEngine, journal: Journal | None = None, **more: Any
) -> list[RowResult]:
    async def ran() -> list[RowResult]:
        return await collected(runner(engine, journal or Journal(None, JOB), **more), source(rows))

    return asyncio.run(asyncio.wait_for(ran(), 20))


def live(
    life: Life, directory: Path, rows: list[Any], calls: Counter[str], *, most: int,
    is_busy: bool = False,
) -> None:  # fmt: skip
    """One process over the same files; what it leaves is what a killed one would."""
    output = Output(directory / "out", ID)
    journal = MortalJournal(directory / "journal", JOB)
    journal.life = life
    try:
        journal.interrupted()
        journal.set_written(output.written())

        async def ran() -> None:
            made = runner(
                ScriptedEngine(life, calls), journal, most, is_busy=lambda: is_busy, sleep=turn
            )
            async for some in made.results(source(rows)):
                lines = [line_of(ID, one.row, one.status, one.body) for one in some]
                try:
                    life.step()
                except Killed:
                    torn = "\n".join(lines)
                    output._file.write(torn[: len(torn) * 2 // 3].encode())
                    raise
                output.write(lines)
                life.step()

        asyncio.run(asyncio.wait_for(ran(), 20))
    except Killed:
        pass
    except RuntimeError as error:  # the engine was killed, so nobody reads its error
        if not life.is_dead:
            raise AssertionError from error
    finally:
        journal._db.close()
        output._file.close()


ROWS = st.lists(
    st.one_of(
        st.sampled_from(["a", "bb", "ccc", "dddd"]),
        st.builds(lambda p, i: {"prompt": p, "id": i}, st.sampled_from(["a", "ee", "f"]),
                  st.integers(0, 2)),
        st.just({"wrong": 1}),
    ),
    max_size=12,
)  # fmt: skip


@given(
    rows=ROWS, deaths=st.lists(st.integers(1, 25), max_size=6), most=st.integers(1, 4),
    is_busy=st.booleans(),
)  # fmt: skip
@settings(deadline=None, max_examples=share_of(60))
def test_killed_anywhere_each_row_is_written_once_and_no_answer_is_paid_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], deaths: list[int], most: int,
    is_busy: bool,
) -> None:  # fmt: skip
    directory = tmp_path_factory.mktemp("batch")
    calls: Counter[str] = Counter()
    kills = 0
    for dies_at in deaths:
        life = Life(dies_at)
        live(life, directory, rows, calls, most=most, is_busy=is_busy)
        kills += life.is_dead
    live(Life(None), directory, rows, calls, most=most)
    before = calls.copy()
    live(Life(None), directory, rows, calls, most=most)
    assert calls == before  # a batch that is done asks nothing
    written = [json.loads(line) for line in (directory / "out").read_text().splitlines()]
    assert sorted(one["line"] for one in written) == list(range(1, len(rows) + 1))
    for one in written:
        row = rows[one["line"] - 1]
        assert one.get("id") == (row.get("id") if isinstance(row, dict) else None)
        assert one["status"] == ("failed" if row == {"wrong": 1} else "done")
        if one["status"] == "done":
            assert one["text"] == (row if isinstance(row, str) else row["prompt"])
    assert sum(calls.values()) <= len(calls) + kills * most


@pytest.mark.parametrize("ordered", [False, True])
def test_every_row_comes_once_and_in_order_where_that_is_asked(ordered: bool) -> None:
    rows = [{"prompt": f"p{'x' * (n * 7 % 5)}{n}", "id": n} for n in range(300)]
    engine = ScriptedEngine()
    found = run_of(rows, engine, is_ordered=ordered, most=8)
    ids = [one.row.row.own["id"] for one in found]
    assert sorted(ids) == list(range(300))
    assert (ids == list(range(300))) or not ordered
    assert 4 < engine.most <= 8


class Steps(Journal):
    """Counts the answers that each step keeps."""

    def __init__(self) -> None:
        super().__init__(None, JOB)
        self.kept: list[int] = []

    def step(self, ended: Any, taken: Any, wanted: Any) -> Any:
        if ended:
            self.kept.append(len(ended))
        return super().step(ended, taken, wanted)


class OneByOne(ScriptedEngine):
    """Its answers come in as many turns of the loop as there are of them."""

    async def run(self, request: BatchRequest) -> BatchOutcome:
        self.calls[request.key] += 1
        for _ in range(self.calls.total() % 40):
            await asyncio.sleep(0)
        return good(request.arguments["prompt"])


def test_a_busy_process_keeps_answers_together_and_an_idle_one_each_at_once() -> None:
    kept = {}
    for is_busy in (True, False):
        journal, rows = Steps(), [f"p{n}" for n in range(300)]
        found = run_of(
            rows, OneByOne(), journal, most=40, is_busy=lambda said=is_busy: said, sleep=turn
        )
        assert len(found) == sum(journal.kept) == 300
        kept[is_busy] = journal.kept
    assert len(kept[True]) < len(kept[False]) / 2


def test_a_busy_process_lets_no_free_place_wait_and_stops_at_once() -> None:
    async def never(seconds: float) -> None:
        raise AssertionError

    found = run_of(["a", "bb"], ScriptedEngine(), most=3, is_busy=lambda: True, sleep=never)
    assert len(found) == 2


def test_rows_are_read_as_they_are_needed() -> None:
    read = 0

    def rows() -> Any:
        nonlocal read
        for n in range(10_000):
            read += 1
            yield Row(n + 1, f"p{n}")

    async def first() -> int:
        made = runner(ScriptedEngine(), Journal(None, JOB))
        items = (prepared(row, "generate", shared={}, carry=False) for row in rows())
        found = made.results(InlineSource(items))
        await anext(found)
        await found.aclose()
        return read

    assert asyncio.run(first()) < 300


def test_equal_requests_are_asked_once_and_written_for_each_row() -> None:
    engine = ScriptedEngine()
    found = run_of([{"prompt": "same", "id": n} for n in range(40)] + ["same"], engine)
    assert sum(engine.calls.values()) == 1
    assert [one.row.is_first for one in found].count(True) == 1
    assert len(found) == 41


def test_a_rate_limit_is_waited_for_and_lowers_what_is_in_flight(tmp_path: Path) -> None:
    engine, waits = ScriptedEngine(), []
    engine.outcomes["busy"] = [
        failure("RateLimitError", rate_limits=1, retry_after_s=7.0),
        failure("RateLimitError", rate_limits=1),
    ]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    async def ran() -> tuple[list[RowResult], float]:
        made = runner(engine, Journal(None, JOB), 10, sleep=sleep)
        made.limit.value = 10.0
        return await collected(made, source(["busy"])), made.limit.value

    found, value = asyncio.run(ran())
    assert [one.status for one in found] == ["done"]
    assert waits == [7.0, PAUSES_S[1]]
    assert value == 10  # one of ten in flight
    assert found[0].outcome is not None
    assert found[0].outcome.taken.calls == 3


@pytest.mark.parametrize(("others", "status"), [(2000, "done"), (0, "failed")])
def test_a_request_is_refused_as_often_as_others_are_answered_meanwhile(
    others: int, status: str
) -> None:
    engine = ScriptedEngine()
    engine.outcomes["busy"] = [failure("RateLimitError", rate_limits=1) for _ in range(20)]

    async def sleep(seconds: float) -> None:
        for _ in range(10):  # turns in which others are answered
            await asyncio.sleep(0)

    async def ran() -> list[RowResult]:
        made = runner(engine, Journal(None, JOB), 10, sleep=sleep)
        return await collected(made, source(["busy", *(f"p{n}" for n in range(others))]))

    found = {one.row.row.line: one.status for one in asyncio.run(ran())}
    assert found.pop(1) == status
    assert set(found.values()) <= {"done"}
    assert engine.calls[key_of_busy(engine)] == (21 if status == "done" else len(PAUSES_S) + 1)


def key_of_busy(engine: ScriptedEngine) -> str:
    return max(engine.calls, key=lambda key: engine.calls[key])


def test_a_request_that_is_refused_for_ever_ends() -> None:
    refusals = Refusals(0)
    pauses = [refusals.pause_s(answered) for answered in range(1, 60)]
    assert pauses[:8] == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]]
    assert pauses.index(None) == 40


def test_the_limit_is_cut_by_the_share_that_waited_once_a_round_and_grows_again() -> None:
    now = 1.0
    limit = Limit(10, lambda: now)
    for n in range(10):
        limit.ended(0.5, was_limited=n < 5)
    assert limit.value == pytest.approx(8.5)
    for _ in range(100):
        limit.ended(0.9, was_limited=True)  # they set out before it was cut
    assert limit.value == pytest.approx(8.5)
    for _ in range(100):
        limit.ended(1.0, was_limited=False)
    assert limit.value == 10
    for _ in range(1000):
        now += 1
        limit.ended(now, was_limited=True)
    assert limit.value == 1


def test_a_spent_budget_stops_and_leaves_the_rest_for_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", JOB)
    engine = ScriptedEngine()
    engine.outcomes["p2"] = [failure("BudgetExceededError", "pending")]
    rows = [f"p{n}" for n in range(50)]
    found = run_of(rows, engine, journal, most=2)
    assert 0 < len(found) < 50
    asked = sum(engine.calls.values())
    journal.close()
    again = Journal(tmp_path / "j", JOB)
    found = run_of(rows, engine, again, most=2)
    assert len(found) == 50
    assert sum(engine.calls.values()) == 51
    assert asked < 10


def test_one_outage_after_another_stops_the_batch_and_one_answer_between_does_not() -> None:
    engine = ScriptedEngine()
    rows = [f"p{n}" for n in range(500)]
    for row in rows[7:]:
        engine.outcomes[row] = [failure("AuthenticationError")]

    async def ran() -> tuple[int, str, str]:
        made = runner(engine, Journal(None, JOB))
        found = await collected(made, source(rows))
        return len(found), made.stop.why, made.stop.said

    count, why, said = asyncio.run(ran())
    assert 20 <= count < 60
    assert (why, said) == ("outage", "it was AuthenticationError")
    for row in rows[::7]:
        engine.outcomes[row] = []
    for row in (row for n, row in enumerate(rows) if n % 7):
        engine.outcomes[row] = [failure("AuthenticationError")]
    assert asyncio.run(ran())[0] == 500


def test_what_an_engine_raises_is_raised_and_nothing_waits_for_ever() -> None:
    class Broken:
        async def run(self, request: BatchRequest) -> BatchOutcome:
            raise asyncio.CancelledError

    async def ran() -> list[RowResult]:
        made = Runner(Broken(), Journal(None, JOB), Limit(2, lambda: 0.0), aside=inline)
        return await asyncio.wait_for(collected(made, source(["a", "b"])), 5)

    with pytest.raises(RuntimeError, match="without an outcome"):
        asyncio.run(ran())


def test_answers_that_came_before_a_reader_left_are_kept(tmp_path: Path) -> None:
    async def left(journal: Journal) -> None:
        made = runner(ScriptedEngine(), journal, 5)
        found = made.results(source([f"p{n}" for n in range(20)]))
        await anext(found)
        for _ in range(10):
            await asyncio.sleep(0)
        await found.aclose()

    journal = Journal(tmp_path / "j", JOB)
    asyncio.run(left(journal))
    states = dict(journal._db.execute("SELECT state, count(*) FROM requests GROUP BY state"))
    assert states["done"] >= 5


@pytest.mark.parametrize("kind", ["thread", "async"])
async def test_rows_of_a_thread_and_of_an_async_iterator_all_come(kind: str) -> None:
    async def items() -> Any:
        for n in range(1000):
            if n % 100 == 0:
                await asyncio.sleep(0)
            yield n

    made: Any = ThreadSource(iter(range(1000))) if kind == "thread" else AsyncSource(items())
    found: list[int] = []
    while some := await made.take(7):
        assert len(some) <= 7
        found += some
    assert found == list(range(1000))
    assert await made.take(7) == []


async def test_rows_that_are_read_while_the_loop_is_busy_wake_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, woken, is_read = asyncio.get_running_loop(), Counter[str](), threading.Event()
    wake = loop.call_soon_threadsafe

    def counted(*given: Any) -> Any:
        woken["loop"] += 1
        return wake(*given)

    def items() -> Any:
        yield from range(200)
        is_read.set()

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    made = ThreadSource(items())
    is_read.wait()
    assert woken["loop"] == 1
    assert await made.take(150) == list(range(150))
    assert await made.take(150) == list(range(150, 200))
    assert await made.take(150) == []


async def test_what_a_reader_of_rows_raises_comes_out_of_the_thread() -> None:
    def items() -> Any:
        yield 1
        raise ValueError("the disk is gone")

    made = ThreadSource(items())
    assert await made.take(1) == [1]
    with pytest.raises(ValueError, match="the disk is gone"):
        await made.take(1)


def test_a_journal_of_another_job_is_refused_with_what_differs(tmp_path: Path) -> None:
    Journal(tmp_path / "j", {"schema": "one", "route": "a"}).close()
    with pytest.raises(ConfigError, match="schema was 'one' and is 'two'"):
        Journal(tmp_path / "j", {"schema": "two", "route": "a"})


def test_a_journal_in_use_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    held = Journal(tmp_path / "j", JOB)
    with pytest.raises(ConfigError, match="another process works on it"):
        Journal(tmp_path / "j", JOB)
    held.close()
    Journal(tmp_path / "j", JOB).close()
    (tmp_path / "text").write_text("my notes, " * 1000)
    with pytest.raises(ConfigError, match="not a journal"):
        Journal(tmp_path / "text", JOB)
    assert (tmp_path / "text").read_text() == "my notes, " * 1000


def test_a_journal_keeps_notes_for_engines(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", JOB)
    assert journal.note("batch") is None
    journal.note("batch", "b-17")
    journal.close()
    assert Journal(tmp_path / "j", JOB).note("batch") == "b-17"


def expected(usd: float | None, tokens: int = 10) -> WireAttempt:
    return WireAttempt("d", "p", "m", "unfinished", usage=Usage(tokens), cost_usd=usd)


async def test_a_call_whose_price_is_not_known_is_refused_by_a_budget_of_dollars_alone() -> None:
    with pytest.raises(BudgetExceededError, match="price of m is not known"):
        await job_budget("5usd").reserve(expected(None))
    await job_budget("10tokens").reserve(expected(None))


async def test_a_call_waits_for_those_in_flight_to_give_back_and_no_longer() -> None:
    budget = job_budget("1 USD")
    one, two = expected(0.8), expected(0.8)
    await budget.reserve(one)
    waiting = asyncio.create_task(budget.reserve(two))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.settle(one, [WireAttempt("d", "p", "m", "answered", cost_usd=0.1)])
    await waiting
    last = asyncio.create_task(budget.reserve(expected(0.5)))
    await asyncio.sleep(0)
    budget.settle(two, [WireAttempt("d", "p", "m", "answered", cost_usd=0.7)])
    with pytest.raises(BudgetExceededError, match=r"0\.2 of 1 are left"):
        await last
    assert budget.is_spent


@pytest.mark.parametrize("text", ["", "5", "usd", "0usd", "-1usd", "5 eur", "1e9usd", "5usd/day"])
def test_what_is_not_a_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a budget"):
        job_budget(text)


@pytest.mark.parametrize(
    ("worked", "own", "is_busy"),
    [(0.95, 0.8, True), (0.5, 0.5, False), (1.0, 0.2, False), (2.0, 0.9, True)],
    ids=["its own work", "it waits", "another thread works", "two threads work"],
)
def test_a_loop_is_busy_that_works_itself(
    monkeypatch: pytest.MonkeyPatch, worked: float, own: float, is_busy: bool
) -> None:
    at = 100.0
    now = SimpleNamespace(
        perf_counter=lambda: at, process_time=lambda: at * worked, thread_time=lambda: at * own
    )
    monkeypatch.setattr(busy, "time", now)
    asked = Busy()
    asked()
    at = 101.0
    assert asked() is is_busy
