"""Several answers to one question, asked for at once."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, TypeVar

from orchestrator.generation.answers import NOT_JUDGED, evaluate_answer
from orchestrator.generation.request_variants import another_sample
from orchestrator.types.errors import CheckError, DeadlineExceededError, LLMError
from orchestrator.types.events import Answered, Asked, Evaluated, Failed
from orchestrator.types.requests import Attempt
from orchestrator.types.work import judge

if TYPE_CHECKING:
    from orchestrator.generation.loop import GenerationRequest
    from orchestrator.types.requests import Completer
    from orchestrator.types.run_context import RunContext

T = TypeVar("T")


async def sampled(
    task: GenerationRequest[T], completer: Completer, *, deadline_s: float, context: RunContext
) -> tuple[Attempt[T], ...]:
    """Several answers to one question, evaluated; an accepted one comes last, if there is any.

    The first that behaves as asked stops the others; else the one of the accepted that fits the
    sentence best is last, and of several the simplest.

    Raises:
        LLMError: no sample was answered; the error of the first.
        CheckError: a check of the caller raised; it carries the samples evaluated until then.
    """
    unjudged: dict[int, Attempt[T]] = {}
    tasks = [
        asyncio.create_task(_sample(task, completer, number, context, unjudged))
        for number in range(task.samples)
    ]
    made: list[Attempt[T]] = []
    failures: list[LLMError] = []
    try:
        async with asyncio.timeout(deadline_s):
            for one in asyncio.as_completed(tasks):
                try:
                    made.append(await one)
                except CheckError as error:
                    error.attempts = (*made, *error.attempts)
                    raise
                except LLMError as error:
                    failures.append(error)
                if made and made[-1].evaluation.is_accepted and made[-1].evaluation.report.behaves:
                    return tuple(made)
    except TimeoutError:
        if not made:
            words = f"none of {task.samples} samples was answered and judged in {deadline_s:g} s"
            paid = tuple(unjudged.values())
            raise DeadlineExceededError(words, attempts=paid) from None
        made += unjudged.values()
    finally:
        for sample in tasks:
            sample.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not made:
        raise carrying(failures[0], ())
    # Last among the accepted the one that fits best, and of those the shortest: the simplest.
    made.sort(key=lambda a: (a.evaluation.is_accepted, _share(a), -len(a.evaluation.text)))
    return tuple(made)


def _share(attempt: Attempt[T]) -> float:
    """How much of the sentence is in a document, 1 where that was not compared."""
    fits = attempt.evaluation.report.fits
    return fits.share if fits is not None else 1.0


async def _sample(
    task: GenerationRequest[T],
    completer: Completer,
    number: int,
    context: RunContext,
    unjudged: dict[int, Attempt[T]],
) -> Attempt[T]:
    request = another_sample(task.first, number)
    reason = f"sample {number + 1} of {task.samples}"
    context.emit(Asked(number + 1, request.route, "generate", reason))
    try:
        answer = await completer.complete(request, context)
    except LLMError as error:
        context.emit(Failed(number + 1, type(error).__name__, str(error)))
        if error.partial is None:
            raise
        answer = error.partial
    context.emit(Answered(number + 1, answer))
    unjudged[number] = Attempt(request, answer, NOT_JUDGED, "generate", reason)
    try:
        evaluation = await judge(evaluate_answer, task.contract, answer)
    except CheckError as error:
        error.attempts = (Attempt(request, answer, error.evaluation, "generate", reason),)
        raise
    del unjudged[number]
    context.emit(Evaluated(number + 1, evaluation))
    return Attempt(request, answer, evaluation, "generate", reason)


def carrying(failure: LLMError, attempts: tuple[Attempt[T], ...]) -> LLMError:
    """The error with everything that was answered, and paid for, before it.

    A copy: requests that share a call share its exception, but not what they asked before it.
    """
    error = copy.copy(failure).with_traceback(failure.__traceback__)
    error.attempts = attempts
    return error
