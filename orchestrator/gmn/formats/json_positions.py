"""Where the parts of a JSON text stand, found on demand.

Valid JSON is passed over at the speed of json; what `read_json` overlooks (comments, single quotes,
bare keys, Python's tuples) piece by piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from orchestrator.gmn.formats.syntax import unquoted
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.types.pattern import pattern

# What is never closed runs to the end: the text was read, so at most its places are lost.
_COMMENT = r"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"
_BLANK = pattern(rf"(?:[\s,:]++|{_COMMENT})*+")
_PIECE = pattern(
    rf"{_COMMENT}|\"(?:[^\"\\]++|\\.)*+(?:\"|\\?\Z)|'(?:[^'\\]++|\\.)*+(?:'|\\?\Z)"
    r"|[{}\[\]()]|[^\s,:{}\[\]()\"'/]++",
    re.DOTALL,
)
_DECODER = json.JSONDecoder()


class JsonPositions(Mapping[str, int]):
    """Offsets by pointer, of the value that begins at `start`. Only the containers on the way to
    what is asked for are looked into, and each of them once."""

    def __init__(self, text: str, start: int = 0) -> None:
        self._text = text
        self._known: dict[str, int] = {"": _skip(text, start)}
        self._opened: set[str] = set()

    def __contains__(self, pointer: object) -> bool:
        if not isinstance(pointer, str):
            return False
        if pointer not in self._known:
            parent = pointer.rpartition("/")[0]
            if parent in self and parent not in self._opened:
                self._open(parent)
        return pointer in self._known

    def __getitem__(self, pointer: str) -> int:
        if pointer not in self:
            raise KeyError(pointer)
        return self._known[pointer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _open(self, pointer: str) -> None:
        """Note where every child of one object or array stands."""
        self._opened.add(pointer)
        at = self._known[pointer]
        opening = self._text[at : at + 1]
        if opening not in ("{", "[", "("):
            return
        at, index = _skip(self._text, at + 1), 0
        while self._text[at : at + 1] not in ("}", "]", ")", ""):
            key = str(index)
            if opening == "{":
                end = _end(self._text, at)
                raw = self._text[at:end]
                key = unquoted(raw) if raw[:1] in ('"', "'") else raw
                at = _skip(self._text, end)
            # Of a key that is given twice the last value counts, for positions as for values.
            self._known[pointer + pointer_to(key)] = at
            at, index = _skip(self._text, _end(self._text, at)), index + 1


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _end(text: str, at: int) -> int:
    """Where the value that begins at `at` ends."""
    if text[at : at + 1] in ("{", "[", '"'):
        try:
            return _DECODER.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            pass  # not valid JSON, so its brackets are counted
    depth = 0
    for piece in _PIECE.finditer(text, at):
        if piece[0].startswith(("//", "/*")):
            continue
        depth += (piece[0] in ("{", "[", "(")) - (piece[0] in ("}", "]", ")"))
        if depth <= 0:
            return piece.end()
    return len(text)
