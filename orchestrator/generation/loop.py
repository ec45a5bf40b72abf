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
    FollowUpPrompts,
    GiveUp,
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
from orchestrator.types.events import Answered, Asked, Evaluated, Failed
from orchestrator.types.requests import Generation, Usage

if TYPE_CHECKING:
    from orchestrator.types.events import Event
    from orchestrator.types.requests import (
        Answer,
        Attempt,
        Completer,
        Contract,
        Evaluation,
        Request,
    )
    from orchestrator.types.run_context import RunContext

__all__ = ["Bounds", "FollowUpPrompts", "evaluated_event", "generation", "refine"]

T = TypeVar("T")


async def refine(
    first: Request,
    *,
    completer: Completer,
    contract: Contract[T],
    follow_ups: FollowUpPrompts,
    bounds: Bounds,
    context: RunContext,
    base_document: Evaluation[T] | None = None,
    prior_attempts: tuple[Attempt[T], ...] = (),
) -> Generation[T]:
    """Ask until an answer fulfils the contract.

    With `base_document` the first question asks for a patch of that document; `prior_attempts`
    are evaluated answers to `first`, none of them accepted.

    Raises:
        InvalidOutputError: no answer did; carries every attempt and the reason.
        DeadlineExceededError, BudgetExceededError: a bound was reached first; `attempts_made`
            holds what was answered until then.
        LLMError: a route failed; `attempts_made` likewise.
    """
    ask = Ask(first, "patch" if base_document is not None else "generate")
    state = State(first, contract, follow_ups, bounds, ask, base_document=base_document)
    if prior_attempts:
        state = resumed(state, prior_attempts)
    run = _Run(state, completer, context)
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

    def __init__(self, state: State[T], completer: Completer, context: RunContext) -> None:
        self.state = state
        self._completer = completer
        self._context = context

    async def to_the_end(self) -> Generation[T]:
        while True:
            answer = await self._answer()
            # Judging simulates; the loop must go on serving others meanwhile.
            self.state, decision = await asyncio.to_thread(step, self.state, answer)
            evaluation = self.state.attempts[-1].evaluation
            self._tell(evaluated_event(len(self.state.attempts), evaluation))
            if isinstance(decision, Finished):
                return generation(self.state.attempts)
            if isinstance(decision, GiveUp):
                raise _invalid(self.state, decision.reason)

    async def _answer(self) -> Answer:
        state, number = self.state, len(self.state.attempts) + 1
        _enforce_budget(state)
        ask = state.asked
        self._tell(Asked(number, ask.request.route, ask.purpose, ask.reason))
        try:
            answer = await self._completer.complete(ask.request, self._context)
        except LLMError as error:
            self._tell(Failed(number, type(error).__name__, str(error)))
            raise _carrying(error, state) from error.__cause__
        self._tell(Answered(number, answer))
        return answer

    def _tell(self, event: Event) -> None:
        if self._context.hook is not None:
            self._context.hook(event)


def evaluated_event(number: int, evaluation: Evaluation[T]) -> Evaluated:
    """What is told of a judgement."""
    report = evaluation.report
    return Evaluated(
        number,
        evaluation.kind,
        len(report.errors),
        len(report.repairs),
        report.runs,
        report.behaves,
        evaluation,
    )


def _enforce_budget(state: State[T]) -> None:
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
    evaluation = attempts[-1].evaluation
    assert evaluation.value is not None
    answers = [attempt.answer for attempt in attempts]
    costs = [answer.billed_usd for answer in answers]
    known = [cost for cost in costs if cost is not None]
    return Generation(
        spec=evaluation.value,
        text=evaluation.text,
        report=evaluation.report,
        attempts=attempts,
        usage=sum((answer.usage for answer in answers), Usage()),
        cost_usd=sum(known) if len(known) == len(costs) else None,
        cached=all(answer.cached for answer in answers),
    )


def _invalid(state: State[T], reason: str) -> InvalidOutputError:
    ranked = sorted(state.attempts, key=lambda attempt: rank(attempt.evaluation))
    best = ranked[0] if ranked else None
    lines = state.contract.explain(best.evaluation) if best is not None else ""
    return InvalidOutputError(
        f"{reason}. The best answer still has:\n{lines}",
        attempts_made=state.attempts,
        best=best,
        reason=reason,
    )
