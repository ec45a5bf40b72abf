"""Several answers to one question at once, for the loop to begin with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

from orchestrator.generation.policy import evaluate_answer
from orchestrator.types.errors import DeadlineExceededError, LLMError
from orchestrator.types.events import Answered, Asked, Evaluated, Failed
from orchestrator.types.requests import Attempt

if TYPE_CHECKING:
    from orchestrator.types.requests import Completer, Contract, Request
    from orchestrator.types.run_context import RunContext

T = TypeVar("T")


async def sampled(
    first: Request,
    contract: Contract[T],
    completer: Completer,
    samples: int,
    *,
    deadline_s: float,
    context: RunContext,
) -> tuple[Attempt[T], ...]:
    """Several answers to one question, judged; an accepted one comes last, if there is any.

    The first that behaves as asked stops the others; else the simplest of the accepted is last.

    Raises: LLMError: no sample was answered; the error of the first.
    """
    sampling = _Sampling(first, contract, completer, samples, context)
    tasks = [asyncio.create_task(sampling.one(number)) for number in range(samples)]
    made: list[Attempt[T]] = []
    failures: list[LLMError] = []
    try:
        async with asyncio.timeout(deadline_s):
            for task in asyncio.as_completed(tasks):
                try:
                    made.append(await task)
                except LLMError as error:
                    failures.append(error)
                if made and made[-1].evaluation.is_accepted and made[-1].evaluation.report.behaves:
                    return tuple(made)
    except TimeoutError:
        if not made:
            words = f"none of {samples} samples was answered within {deadline_s:g} s"
            raise DeadlineExceededError(words) from None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not made:
        raise failures[0]
    # Shortest text last among the accepted: the simplest document.
    made.sort(key=lambda a: (a.evaluation.is_accepted, -len(a.evaluation.text)))
    return tuple(made)


class _Sampling(Generic[T]):
    def __init__(
        self,
        first: Request,
        contract: Contract[T],
        completer: Completer,
        samples: int,
        context: RunContext,
    ) -> None:
        self._first = first
        self._contract = contract
        self._completer = completer
        self._samples = samples
        self._context = context

    async def one(self, number: int) -> Attempt[T]:
        """Ask for one sample and judge it."""
        request = replace(self._first, sample=self._first.sample + number)
        reason = f"sample {number + 1} of {self._samples}"
        self._context.emit(Asked(number + 1, request.route, "generate", reason))
        try:
            answer = await self._completer.complete(request, self._context)
        except LLMError as error:
            self._context.emit(Failed(number + 1, type(error).__name__, str(error)))
            raise
        self._context.emit(Answered(number + 1, answer))
        evaluation = await asyncio.to_thread(evaluate_answer, self._contract, answer)
        self._context.emit(Evaluated(number + 1, evaluation))
        return Attempt(request, answer, evaluation, "generate", reason)
