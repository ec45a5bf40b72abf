"""Derives expectations from the description of an agent; they are marked as inferred.

A description that speaks of reaching implies that the most preferred label is reached; one that
speaks of avoiding a label implies that it is avoided. Nothing else is derived.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.gmn.expectations import Expectation, Wanted
from orchestrator.gmn.model import nfc

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
REACHED, AVOIDED = 0.5, 0.8  # least shares of the episodes; a sentence promises little


def inferred_from(prompt: str, spec: GMNSpec) -> tuple[Expectation, ...]:
    """The expectations that the description of an agent implies for a model of it."""
    found = [*_reached(prompt, spec), *_avoided(nfc(prompt), spec)]
    return tuple(replace(expectation, is_inferred=True) for expectation in found)


def _reached(prompt: str, spec: GMNSpec) -> Iterator[Expectation]:
    if not _REACHES.search(prompt):
        return
    for preference in spec.preferences:
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


def _avoided(prompt: str, spec: GMNSpec) -> Iterator[Expectation]:
    for match in _AVOIDS.finditer(prompt):
        word = match[1].casefold()
        for kind, variable in spec.variables():
            labels = [label for label in variable.names if label.casefold() == word]
            if labels and kind != "action":
                steps = min(STEPS_PER_VALUE * variable.n, MOST_STEPS)
                yield Expectation("never", (Wanted(variable.name, (labels[0],)),), steps, AVOIDED)
                break
