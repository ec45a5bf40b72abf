"""From a JSON pointer into the document back to the line and column where it was written."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.types.diagnostics import Position

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE_END = re.compile("\n")


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Where each part of a document stands in the text it was read from.

    Attributes:
        text: the text as the user gave it, prose and fences included.
        offsets: character offset of each known pointer.
    """

    text: str = ""
    offsets: Mapping[str, int] = field(default_factory=dict)

    def of(self, pointer: str) -> Position | None:
        """The place of `pointer`, or of its nearest ancestor that is known."""
        while True:
            if pointer in self.offsets:
                return self.at(self.offsets[pointer])
            if not pointer:
                return None
            pointer = pointer.rpartition("/")[0]

    def at(self, offset: int) -> Position:
        """Line and column, both from 1, of a character offset."""
        starts = _line_starts(self.text)
        line = bisect_right(starts, offset)
        return Position(line, offset - starts[line - 1] + 1)


@lru_cache(maxsize=4)
def _line_starts(text: str) -> list[int]:
    return [0, *(found.end() for found in _LINE_END.finditer(text))]
