"""Where the parts of a valid JSON text stand, found when somebody asks, at the speed of json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from orchestrator.gmn.formats.syntax import escaped

_BLANK = re.compile(r"[\s,:]*")
_DECODER = json.JSONDecoder()


class JsonPositions(Mapping[str, int]):
    """Offsets by pointer. Only the containers on the way to what is asked for are looked into,
    and each of them once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[str, int] = {"": _skip(text, 0)}
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
        if opening not in ("{", "["):
            return
        at, index = _skip(self._text, at + 1), 0
        while self._text[at : at + 1] not in ("}", "]", ""):
            key = str(index)
            if opening == "{":
                name, at = _DECODER.raw_decode(self._text, at)
                key, at = escaped(str(name)), _skip(self._text, at)
            self._known.setdefault(f"{pointer}/{key}", at)
            _, at = _DECODER.raw_decode(self._text, at)
            at, index = _skip(self._text, at), index + 1


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
