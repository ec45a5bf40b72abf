"""The same plans where few transitions are possible: only states that are possible are held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.contingent import AT_ONCE, MOVED, WORTH, Tree
from orchestrator.gmn.engine.exact import entropies
from orchestrator.gmn.engine.plan import STILL, signatures, uniques
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.exact import ExactPart

    Array = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: Transitions are sparse where fewer than one in so many is possible.
SPARSE = 32
#: A possible state costs so many times what a number of a dense belief costs.
_DEAR = 4


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Beliefs as their possible states: row by row, `start` says where each begins and ends."""

    start: Indices
    state: Indices
    p: Array

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def row(self) -> Indices:
        """The belief of every entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def total(self, values: Array) -> Array:
        """The sum of the values of its entries, for every belief; the first axis is entries."""
        sums: Array = np.add.reduceat(values, self.start[:-1], axis=0)
        return sums

    def take(self, which: Indices) -> Rows:
        """Those of the beliefs."""
        at, start = _ranges(self.start, which)
        return Rows(start, self.state[at], self.p[at])


def _ranges(start: Indices, which: Indices) -> tuple[Indices, Indices]:
    """The places of all entries of some rows, and where each of these begins and ends."""
    lengths = np.diff(start)[which]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    at = np.arange(ends[-1]) + np.repeat(start[which] - ends[:-1], lengths)
    return at, ends


class Sparse(Tree):
    """`Tree` whose beliefs are `Rows`."""

    def __init__(
        self,
        part: ExactPart,
        horizon: int,
        discount: float,
        allowed: Indices,
        transitions: Rows,
    ) -> None:
        """`transitions` has a row for every state and action, the action fastest."""
        super().__init__(part, horizon, discount, allowed)
        self._transitions = transitions
        self._ambiguity = entropies(self.likelihood)

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
        return _kept(front, p), alive

    def step(self, front: Rows, rows: int) -> tuple[Array, Rows, Indices]:
        """As `Tree.step`."""
        part, states = self.part, self.part.part.states
        count = len(part.actions)
        pairs = (front.state[:, None] * count + np.arange(count)).reshape(-1)
        pair = (front.row[:, None] * count + np.arange(count)).reshape(-1)
        at, ends = _ranges(self._transitions.start, pairs)
        look(100, numbers=20 * len(at))
        length = np.diff(ends)
        key = np.repeat(pair, length) * states + self._transitions.state[at]
        kept, inverse = np.unique(key, return_inverse=True)
        chance = np.repeat(np.repeat(front.p, count), length) * self._transitions.p[at]
        p = np.bincount(inverse, chance).astype(float)
        start = np.searchsorted(kept, np.arange(len(front) * count + 1) * states)
        after = Rows(start, kept % states, p)
        doing = part.acting[front.state] if len(part.acting) > 1 else part.acting
        done = front.total(front.p[:, None] * doing)
        gained = done + after.total(p * part.entering[after.state]).reshape(done.shape)
        made = [gained, gained]
        if part.is_curious:
            known = after.total(p * self._ambiguity[after.state])
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
        width = len(beliefs.p) // len(beliefs) + 1
        at_once = max(1, AT_ONCE // (width * self.likelihood.shape[1]))
        found = []
        for at in range(0, len(beliefs), at_once):
            some = beliefs.take(np.arange(at, min(at + at_once, len(beliefs))))
            look(50, numbers=len(some.p) * self.likelihood.shape[1])
            found.append(entropies(self.chance(some)))
        return np.concatenate(found)

    def chance(self, beliefs: Rows) -> Array:
        """Probability of every outcome, [batch, outcomes]."""
        return beliefs.total(beliefs.p[:, None] * self.likelihood[beliefs.state])

    def posterior(self, beliefs: Rows, row: Indices, seen: Indices, chance: Array) -> Rows:
        """The belief of every `row` after the outcome `seen` of that probability."""
        taken = beliefs.take(row)
        branch = taken.row
        return _kept(taken, taken.p * self.likelihood[taken.state, seen[branch]] / chance[branch])


def _kept(rows: Rows, p: Array) -> Rows:
    """The rows with other probabilities, without those that are 0."""
    possible = p > 0
    start = np.concatenate([[0], np.cumsum(possible)])[rows.start]
    return Rows(start, rows.state[possible], p[possible])


def transitions_of(model: Compiled, part: ExactPart) -> Rows | None:
    """p(s' | s, u) for every joint state and action; None where too many are possible."""
    states, actions = part.part.states, part.actions
    most = len(actions) * states**2 // SPARSE
    joint = np.repeat(np.arange(states), len(actions))
    axes = dict(zip(part.part.factors, np.unravel_index(joint, part.part.sizes), strict=True))
    taken = dict(zip(part.part.controls, np.tile(actions, (states, 1)).T, strict=True))
    pair, p = np.arange(len(joint)), np.ones(len(joint))
    after = np.zeros(len(joint), dtype=np.int64)
    for f, size in zip(part.part.factors, part.part.sizes, strict=True):
        place = [axes[g][pair] for g in model.B_dependencies[f]]
        place += [taken[k][pair] for k in model.B_action_dependencies[f]]
        look(100, numbers=size * len(pair))
        at: tuple[Any, ...] = (slice(None), *place)
        column = model.B[f][at]  # [next, entries]
        entry, value = np.nonzero(column.T)
        if len(entry) > most:
            return None
        pair, after, p = pair[entry], after[entry] * size + value, p[entry] * column[value, entry]
    start = np.searchsorted(pair, np.arange(len(joint) + 1))
    return Rows(start, after, p)
