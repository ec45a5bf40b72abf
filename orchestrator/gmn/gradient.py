"""``goal_gradient``: utilities that fall with the distance to a goal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.checks.registry import Subject
from orchestrator.gmn.codes import finding
from orchestrator.gmn.tables import labels_matching
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.formats import Gradient
    from orchestrator.gmn.limits import Limits
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.diagnostics import Diagnostic


def with_gradients(
    spec: GMNSpec, gradients: Sequence[Gradient], limits: Limits
) -> tuple[GMNSpec, list[Diagnostic]]:
    """Write each gradient out as values ``utility * decay ** distance``.

    The distance is counted in transitions of the state that the modality identifies (or of the
    preferred state itself). A gradient that cannot be expanded is returned as a finding.
    """
    subject = Subject(spec, limits)
    preferences = list(spec.preferences)
    found: list[Diagnostic] = []
    for gradient in gradients:
        preference = preferences[gradient.preference]
        values = _values(subject, preference.on, gradient)
        if isinstance(values, str):
            where = f"/preferences/{gradient.preference}"
            words = f"goal_gradient on {preference.on}: {values}"
            found.append(finding("GMN409", words, pointer=where, variable=preference.on))
        else:
            update = {"values": tuple(values)}
            preferences[gradient.preference] = preference.model_copy(update=update)
    return spec.model_copy(update={"preferences": tuple(preferences)}), found


def _values(subject: Subject, on: str, gradient: Gradient) -> list[float] | str:
    target = subject.variables.get(on)
    if target is None:
        return "its target is not defined"
    state = _state_behind(subject, on)
    if state is None:
        return "no state is identified by it; write values or goals"
    goals = labels_matching(gradient.goal, target)
    if not goals:
        return f"goal {gradient.goal!r} is not a label of it"
    moves = _moves(subject, state)
    if moves is None:
        return f"{state} has no transition that can be expanded"
    distance = _distance(moves, goals)
    return [
        round(gradient.utility * gradient.decay**d, 6) if d >= 0 else 0.0 for d in distance.tolist()
    ]


def _state_behind(subject: Subject, on: str) -> str | None:
    if subject.kinds.get(on) == "state":
        return on
    for table in subject.spec.likelihoods:
        if table.of == on and table.table.kind == "identity" and len(table.given) == 1:
            return table.given[0]
    return None


def _moves(subject: Subject, state: str) -> NDArray[np.bool_] | None:
    """Whether some context leads from one value (row) to another (column)."""
    table = next((t for t in subject.spec.transitions if t.of == state), None)
    rows = subject.matrix(table) if table is not None else None
    given = subject.given(table) if table is not None else None
    if rows is None or given is None or state not in [v.name for v in given]:
        return None
    n = rows.shape[1]
    own = [v.name for v in given].index(state)
    array = np.moveaxis(rows.reshape([*(v.n for v in given), n]), own, 0).reshape(n, -1, n)
    # A slip does not count as a move: a transition needs a large share of its row.
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
