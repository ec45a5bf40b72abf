"""Tables and beliefs of which only what is possible is kept, row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from orchestrator.types.cached import cached_property
from orchestrator.types.errors import GMNError
from orchestrator.types.work import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: Transitions are sparse where fewer than one in so many is possible.
SPARSE = 32
#: The most numbers of an array that is made of a sparse table (8 MB).
DENSE_NUMBERS = 2**20


@dataclass(frozen=True, eq=False)
class Rows:
    """Distributions as what is possible: row by row, `start` says where each begins and ends.

    Attributes:
        start: shape [rows + 1].
        state, p: what is possible in a row and how probable it is, shape [entries].
    """

    start: Indices
    state: Indices
    p: Array

    def __len__(self) -> int:
        return len(self.start) - 1

    @cached_property
    def row(self) -> Indices:
        """The row of every entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def total(self, values: Array) -> Array:
        """The sum of the values of its entries, for every row; the first axis is entries."""
        return self._over(np.add, values)

    @property
    def most(self) -> Array:
        """The largest probability of every row."""
        return self._over(np.maximum, self.p)

    def _over(self, operation: np.ufunc, values: Array) -> Array:
        start = self.start[:-1]
        filled = start < self.start[1:]
        if filled.all():  # `reduceat` gives an empty row the value of the next
            every: Array = operation.reduceat(values, start, axis=0)
            return every
        made = np.zeros((len(self), *values.shape[1:]))
        if filled.any():
            made[filled] = operation.reduceat(values, start[filled], axis=0)
        return made

    def largest(self) -> Indices:
        """The most probable entry of every row."""
        ordered: Indices = np.lexsort((self.p, self.row))
        return ordered[self.start[1:] - 1]

    def take(self, which: Indices) -> Rows:
        """Those of the rows."""
        at, start = ranges(self.start, which)
        return Rows(start, self.state[at], self.p[at])

    def kept(self, p: Array) -> Rows:
        """The rows with other probabilities, without those that are 0."""
        possible = p > 0
        start = np.concatenate([[0], np.cumsum(possible)])[self.start]
        return Rows(start, self.state[possible], p[possible])

    def dense(self, width: int) -> Array:
        """The rows as an array, [rows, width]."""
        look(20, numbers=2 * len(self) * width)
        made = np.zeros((len(self), width))
        made[self.row, self.state] = self.p
        return made


def ranges(start: Indices, which: Indices) -> tuple[Indices, Indices]:
    """The places of all entries of some rows, and where each of these begins and ends."""
    lengths = np.diff(start)[which]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    at = np.arange(ends[-1]) + np.repeat(start[which] - ends[:-1], lengths)
    return at, ends


def gathered(row: Indices, state: Indices, p: Array, rows: int, width: int) -> Rows:
    """Rows from entries in any order; what is said twice is added, in that order."""
    look(20, numbers=20 * len(row))
    key, place = np.unique(row * width + state, return_inverse=True)
    start = np.searchsorted(key, np.arange(rows + 1) * width)
    total: Array = np.bincount(place, p, minlength=len(key)).astype(float)
    return Rows(start, key % width, total).kept(total)


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """A transition of which few outcomes are possible in each context.

    Attributes:
        rows: one for each context, in C order.
        shape: that of the array: [next values, contexts…].
    """

    rows: Rows
    shape: tuple[int, ...]
    _flows: dict[tuple[int, ...], Flow] = field(default_factory=dict, repr=False)

    def at(self, place: Sequence[Any]) -> Rows:
        """The rows of some contexts, one array of indices for each of their axes."""
        look(20, numbers=4 * np.size(place[0]))
        return self.rows.take(np.ravel_multi_index(tuple(place), self.shape[1:]))

    def along(self, axis: int) -> list[Rows]:
        """For every value of one of the contexts' axes the rows of the others."""
        contexts = np.moveaxis(np.arange(len(self.rows)).reshape(self.shape[1:]), axis - 1, 0)
        return [self.rows.take(some.reshape(-1)) for some in contexts]

    def codes(self, axis: int) -> Array:
        """One row of numbers per value of an axis; they are equal where all its rows are."""
        known: dict[bytes, int] = {}
        found = []
        for one in self.along(axis):
            rows = one.kept(one.p.round(12))
            said = b"".join(part.tobytes() for part in (rows.start, rows.state, rows.p))
            found.append(known.setdefault(said, len(known)))
        return np.array(found, dtype=float)[:, None]

    def under(self, controls: Sequence[int]) -> Rows:
        """The rows of all contexts of the states under one value of each action, the last axes."""
        sizes = self.shape[1 : len(self.shape) - len(controls)]
        states = np.arange(math.prod(sizes))
        row = states * math.prod(self.shape[1 + len(sizes) :])
        for at, index in enumerate(controls):
            row = row + index * math.prod(self.shape[2 + len(sizes) + at :])
        return self.rows.take(row)

    def flow(self, controls: Sequence[int]) -> Flow:
        """What moves weights of those contexts, made once."""
        key = tuple(controls)
        if key not in self._flows:
            rows = self.under(controls)
            self._flows[key] = Flow(rows.row, rows.state, rows.p, self.shape[0])
        return self._flows[key]

    def dense(self) -> Array:
        """The array.

        Raises: GMNError: it would have more than `DENSE_NUMBERS` numbers.
        """
        size = math.prod(self.shape)
        if size > DENSE_NUMBERS:
            sides = " x ".join(map(str, self.shape))
            raise GMNError(
                f"a transition of {sides} = {size:,} numbers is kept as its possible outcomes; as"
                f" an array it would have more than {DENSE_NUMBERS:,} numbers: declare fewer"
                " values, parents or actions where arrays are needed"
            )
        return np.ascontiguousarray(self.rows.dense(self.shape[0]).T).reshape(self.shape)


class Transitions(Sequence["Array"]):
    """Transitions as arrays, each made when it is asked for.

    Attributes:
        held: what is kept of them.
    """

    def __init__(self, held: Sequence[Array | Local]) -> None:
        self.held = tuple(held)

    def __len__(self) -> int:
        return len(self.held)

    @overload
    def __getitem__(self, at: int) -> Array: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Array]: ...
    def __getitem__(self, at: int | slice) -> Array | Sequence[Array]:
        if isinstance(at, slice):
            return Transitions(self.held[at])
        table = self.held[at]
        return table.dense() if isinstance(table, Local) else table


def as_kept(tables: Sequence[Array]) -> tuple[Array | Local, ...]:
    """Transitions as they are kept."""
    return tables.held if isinstance(tables, Transitions) else tuple(tables)


def are_close(one: Array | Rows, other: Array | Rows) -> bool:
    """Whether two tables of one shape are equal, rounding aside."""
    if not isinstance(one, Rows):
        assert not isinstance(other, Rows)
        look(40, numbers=4 * one.size)
        # As `np.allclose` of finite numbers, which takes ten times as long for a small table.
        return bool((np.abs(one - other) <= 1e-8 + 1e-5 * np.abs(other)).all())
    assert isinstance(other, Rows)
    look(40, numbers=40 * len(one.p))
    width = 1 + int(max(one.state.max(), other.state.max()))
    keys = [rows.row * width + rows.state for rows in (one, other)]
    _, place = np.unique(np.concatenate(keys), return_inverse=True)
    mine, its = place[: len(one.p)], place[len(one.p) :]
    most = int(place.max()) + 1
    return np.allclose(np.bincount(mine, one.p, most), np.bincount(its, other.p, most))


def numbers_of(table: Array | Local) -> int:
    """How many numbers are kept of it."""
    return len(table.rows.p) if isinstance(table, Local) else table.size


def possible(table: Array | Local, place: Sequence[Any]) -> Rows:
    """What may follow in some contexts; `place` has an array of indices for each of their axes."""
    if isinstance(table, Local):
        return table.at(place)
    look(20, numbers=2 * table.shape[0] * np.size(place[0]))
    column = table[(slice(None), *place)].T  # [contexts, next]
    entry, value = np.nonzero(column)
    return Rows(np.searchsorted(entry, np.arange(len(column) + 1)), value, column[entry, value])


def under(table: Array | Local, controls: Sequence[int]) -> Array:
    """The array under one value of each of its last axes, the actions: [next, parents…]."""
    if not isinstance(table, Local):
        at: tuple[Any, ...] = (..., *controls)
        chosen: Array = table[at]
        return chosen
    rows, sizes = table.under(controls), table.shape[1 : len(table.shape) - len(controls)]
    return rows.dense(table.shape[0]).T.reshape(table.shape[0], *sizes)


class Flow:
    """Moves batches of weights along fixed entries: out[target] += weights[source] p."""

    def __init__(self, source: Indices, target: Indices, p: Array, width: int) -> None:
        order = np.argsort(target, kind="stable")
        self._source, self._p, self._width = source[order], p[order], width
        self._to, self._start = np.unique(target[order], return_index=True)

    def __call__(self, weights: Array) -> Array:
        """`weights` has shape [..., sources], the result [..., width]."""
        terms = np.take(weights, self._source, axis=-1)
        terms *= self._p
        reached: Array = np.add.reduceat(terms, self._start, axis=-1)
        if len(self._to) == self._width:
            return reached
        made = np.zeros((*weights.shape[:-1], self._width))
        made[..., self._to] = reached
        return made
