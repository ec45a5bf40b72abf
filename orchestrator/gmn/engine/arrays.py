"""Products and entropies of batches of beliefs."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.rows import SPARSE, Flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: OpenBLAS shares a larger product among threads, which wait for each other and burn processor
#: time meanwhile; on a busy machine they take many times as long as one of them would.
_ALONE = 2**18
#: So many numbers are a wide table: it is worth a look before anything is multiplied by it.
WIDE = 2**12
#: Numbers of a column that are nearer than this, relative to their size, are one.
_ROUNDING = 1e-14
#: Its logarithm is a number, and a probability from 1e-284 on plus it is that probability.
_NOTHING = 1e-300


def product(rows: Array, table: Array) -> Array:
    """`rows` @ `table`, in tiles that one thread computes."""
    count, width = len(rows), table.shape[1]
    if count * table.size <= _ALONE:
        whole: Array = rows @ table
        return whole
    numbers = max(1, _ALONE // len(table))
    high = min(count, math.isqrt(numbers))
    wide = min(width, max(8, numbers // high // 8 * 8))
    high = max(1, min(count, numbers // wide))
    made = np.empty((count, width))
    for left in range(0, width, wide):
        some = table[:, left : left + wide]
        for at in range(0, count, high):
            tile = made[at : at + high, left : left + wide]
            np.matmul(rows[at : at + high], some, out=tile)
    return made


class Means:
    """Means of the columns of a table [states, columns] under beliefs.

    Attributes:
        numbers: how many products one belief takes.
    """

    def __init__(self, table: Array) -> None:
        self.table, self.numbers = table, table.size
        self._flow: Flow | None = None
        if table.size < WIDE:
            return
        # A sensor is often as likely wrong in one way as in any other.
        self._least = table.min(axis=0)
        state, column = (table > self._least + _ROUNDING * np.abs(self._least)).nonzero()
        if len(state) * SPARSE < table.size:
            more = (table - self._least)[state, column]
            self._flow = Flow(state, column, more, table.shape[1])
            self.numbers = len(state) * SPARSE

    def __call__(self, beliefs: Array) -> Array:
        """[batch, columns] of beliefs [batch, states], each of which sums to 1."""
        if self._flow is None:
            return product(beliefs, self.table)
        means: Array = self._flow(beliefs) + self._least
        return means


@functools.lru_cache(maxsize=64)
def _ones(count: int) -> Array:
    return np.ones(count)


def totals(values: Array) -> Array:
    """Sums along the last axis; of few rows sooner found than by `sum`."""
    result: Array = np.vecdot(values, _ones(values.shape[-1]))
    return result


def softmax(logits: Array) -> Array:
    """exp(logits), normalised along the last axis."""
    raised: Array = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    np.exp(raised, out=raised)
    raised /= totals(raised)[..., None]
    return raised


def entropies(distributions: Array) -> Array:
    """Entropy in nats along the last axis; 0 ln 0 is 0."""
    logs = distributions + _NOTHING
    result: Array = -np.vecdot(distributions, np.log(logs, out=logs))
    return result
