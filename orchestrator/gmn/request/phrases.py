"""Phrases: patterns of the tokens of a text, as tables of rules have them."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.request.tokens import number
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: How a number stands in a phrase.
NUMBER = r"#[\d.]+"


def phrase(text: str) -> re.Pattern[str]:
    """A pattern of tokens in lower case, a blank between two; a number is ``#2.5``, in words too,
    and a quoted name ``"``."""
    return pattern(rf"(?<!\S)(?:{text})(?!\S)")


def one_of(*some: frozenset[str]) -> str:
    """The part of a phrase that is one of these words."""
    return "|".join(re.escape(word) for word in sorted(frozenset().union(*some)))


class Phrase(NamedTuple):
    """Where a phrase stands: tokens `first` to before `after`, its first group at token `at`."""

    match: re.Match[str]
    first: int
    at: int
    after: int


class TokenLine:
    """A text as phrases see it."""

    def __init__(self, lows: Sequence[str]) -> None:
        """Of tokens in lower case; of a quoted name nothing."""
        self.lows = lows
        said, self._starts, at = list[str](), list[int](), 0
        for low in lows:
            value, plain = number(low), low.strip() or '"'
            said.append(plain if value is None else f"#{value:g}")
            self._starts.append(at)
            at += len(said[-1]) + 1
        self._text = "".join(f"{one} " for one in said)

    def phrases(self, wanted: re.Pattern[str]) -> Iterator[Phrase]:
        """Where a phrase is said, from left to right."""
        for match in wanted.finditer(self._text):
            groups = (match.start(n) for n in range(1, match.re.groups + 1))
            begin = next((start for start in groups if start >= 0), match.start())
            first, at, after = (
                bisect.bisect_left(self._starts, n) for n in (match.start(), begin, match.end())
            )
            yield Phrase(match, first, at, after)
