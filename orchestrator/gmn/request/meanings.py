"""Whether what is named alike belongs together: ``go_left`` leads to ``left``, ``up`` goes up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.request.labels import stems
from orchestrator.gmn.request.tokens import words
from orchestrator.gmn.rows import Local, as_kept
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Variable
    from orchestrator.gmn.request.worth import Held

    Array = NDArray[np.float64]

_MOST_NUMBERS = 2**18
_SLACK = 1e-6
#: Axis of a grid and direction on it.
_DIRECTIONS = {
    **dict.fromkeys(words("up north upward upwards"), (0, -1)),
    **dict.fromkeys(words("down south downward downwards"), (0, 1)),
    **dict.fromkeys(words("left west"), (1, -1)),
    **dict.fromkeys(words("right east"), (1, 1)),
    **dict.fromkeys(words("forward forwards ahead next"), (-1, 1)),
    **dict.fromkeys(words("back backward backwards previous"), (-1, -1)),
}


def clash(held: Held, variable: Variable) -> str:
    """What a variable's name says and its tables deny, in words; empty where nothing is."""
    for index, action in enumerate(held.model.actions):
        if action.name == variable.name:
            return next(_misled(held, index), "")
    for index, observation in enumerate(held.model.observations):
        if observation.name == variable.name:
            return _misread(held, index)
    return ""


def _pairs(one: Variable, other: Variable) -> list[tuple[int, int]]:
    """Labels of two variables that share a word which no other label of either has."""
    if one.n * other.n > _MOST_NUMBERS:
        return []
    look(8 * (one.n + other.n))
    same = [label for label in one.names if label in other.names]
    found = {one.names.index(label): other.names.index(label) for label in same}
    own, others = (_distinctive(variable) for variable in (one, other))
    for part, i in own.items():
        if part in others:
            found.setdefault(i, others[part])
    return list(found.items())


def _distinctive(variable: Variable) -> dict[str, int]:
    found: dict[str, int] = {}
    shared = set[str]()
    for index, name in enumerate(variable.names):
        for part in stems(name):
            shared |= {part} & found.keys()
            found[part] = index
    return {part: index for part, index in found.items() if part not in shared}


def _misread(held: Held, index: int) -> str:
    """An observation that is shown best by a state other than the one it is called after.

    It may be called after values of several states: that it shows one of them is enough.
    """
    variable, table = held.model.observations[index], held.model.A[index]
    doubt = ""
    for axis, factor in enumerate(held.model.A_dependencies[index], 1):
        state = held.model.states[factor]
        pairs = _pairs(variable, state)
        wrong = [(seen, at) for seen, at in pairs if not _is_shown(table, seen, axis, at)]
        if pairs and not wrong:
            return ""
        for seen, at in wrong[:1]:
            label = f"{state.name}={state.names[at]}"
            doubt = f"{variable.name}={variable.names[seen]} is not what is seen at {label}"
    return doubt


def _is_shown(table: Array, seen: int, axis: int, at: int) -> bool:
    """Whether in some context no other value of a state makes an observation as probable."""
    moved = np.moveaxis(table[seen], axis - 1, 0)
    if len(moved) == 1:
        return True
    most = np.delete(moved, at, axis=0).max(axis=0)
    return bool((moved[at] > most + _SLACK).any())


def _misled(held: Held, index: int) -> Iterator[str]:
    """An action that leads elsewhere than its name says, more than another action does."""
    action = held.model.actions[index]
    tables: Sequence[Array | Local] = as_kept(held.model.B)
    for factor, table in enumerate(tables):
        driven = held.model.B_action_dependencies[factor]
        if index not in driven or isinstance(table, Local) or table.size > _MOST_NUMBERS:
            continue
        look(numbers=table.size)
        state = held.model.states[factor]
        axis = 1 + len(held.model.B_dependencies[factor]) + driven.index(index)
        by_action = table.mean(
            axis=tuple(a for a in range(1, table.ndim) if a != axis)
        )  # [next, action]
        for done, at in _pairs(action, state):
            if by_action[at, done] < by_action[at].max() - _SLACK:
                best = action.names[int(by_action[at].argmax())]
                yield f"{best} leads to {state.name}={state.names[at]} rather than" + (
                    f" {action.names[done]}"
                )
        yield from _turned(held, table, factor, axis, action)


def _turned(held: Held, table: Array, factor: int, axis: int, action: Variable) -> Iterator[str]:
    """An action called after a direction that goes the other way."""
    state = held.model.states[factor]
    shape = state.shape if len(state.shape) == 2 else (state.n,)
    own = 1 + held.model.B_dependencies[factor].index(factor)
    others = tuple(a for a in range(1, table.ndim) if a not in (own, axis))
    step = np.moveaxis(table, (own, axis), (1, 2)).mean(axis=tuple(range(3, 3 + len(others))))
    at = np.array(np.unravel_index(np.arange(state.n), shape))
    for done, name in enumerate(action.names):
        known = [_DIRECTIONS[part] for part in name.casefold().split("_") if part in _DIRECTIONS]
        if len(known) != 1 or (known[0][0] >= 0) != (len(shape) == 2):
            continue
        along, wanted = at[known[0][0]], known[0][1]
        ways = np.sign(along[:, None] - along[None, :])  # [next, previous]
        share = float((step[:, :, done] * (ways == wanted)).sum())
        if share < float((step[:, :, done] * (ways == -wanted)).sum()):
            yield f"{name} goes the other way along {state.name}"
