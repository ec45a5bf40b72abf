"""The loop: ask, evaluate, explain, ask again; at most a few calls, within a deadline and a budget.

`orchestrator.generation.policy` decides what is asked next; `refine` carries it out.
`GenerationLoop` is how the facade starts it: with a ledger entry, from accepted runs or samples.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from orchestrator.generation.answers import NOT_JUDGED
from orchestrator.generation.cut_off import fitted, refused_as_too_long
from orchestrator.generation.lessons import learn
from orchestrator.generation.policy import rank, refused, started, step
from orchestrator.generation.samples import carrying, sampled
from orchestrator.generation.state import Ask, Bounds, Decision, Finished, GiveUp, State
from orchestrator.generation.streaming import StreamHook
from orchestrator.types.errors import (
    ContextWindowExceededError,
    DeadlineExceededError,
    InvalidOutputError,
    LLMError,
)
from orchestrator.types.events import Answered, Asked, Evaluated, Failed
from orchestrator.types.requests import Attempt, Generation, Usage
from orchestrator.types.run_context import RunContext
from orchestrator.types.visible import visible
from orchestrator.types.work import judge

if TYPE_CHECKING:
    from orchestrator.cache.accepted import AcceptedRuns, FailedRuns
    from orchestrator.cache.cached_call import CachingCompleter
    from orchestrator.config.settings import Settings
    from orchestrator.generation.evaluation.finetune import Accepted
    from orchestrator.generation.staged.staging import Staging
    from orchestrator.generation.state import FollowUpPrompts
    from orchestrator.ledger.ledger import LedgerEntry
    from orchestrator.routing.complete import RouterCompleter
    from orchestrator.types.events import Hook
    from orchestrator.types.requests import Answer, Completer, Contract, Evaluation, Request

T = TypeVar("T")
OWN_DEADLINE_S = 600.0  # of a server of the user's own: a small machine reads a prompt for minutes
TOO_LATE = GiveUp("the deadline passed")


@dataclass(frozen=True)
class GenerationRequest(Generic[T]):
    """What is asked of the loop.

    Attributes:
        base_document: what the first question is to patch; None for nothing.
        max_calls: the most calls; None as configured.
        samples: how many answers to the first question are asked for at once. Where behaviour is
            expected the first that behaves is taken and the others are stopped; else the one of
            the valid that fits the sentence best, of several the simplest. When none is valid the
            best is patched.
        deadline_s: seconds for everything together; None as configured.
        staging: how the run may ask in stages, from the beginning or when whole documents fail;
            None: it may not.
    """

    first: Request
    contract: Contract[T]
    follow_ups: FollowUpPrompts
    base_document: Evaluation[T] | None = None
    max_calls: int | None = None
    samples: int = 1
    deadline_s: float | None = None
    staging: Staging | None = None

    @property
    def is_staged(self) -> bool:
        """Whether it begins in stages: then no samples are taken."""
        return self.staging is not None and self.staging.is_first


@dataclass(frozen=True)
class GenerationLoop:
    """Runs the loop over the completer; without `accepted_runs` or `failed_runs` none is kept."""

    router: RouterCompleter
    completer: CachingCompleter
    settings: Settings
    accepted: Accepted
    accepted_runs: AcceptedRuns | None = None
    hook: Hook | None = None
    failed_runs: FailedRuns | None = None

    async def run(
        self, task: GenerationRequest[T], entry: LedgerEntry, *, hook: Hook | None = None
    ) -> Generation[T]:
        """Run the loop; whatever becomes of it is written into the ledger.

        Raises: TypeError, ValueError: `samples`; and as `refine`.
        """
        first, most = task.first, task.max_calls or self.settings.generation.max_calls
        waits = self.router.enforce_samples(self.routes(first.route), task.samples, most)
        deadline_s = self._deadline_of(task)
        context = dataclasses.replace(self.context(task, entry, hook), waits=waits)
        with entry:
            try:
                prior = kept = await self._accepted_before(task, context)
                if not kept and task.samples > 1 and not task.is_staged:
                    prior = await self._samples(task, context, deadline_s)
                if prior and prior[-1].evaluation.is_accepted:
                    made = generation(prior)
                else:
                    # Not in a recording: its questions must not hang on what a server says today.
                    may_ask = first.description is not None and first.cache != "record"
                    window = await self.router.own_window(first.route) if may_ask else 0
                    made = await refine(
                        first, completer=self.completer, contract=task.contract,
                        follow_ups=task.follow_ups,
                        bounds=self._bounds(task, len(kept), window),
                        context=context.within(deadline_s), base_document=task.base_document,
                        prior_attempts=prior, staging=task.staging,
                    )  # fmt: skip
            except LLMError as error:
                await self._lost(error, first, entry)
                raise
            entry.attempts, entry.outcome = made.attempts, "accepted"
            await learn(self.router, made.attempts)
            if first.cache != "off" and not (kept and made.cached):
                # Of samples the last one led to the result; the others stand before it.
                path = made.attempts[0 if kept else max(len(prior) - 1, 0) :]
                await asyncio.to_thread(self._keep, first, path, made, task.samples)
            return made

    async def _samples(
        self, task: GenerationRequest[T], context: RunContext, deadline_s: float
    ) -> tuple[Attempt[T], ...]:
        """Samples of the first question, or of a shorter one where that is too long; none where
        those are too: what is left to ask for is not sampled."""
        first, within = task.first, context.within(deadline_s)
        ask = functools.partial(
            sampled, completer=self.completer, context=within, deadline_s=deadline_s
        )
        try:
            return await ask(task)
        except ContextWindowExceededError as refusal:
            begun = State(
                first, task.contract, task.follow_ups, self._bounds(task, 0, 0),
                Ask(first, "generate"),
            )  # fmt: skip
            try:
                _, shorter = refused_as_too_long(begun, refusal)
                return await ask(dataclasses.replace(task, first=shorter.request))
            except ContextWindowExceededError:
                return ()

    def _keep(
        self, first: Request, path: tuple[Attempt[T], ...], made: Generation[T], samples: int
    ) -> None:
        """Keep an accepted run, whose attempts are `path`, for later runs and for fine-tuning."""
        if self.accepted_runs is not None:
            self.accepted_runs.keep(first, path, samples=samples)
        self.accepted.keep(first, made)

    async def _lost(self, error: LLMError, first: Request, entry: LedgerEntry) -> None:
        """Keep what a failed run paid for, and learn from it."""
        entry.attempts = error.attempts
        if isinstance(error, InvalidOutputError):
            await self.completer.withdraw(a.request for a in error.attempts)
            await learn(self.router, error.attempts)
        if self.failed_runs is not None and error.attempts:
            error.run_id = await self.failed_runs.keep(entry.id, first, error.attempts)

    def context(
        self, task: GenerationRequest[T], entry: LedgerEntry, hook: Hook | None
    ) -> RunContext:
        """That of a run: its hook, or that of all runs, hears it."""
        if not isinstance(hook, StreamHook):
            return RunContext(entry.cost_so_far, hook or self.hook)
        hook.contract, hook.hook = task.contract, hook.hook or self.hook
        # Samples are answered side by side, so none of them is heard as it comes.
        return RunContext(entry.cost_so_far, hook, hook.on_text if task.samples == 1 else None)

    def _bounds(self, task: GenerationRequest[T], kept: int, window: int) -> Bounds:
        """What is configured; answers that are there already, and samples, leave the loop its
        calls."""
        about = self.settings.generation
        most = (task.max_calls or about.max_calls) + task.samples - 1 + kept
        strong = "".join(self.routes(task.first.route)[1:])
        return Bounds(most, self._deadline_of(task), strong, window)

    def _deadline_of(self, task: GenerationRequest[T]) -> float:
        about = self.settings.generation
        is_usual = "deadline_s" not in about.model_fields_set
        if is_usual and task.first.route in self.router.own_routes:
            return task.deadline_s or OWN_DEADLINE_S
        return about.deadline_s if task.deadline_s is None else task.deadline_s

    async def _accepted_before(
        self, task: GenerationRequest[T], context: RunContext
    ) -> tuple[Attempt[T], ...]:
        """The attempts of an accepted run in the cache, evaluated again; none without one."""
        if self.accepted_runs is None:
            return ()
        first, deadline_s = task.first, self._deadline_of(task)
        try:
            async with asyncio.timeout(deadline_s):
                kept = await self.accepted_runs.find(
                    first, task.contract, context, samples=task.samples
                )
        except TimeoutError:
            words = f"the answer in the cache was not judged within {deadline_s:g} s"
            raise DeadlineExceededError(words) from None
        for number, attempt in enumerate(kept, 1):  # as if they had just been made
            context.emit(Asked(number, first.route, attempt.purpose, attempt.reason))
            context.emit(Answered(number, attempt.answer))
            context.emit(Evaluated(number, attempt.evaluation))
        return kept

    def routes(self, route: str) -> list[str]:
        """A route, and the stronger one of a role; a group or provider that was forced stays."""
        routes = self.router.deployments.routes
        has_stronger = "strong" in routes and route in routes and route != "strong"
        return [route, "strong"] if has_stronger else [route]


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
    staging: Staging | None = None,
) -> Generation[T]:
    """Ask until an answer fulfils the contract.

    With `base_document` the first question asks for a patch of that document; `prior_attempts`
    are evaluated answers to `first`, none of them accepted. With `staging` the run goes on in
    small questions where whole documents fail, or begins so.

    Raises:
        InvalidOutputError: no answer did; carries every attempt and the reason.
        DeadlineExceededError, BudgetExceededError: a bound was reached first; `attempts`
            holds what was answered until then.
        LLMError: a route failed; `attempts` likewise.
    """
    asked = Ask(first, "patch" if base_document is not None else "generate")
    begun = State(
        first, contract, follow_ups, bounds, asked, base_document=base_document, staging=staging
    )
    state = fitted(begun)
    decision: Decision[T] = state.asked
    if prior_attempts or (staging is not None and staging.is_first):  # else nothing takes time yet
        state, decision = await judge(started, state, prior_attempts)
    try:
        async with asyncio.timeout(bounds.deadline_s):
            while isinstance(decision, Ask):
                number, route = len(state.attempts) + 1, decision.request.route
                context.emit(Asked(number, route, decision.purpose, decision.reason))
                try:
                    answer = await completer.complete(decision.request, context)
                except ContextWindowExceededError as refusal:
                    state, decision = refused(state, refusal)
                    context.emit(Failed(number, type(refusal).__name__, str(refusal)))
                    continue
                state = dataclasses.replace(state, unjudged=answer)
                state, decision = await _judged(state, answer, context)
    except TimeoutError:
        raise _too_late(state, context.cost.under_way()) from None
    except LLMError as failure:
        state, decision = await _salvaged(state, failure, context)
    if isinstance(decision, GiveUp):
        raise await judge(_given_up, state, decision, context)
    return generation(state.attempts)


async def _salvaged(
    state: State[T], failure: LLMError, context: RunContext
) -> tuple[State[T], Decision[T]]:
    """The state with what a server wrote before it failed, where that is a whole document.

    Raises: LLMError: it is not; `failure` with every attempt.
    """
    context.emit(Failed(len(state.attempts) + 1, type(failure).__name__, str(failure)))
    decision: Decision[T] = GiveUp(str(failure))
    if failure.partial is not None:
        state, decision = await _judged(state, failure.partial, context)
    if not isinstance(decision, Finished):
        raise carrying(failure, failure.attempts or state.attempts) from failure.__cause__
    return state, decision


async def _judged(
    state: State[T], answer: Answer, context: RunContext
) -> tuple[State[T], Decision[T]]:
    """The state after an answer, and what is next."""
    number = len(state.attempts) + 1
    context.emit(Answered(number, answer))
    state, decision = await judge(step, state, answer)  # it simulates
    context.emit(Evaluated(number, state.attempts[-1].evaluation))
    is_late = answer.stopped == "deadline" and context.is_over  # it may be another request's
    return state, TOO_LATE if is_late and not isinstance(decision, Finished) else decision


def _too_late(state: State[T], under_way: str) -> DeadlineExceededError:
    attempts, asked = state.attempts, state.asked
    if state.unjudged is not None:
        last = Attempt(asked.request, state.unjudged, NOT_JUDGED, asked.purpose, asked.reason)
        attempts = (*attempts, last)
    words = f"no valid answer within {state.bounds.deadline_s:g} s ({len(attempts)} calls)"
    if attempts and attempts[-1].answer.stopped == "deadline":
        cut = attempts[-1].answer
        tokens = cut.usage.completion_tokens
        under_way = f"{cut.deployment} had written about {tokens} tokens in {cut.seconds:.0f} s"
    if under_way:
        words += f": {under_way}. Allow more with orchestrator.generation.deadline_s, or ask less"
    return DeadlineExceededError(words, attempts=attempts)


def generation(attempts: tuple[Attempt[T], ...]) -> Generation[T]:
    """The result of a run whose last attempt was accepted."""
    evaluation = attempts[-1].evaluation
    answers = [attempt.answer for attempt in attempts]
    costs = [answer.billed_usd for answer in answers]
    known = [cost for cost in costs if cost is not None]
    return Generation(
        spec=cast("T", evaluation.value),  # None where the contract allows null
        text=evaluation.text,
        report=evaluation.report,
        attempts=attempts,
        usage=sum((answer.usage for answer in answers), Usage()),
        cost_usd=sum(known) if len(known) == len(costs) else None,
        cached=all(answer.cached for answer in answers),
    )


def _given_up(
    state: State[T], decision: GiveUp, context: RunContext
) -> InvalidOutputError | DeadlineExceededError:
    if decision is TOO_LATE:
        return _too_late(state, context.cost.under_way())
    return _invalid(state, decision.reason)


def _invalid(state: State[T], reason: str) -> InvalidOutputError:
    best = min(state.attempts, key=lambda attempt: rank(attempt.evaluation), default=None)
    lines = state.contract.explain(best.evaluation) if best is not None else ""
    return InvalidOutputError(
        f"{visible(reason)}. The best answer still has:\n{lines}",
        attempts=state.attempts,
        best=best,
        reason=reason,
    )
