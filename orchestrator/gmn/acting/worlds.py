"""Built-in worlds that differ from what the agent believes: the model, changed in one respect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled

    Array = NDArray[np.float64]

SLIP, WIND = 0.1, 0.2
DRIFT = 0.1
DOUBT = 0.5


def windy_grid(model: Compiled) -> Compiled:
    """A grid with slips and wind that the model does not know.

    On every state with a two-dimensional shape that an action drives: with probability 0.1 the
    action has no effect there; after that, with probability 0.2, the wind carries what stands on a
    cell to the next column, unless no action leads there (a wall, the border) or the cell is
    terminal.
    """
    tables = list(model.B)
    grids = [
        f
        for f, state in enumerate(model.states)
        if len(state.shape) == 2 and model.B_action_dependencies[f]
    ]
    if not grids:
        raise ValueError(_needs(model, "a state with a shape of two sides that an action drives"))
    for f in grids:
        table, n = tables[f], model.states[f].n
        own = 1 + model.B_dependencies[f].index(f)
        still = np.eye(n).reshape([n if axis in (0, own) else 1 for axis in range(table.ndim)])
        others = tuple(axis for axis in range(table.ndim) if axis not in (0, own))
        leads = table.max(axis=others) > 0  # [next, previous]
        wind = np.zeros((n, n))
        for cell in range(n):
            beside = cell + 1 if (cell + 1) % model.states[f].shape[1] else cell
            ends = bool(model.terminal) and model.terminal[f][cell]
            blown = beside if leads[beside, cell] and not ends else cell
            wind[cell, cell] += 1 - WIND
            wind[blown, cell] += WIND
        tables[f] = np.tensordot(wind, (1 - SLIP) * table + SLIP * still, axes=1)
    return replace(model, B=tuple(tables))


def drifting_context(model: Compiled) -> Compiled:
    """What no action drives (which arm pays, where the cheese is) changes more than believed.

    At every step such a state takes, with probability 0.1, another value than the model says.
    """
    tables = list(model.B)
    for f in _undriven(model, "a state of two values or more that no action drives"):
        table = tables[f]
        tables[f] = (1 - DRIFT) * table + DRIFT * (1 - table) / (len(table) - 1)
    return replace(model, B=tuple(tables))


def unreliable_cue(model: Compiled) -> Compiled:
    """A cue says less than believed: half of what it tells about a state no action drives.

    A cue is an observation without preferences that depends on such a state. With probability 0.5
    it shows what it would show for one of that state's values, all equally probable.
    """
    wanted = (
        "an observation without preferences that tells about a state of two values or more that no"
        " action drives"
    )
    hidden = _undriven(model, wanted)
    tables = list(model.A)
    for m, (table, preferred) in enumerate(zip(model.A, model.C, strict=True)):
        axes = tuple(1 + i for i, f in enumerate(model.A_dependencies[m]) if f in hidden)
        if axes and not preferred.any():
            tables[m] = (1 - DOUBT) * table + DOUBT * table.mean(axis=axes, keepdims=True)
    if all(np.array_equal(a, b) for a, b in zip(tables, model.A, strict=True)):
        raise ValueError(_needs(model, wanted))
    return replace(model, A=tuple(tables))


def _undriven(model: Compiled, wanted: str) -> list[int]:
    found = [
        f for f, s in enumerate(model.states) if s.n > 1 and not model.B_action_dependencies[f]
    ]
    if not found:
        raise ValueError(_needs(model, wanted))
    return found


def _needs(model: Compiled, what: str) -> str:
    states = ", ".join(
        f"{s.name} (shape {list(s.shape) or [s.n]}, driven by "
        f"{', '.join(model.actions[k].name for k in controls) or 'no action'})"
        for s, controls in zip(model.states, model.B_action_dependencies, strict=True)
    )
    seen = ", ".join(v.name for v in model.observations)
    return f"this world needs {what}; the model has the states {states} and observes {seen}"


#: What makes a world of a model, by the name of the world.
#: Each raises ValueError where the model has nothing that it could change.
WORLDS: dict[str, Callable[[Compiled], Compiled]] = {
    "windy-grid": windy_grid,
    "drifting-context": drifting_context,
    "unreliable-cue": unreliable_cue,
}
