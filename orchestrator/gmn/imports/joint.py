"""A compiled model as one joint state, action and observation, for formats that have no factors."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.types.errors import GMNError
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import Variable

    Array = NDArray[np.float64]

#: Numbers of one joint table.
MOST = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class JointModel:
    """One step as T [a, s, s'], O [a, s', o], and what it is worth: U [a, s], V [s'], C [o].

    Attributes:
        states, actions, observations: a label for each value; empty where they are numbers.
        ends: which states end everything, [s]: nothing is gained there and nothing moves.
    """

    states: tuple[str, ...]
    actions: tuple[str, ...]
    observations: tuple[str, ...]
    start: Array
    moved: Array
    sees: Array
    done: Array
    entered: Array
    observed: Array
    ends: NDArray[np.bool_]


def joint_of(model: Compiled) -> JointModel:
    """The product of all factors, actions and modalities, each in C order of their declaration.

    Raises: GMNError: a table would be too large, or joint labels are not distinct.
    """
    n, u, o = (
        math.prod(v.n for v in those) for those in (model.states, model.actions, model.observations)
    )
    if max(u * n * n, n * o) > MOST:
        raise GMNError(
            f"all factors together have {n} states, {u} actions and {o} observations; a table"
            f" would have more than {MOST:,} numbers: declare fewer values"
        )
    look(100, numbers=16 * (u * n * n + n * o))
    at = np.indices([s.n for s in model.states]).reshape(len(model.states), n)
    doing = np.indices([k.n for k in model.actions]).reshape(len(model.actions), u)
    moved = np.stack([_moved(model, at, doing[:, k]) for k in range(u)])
    sees = _outer([a[(slice(None), *at[list(d)])].T for a, d in _likelihoods(model)])
    start = _outer([d[None] for d in model.D])[0]
    ends = np.zeros(n, dtype=bool)
    for where, index in zip(model.terminal, at, strict=False):
        ends |= where[index]
    moved[:, ends] = np.eye(n)[ends]
    done = np.zeros((u, n))
    for one in model.action_utilities:
        for k in range(u):
            place: Any = (*at[list(one.states)], *doing[list(one.actions), k])
            done[k] += one.table[place]
    done[:, ends] = 0.0
    entered = sum((v[index] for v, index in zip(model.V, at, strict=True)), np.zeros(n))
    seen = np.indices([m.n for m in model.observations]).reshape(len(model.observations), o)
    observed = sum((c[index] for c, index in zip(model.C, seen, strict=True)), np.zeros(o))
    states, actions = labels_of(model.states), labels_of(model.actions)
    observations = labels_of(model.observations)
    sees = np.broadcast_to(sees, (u, *sees.shape))
    return JointModel(
        states, actions, observations, start, moved, sees, done, entered, observed, ends
    )


def _likelihoods(model: Compiled) -> Any:
    return zip(model.A, model.A_dependencies, strict=True)


def _moved(model: Compiled, at: Any, control: Any) -> Array:
    """P(next | state) of all factors together under one joint action."""
    parts = []
    for f, (parents, controls) in enumerate(
        zip(model.B_dependencies, model.B_action_dependencies, strict=True)
    ):
        chosen = model.B[f][(..., *control[list(controls)])]
        parts.append(chosen[(slice(None), *at[list(parents)])].T)
    return _outer(parts)


def _outer(parts: Sequence[Array]) -> Array:
    """Row by row the product of independent distributions, the first varying slowest."""
    made = parts[0]
    for part in parts[1:]:
        made = (made[:, :, None] * part[:, None, :]).reshape(len(made), -1)
    return made


def labels_of(variables: Sequence[Variable]) -> tuple[str, ...]:
    """Labels of the joint values; none where they are the numbers that count them anyway."""
    if len(variables) == 1:
        names = variables[0].names
        return () if names == tuple(map(str, range(len(names)))) else names
    words = [
        [name if not name[:1].isdigit() else f"{v.name}{name}" for name in v.names]
        for v in variables
    ]
    for between in ("_", "-", "__"):
        made = tuple(between.join(parts) for parts in itertools.product(*words))
        if len(set(made)) == len(made):
            return made
    raise GMNError(
        f"the labels of {' and '.join(v.name for v in variables)} do not stay distinct when they"
        " are joined; rename one"
    )
