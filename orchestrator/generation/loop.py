"""The loop: ask, judge, explain, ask again; at most a few calls, within a deadline and a budget.

`orchestrator.generation.policy` decides; this carries it out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from orchestrator.generation.policy import (
    Ask,
    Bounds,
    Decision,
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
    from orchestrator.types.requests import (
        Attempt,
        Completer,
        Contract,
        Evaluation,
        Request,
    )
    from orchestrator.types.run_context import RunContext

__all__ = ["Bounds", "FollowUpPrompts", "generation", "refine"]

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
    asked = Ask(first, "patch" if base_document is not None else "generate")
    state = State(first, contract, follow_ups, bounds, asked, base_document=base_document)
    decision: Decision[T] = asked
    if prior_attempts:
        state, decision = resumed(state, prior_attempts)
    try:
        async with asyncio.timeout(bounds.deadline_s):
            while isinstance(decision, Ask):
                number = len(state.attempts) + 1
                _enforce_token_budget(state)
                route = decision.request.route
                context.emit(Asked(number, route, decision.purpose, decision.reason))
                answer = await completer.complete(decision.request, context)
                context.emit(Answered(number, answer))
                # Evaluation simulates; the event loop must go on serving others meanwhile.
                state, decision = await asyncio.to_thread(step, state, answer)
                context.emit(Evaluated(number, state.attempts[-1].evaluation))
    except TimeoutError:
        error: LLMError = DeadlineExceededError(
            f"no valid answer within {bounds.deadline_s:g} s ({len(state.attempts)} calls)",
            attempts=len(state.attempts),
        )
        raise _carrying(error, state) from None
    except LLMError as failure:
        context.emit(Failed(len(state.attempts) + 1, type(failure).__name__, str(failure)))
        raise _carrying(failure, state) from failure.__cause__
    if isinstance(decision, GiveUp):
        raise _invalid(state, decision.reason)
    return generation(state.attempts)


def _carrying(error: LLMError, state: State[T]) -> LLMError:
    """The error with everything that was answered, and paid for, before it."""
    error.attempts_made = state.attempts
    return error


def _enforce_token_budget(state: State[T]) -> None:
    """Raises: BudgetExceededError: the answers so far took the tokens of this request."""
    most, answers = state.bounds.budget_tokens, [a.answer for a in state.attempts]
    tokens = sum(a.usage.total_tokens for a in answers if not a.cached)
    if most is not None and answers and tokens >= most:
        words = f"{tokens} of {most} tokens are used after {len(answers)} calls"
        raise BudgetExceededError(words, attempts=len(answers))


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
