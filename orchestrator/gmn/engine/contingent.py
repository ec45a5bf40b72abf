"""Plans that branch on what will be observed.

Sophisticated inference (Friston, Da Costa, Hafner, Hesp and Parr 2021, "Sophisticated inference",
Neural Computation 33, 713-763), with the best action at every node in place of a softmax:

    Q(b, u) = worth of the step + discount * sum over o of p(o | b, u) max over u' of Q(b_o, u')

Without information gain that is the finite-horizon optimum of the POMDP (Kaelbling, Littman and
Cassandra 1998). Equal beliefs at one depth are one node.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.arrays import product
from orchestrator.gmn.engine.bounds import bounds_of
from orchestrator.gmn.engine.plan import ROUNDING, distinct
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.engine.bounds import PlanBounds
    from orchestrator.gmn.engine.exact import ExactPart
    from orchestrator.gmn.rows import Rows

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
#: What a node is worth at most where that is not known.
BOUNDLESS = 1e300

#: Beliefs [batch, joint states], or the same as `Rows`.
Batch = Any


@dataclass(slots=True)
class _Level:
    """The nodes at one depth of a plan, and what follows those of them that are looked into.

    Attributes:
        least, most: what each node is worth at least and at most, [nodes].
        looked: the nodes that are looked into.
        gains: [rows, looked, actions].
        alive: how probable it is that nothing had ended before, [looked].
        back: the belief after each action, [looked * actions].
        branches: each one's row among those beliefs, the node of the next level at which it ends,
            its probability.
    """

    least: Array
    most: Array
    looked: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    gains: Array = field(default_factory=lambda: np.zeros((MOVED + 1, 0, 1)))
    alive: Array = field(default_factory=lambda: np.zeros(0))
    back: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    branches: Sequence[NDArray[Any]] = ()


class Tree:
    """Plans of one part whose observations are enumerated together."""

    def __init__(
        self,
        part: ExactPart,
        horizon: int,
        discount: float,
        allowed: NDArray[np.int64],
        moves: Rows | None = None,
    ) -> None:
        """`allowed` are the actions that no habit forbids; of `moves` see `bounds_of`.

        Without `moves` nothing is known of a node before it is looked into.
        """
        self.part = part
        self._horizon = horizon
        self._discount = discount
        self._allowed = np.zeros(len(part.actions), dtype=bool)
        self._allowed[allowed] = True
        (table,) = part.tables or [np.ones((part.part.states, 1))]
        self.likelihood = _merged(table)
        self.moves = moves
        self._bounds: PlanBounds | None = None

    def values(self, belief: Array) -> tuple[Array, int]:
        """Q of each action in nats, shape [actions], and how many steps it looks ahead.

        They are fewer than the horizon where the tree would be too large; what follows them counts
        at least.
        """
        levels, depth = self._levels(belief, WORTH + 1, decided=True)
        return self._summed(levels, *self._least(levels))[0][0], depth

    def ties(self, belief: Array) -> Array:
        """What decides between equal actions, more is better, shape [3, actions].

        Of the best plan that begins with each: the utility that it gains within one step, within
        two and so on, all added up; the same of all that it is worth; and how few steps change a
        belief. Later actions that are equal are decided between in the same way.
        """
        levels, _ = self._levels(belief, MOVED + 1, decided=False)
        worth, leaves, allowed = self._least(levels)
        early = range(len(levels) - 1, 0, -1)
        utility = [n * one.gains[UTILITY] for n, one in zip(early, levels, strict=False)]
        nothing = [np.zeros(len(one.least)) for one in levels]
        found = []
        for gains, left in (
            (worth, leaves),
            (utility, nothing),
            ([n * one for n, one in zip(early, worth, strict=True)], nothing),
            ([-one.gains[MOVED] for one in levels[:-1]], nothing),
        ):
            each = self._summed(levels, gains, left, allowed)
            found.append(each[0][0])
            for at in range(1, len(each)):
                most = np.where(allowed[at], each[at], -np.inf).max(axis=1, keepdims=True)
                allowed[at] &= each[at] >= most - ROUNDING * np.maximum(1.0, np.abs(most))
        return np.stack(found[1:])

    def _levels(self, belief: Array, rows: int, *, decided: bool) -> tuple[list[_Level], int]:
        """The tree from its root on, as deep as there is room for, and how deep that is.

        A node that no best plan can come to is not looked into, nor, if `decided`, is one whose
        worth is known. The last level is not looked into at all.
        """
        front, left = self.front(belief), TREE_NUMBERS
        levels = [self._level(front, self._horizon)]
        for steps in range(self._horizon - 1, -1, -1):
            level = levels[-1]
            level.looked = self._promising(levels, decided=decided)
            some = self.take(front, level.looked)
            needed = self.numbers(some) * len(self.part.actions)
            if not len(some):
                break
            if len(levels) > 1 and left < needed:
                level.looked = level.looked[:0]
                return levels, len(levels) - 1
            some, level.alive = self.going_on(some)
            level.gains, after, level.back = self.step(some, rows)
            left -= needed
            grown = self._grown(after, left) if steps else None
            if grown is None:  # what follows is the same whatever is observed
                every = np.arange(len(after))
                level.branches = every, every, np.ones(len(after))
                levels.append(self._level(after, steps))
                return levels, len(levels) - 1 + steps * (not steps)
            front, *level.branches, left = grown
            levels.append(self._level(front, steps))
        return levels, self._horizon

    def _level(self, front: Batch, steps: int) -> _Level:
        """The nodes of some beliefs with so many steps left."""
        count = len(front)
        if self.moves is None or not steps:
            return _Level(np.zeros(count), np.full(count, BOUNDLESS if steps else 0.0))
        if self._bounds is None:
            self._bounds = bounds_of(
                self.part,
                self.likelihood,
                self.moves,
                np.flatnonzero(self._allowed),
                discount=self._discount,
                steps=self._horizon,
            )
        known = self._bounds
        most, fixed, plan = known.most[steps], known.least[steps], known.plan[steps]
        actions, least, upper = most.shape[1], [], []
        for _, some in self.few(front, 2 * actions):
            planned = self.expected_of(some, fixed, plan[self.likeliest(some)])
            repeated = self.expected(some, fixed[:, :actions]).max(axis=1)
            least.append(np.maximum(planned, repeated))
            upper.append(self.expected(some, most).max(axis=1))
        return _Level(np.concatenate(least), np.concatenate(upper))

    def _least(
        self, levels: Sequence[_Level]
    ) -> tuple[list[Array], list[Array], list[NDArray[np.bool_]]]:
        """What `_summed` needs for what plans are worth at least."""
        inner = levels[:-1]
        allowed = [np.tile(self._allowed, (len(one.looked), 1)) for one in inner]
        return [one.gains[WORTH] for one in inner], [one.least for one in levels], allowed

    def _promising(self, levels: Sequence[_Level], *, decided: bool) -> NDArray[np.int64]:
        """Nodes of the last level to which a best plan may come, whatever is done first."""
        gains, leaves, allowed = self._least(levels)
        least = self._summed(levels, gains, leaves, allowed)
        most = self._summed(levels, gains, [one.most for one in levels], allowed)
        slack = self._slack()
        comes = np.ones(1, dtype=bool)
        for at, level in enumerate(levels[:-1]):
            good = allowed[at]
            if at:
                best = np.where(good, least[at], -np.inf).max(axis=1, keepdims=True)
                good = good & (most[at] >= best - slack)
            else:
                good = np.ones_like(good)
            rows, ends, _ = level.branches
            reached = np.zeros(rows[-1] + 1, dtype=bool)
            reached[level.back.reshape(good.shape)[good & comes[level.looked][:, None]]] = True
            comes = np.zeros(len(levels[at + 1].least), dtype=bool)
            comes[ends[reached[rows]]] = True
        last = levels[-1]
        if decided and len(levels) > 1:
            comes &= last.most - last.least > ROUNDING * np.maximum(1.0, np.abs(last.least))
        return np.flatnonzero(comes)

    def _slack(self) -> float:
        """How far the tree and the bounds may differ: by what is negligible, and by rounding."""
        if self._bounds is None:
            return 0.0
        worth = max(float(np.abs(one[-1]).max()) for one in (self._bounds.most, self._bounds.least))
        return (4 * self._horizon * NEGLIGIBLE + ROUNDING) * max(1.0, worth)

    def _summed(
        self,
        levels: Sequence[_Level],
        gains: Sequence[Array],
        leaves: Sequence[Array],
        allowed: Sequence[NDArray[np.bool_]],
    ) -> list[Array]:
        """The sum of all gains from every node on, with the best allowed action at each after it.

        [looked, actions] for every level; at the root weighed by how probable it is to go on.
        `leaves` [nodes] is for those that are not looked into.
        """
        each: list[Array] = []
        value = leaves[-1]
        for at in range(len(levels) - 2, -1, -1):
            level = levels[at]
            rows, ends, weights = level.branches
            later = np.bincount(rows, weights * value[ends])[level.back]
            each.insert(0, gains[at] + self._discount * later.reshape(gains[at].shape))
            value = leaves[at].copy()
            best = np.where(allowed[at], each[0], -np.inf).max(axis=1)
            value[level.looked] = best * level.alive
        if each:
            each[0] = levels[0].alive * each[0]
        return each

    def _grown(self, after: Batch, left: int) -> _Grown | None:
        """The beliefs after every observation; None where they are more than is left for them."""
        rows, ends, weights, beliefs = [], [], [], []
        width, found = self.numbers(after) // len(after) + 1, 0
        for at, some in self.few(after, self.likelihood.shape[1]):
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
        every = np.concatenate(ends)
        return front, np.concatenate(rows), back[every], np.concatenate(weights), left

    # -- batches of beliefs

    def few(self, beliefs: Batch, columns: int) -> Iterator[tuple[int, Batch]]:
        """Some at a time, and where they begin: so few that a table's columns fit in memory."""
        width = self.numbers(beliefs) // len(beliefs) + 1
        at_once = max(1, AT_ONCE // (width * columns))
        for at in range(0, len(beliefs), at_once):
            yield at, self.take(beliefs, np.arange(at, min(at + at_once, len(beliefs))))

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
            entered, learned = part.gains(moved)
            gained = entered.reshape(len(some), -1) + part.action_utility(some)
            made = [gained + learned.reshape(len(some), -1), gained]
            if rows > MOVED:
                made.append(part.moves(some, moved))
            gains.append(np.stack(made[:rows]))
            after.append(moved)
        different, back = part.distinct(np.concatenate(after))
        return np.concatenate(gains, axis=1), different, back

    def chance(self, beliefs: Batch) -> Array:
        """Probability of every outcome, [batch, outcomes]."""
        return self.expected(beliefs, self.likelihood)

    def expected(self, beliefs: Batch, table: Array) -> Array:
        """Means of a table [states, columns] under each belief, [batch, columns]."""
        return product(beliefs, table)

    def expected_of(self, beliefs: Batch, table: Array, column: NDArray[np.int64]) -> Array:
        """Means of one column each, [batch]."""
        mean: Array = np.einsum("bs,sb->b", beliefs, table[:, column])
        return mean

    def likeliest(self, beliefs: Batch) -> NDArray[np.int64]:
        """The most probable state of each, [batch]."""
        most: NDArray[np.int64] = beliefs.argmax(axis=1)
        return most

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
