"""The engine that asks first questions through a provider's batch endpoints, at their lower price.

A row is begun, and stopped at the first question that would be sent. The questions go to the
provider as files; each answer is put where the question was, so that it is judged, kept and asked
about again as if it had come at once. Only what is asked again, and what the provider did not
answer, goes through the Router.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.client.batch.bought import BatchLine, key_of
from orchestrator.client.batch.operations import BatchOutcome, ask
from orchestrator.client.batch.paid import put_in_front, question_id
from orchestrator.client.batch.purchases import USUAL_LINES, Purchases
from orchestrator.routing.batches import batches_of, line_of
from orchestrator.types.bill import Bill, NotAsked, Taken, set_bill
from orchestrator.types.errors import BudgetExceededError, ConfigError

if TYPE_CHECKING:
    from orchestrator.client.batch.budget import JobBudget
    from orchestrator.client.batch.job import Job
    from orchestrator.client.batch.journal import Journal
    from orchestrator.client.batch.operations import BatchRequest
    from orchestrator.client.batch.runner import Stop
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.routing.batches import ProviderBatches
    from orchestrator.types.requests import Answer, Request, WireAttempt
    from orchestrator.types.run_context import RunContext


class _Question(NotAsked):
    """A first question that was kept."""

    def __init__(self, line: BatchLine) -> None:
        super().__init__(line.name)
        self.line = line


def require_endpoints(orchestrator: Orchestrator, job: Job) -> None:
    """Raises: ConfigError: the operation asks no model, or its route has no batch endpoints."""
    if job.operation == "validate":
        words = "validate asks no model, so that there is nothing to buy"
        raise ConfigError("--engine provider", words, fix="Leave out the engine.")
    router, shared = orchestrator._router, job.shared
    batches_of(router, router.resolve(shared.get("model"), shared.get("provider")))


@dataclass
class ProviderEngine:
    """Buys first answers in batches; see the module.

    Attributes:
        most_lines: the largest file.
    """

    orchestrator: Orchestrator
    job: Job
    journal: Journal
    stop: Stop
    budget: JobBudget | None = None
    most_lines: int = USUAL_LINES

    def __post_init__(self) -> None:
        self._router = self.orchestrator._router
        put_in_front(self.orchestrator)
        self._beginning = 0
        parallel = self.orchestrator.config.orchestrator.limits.parallel
        self._turns = asyncio.Semaphore(parallel), asyncio.Semaphore(parallel)
        self.purchases = Purchases(
            self.orchestrator, self.journal, self.stop, str(self.job.beside.get("tenant") or ""),
            self.most_lines, lambda: self._beginning > 0,
        )  # fmt: skip
        self._charged: set[str] = set()
        self._held = self._hold(self.budget) if self.budget is not None else {}

    def _hold(self, budget: JobBudget) -> dict[str, Taken]:
        """Count what is bought as taken until the row that it is for is answered."""
        held: dict[str, Taken] = {}
        for key in self.journal.keys("pending", "in_flight") & self.purchases.lines.keys():
            one = self.purchases.known[self.purchases.lines[key][1]]
            usd, tokens = one.most
            held[key] = Taken((usd or 0.0) / len(one.lines), tokens // len(one.lines), 1)
            budget.taken += held[key]
        return held

    def forget(self, keys: Iterable[str]) -> None:
        """Buy the answers to these requests again: what was bought for them led to nothing."""
        for key in keys:
            self.purchases.lines.pop(key, None)

    async def aclose(self) -> None:
        """End the waiting; nothing at the provider is cancelled."""
        await self.purchases.aclose()

    async def run(self, request: BatchRequest) -> BatchOutcome:
        """See `orchestrator.client.batch.runner.BatchEngine`."""
        if self._is_searched(request):
            return await self._live(request)
        known = self.purchases.lines.get(request.key)
        if known is not None:
            return await self._answered(request, known, None)
        begun = await self._begun(request)
        if isinstance(begun, BatchOutcome):
            return begun
        try:
            if await self.purchases.placed(begun) is None:
                return _left()
        finally:
            if self.budget is not None and not begun.is_bought:
                self.budget.settle(begun.expected, ())
        bought = self.purchases.lines[request.key]
        return await self._answered(request, bought, begun.expected)

    async def _answered(
        self, request: BatchRequest, line: tuple[str, int], expected: WireAttempt | None
    ) -> BatchOutcome:
        """What became of a row whose first question is bought."""
        name, number = line
        made = self.purchases.of(number)
        found = await self.purchases.answers(made)
        if made.bought.state == "void":
            self.forget([request.key])
            return await self.run(request)
        async with self._turns[1]:
            if found is None or self.stop.why not in ("", "budget"):
                if self.budget is not None and expected is not None:
                    self.budget.settle(expected, ())
                return _left()
            return await self._judged(request, made.provider, name, found.get(name), expected)

    def _is_searched(self, request: BatchRequest) -> bool:
        """Whether it is searched for: that is paid by itself, and must not be done twice."""
        mode = request.arguments.get("search") or self.orchestrator.config.orchestrator.search.mode
        return bool(mode != "off")

    async def _live(self, request: BatchRequest) -> BatchOutcome:
        bill = Bill(self.budget)
        set_bill(bill)
        return await ask(self.orchestrator, request, self.job.beside, bill)

    async def _begun(self, request: BatchRequest) -> BatchOutcome | BatchLine:
        """The first question of a row; its outcome where it has none, or cannot be bought."""
        async with self._turns[0]:
            if self.stop.why:
                return _left()
            self._beginning += 1
            try:
                begun = await self._stopped_at_question(request)
            finally:
                self._beginning -= 1
        if isinstance(begun, BatchLine) and self.budget is not None:
            try:
                await self.budget.reserve(begun.expected)
            except BudgetExceededError as error:
                said = {"kind": type(error).__name__, "message": str(error)}
                return BatchOutcome("pending", {"valid": False, "error": said}, error=said["kind"])
        return begun

    async def _stopped_at_question(self, request: BatchRequest) -> BatchOutcome | BatchLine:
        async def keep(asked: Request, context: RunContext) -> Answer | None:
            provider = batches_of(self._router, asked.route)
            body = await provider.body(asked)
            expected = provider.expected(body)
            limit = context.cost.limit_usd
            if limit is not None and (expected.cost_usd is None or expected.cost_usd > limit):
                words = f"the first question may cost {expected.cost_usd} USD"
                raise BudgetExceededError(f"{words}; budgets.usd_per_request allows {limit}")
            name = f"{request.key}-{question_id(asked)}"
            placed = asyncio.get_running_loop().create_future()
            raw = line_of(name, body)
            raise _Question(BatchLine(name, provider, asked.route, raw, expected, placed))

        bill = Bill(self.budget, first=keep)
        set_bill(bill)
        try:
            outcome = await ask(self.orchestrator, request, self.job.beside, bill)
        except _Question as question:
            line = question.line
        else:
            return outcome
        if key_of(line.name) != request.key:  # of an equal question that set out before
            name = f"{request.key}-{line.name.partition('-')[2]}"
            raw = line.raw.replace(line.name.encode(), name.encode(), 1)
            placed = asyncio.get_running_loop().create_future()
            line = replace(line, name=name, raw=raw, placed=placed,
                           expected=replace(line.expected))  # fmt: skip
        return line

    async def _judged(
        self,
        request: BatchRequest,
        provider: ProviderBatches,
        name: str,
        body: Any,
        expected: WireAttempt | None,
    ) -> BatchOutcome:
        """Carry a row out, with the answer that was bought where its question is asked."""
        answer = None if body is None else await provider.answer(body)
        bill = Bill(self.budget)
        set_bill(bill)
        if (held := self._held.pop(request.key, None)) is not None and self.budget is not None:
            taken = self.budget.taken
            taken.usd, taken.tokens = taken.usd - held.usd, taken.tokens - held.tokens
            taken.calls -= held.calls
        is_new = answer is not None and request.key not in self._charged
        self._charged.add(request.key)
        bill.settle(answer.wire if answer is not None and is_new else (), expected)
        if answer is not None:
            bill.first = _given(name, answer)
        return await ask(self.orchestrator, request, self.job.beside, bill)


def _left() -> BatchOutcome:
    said = {"kind": "interrupted", "message": "its answer is left with the provider"}
    return BatchOutcome("pending", {"valid": False, "error": said})


def _given(name: str, answer: Answer) -> Callable[[Request, RunContext], Awaitable[Answer | None]]:
    """Answers the question that was bought, once; every other goes to a model."""

    is_given = False

    async def give(asked: Request, context: RunContext) -> Answer | None:
        nonlocal is_given
        if is_given or question_id(asked) != name.partition("-")[2]:
            return None
        is_given = True
        context.cost.add_cached(answer.usage, answer.cost_usd)  # the batch's own line bills it
        return answer

    return give
