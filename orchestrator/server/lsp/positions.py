"""Text as an editor has it: lines, positions in code units, changes.

Offsets count characters. A position of the protocol counts, in its line, the code units of the
encoding that client and server agree on: UTF-16 where they do not say, so that one character
beyond the first 65,536 counts as two.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Encoding = Literal["utf-8", "utf-16", "utf-32"]

BOM = "\ufeff"
#: Longer texts are replaced as a whole: comparing lines takes time by their square.
_MOST_COMPARED = 2000
_ENDS = re.compile(r"\r\n|\r")
_LONE = re.compile("[\ud800-\udfff]")
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


class Caret(NamedTuple):
    """A line and a character of it, both from 0, as the protocol counts them."""

    line: int
    character: int


class Edit(NamedTuple):
    """A part of a text and what it is replaced by."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A document's text with line feeds as its line ends.

    Attributes:
        whole: all of it, a byte order mark included.
        newline: how the document itself ends its lines.
        encoding: the code units that positions count.
    """

    whole: str
    newline: str = "\n"
    encoding: Encoding = "utf-16"
    _starts: list[int] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, source: str, encoding: Encoding = "utf-16") -> Text:
        """A text as a client sends it."""
        newline = "\r\n" if "\r\n" in source else "\n"
        return cls(_clean(source), newline, encoding)

    @property
    def body(self) -> str:
        """The text without its byte order mark."""
        return self.whole.removeprefix(BOM)

    @property
    def _skipped(self) -> int:
        return int(self.whole.startswith(BOM))

    def place(self, offset: int) -> Caret:
        """The position of an offset into `body`."""
        offset = max(0, min(offset + self._skipped, len(self.whole)))
        starts = self._line_starts()
        line = bisect_right(starts, offset) - 1
        return Caret(line, self._units(self.whole[starts[line] : offset]))

    def offset(self, place: Caret) -> int:
        """The offset into `body` of a position; one behind the end of a line is its end."""
        return max(0, self._at(place) - self._skipped)

    def at(self, line: int, column: int) -> int:
        """The offset into `body` of a line and a character of it, both from 1."""
        starts = self._line_starts()
        if not 1 <= line <= len(starts):
            return len(self.body)
        start = max(0, starts[line - 1] - self._skipped)
        end = self.body.find("\n", start)
        return min(start + column - 1, len(self.body) if end < 0 else end)

    def changed(self, start: Caret, end: Caret, text: str) -> Text:
        """The text with what stands between two positions replaced."""
        first, last = sorted((self._at(start), self._at(end)))
        made = self.whole[:first] + _clean(text) + self.whole[last:]
        newline = "\r\n" if "\r\n" in text else self.newline
        return Text(made, newline, self.encoding)

    def _at(self, place: Caret) -> int:
        starts = self._line_starts()
        if place.line >= len(starts):
            return len(self.whole)
        start = starts[max(0, place.line)]
        is_last = place.line + 1 == len(starts)
        end = len(self.whole) if is_last else starts[place.line + 1] - 1
        return start + self._characters(self.whole[start:end], max(0, place.character))

    def _line_starts(self) -> list[int]:
        if not self._starts:
            # All at once: two threads may find it empty.
            self._starts[:] = [0, *(found.end() for found in re.finditer("\n", self.whole))]
        return self._starts

    def _units(self, text: str) -> int:
        if text.isascii():
            return len(text)
        codec, width = _CODECS[self.encoding]
        return len(text.encode(codec)) // width

    def _characters(self, line: str, units: int) -> int:
        """How many characters so many units are; within one they are those before it."""
        if line.isascii():
            return min(len(line), units)
        codec, width = _CODECS[self.encoding]
        return len(line.encode(codec)[: units * width].decode(codec, "ignore"))


def replaced(text: str, edits: Iterable[Edit]) -> str:
    """The text with every edit made; they do not overlap."""
    made, at = list[str](), 0
    for edit in sorted(edits):
        made += (text[at : edit.start], edit.text)
        at = edit.end
    return "".join([*made, text[at:]])


def difference(old: str, new: str) -> list[Edit]:
    """Edits by whole lines that make `new` of `old`."""
    before, after = _lines(old), _lines(new)
    offsets = [0, *accumulate(map(len, before))]
    if max(len(before), len(after)) > _MOST_COMPARED:
        return [] if old == new else [Edit(0, len(old), new)]
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [
        Edit(offsets[a], offsets[b], "".join(after[c:d]))
        for step, a, b, c, d in steps
        if step != "equal"
    ]


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+\Z", text)


def _clean(text: str) -> str:
    """With line feeds for line ends, and no half of a surrogate pair, which no file can hold."""
    return _LONE.sub("\ufffd", _ENDS.sub("\n", text))
