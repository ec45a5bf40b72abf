"""Which joint states lead to which: what the checks that look at all of them share."""

from __future__ import annotations

import functools
import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.rows import Local, as_kept, possible
from orchestrator.types.cached import cached_property
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled

    Array = NDArray[np.float64]

#: So many moves between joint states are listed at once.
_MOST_WAYS = 2**20
#: A search over matrices of so many numbers is faster than one over what is possible.
_MATRIX_NUMBERS = 2**18


class Reach:
    """The moves between the joint states of a model; what is found of them is kept.

    Attributes:
        sizes: how many values each factor has.
        states: number of joint states.
        actions: every joint action, shape [joint actions, actions].
        numbers: of the probabilities of all moves.
    """

    def __init__(self, model: Compiled) -> None:
        self.model = model
        self.sizes = [v.n for v in model.states]
        self.states = math.prod(self.sizes)
        self.actions: NDArray[np.int64] = model.policies[
            : math.prod(v.n for v in model.actions), -1
        ]
        self.numbers = len(self.actions) * self.states**2

    @cached_property
    def at(self) -> NDArray[np.int64]:
        """The value of every factor in each joint state, [factors, states]."""
        return np.array(np.unravel_index(np.arange(self.states), self.sizes))

    @cached_property
    def ends(self) -> NDArray[np.bool_]:
        """In which joint states everything ends."""
        ends = np.zeros(self.states, dtype=bool)
        for labels, values in zip(self.model.terminal, self.at, strict=False):
            ends |= labels[values]
        return ends

    @cached_property
    def _columns(self) -> list[Array]:
        """p(s_f' | s, u) of every factor, [states * actions, values], the action fastest."""
        look(200, numbers=2 * self.numbers * len(self.sizes))
        state = np.repeat(self.at, len(self.actions), axis=1)
        action = np.tile(self.actions.T, self.states)
        found = []
        for f, table in enumerate(as_kept(self.model.B)):
            place: list[Any] = [state[g] for g in self.model.B_dependencies[f]]
            place += [action[k] for k in self.model.B_action_dependencies[f]]
            if isinstance(table, Local):
                found.append(table.at(place).dense(self.sizes[f]))
            else:
                found.append(table[(slice(None), *place)].T)
        return found

    @cached_property
    def moves(self) -> Array:
        """p(s' | s, u), [actions, states, states']."""
        made = functools.reduce(operator.mul, self._joint(self._columns))
        by_state = made.reshape(self.states, len(self.actions), self.states)
        return np.ascontiguousarray(by_state.transpose(1, 0, 2))

    def _joint(self, columns: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """What columns say of each joint state that may follow, [states * actions, states']."""
        return [column[:, values] for column, values in zip(columns, self.at, strict=True)]

    def distances(self, likely: float = 0.0) -> NDArray[np.int64]:
        """Fewest steps from the start to every joint state, shape [states]; -1 if unreachable.

        Only by moves that have at least the share `likely` of the most probable one's probability;
        0 leaves out what is impossible alone.
        """
        distance = np.full(self.states, -1, dtype=np.int64)
        least = 1e-6 * bool(likely)
        begins = [
            (d[values] > 0) & (d[values] >= least)
            for d, values in zip(self.model.D, self.at, strict=True)
        ]
        front, steps = np.flatnonzero(functools.reduce(operator.and_, begins)), 0
        is_small = self.numbers <= _MATRIX_NUMBERS
        ways = self._ways(likely) if is_small else None
        tables = [] if is_small else [_likely(one, likely) for one in as_kept(self.model.B)]
        reached: NDArray[np.bool_]
        while front.size:
            distance[front] = steps
            steps += 1
            front = front[~self.ends[front]]
            reached = (
                self._successors(tables, front)
                if ways is None
                else np.logical_or.reduce(ways[front], axis=0)
            )
            front = np.flatnonzero(reached & (distance < 0))
        return distance

    def _ways(self, likely: float) -> NDArray[np.bool_]:
        """Whether some action leads from one joint state to another, see `distances`."""
        counts = [column > 0 for column in self._columns]
        if likely:
            most = [column.max(axis=1, keepdims=True) for column in self._columns]
            likely_ones = zip(counts, self._columns, most, strict=True)
            counts = [count & (column >= likely * m) for count, column, m in likely_ones]
        made = functools.reduce(operator.and_, self._joint(counts))
        by_state = made.reshape(self.states, -1, self.states)
        ways: NDArray[np.bool_] = np.logical_or.reduce(by_state, axis=1)
        return ways

    def _successors(self, tables: list[Local], front: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which joint states some joint action reaches from one of those in `front`."""
        model, actions = self.model, self.actions
        found, at = np.zeros(self.states, dtype=bool), self.at[:, front]
        ways = math.prod(int(np.diff(table.rows.start).max()) for table in tables)
        at_once = max(1, _MOST_WAYS // ways)
        for first in range(0, len(front) * len(actions), at_once):
            pairs = np.arange(first, min(first + at_once, len(front) * len(actions)))
            state, action = np.divmod(pairs, len(actions))
            origin, there = np.arange(len(pairs)), np.zeros(len(pairs), dtype=np.int64)
            for f, table in enumerate(tables):
                place = [at[g][state] for g in model.B_dependencies[f]]
                place += [actions[action, k] for k in model.B_action_dependencies[f]]
                # Every value of this factor beside every way that the factors before may go.
                rows = table.at([index[origin] for index in place])
                look(50, numbers=40 * len(rows.p))
                origin, there = origin[rows.row], there[rows.row] * self.sizes[f] + rows.state
            found[there] = True
        return found


def _likely(table: Array | Local, likely: float) -> Local:
    """Of each context of a transition the moves that count, see `Reach.distances`."""
    shape = table.shape
    if isinstance(table, Local):
        rows = table.rows
    else:
        rows = possible(table.reshape(shape[0], -1), [np.arange(table.size // shape[0])])
    if likely:
        most = rows.most
        rows = rows.kept(np.where(rows.p >= likely * most[rows.row], rows.p, 0.0))
    return Local(rows, shape)
