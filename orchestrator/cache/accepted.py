"""The level above single answers: runs that ended in an accepted result.

What is kept are the answers of the run in their order, under its first question. A later run is
given them again and judges them anew, so that a contract of today is held to; what the follow-up
questions are worded like today does not matter, and what a stricter contract refuses is mended
from there instead of being bought again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.cache.cached_call import as_served, as_stored, hit, read
from orchestrator.cache.keys import LAYOUT, key_of, question_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.cache.cached_call import AnswerStore
    from orchestrator.types.requests import Answer, Attempt, Completer, Contract, Request
    from orchestrator.types.run_context import RunContext

T = TypeVar("T")
_READING, _WRITING = ("use", "replay"), ("use", "refresh")


@dataclass(frozen=True, slots=True)
class Round:
    """One answer of a run, and what its question was for."""

    purpose: str
    answer: Answer


@dataclass(frozen=True)
class Recall:
    """Accepted runs in the store."""

    store: AnswerStore
    fingerprint: Callable[[str], str]
    max_age_s: float = 0.0

    async def rounds(self, first: Request, samples: int) -> tuple[Round, ...]:
        """The answers of the run that `first` began and that was accepted; none without one."""
        if first.cache not in _READING:
            return ()
        kept = await read(self.store, key_of(self._question(first, samples)))
        return _rounds(kept, first)

    async def keep(
        self,
        first: Request,
        contract: Contract[T],
        attempts: Sequence[Attempt[T]],
        *,
        samples: int,
    ) -> None:
        """Keep a run that began with `first` and whose last attempt was accepted."""
        if first.cache not in _WRITING:
            return
        question = self._question(first, samples)
        value = {
            "layout": LAYOUT,
            "checks": contract.version,
            "rounds": [
                {
                    "purpose": attempt.request.purpose,
                    "templates": dict(attempt.request.templates),
                    "refusal": attempt.answer.refusal,
                    "answer": as_stored(attempt.answer, first.cache),
                }
                for attempt in attempts
            ],
        }
        await asyncio.to_thread(
            self.store.put, key_of(question), value, question=question,
            max_age_s=first.keep.ttl_s or self.max_age_s, tag=first.keep.tag,
        )  # fmt: skip

    def _question(self, first: Request, samples: int) -> dict[str, object]:
        asked = question_of(first, fingerprint=self.fingerprint(first.route))
        return {**asked, "accepted": {"contract": first.schema_name, "samples": samples}}


class Recalled:
    """A completer that gives the answers of an accepted run in their order, then asks."""

    def __init__(self, inner: Completer, rounds: Sequence[Round]) -> None:
        self._inner = inner
        self._rounds = list(rounds)

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """The next answer of the run, as long as it is asked for what was asked for then."""
        if self._rounds and self._rounds[0].purpose == request.purpose:
            return as_served(self._rounds.pop(0).answer, context)
        # Judged otherwise than then: the rest answered other questions.
        self._rounds.clear()
        return await self._inner.complete(request, context)


def _rounds(kept: Any, first: Request) -> tuple[Round, ...]:
    if not isinstance(kept, dict) or kept.get("layout") != LAYOUT:
        return ()
    made = []
    for part in kept["rounds"]:
        if (answer := hit(part["answer"], first.cache, first.keep)) is None:
            return ()
        made.append(Round(part["purpose"], replace(answer, refusal=part["refusal"])))
    return tuple(made)
