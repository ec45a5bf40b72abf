"""One closed question: its words, the small schema of its answer, and how an answer is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.parsing.json_reader import read_candidates
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORDS = pattern(r"[a-z0-9]+")
_CLAUSES = pattern(r"[\n;,.]+")
_DENIALS = frozenset(("not", "never", "neither", "nor", "cannot", "t"))  # ``doesn't``
_ROOM = 24  # tokens beside the characters of the longest answer


@dataclass(frozen=True, slots=True)
class ClosedQuestion:
    """A question whose answer is an object with one choice for each slot.

    Attributes:
        about: what it is about, in a few words, for people who watch.
        text: the question.
        slots: by the key under which the choice is kept, the name of the slot and its choices.
    """

    about: str
    text: str
    slots: Mapping[str, tuple[str, tuple[str, ...]]]

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its answer, in the strict form."""
        slots = dict(self.slots.values())
        return {
            "type": "object",
            "properties": {n: {"type": "string", "enum": list(c)} for n, c in slots.items()},
            "required": list(slots),
            "additionalProperties": False,
        }

    @property
    def most_tokens(self) -> int:
        """A length limit that no answer within the schema reaches."""
        longest = {name: max(choices, key=len) for name, choices in self.slots.values()}
        return len(json.dumps(longest, indent=1)) + _ROOM

    @property
    def words(self) -> str:
        """The question with every slot and its choices, one a line."""
        same = dict.fromkeys(choices for _, choices in self.slots.values())
        if len(same) == 1:
            names = ", ".join(name for name, _ in self.slots.values())
            return f"{self.text}\nKeys: {names}\nValues: {' | '.join(next(iter(same)))}"
        lines = [f"{name}: {' | '.join(choices)}" for name, choices in self.slots.values()]
        return "\n".join([self.text, *lines])

    def read(self, text: str) -> dict[str, str]:
        """The choices that an answer makes, by key; empty where it makes none.

        What is not among the choices of a slot is left out; spelling and case may differ. In an
        answer in prose a choice counts that it names alone, beside what it repeats of the question,
        and with several slots the one that a clause names beside one slot; with a brace it is a
        document.
        """
        said = next((v for v in reversed(_objects(text)) if v), None)
        if said is None:
            if "{" in text:
                return {}
            if len(self.slots) > 1:
                return self._said_in_clauses(text)
            key, (_, choices) = next(iter(self.slots.items()))
            named = _named(text, choices, self.text)
            return {key: named} if named else {}
        own = {_plain(str(name)): value for name, value in said.items()}
        found = {}
        for key, (name, choices) in self.slots.items():
            if choice := _chosen(own.get(_plain(name)), choices):
                found[key] = choice
        return found

    def _said_in_clauses(self, text: str) -> dict[str, str]:
        """What the clauses say that name one slot and one choice, none of them denied."""
        found: dict[str, set[str]] = {}
        for clause in map(_words_of, _CLAUSES.split(text)):
            keys = [key for key, (name, _) in self.slots.items() if _has(clause, name)]
            if len(keys) != 1:
                continue
            name, choices = self.slots[keys[0]]
            named = [choice for choice in choices if choice != name and _has(clause, choice)]
            denied = _DENIALS.intersection(clause) - set(_words_of(" ".join(named)))
            if len(named) == 1 and not denied:
                found.setdefault(keys[0], set()).add(named[0])
        return {key: next(iter(said)) for key, said in found.items() if len(said) == 1}


def _words_of(text: str) -> list[str]:
    return _WORDS.findall(text.casefold())


def _has(said: Sequence[str], name: str) -> bool:
    return next(_places(_words_of(name), said), None) is not None


def _objects(text: str) -> list[Mapping[str, object]]:
    try:
        values = read_candidates(text, complete=True).values
    except ValueError:  # there is no JSON in it
        return []
    return [one.value for one in values if isinstance(one.value, Mapping)]


def _plain(text: str) -> str:
    return "".join(_WORDS.findall(text.casefold()))


def _chosen(said: object, choices: Sequence[str]) -> str:
    if not isinstance(said, str | int | float) or isinstance(said, bool):
        return ""
    alike = [choice for choice in choices if _plain(choice) == _plain(str(said))]
    return str(said) if said in choices else alike[0] if len(alike) == 1 else ""


def _named(text: str, choices: Sequence[str], asked: str) -> str:
    """The one choice that stands as words of its own in a text; empty for none or several.

    Between the same two words as in what was `asked` it is repeated, not chosen.
    """
    said, question = _WORDS.findall(text.casefold()), _WORDS.findall(asked.casefold())
    named = []
    for choice in choices:
        own = _WORDS.findall(choice.casefold())
        around = [said[max(n - 1, 0) : n + len(own) + 1] for n in _places(own, said)]
        if any(len(a) < len(own) + 2 or not list(_places(a, question)) for a in around):
            named.append(choice)
    return named[0] if len(named) == 1 else ""


def _places(words: Sequence[str], within: Sequence[str]) -> Iterator[int]:
    """Where words stand in a row in a text."""
    size = len(words)
    return (n for n in range(len(within) - size + 1) if within[n : n + size] == words)
