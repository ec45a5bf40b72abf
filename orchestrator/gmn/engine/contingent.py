"""Plans that branch on what will be observed.

Sophisticated inference (Friston, Da Costa, Hafner, Hesp and Parr 2021, "Sophisticated inference",
Neural Computation 33, 713-763), with the best action at every node in place of a softmax:

    Q(b, u) = worth of the step + discount * sum over o of p(o | b, u) max over u' of Q(b_o, u')

Without information gain that is the finite-horizon optimum of the POMDP (Kaelbling, Littman and
Cassandra 1998). Equal beliefs at one depth are one node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.exact import product
from orchestrator.gmn.engine.plan import ROUNDING, distinct
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.engine.exact import ExactPart

    Array = NDArray[np.float64]
    #: Beliefs; for every branch its row, its belief, its probability in that row; what is left.
    _Grown = tuple[Any, NDArray[np.int64], NDArray[np.int64], Array, int]

#: Rows of a level: all worth, of it the utility, and 1 where a step changes a belief.
WORTH, UTILITY, MOVED = range(3)
#: The least probable observations after an action are left out of a plan, and the others weigh the
#: more; what is left out adds up to no more than this.
NEGLIGIBLE = 1e-6
#: The most numbers of the beliefs in one plan, after its actions and after what is observed then.
TREE_NUMBERS = 2**23
#: The most numbers that are computed at once.
AT_ONCE = 2**20

#: Beliefs [batch, joint states], or the same as `Rows`.
Batch = Any


@dataclass(slots=True)
class _Level:
    """The nodes at one depth of a plan.

    `gains` [rows, nodes, actions], `alive` [nodes], `back`: the belief after each action. Every one
    of the `branches` has the row of such a belief, the node that it ends at and its probability.
    """

    gains: Array
    alive: Array
    back: NDArray[np.int64]
    branches: Sequence[NDArray[Any]] = ()


class Tree:
    """Plans of one part whose observations are enumerated together."""

    def __init__(
        self, part: ExactPart, horizon: int, discount: float, allowed: NDArray[np.int64]
    ) -> None:
        """`allowed` are the actions that no habit forbids."""
        self.part = part
        self._horizon = horizon
        self._discount = discount
        self._allowed = np.zeros(len(part.actions), dtype=bool)
        self._allowed[allowed] = True
        (table,) = part.tables or [np.ones((part.part.states, 1))]
        self.likelihood = _merged(table)

    def values(self, belief: Array) -> tuple[Array, int]:
        """Q of each action in nats, shape [actions], and how many steps it looks ahead.

        They are fewer than the horizon where the tree would be too large.
        """
        levels = self._levels(belief, WORTH + 1)
        worth = [one.gains[WORTH] for one in levels]
        return self._summed(levels, worth, [self._allowed] * len(levels))[0][0], len(levels)

    def ties(self, belief: Array) -> Array:
        """What decides between equal actions, more is better, shape [3, actions].

        Of the best plan that begins with each: the utility that it gains within one step, within
        two and so on, all added up; the same of all that it is worth; and how few steps change a
        belief. Later actions that are equal are decided between in the same way.
        """
        levels = self._levels(belief, MOVED + 1)
        early = range(len(levels), 0, -1)
        allowed = [np.tile(self._allowed, (len(one.alive), 1)) for one in levels]
        found = []
        for gains in (
            [one.gains[WORTH] for one in levels],
            [n * one.gains[UTILITY] for n, one in zip(early, levels, strict=True)],
            [n * one.gains[WORTH] for n, one in zip(early, levels, strict=True)],
            [-one.gains[MOVED] for one in levels],
        ):
            each = self._summed(levels, gains, allowed)
            found.append(each[0][0])
            for at in range(1, len(levels)):
                most = np.where(allowed[at], each[at], -np.inf).max(axis=1, keepdims=True)
                allowed[at] &= each[at] >= most - ROUNDING * np.maximum(1.0, np.abs(most))
        return np.stack(found[1:])

    def _levels(self, belief: Array, rows: int) -> list[_Level]:
        """The tree from its root on, as deep as there is room for."""
        levels: list[_Level] = []
        front, left = self.front(belief), TREE_NUMBERS
        while True:
            front, alive = self.going_on(front)
            gains, after, back = self.step(front, rows)
            levels.append(_Level(gains, alive, back))
            left -= self.numbers(front) * len(self.part.actions)
            grown = self._grown(after, left) if len(levels) < self._horizon else None
            if grown is None:
                return levels
            front, *levels[-1].branches, left = grown

    def _summed(
        self, levels: Sequence[_Level], gains: Sequence[Array], allowed: Sequence[NDArray[np.bool_]]
    ) -> list[Array]:
        """The sum of all gains from every node on, with the best allowed action at each after it.

        [beliefs, actions] for every level; at the root weighed by how probable it is to go on.
        """
        each = [gains[-1]]
        for at in range(len(levels) - 2, -1, -1):
            best = np.where(allowed[at + 1], each[0], -np.inf).max(axis=1) * levels[at + 1].alive
            rows, ends, weights = levels[at].branches
            later = np.bincount(rows, weights * best[ends])[levels[at].back]
            each.insert(0, gains[at] + self._discount * later.reshape(gains[at].shape))
        each[0] = levels[0].alive * each[0]
        return each

    def _grown(self, after: Batch, left: int) -> _Grown | None:
        """The beliefs after every observation; None where they are more than is left for them."""
        rows, ends, weights, beliefs = [], [], [], []
        width = self.numbers(after) // len(after) + 1
        at_once, found = max(1, AT_ONCE // (width * self.likelihood.shape[1])), 0
        for at in range(0, len(after), at_once):
            some = self.take(after, np.arange(at, min(at + at_once, len(after))))
            look(100, numbers=3 * len(some) * width * self.likelihood.shape[1])
            chance = self.chance(some)
            row, seen = np.nonzero(_kept(chance))
            left -= len(row) * width
            if left < 0:
                return None
            kept = chance[row, seen]
            different, back = self.distinct(self.posterior(some, row, seen, kept))
            rows.append(row + at)
            weights.append(kept / np.bincount(row, kept)[row])
            ends.append(back + found)
            beliefs.append(different)
            found += len(different)
        front, back = self.distinct(self.joined(beliefs))
        # What the next step takes is known already: its numbers for every action.
        if left < self.numbers(front) * len(self.part.actions):
            return None
        every = np.concatenate(ends)
        return front, np.concatenate(rows), back[every], np.concatenate(weights), left

    # -- batches of beliefs

    def front(self, belief: Array) -> Batch:
        """A batch of one belief."""
        return belief[None]

    def numbers(self, beliefs: Batch) -> int:
        """How many numbers it holds."""
        size: int = beliefs.size
        return size

    def take(self, beliefs: Batch, which: NDArray[np.int64]) -> Batch:
        """Those of a batch."""
        return beliefs[which]

    def joined(self, batches: Sequence[Batch]) -> Batch:
        """One batch of several."""
        return np.concatenate(batches)

    def distinct(self, beliefs: Batch) -> tuple[Batch, NDArray[np.int64]]:
        """The different ones, and for each the place of its equal."""
        return self.part.distinct(beliefs)

    def going_on(self, front: Batch) -> tuple[Batch, Array]:
        """Beliefs given that nothing has ended, and how probable that is, [batch]."""
        return self.part.going_on(front)

    def step(self, front: Batch, rows: int) -> tuple[Array, Batch, NDArray[np.int64]]:
        """The first `rows` of WORTH, UTILITY and MOVED of one step, [rows, beliefs, actions].

        Also the different beliefs after it, and which of them is whose.
        """
        part = self.part
        gains, after = [], []
        for at in range(0, len(front), part.at_once):
            some = front[at : at + part.at_once]
            moved = part.every_way(some)
            gained = part.utility(moved).reshape(len(some), -1) + part.action_utility(some)
            made = [gained + part.information(moved).reshape(len(some), -1), gained]
            if rows > MOVED:
                made.append(part.moves(some, moved))
            gains.append(np.stack(made[:rows]))
            after.append(moved)
        different, back = part.distinct(np.concatenate(after))
        return np.concatenate(gains, axis=1), different, back

    def chance(self, beliefs: Batch) -> Array:
        """Probability of every outcome, [batch, outcomes]."""
        return product(beliefs, self.likelihood)

    def posterior(
        self, beliefs: Batch, row: NDArray[np.int64], seen: NDArray[np.int64], chance: Array
    ) -> Batch:
        """The belief of every `row` after the outcome `seen` of that probability."""
        return beliefs[row] * self.likelihood.T[seen] / chance[:, None]


def _kept(chance: Array) -> NDArray[np.bool_]:
    """Which outcomes [batch, outcomes] remain when the least probable `NEGLIGIBLE` is left out."""
    kept = chance > NEGLIGIBLE
    # Where too much would be left out, the least probable ones first.
    rows = np.flatnonzero(np.where(kept, 0.0, chance).sum(axis=1) > NEGLIGIBLE)
    order = chance[rows].argsort(axis=1)
    least_first = np.take_along_axis(chance[rows], order, axis=1)
    kept[rows[:, None], order] = least_first.cumsum(axis=1) > NEGLIGIBLE
    return kept


def _merged(table: Array) -> Array:
    """p(o | s), [states, outcomes], with outcomes after which the same is believed as one."""
    total = table.sum(axis=0)
    _, back = distinct((table / total).T)
    joined = np.zeros((len(table), back.max() + 1))
    for outcome, place in enumerate(back):
        joined[:, place] += table[:, outcome]
    return joined
