"""Derives expectations from the commitments of a sentence; they are marked as inferred.

A sentence that says a goal implies that the most preferred label is reached, and the goal itself
where it is a label; one that says what is to be avoided implies that it is avoided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.gmn.acting.expectations import Expectation, Wanted
from orchestrator.gmn.gradient import with_gradients
from orchestrator.gmn.request.labels import meant_by
from orchestrator.gmn.request.read import read_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.model import GMNSpec, Preference
    from orchestrator.gmn.request.commitment import Commitment

STEPS_PER_VALUE, MOST_STEPS, FEWEST_STEPS = 4, 200, 8
REACHED, AVOIDED = 0.5, 0.8  # least shares of the episodes; a sentence promises little


def inferred_from(prompt: str, spec: GMNSpec) -> tuple[Expectation, ...]:
    """The expectations that the description of an agent implies for a model of it."""
    said = read_request(prompt).commitments
    found = [*_reached(said, spec), *_avoided(said, spec)]
    return tuple(dict.fromkeys(replace(expectation, is_inferred=True) for expectation in found))


def _reached(said: tuple[Commitment, ...], spec: GMNSpec) -> Iterator[Expectation]:
    goals = [one for one in said if one.kind == "goal"]
    if not goals:
        return
    for preference in with_gradients(spec).preferences:
        variable, best = spec.variable(preference.on), _best(preference, spec)
        if variable is not None and best and variable not in spec.actions:
            steps = min(max(STEPS_PER_VALUE * variable.n, FEWEST_STEPS), MOST_STEPS)
            yield Expectation("within", (Wanted(variable.name, (best,)),), steps, REACHED)


def _best(preference: Preference, spec: GMNSpec) -> str:
    """The label with the highest utility; empty when several share it, or none is preferred."""
    variable = spec.variable(preference.on)
    if variable is None:
        return ""
    wanted = {goal.value: goal.utility for goal in preference.goals}
    if preference.values:
        wanted = dict(zip(variable.names, preference.values, strict=False))
    most = max(wanted.values(), default=0.0)
    best = [label for label, utility in wanted.items() if utility == most]
    return best[0] if most > 0 and len(best) == 1 and best[0] in variable.names else ""


def _avoided(said: tuple[Commitment, ...], spec: GMNSpec) -> Iterator[Expectation]:
    for one in said:
        if one.kind != "avoid":
            continue
        for label in meant_by(one, spec)[:1]:
            steps = min(STEPS_PER_VALUE * label.variable.n, MOST_STEPS)
            wanted = Wanted(label.variable.name, (label.variable.names[label.at],))
            yield Expectation("never", (wanted,), steps, AVOIDED)
