"""One run of the loop as the facade starts it: bounded, booked, its answers kept or withdrawn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from orchestrator.asking import bounds_of
from orchestrator.errors import DeadlineExceededError, InvalidOutputError, LLMError
from orchestrator.extract import is_json
from orchestrator.refine import generation, refine
from orchestrator.result import Attempt
from orchestrator.step import judge
from orchestrator.streaming import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.cache.cached import Cached
    from orchestrator.config import Settings
    from orchestrator.events import Hook
    from orchestrator.finetune import Accepted
    from orchestrator.ledger import Booking
    from orchestrator.refine import Bounds, Phrasing
    from orchestrator.result import Answer, Completer, Contract, Generation, Judged, Request
    from orchestrator.routing import RouterCompleter

T = TypeVar("T")


@dataclass(frozen=True)
class Runs:
    """Runs the loop over the completer."""

    router: RouterCompleter
    completer: Cached
    settings: Settings
    accepted: Accepted
    hook: Hook | None = None

    async def run(
        self,
        first: Request,
        contract: Contract[T],
        phrasing: Phrasing,
        booking: Booking,
        *,
        hook: Hook | None = None,
        start: Judged[T] | None = None,
        max_calls: int | None = None,
        samples: int = 1,
    ) -> Generation[T]:
        """Run the loop; whatever becomes of it is written into the ledger.

        With `samples` so many answers to the first question are asked for at once. Where behaviour
        is expected the first that behaves is taken and the others are stopped; else the simplest of
        the valid ones. When none is valid the best is mended.
        """
        bounds = bounds_of(self.settings, self.strong(first.route))
        most = (max_calls or bounds.max_calls) + samples - 1
        bounds = replace(bounds, max_calls=most)
        completer: Completer = self.completer
        hook = hook or self.hook
        if (live := current()) is not None:
            hook = live.listening(contract, hook)
            if samples == 1:
                completer = self.completer.through(_Live(self.router, live.heard))
        with booking:
            try:
                begun: tuple[Attempt[T], ...] = ()
                if samples > 1:
                    begun = await _sampled(first, contract, completer, samples, bounds)
                    if begun[-1].judged.is_accepted:
                        return await self._booked(booking, first, generation(begun))
                made = await refine(
                    first, completer=completer, contract=contract, phrasing=phrasing,
                    bounds=bounds, hook=hook, start=start, begun=begun,
                )  # fmt: skip
            except LLMError as error:
                booking.attempts = error.attempts_made
                if isinstance(error, InvalidOutputError):
                    await self.completer.withdraw(a.request for a in error.attempts_made)
                    await self._learn(error.attempts_made)
                raise
            await self._learn(made.attempts)
            return await self._booked(booking, first, made)

    async def _booked(self, booking: Booking, first: Request, made: Generation[T]) -> Generation[T]:
        booking.attempts, booking.outcome = made.attempts, "accepted"
        if first.cache != "off":
            await asyncio.to_thread(self.accepted.keep, first, made)
        return made

    async def _learn(self, attempts: tuple[Attempt[T], ...]) -> None:
        """A form that was taken without a word and not kept to is not asked for again."""
        for attempt in attempts:
            mode, answer = attempt.request.mode, attempt.answer
            is_forced = mode in ("json_schema", "tool_call") and not answer.cached
            if is_forced and attempt.judged.kind == "unparsed" and not is_json(answer.text):
                await self.router.ignored(answer.deployment, mode)

    def strong(self, route: str) -> str:
        """The stronger route of a role; a group or provider that was forced stays forced."""
        routes = self.router.deployments.routes
        return "strong" if "strong" in routes and route in routes and route != "strong" else ""


@dataclass(frozen=True)
class _Live:
    """The Router as a completer whose answers are heard while they come."""

    router: RouterCompleter
    heard: Callable[[str], None]

    async def complete(self, request: Request) -> Answer:
        return await self.router.complete(request, self.heard)


async def _sampled(
    first: Request, contract: Contract[T], completer: Completer, samples: int, bounds: Bounds
) -> tuple[Attempt[T], ...]:
    """Several answers to one question, judged; an accepted one comes last, if there is any.

    Raises: LLMError: no sample was answered; the error of the first.
    """

    async def one(number: int) -> Attempt[T]:
        request = replace(first, sample=first.sample + number)
        answer = await completer.complete(request)
        judged = await asyncio.to_thread(judge, contract, answer)
        return Attempt(request, answer, judged, "generate", f"sample {number + 1} of {samples}")

    tasks = [asyncio.create_task(one(number)) for number in range(samples)]
    made: list[Attempt[T]] = []
    failures: list[LLMError] = []
    try:
        async with asyncio.timeout(bounds.deadline_s):
            for task in asyncio.as_completed(tasks):
                try:
                    made.append(await task)
                except LLMError as error:
                    failures.append(error)
                if made and made[-1].judged.is_accepted and made[-1].judged.report.behaves:
                    return tuple(made)
    except TimeoutError:
        if not made:
            words = f"none of {samples} samples was answered within {bounds.deadline_s:g} s"
            raise DeadlineExceededError(words) from None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not made:
        raise failures[0]
    # Shortest text last among the accepted: the simplest document.
    made.sort(key=lambda a: (a.judged.is_accepted, -len(a.judged.text)))
    return tuple(made)
