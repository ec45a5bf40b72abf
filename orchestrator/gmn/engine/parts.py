"""Splits a model into parts that never meet, and says which of them can be exact.

Factors meet when they are parents of one likelihood, or when one is a parent of the other's
transition, or in the utility of an action. Beliefs over factors that never meet stay independent,
so each part has a joint distribution of its own and the joint of the whole model is never needed.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.types.errors import GMNError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled

    Array = NDArray[np.float64]

#: The most joint states of a part whose beliefs are exact.
EXACT_STATES = 4096
#: The most numbers that one exact step may hold at once (32 MB).
EXACT_NUMBERS = 2**22


@dataclass(frozen=True, slots=True)
class Part:
    """State factors that meet each other and no other factor; all are indices into the model.

    Attributes:
        factors: its state factors, in declaration order.
        modalities: the observations that depend on them.
        controls: the actions that drive them or whose utility depends on them.
        utilities: the action utilities that are counted here.
        sizes: how many values each of the factors has.
        outcomes: how many joint observations there are.
        numbers: the most numbers that moving one joint belief holds at once.
    """

    factors: tuple[int, ...]
    modalities: tuple[int, ...]
    controls: tuple[int, ...]
    utilities: tuple[int, ...]
    sizes: tuple[int, ...]
    outcomes: int
    numbers: int

    @property
    def states(self) -> int:
        """Number of joint states."""
        return math.prod(self.sizes)

    @property
    def reason(self) -> str:
        """Why its joint distribution cannot be exact; empty when it can."""
        if self.states > EXACT_STATES:
            return f"{self.states} joint states, more than {EXACT_STATES}"
        if self.numbers > EXACT_NUMBERS:
            return f"a step of {self.numbers} numbers, more than {EXACT_NUMBERS}"
        return ""


def parts_of(model: Compiled) -> tuple[Part, ...]:
    """The parts of a model, in order of their first factor."""
    group = list(range(len(model.states)))
    utilities = [u.states for u in model.action_utilities if u.states]
    planned = _planned_together(model) if model.selection == "contingent" else []
    for meeting in (*model.A_dependencies, *model.B_dependencies, *utilities, *planned):
        joined = {group[f] for f in meeting}
        group = [min(joined) if g in joined else g for g in group]
    return tuple(
        _part(model, tuple(f for f, g in enumerate(group) if g == one))
        for one in sorted(set(group))
    )


def _planned_together(model: Compiled) -> list[set[int]]:
    """The factors that one action is about: what is seen of one decides about the others.

    All of them where something ends, which ends everything.
    """
    if model.terminal:
        return [set(range(len(model.states)))]
    meetings: list[set[int]] = [set() for _ in model.actions]
    for f, controls in enumerate(model.B_action_dependencies):
        for k in controls:
            meetings[k].add(f)
    for utility in model.action_utilities:
        for k in utility.actions:
            meetings[k].update(utility.states or (0,))
    return [meeting for meeting in meetings if meeting]


def _part(model: Compiled, factors: tuple[int, ...]) -> Part:
    # A utility without states has to be counted somewhere: beside the first factor.
    utilities = [
        i for i, u in enumerate(model.action_utilities) if (u.states or (0,))[0] in factors
    ]
    controls = {k for f in factors for k in model.B_action_dependencies[f]}
    controls |= {k for i in utilities for k in model.action_utilities[i].actions}
    modalities = [m for m, parents in enumerate(model.A_dependencies) if parents[0] in factors]
    return Part(
        factors,
        tuple(modalities),
        tuple(sorted(controls)),
        tuple(utilities),
        tuple(model.states[f].n for f in factors),
        math.prod(model.observations[m].n for m in modalities),
        max(held for _, held in elimination(model, factors)),
    )


def impossible(model: Compiled) -> tuple[str, str] | None:
    """Where in the document a model cannot run as it asks, and why; None where it can.

    A part is too large for the inference or the plans that are asked for, or they do not fit.
    """
    is_contingent = model.selection == "contingent"
    if is_contingent and model.inference == "mean_field":
        words = "contingent plans need exact beliefs; write inference: auto"
        return "/policy/inference", words
    for part in parts_of(model) if is_contingent or model.inference == "exact" else ():
        reason, said = part.reason, "exact inference is not possible"
        at, advice = "/policy/inference", "inference: auto"
        if is_contingent:
            said = "contingent planning is not possible"
            at, advice = "/policy/selection", "selection: deterministic"
            if not reason and part.outcomes * part.states > EXACT_NUMBERS:
                reason = f"{part.states} joint states times {part.outcomes} joint observations,"
                reason += f" more than {EXACT_NUMBERS}"
        if reason:
            names = ", ".join(model.states[f].name for f in part.factors)
            return at, f"{said}: {names} have {reason}; write {advice}, or make them smaller"
    return None


def require_possible(model: Compiled) -> None:
    """Raises: GMNError: the model is `impossible`."""
    if found := impossible(model):
        raise GMNError(found[1])


def actions_of(model: Compiled, part: Part) -> NDArray[np.int64]:
    """Every joint action of a part, shape [actions, controls], in C order."""
    sizes = [model.actions[k].n for k in part.controls]
    return np.array(list(itertools.product(*map(range, sizes))), dtype=np.int64)


def places_of(model: Compiled, part: Part, actions: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place in `actions_of` of each row of joint actions [..., actions of the model]."""
    if not part.controls:
        return np.zeros(actions.shape[:-1], dtype=np.int64)
    place = actions[..., part.controls[0]]
    for k in part.controls[1:]:
        place = place * model.actions[k].n + actions[..., k]
    return place


def per_action(
    part: Part, actions: NDArray[np.int64], table: Array, controls: Sequence[int]
) -> Array:
    """A table whose last axes are `controls`, with one axis of all joint `actions` instead.

    Its size is 1 where there are no controls.
    """
    at = [actions[:, part.controls.index(k)] for k in controls]
    place: tuple[Any, ...] = (..., *at) if at else (..., None)
    chosen: Array = table[place]
    return chosen


def elimination(model: Compiled, factors: Sequence[int]) -> list[tuple[int, int]]:
    """An order in which the factors move, each with how many numbers are held at that moment.

    A factor's previous value is summed out once nothing that has yet to move depends on it. The
    next to move is the one that leaves the fewest numbers.
    """
    size = {f: model.states[f].n for f in factors}
    before, after, left = set(factors), set[int](), list(factors)
    order: list[tuple[int, int]] = []
    while left:
        f, kept = min(
            ((f, _needed(model, [g for g in left if g != f], before)) for f in left),
            key=lambda choice: size[choice[0]] * math.prod(size[g] for g in choice[1]),
        )
        held = math.prod(size[g] for g in (*before, *after, f))
        order.append((f, held))
        left.remove(f)
        before, after = kept, after | {f}
    return order


def _needed(model: Compiled, left: Sequence[int], before: set[int]) -> set[int]:
    """The factors whose previous value is still a parent of one that has yet to move."""
    return before & {g for f in left for g in model.B_dependencies[f]}
