"""The ledger: one line per logical request with every wire attempt, on success and on failure.

A line holds deployments, purposes, evaluations, tokens, dollars and seconds; never a prompt, an
answer or a key. Dollars are None where a provider's price is not known.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import itertools
import json
import logging
import os
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypedDict

from pydantic_core import PydanticSerializationError, to_json

from orchestrator.ledger import jsonl as jsonlines
from orchestrator.ledger.usage import stamp, sums
from orchestrator.types.requests import Usage
from orchestrator.types.run_context import RequestCost, RunContext

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from orchestrator.types.requests import Attempt, WireAttempt

_log = logging.getLogger(__name__)


def _encoded(line: Line) -> bytes:
    try:
        return to_json(line)
    except PydanticSerializationError:  # a lone surrogate in a name, which UTF-8 cannot encode
        return json.dumps(line, separators=(",", ":"), default=dataclasses.asdict).encode()


class Line(TypedDict):
    """One logical request.

    Attributes:
        at: end of the request, ISO 8601, UTC.
        id: unique; a line of operation ``late`` repeats the id of its request.
        operation: ``generate_gmn``, ``refine_gmn``, ``generate``, ``acompletion``, ``aembedding``,
            or ``late``: an attempt that ended after its request did.
        outcome: ``accepted``, ``answered``, ``cancelled`` or the name of the error.
        rounds: one entry per evaluated answer, from `round_of`.
        wire: every attempt that left the process.
        hits: number of answers from the cache.
        usage: tokens of the wire; `served`: tokens of the cached answers.
        billed_usd: dollars billed for this request; None when a price is not known.
        served_usd: billed dollars plus the former cost of the cached answers; None as above.
        seconds: wall time of the whole request.
    """

    at: str
    id: str
    operation: str
    route: str
    agent_type: str
    tenant: str
    outcome: str
    rounds: tuple[dict[str, object], ...]
    wire: tuple[WireAttempt, ...]
    hits: int
    usage: Usage
    served: Usage
    billed_usd: float | None
    served_usd: float | None
    seconds: float


def round_of(attempt: Attempt[object]) -> dict[str, object]:
    """The ledger entry of one round: purpose, codes, route, model and tokens, but no text."""
    answer = attempt.answer
    return {
        "purpose": attempt.purpose,
        "reason": attempt.reason,
        "kind": attempt.evaluation.kind,
        "codes": [d.code for d in attempt.evaluation.report.errors],
        "repairs": [d.code for d in attempt.evaluation.report.repairs],
        "route": attempt.request.route,
        "mode": attempt.request.mode,
        "templates": dict(attempt.request.templates),
        "model": answer.model,
        "deployment": answer.deployment,
        "cached": answer.cached,
        "finish": answer.finish,
        "usage": dataclasses.asdict(answer.usage),
    }


@dataclass
class LedgerEntry:
    """A request in flight; a context manager that writes the line of the request on exit.

    Attributes:
        attempts: the evaluated answers, set by the loop.
        outcome: what is written when no exception is raised.
        is_detached: the request outlives the context, and `close` is called later (a stream).
    """

    ledger: Ledger
    operation: str
    route: str
    agent_type: str
    cost_so_far: RequestCost
    attempts: Sequence[Attempt[object]] = ()
    outcome: str = "answered"
    is_detached: bool = False
    _start: float = field(default_factory=time.perf_counter)
    _is_closed: bool = False
    _id: str = ""

    @property
    def context(self) -> RunContext:
        """A context with the cost of this entry, without hook and reader."""
        return RunContext(self.cost_so_far)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            cancelled = issubclass(kind, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt)
            self.close("cancelled" if cancelled else kind.__name__)
        elif not self.is_detached:
            self.close(self.outcome)

    def close(self, outcome: str) -> None:
        """Write the line, once; each attempt that ends later gets a line ``late``."""
        if self._is_closed:
            return
        self._is_closed = True
        self.cost_so_far.late = self._write_late
        self._write(self.operation, outcome, self.cost_so_far)

    def _write_late(self, attempts: tuple[WireAttempt, ...]) -> None:
        rest = RequestCost(self.cost_so_far.tenant, wire=list(attempts), cached_usd=0.0)
        self._write("late", attempts[-1].outcome, rest)

    def _write(self, operation: str, outcome: str, cost_so_far: RequestCost) -> None:
        if self.ledger.directory is not None:
            self.ledger.write(self._line(operation, outcome, cost_so_far))

    @property
    def id(self) -> str:
        """The id of its line, shared by the lines ``late``."""
        self._id = self._id or self.ledger.next_id()
        return self._id

    def _line(self, operation: str, outcome: str, cost_so_far: RequestCost) -> Line:
        billed, served = cost_so_far.billed_usd, cost_so_far.cached_usd
        return Line(
            at=stamp(),
            id=self.id,
            operation=operation,
            route=self.route,
            agent_type=self.agent_type,
            tenant=cost_so_far.tenant,
            outcome=outcome,
            rounds=() if operation == "late" else tuple(round_of(a) for a in self.attempts),
            wire=tuple(cost_so_far.wire),
            hits=cost_so_far.hits,
            usage=cost_so_far.usage,
            served=cost_so_far.cached_usage,
            billed_usd=billed,
            served_usd=None if billed is None or served is None else billed + served,
            seconds=round(time.perf_counter() - self._start, 4),
        )


class Ledger:
    """JSON lines in one file per month; several processes may append to it."""

    def __init__(self, directory: Path | None, limit_usd: float | None = None) -> None:
        """Without `directory` nothing is written; `limit_usd` bounds the cost of one request."""
        self.directory = directory
        self._limit_usd = limit_usd
        self._is_broken = False
        self._file = None if directory is None else jsonlines.Appender(directory)
        self._numbers = itertools.count(1)
        self._prefix = (0, "")

    def next_id(self) -> str:
        """A unique id: a random prefix per process, then a counter."""
        if self._prefix[0] != os.getpid():  # a forked child would repeat the ids of its parent
            self._prefix = (os.getpid(), uuid.uuid4().hex[:24])
        return f"{self._prefix[1]}{next(self._numbers):08x}"

    def open(
        self,
        operation: str,
        *,
        route: str,
        agent_type: str = "",
        tenant: str = "",
    ) -> LedgerEntry:
        """A new entry; enter it as a context manager."""
        return LedgerEntry(self, operation, route, agent_type, RequestCost(tenant, self._limit_usd))

    def write(self, line: Line) -> None:
        """Append one line; an OSError is logged once and never fails the request."""
        if self._file is None:
            return
        try:
            self._file.append(f"{line['at'][:7]}.jsonl", _encoded(line))
        except OSError as error:
            if not self._is_broken:
                self._is_broken = True
                _log.warning("The ledger in %s cannot be written (%s).", self.directory, error)

    def lines(self, *, since: str = "") -> list[dict[str, Any]]:
        """The lines at or after `since` (ISO 8601), oldest first; none without a directory."""
        return [] if self.directory is None else list(lines_of(self.directory, since=since))

    def spent_today(self) -> dict[str, float]:
        """Dollars of the current day (UTC) by tenant, ``(none)`` for requests without one."""
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        return {name: entry.usd for name, entry in sums(self.lines(since=today), "tenant").items()}


def lines_of(directory: Path, *, since: str = "") -> Iterator[dict[str, Any]]:
    """The lines at or after `since` (ISO 8601), oldest file first; skips broken lines."""
    paths = [path for path in sorted(directory.glob("*.jsonl")) if path.stem >= since[:7]]
    return (line for line in jsonlines.read(paths) if str(line.get("at", "")) >= since)


def days_ago(days: float) -> str:
    """The time `days` ago, in the format of `lines_of`."""
    return stamp(datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days))
