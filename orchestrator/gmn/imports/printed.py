"""Numbers as a file prints them: what their digits leave open, and the tables made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.types.pattern import pattern
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.types.diagnostics import Diagnostic

    Array = NDArray[np.float64]

NUMBER = pattern(r"[+-]?(?:[0-9]++(?:\.([0-9]*+))?|\.([0-9]++))(?:[eE]([+-]?[0-9]{1,4}+))?")
#: PrintedSums this near to 1 are 1, the rounding of the machine aside.
EXACT = 1e-9
#: However few the digits, a sum that is further from 1 is a mistake: the band of GMN201's repair.
MOST = 0.02
MOST_SHOWN = 10
_COMPACT = 8  # utilities other than 0 that are written with their labels


class UnreadError(Exception):
    """A text cannot be read any further; `found` says where and why."""

    def __init__(self, found: Diagnostic) -> None:
        super().__init__(found.message)
        self.found = found


def is_whole(text: str) -> bool:
    """Whether a text is a whole number without a sign."""
    return text.isascii() and text.isdecimal()


def number(text: str) -> tuple[float, float] | None:
    """A number, and half a unit of its last digit; None when `text` is not a number.

    Whole numbers, and 0 and 1 however they are written, are exact.
    """
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    value, part, exponent = float(text), match[1] or match[2] or "", int(match[3] or 0)
    if value in (0.0, 1.0) or not (part or match[3]):
        return value, 0.0
    return value, 0.5 * 10.0 ** min(max(exponent - len(part), -300), 300)


@dataclass(frozen=True, slots=True, eq=False)
class PrintedSums:
    """Distributions as they are printed, each along one axis, and what is made of them.

    Attributes:
        table: the distributions scaled to sum 1 where their digits allow it, else unchanged.
        totals: what each summed to, without the axis.
        rounded: those that were scaled.
        wrong: those that do not sum to 1 within their printed digits.
    """

    table: Array
    totals: Array
    rounded: NDArray[np.bool_]
    wrong: NDArray[np.bool_]


def summed(table: Array, slack: Array, axis: int) -> PrintedSums:
    """Sum distributions along `axis`; `slack` has half a unit of the last digit of each number."""
    look(100, numbers=8 * table.size)
    with np.errstate(over="ignore", invalid="ignore"):
        totals = table.sum(axis=axis)
        off = np.abs(totals - 1.0)
        wrong = ~(off <= np.minimum(slack.sum(axis=axis), MOST) + EXACT)
    wrong |= ~np.isfinite(totals) | (table < 0).any(axis=axis)
    rounded = (off > EXACT) & ~wrong
    scale = np.where(rounded, totals, 1.0)
    return PrintedSums(table / np.expand_dims(scale, axis), totals, rounded, wrong)


def few(found: Sequence[Diagnostic], count: int) -> Iterator[Diagnostic]:
    """The first findings of a kind; the last of them says how many more there are."""
    yield from found
    if count > len(found) and found:
        last = found[-1]
        yield type(last)(last.code, last.severity, f"and {count - len(found)} more like this")


def compact(rows: Array, names: Sequence[str], *, may_stay: bool = False) -> dict[str, object]:
    """The table of some rows, [contexts, outcomes], in the shortest kind that says just them.

    `may_stay`: the contexts end with one parent of as many values as there are outcomes, so that
    the table may be an identity.
    """
    n = rows.shape[1]
    look(100, numbers=8 * rows.size)
    if n > 1 and np.ptp(rows) == 0:
        return {"kind": "uniform"}
    if n > 1 and may_stay and np.array_equal(rows, np.tile(np.eye(n), (len(rows) // n, 1))):
        return {"kind": "identity"}
    if ((rows == 0) | (rows == 1)).all():
        return {"kind": "map", "map": [names[i] for i in rows.argmax(axis=1)]}
    return {"kind": "rows", "rows": rows.tolist()}


def worth(on: str, values: Array, names: Sequence[str]) -> dict[str, object]:
    """A preference on the labels of one variable."""
    said = np.flatnonzero(values)
    if len(said) > _COMPACT:
        return {"on": on, "values": values.tolist()}
    return {
        "on": on,
        "goals": [{"value": names[i], "utility": float(values[i])} for i in said.tolist()],
    }
