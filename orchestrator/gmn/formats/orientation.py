"""Finds the order of the axes of an array, by its shape and by the axis that sums to 1."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Largest |sum - 1| at which an axis still counts as the outcome of a distribution.
BAND = 1e-2
MOST_AXES = 6  # the orders of more are too many to try, and tables have five parents at most


@dataclass(frozen=True, slots=True, eq=False)
class Oriented:
    """An array with its axes in the wanted order.

    Attributes:
        array: the given shape, the outcome on the last axis; values unchanged.
        orders: the axis orders that fit and give different tables, the used one first.
    """

    array: NDArray[np.float64]
    orders: tuple[tuple[int, ...], ...]

    @property
    def is_ambiguous(self) -> bool:
        """Whether another axis order fits and gives a different table."""
        return len(self.orders) > 1


def oriented(
    array: NDArray[np.float64], sizes: Sequence[int], *, prefer: Sequence[int] | None = None
) -> Oriented | None:
    """Find the axis order under which `array` has the shape `sizes` and its last axis sums to 1.

    `prefer` is the order that the spelling declares; it wins where several orders fit and differ.
    Sums can prove only which axis is the outcome, so with `prefer` another order of the parents
    is not an ambiguity. None means that no order fits. Orders that give equal tables count as one.
    """
    if array.ndim != len(sizes) or sorted(array.shape) != sorted(sizes):
        return None
    if array.ndim > MOST_AXES:
        return None
    fitting = [
        order
        for order in permutations(range(array.ndim))
        if _is_looked_at(array)
        and tuple(array.shape[axis] for axis in order) == tuple(sizes)
        and np.all(np.abs(array.transpose(order).sum(axis=-1) - 1.0) <= BAND)
    ]
    if not fitting:
        return None
    if prefer is not None and tuple(prefer) in fitting:
        others = [order for order in fitting if order[-1] != prefer[-1]]
        fitting = [tuple(prefer), *others]
    used = array.transpose(fitting[0])
    others = [
        order
        for order in fitting[1:]
        if _is_looked_at(array) and not np.array_equal(array.transpose(order), used)
    ]
    return Oriented(used, (fitting[0], *others))


def _is_looked_at(array: NDArray[np.float64]) -> bool:
    look(20, numbers=2 * array.size)
    return True
