"""The audit log: a line for every event of a turn, in private files for each day."""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING

from orchestrator.ledger.jsonl import Appender
from orchestrator.types.visible import json_text, logger_of

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.agents.bus import TurnEvent

_log = logger_of(__name__)
#: A file that has grown to so many bytes is followed by another one of its day.
MOST_BYTES = 2**26


class AuditLog:
    """A subscriber that writes events as JSON lines; no message and no answer is in them.

    Several processes may write to one directory.
    """

    def __init__(self, directory: Path, *, days: int = 90) -> None:
        """The files of so many days are kept, the newest ones; 0 keeps all."""
        self._directory = directory
        self._days = days
        self._lines = Appender(directory)
        self._day, self._part = "", 0
        self._is_broken = False

    def __call__(self, event: TurnEvent) -> None:
        """Write one line, as the ledger does: a hop to a thread would cost more than the line."""
        at = datetime.datetime.fromtimestamp(event.at, datetime.UTC)
        line = {"event": type(event).__name__, **dataclasses.asdict(event), "at": at.isoformat()}
        try:
            self._append(f"audit-{at:%Y-%m-%d}", json_text(line).encode())
            self._is_broken = False
        except OSError as error:
            if not self._is_broken:
                self._is_broken = True
                _log.warning("The audit log in %s cannot be written (%s).", self._directory, error)

    def _append(self, day: str, line: bytes) -> None:
        if day > self._day:
            self._day, self._part = day, 0
            self._prune()
        part = f".{self._part}" if day == self._day and self._part else ""
        if self._lines.append(f"{day}{part}.jsonl", line) >= MOST_BYTES and day == self._day:
            self._part += 1

    def _prune(self) -> None:
        """Remove the files of the oldest days; a line of the new day follows."""
        paths = list(self._directory.glob("audit-*.jsonl"))
        days = sorted({path.name.partition(".")[0] for path in paths} | {self._day})
        old = days[: -self._days] if self._days else []
        for path in paths:
            if path.name.partition(".")[0] in old:
                path.unlink(missing_ok=True)
