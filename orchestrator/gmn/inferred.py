"""Expectations that a description implies, on demand; they are marked as such.

What is to be reached is what the model prefers most, where the words speak of reaching; what is to
be avoided is a label that the words name. Nothing else is read into a sentence.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.gmn.expectations import Expectation, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.model import GMNSpec, Preference

_REACHES = re.compile(
    r"\b(?:reach|get(?:s)? to|find|arriv|exit|escap|goal|collect|win|navigat)\w*", re.IGNORECASE
)
_AVOIDS = re.compile(
    r"\b(?:avoid(?:s|ing)?|stay(?:s|ing)? (?:out of|away from)|never (?:enters?|touches|goes to))"
    r"\s+(?:the\s+|an?\s+)?([A-Za-z_]\w*)",
    re.IGNORECASE,
)
STEPS_PER_VALUE, MOST_STEPS, FEWEST_STEPS = 4, 200, 8
REACHED, AVOIDED = 0.5, 0.8  # shares of the episodes: a sentence promises no more


def inferred_from(prompt: str, spec: GMNSpec) -> tuple[Expectation, ...]:
    """What the description of an agent implies about the behaviour of a model of it."""
    found = [*_reached(prompt, spec), *_avoided(prompt, spec)]
    return tuple(replace(expectation, is_inferred=True) for expectation in found)


def _reached(prompt: str, spec: GMNSpec) -> Iterator[Expectation]:
    if not _REACHES.search(prompt):
        return
    for preference in spec.preferences:
        variable, best = spec.variable(preference.on), _best(preference, spec)
        if variable is not None and best:
            steps = min(max(STEPS_PER_VALUE * variable.n, FEWEST_STEPS), MOST_STEPS)
            yield Expectation("within", (Wanted(variable.name, (best,)),), steps, REACHED)


def _best(preference: Preference, spec: GMNSpec) -> str:
    """The one label that is wanted most; empty when several are, or none is."""
    variable = spec.variable(preference.on)
    if variable is None:
        return ""
    wanted = {goal.value: goal.utility for goal in preference.goals}
    if preference.values:
        wanted = dict(zip(variable.names, preference.values, strict=False))
    most = max(wanted.values(), default=0.0)
    best = [label for label, utility in wanted.items() if utility == most]
    return best[0] if most > 0 and len(best) == 1 and best[0] in variable.names else ""


def _avoided(prompt: str, spec: GMNSpec) -> Iterator[Expectation]:
    for match in _AVOIDS.finditer(prompt):
        word = match[1].casefold()
        for kind, variable in spec.variables():
            labels = [label for label in variable.names if label.casefold() == word]
            if labels and kind != "action":
                steps = min(STEPS_PER_VALUE * variable.n, MOST_STEPS)
                yield Expectation("never", (Wanted(variable.name, (labels[0],)),), steps, AVOIDED)
                break
