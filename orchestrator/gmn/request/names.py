"""Which of the lists of a sentence are states, which are observations, which are actions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.gmn.request.tokens import stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.gmn.request.commitment import Commitment

_BEGINS = frozenset(".;!?:\n")


@dataclass(frozen=True, slots=True)
class NamedValues:
    """The names that a sentence gives the values of its variables.

    Attributes:
        others: lists of which nothing says what they are of.
    """

    states: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    others: tuple[tuple[str, ...], ...] = ()


@lru_cache(maxsize=4096)
def roots(word: str) -> frozenset[str]:
    """The stems under which a word is looked for: ``water`` is found in ``watering``."""
    once = stem(word)
    return frozenset((word.casefold(), once, stem(once)))


def roots_of(name: str) -> frozenset[str]:
    """Those of all words of a name."""
    return frozenset[str]().union(*map(roots, name.replace("_", " ").replace("-", " ").split()))


@lru_cache(maxsize=64)
def by_root(names: tuple[str, ...], *, most: int = 64) -> dict[str, list[str]]:
    """Names under the roots of each of their first `most` words."""
    found: dict[str, list[str]] = {}
    for name in names:
        own = name.split()[:most]
        for root in roots_of(" ".join(own)).union(*map(roots, own)):
            found.setdefault(root, []).append(name)
    return found


def found_in(words: Sequence[str], at: int, names: Iterable[str]) -> tuple[str, int]:
    """The name that begins at word `at`, and how many words it has; the longest of several."""
    best, length = "", 0
    known = by_root(tuple(names), most=1)
    found = [name for root in roots(words[at]) for name in known.get(root, ())]
    for name in found:
        parts = name.split()
        if len(parts) > length and at + len(parts) <= len(words):
            own = words[at : at + len(parts)]
            if all(roots(a) & roots(b) for a, b in zip(own, parts, strict=True)):
                best, length = name, len(parts)
    return best, length


def names_of(text: str, found: Sequence[Commitment]) -> NamedValues:
    """The roles of the lists among `found`: those that are said, and those that are left over."""
    said = {
        kind: _first(found, kind, but=kind == "states")
        for kind in ("states", "observations", "actions")
    }
    names = NamedValues(said["states"], said["observations"], said["actions"])
    quoted = tuple(str(one.value) for one in found if one.kind == "named")
    for one in (one for one in found if one.kind in ("options", "states", "actions")):
        values = tuple(map(str, one.value)) if isinstance(one.value, tuple) else ()
        if values in (names.states, names.actions) or not values:
            continue
        is_order = one.rule in ("bare list", "choice") and _begins_a_clause(text, one)
        if one.kind != "options":
            names = replace(names, others=(*names.others, values))
        elif not names.states and not is_order:
            names = replace(names, states=values)
        elif not names.actions and (is_order or one.rule == "list after a noun"):
            names = replace(names, actions=values)
        elif not set(values) <= {part for name in names.actions for part in name.split()}:
            names = replace(names, others=(*names.others, values))
    if not names.states and len(quoted) > 1:
        names = replace(names, states=quoted)
    return names


def _first(found: Sequence[Commitment], kind: str, *, but: bool) -> tuple[str, ...]:
    lists = [one for one in found if one.kind == kind and isinstance(one.value, tuple)]
    announced = [one for one in lists if one.rule == "list after a noun"] if but else []
    return next((tuple(map(str, one.value)) for one in announced or lists), ())  # type: ignore[arg-type]  # lists of names


def _begins_a_clause(text: str, one: Commitment) -> bool:
    before = text[: one.span.start].rstrip(" ")
    return not before or before[-1] in _BEGINS
