"""Where a part of a text ends, from where it begins: what an editor underlines or replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.formats.syntax import TOKENS
from orchestrator.types.pattern import pattern
from orchestrator.types.work import look

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

_WORD = pattern(r"[^\s,;:=(){}\[\]|]++")
_LOOKED_AT = 64  # so many pieces of a text at once


def end_of(text: str, offset: int) -> int:
    """The offset after the part of block text or JSON that begins at `offset`.

    It is the end of a token, of a string with its quotes, or of a list or block with its closing
    bracket; that of a quote or a bracket that is never closed is the end of its line. Where nothing
    begins it is `offset` itself.
    """
    depth, end = 0, offset
    for count, piece in enumerate(pieces(text, offset)):
        if not count % _LOOKED_AT:
            look(_LOOKED_AT)
        raw = piece.group()
        if piece.lastgroup == "blank":
            if not depth:
                return end
            continue
        is_mark = piece.lastgroup == "mark"
        depth += (raw[0] in "{[") - (raw[0] in "}]") if is_mark else 0
        end = piece.start() + len(raw.rstrip())
        if depth <= 0:
            return _line_end(text, offset) if piece.lastgroup == "open" else end
    return _line_end(text, offset)


def pieces(text: str, start: int = 0, end: int | None = None) -> Iterator[re.Match[str]]:
    """The tokens, blanks and comments of block text or JSON; `lastgroup` is None for a string."""
    return TOKENS.pieces(text, start, end)


def word_end(text: str, offset: int) -> int:
    """The same in a text of another tool: the end of a word, at the start of a line of the line."""
    is_first = not text[text.rfind("\n", 0, offset) + 1 : offset].strip()
    found = _WORD.match(text, offset)
    return _line_end(text, offset) if is_first or found is None else found.end()


def _line_end(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    line = text[offset : len(text) if end < 0 else end]
    return offset + len(line.rstrip())
