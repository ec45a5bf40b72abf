"""The grammar of Cassandra's ``.POMDP`` files: sections, statements, names and numbers.

As https://www.pomdp.org/code/pomdp-file-spec.html describes it. Statements may be spread over
lines in any way; a section ends where the next one begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.imports.printed import UnreadError, is_whole, number
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.parsing.spelling import nearest
from orchestrator.types.pattern import pattern
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.formats.source_map import SourceMap

    Array = NDArray[np.float64]
    #: One value of a variable, or all of them.
    Which = int | slice

ALL = slice(None)
_TOKEN = pattern(r"#[^\r\n]*+|:|[^\s:#]++")
PREAMBLE = ("discount", "values", "states", "actions", "observations", "start")
TABLES = ("T", "O", "R")
_MOST_DIGITS = 9


class PlacedWord(NamedTuple):
    """A word or sign, and its character offset."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One section of the preamble (no `refs`), or one line of T, O or R."""

    head: PlacedWord
    refs: tuple[PlacedWord, ...]
    body: tuple[PlacedWord, ...]


@dataclass(frozen=True, slots=True)
class POMDPFile:
    """The sections of a file by name, and its statements in their order."""

    sections: dict[str, Statement] = field(default_factory=dict)
    tables: list[Statement] = field(default_factory=list)


def parsed(text: str, places: SourceMap) -> POMDPFile:
    """The sections and statements of a text.

    Raises: UnreadError: something stands where no section begins (002), or one stands twice (004).
    """
    tokens = [
        PlacedWord(found[0], found.start()) for found in _TOKEN.finditer(text) if found[0][0] != "#"
    ]
    look(4 * len(tokens))
    file, at = POMDPFile(), 0
    while at < len(tokens):
        name, length = _head(tokens, at)
        head = tokens[at]
        if not name:
            words = f"expected a section such as states: or T:, got {head.text!r}"
            raise UnreadError(finding("GMN002", words, place=places.at(head.at), got=head.text))
        at += length
        refs: list[PlacedWord] = []
        if name in TABLES:
            refs, at = _refs(tokens, at, places)
        begin = at
        while at < len(tokens) and not _head(tokens, at)[0]:
            at += 1
        made = Statement(PlacedWord(name, head.at), tuple(refs), tuple(tokens[begin:at]))
        if name in TABLES:
            file.tables.append(made)
            continue
        section = name.partition(" ")[0]
        if section in file.sections:
            words = f"{section}: stands twice in the file; keep one"
            raise UnreadError(finding("GMN004", words, place=places.at(head.at), got=section))
        file.sections[section] = made
    return file


def _head(tokens: Sequence[PlacedWord], at: int) -> tuple[str, int]:
    """Which section begins here, and of how many tokens its head is; an empty name: none."""
    after = [token.text for token in tokens[at + 1 : at + 3]]
    word = tokens[at].text
    if after[:1] == [":"]:
        known = word if word in TABLES else word.lower()
        return (known, 2) if known in (*PREAMBLE, *TABLES) else ("", 0)
    if word.lower() == "start" and after[1:] == [":"] and after[0] in ("include", "exclude"):
        return f"start {after[0]}", 3
    return "", 0


def _refs(tokens: Sequence[PlacedWord], at: int, places: SourceMap) -> tuple[list[PlacedWord], int]:
    """The names, numbers and wildcards that ``:`` parts, and where they end."""
    refs: list[PlacedWord] = []
    while True:
        if at >= len(tokens) or tokens[at].text == ":":
            place = places.at(tokens[min(at, len(tokens) - 1)].at)
            words = "expected a name, a number or * beside a colon"
            raise UnreadError(finding("GMN002", words, place=place))
        refs.append(tokens[at])
        at += 1
        if at >= len(tokens) or tokens[at].text != ":":
            return refs, at
        at += 1


def values(body: Sequence[PlacedWord], expected: int, what: str, places: SourceMap) -> Array:
    """Numbers with half a unit of their last digit, shape [2, expected].

    Raises: UnreadError: a word is not a number (008), or they are more or fewer (301).
    """
    look(2 * len(body))
    made: list[tuple[float, float]] = []
    sign = ""
    for token in body:
        if token.text in ("+", "-") and not sign:
            sign = token.text
            continue
        found = number(sign + token.text)
        if found is None:
            words = f"{token.text!r} in {what} is not a number"
            raise UnreadError(finding("GMN008", words, place=places.at(token.at), got=token.text))
        sign = ""
        made.append(found)
    if len(made) != expected or sign:
        place = places.at(body[0].at) if body else None
        words = f"{what} has {len(made)} numbers, expected {expected}"
        raise UnreadError(finding("GMN301", words, place=place, got=len(made), expected=expected))
    return np.array(made, dtype=np.float64).reshape(-1, 2).T


@dataclass(slots=True)
class Names:
    """The values of one variable, by number or by name.

    Attributes:
        kind: what a person calls one of them, such as ``state``.
        labels: empty where the file gives their number alone.
        by_number: whether digits are numbers even where names consist of digits.
    """

    kind: str
    size: int
    labels: tuple[str, ...] = ()
    by_number: bool = False
    index: dict[str, int] = field(default_factory=dict)

    @property
    def shown(self) -> tuple[str, ...]:
        """One label for each value."""
        return self.labels or tuple(map(str, range(self.size)))

    def at(self, token: PlacedWord, places: SourceMap) -> Which:
        """The value that a reference means.

        Raises: UnreadError: there is no such value (105).
        """
        if token.text == "*":
            return ALL
        known = self.index.get(token.text)
        if known is not None and not (self.by_number and is_whole(token.text)):
            return known
        if is_whole(token.text) and _number(token) < self.size:
            return _number(token)
        near = nearest(token.text, self.labels)
        hint = f"; did you mean {near!r}?" if near else f"; there are {self.size} values"
        words = f"{self.kind} {token.text!r} is not declared{hint}"
        raise UnreadError(finding("GMN105", words, place=places.at(token.at), got=token.text))

    def settle(self, used: Sequence[PlacedWord], places: SourceMap) -> None:
        """Find out whether digits in the file are names or numbers, where names are digits.

        Raises: UnreadError: both readings fit, and mean different values (809).
        """
        digits = [token for token in used if is_whole(token.text)]
        if all(self.index.get(t.text, _number(t)) == _number(t) for t in digits):
            return
        by_name = all(token.text in self.index for token in digits)
        self.by_number = all(_number(t) < self.size for t in digits)
        if by_name and self.by_number:
            first = next(t for t in digits if self.index[t.text] != int(t.text))
            words = (
                f"{self.kind} {first.text} is the name of value {self.index[first.text]} and the"
                f" number of {self.labels[int(first.text)]!r}; both fit the whole file, so use"
                " names that are not numbers"
            )
            raise UnreadError(finding("GMN809", words, place=places.at(first.at), got=first.text))


def _number(token: PlacedWord) -> int:
    return int(token.text) if len(token.text) <= _MOST_DIGITS else 10**_MOST_DIGITS


def names_of(kind: str, section: Statement, places: SourceMap) -> Names:
    """The values that ``states:``, ``actions:`` or ``observations:`` declares.

    Raises: UnreadError: there are none (002), too many (701), or one stands twice (116).
    """
    body, place = section.body, places.at(section.head.at)
    if not body:
        words = f"{section.head.text}: declares nothing; write a number or names"
        raise UnreadError(finding("GMN002", words, place=place))
    most = HARD_LIMITS.variable_size
    if len(body) == 1 and is_whole(body[0].text):
        digits = body[0].text.lstrip("0") or "0"
        if len(digits) > _MOST_DIGITS or not 0 < int(digits) <= most:
            words = f"{section.head.text}: {digits[:20]} is not between 1 and {most}"
            raise UnreadError(finding("GMN701", words, place=place, got=digits[:20]))
        return Names(kind, int(digits))
    if len(body) > most:
        words = f"{section.head.text}: {len(body)} values, more than {most}"
        raise UnreadError(finding("GMN701", words, place=place, got=len(body), expected=most))
    labels = tuple(token.text for token in body)
    index = {label: i for i, label in reversed([*enumerate(labels)])}
    if len(index) < len(labels) or "*" in index or ":" in index:
        twice = next((t for i, t in enumerate(body) if index[t.text] != i), body[0])
        words = f"{kind} {twice.text!r} cannot be declared: it stands twice, or is * or a colon"
        raise UnreadError(finding("GMN116", words, place=places.at(twice.at), got=twice.text))
    return Names(kind, len(labels), labels, index=index)
