"""One run of the loop as the facade starts it: bounded, booked, its answers kept or withdrawn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from orchestrator.cache.accepted import Recalled
from orchestrator.generation.loop import generation, refine
from orchestrator.generation.request_building import bounds_of
from orchestrator.generation.sampling import sampled
from orchestrator.generation.streaming import StreamHook
from orchestrator.parsing.json_reader import is_json
from orchestrator.types.errors import InvalidOutputError, LLMError
from orchestrator.types.run_context import RunContext

if TYPE_CHECKING:
    from orchestrator.cache.accepted import Recall
    from orchestrator.cache.cached_call import CachingCompleter
    from orchestrator.config.settings import Settings
    from orchestrator.generation.evaluation.finetune import Accepted
    from orchestrator.generation.loop import FollowUpPrompts
    from orchestrator.ledger.ledger import LedgerEntry
    from orchestrator.routing.complete import RouterCompleter
    from orchestrator.types.events import Hook
    from orchestrator.types.requests import (
        Attempt,
        Completer,
        Contract,
        Evaluation,
        Generation,
        Request,
    )

T = TypeVar("T")


@dataclass(frozen=True)
class GenerationRequest(Generic[T]):
    """What is asked of the loop.

    Attributes:
        start: what the first question is to patch; None for nothing.
        max_calls: the most calls; None as configured.
        samples: how many answers to the first question are asked for at once. Where behaviour is
            expected the first that behaves is taken and the others are stopped; else the simplest
            of the valid ones. When none is valid the best is mended.
    """

    first: Request
    contract: Contract[T]
    follow_ups: FollowUpPrompts
    base_document: Evaluation[T] | None = None
    max_calls: int | None = None
    samples: int = 1


@dataclass(frozen=True)
class GenerationRuns:
    """Runs the loop over the completer; `recall` remembers what runs came to, None does not."""

    router: RouterCompleter
    completer: CachingCompleter
    settings: Settings
    accepted: Accepted
    recall: Recall | None = None
    hook: Hook | None = None

    async def run(
        self, task: GenerationRequest[T], entry: LedgerEntry, *, hook: Hook | None = None
    ) -> Generation[T]:
        """Run the loop; whatever becomes of it is written into the ledger."""
        context = RunContext(entry.cost_so_far, hook or self.hook)
        if isinstance(hook, StreamHook):
            hook.contract, hook.hook = task.contract, hook.hook or self.hook
            # Samples are answered side by side, so none of them is heard as it comes.
            context = RunContext(
                entry.cost_so_far, hook, hook.on_text if task.samples == 1 else None
            )
        with entry:
            try:
                made = await self._made(task, context)
            except LLMError as error:
                entry.attempts = error.attempts_made
                if isinstance(error, InvalidOutputError):
                    await self.completer.withdraw(a.request for a in error.attempts_made)
                    await self._learn(error.attempts_made)
                raise
            entry.attempts, entry.outcome = made.attempts, "accepted"
            await self._learn(made.attempts)
            if task.first.cache != "off":
                await asyncio.to_thread(self.accepted.keep, task.first, made)
            return made

    async def _made(self, task: GenerationRequest[T], context: RunContext) -> Generation[T]:
        """From what is remembered of an accepted run, from samples, or from the first question."""
        first, samples = task.first, task.samples
        completer: Completer = self.completer
        rounds = () if self.recall is None else await self.recall.rounds(first, samples)
        bounds = bounds_of(self.settings, self.strong(first.route))
        # Answers that are there already, and samples, leave the loop its calls.
        most = (task.max_calls or bounds.max_calls) + samples - 1 + len(rounds)
        bounds = replace(bounds, max_calls=most)
        prior_attempts: tuple[Attempt[T], ...] = ()
        if rounds:
            completer = Recalled(completer, rounds)
        elif samples > 1:
            prior_attempts = await sampled(
                first, task.contract, completer, samples,
                deadline_s=bounds.deadline_s, context=context,
            )  # fmt: skip
        if prior_attempts and prior_attempts[-1].evaluation.is_accepted:
            made = generation(prior_attempts)
        else:
            made = await refine(
                first, completer=completer, contract=task.contract, follow_ups=task.follow_ups,
                bounds=bounds, context=context, base_document=task.base_document,
                prior_attempts=prior_attempts,
            )  # fmt: skip
        if self.recall is not None and not (rounds and made.cached):
            # Of samples the last one led to the result; the others stand before it.
            path = made.attempts[max(len(prior_attempts) - 1, 0) :]
            await self.recall.keep(first, task.contract, path, samples=samples)
        return made

    async def _learn(self, attempts: tuple[Attempt[T], ...]) -> None:
        """A form that was taken without a word and not kept to is not asked for again."""
        for attempt in attempts:
            mode, answer = attempt.request.mode, attempt.answer
            is_forced = mode in ("json_schema", "tool_call") and not answer.cached
            if is_forced and attempt.evaluation.kind == "unparsed" and not is_json(answer.text):
                await self.router.ignored(answer.deployment, mode)

    def strong(self, route: str) -> str:
        """The stronger route of a role; a group or provider that was forced stays forced."""
        routes = self.router.deployments.routes
        return "strong" if "strong" in routes and route in routes and route != "strong" else ""
