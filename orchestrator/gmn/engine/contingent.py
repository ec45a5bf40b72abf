"""Plans that branch on what will be observed.

Sophisticated inference (Friston, Da Costa, Hafner, Hesp and Parr 2021, "Sophisticated inference",
Neural Computation 33, 713-763), with the best action at every node in place of a softmax:

    Q(b, u) = worth of the step + discount * sum over o of p(o | b, u) max over u' of Q(b_o, u')

Without information gain that is the finite-horizon optimum of the POMDP (Kaelbling, Littman and
Cassandra 1998). Equal beliefs at one depth are one node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.exact import product
from orchestrator.gmn.engine.plan import distinct
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.engine.exact import ExactPart

    Array = NDArray[np.float64]
    #: Beliefs; for every branch its row, its belief, its probability in that row; what is left.
    _Grown = tuple[Any, NDArray[np.int64], NDArray[np.int64], Array, int]

#: An observation less probable than this is left out of a plan, and the others weigh the more.
NEGLIGIBLE = 1e-6
#: The most numbers of the beliefs in one plan, after its actions and after what is observed then.
TREE_NUMBERS = 2**23
#: The most numbers that are computed at once.
AT_ONCE = 2**20

#: Beliefs [batch, joint states], or the same as `Rows`.
Batch = Any


class Tree:
    """Plans of one part whose observations are enumerated together."""

    def __init__(self, part: ExactPart, horizon: int, discount: float) -> None:
        self.part = part
        self._horizon = horizon
        self._discount = discount
        (table,) = part.tables or [np.ones((part.part.states, 1))]
        self.likelihood = _merged(table)

    def values(self, belief: Array) -> tuple[Array, int]:
        """Q of each action in nats, shape [actions], and how many steps it looks ahead.

        They are fewer than the horizon where the tree would be too large.
        """
        levels, joints = [], []
        front, left = self.front(belief), TREE_NUMBERS
        while True:
            front, alive = self.going_on(front)
            worth, after, back = self.step(front)
            levels.append((worth, alive))
            left -= self.numbers(front) * len(self.part.actions)
            grown = self._grown(after, left) if len(levels) < self._horizon else None
            if grown is None:
                break
            front, rows, ends, weights, left = grown
            joints.append((rows, ends, weights, back))
        value, alive = levels[-1]
        for (worth, before), (rows, ends, weights, back) in zip(
            reversed(levels[:-1]), reversed(joints), strict=True
        ):
            best = alive * value.max(axis=1)
            later = np.bincount(rows, weights * best[ends])[back].reshape(worth.shape)
            value, alive = worth + self._discount * later, before
        return alive[0] * value[0], len(levels)

    def _grown(self, after: Batch, left: int) -> _Grown | None:
        """The beliefs after every observation; None where they are more than is left for them."""
        rows, ends, weights, beliefs = [], [], [], []
        width = self.numbers(after) // len(after) + 1
        at_once, found = max(1, AT_ONCE // (width * self.likelihood.shape[1])), 0
        for at in range(0, len(after), at_once):
            some = self.take(after, np.arange(at, min(at + at_once, len(after))))
            look(100, numbers=3 * len(some) * width * self.likelihood.shape[1])
            chance = self.chance(some)
            row, seen = np.nonzero(chance > NEGLIGIBLE)
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

    def step(self, front: Batch) -> tuple[Array, Batch, NDArray[np.int64]]:
        """Worth [beliefs, actions] of one step, the different beliefs after it, which is whose."""
        part = self.part
        worth, after = [], []
        for at in range(0, len(front), part.at_once):
            some = front[at : at + part.at_once]
            moved = part.every_way(some)
            gained = part.utility(moved) + part.information(moved)
            worth.append(gained.reshape(len(some), -1) + part.action_utility(some))
            after.append(moved)
        different, back = part.distinct(np.concatenate(after))
        return np.concatenate(worth), different, back

    def chance(self, beliefs: Batch) -> Array:
        """Probability of every outcome, [batch, outcomes]."""
        return product(beliefs, self.likelihood)

    def posterior(
        self, beliefs: Batch, row: NDArray[np.int64], seen: NDArray[np.int64], chance: Array
    ) -> Batch:
        """The belief of every `row` after the outcome `seen` of that probability."""
        return beliefs[row] * self.likelihood.T[seen] / chance[:, None]


def _merged(table: Array) -> Array:
    """p(o | s), [states, outcomes], with outcomes after which the same is believed as one."""
    total = table.sum(axis=0)
    _, back = distinct((table / total).T)
    joined = np.zeros((len(table), back.max() + 1))
    for outcome, place in enumerate(back):
        joined[:, place] += table[:, outcome]
    return joined
