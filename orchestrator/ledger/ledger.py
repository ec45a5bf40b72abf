"""The ledger: one line per logical request with every wire attempt, on success and on failure.

Before each call a line in a file beside it (``.sent``) says what the call may take: it holds as
long as there is no line of the request, so that a call is on the bill even when its process is
killed.

A line holds deployments, purposes, evaluations, tokens, dollars and seconds; never a prompt, an
answer or a key. Dollars are None where a provider's price is not known.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import itertools
import json
import os
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NotRequired, Self, TypedDict

from pydantic_core import PydanticSerializationError, to_json

from orchestrator.ledger import jsonl as jsonlines
from orchestrator.ledger.months import keep_sums, sums_of
from orchestrator.ledger.usage import stamp
from orchestrator.types.bill import NotAsked
from orchestrator.types.errors import BudgetExceededError
from orchestrator.types.requests import Usage
from orchestrator.types.run_context import RequestCost, RunContext
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from orchestrator.types.requests import Attempt, WireAttempt

_log = logger_of(__name__)
_UNFINISHED = "unfinished"
#: Whose line passes a multiple of so many bytes brings the kept sums up to date.
SUMMED_AFTER = 4 * 2**20
#: Health is measured by the attempts within so many bytes at the end of a file.
_RECENT_BYTES = 2**20


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
            ``search``, ``batch`` (all first answers of one bought batch), or ``late``: an attempt
            that ended after its request did.
        outcome: ``accepted``, ``answered``, ``cancelled``, the name of the error, or
            ``unfinished``: calls were sent, and the end of the request is not recorded.
        rounds: one entry per evaluated answer, from `round_of`.
        wire: every attempt that left the process.
        hits: number of answers from the cache.
        unsent: attempts that failed before anything was sent, if there were any.
        pending: what the calls in flight may take, if there are any; `lines_of` adds them to the
            wire as long as no later line says how they ended.
        usage: tokens of the wire; `served`: tokens of the cached answers.
        estimated: whether tokens or dollars of an attempt are an estimate.
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
    estimated: bool
    seconds: float
    unsent: NotRequired[tuple[WireAttempt, ...]]
    pending: NotRequired[tuple[WireAttempt, ...]]


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
        if kind is not None and issubclass(kind, NotAsked):
            self._is_closed = True
        elif kind is not None:
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

    def announce(self, expected: WireAttempt) -> None:
        """Write a line before a call is sent, so that a killed process leaves it on the bill.

        Raises: BudgetExceededError: the line cannot be written, and the ledger must be.
        """
        if not self._is_closed:
            error = self._write(self.operation, _UNFINISHED, self.cost_so_far)
        else:
            error = self._write("late", _UNFINISHED, self._rest([], [expected]))
        if error is not None and self.ledger.must_write and expected.cost_usd != 0.0:
            raise BudgetExceededError(
                f"the bill in {self.ledger.directory} cannot be written ({error}) and a budget is"
                " set, so nothing is sent. Make room or give access there, keep it elsewhere"
                " (ledger.directory, ORCHESTRATOR_LEDGER_DIR), or set budgets.when_unwritable to"
                " warn."
            )

    def _write_late(self, attempts: tuple[WireAttempt, ...]) -> None:
        outcome = attempts[-1].outcome if attempts else "unsent"
        self._write("late", outcome, self._rest(list(attempts), []))

    def _rest(self, wire: list[WireAttempt], pending: list[WireAttempt]) -> RequestCost:
        return RequestCost(self.cost_so_far.tenant, wire=wire, pending=pending)

    def _write(self, operation: str, outcome: str, cost_so_far: RequestCost) -> OSError | None:
        """Write a line; the error that kept it from being written, if any."""
        if self.ledger.directory is None:
            return None
        line = self._line(operation, outcome, cost_so_far)
        return self.ledger.write(line, is_over=operation == "late" or outcome != _UNFINISHED)

    @property
    def id(self) -> str:
        """The id of its line, shared by the lines ``late``."""
        self._id = self._id or self.ledger.next_id()
        return self._id

    def _line(self, operation: str, outcome: str, cost_so_far: RequestCost) -> Line:
        billed, served = cost_so_far.billed_usd, cost_so_far.cached_usd
        line = Line(
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
            estimated=any(one.estimated for one in cost_so_far.wire),
            seconds=round(time.perf_counter() - self._start, 4),
        )
        if cost_so_far.unsent:
            line["unsent"] = tuple(cost_so_far.unsent)
        if cost_so_far.pending:
            line["pending"] = tuple(cost_so_far.pending)
        return line


class Ledger:
    """JSON lines in one file per month; several processes may append to it."""

    def __init__(
        self,
        directory: Path | None,
        limit_usd: float | None = None,
        limit_tokens: int | None = None,
        *,
        must_write: bool = False,
    ) -> None:
        """Without `directory` nothing is written; the limits are those of one request.

        With `must_write` a call that costs is refused while its line cannot be written.
        """
        self.directory = directory
        self.must_write = must_write
        self._limits = limit_usd, limit_tokens
        self._is_broken = False
        ends = ("jsonl", "sent")
        self._files = {end: jsonlines.Appender(directory) for end in ends if directory}
        self._numbers = itertools.count(1)
        self._prefix = (0, "")

    def next_id(self) -> str:
        """A unique id: a random prefix per process, then a counter."""
        if self._prefix[0] != os.getpid():  # a forked child would repeat the ids of its parent
            self._prefix = (os.getpid(), uuid.uuid4().hex[:24])
        return f"{self._prefix[1]}{next(self._numbers):08x}"

    def open(
        self, operation: str, *, route: str, agent_type: str = "", tenant: str = "", name: str = ""
    ) -> LedgerEntry:
        """A new entry; enter it as a context manager. With `name` it is one that was begun before,
        by its id."""
        cost_so_far = RequestCost(tenant, *self._limits)
        entry = LedgerEntry(self, operation, route, agent_type, cost_so_far, _id=name)
        cost_so_far.announce = entry.announce
        return entry

    def write(self, line: Line, *, is_over: bool = True) -> OSError | None:
        """Append one line: of a request, or of one that is not over and is about to send.

        The error that kept it from being written is returned, and logged once: a request that was
        answered never fails because of it.
        """
        suffix = "jsonl" if is_over else "sent"
        if self.directory is None:
            return None
        month, encoded = line["at"][:7], _encoded(line)
        try:
            end = self._files[suffix].append(f"{month}.{suffix}", encoded)
        except OSError as error:
            if not self._is_broken:
                self._is_broken = True
                _log.warning("The ledger in %s cannot be written (%s).", self.directory, error)
            return error
        if end % SUMMED_AFTER <= len(encoded):
            args = (self.directory, month)
            threading.Thread(target=keep_sums, args=args, name="sums").start()
        return None

    def lines(self, *, since: str = "") -> list[dict[str, Any]]:
        """The lines at or after `since` (ISO 8601), oldest first; none without a directory."""
        return [] if self.directory is None else list(lines_of(self.directory, since=since))

    def recent_lines(self, since: str) -> list[dict[str, Any]]:
        """The last lines at or after `since` (ISO 8601) of requests that are over, oldest first."""
        return [] if self.directory is None else recent_lines_of(self.directory, since)

    def spent_today(self) -> dict[str, float]:
        """Dollars of the current day (UTC) by tenant, ``(none)`` for requests without one."""
        if self.directory is None:
            return {}
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        found = sums_of(self.directory, "tenant", since=today, is_checked=False)
        return {name: entry.usd for name, entry in found.items()}


def lines_of(directory: Path, *, since: str = "") -> Iterator[dict[str, Any]]:
    """One line for each request at or after `since` (ISO 8601), and the lines ``late``.

    Oldest first; skips broken lines. A request that is not over, or whose process was killed,
    stands with what its calls may have taken, marked as an estimate.
    """
    # First what was sent: what is over by then is read afterwards, and takes its place.
    sent = {str(line.get("id")): line for line in _read(directory, "sent", since)}
    lines = list(_read(directory, "jsonl", since))
    over = {str(line.get("id")) for line in lines}
    unfinished = [line for name, line in sent.items() if name not in over]
    if unfinished:
        lines = sorted((*lines, *unfinished), key=lambda line: str(line.get("at", "")))
    pending: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if (announced := line.pop("pending", [])) or line.get("operation") == "late":
            name = str(line.get("id"))
            pending[name] = _left(pending.get(name, []), announced)
    # A call that was still on its way stands with the first line of its request.
    yield from (_with_pending(line, pending.pop(str(line.get("id")), [])) for line in lines)


def recent_lines_of(directory: Path, since: str) -> list[dict[str, Any]]:
    """The last lines at or after `since` (ISO 8601) of requests that are over, oldest first."""
    lines = jsonlines.read(_paths(directory, "jsonl", since), last_bytes=_RECENT_BYTES)
    return [line for line in lines if str(line.get("at", "")) >= since]


def runs_of(directory: Path, beginning: str = "") -> Iterator[dict[str, Any]]:
    """The lines of requests that evaluated answers, and whose id begins so; the last one first.

    Only lines that may be of one are parsed, and a reader that has enough reads no further.
    """
    late: dict[str, list[list[dict[str, Any]]]] = {}
    paths = reversed(_paths(directory, "jsonl", ""))
    lines = ((path, raw) for path in paths for raw in jsonlines.backwards(path))
    for line in jsonlines.parsed(one for one in lines if _may_be_run(one[1], beginning)):
        name, announced = str(line.get("id")), line.pop("pending", [])
        if line.get("operation") == "late":
            late.setdefault(name, []).append(announced)
        elif line.get("rounds") and name.startswith(beginning):
            for one in reversed(late.pop(name, [])):
                announced = _left(announced, one)
            yield _with_pending(line, announced)


def _may_be_run(raw: bytes, beginning: str) -> bool:
    # A quote within a text is escaped, so that these bytes are a key and its value, or where a text
    # begins. A line without runs that is spelled otherwise is parsed.
    if beginning.isascii() and beginning.isalnum() and b'"%b' % beginning.encode() not in raw:
        return False
    return b'"rounds":[]' not in raw or b'"operation":"late"' in raw


def _left(pending: list[dict[str, Any]], announced: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls whose end nothing says after one more line, which announces calls or ends one."""
    return [*pending, *announced] if announced else pending[1:]


def _read(directory: Path, suffix: str, since: str) -> Iterator[dict[str, Any]]:
    lines = jsonlines.read(_paths(directory, suffix, since))
    return (line for line in lines if str(line.get("at", "")) >= since)


def _paths(directory: Path, suffix: str, since: str) -> list[Path]:
    return [path for path in sorted(directory.glob(f"*.{suffix}")) if path.stem >= since[:7]]


def _with_pending(line: dict[str, Any], pending: list[dict[str, Any]]) -> dict[str, Any]:
    """A line with the calls whose end nothing says, as attempts at their estimated cost."""
    if pending:
        line["wire"] = [*line["wire"], *pending]
        line["estimated"] = True
        line["usage"] = {
            key: count + sum(one["usage"][key] for one in pending)
            for key, count in line["usage"].items()
        }
        costs = [one["cost_usd"] for one in pending]
        for key in ("billed_usd", "served_usd"):
            is_known = line[key] is not None and None not in costs
            line[key] = line[key] + sum(costs) if is_known else None
    return line


def days_ago(days: float) -> str:
    """The time `days` ago, in the format of `lines_of`."""
    return stamp(datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days))
