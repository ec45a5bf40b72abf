"""What a document is, with reasons; nothing guessed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats import Reading, SourceMap
from orchestrator.gmn.formats.read import read as read_gmn
from orchestrator.gmn.imports.imported import AS_PROMPT
from orchestrator.gmn.imports.kinds import KINDS, Kind
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.gmn.model import GMNSpec
from orchestrator.parsing.json_reader import FENCE
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.imports.imported import Imported
    from orchestrator.types.diagnostics import Diagnostic

Seen = tuple[Kind, str]

#: Front matter, as persona files begin.
_FRONT_MATTER = pattern(r"\s*+---[ \t]*+\n(?:(?!---)[^\n]*+\n)*+---[ \t]*+$", re.MULTILINE)
#: Keys of GMN JSON that only a model has.
_PARTS = frozenset(GMNSpec.model_fields) - {"name", "description", "metadata", "agent_type"}


@lru_cache(maxsize=4)  # of one document it is asked more than once
def in_text(text: str) -> tuple[Seen, ...]:
    """Every kind that a text shows signs of, with the reason."""
    return tuple(
        (kind, why) for kind in KINDS.values() if kind.in_text and (why := kind.in_text(text))
    )


def in_data(data: Mapping[str, object]) -> list[Seen]:
    """Every kind that a JSON object shows signs of, with the reason."""
    return [(kind, why) for kind in KINDS.values() if kind.in_data and (why := kind.in_data(data))]


def is_whole(text: str) -> bool:
    """Whether the text is a file of a kind that has no prose and no fences around documents."""
    return any(kind.is_whole for kind, _ in in_text(text))


def read(
    source: str | bytes | Mapping[str, object], *, limits: Limits = DEFAULT_LIMITS, kind: str = ""
) -> Reading:
    """Recognise what `source` is and read it; any input gives a Reading, never a raise.

    `kind` names one of `KINDS` where the caller knows; a source that is nothing of that kind is an
    error (808). Without it a source that shows signs of several is an error that lists them (807).
    """
    reading = read_gmn(source, limits=limits, other=_Others(kind))
    if kind and reading.spelling != kind:
        words = f"it cannot be read as {KINDS[kind].title}"
        if reading.tree is not None:
            words = f"it is {KINDS[reading.spelling].title}, not {KINDS[kind].title}"
        found = finding("GMN808", words, got=reading.spelling, expected=kind)
        return Reading(None, (found, *reading.findings))
    return reading


@dataclass(frozen=True, slots=True)
class _Others:
    """Reads what is not GMN; with `kind` that kind alone."""

    kind: str

    def whole(self, text: str, places: SourceMap) -> Reading | None:
        if self.kind:
            kind = KINDS[self.kind]
            return _read_text(kind, text, places) if kind.is_whole else None
        seen = in_text(text)
        if not seen and _FRONT_MATTER.match(text):
            words = "a description in words, with front matter: it holds no probabilities"
            return Reading(None, (finding("GMN806", f"{words}; {AS_PROMPT}"),), places=places)
        if len(seen) > 1 and not FENCE.search(text):
            return _ambiguous(seen, places)
        return self._one(seen, text, places) if any(kind.is_whole for kind, _ in seen) else None

    def body(self, text: str, places: SourceMap) -> Reading | None:
        if self.kind:
            kind = KINDS[self.kind]
            return _read_text(kind, text, places) if kind.in_text and kind.module else None
        return self._one(in_text(text), text, places)

    def data(self, data: dict[str, object], places: SourceMap) -> Reading | None:
        seen = in_data(data)
        if self.kind and KINDS[self.kind].module:
            seen = [(kind, why) for kind, why in seen if kind.name == self.kind] or seen
            if seen and seen[0][0].name != self.kind:
                return _another(self.kind, seen[0], places)
        elif self.kind:
            return None
        if len(seen) > 1:
            return _ambiguous(seen, places)
        if not seen and data and _PARTS.isdisjoint(data):
            keys = ", ".join(map(str, data))
            words = f"it has nothing that a model has, only {keys[:80]}; {AS_PROMPT}"
            return Reading(None, (finding("GMN806", words),), places=places, spelling="json")
        if not seen or not (kind := seen[0][0]).module:
            return None
        return _reading(kind, kind.read_data(data), places)

    def _one(self, seen: Sequence[Seen], text: str, places: SourceMap) -> Reading | None:
        if len(seen) > 1:
            return _ambiguous(seen, places)
        return _read_text(seen[0][0], text, places) if seen and seen[0][0].module else None


def _read_text(kind: Kind, text: str, places: SourceMap) -> Reading:
    return _reading(kind, kind.read(text), places)


def _ambiguous(seen: Sequence[Seen], places: SourceMap) -> Reading:
    fits = "; ".join(f"{kind.name}: {kind.title}, as {why}" for kind, why in seen)
    words = f"several kinds of document fit ({fits}); say which with --as, or kind= in Python"
    expected = ", ".join(kind.name for kind, _ in seen)
    found = finding("GMN807", words, got=len(seen), expected=expected)
    return Reading(None, (found,), places=places)


def _another(wanted: str, seen: Seen, places: SourceMap) -> Reading:
    kind, why = seen
    words = f"it is {kind.title}, as {why}, not {KINDS[wanted].title}"
    found = finding("GMN808", words, got=kind.name, expected=wanted)
    return Reading(None, (found,), places=places, spelling=wanted)


def _reading(kind: Kind, made: Imported, places: SourceMap) -> Reading:
    """The reading, every finding of it with its place in the text."""
    source, offsets = places, {"": 0, **made.offsets}
    places = SourceMap(source.text, _Origins(made.origins, source) if made.origins else offsets)
    errors, notes = (_placed(found, source) for found in (made.errors, made.notes))
    return Reading(
        made.document or None, errors, notes, places, kind.name, is_whole=kind.in_text is None
    )


def _placed(found: Sequence[Diagnostic], source: SourceMap) -> tuple[Diagnostic, ...]:
    """A reader of JSON points into its source, which no other finding does."""
    return tuple(
        dataclasses.replace(d, pointer="", place=d.place or source.of(d.pointer))
        if d.pointer and source.text
        else d
        for d in found
    )


class _Origins(Mapping[str, int]):
    """Offsets by pointer into the document, by way of the pointer into its source."""

    def __init__(self, origins: Mapping[str, str], source: SourceMap) -> None:
        self._origins = {"": "", **origins}
        self._source = source.offsets

    def __contains__(self, pointer: object) -> bool:
        return pointer in self._origins and self._origins[str(pointer)] in self._source

    def __getitem__(self, pointer: str) -> int:
        return self._source[self._origins[pointer]]

    def __iter__(self) -> Iterator[str]:
        return (pointer for pointer in self._origins if pointer in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
