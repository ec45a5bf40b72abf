"""``goal_gradient``: utilities that fall with the distance to a goal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.rows import Rows
from orchestrator.gmn.tables import TableError, kept, labels_matching
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Conditional, GMNSpec, Preference

    Array = NDArray[np.float64]
    #: The expanded table, shape (contexts, outcomes), or what is possible of it; None if unknown.
    Expanded = Callable[[Conditional], Array | Rows | None]


def with_gradients(spec: GMNSpec, known: Expanded = lambda _: None) -> GMNSpec:
    """An equal model with every gradient written out as values, and added to those beside it.

    `known` gives what is already expanded of a table.

    Raises: TableError: a gradient cannot be written out (409, 106), or its transition expanded.
    """
    if not any(preference.goal_gradient for preference in spec.preferences):
        return spec

    def expanded(table: Conditional) -> Array | Rows:
        found = known(table)
        return kept(spec, table) if found is None else found

    preferences = tuple(
        preference.model_copy(
            update={
                "values": tuple(graded(spec, preference, expanded).tolist()),
                "goal_gradient": (),
            }
        )
        if preference.goal_gradient
        else preference
        for preference in spec.preferences
    )
    return spec.model_copy(update={"preferences": preferences})


def graded(spec: GMNSpec, preference: Preference, expanded: Expanded) -> Array:
    """The values and gradients of a preference in nats, one per label of its target.

    The distance is counted in transitions of the state that the modality identifies (or of the
    preferred state itself); what no goal can be reached from is worth nothing.

    Raises: TableError: as `with_gradients`.
    """
    target, state = spec.variable(preference.on), state_behind(spec, preference.on)
    if target is None or not state:
        words = "its emission is not the identity of one state, whose steps could be counted;"
        words += " put it on a state, or write values or goals"
        raise TableError("GMN409", f"goal_gradient on {preference.on}: {words}")
    table = next((t for t in spec.transitions if t.of == state), None)
    rows = expanded(table) if table is not None and state in table.given else None
    if table is None or rows is None:
        words = f"{state} has no transition from its previous value; write values or goals"
        raise TableError("GMN409", f"goal_gradient on {preference.on}: {words}")
    moves = _moves(spec, table, rows)
    values = np.array(preference.values or [0.0] * target.n)
    if not len(values) == len(moves) == target.n:
        raise TableError("GMN402", f"{len(values)} values for the {target.n} of {target.name}")
    for gradient in preference.goal_gradient:
        goals = labels_matching(gradient.goal, target)
        if not goals:
            raise TableError("GMN106", f"goal {gradient.goal!r} is not a value of {target.name}")
        distance = _distance(moves, goals)
        with np.errstate(over="ignore", invalid="ignore"):  # not finite is a finding of its own
            worth = (gradient.utility * np.power(gradient.decay, distance.clip(0))).round(6)
        values += np.where(distance >= 0, worth, 0.0)
    return values


def state_behind(spec: GMNSpec, on: str) -> str:
    """The state that is `on`, or that the observation `on` identifies; empty when there is none."""
    if any(state.name == on for state in spec.states):
        return on
    likelihood = next((t for t in spec.likelihoods if t.of == on), None)
    if likelihood is None or likelihood.table.kind != "identity" or len(likelihood.given) != 1:
        return ""
    return likelihood.given[0]


def _moves(spec: GMNSpec, table: Conditional, found: Array | Rows) -> NDArray[np.bool_]:
    """Whether some context leads from one value (row) to another (column)."""
    own = table.given.index(table.of)
    sizes = [v.n for name in table.given if (v := spec.variable(name)) is not None]
    n = sizes[own]
    # A slip does not count as a move: a transition needs a large share of its row.
    if isinstance(found, Rows):
        likely = found.p >= 0.2 * found.most[found.row]
        made = np.zeros((n, n), dtype=bool)
        start = np.unravel_index(found.row[likely], sizes)[own]
        made[start, found.state[likely]] = True
        return made
    array = np.moveaxis(found.reshape([*sizes, n]), own, 0).reshape(n, -1, n)
    moves: NDArray[np.bool_] = np.any(array >= 0.2 * array.max(axis=2, keepdims=True), axis=1)
    return moves


def _distance(moves: NDArray[np.bool_], goals: Sequence[int]) -> NDArray[np.int64]:
    distance = np.full(len(moves), -1, dtype=np.int64)
    distance[list(goals)] = 0
    front, steps = list(goals), 0
    while front:
        steps += 1
        look(20, numbers=len(distance) * len(front))
        reach = np.flatnonzero(moves[:, front].any(axis=1) & (distance < 0))
        distance[reach] = steps
        front = reach.tolist()
    return distance
