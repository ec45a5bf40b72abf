"""Rewards on (action, state, next state, observation) as the language's utilities.

What an agent gains never tells it anything, so a reward counts as what is expected of it: for any
policy the expected sum is the same. Where R is a sum U(a, s) + V(s') + C(o) it is said as that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.imports.printed import worth
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    #: Labels of the actions, the states and the observations.
    Labels = Sequence[Sequence[str]]

_EXACT = 1e-12
_MOST_RULES = 100  # of one preference; several add up


@dataclass(frozen=True, slots=True, eq=False)
class Rewards:
    """R [a, s, s', o]; an axis of length 1 is one on which it does not depend."""

    table: Array


def preferences(
    rewards: Rewards, moved: Array, sees: Array, labels: Labels, named: Mapping[str, str]
) -> tuple[list[dict[str, object]], str]:
    """The preferences that mean R, and how they say it otherwise; empty words: as the file does.

    `moved` is T [a, s, s'], `sees` is O [a, s', o].
    """
    actions, states, seen = labels
    how = ""
    parts = _parts(rewards.table)
    if parts is None:
        how = (
            "R is not a sum of utilities of (action, state), next state and observation; each pair"
            " of state and action is worth what is expected of R: every policy gains the same"
        )
        parts = _expected(rewards.table, moved, sees), np.zeros(1), np.zeros(1)
    done, entered, observed = parts
    made: list[dict[str, object]] = []
    if done.any():
        made += _done(done, actions, states, named)
    if entered.any():
        made.append(worth(named["state"], np.broadcast_to(entered, len(states)), states))
    if observed.any():
        made.append(worth(named["observation"], np.broadcast_to(observed, len(seen)), seen))
    return made, how


def _parts(r: Array) -> tuple[Array, Array, Array] | None:
    """U [a, s], V [s'] and C [o] whose sum R is; None where there are none."""
    look(100, numbers=8 * r.size)
    done, entered, observed = r[:, :, 0, 0], r[0, 0, :, 0], r[0, 0, 0, :]
    zero = np.zeros(1)
    if r.shape[2:] == (1, 1):
        return done, zero, zero
    if r.size == len(observed):
        return zero[None], zero, observed
    if r.size == len(entered):
        return zero[None], entered, zero
    entered, observed = entered - r[0, 0, 0, 0], observed - r[0, 0, 0, 0]
    total = done[:, :, None, None] + entered[:, None] + observed
    if np.abs(total - r).max() > _EXACT * max(1.0, float(np.abs(r).max())):
        return None
    shift = 0.0  # so that what is worth most often the same is worth 0
    for part in (entered, observed):
        values, counts = np.unique(part, return_counts=True)
        usual = values[counts.argmax()]
        part[:] = part - usual
        shift += usual
    done = done + shift
    if np.ptp(done) == 0:
        (entered if len(entered) > 1 else observed)[:] += done[0, 0]
        done = zero[None]
    return done, entered, observed


def _expected(r: Array, moved: Array, sees: Array) -> Array:
    """What is expected of R in each state for each action, U [a, s]."""
    einsum: Any = np.einsum  # its stubs know no lists of axes
    for table, axes, gone in ((sees, [0, 2, 3], 3), (moved, [0, 1, 2], 2)):
        kept = [axis for axis in range(r.ndim) if r.shape[axis] > 1]
        if gone in kept:
            size = dict(zip(axes, table.shape, strict=True)) | {k: r.shape[k] for k in kept}
            look(100, numbers=2 * math.prod(size.values()))
            out = [axis for axis in range(gone) if axis in size]
            used = r.reshape([r.shape[axis] for axis in kept])
            r = einsum(used, kept, table, axes, out, optimize=True)
            r = r.reshape([size.get(axis, 1) for axis in range(gone)])
        else:
            r = r.sum(axis=gone)
    return r


def _done(
    table: Array, actions: Sequence[str], states: Sequence[str], named: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    """Utilities of doing an action in a state; equal rows of actions are said once."""
    table = np.broadcast_to(table, (len(actions), len(states)))
    if (table == table[:, :1]).all():
        yield worth(named["action"], table[:, 0], actions)
        return
    rules: list[dict[str, object]] = []
    rows, which = np.unique(table, axis=0, return_inverse=True)
    for i, row in enumerate(rows):
        look(20 + len(row))
        doers = [actions[k] for k in np.flatnonzero(which.reshape(-1) == i).tolist()]
        when = [] if len(doers) == len(actions) else [{"var": named["action"], "values": doers}]
        for value in np.unique(row[row != 0]):
            where = [states[k] for k in np.flatnonzero(row == value).tolist()]
            there = [{"var": named["state"], "values": where}] if len(where) < len(row) else []
            rules.append({"when": [*when, *there], "utility": float(value)})
    for at in range(0, len(rules), _MOST_RULES):
        part = rules[at : at + _MOST_RULES]
        yield {"on": named["state"], "given": [named["action"]], "rules": part}
