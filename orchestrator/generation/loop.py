"""The loop: ask, judge, explain, ask again; at most a few calls, within a deadline and a budget.

`orchestrator.generation.policy` decides; this carries it out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from orchestrator.generation.policy import (
    Ask,
    Bounds,
    Finished,
    GiveUp,
    Phrasing,
    State,
    rank,
    resumed,
    step,
)
from orchestrator.types.errors import (
    BudgetExceededError,
    DeadlineExceededError,
    InvalidOutputError,
    LLMError,
)
from orchestrator.types.events import Answered, Asked, Failed, JudgedAnswer
from orchestrator.types.requests import Generation, Usage

if TYPE_CHECKING:
    from orchestrator.types.events import Event, Hook
    from orchestrator.types.requests import Answer, Attempt, Completer, Contract, Judged, Request

__all__ = ["Bounds", "Phrasing", "generation", "judged_event", "refine"]

T = TypeVar("T")


async def refine(
    first: Request,
    *,
    completer: Completer,
    contract: Contract[T],
    phrasing: Phrasing,
    bounds: Bounds,
    hook: Hook | None = None,
    base: Judged[T] | None = None,
    begun: tuple[Attempt[T], ...] = (),
) -> Generation[T]:
    """Ask until an answer fulfils the contract.

    With `base` the first question asks for a patch of that document; `begun` are answers to
    `first` that are there already, judged and none of them accepted.

    Raises:
        InvalidOutputError: no answer did; carries every attempt and the reason.
        DeadlineExceededError, BudgetExceededError: a bound was reached first; `attempts_made`
            holds what was answered until then.
        LLMError: a route failed; `attempts_made` likewise.
    """
    ask = Ask(first, "patch" if base is not None else "generate")
    state = State(first, contract, phrasing, bounds, ask, base=base)
    if begun:
        state = resumed(state, begun)
    run = _Run(state, completer, hook)
    try:
        async with asyncio.timeout(bounds.deadline_s):
            return await run.to_the_end()
    except TimeoutError:
        error = DeadlineExceededError(
            f"no valid answer within {bounds.deadline_s:g} s ({len(run.state.attempts)} calls)",
            attempts=len(run.state.attempts),
        )
        raise _carrying(error, run.state) from None


def _carrying(error: LLMError, state: State[T]) -> LLMError:
    """What was answered, and paid for, before the failure stays at hand."""
    error.attempts_made = state.attempts
    return error


class _Run(Generic[T]):
    """Carries out what `step` decides."""

    def __init__(self, state: State[T], completer: Completer, hook: Hook | None) -> None:
        self.state = state
        self._completer = completer
        self._hook = hook

    async def to_the_end(self) -> Generation[T]:
        while True:
            answer = await self._answer()
            # Judging simulates; the loop must go on serving others meanwhile.
            self.state, decision = await asyncio.to_thread(step, self.state, answer)
            judged = self.state.attempts[-1].judged
            self._tell(judged_event(len(self.state.attempts), judged))
            if isinstance(decision, Finished):
                return generation(self.state.attempts)
            if isinstance(decision, GiveUp):
                raise _invalid(self.state, decision.reason)

    async def _answer(self) -> Answer:
        state, number = self.state, len(self.state.attempts) + 1
        _hold_budget(state)
        ask = state.asked
        self._tell(Asked(number, ask.request.route, ask.purpose, ask.reason))
        try:
            answer = await self._completer.complete(ask.request)
        except LLMError as error:
            self._tell(Failed(number, type(error).__name__, str(error)))
            raise _carrying(error, state) from error.__cause__
        self._tell(Answered(number, answer))
        return answer

    def _tell(self, event: Event) -> None:
        if self._hook is not None:
            self._hook(event)


def judged_event(number: int, judged: Judged[T]) -> JudgedAnswer:
    """What is told of a judgement."""
    report = judged.report
    return JudgedAnswer(
        number,
        judged.kind,
        len(report.errors),
        len(report.repairs),
        report.runs,
        report.behaves,
        judged,
    )


def _hold_budget(state: State[T]) -> None:
    bounds, answers = state.bounds, [a.answer for a in state.attempts]
    spent = sum(answer.billed_usd or 0.0 for answer in answers)
    tokens = sum(a.usage.total_tokens for a in answers if not a.cached)
    if bounds.budget_usd is not None and answers and spent >= bounds.budget_usd:
        words = f"{spent:.4f} of {bounds.budget_usd:.4f} USD are spent after {len(answers)} calls"
        raise _carrying(BudgetExceededError(words, attempts=len(answers)), state)
    if bounds.budget_tokens is not None and answers and tokens >= bounds.budget_tokens:
        words = f"{tokens} of {bounds.budget_tokens} tokens are used after {len(answers)} calls"
        raise _carrying(BudgetExceededError(words, attempts=len(answers)), state)


def generation(attempts: tuple[Attempt[T], ...]) -> Generation[T]:
    """The result of a run whose last attempt was accepted."""
    judged = attempts[-1].judged
    assert judged.value is not None
    answers = [attempt.answer for attempt in attempts]
    costs = [answer.billed_usd for answer in answers]
    known = [cost for cost in costs if cost is not None]
    return Generation(
        spec=judged.value,
        text=judged.text,
        report=judged.report,
        attempts=attempts,
        usage=sum((answer.usage for answer in answers), Usage()),
        cost_usd=sum(known) if len(known) == len(costs) else None,
        cached=all(answer.cached for answer in answers),
    )


def _invalid(state: State[T], reason: str) -> InvalidOutputError:
    ranked = sorted(state.attempts, key=lambda attempt: rank(attempt.judged))
    best = ranked[0] if ranked else None
    lines = state.contract.explain(best.judged) if best is not None else ""
    return InvalidOutputError(
        f"{reason}. The best answer still has:\n{lines}",
        attempts_made=state.attempts,
        best=best,
        reason=reason,
    )
