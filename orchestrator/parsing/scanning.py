"""What a pattern finds in a text in one pass, however many quotes in it are never closed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def blanked(text: str) -> str:
    """Spaces in place of everything but the ends of lines, so that every offset stays."""
    return "\n".join(" " * len(line) for line in text.split("\n"))


class Scanner:
    """A pattern with parts that are closed, such as strings, and `others`.

    Each of `quoted` is the opening of such a part, what can stand in it, and its closing. One that
    is never closed is none; what stands behind its opening is looked at as it is. A plain pattern
    would look for the end of each of them by itself, again from every quote on.
    """

    def __init__(self, quoted: Mapping[str, tuple[str, str, str]], others: str) -> None:
        self._quoted = {
            name: f"{opening}(?:{inside})*+(?:{closing}|(?P<{name}>))"
            for name, (opening, inside, closing) in quoted.items()
        }
        self._openings = {name: opening for name, (opening, _, _) in quoted.items()}
        self._others = others
        self._made: dict[tuple[str, ...], re.Pattern[str]] = {}

    def pattern(self, *without: str) -> re.Pattern[str]:
        """The whole pattern, or what is left of it without some of its quoted parts.

        Where one of those opens it matches nothing, so that no search goes on beyond the end of
        the stretch in which they are left out.
        """
        if without not in self._made:
            parts = [part for name, part in self._quoted.items() if name not in without]
            stops = [f"(?={self._openings[name]})(?P<_{name}>)" for name in without]
            self._made[without] = re.compile("|".join([*parts, self._others, *stops]), re.DOTALL)
        return self._made[without]

    def pieces(self, text: str, start: int = 0, end: int | None = None) -> Iterator[re.Match[str]]:
        """Every match in order; `lastgroup` is one of `others`, None for a quoted part."""
        unclosed: dict[str, int] = {}  # how far a part was looked through without its closing
        at, end, quoted = start, len(text) if end is None else end, self._quoted
        while at < end:
            unclosed = {name: until for name, until in unclosed.items() if until > at}
            again = min(unclosed.values(), default=end)
            last, stops = None, {f"_{name}" for name in unclosed}
            for piece in self.pattern(*unclosed).finditer(text, at, end):
                if unclosed and piece.start() >= again:
                    break
                if piece.lastgroup in quoted:
                    unclosed[piece.lastgroup] = piece.end()
                    again = piece.start()
                    break
                if piece.lastgroup in stops:
                    continue
                yield piece
                last = piece
            at = max(last.end() if last else at, again)

    def replaced(self, text: str, by: Callable[[re.Match[str]], str]) -> str:
        """`text` with each match replaced."""
        made: list[str] = []
        at = 0
        for piece in self.pieces(text):
            made += (text[at : piece.start()], by(piece))
            at = piece.end()
        return "".join([*made, text[at:]])
