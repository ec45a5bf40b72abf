"""Policies of a model, what its habits say about them, and where it ends."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.rules import labels_matching
from orchestrator.types.errors import GMNError
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import GMNSpec, Variable

    Array = NDArray[np.float64]

_LEAST = float(np.finfo(float).tiny)


def policies_of(sizes: Sequence[int], horizon: int) -> NDArray[np.int64]:
    """Every sequence of joint actions, shape [policies, horizon, actions], in C order."""
    joint = np.array(list(itertools.product(*(range(n) for n in sizes))), dtype=np.int64)
    count = len(joint) ** horizon
    look(len(joint), numbers=8 * count * horizon * len(sizes))
    steps = np.unravel_index(np.arange(count), [len(joint)] * horizon)
    return np.stack([joint[step] for step in steps], axis=1).reshape(count, horizon, len(sizes))


def habit_prior(spec: GMNSpec, actions: Sequence[Variable], policies: NDArray[np.int64]) -> Array:
    """Prior over policies, shape [policies]: the normalised product of their habit weights."""
    if not spec.habits:
        return np.full(len(policies), 1 / len(policies))
    log_prior = np.zeros(len(policies))
    for habit in spec.habits:
        k = next((i for i, action in enumerate(actions) if action.name == habit.action), None)
        if k is None or len(habit.weights) != actions[k].n:
            raise GMNError(f"compile failed: habit of {habit.action!r} does not fit an action")
        weights = np.array(habit.weights)
        if np.any(weights < 0) or not np.any(weights > 0):
            raise GMNError(
                f"compile failed: weights of habit {habit.action!r} must be >= 0, not all 0"
            )
        weights = weights / weights.max()  # so that the sum of huge weights does not overflow
        with np.errstate(divide="ignore"):  # a weight of 0 forbids the action
            log_prior += np.log(weights / weights.sum())[policies[:, :, k]].sum(axis=1)
    prior = np.exp(log_prior - log_prior.max())
    # What is only improbable must not become 0, which forbids.
    least = np.where(np.isfinite(log_prior), _LEAST, 0.0)
    return np.asarray(np.maximum(prior / prior.sum(), least))


def ends_of(states: Sequence[Variable]) -> tuple[NDArray[np.bool_], ...]:
    """Which values of every state end everything; empty where none does."""
    found = []
    for state in states:
        ends = np.zeros(state.n, dtype=bool)
        for label in state.terminal:
            if not (matches := labels_matching(label, state)):
                raise GMNError(f"compile failed: terminal {label!r} is not a value of {state.name}")
            ends[matches] = True
        found.append(ends)
    return tuple(found) if any(map(np.any, found)) else ()
