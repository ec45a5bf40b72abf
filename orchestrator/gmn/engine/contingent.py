"""Plans that branch on what will be observed.

Sophisticated inference (Friston, Da Costa, Hafner, Hesp and Parr 2021, "Sophisticated inference",
Neural Computation 33, section 3), with the best action at every node in place of a softmax:

    Q(b, u) = worth of the step + discount * sum over o of p(o | b, u) max over u' of Q(b_o, u')

Without information gain that is the finite-horizon optimum of the POMDP (Kaelbling, Littman and
Cassandra 1998, section 3). Equal beliefs at one depth are one node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.engine.exact import product
from orchestrator.gmn.engine.plan import distinct
from orchestrator.types.work import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.engine.exact import ExactPart

    Array = NDArray[np.float64]
    #: Beliefs, and for every branch its row, its belief and its probability in that row.
    _Grown = tuple[Array, NDArray[np.int64], NDArray[np.int64], Array]

#: An observation less probable than this is left out of a plan, and the others weigh the more.
NEGLIGIBLE = 1e-6
#: The most branches (a belief, an action and what is then observed) of one plan.
BRANCHES = 2**18
#: The most numbers of the beliefs at their ends (128 MB).
TREE_NUMBERS = 2**24
#: The most numbers of them that are computed at once.
_AT_ONCE = 2**20


class Tree:
    """Plans of one part whose observations are enumerated together."""

    def __init__(self, part: ExactPart, horizon: int, discount: float) -> None:
        self._part = part
        self._horizon = horizon
        self._discount = discount
        (table,) = part.tables or [np.ones((part.part.states, 1))]
        self._likelihood = _told_apart(table)

    def values(self, belief: Array) -> tuple[Array, int]:
        """Q of each action in nats, shape [actions], and how many steps it looks ahead.

        They are fewer than the horizon where the tree would have too many branches.
        """
        left = min(BRANCHES, TREE_NUMBERS // self._part.part.states)
        levels, joints = [], []
        front = belief[None]
        while True:
            front, alive = self._part.going_on(front)
            worth, after, back = self._step(front)
            levels.append((worth, alive))
            grown = self._grown(after, left) if len(levels) < self._horizon else None
            if grown is None:
                break
            front, rows, ends, weights = grown
            left -= len(rows)
            joints.append((rows, ends, weights, back))
        value, alive = levels[-1]
        for (worth, before), (rows, ends, weights, back) in zip(
            reversed(levels[:-1]), reversed(joints), strict=True
        ):
            best = alive * value.max(axis=1)
            later = np.bincount(rows, weights * best[ends])[back].reshape(worth.shape)
            value, alive = worth + self._discount * later, before
        return alive[0] * value[0], len(levels)

    def _step(self, front: Array) -> tuple[Array, Array, NDArray[np.int64]]:
        """Worth [beliefs, actions] of one step, the different beliefs after it, which is whose."""
        part = self._part
        worth, after = [], []
        for at in range(0, len(front), part.at_once):
            some = front[at : at + part.at_once]
            moved = part.every_way(some)
            gained = part.utility(moved) + part.information(moved)
            worth.append(gained.reshape(len(some), -1) + part.action_utility(some))
            after.append(moved)
        different, back = part.distinct(np.concatenate(after))
        return np.concatenate(worth), different, back

    def _grown(self, after: Array, left: int) -> _Grown | None:
        """The beliefs after every observation; None where that is more branches than are left."""
        rows, ends, weights, beliefs = [], [], [], []
        at_once, found = max(1, _AT_ONCE // self._likelihood.size), 0
        for at in range(0, len(after), at_once):
            some = after[at : at + at_once]
            look(100, numbers=3 * len(some) * self._likelihood.size)
            chance = product(some, self._likelihood)
            row, seen = np.nonzero(chance > NEGLIGIBLE)
            left -= len(row)
            if left < 0:
                return None
            kept = chance[row, seen]
            posterior = some[row] * self._likelihood.T[seen] / kept[:, None]
            different, back = self._part.distinct(posterior)
            total = np.bincount(row, kept)
            rows.append(row + at)
            weights.append(kept / total[row])
            ends.append(back + found)
            beliefs.append(different)
            found += len(different)
        different, back = self._part.distinct(np.concatenate(beliefs))
        return different, np.concatenate(rows), back[np.concatenate(ends)], np.concatenate(weights)


def _told_apart(table: Array) -> Array:
    """p(o | s), [states, outcomes], with outcomes after which the same is believed as one."""
    total = table.sum(axis=0)
    _, back = distinct((table / total).T)
    joined = np.zeros((len(table), back.max() + 1))
    for outcome, place in enumerate(back):
        joined[:, place] += table[:, outcome]
    return joined
