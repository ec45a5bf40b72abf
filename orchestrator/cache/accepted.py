"""Runs, the level above single answers: an accepted one under its first request, a failed one
under its id.

A later run evaluates the document with the contract of today, so what the follow-up questions are
worded like today does not matter, and what a stricter contract refuses is repaired from there
instead of being bought again. The answers of a failed run can be looked at, and answer nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from orchestrator.cache.cached_call import CacheEntry
from orchestrator.cache.keys import LAYOUT, digest, question_of
from orchestrator.types.diagnostics import Report
from orchestrator.types.errors import CheckError, OrchestratorError
from orchestrator.types.requests import Answer, AnswerKind, Attempt, Evaluation
from orchestrator.types.visible import logger_of
from orchestrator.types.work import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.cache.cached_call import AnswerStore
    from orchestrator.cache.store import Store
    from orchestrator.types.requests import Contract, Request
    from orchestrator.types.run_context import RunContext

_log = logger_of(__name__)
T = TypeVar("T")
#: Seconds for which the answers of a failed run are kept, unless the request says less.
FAILED_AGE_S = 30 * 86_400.0


@dataclass(frozen=True)
class KeptAttempt:
    """What is kept of an attempt: everything but its value and its messages."""

    purpose: str
    reason: str
    templates: Mapping[str, str]
    answer: Answer
    kind: AnswerKind
    report: Report


#: The accepted document, and the attempts that led to it.
_KeptRun = tuple[str, tuple[KeptAttempt, ...]]


@dataclass(frozen=True)
class AcceptedRuns:
    """Accepted runs in the store."""

    store: AnswerStore
    fingerprint: Callable[[str], str]
    max_age_s: float = 0.0

    async def find(
        self, first: Request, contract: Contract[T], context: RunContext, *, samples: int
    ) -> tuple[Attempt[T], ...]:
        """The attempts of the run that `first` began and that was accepted; none without one.

        The last one has the accepted document as `contract` evaluates it now, accepted or not;
        those before it have their findings of then, and no value.
        """
        if first.cache not in ("use", "replay"):
            return ()
        kept = await self._entry(first, samples).find()
        if kept is None or not kept[1]:
            return ()
        document, parts = kept
        attempts: list[Attempt[T]] = []
        for part in parts:
            context.cost.add_cached(part.answer.usage, part.answer.cost_usd)
            request = replace(first, purpose=part.purpose, templates=part.templates)
            then: Evaluation[T] = Evaluation(part.kind, None, "", part.report)
            attempts.append(Attempt(request, part.answer, then, part.purpose, part.reason))
        try:
            now = await judge(contract.evaluate, document)
        except CheckError as error:
            error.attempts = tuple(attempts)
            raise
        # The document holds what was repaired in the answer then.
        repairs = (*parts[-1].report.repairs, *now.report.repairs)
        now = replace(now, report=replace(now.report, repairs=repairs))
        return (*attempts[:-1], replace(attempts[-1], evaluation=now))

    def keep(self, first: Request, attempts: Sequence[Attempt[Any]], *, samples: int) -> None:
        """Keep a run that began with `first` and whose last attempt was accepted; blocks."""
        if first.cache not in ("use", "refresh"):
            return
        parts = tuple(replace(_kept(one), answer=one.answer.from_cache()) for one in attempts)
        run = _adapter().dump_python((attempts[-1].evaluation.text, parts), mode="json")
        self._entry(first, samples).keep(run)

    def _entry(self, first: Request, samples: int) -> CacheEntry[_KeptRun]:
        asked = question_of(first, fingerprint=self.fingerprint(first.route))
        question = {**asked, "accepted": {"contract": first.schema_name, "samples": samples}}
        return CacheEntry(
            self.store, digest(question), question, first.cache, first.keep, self.max_age_s,
            _decoded,
        )  # fmt: skip


@dataclass(frozen=True)
class FailedRuns:
    """Runs that failed, in a store of their own that answers no request; `open` opens it."""

    open: Callable[[], Store]

    async def keep(self, run_id: str, first: Request, attempts: Sequence[Attempt[Any]]) -> str:
        """Keep what was answered; return the id, empty where nothing is kept: the cache is off."""
        if first.cache not in ("use", "refresh"):
            return ""
        run = _adapter().dump_python(("", tuple(map(_kept, attempts))), mode="json")
        age = min(first.keep.ttl_s or FAILED_AGE_S, FAILED_AGE_S)

        def put() -> None:
            with contextlib.closing(self.open()) as store:
                key, question = _key_of(run_id), {"run": run_id}
                store.put(key, [LAYOUT, *run], question=question, max_age_s=age)

        try:
            await asyncio.to_thread(put)
        except OrchestratorError as error:  # the failure of the run itself says more
            _log.warning("The answers of run %s are not kept: %s", run_id, error)
            return ""
        return run_id


def failed_run(store: AnswerStore, run_id: str) -> tuple[KeptAttempt, ...]:
    """The answers of the failed run with an id; none where none are kept."""
    stored = store.get(_key_of(run_id))
    is_known = isinstance(stored, list) and stored[:1] == [LAYOUT]
    run = _decoded(stored[1:]) if is_known else None
    return run[1] if run is not None else ()


def _key_of(run_id: str) -> str:
    return digest({"run": run_id})


def _kept(one: Attempt[Any]) -> KeptAttempt:
    return KeptAttempt(
        one.purpose, one.reason, one.request.templates, one.answer, one.evaluation.answer,
        one.evaluation.report,
    )  # fmt: skip


@functools.cache
def _adapter() -> TypeAdapter[_KeptRun]:
    return TypeAdapter(_KeptRun)


def _decoded(parts: list[Any]) -> _KeptRun | None:
    try:
        return _adapter().validate_python(parts)
    except ValidationError:
        return None
