"""The same plans where few transitions are possible: only states that are possible are held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.engine.arrays import entropies
from orchestrator.gmn.engine.contingent import MOVED, WORTH, Tree
from orchestrator.gmn.engine.plan import STILL, signatures, uniques
from orchestrator.gmn.rows import Rows, ranges
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: A possible state costs so many times what a number of a dense belief costs.
_DEAR = 4


class Sparse(Tree):
    """`Tree` whose beliefs are `Rows`."""

    moves: Rows

    def front(self, belief: Array) -> Rows:
        """A batch of one belief."""
        state = np.flatnonzero(belief)
        return Rows(np.array([0, len(state)]), state, belief[state])

    def numbers(self, beliefs: Rows) -> int:
        """How many numbers it takes."""
        return _DEAR * len(beliefs.p)

    def take(self, beliefs: Rows, which: Indices) -> Rows:
        """Those of a batch."""
        return beliefs.take(which)

    def joined(self, batches: Sequence[Rows]) -> Rows:
        """One batch of several."""
        lengths = np.concatenate([np.diff(one.start) for one in batches])
        start = np.concatenate([[0], np.cumsum(lengths)])
        states, p = [one.state for one in batches], [one.p for one in batches]
        return Rows(start, np.concatenate(states), np.concatenate(p))

    def distinct(self, beliefs: Rows) -> tuple[Rows, Indices]:
        """The different ones, and for each the place of its equal."""
        first, back = uniques(self._signatures(beliefs))
        return beliefs.take(first), back

    def going_on(self, front: Rows) -> tuple[Rows, Array]:
        """Beliefs given that nothing has ended, and how probable that is, [batch]."""
        lasting = self.part.lasting
        if lasting is None:
            return front, np.ones(len(front))
        p = front.p * lasting[front.state]
        alive = front.total(p)
        row = front.row
        p = np.where(alive[row] > 0, p / np.where(alive > 0, alive, 1.0)[row], front.p)
        return front.kept(p), alive

    def step(self, front: Rows, rows: int) -> tuple[Array, Rows, Indices]:
        """As `Tree.step`."""
        part, states = self.part, self.part.part.states
        count = len(part.actions)
        pairs = (front.state[:, None] * count + np.arange(count)).reshape(-1)
        pair = (front.row[:, None] * count + np.arange(count)).reshape(-1)
        at, ends = ranges(self.moves.start, pairs)
        look(100, numbers=20 * len(at))
        length = np.diff(ends)
        key = np.repeat(pair, length) * states + self.moves.state[at]
        kept, inverse = np.unique(key, return_inverse=True)
        chance = np.repeat(np.repeat(front.p, count), length) * self.moves.p[at]
        p = np.bincount(inverse, chance).astype(float)
        start = np.searchsorted(kept, np.arange(len(front) * count + 1) * states)
        after = Rows(start, kept % states, p)
        doing = part.acting[front.state] if len(part.acting) > 1 else part.acting
        done = front.total(front.p[:, None] * doing)
        gained = done + after.total(p * part.entering[after.state]).reshape(done.shape)
        made = [gained, gained]
        if part.is_curious:
            known = after.total(p * entropies(self.likelihood)[after.state])
            made[WORTH] = gained + (self._uncertainty(after) - known).reshape(done.shape)
        if rows > MOVED:
            before, now = self._signatures(front), self._signatures(after)
            gap = np.abs(now.reshape(len(front), count, -1) - before[:, None])
            made.append(1.0 * (gap.max(axis=2) > STILL))
        return np.stack(made[:rows]), *self.distinct(after)

    def _signatures(self, beliefs: Rows) -> Array:
        """Sums that differ where beliefs do, [batch, 3]."""
        weights = signatures(self.part.part.states)
        return beliefs.total(beliefs.p[:, None] * weights[beliefs.state])

    def _uncertainty(self, beliefs: Rows) -> Array:
        """Entropy of what is observed, [batch]; of few beliefs at once, for memory's sake."""
        found = []
        for _, some in self.few(beliefs, self.likelihood.shape[1]):
            look(50, numbers=len(some.p) * self.likelihood.shape[1])
            found.append(entropies(self.chance(some)))
        return np.concatenate(found)

    def expected(self, beliefs: Rows, table: Array) -> Array:
        """Means of a table [states, columns] under each belief, [batch, columns]."""
        return beliefs.total(beliefs.p[:, None] * table[beliefs.state])

    def expected_of(self, beliefs: Rows, table: Array, column: Indices) -> Array:
        """Means of one column each, [batch]."""
        return beliefs.total(beliefs.p * table[beliefs.state, column[beliefs.row]])

    def likeliest(self, beliefs: Rows) -> Indices:
        """The most probable state of each, [batch]."""
        return beliefs.state[beliefs.largest()]

    def posterior(self, beliefs: Rows, row: Indices, seen: Indices, chance: Array) -> Rows:
        """The belief of every `row` after the outcome `seen` of that probability."""
        taken = beliefs.take(row)
        branch = taken.row
        return taken.kept(taken.p * self.likelihood[taken.state, seen[branch]] / chance[branch])
