"""The possible transitions of a part over its joint states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.rows import Local, Rows, as_kept, possible
from orchestrator.types.work import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.parts import Part

#: The most numbers that are looked at for them at once.
OUTCOMES_AT_ONCE = 2**23


def transitions_of(
    model: Compiled, part: Part, actions: NDArray[np.int64], most: int
) -> Rows | None:
    """p(s' | s, u) for every joint state and action; None where more than `most` are possible."""
    states = part.states
    if len(actions) * states > most:
        return None
    joint = np.repeat(np.arange(states), len(actions))
    axes = dict(zip(part.factors, np.unravel_index(joint, part.sizes), strict=True))
    taken = dict(zip(part.controls, np.tile(actions, (states, 1)).T, strict=True))
    pair, p = np.arange(len(joint)), np.ones(len(joint))
    after = np.zeros(len(joint), dtype=np.int64)
    for f, size in zip(part.factors, part.sizes, strict=True):
        place = [axes[g][pair] for g in model.B_dependencies[f]]
        place += [taken[k][pair] for k in model.B_action_dependencies[f]]
        look(100)
        table = as_kept(model.B)[f]
        if not isinstance(table, Local) and size * len(pair) > OUTCOMES_AT_ONCE:
            return None
        follows = possible(table, place)
        if len(follows.p) > most:
            return None
        row = follows.row
        pair, after, p = pair[row], after[row] * size + follows.state, p[row] * follows.p
    start = np.searchsorted(pair, np.arange(len(joint) + 1))
    return Rows(start, after, p)
