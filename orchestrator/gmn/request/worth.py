"""What each label of a model is worth to its agent, and which labels it can come to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.checks.reach import Reach
from orchestrator.gmn.rows import Local, as_kept
from orchestrator.types.cached import cached_property
from orchestrator.types.work import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.gmn.request.labels import Label

    Array = NDArray[np.float64]

_MOST_REACHED = 2**18  # numbers of all moves, beyond which reachability is not looked for


@dataclass(frozen=True)
class Held:
    """A valid model, with what commitments are held against."""

    spec: GMNSpec
    model: Compiled

    @cached_property
    def states(self) -> list[Array]:
        """Utility in nats of each value of each state, with what it lets observe, averaged over
        the others; shape [|s_f|] for f."""
        found = [v.astype(float).copy() for v in self.model.V]
        for table, wish, depends in zip(
            self.model.A, self.model.C, self.model.A_dependencies, strict=True
        ):
            if not np.any(wish):
                continue
            look(numbers=table.size)
            worth = np.tensordot(wish, table, axes=(0, 0))  # one axis for each state
            for axis, factor in enumerate(depends):
                found[factor] += worth.mean(axis=tuple(a for a in range(worth.ndim) if a != axis))
        for one in self.model.action_utilities:
            for axis, factor in enumerate(one.states):
                found[factor] += one.table.mean(
                    axis=tuple(a for a in range(one.table.ndim) if a != axis)
                )
        return found

    @cached_property
    def actions(self) -> list[Array]:
        """Utility in nats of each value of each action, averaged over the states."""
        found = [np.zeros(u.n) for u in self.model.actions]
        for one in self.model.action_utilities:
            for axis, action in enumerate(one.actions, len(one.states)):
                found[action] += one.table.mean(
                    axis=tuple(a for a in range(one.table.ndim) if a != axis)
                )
        return found

    def utilities(self, label: Label) -> Array:
        """Of all values of the variable of a label, shape [n]; zeros where nothing is wanted."""
        index = self._index(label)
        if label.kind == "state":
            return self.states[index]
        if label.kind == "action":
            return self.actions[index]
        return self._observed(index)

    def _observed(self, index: int) -> Array:
        """Of the values of an observation; where none is wanted, what the states they show are."""
        if np.any(self.model.C[index]):
            return self.model.C[index]
        table, depends = self.model.A[index], self.model.A_dependencies[index]
        worth = np.zeros(table.shape[1:])
        for axis, factor in enumerate(depends):
            shape = [1] * worth.ndim
            shape[axis] = -1
            worth = worth + self.states[factor].reshape(shape)
        flat = table.reshape(table.shape[0], -1)
        total = flat.sum(axis=1)
        shown = flat @ worth.reshape(-1)
        found: Array = np.divide(shown, total, out=np.zeros_like(shown), where=total > 0)
        return found

    def _index(self, label: Label) -> int:
        kinds = {
            "state": self.model.states,
            "observation": self.model.observations,
            "action": self.model.actions,
        }
        names = [variable.name for variable in kinds[label.kind]]
        return names.index(label.variable.name)

    def prior(self, label: Label) -> float:
        """Probability that a state begins with that value."""
        return float(self.model.D[self._index(label)][label.at])

    @cached_property
    def _reached(self) -> list[NDArray[np.bool_]] | None:
        reach = Reach(self.model)
        if reach.numbers > _MOST_REACHED:
            return None
        joint = reach.at[:, reach.distances() >= 0]
        found = [np.zeros(v.n, dtype=bool) for v in self.model.states]
        for values, reached in zip(joint, found, strict=True):
            reached[values] = True
        return found

    def is_reachable(self, label: Label) -> bool:
        """Whether it can come to be, as far as the model is small enough to look."""
        if self._reached is None or label.kind == "action":
            return True
        index = self._index(label)
        if label.kind == "state":
            return bool(self._reached[index][label.at])
        row = self.model.A[index][label.at] > 0
        for axis, factor in enumerate(self.model.A_dependencies[index]):
            row = np.compress(self._reached[factor], row, axis=axis)
        return bool(row.any())

    @cached_property
    def numbers(self) -> Array:
        """Every probability of the likelihoods, transitions and priors, each once."""
        changes = [t.rows.p if isinstance(t, Local) else t for t in as_kept(self.model.B)]
        tables = [*self.model.A, *self.model.D, *changes]
        look(numbers=sum(table.size for table in tables))
        return np.unique(np.concatenate([np.round(table.reshape(-1), 6) for table in tables]))

    def has_number(self, value: float) -> bool:
        """Whether a probability of the model, or what it leaves to 1, is that number."""
        near = (abs(self.numbers - value) < TOLERANCE) | (abs(1 - self.numbers - value) < TOLERANCE)
        return bool(near.any())

    @cached_property
    def wishes(self) -> frozenset[float]:
        """The utilities that the document states, in nats, each rounded."""
        said = set[float]()
        for one in self.spec.preferences:
            said |= set(one.values)
            said |= {part.utility for part in one.goals} | {part.utility for part in one.rules}
            said |= {part.utility for part in one.goal_gradient}
        return frozenset(round(value, 6) for value in said if math.isfinite(value))


#: By how much a number may differ that is written with two digits.
TOLERANCE = 0.0051
