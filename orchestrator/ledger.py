"""The bill: one line per logical request, every wire attempt in it, on success and on failure.

No prompt, answer or key is ever written: who was asked, why, how it was judged, tokens, dollars,
seconds. Dollars are None where a provider's price is not known; they are never guessed.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.result import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from orchestrator.result import Answer, Attempt

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One logical request.

    Attributes:
        at: when it ended, ISO 8601, UTC.
        operation: ``generate_gmn``, ``refine_gmn``, ``generate`` or ``acompletion``.
        outcome: ``accepted``, ``answered`` or the name of the error.
        rounds: one entry per round, as `round_of` makes it.
        usage: tokens served, those from the cache included.
        billed_usd: dollars this request cost now; None when a price is not known.
        served_usd: dollars its answers cost when they were bought.
        seconds: wall time of the whole request.
    """

    at: str
    operation: str
    route: str
    agent_type: str
    outcome: str
    rounds: tuple[dict[str, object], ...]
    usage: Usage
    billed_usd: float | None
    served_usd: float | None
    seconds: float


def round_of(attempt: Attempt[object]) -> dict[str, object]:
    """What one round is remembered by: never its words."""
    return {
        "purpose": attempt.purpose,
        "reason": attempt.reason,
        "kind": attempt.judged.kind,
        "codes": [d.code for d in attempt.judged.report.errors],
        "repairs": [d.code for d in attempt.judged.report.repairs],
        "route": attempt.request.route,
        "mode": attempt.request.mode,
        "templates": dict(attempt.request.templates),
        **answer_of(attempt.answer),
    }


def answer_of(answer: Answer) -> dict[str, object]:
    """Who answered and what it took."""
    return {
        "provider": answer.provider,
        "model": answer.model,
        "deployment": answer.deployment,
        "cached": answer.cached,
        "finish": answer.finish,
        "seconds": round(answer.seconds, 4),
        "usage": dataclasses.asdict(answer.usage),
        "billed_usd": answer.billed_usd,
        "wire": [dataclasses.asdict(wire) for wire in answer.wire],
    }


def total_usage(answers: Iterable[Answer]) -> Usage:
    """Tokens over several answers."""
    return sum((answer.usage for answer in answers), Usage())


def total_usd(costs: Iterable[float | None]) -> float | None:
    """The sum, or None as soon as one of the costs is not known."""
    total = 0.0
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


def line_of(
    attempts: Sequence[Attempt[object]],
    *,
    operation: str,
    agent_type: str,
    route: str,
    outcome: str,
    seconds: float,
) -> Line:
    """The line of a request that went through the loop."""
    answers = [attempt.answer for attempt in attempts]
    return Line(
        at=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        operation=operation,
        route=route,
        agent_type=agent_type,
        outcome=outcome,
        rounds=tuple(round_of(attempt) for attempt in attempts),
        usage=total_usage(answers),
        billed_usd=total_usd(answer.billed_usd for answer in answers),
        served_usd=total_usd(answer.cost_usd for answer in answers),
        seconds=round(seconds, 4),
    )


class Ledger:
    """Lines of JSON in one file per month, appended whole, so processes may share it."""

    def __init__(self, directory: Path | None) -> None:
        """`directory` None keeps no ledger."""
        self._directory = directory
        self._is_broken = False

    def write(self, line: Line) -> None:
        """Append one line; an unwritable disk is reported once and never fails the request."""
        if self._directory is None:
            return
        raw = json.dumps(dataclasses.asdict(line), separators=(",", ":"), ensure_ascii=False)
        try:
            self._append(self._directory / f"{line.at[:7]}.jsonl", f"{raw}\n".encode())
        except OSError as error:
            if not self._is_broken:
                self._is_broken = True
                _log.warning("The ledger in %s cannot be written (%s).", self._directory, error)

    @staticmethod
    def _append(path: Path, raw: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # One write to a file opened for append: lines of several processes do not mix.
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, raw)
        finally:
            os.close(handle)
