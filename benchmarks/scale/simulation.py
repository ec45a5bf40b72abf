"""One batch of many rows over simulated providers, driven by the scheduler and the journal."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.scale.providers import FaultError, LimitedError, Provider
from orchestrator.client.batch.journal import Journal
from orchestrator.client.batch.limit import Limit
from orchestrator.client.batch.operations import BatchOutcome, BatchRequest, PreparedRow
from orchestrator.client.batch.runner import Runner, inline
from orchestrator.client.batch.source import InlineSource
from orchestrator.types.bill import Taken

TOKENS, SPREAD = 1_500, 0.3  # of a row: question and answer; the share by which they vary
USD_PER_TOKEN = 1e-6
#: The last rows wait for the slowest of themselves, whatever a scheduler does.
STEADY = 0.95
_TRIES, _WAITS, _DEADLINE_S = 4, 5, 120.0
_REST_S, _FAULTS_IN_A_ROW = 5.0, 5


def tokens_of(number: int) -> int:
    """Tokens of a row, the same whenever it is asked."""
    return int(TOKENS * (1 + SPREAD * ((number * 2_654_435_761 % 1_000) / 500 - 1)))


def rows(count: int) -> Iterator[PreparedRow]:
    """So many different rows, made when they are read."""
    for number in range(count):
        request = BatchRequest(f"r{number}", "ask", {"prompt": number})
        yield PreparedRow(number + 1, f"i{number}", {}, request)


@dataclass
class SimulatedEngine:
    """Asks as the Router does: a sibling after a refusal, a wait where all refuse, few retries, and
    a provider that fails again and again rests.

    Attributes:
        paid: how often an answer was paid for, by request; a byte each.
    """

    providers: Sequence[Provider]
    paid: bytearray
    _rests: dict[str, float] = field(default_factory=dict)
    _in_a_row: dict[str, int] = field(default_factory=dict)
    _rng: random.Random = field(default_factory=lambda: random.Random(1))

    async def run(self, request: BatchRequest) -> BatchOutcome:
        """See `BatchEngine`."""
        clock = asyncio.get_running_loop().time
        number, faults, waits, until = int(request.arguments["prompt"]), 0, 0, clock() + _DEADLINE_S
        while True:
            soonest = float("inf")
            for one in self._awake(clock()):
                try:
                    await one.ask(tokens_of(number))
                except LimitedError as error:
                    soonest = min(soonest, error.after_s)
                except FaultError:
                    faults += 1
                    self._fault(one, clock())
                    if faults == _TRIES:
                        return _failed("InternalServerError", waits)
                else:
                    self._in_a_row[one.name] = 0
                    return self._paid(number, waits)
            if soonest == float("inf"):  # none is left that did not fail just now
                await asyncio.sleep(_REST_S)
                continue
            if waits == _WAITS or clock() + soonest > until:
                return _failed("RateLimitError", waits + 1)
            waits += 1
            await asyncio.sleep(soonest)

    def _awake(self, now: float) -> list[Provider]:
        awake = [one for one in self.providers if self._rests.get(one.name, 0.0) <= now]
        return self._rng.sample(awake, len(awake))

    def _fault(self, one: Provider, now: float) -> None:
        self._in_a_row[one.name] = self._in_a_row.get(one.name, 0) + 1
        if self._in_a_row[one.name] >= _FAULTS_IN_A_ROW and len(self.providers) > 1:
            self._rests[one.name] = now + _REST_S

    def _paid(self, number: int, waits: int) -> BatchOutcome:
        self.paid[number] += 1
        taken = Taken(tokens_of(number) * USD_PER_TOKEN, tokens_of(number), 1)
        return BatchOutcome("done", {"text": "an answer"}, taken, rate_limits=waits)


def _failed(name: str, waits: int) -> BatchOutcome:
    return BatchOutcome("failed", {"error": {"name": name}}, error=name, rate_limits=waits)


@dataclass(frozen=True)
class Figures:
    """What one simulated batch came to.

    Attributes:
        of_the_limit: answers in the steady part, of the most that the limits of the providers allow
            in its time.
        paid_twice: answers that were paid for beyond one for each row.
        most_paid_twice: what was in flight when the process was killed, added up.
        rss_mb: the most memory of the process, at a tenth of the rows and at the end.
    """

    done: int
    failed: int
    hours: float
    of_the_limit: float
    refusals_a_row: float
    paid_twice: int
    most_paid_twice: int
    cpu_us_a_row: float
    rss_mb: tuple[float, float]


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass
class Simulation:
    """A batch of `count` rows.

    Attributes:
        most: requests in flight, at most.
        journal: a file where the process is to be killed and started again.
    """

    count: int
    providers: Sequence[Provider]
    most: int = 1_000
    journal: Path | None = None
    ended: Counter[str] = field(default_factory=Counter)
    in_flight_at_kills: int = 0
    _early_mb: float = 0.0
    _steady: tuple[float, int] = (0.0, 0)

    def __post_init__(self) -> None:
        self._seen = bytearray(self.count + 1)

    async def run(self, kills: int = 0) -> Figures:
        """Carry all rows through; `kills` times the process dies and is started again."""
        engine = SimulatedEngine(self.providers, bytearray(self.count))
        began = time.process_time()
        for n in range(kills):
            await self._one_run(engine, dies_at=self.count * (n + 1) // (kills + 1))
        await self._one_run(engine)
        return self._figures(engine, time.process_time() - began)

    async def _one_run(self, engine: SimulatedEngine, dies_at: int | None = None) -> None:
        clock = asyncio.get_running_loop().time
        journal = Journal(self.journal, {"operation": "simulation"})
        journal.interrupted()
        runner = Runner(engine, journal, Limit(self.most, clock), clock=clock, aside=inline,
                        is_busy=lambda: False)  # fmt: skip
        async with contextlib.aclosing(runner.results(InlineSource(rows(self.count)))) as given:
            async for some in given:
                for one in some:
                    if not self._seen[one.row.row.line]:
                        self._seen[one.row.row.line] = 1
                        self.ended[one.status] += 1
                self._note(clock())
                if dies_at is not None and self.ended.total() >= dies_at:
                    self.in_flight_at_kills += runner.in_flight
                    runner._ended.clear()  # what a kill leaves
                    break
        journal.close()

    def _note(self, now: float) -> None:
        if not self._early_mb and self.ended.total() >= self.count / 10:
            self._early_mb = _rss_mb()
        if not self._steady[1] and self.ended.total() >= STEADY * self.count:
            self._steady = now, self.ended.total()

    def _figures(self, engine: SimulatedEngine, cpu_s: float) -> Figures:
        mean = sum(map(tokens_of, range(self.count))) / self.count
        seconds, answered = self._steady
        most = sum(one.rows_by(seconds, mean) for one in self.providers)
        paid = sum(engine.paid) + sum(one.lost for one in self.providers)
        return Figures(
            done=self.ended["done"],
            failed=self.ended["failed"],
            hours=asyncio.get_running_loop().time() / 3600,
            of_the_limit=answered / most,
            refusals_a_row=sum(one.limited for one in self.providers) / self.count,
            paid_twice=paid - sum(map(bool, engine.paid)),
            most_paid_twice=self.in_flight_at_kills,
            cpu_us_a_row=cpu_s / self.count * 1e6,
            rss_mb=(self._early_mb, _rss_mb()),
        )
