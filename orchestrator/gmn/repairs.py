"""Pure repairs of numbers: a matrix of contexts by outcomes in, a better one out.

Each has a stated band; beyond it a row stays as it was. None changes a valid row, and none looks
at a row with an entry that is negative or not finite: what such a row means is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROUNDING = 1e-9  # times the number of columns: sums this near to 1 are exact
CLIP_BAND = 1e-9  # entries this little below 0 are rounding
SAFE_BAND = 0.02  # |sum - 1| repaired without asking
WIDE_BAND = 0.10  # |sum - 1| repaired on opt-in
READING_BAND = 1e-2  # |sum - 1| at which an axis still shows that it holds distributions
_HAIR = 1e-12  # so that a sum of 1.02 in decimal is within 0.02 in binary


def row_sums(rows: Array) -> Array:
    """The sum of each row, shape (contexts,); infinite or nan where an entry makes it so."""
    with np.errstate(over="ignore", invalid="ignore"):
        sums: Array = rows.sum(axis=1)
    return sums


def legible(rows: Array) -> NDArray[np.bool_]:
    """Which rows hold finite numbers of at least 0, but for rounding."""
    found: NDArray[np.bool_] = np.all(np.isfinite(rows) & (rows > -CLIP_BAND), axis=1)
    return found


def unnormalised(rows: Array) -> NDArray[np.intp]:
    """The legible rows whose sum differs from 1 by more than rounding."""
    off = np.abs(row_sums(rows) - 1.0) > ROUNDING * max(rows.shape[1], 1)
    return np.flatnonzero(off & legible(rows)) if off.any() else np.zeros(0, dtype=np.intp)


def renormalised(rows: Array, *, band: float) -> tuple[Array, NDArray[np.intp]]:
    """Scale to sum 1 each row whose |sum - 1| is within `band`; tell which rows changed."""
    sums = row_sums(rows)
    off = unnormalised(rows)
    near = off[np.abs(sums[off] - 1.0) <= band + _HAIR]
    made = rows.copy()
    made[near] = rows[near] / sums[near, None]
    return made, near


def evened(rows: Array) -> tuple[Array, NDArray[np.intp]]:
    """Make each row of nothing but zeros uniform; tell which rows changed."""
    empty = np.flatnonzero(~np.any(rows, axis=1)) if rows.shape[1] else np.zeros(0, dtype=np.intp)
    made = rows.copy()
    made[empty] = 1.0 / max(rows.shape[1], 1)
    return made, empty


def clipped(rows: Array) -> Array:
    """Entries within rounding below 0 become 0."""
    return np.where((rows < 0) & (rows > -CLIP_BAND), 0.0, rows)


def are_percentages(rows: Array) -> bool:
    """Whether every row sums to 100, as far out as a repaired row may be from 1."""
    off = np.abs(row_sums(rows) - 100.0)
    return rows.size > 0 and bool(np.all(legible(rows)) and np.all(off <= 100 * SAFE_BAND + _HAIR))


def are_counts(rows: Array) -> bool:
    """Whether all entries are whole numbers, no row is empty and some sum is above 1.5."""
    if rows.size == 0 or not np.all(legible(rows)):
        return False
    sums = row_sums(rows)
    is_whole = np.all(rows == np.floor(rows)) and np.all(sums > 0) and np.all(np.isfinite(sums))
    return bool(is_whole and np.any(sums > 1.5))


def shares_of_counts(rows: Array) -> Array:
    """Every row over its sum; meant for counts, which lose nothing by it."""
    made: Array = rows / rows.sum(axis=1, keepdims=True)
    return made


def is_stochastic(rows: Array, *, band: float = READING_BAND) -> bool:
    """Whether every row is a distribution within `band`."""
    return bool(np.all(legible(rows)) and np.all(np.abs(row_sums(rows) - 1.0) <= band))


def other_reading(rows: Array, sizes: Sequence[int], own: int | None) -> Array | None:
    """The same numbers with outcome and condition exchanged; None when the shape rules that out.

    A square matrix is transposed. Otherwise the own previous value, parent number `own` of those
    with `sizes`, changes places with the outcome in every context of the other parents.
    """
    n = rows.shape[1]
    if rows.shape[0] == n:
        return rows.T
    if own is None or sizes[own] != n:
        return None
    turned: Array = np.swapaxes(rows.reshape(*sizes, n), own, -1).reshape(rows.shape)
    return turned


def is_turned(rows: Array, other: Array | None) -> bool:
    """Whether `other` reads as distributions, or as percentages, and `rows` reads as neither."""
    if other is None or is_stochastic(rows) or are_percentages(rows):
        return False
    return is_stochastic(other) or are_percentages(other)
