"""Compiles a valid document into arrays in pymdp's layout."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.gmn.gradient import with_gradients
from orchestrator.gmn.model import Variable
from orchestrator.gmn.payoffs import Payoffs, utilities
from orchestrator.gmn.policies import ends_of, habit_prior, policies_of
from orchestrator.gmn.rows import SPARSE, Local, Rows, Transitions
from orchestrator.gmn.tables import (
    TableError,
    entries,
    matrix,
    possible_rows,
    stored,
    variables_of,
)
from orchestrator.types.errors import GMNError
from orchestrator.types.work import doing, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Conditional, GMNSpec, Inference, Selection

    Array = NDArray[np.float64]
    Known = Callable[[Conditional], Array | Rows | None]

#: The action of a model that declares no action; valid, and made without a validator of its class,
#: which takes 3 ms to build.
PASSIVE = Variable.model_construct(name="none", labels=("none",))


@dataclass(frozen=True, slots=True, eq=False)
class ActionUtility:
    """Utility in nats of doing something in some state, gained at the step at which it is done.

    One of several states together counts in the state that is entered, as V does: its table holds
    what is expected of the next state.

    Attributes:
        states, actions: indices of the state factors and actions on which it depends.
        table: shape [|s_f| for f in states, |u_k| for k in actions].
    """

    states: tuple[int, ...]
    actions: tuple[int, ...]
    table: Array


@dataclass(frozen=True, slots=True)
class Learned:
    """An array that experience changes.

    Attributes:
        kind, index: which one; ``A`` and 0 is the first likelihood.
        concentration: what each of its distributions is worth in observations: the distribution
            times it are the counts of a Dirichlet prior.
        is_repeated: whether the document writes a row once for all values of a state (the first of
            a likelihood without parents, a transition's own previous value).
    """

    kind: Literal["A", "B", "D"]
    index: int
    concentration: float = 1.0
    is_repeated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A generative model as arrays, float64, every distribution normalised.

    Attributes:
        states, observations, actions: the variables, in declaration order; an action-free model
            has the single one-label action ``none``.
        A: likelihoods, A[m] of shape [|o_m|, |s_d| for d in A_dependencies[m]]; axis 0 sums to 1.
        B: transitions, B[f] of shape [|s_f|, |s_d| for d in B_dependencies[f],
            |u_k| for k in B_action_dependencies[f]]; axis 0 sums to 1; f is in B_dependencies[f].
            Where few outcomes are possible they alone are kept (`rows.as_kept`); B[f] is then made
            each time that it is asked for, and raises GMNError where it would be too large.
        C: log-preferences in nats, C[m] of shape [|o_m|], zeros where nothing is preferred.
        D: priors, D[f] of shape [|s_f|].
        V: state utilities in nats, V[f] of shape [|s_f|], zeros where nothing is preferred.
        E: prior over policies, shape [policies], sums to 1.
        policies: action indices, shape [policies, horizon, actions], in C order of the actions of
            each step, the first step varying slowest; of one step where selection is contingent.
        horizon: how many steps are looked ahead.
        gamma: precision over policies.
        inference: how beliefs are computed; see `orchestrator.gmn.engine`.
        discount: what a nat is worth one step later, in (0, 1].
        terminal: for every state factor, bool of shape [|s_f|]: True where everything ends, with
            no further utility; empty where nothing ends.
        action_utilities: what doing something in some state is worth.
        learned: the arrays that experience changes.
    """

    states: tuple[Variable, ...]
    observations: tuple[Variable, ...]
    actions: tuple[Variable, ...]
    A: tuple[Array, ...]
    B: Sequence[Array]
    C: tuple[Array, ...]
    D: tuple[Array, ...]
    V: tuple[Array, ...]
    E: Array
    A_dependencies: tuple[tuple[int, ...], ...]
    B_dependencies: tuple[tuple[int, ...], ...]
    B_action_dependencies: tuple[tuple[int, ...], ...]
    policies: NDArray[np.int64]
    horizon: int
    gamma: float
    selection: Selection
    info_gain: bool
    inference: Inference = "auto"
    discount: float = 1.0
    terminal: tuple[NDArray[np.bool_], ...] = ()
    action_utilities: tuple[ActionUtility, ...] = ()
    learned: tuple[Learned, ...] = ()

    @property
    def has_state_utility(self) -> bool:
        """Whether a hidden state has a utility, which pymdp cannot express exactly."""
        return any(np.any(v != 0) for v in self.V)

    @property
    def beyond_pymdp(self) -> tuple[str, ...]:
        """What the model says that no argument of pymdp's agent can, in words."""
        said = {
            "the utility of a hidden state": self.has_state_utility,
            "the utility of an action": bool(self.action_utilities),
            f"the discount {self.discount:g}": self.discount != 1,
            "terminal labels": any(np.any(ends) for ends in self.terminal),
            "contingent plans": self.selection == "contingent",
        }
        return tuple(what for what, is_said in said.items() if is_said)

    def to_json(self) -> dict[str, object]:
        """The arrays as nested lists under pymdp's argument names, JSON-ready."""
        arrays: dict[str, object] = {
            name: [array.tolist() for array in getattr(self, name)] for name in ("A", "B", "C", "D")
        }
        if self.has_state_utility:
            arrays["V"] = [v.tolist() for v in self.V]
        if self.discount != 1:
            arrays["discount"] = self.discount
        if self.terminal:
            arrays["terminal"] = [ends.tolist() for ends in self.terminal]
        if self.action_utilities:
            arrays["action_utilities"] = [
                {"states": list(u.states), "actions": list(u.actions), "table": u.table.tolist()}
                for u in self.action_utilities
            ]
        if self.learned:
            arrays["learned"] = [dataclasses.asdict(one) for one in self.learned]
        if self.beyond_pymdp:
            arrays["not_in_pymdp"] = list(self.beyond_pymdp)
        return {
            **arrays,
            "E": self.E.tolist(),
            "A_dependencies": [list(d) for d in self.A_dependencies],
            "B_dependencies": [list(d) for d in self.B_dependencies],
            "B_action_dependencies": [list(d) for d in self.B_action_dependencies],
            "num_controls": [u.n for u in self.actions],
            "policy_len": self.horizon,
            "gamma": self.gamma,
            "use_states_info_gain": self.info_gain,
            "action_selection": self.selection,
            "labels": {
                "states": {v.name: list(v.names) for v in self.states},
                "observations": {v.name: list(v.names) for v in self.observations},
                "actions": {v.name: list(v.names) for v in self.actions},
            },
        }


def compile_spec(spec: GMNSpec, known: Known = lambda _: None) -> Compiled:
    """Expand every table into an array with pymdp's axes.

    A state without transition is static; a state without prior starts uniform. `known` gives what
    is already expanded of a table (`tables.expand`, or `tables.possible_rows`).

    Raises: GMNError: the document cannot be compiled; the message names the table and the reason.
    """
    doing("compiling the tables")
    layout = _Layout(spec, known)
    try:
        spec = with_gradients(spec, known)
        likelihoods = [layout.likelihood(o) for o in spec.observations]
        transitions = [layout.transition(f) for f in range(len(spec.states))]
        priors = [layout.prior(s) for s in spec.states]
        payoffs = Payoffs(spec, layout.actions, transitions)
    except TableError as error:
        raise GMNError(f"compile failed: {error}") from error
    # A contingent plan is a tree: what is compared is its first actions.
    length = 1 if spec.policy.selection == "contingent" else spec.policy.horizon
    policies = policies_of([u.n for u in layout.actions], length)
    compiled = Compiled(
        states=spec.states,
        observations=spec.observations,
        actions=layout.actions,
        A=tuple(array for array, _ in likelihoods),
        B=Transitions([table for table, _, _ in transitions]),
        C=tuple(utilities(spec.preferences, o) for o in spec.observations),
        D=tuple(priors),
        V=payoffs.states,
        E=habit_prior(spec, layout.actions, policies),
        A_dependencies=tuple(parents for _, parents in likelihoods),
        B_dependencies=tuple(parents for _, parents, _ in transitions),
        B_action_dependencies=tuple(controls for _, _, controls in transitions),
        policies=policies,
        horizon=spec.policy.horizon,
        gamma=spec.policy.gamma,
        selection=spec.policy.selection,
        info_gain=spec.policy.info_gain,
        inference=spec.policy.inference,
        discount=spec.policy.discount,
        terminal=ends_of(spec.states),
        learned=tuple(_learned(spec)),
        action_utilities=tuple(ActionUtility(*at, u) for at, u in payoffs.others.items()),
    )
    _require_finite(compiled)
    return compiled


def _require_finite(model: Compiled) -> None:
    """Raise GMNError when utilities times precision and horizon exceed the largest float."""
    with np.errstate(over="ignore"):
        gained = (u.table for u in model.action_utilities)
        reach = sum(float(np.abs(u).max()) for u in (*model.C, *model.V, *gained))
        # An upper bound on |gamma * neg_efe| of one policy.
        extreme = (
            model.gamma * model.horizon * (reach + sum(math.log(o.n) for o in model.observations))
        )
    if not math.isfinite(extreme):
        raise GMNError(
            f"compile failed: gamma {model.gamma:g} times utilities that reach {reach:g} nats over"
            f" {model.horizon} steps is more than a float can hold; use smaller numbers"
        )


class _Layout:
    """Expands tables and orders their axes; holds the index of each variable."""

    def __init__(self, spec: GMNSpec, known: Known) -> None:
        self._known = known
        if not spec.states or not spec.observations:
            missing = "state" if not spec.states else "observation"
            raise GMNError(f"compile failed: the document declares no {missing}")
        self.spec = spec
        self.actions = spec.actions or (PASSIVE,)
        self.state_index = {v.name: i for i, v in enumerate(spec.states)}
        self.action_index = {v.name: i for i, v in enumerate(self.actions)}

    def _one(self, tables: Sequence[Conditional], of: str) -> Conditional | None:
        found = [table for table in tables if table.of == of]
        if len(found) > 1:
            raise GMNError(f"compile failed: {of} has {len(found)} tables, needs one")
        return found[0] if found else None

    def _expanded(self, conditional: Conditional) -> Array:
        known = self._known(conditional)
        return known if isinstance(known, np.ndarray) else matrix(self.spec, conditional)

    def _ordered(
        self, conditional: Conditional, of: Variable
    ) -> tuple[Array, tuple[int, ...], tuple[int, ...]]:
        """The table as [of, states in declaration order, actions in declaration order]."""
        expanded = self._expanded(conditional)
        look(100, numbers=16 * expanded.size)
        order, states, controls = self._order(conditional, of)
        sizes = [v.n for v in variables_of(self.spec, conditional)[1]]
        array = np.moveaxis(expanded.reshape([*sizes, of.n]), -1, 0)
        array = array.transpose([0, *(1 + axis for axis in order)])
        return _normalised(array, of), states, controls

    def _order(
        self, conditional: Conditional, of: Variable
    ) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
        """The parents in the order of the axes, and which states and actions they are."""
        given = conditional.given
        states = sorted(self.state_index[n] for n in given if n in self.state_index)
        controls = sorted(self.action_index[n] for n in given if n in self.action_index)
        wanted = [self.spec.states[i].name for i in states] + [
            self.actions[k].name for k in controls
        ]
        if sorted(wanted) != sorted(given):
            raise GMNError(
                f"compile failed: {of.name} has a parent that is neither state nor action"
            )
        return [given.index(name) for name in wanted], tuple(states), tuple(controls)

    def _local(
        self, conditional: Conditional, of: Variable
    ) -> tuple[Local, tuple[int, ...], tuple[int, ...]] | None:
        """The same as possible outcomes; None where it is kept as an array."""
        _, given = variables_of(self.spec, conditional)
        if stored(conditional, of, given) >= entries(of, given):
            return None
        order, states, controls = self._order(conditional, of)
        sizes = [parent.n for parent in given]
        rows = self._known(conditional)
        if not isinstance(rows, Rows):
            rows = possible_rows(conditional.table, of, given)
        contexts = np.arange(len(rows)).reshape(sizes).transpose(order).reshape(-1)
        rows, shape = rows.take(contexts), (of.n, *(sizes[axis] for axis in order))
        total = rows.total(rows.p)
        _require_distributions(rows.p, total, of)
        local = Local(Rows(rows.start, rows.state, rows.p / total[rows.row]), shape)
        return local, states, controls

    def likelihood(self, observation: Variable) -> tuple[Array, tuple[int, ...]]:
        conditional = self._one(self.spec.likelihoods, observation.name)
        if conditional is None:
            raise GMNError(f"compile failed: observation {observation.name} has no likelihood")
        array, parents, controls = self._ordered(conditional, observation)
        if controls:
            raise GMNError(f"compile failed: likelihood of {observation.name} depends on an action")
        if not parents:  # pymdp needs at least one state axis
            array, parents = _broadcast(array, 1, self.spec.states[0].n), (0,)
        return array, parents

    def transition(self, factor: int) -> tuple[Array | Local, tuple[int, ...], tuple[int, ...]]:
        state = self.spec.states[factor]
        conditional = self._one(self.spec.transitions, state.name)
        if conditional is None:
            still = Rows(np.arange(state.n + 1), np.arange(state.n), np.ones(state.n))
            is_small = state.n < SPARSE
            table = np.eye(state.n) if is_small else Local(still, (state.n, state.n))
            return table, (factor,), ()
        if (local := self._local(conditional, state)) is not None:
            return local
        array, parents, controls = self._ordered(conditional, state)
        if factor not in parents:  # the next value does not depend on the previous one: repeat it
            at = 1 + sum(parent < factor for parent in parents)
            array = _broadcast(array, at, state.n)
            parents = tuple(sorted((*parents, factor)))
        return array, parents, controls

    def prior(self, state: Variable) -> Array:
        conditional = self._one(self.spec.priors, state.name)
        if conditional is None:
            return np.full(state.n, 1.0 / state.n)
        if conditional.given:
            raise GMNError(f"compile failed: the prior of {state.name} must not have parents")
        return _normalised(self._expanded(conditional)[0], state)


def _broadcast(array: Array, axis: int, size: int) -> Array:
    return np.repeat(np.expand_dims(array, axis), size, axis=axis)


def _normalised(array: Array, of: Variable) -> Array:
    total = array.sum(axis=0, keepdims=True)
    _require_distributions(array, total, of)
    return np.ascontiguousarray(array / total)


def _require_distributions(array: Array, total: Array, of: Variable) -> None:
    # Valid rows sum to 1 within rounding; the division removes the rounding. NaN is not >= 0.
    if not (array.min(initial=0.0) >= 0 and np.abs(total - 1.0).max(initial=0.0) <= 1e-6):
        raise GMNError(f"compile failed: a row of the table of {of.name} is not a distribution")


def _learned(spec: GMNSpec) -> Iterator[Learned]:
    kinds: tuple[tuple[Literal["A", "B", "D"], Sequence[Variable], Sequence[Conditional]], ...] = (
        ("A", spec.observations, spec.likelihoods),
        ("B", spec.states, spec.transitions),
        ("D", spec.states, spec.priors),
    )
    for kind, variables, tables in kinds:
        names = [v.name for v in variables]
        for table in tables:
            if table.learn and table.of in names:
                yield learned_as(kind, names.index(table.of), table)


def learned_as(kind: Literal["A", "B", "D"], index: int, table: Conditional | None) -> Learned:
    """What learns an array that comes from `table`, or that the document leaves out."""
    if table is None:
        return Learned(kind, index)
    is_repeated = not table.given if kind == "A" else kind == "B" and table.of not in table.given
    return Learned(kind, index, table.concentration, is_repeated)


def joint_size(variables: Sequence[Variable]) -> int:
    """Number of joint values, in Python integers."""
    return math.prod(v.n for v in variables)
