"""What labels, states and actions are worth: preferences as arrays of utilities in nats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.rows import Local
from orchestrator.gmn.rules import assign, labels_matching
from orchestrator.types.errors import GMNError
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import GMNSpec, Preference, Variable

    Array = NDArray[np.float64]
    #: A transition with the indices of its states and of its actions.
    Transition = tuple[Array | Local, tuple[int, ...], tuple[int, ...]]


def utilities(preferences: Sequence[Preference], target: Variable) -> Array:
    """Log-preferences over `target` in nats, shape [target.n]; several entries add up.

    Raises: GMNError: a list of values has the wrong length, or a goal names an unknown value.
    """
    total = np.zeros(target.n)
    for preference in preferences:
        if preference.on != target.name or preference.rules:
            continue
        if preference.values:
            if len(preference.values) != target.n:
                raise GMNError(
                    f"compile failed: {len(preference.values)} utilities for the {target.n} values"
                    f" of {target.name}"
                )
            with np.errstate(over="ignore"):  # _require_finite reports it for the whole model
                total += np.array(preference.values)
        for goal in preference.goals:
            look(4)
            matches = labels_matching(goal.value, target)
            if not matches:
                raise GMNError(
                    f"compile failed: goal {goal.value!r} is not a value of {target.name}"
                )
            with np.errstate(over="ignore"):
                total[matches] += goal.utility
    return total


def payoff(preference: Preference, variables: Sequence[Variable]) -> Array:
    """The rules of a preference as a table, shape [v.n for v in variables]; 0 where none holds.

    Raises: TableError: a condition names no variable of it (105) or no value of one (106).
    """
    rule_of = assign(preference.rules, variables[0], variables).rule_of
    worth = np.array([*(rule.utility for rule in preference.rules), 0.0])  # -1 is the last
    found: Array = worth[rule_of].reshape([v.n for v in variables])
    return found


class Payoffs:
    """The preferences on states and actions, as arrays.

    Attributes:
        states: utilities of the values of each state; `Compiled.V`.
        others: all others by the indices of the states and of the actions on which they depend.
    """

    def __init__(
        self, spec: GMNSpec, actions: Sequence[Variable], transitions: Sequence[Transition]
    ) -> None:
        """Raises: GMNError: rules ask for an observation; TableError: as `payoff`."""
        # States before actions, each in the order of their declaration.
        self._order = {v.name: i for i, v in enumerate((*spec.states, *actions))}
        self._transitions = transitions
        self.states = tuple(utilities(spec.preferences, s) for s in spec.states)
        self.others: dict[tuple[tuple[int, ...], tuple[int, ...]], Array] = {}
        for preference in spec.preferences:
            if preference.rules:
                axes, table = self._joint(spec, preference)
            elif (at := self._order.get(preference.on, 0)) >= len(spec.states):
                axes, table = [at], utilities([preference], actions[at - len(spec.states)])
            else:
                continue
            if axes[-1] < len(spec.states):
                if len(axes) == 1:
                    with np.errstate(over="ignore"):
                        self.states[axes[0]][:] += table
                    continue
                axes, table = self._expected(axes, table)
            split = sum(axis < len(spec.states) for axis in axes)
            key = tuple(axes[:split]), tuple(k - len(spec.states) for k in axes[split:])
            with np.errstate(over="ignore"):
                self.others[key] = self.others.get(key, 0.0) + table

    def _joint(self, spec: GMNSpec, preference: Preference) -> tuple[list[int], Array]:
        """The axes of a rule list in order, and its table."""
        known = [v for name in preference.names if (v := spec.variable(name)) is not None]
        if len(known) < len(preference.names) or any(v.name not in self._order for v in known):
            raise GMNError(
                f"compile failed: rules about {', '.join(preference.names)} need states or actions"
            )
        axes = [self._order[v.name] for v in known]
        place = sorted(range(len(axes)), key=axes.__getitem__)
        return [axes[i] for i in place], payoff(preference, known).transpose(place)

    def _expected(self, states: Sequence[int], table: Array) -> tuple[list[int], Array]:
        """What utilities of the next values of `states` are worth before the step.

        State factors move apart, so each is summed out on its own.
        """
        einsum: Any = np.einsum  # its stubs know no lists of axes
        n = len(self._transitions)
        axes = list(states)  # f is its next value, n + i what `_order` has at i, a step before
        for f in states:
            kept_as, parents, controls = self._transitions[f]
            its = [f, *(n + g for g in parents), *(2 * n + k for k in controls)]
            kept = [axis for axis in axes if axis != f]
            kept += [axis for axis in its[1:] if axis not in kept]
            look(100, numbers=8 * table.size)
            if isinstance(kept_as, Local):
                table, axes = _summed(table, axes, kept_as, its, kept), kept
                continue
            look(numbers=8 * kept_as.size)
            table, axes = einsum(table, axes, kept_as, its, kept), kept
        place = sorted(range(len(axes)), key=axes.__getitem__)
        return [axes[i] - n for i in place], table.transpose(place)


def _summed(
    table: Array, axes: Sequence[int], moved: Local, its: Sequence[int], kept: Sequence[int]
) -> Array:
    """``einsum(table, axes, moved, its, kept)``, of what is possible alone."""
    size = dict(zip((*axes, *its), (*table.shape, *moved.shape), strict=True))
    sizes = [size[axis] for axis in kept]
    look(100, numbers=40 * math.prod(sizes))
    at = dict(zip(kept, np.indices(sizes).reshape(len(kept), -1), strict=True))
    rows = moved.at([at[axis] for axis in its[1:]])
    place = [rows.state if axis == its[0] else at[axis][rows.row] for axis in axes]
    return np.asarray(rows.total(rows.p * table[tuple(place)]).reshape(sizes))
