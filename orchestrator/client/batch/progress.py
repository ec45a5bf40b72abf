"""How far a batch is: rows, rate, time left, cost and share of valid rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.types.bill import Taken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.client.batch.runner import RowResult

_MOST_SAID = 300  # characters of an error


@dataclass
class Progress:
    """Counts of the rows in the output.

    Attributes:
        began_at: seconds on the same clock as `line` gets.
        done, valid, failed: rows, those of earlier runs included.
        new: rows of this run.
        taken: what this run took, also for rows that are not written.
        errors: rows of this run that failed, by the name of their error.
        first_error: the first of them: its line, and what its error says first.
    """

    began_at: float
    done: int = 0
    valid: int = 0
    failed: int = 0
    new: int = 0
    taken: Taken = field(default_factory=Taken)
    errors: Counter[str] = field(default_factory=Counter)
    first_error: str = ""
    _first: tuple[float, float] | None = None

    def add(self, results: Iterable[RowResult]) -> None:
        """Count rows."""
        for one in results:
            self.new += 1
            if one.status == "done":
                self.done += 1
                self.valid += '"valid": true' in one.body[:15]
            else:
                self.failed += 1
            if one.outcome is not None and one.outcome.error:
                self.errors[one.outcome.error] += 1
                self.first_error = self.first_error or _said(one)

    def line(self, now: float, share: float | None) -> str:
        """Rows, rate, time left where the `share` that is read is known, cost, share of valid rows.

        The rate is that of this run.
        """
        rows = self.done + self.failed
        seconds = max(now - self.began_at, 1e-9)
        before = f" ({rows - self.new:,} of earlier runs)" if rows > self.new else ""
        parts = [f"{rows:,} rows{before}", f"{self.new / seconds:.3g} rows/s"]
        if share is not None and (left := self._left(now, share)) is not None:
            parts.append(f"{share:.0%} read, about {_spell(left)} left")
        parts.append(f"{self.taken.calls:,} calls, {self.taken.usd:.4f} USD")
        if rows:
            parts.append(f"{self.valid / rows:.1%} valid")
        return "; ".join(parts)

    def _left(self, now: float, share: float) -> float | None:
        """Seconds left, by what was read since the first row of this run was done."""
        if self._first is None and self.new:
            self._first = (now, share)
        if self._first is None or share <= self._first[1]:
            return None
        return (now - self._first[0]) * (1 - share) / (share - self._first[1])


def _said(failed: RowResult) -> str:
    assert failed.outcome is not None
    words = str(failed.outcome.body["error"]["message"]).partition("\n")[0]
    return f"line {failed.row.row.line}: {words[:_MOST_SAID]}"


def _spell(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
