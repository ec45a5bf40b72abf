"""What a belief is worth at least and at most, so that a plan need not branch where it is decided.

At least: what fixed plans gain: one action over and over, and the best plan from the most probable
state, as if it were known and what is likely happened. At most: what could be gained if every state
were seen from the next step on (Littman, Cassandra and Kaelbling 1995, "Learning policies for
partially observable environments: scaling up", section 3, there named QMDP). Each is linear in the
belief, so they are computed once for the states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.gmn.engine.arrays import entropies
from orchestrator.types.work import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.engine.exact import ExactPart
    from orchestrator.gmn.rows import Rows

    Array = NDArray[np.float64]
    Indices = NDArray[np.int64]


#: The most vectors of fixed plans, times joint states, for each number of steps.
PLANS = 2**18


class PlanBounds(NamedTuple):
    """For 0, 1, … steps left, in nats.

    Attributes:
        most: worth of each state by what is done first, [states, actions].
        least: worth of each state under fixed plans, [states, plans]; first those that do one thing
            over and over, one for each action.
        plan: which of the plans is the best of those from a state that is known, [states].
    """

    most: list[Array]
    least: list[Array]
    plan: list[Indices]


def bounds_of(
    part: ExactPart,
    likelihood: Array,
    moves: Rows,
    allowed: Indices,
    *,
    discount: float,
    steps: int,
) -> PlanBounds:
    """The bounds for every number of steps up to `steps`.

    Args:
        part: what is planned.
        likelihood: p(o | s) of all that is observed together, [states, outcomes].
        moves: p(s' | s, u), a row for every state and action, the action fastest.
        allowed: the actions that are planned.
        discount: what a nat is worth one step later.
        steps: the most that are left.
    """
    back = _Backward(part, moves, allowed, discount)
    states = part.part.states
    # What is observed tells at most the uncertainty that it can have.
    hope = np.log(likelihood.shape[1]) - entropies(likelihood) if part.is_curious else 0.0
    nothing = np.zeros((states, len(allowed)))
    found = PlanBounds([nothing], [nothing], [np.zeros(states, dtype=np.int64)])
    seen = np.zeros((states, 1))  # utility where every state is seen
    for _ in range(steps):
        best = found.most[-1].max(axis=1, keepdims=True)
        found.most.append(back.every(best, hope))
        known = back.every(seen)
        first, seen = known.argmax(axis=1), known.max(axis=1, keepdims=True)
        fixed, plan = _fixed(back, found.least[-1], found.plan[-1], first)
        found.least.append(fixed)
        found.plan.append(plan)
    return found


def _fixed(back: _Backward, plans: Array, plan: Indices, first: Array) -> tuple[Array, Indices]:
    """`least` and `plan` with a step more, from what is done first in each state that is known."""
    states, actions = len(plans), len(back.after)
    then = plan[back.likely[np.arange(states), first]]
    keys, which, times = np.unique(
        first * plans.shape[1] + then, return_inverse=True, return_counts=True
    )
    kept = np.argsort(-times, kind="stable")[: max(1, PLANS // states)]
    place = np.zeros(len(keys), dtype=np.int64)
    place[kept] = actions + np.arange(len(kept))
    fixed = np.empty((states, actions + len(kept)))
    for action in range(actions):
        mine = np.flatnonzero(keys[kept] // plans.shape[1] == action)
        follow = plans[:, [action, *(keys[kept][mine] % plans.shape[1])]]
        fixed[:, [action, *(actions + mine)]] = back.step(action, follow)
    return fixed, place[which.reshape(-1)]


class _Backward:
    """What is worth what a step before, for each action that is planned."""

    def __init__(self, part: ExactPart, moves: Rows, allowed: Indices, discount: float) -> None:
        states, count = part.part.states, len(part.actions)
        self._entering, self._discount = part.entering[:, None], discount
        self._lasting = 1.0 if part.lasting is None else part.lasting[:, None]
        self._doing = np.broadcast_to(part.acting, (states, count))[:, allowed]
        self.after = [moves.take(np.arange(a, states * count, count)) for a in allowed]
        #: The most probable state after each action, [states, actions].
        self.likely = np.stack([one.state[one.largest()] for one in self.after], axis=1)

    def step(self, action: int, later: Array, hope: Array | float = 0.0) -> Array:
        """Worth of an action and of what follows, [states, columns]; `later` is of what follows."""
        after = self.after[action]
        look(20, numbers=4 * len(after.p) * later.shape[1])
        then = self._entering + np.reshape(hope, (-1, 1)) + self._discount * later
        ahead = after.total(after.p[:, None] * then[after.state])
        whole: Array = self._lasting * (self._doing[:, action, None] + ahead)
        return whole

    def every(self, later: Array, hope: Array | float = 0.0) -> Array:
        """`step` of every action, [states, actions]."""
        return np.concatenate([self.step(a, later, hope) for a in range(len(self.after))], axis=1)
