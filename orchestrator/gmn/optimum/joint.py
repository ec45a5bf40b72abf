"""A compiled model as decision processes over joint states, each with tables of its own.

State factors and actions belong to one process when a table, a utility or an end has them in
common; what is apart is decided apart, and its utilities add up. A process in which nothing has a
utility is left out. So is a factor that only repeats what was done, such as the kind of the last
look: there the observation depends on the action, and the joint is smaller by that factor.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.plan import uniques
from orchestrator.gmn.rows import as_kept, under
from orchestrator.types.errors import GMNError
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled

    Array = NDArray[np.float64]

#: The most numbers of the tables of one process (32 MB).
NUMBERS = 2**22


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """One decision process; what has ended has no probability left, so sums may be below 1.

    Attributes:
        factors, controls: indices of its state factors and actions.
        sizes: how many values each of them has, factors first.
        first: p(o, s) of the first observation, before any act, shape [outcomes, states].
        moves: p(s' goes on | s, u), shape [actions, states, states].
        outcomes: p(o | s', u), all modalities together, shape [actions, outcomes, states].
        worth: expected utility of one step in nats, of the act and of what it leads to, shape
            [actions, states].
        discount: what a nat is worth one step later.
    """

    factors: tuple[int, ...]
    controls: tuple[int, ...]
    sizes: tuple[int, ...]
    first: Array
    moves: Array
    outcomes: Array
    worth: Array
    discount: float

    def worth_of(self, state: Sequence[int], action: Sequence[int]) -> float:
        """`worth` of a joint action in a joint state, both of the whole model."""
        values = [*(state[f] for f in self.factors), *(action[k] for k in self.controls)]
        at = len(self.factors)
        of = self.worth.reshape(*self.sizes[at:], *self.sizes[:at])
        return float(of[(*values[at:], *values[:at])])


def joints_of(model: Compiled) -> tuple[Joint, ...]:
    """The processes of a model in which something has a utility.

    Raises: GMNError: the tables of one would have more than `NUMBERS` numbers.
    """
    return tuple(_joint(model, factors, controls) for factors, controls in _groups(model))


def _groups(model: Compiled) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Factors and actions that have something in common, where one of them has a utility."""
    count = len(model.states)
    ends = {f for f, ended in enumerate(model.terminal) if np.any(ended)}
    paid = {f for f, v in enumerate(model.V) if np.any(v)}
    paid |= {d[0] for d, c in zip(model.A_dependencies, model.C, strict=True) if np.any(c)}
    common: list[set[int]] = [set(d) for d in model.A_dependencies]
    for d, k in zip(model.B_dependencies, model.B_action_dependencies, strict=True):
        common.append({*d, *(count + i for i in k)})
    for utility in model.action_utilities:
        common.append({*utility.states, *(count + k for k in utility.actions)})
        paid |= common[-1]
    if ends:
        common.append(ends | paid)  # an end ends everything
    group = list(range(count + len(model.actions)))
    for meeting in filter(None, common):
        joined = {group[i] for i in meeting}
        group = [min(joined) if g in joined else g for g in group]
    for one in sorted({group[i] for i in paid}):
        members = [i for i, g in enumerate(group) if g == one]
        yield (
            tuple(i for i in members if i < count),
            tuple(i - count for i in members if i >= count),
        )


def _joint(model: Compiled, factors: tuple[int, ...], controls: tuple[int, ...]) -> Joint:
    layout = _Layout(model, factors, controls)
    layout.require_small()
    sizes, choices = layout.sizes, [model.actions[k].n for k in controls]
    alive = np.ones(sizes)
    start = np.ones(sizes)
    for f, at in layout.axis.items():
        alive = alive * (layout.along(~model.terminal[f], [at]) if model.terminal else 1)
        start = start * layout.along(model.D[f], [at])
    alive, acts = alive.reshape(-1), layout.acts()
    start = start.reshape(-1) * alive
    moves, worth, outcomes = [], [], []
    for row, chosen in enumerate(itertools.product(*map(range, choices))):
        action = dict(zip(controls, chosen, strict=True))
        moved, echo = layout.moves(action), layout.echo(action)
        moves.append(moved * alive)
        worth.append((acts[row] + moved @ layout.states(echo)) * alive)
        outcomes.append(layout.outcomes(echo))
    first, *rest = _merged([layout.outcomes(layout.echo(None)), *outcomes])
    return Joint(
        tuple(layout.axis),
        controls,
        (*sizes, *choices),
        first * start,
        np.stack(moves),
        np.stack(rest),
        np.stack(worth),
        model.discount,
    )


def _merged(tables: Sequence[Array]) -> Array:
    """Tables [outcomes, states]; outcomes that tell the same are one, impossible ones left out."""
    whole = np.concatenate(tables, axis=1)
    whole = whole[whole.any(axis=1)]
    first, of = uniques(whole / whole.sum(axis=1, keepdims=True))
    merged = np.zeros((len(first), whole.shape[1]))
    np.add.at(merged, of, whole)
    return np.stack(np.split(merged, len(tables), axis=1))


@dataclass(slots=True)
class _Layout:
    """Which axis a state factor has in the tables of one process, and those tables."""

    model: Compiled
    factors: tuple[int, ...]
    controls: tuple[int, ...]
    axis: dict[int, int] = field(init=False)
    sizes: list[int] = field(init=False)
    modalities: list[int] = field(init=False)

    def __post_init__(self) -> None:
        model = self.model
        kept = [f for f in self.factors if not self._is_echo(f)]
        self.axis = {f: i for i, f in enumerate(kept)}
        self.sizes = [model.states[f].n for f in kept]
        deps = model.A_dependencies
        self.modalities = [m for m, d in enumerate(deps) if d[0] in self.factors]

    def _is_echo(self, factor: int) -> bool:
        """Whether it depends on nothing but the last action, and nothing later on it."""
        model = self.model
        used = {g for f, d in enumerate(model.B_dependencies) if f != factor for g in d}
        used |= {f for utility in model.action_utilities for f in utility.states}
        used |= {f for f, ended in enumerate(model.terminal) if np.any(ended)}
        if factor in used or model.B_dependencies[factor] != (factor,):
            return False
        controls = [range(model.actions[k].n) for k in model.B_action_dependencies[factor]]
        tables = (under(as_kept(model.B)[factor], one) for one in itertools.product(*controls))
        return all(bool(np.all(table == table[:, :1])) for table in tables)

    def require_small(self) -> None:
        """Raises: GMNError: a table would have more than `NUMBERS` numbers."""
        model = self.model
        states, acts = math.prod(self.sizes), math.prod(model.actions[k].n for k in self.controls)
        outcomes = math.prod(model.observations[m].n for m in self.modalities)
        numbers = states * acts * max(states, outcomes)
        if numbers > NUMBERS:
            names = ", ".join(model.states[f].name for f in self.axis)
            raise GMNError(
                f"the best is not computed: {names} have {states:,} joint states, with {acts:,}"
                f" joint actions and {outcomes:,} joint observations a table of {numbers:,}"
                f" numbers, more than {NUMBERS:,}; compare a smaller model"
            )
        look(1000, numbers=8 * numbers)

    def along(self, table: NDArray[Any], axes: Sequence[int]) -> NDArray[Any]:
        """A table over some axes, which ascend, with size 1 for each of the others."""
        return table.reshape([n if i in axes else 1 for i, n in enumerate(self.sizes)])

    def echo(self, action: dict[int, int] | None) -> dict[int, Array]:
        """The distribution of each factor that only repeats the action; None: at the start."""
        model = self.model
        if action is None:
            return {f: model.D[f] for f in self.factors if f not in self.axis}
        return {f: self._under(f, action)[:, 0] for f in self.factors if f not in self.axis}

    def _under(self, factor: int, action: dict[int, int]) -> Array:
        """p(s_f' | parents) under one joint action, shape [|s_f|, parents…]."""
        controls = [action[k] for k in self.model.B_action_dependencies[factor]]
        return under(as_kept(self.model.B)[factor], controls)

    def moves(self, action: dict[int, int]) -> Array:
        """p(s' | s) under one joint action, shape [states, states]."""
        model, count = self.model, len(self.sizes)
        operands: list[Any] = [np.ones(()), []]
        for f, at in self.axis.items():
            parents = [self.axis[g] for g in model.B_dependencies[f]]
            operands += [self._under(f, action), [count + at, *parents]]
        whole = np.einsum(*operands, list(range(2 * count)), optimize="greedy")
        states = math.prod(self.sizes)
        return np.asarray(whole).reshape(states, states)

    def states(self, echo: dict[int, Array]) -> Array:
        """Utility of being in each joint state, with what is observed there, shape [states]."""
        total = np.zeros(self.sizes)
        for f in self.factors:
            v = self.model.V[f]
            total = total + (echo[f] @ v if f in echo else self.along(v, [self.axis[f]]))
        for m in self.modalities:
            seen = np.tensordot(self.model.C[m], self.model.A[m], axes=1)
            total = total + self._without(echo, [(seen, self.model.A_dependencies[m], ())], ())
        return total.reshape(-1)

    def outcomes(self, echo: dict[int, Array]) -> Array:
        """p(o | s) of all modalities together, shape [outcomes, states]."""
        tables = [(self.model.A[m], self.model.A_dependencies[m], (m,)) for m in self.modalities]
        return self._without(echo, tables, self.modalities).reshape(-1, math.prod(self.sizes))

    def _without(
        self,
        echo: dict[int, Array],
        tables: Sequence[tuple[Array, Sequence[int], Sequence[int]]],
        kept: Sequence[int],
    ) -> Array:
        """The product of tables [modalities, factors], the factors in `echo` summed out."""
        count, spare = len(self.sizes), len(self.sizes) + len(self.modalities)
        place = {f: spare + i for i, f in enumerate(echo)} | self.axis
        seen = {m: count + i for i, m in enumerate(self.modalities)}
        operands: list[Any] = [np.ones(self.sizes), list(range(count))]
        for f, chance in echo.items():
            operands += [chance, [place[f]]]
        for table, parents, of in tables:
            operands += [table, [*(seen[m] for m in of), *(place[f] for f in parents)]]
        result = [*(seen[m] for m in kept), *range(count)]
        return np.asarray(np.einsum(*operands, result, optimize="greedy"))

    def acts(self) -> Array:
        """Utility of each joint action in each joint state, shape [actions, states]."""
        model, controls = self.model, self.controls
        sizes = [*(model.actions[k].n for k in controls), *self.sizes]
        total = np.zeros(sizes)
        for utility in model.action_utilities:
            if not {*utility.actions} <= {*controls} or not {*utility.states} <= {*self.axis}:
                continue
            places = [len(controls) + self.axis[f] for f in utility.states]
            places += [controls.index(k) for k in utility.actions]
            ordered = np.transpose(utility.table, np.argsort(places))
            total = total + ordered.reshape([n if i in places else 1 for i, n in enumerate(sizes)])
        return total.reshape(math.prod(model.actions[k].n for k in controls), -1)
