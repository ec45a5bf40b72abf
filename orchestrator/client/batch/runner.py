"""The scheduler of a batch: reads rows lazily, asks within a limit, keeps answers, gives rows.

It knows neither files nor models: rows come from a `RowSource`, answers from a `BatchEngine`, and
clock, sleep and what runs blocking work are given, so that a simulation drives it in virtual time.
"""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from orchestrator.client.batch.busy import Busy
from orchestrator.client.batch.limit import Limit, Refusals
from orchestrator.client.batch.operations import OUTAGES
from orchestrator.types.bill import Taken
from orchestrator.types.errors import BudgetExceededError, LLMError, OrchestratorError
from orchestrator.types.leaving import to_its_end
from orchestrator.types.visible import json_text

if TYPE_CHECKING:
    from orchestrator.client.batch.budget import JobBudget
    from orchestrator.client.batch.journal import Journal, KnownRequest, Numbered
    from orchestrator.client.batch.operations import BatchOutcome, BatchRequest, PreparedRow
    from orchestrator.client.batch.source import RowSource

T = TypeVar("T")
_FEWEST_OUTAGES = 20  # so many in a row, and nothing else, stop the batch
_AHEAD = 4  # rows that are read and not written yet, for each that may be in flight
_FEWEST_AHEAD = 64
_TOGETHER = 0.25  # that share of what may be in flight ends together where the process is busy
_LOOK_S, _MOST_LOOKS = 0.02, 5  # whether that many have ended


class BatchEngine(Protocol):
    """Answers requests: live calls, a provider's batches, or workers elsewhere."""

    async def run(self, request: BatchRequest) -> BatchOutcome:
        """Answer one request; called once for requests in flight with the same key.

        Raises: OrchestratorError: nothing can be asked any more; the batch ends with it.

        After a kill the scheduler asks again with the same key: an engine that has bought the
        answer finds it again by that.
        """


@runtime_checkable
class KeepingEngine(BatchEngine, Protocol):
    """An engine whose answers are kept elsewhere until the journal holds them."""

    def begin(self, journal: Journal, budget: JobBudget | None, stop: Stop) -> None:
        """Hear what holds the answers, what bounds them and what ends the batch, before anything
        is asked; blocks."""

    def kept(self, keys: Iterable[str]) -> None:
        """Hear which answers the journal holds by now."""


@dataclass(frozen=True, slots=True)
class RowResult:
    """A row with what became of it.

    Attributes:
        status: ``done`` or ``failed``.
        body: what is written of it, as the JSON of an object.
        outcome: None where the answer is that of an equal row, or of an earlier run.
    """

    row: Numbered
    status: str
    body: str
    outcome: BatchOutcome | None = None


@dataclass(slots=True)
class Stop:
    """Asks a batch to end: it finishes what is in flight and takes nothing more.

    Attributes:
        why: ``interrupted``, ``budget``, ``outage``, ``output``, ``journal`` or ``input``; empty
            while it goes on.
        said: what the error said that stopped it.
    """

    why: str = ""
    said: str = ""
    wake: Callable[[], None] = lambda: None
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self, why: str, said: str = "") -> None:
        """Stop, unless it stops already."""
        if not self.why:
            self.why, self.said = why, said
            self._asked.set()
            self.wake()

    def raise_why(self) -> None:
        """Raises: BudgetExceededError, LLMError, OSError: that is what stopped it."""
        if self.why == "budget":
            raise BudgetExceededError(self.said)
        if self.why == "outage":
            raise LLMError(self.said)
        if self.why == "journal":
            raise OSError(self.said)

    async def wait(self) -> None:
        """Wait until it is to stop."""
        await self._asked.wait()

    async def pause(self, sleep: Awaitable[None]) -> None:
        """Wait, but not beyond the moment at which the batch is stopped."""
        waits = [asyncio.ensure_future(sleep), asyncio.ensure_future(self.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()


class _NoOutcome(RuntimeError):
    """An engine raised, which it never should: what fails is an outcome."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"a request ended without an outcome: {error!r}")


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Blocking work in a thread, which nothing can stop: it is over when this is left.

    A file that were closed before would be closed while it is used.
    """
    return await to_its_end(asyncio.to_thread(work, *arguments))


async def inline(work: Callable[..., Any], *arguments: Any) -> Any:
    """Blocking work at once, where nothing else waits for the event loop (a simulation)."""
    return work(*arguments)


@dataclass
class Runner:
    """One run over one source.

    Attributes:
        ahead: the most rows that are read and not given yet; bounds what ordering holds back.
        in_flight: requests that are being answered.
        is_busy: whether the event loop had hardly time to spare since it was last asked.
        taken: what the calls of this run took, also those whose rows are not given.
        unkept: answers that the journal could not take; their rows are given all the same, so that
            the output may hold them.
    """

    engine: BatchEngine
    journal: Journal
    limit: Limit
    stop: Stop = field(default_factory=Stop)
    is_ordered: bool = False
    ahead: int = 0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    aside: Callable[..., Awaitable[Any]] = in_thread
    is_busy: Callable[[], bool] = field(default_factory=Busy)
    in_flight: int = 0
    taken: Taken = field(default_factory=Taken)
    unkept: list[tuple[str, BatchOutcome]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ahead = self.ahead or max(_AHEAD * self.limit.most, _FEWEST_AHEAD)
        self._keeping = self.engine if isinstance(self.engine, KeepingEngine) else None
        self._wake = asyncio.Event()
        self._ready: collections.deque[Numbered] = collections.deque()
        self._waiting: dict[str, list[Numbered]] = {}
        self._ended: list[tuple[str, BatchOutcome]] = []
        self._held: dict[str, RowResult | None] = {}  # in the order of the input
        self._open = 0
        self._outages = self._answered = 0
        self._error: BaseException | None = None
        self._broken: Exception | None = None  # what ended the source
        self._taking: asyncio.Task[list[PreparedRow]] | None = None
        self._is_read = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.stop.wake = self._wake.set

    async def results(
        self, source: RowSource[PreparedRow]
    ) -> AsyncGenerator[list[RowResult], None]:
        """What became of the rows, some at a time, in the order of the input where that is asked.

        Raises: what the engine or the journal raises; what is in flight is cancelled. What the
            source raises comes last, when what is in flight is over.
        """
        try:
            while self._goes_on(source):
                await self._woken()
                self._wake.clear()
                if isinstance(self._error, OrchestratorError):
                    raise self._error
                if self._error is not None:
                    raise _NoOutcome(self._error) from self._error
                taken = self._taken()
                if (taken or self._has_work) and (given := await self._step(taken)):
                    yield given
            is_kept = self.journal.path is not None and not self.unkept
            if not is_kept and (given := [one for one in self._held.values() if one]):
                yield given  # what held them back does not come, and nothing else keeps them
            if self._broken is not None:
                raise self._broken
        finally:
            left = [*self._tasks, *([self._taking] if self._taking else [])]
            for task in left:
                task.cancel()
            try:
                await to_its_end(asyncio.gather(*left, return_exceptions=True))
            finally:
                if self._ended or self.unkept:  # paid for, and nobody reads on
                    is_full = self.stop.why in ("journal", "output")  # and may be for both
                    keep = self._kept if is_full else self._keep_aside
                    await keep(self._ended, [], [])

    async def _woken(self) -> None:
        """Wait for something to do, in a busy process for more of it.

        Where no place is free but those of requests that ended, a process without idle time loses
        nothing while more of them end, and works less: one transaction keeps them, and the next
        ones go through the same code side by side.
        """
        if not self._has_work:
            await self._wake.wait()
        for _ in range(_MOST_LOOKS if self.is_busy() else 0):
            ended, places = len(self._ended), int(self.limit.value)
            if self.stop.why or self.in_flight + ended < places or ended >= _TOGETHER * places:
                break
            await self.sleep(_LOOK_S)

    def _goes_on(self, source: RowSource[PreparedRow]) -> bool:
        """Begin to read where there is room; whether anything is left to do or to wait for."""
        if self.stop.why:
            self._ready.clear()
        elif self._taking is None and not self._is_read and self._may_read:
            self._taking = asyncio.create_task(source.take(self.ahead - self._open))
            self._taking.add_done_callback(lambda _: self._wake.set())
        may_come = self._taking is not None and not self.stop.why
        return self._has_work or may_come or bool(self._waiting)

    def _taken(self) -> list[PreparedRow]:
        """The rows that were read since, if any."""
        if self._taking is None or not self._taking.done() or self.stop.why:
            return []
        taking, self._taking = self._taking, None
        try:
            taken = taking.result()
        except Exception as error:  # noqa: BLE001  raised when what is in flight is over
            self._broken = error
            self.stop.now("input", str(error))
            return []
        self._is_read = not taken
        return taken

    @property
    def _has_work(self) -> bool:
        return bool(self._ended) or self._can_begin

    @property
    def _may_read(self) -> bool:
        return self._open < self.ahead and len(self._ready) < self.limit.most

    @property
    def _can_begin(self) -> bool:
        return bool(self._ready) and self.in_flight < int(self.limit.value)

    def _keep(self, ended: list[tuple[str, BatchOutcome]], *more: Any) -> Any:
        """One step of the journal; `ended` is empty when it is kept."""
        made = self.journal.step((*self.unkept, *ended), *more)
        self.unkept.clear()
        ended.clear()
        return made

    async def _keep_aside(self, ended: list[tuple[str, BatchOutcome]], *more: Any) -> Any:
        return await self.aside(self._keep, ended, *more)

    async def _kept(self, ended: list[tuple[str, BatchOutcome]], *more: Any) -> Any:
        """One step of the journal; where it cannot be written the batch stops."""
        try:
            return await self._keep_aside(ended, *more)
        except OSError as error:
            self.unkept += ended
            ended.clear()
            self.stop.now("journal", str(error))
            return [], []

    async def _step(self, taken: list[PreparedRow]) -> list[RowResult]:
        """Keep what has ended, look up what was read, begin what may begin."""
        unkept, self._ended = self._ended, []
        ended = tuple(unkept)
        room = 0 if self.stop.why else max(0, int(self.limit.value) - self.in_flight)
        begun = [self._ready.popleft() for _ in range(min(room, len(self._ready)))]
        wanted = [row.row.request.key for row in begun if row.row.request]
        try:
            rows, found = await self._kept(unkept, taken, wanted)
        except BaseException:
            self._ended = [*unkept, *self._ended]  # tried once more at the end
            raise
        if ended and not self.unkept and self._keeping:
            self._keeping.kept(key for key, outcome in ended if outcome.status != "pending")
        given = [one for key, outcome in ended for one in self._settled(key, outcome)]
        for row, known in zip(begun, found, strict=False):  # none where the journal failed
            given += self._begin(row, known)
        for one in rows:
            given += self._took(one)
        return self._in_order(given) if self.is_ordered else self._let_go(given)

    def _took(self, row: Numbered | None) -> list[RowResult]:
        if row is None:  # the output holds it
            return []
        self._open += 1
        if self.is_ordered:
            self._held[row.key] = None
        if row.row.outcome is not None:  # refused
            body = json_text(row.row.outcome.body)
            return [RowResult(row, row.row.outcome.status, body, row.row.outcome)]
        self._ready.append(row)
        return []

    def _begin(self, row: Numbered, known: KnownRequest) -> list[RowResult]:
        request = row.row.request
        assert request is not None
        if known.state in ("done", "failed"):
            return [RowResult(row, known.state, known.body)]
        self._waiting.setdefault(request.key, []).append(row)
        if known.state == "new":
            self.in_flight += 1
            if known.body:
                request = replace(request, paid=known.body)
            task = asyncio.create_task(self._ask(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return []

    async def _ask(self, request: BatchRequest) -> None:
        try:
            outcome = await self._outcome(request)
            self.taken += outcome.taken
            self._ended.append((request.key, outcome))  # a step may have replaced the list
        except BaseException as error:  # raised again where the results are read
            self._error = error
            raise
        finally:
            self.in_flight -= 1
            self._wake.set()

    async def _outcome(self, request: BatchRequest) -> BatchOutcome:
        """What the engine says; after a rate limit it is asked again."""
        taken, refusals = Taken(), Refusals(self._answered)
        while True:
            began = self.clock()
            outcome = await self.engine.run(request)
            taken += outcome.taken
            self.limit.ended(began, was_limited=outcome.rate_limits > 0)
            if outcome.error != "RateLimitError":
                self._answered += 1
                break
            if (pause_s := refusals.pause_s(self._answered)) is None:
                break
            request = replace(request, paid=outcome.paid or request.paid)
            if not self.stop.why:
                await self.stop.pause(self.sleep(max(pause_s, outcome.retry_after_s or 0.0)))
            if self.stop.why:
                return replace(outcome, status="pending", taken=taken)
        return replace(outcome, taken=taken)

    def _settled(self, key: str, outcome: BatchOutcome) -> list[RowResult]:
        rows = self._waiting.pop(key)
        self._outages = self._outages + 1 if outcome.error in OUTAGES else 0
        message = str((outcome.body.get("error") or {}).get("message", ""))
        if outcome.status == "pending":
            self.stop.now("budget", message)
            return []
        if self._outages >= max(_FEWEST_OUTAGES, 2 * int(self.limit.value)):
            self.stop.now("outage", message)
        body = json_text(outcome.body)
        first, *others = rows
        return [
            RowResult(first, outcome.status, body, outcome),
            *(RowResult(row, outcome.status, body) for row in others),
        ]

    def _let_go(self, given: list[RowResult]) -> list[RowResult]:
        self._open -= len(given)
        return given

    def _in_order(self, given: list[RowResult]) -> list[RowResult]:
        self._held.update((one.row.key, one) for one in given)
        ready: list[RowResult] = []
        while self._held and (one := next(iter(self._held.values()))) is not None:
            ready.append(self._held.pop(one.row.key) or one)
        return self._let_go(ready)
