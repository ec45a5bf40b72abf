"""The best expected utility that any agent can reach in a model, and what chance reaches.

Utility is that of docs/engine.md without information gain: knowing is worth what it lets one do.
Where few beliefs can be reached, the value is that of dynamic programming over them (Kaelbling,
Littman and Cassandra 1998, "Planning and acting in partially observable stochastic domains").
Elsewhere it lies between two bounds. Below: point-based value iteration (Pineau, Gordon and Thrun
2003, "Point-based value iteration: an anytime algorithm for POMDPs"). Above: the fast informed
bound (Hauskrecht 2000, "Value-function approximations for partially observable Markov decision
processes") at the ends of the tree of beliefs that was looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.gmn.optimum.joint import joints_of
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.optimum.joint import Joint

    Array = NDArray[np.float64]

#: The most different beliefs over which the value is exact.
BELIEFS = 20_000
#: The most beliefs at which point-based value iteration looks.
POINTS = 400
#: The most episodes in a row that find no further belief.
EPISODES = 100
#: The most nats by which ending an infinite sum early may change it.
TOLERANCE = 1e-6
_NUMBERS = 2**22  # of the beliefs of one tree
_AT_ONCE = 2**20  # numbers of successors
_PRODUCTS = 2**12  # of a matrix product, in one step of work
_SPENT = 2**34  # products of all backups, and of all episodes; fewer beliefs are looked at instead
_TURN = 2**20  # what a step of an episode costs besides


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best expected utility, in nats, discounted.

    Attributes:
        value: exact, or the best that was found, which is `lower`.
        lower, upper: no policy found is better than `lower`; no policy at all reaches more than
            `upper`.
        method: how it was found.
        nodes: number of beliefs that were looked at.
    """

    value: float
    lower: float
    upper: float
    method: Literal["exact", "point-based"]
    nodes: int


def optimum(model: Compiled, *, steps: int | None, beliefs: int = BELIEFS) -> Optimum:
    """The best achievable expected utility of an episode of `steps` steps; None: without an end.

    Args:
        model: what the agent lives in.
        steps: how many times it acts.
        beliefs: the most different beliefs over which the value is computed exactly.

    Raises: ValueError: steps below 1, or no end and a discount of 1; GMNError: the model is too
        large; TooMuchWork: an allowance does not suffice.
    """
    found = [_optimum(joint, *_bounded(joint, steps), beliefs) for joint in joints_of(model)]
    return Optimum(
        sum(one.value for one in found),
        sum(one.lower for one in found),
        sum(one.upper for one in found),
        "exact" if all(one.method == "exact" for one in found) else "point-based",
        sum(one.nodes for one in found),
    )


def by_chance(model: Compiled, *, steps: int | None) -> float:
    """Expected utility of choosing uniformly among the joint actions at each step.

    Raises: as `optimum`.
    """
    total = 0.0
    for joint in joints_of(model):
        left, now = joint.first.sum(axis=0), 1.0
        moves, worth = joint.moves.mean(axis=0), joint.worth.mean(axis=0)
        for _ in range(_bounded(joint, steps)[0]):
            look(2, numbers=moves.size)
            total += now * float(left @ worth)
            left, now = left @ moves, now * joint.discount
    return total


def _bounded(joint: Joint, steps: int | None) -> tuple[int, float]:
    """How many steps count, and the most that the steps after them can be worth."""
    if steps is not None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        return steps, 0.0
    if joint.discount >= 1:
        raise ValueError("an episode without an end needs a discount below 1")
    most = float(np.abs(joint.worth).max()) / (1 - joint.discount)
    count = max(1, math.ceil(math.log(TOLERANCE / max(most, TOLERANCE), joint.discount)))
    return count, most * joint.discount**count


def _optimum(joint: Joint, steps: int, rest: float, beliefs: int) -> Optimum:
    tree = _Tree(joint)
    most = min(beliefs, _NUMBERS // tree.numbers)
    for _ in range(steps - 1):
        new = range(len(tree.expanded), len(tree.beliefs))
        if not new or len(tree.beliefs) > most:
            break
        tree.expand(new, most)
    if len(tree.beliefs) > most:
        del tree  # of which nothing is used, and which is large
        return _point_based(joint, steps, rest)
    value = tree.value(steps) if tree.beliefs else 0.0
    return Optimum(value, value - rest, value + rest, "exact", len(tree.beliefs))


class _Tree:
    """Beliefs that can be reached, equal ones once, and what leads from one to the next.

    A belief is over what has not ended, and sums to 1; the weights of its successors do not.
    """

    def __init__(self, joint: Joint) -> None:
        self.joint = joint
        actions, outcomes, states = joint.outcomes.shape
        self.shape = actions, outcomes
        self.numbers = states + 3 * actions * outcomes  # for one belief
        self.beliefs: list[Array] = []
        self.expanded: dict[int, int] = {}
        self._index: dict[bytes, int] = {}
        self._child: list[NDArray[np.int64]] = []
        self._weight: list[Array] = []
        self._worth: list[Array] = []
        self.first, self.chance = self._known(joint.first)

    def _known(self, raw: Array) -> tuple[NDArray[np.int64], Array]:
        """The beliefs of unnormalised rows [rows, states], and how probable each is."""
        weight = raw.sum(axis=1)
        scaled = raw / np.where(weight > 0, weight, 1.0)[:, None]
        # Two ways to one belief differ by rounding.
        keys = np.round(scaled, 12) + 0.0
        places = np.zeros(len(raw), dtype=np.int64)
        for i in np.flatnonzero(weight > 0):
            key = keys[i].tobytes()
            place = self._index.setdefault(key, len(self.beliefs))
            if place == len(self.beliefs):
                self.beliefs.append(scaled[i])
            places[i] = place
        return places, weight

    def expand(self, nodes: Sequence[int], most: int) -> None:
        """Add the successors of some beliefs, until there are more than `most`."""
        joint, (actions, outcomes) = self.joint, self.shape
        states = joint.worth.shape[1]
        size = max(1, _AT_ONCE // (actions * outcomes * states))
        for at in range(0, len(nodes), size):
            some = nodes[at : at + size]
            if len(self.beliefs) > most:
                return
            look(100 * len(some), numbers=4 * len(some) * actions * outcomes * states)
            beliefs = np.stack([self.beliefs[i] for i in some])
            moved = np.stack([beliefs @ joint.moves[u] for u in range(actions)], axis=1)
            raw = moved[:, :, None, :] * joint.outcomes
            child, weight = self._known(raw.reshape(-1, states))
            self._child += list(child.reshape(-1, actions, outcomes))
            self._weight += list(weight.reshape(-1, actions, outcomes))
            self._worth += list(beliefs @ joint.worth.T)
            self.expanded.update({node: len(self.expanded) + i for i, node in enumerate(some)})

    def after(self, node: int) -> tuple[NDArray[np.int64], Array, Array]:
        """What can follow each action, how probable, and what the act is worth."""
        row = self.expanded[node]
        return self._child[row], self._weight[row], self._worth[row]

    def tables(self) -> tuple[NDArray[np.int64], Array, Array]:
        """Successors, their probabilities and the worth of each act, by expanded belief."""
        return (
            np.array(self._child, dtype=np.int64).reshape(-1, *self.shape),
            np.array(self._weight).reshape(-1, *self.shape),
            np.array(self._worth).reshape(-1, self.shape[0]),
        )

    def value(self, steps: int) -> float:
        """The value of the start, where all that is reached before the last step is expanded."""
        rows = np.array(list(self.expanded), dtype=np.int64)
        child, weight, worth = self.tables()
        value = last = (np.stack(self.beliefs) @ self.joint.worth.T).max(axis=1)
        for _ in range(steps - 1):
            look(20, numbers=3 * weight.size)
            each = worth + self.joint.discount * (weight * value[child]).sum(axis=2)
            value = last.copy()
            value[rows] = each.max(axis=1)
        return float(self.chance @ value[self.first])


def _point_based(joint: Joint, steps: int, rest: float) -> Optimum:
    """Bounds from beliefs along episodes that the upper bound decides, and that lower it."""
    actions, outcomes, states = joint.outcomes.shape
    each = actions * outcomes * states  # of the beliefs that follow one
    points = max(1, min(POINTS, _NUMBERS // each, math.isqrt(_SPENT // (steps * each))))
    tree = _Tree(joint)
    above = _Above(tree, steps, points)
    rng, idle = np.random.default_rng(0), 0
    turns = _SPENT // (_TURN + each * actions)
    while len(tree.expanded) < points and idle < EPISODES and turns > 0:
        before = len(tree.expanded)
        turns -= above.lower(rng)
        idle = idle + 1 if len(tree.expanded) == before else 0
    lower = _backed_up(tree, steps)
    return Optimum(lower, lower - rest, above.value() + rest, "point-based", len(tree.expanded))


class _Above:
    """An upper bound for each belief of a tree and 0, 1, … steps left, which episodes lower.

    An episode takes the best action under the bound, samples what follows, and backs up from its
    end (Barto, Bradtke and Singh 1995, "Learning to act using real-time dynamic programming").
    """

    def __init__(self, tree: _Tree, steps: int, points: int) -> None:
        self._tree, self._steps, self._points = tree, steps, points
        self._informed = np.stack(_informed(tree.joint, steps))
        #: Of the beliefs that an episode has come to, [steps + 1]; others have that of `_informed`.
        self._lowered: dict[int, Array] = {}
        self._children: dict[int, Array] = {}

    def value(self) -> float:
        """The bound at the start."""
        beliefs = np.stack([self._tree.beliefs[i] for i in self._tree.first])
        return float(self._tree.chance @ self._bound(self._tree.first, beliefs, self._steps))

    def _bound(self, nodes: NDArray[np.int64], beliefs: Array, left: int) -> Array:
        bound: Array = (beliefs @ self._informed[left].T).max(axis=1)
        for place, node in enumerate(nodes.tolist()):
            if node in self._lowered:
                bound[place] = self._lowered[node][left]
        return bound

    def _each(self, node: int, left: int) -> Array:
        child, weight, worth = self._tree.after(node)
        look(100, numbers=child.size * self._informed[0].size // 16)
        bound = self._bound(child.reshape(-1), self._children[node], left - 1)
        after: Array = (weight * bound.reshape(child.shape)).sum(axis=1)
        return worth + self._tree.joint.discount * after

    def lower(self, rng: np.random.Generator) -> int:
        """One episode, until nothing is left of it or no further belief may be looked at.

        How many steps it had.
        """
        tree = self._tree
        path: list[tuple[int, int]] = []
        places, chances = tree.first, tree.chance
        for left in range(self._steps, 0, -1):
            # The first is looked at, however probable it is that there is none.
            if path and rng.random() >= chances.sum():
                break
            node = int(rng.choice(places, p=chances / chances.sum()))
            if node not in tree.expanded:
                if len(tree.expanded) >= self._points:
                    break
                tree.expand([node], len(tree.beliefs))
                after = tree.after(node)[0].reshape(-1)
                self._children[node] = np.stack([tree.beliefs[i] for i in after])
                self._lowered[node] = (self._informed @ tree.beliefs[node]).max(axis=1)
            path.append((node, left))
            action = int(self._each(node, left).argmax())
            child, weight, _ = tree.after(node)
            places, chances = child[action], weight[action]
        for node, left in reversed(path):
            self._lowered[node][left] = self._each(node, left).max()
        return len(path)


def _informed(joint: Joint, steps: int) -> list[Array]:
    """The fast informed bound for 0, 1, … steps left, each of shape [actions, states]."""
    bounds = [np.zeros_like(joint.worth)]
    actions, outcomes, states = joint.outcomes.shape
    for _ in range(steps):
        look(20 + actions**2 * outcomes * states**2 // _PRODUCTS)
        after = [
            (move @ (seen[:, None, :] * bounds[-1]).reshape(-1, states).T)
            .reshape(states, outcomes, actions)
            .max(axis=2)
            .sum(axis=1)
            for move, seen in zip(joint.moves, joint.outcomes, strict=True)
        ]
        bounds.append(joint.worth + joint.discount * np.stack(after))
    return bounds


def _backed_up(tree: _Tree, steps: int) -> float:
    """The value of the policy that point-based backups find."""
    joint = tree.joint
    beliefs = np.stack(tree.beliefs)
    child, weight, worth = tree.tables()
    count, states = len(child), beliefs.shape[1]
    vectors = np.zeros((1, states))
    for _ in range(steps):
        look(100 + beliefs.size * len(vectors) // _PRODUCTS)
        ahead = beliefs @ vectors.T
        which, value = ahead.argmax(axis=1), ahead.max(axis=1)
        chosen = (worth + joint.discount * (weight * value[child]).sum(axis=2)).argmax(axis=1)
        after = which[child[np.arange(count), chosen]]
        # Points that do the same have the same vector.
        plans = np.unique(np.concatenate([chosen[:, None], after], axis=1), axis=0)
        fresh = np.empty((len(plans), states))
        for u in range(len(joint.moves)):
            rows = plans[:, 0] == u
            seen = np.einsum("pos,os->ps", vectors[plans[rows, 1:]], joint.outcomes[u])
            fresh[rows] = joint.worth[u] + joint.discount * (seen @ joint.moves[u].T)
        vectors = fresh
    return float((joint.first @ vectors.T).max(axis=1).sum())
