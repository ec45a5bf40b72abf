"""Pure repairs of numbers: a matrix in, the repaired matrix and the rows that changed out.

Each has a stated band; beyond it a row stays as it was. None changes a valid row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROUNDING = 1e-9  # times the number of columns: sums this near to 1 are exact
SAFE_BAND = 0.02  # |sum - 1| repaired without asking
WIDE_BAND = 0.10  # |sum - 1| repaired on opt-in


def unnormalised(rows: Array) -> NDArray[np.intp]:
    """Rows, shape (contexts, outcomes), whose sum differs from 1 by more than rounding."""
    off = np.abs(rows.sum(axis=1) - 1.0) > ROUNDING * max(rows.shape[1], 1)
    return np.flatnonzero(off)


def renormalised(rows: Array, *, band: float) -> tuple[Array, NDArray[np.intp]]:
    """Scale to sum 1 each row whose |sum - 1| is within `band`; the rows beyond it stay."""
    sums = rows.sum(axis=1)
    off = unnormalised(rows)
    near = off[np.abs(sums[off] - 1.0) <= band + 1e-12]
    made = rows.copy()
    made[near] = rows[near] / sums[near, None]
    return made, near


def are_percentages(rows: Array) -> bool:
    """Whether every row sums to 100 within 2 and none to 1."""
    sums = rows.sum(axis=1)
    return rows.size > 0 and bool(np.all(rows >= 0) and np.all(np.abs(sums - 100.0) <= 2.0))


def are_counts(rows: Array) -> bool:
    """Whether every entry is a whole number of at least 0 and some row sums above 1.5."""
    sums = rows.sum(axis=1)
    whole = np.all(rows >= 0) and np.all(rows == np.floor(rows)) and np.all(sums > 0)
    return rows.size > 0 and bool(whole and np.any(sums > 1.5))


def normalised(rows: Array) -> Array:
    """Every row over its sum; meant for counts and percentages."""
    made: Array = rows / rows.sum(axis=1, keepdims=True)
    return made


def clipped(rows: Array) -> Array:
    """Entries within rounding below 0 become 0."""
    return np.where((rows < 0) & (rows > -1e-9), 0.0, rows)


def is_stochastic(rows: Array, *, band: float = 1e-2) -> bool:
    """Whether every row is a distribution within `band`."""
    return bool(np.all(rows >= 0) and np.all(np.abs(rows.sum(axis=1) - 1.0) <= band))
