"""The numbers of things that a sentence names, and whether a model has as many."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.routing.offline.wording import COUNT, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.model import GMNSpec, Variable

_COUNTED = re.compile(
    rf"\b{COUNT}[\s-]+(?:different\s+|possible\s+|hidden\s+)?([a-z]{{3,20}})\b(?!\s*%)", re.I
)
#: Read elsewhere: as noise, as the size or the obstacles of a grid, as how far it plans.
_ELSEWHERE = frozenset(
    ["percent", "time", "cell", "tile", "obstacle", "wall", "block", "trap", "pit", "hazard"]
) | {"step", "ahead", "of", "and", "dimensional"}
_SECTIONS = {
    "state": "states",
    "observation": "observations",
    "signal": "observations",
    "outcome": "observations",
    "action": "actions",
    "move": "actions",
    "choice": "actions",
}


def unmet_counts(text: str, spec: GMNSpec) -> list[str]:
    """The counts of `text`, as written, that nothing in `spec` bears out.

    The prompt in the metadata of `spec` counts as part of it: a curated model keeps the promises
    of its own sentence.
    """
    kept = {(n, thing) for n, thing, _ in _counted(spec.meta("prompt"))}
    return [
        words
        for n, thing, words in _counted(text)
        if (n, thing) not in kept and not _has(spec, n, thing)
    ]


def _counted(text: str) -> Iterator[tuple[int, str, str]]:
    for match in _COUNTED.finditer(text):
        thing = _singular(match[2].lower())
        if thing not in _ELSEWHERE and number(match[1]) > 1:
            yield number(match[1]), thing, match[0]


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith("ed"):  # two-armed
        return word[:-2]
    return {"shelves": "shelf"}.get(word, word.removesuffix("s"))


def _has(spec: GMNSpec, n: int, thing: str) -> bool:
    every: Sequence[Variable] = (*spec.states, *spec.observations, *spec.actions)
    if thing in _SECTIONS:
        section: Sequence[Variable] = getattr(spec, _SECTIONS[thing])
        return len(section) == n or any(v.n == n for v in section)
    named = [v for v in every if thing in v.name.lower()]
    labelled = [sum(thing in label.lower() for label in v.labels) for v in every]
    return len(named) == n or any(v.n == n for v in named) or n in labelled
