"""What all plans of a part are worth, from tables that are made once.

What would be observed after a sequence of actions, its ambiguity and its utility are linear in the
belief that the sequence begins with. So a belief takes one product and the entropies. Sequences
whose tables are equal are one: going up and right tells and gains what going right and up does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.engine.arrays import entropies, product
from orchestrator.gmn.engine.plan import distinct, signatures
from orchestrator.types.work import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: The most numbers of the tables (2 MB); reading more takes longer than going step by step.
NUMBERS = 2**18
#: Tables that differ by less, relative to the largest number of a column, differ by rounding alone.
_ROUNDING = 1e-13
#: So many probabilities are computed at once; they stay in the cache.
AT_ONCE = 2**16


class Ahead:
    """The worth of every sequence of so many `steps`, in C order."""

    def __init__(self, levels: list[tuple[Array, Indices]], discount: float) -> None:
        """A table [states, different sequences, columns] of each length, and which one each is.

        The last column is what is gained for certain, the others are chances of outcomes.
        """
        every = np.concatenate([table for table, _ in levels], axis=1)
        counts = [table.shape[1] for table, _ in levels]
        self.steps = len(levels)
        self._shown = np.ascontiguousarray(every[:, :, :-1]).reshape(len(every), -1)
        self._gained = np.ascontiguousarray(every[:, :, -1])
        self._weights = np.repeat(discount ** np.arange(len(levels)), counts)
        starts = np.cumsum([0, *counts])
        self._places = [at + place for at, (_, place) in zip(starts, levels, strict=False)]

    def __call__(self, beliefs: Array) -> Array:
        """Discounted sums of what the steps are worth, [batch, sequences]."""
        count, different = len(beliefs), self._gained.shape[1]
        if count > (most := max(1, AT_ONCE // max(self._shown.shape[1], len(self._places[-1])))):
            return np.concatenate([self(beliefs[at : at + most]) for at in range(0, count, most)])
        look(40, numbers=count * (self._shown.size + self._gained.size))
        worth = product(beliefs, self._gained)
        if self._shown.size:
            chances = product(beliefs, self._shown).reshape(count, different, -1)
            worth += entropies(chances)
        if self._weights[-1] != 1:
            worth *= self._weights
        value: Array = worth.take(self._places[0], axis=1)
        for place in self._places[1:]:
            later = worth.take(place, axis=1).reshape(*value.shape, -1)
            value = (value[:, :, None] + later).reshape(count, -1)
        return value


def ahead_of(
    moves: Array, gaining: Array, acting: Array, steps: int, discount: float
) -> Ahead | None:
    """What plans of so many steps are worth, or of the last ones, whose tables are small enough.

    `moves` is p(s' | s, u), [states, actions, states]; `gaining` [states, columns], as in `Ahead`,
    is what a state that is entered adds, and `acting` [states or 1, actions] what doing it does.
    """
    states, actions, _ = moves.shape
    table, place = gaining[:, None], np.zeros(1, dtype=np.int64)
    levels: list[tuple[Array, Indices]] = []
    for _ in range(steps):
        # Making them takes as many products for each state as a plan does.
        if (held := actions * table.size * max(1, states // 128)) > NUMBERS:
            break
        look(100, numbers=4 * held)
        every = product(moves.reshape(-1, states), table.reshape(states, -1))
        every = every.reshape(states, -1, gaining.shape[1])
        if not levels:
            every[:, :, -1] += acting
        first, back = _different(every)
        table, place = every[:, first], back.reshape(actions, -1)[:, place].reshape(-1)
        if table.size + sum(one.size for one, _ in levels) > NUMBERS:
            break
        levels.append((table, place))
    return Ahead(levels, discount) if levels else None


def _different(tables: Array) -> tuple[Indices, Indices]:
    """Where the different ones lie on the middle axis, and for each which it equals."""
    states, count, columns = tables.shape
    scale = np.maximum(1.0, np.abs(tables).max(axis=(0, 1)))
    sums = product(signatures(states).T, tables.reshape(states, -1)).reshape(3, count, columns)
    first, back = distinct((sums / (states * scale)).swapaxes(0, 1).reshape(count, -1))
    if (np.abs(tables - tables[:, first[back]]) > _ROUNDING * scale).any():
        return np.arange(count), np.arange(count)
    return first, back
