"""Cells and corners in the notations in which people write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.request.phrases import one_of, phrase
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.gmn.request.phrases import TokenLine

_TOP = words("top upper north northern uppermost")
_BOTTOM = words("bottom lower south southern lowermost")
_LEFT = words("left west western")
_RIGHT = words("right east eastern")
_OTHER = words("far near opposite other first last")
_NUMBERS = {word: n for n, word in enumerate(
    ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"), 1
)}  # fmt: skip
_NTH = rf"#\d{{1,3}}|\d{{1,3}}(?:st|nd|rd|th)|{'|'.join(_NUMBERS)}"
_ROW = f"(?:row (?P<row>{_NTH})|(?P<nth_row>{_NTH}) row)"
_COLUMN = f"(?:col(?:umn)? (?P<column>{_NTH})|(?P<nth_column>{_NTH}) col(?:umn)?)"
_BETWEEN = "(?: (?:,|and|of|in|/|the|at|&))* "
#: ``row 2, column 3``, ``the third column of the second row``: perhaps counted from 1.
_COUNTED = (phrase(_ROW + _BETWEEN + _COLUMN), phrase(_COLUMN + _BETWEEN + _ROW))
_PLACING = (
    "(?:corner|tile|field|square|cell|at|in|on|from|to|enters?|entering|reach|avoid|position)"
)
_CELLS = tuple(
    phrase(tile + cell)
    for tile in ("(?:corner|tile|field|square) ", "")
    for cell in (
        r"r(?P<row>\d{1,3})_?c(?P<column>\d{1,3})",
        r"[(\[<] (?P<row>#\d{1,3}) [,;|/] (?P<column>#\d{1,3}) [)\]>]",
        r"(?:[(\[<] )?x = (?P<column>#\d{1,3}) \S+ y = (?P<row>#\d{1,3})(?: [)\]>])?",
    )
)
#: ``2,3`` after a word of place, and before no further number.
_PAIR = phrase(
    rf"{_PLACING} ((?P<row>#\d{{1,2}}) , (?P<column>#\d{{1,2}}))"
    r"(?! (?:,|or|and|%|/) #\S+(?! ,))"
)
_CENTRE = phrase(
    r"(?<=\bthe )(?:centre|center|middle)|(?:centre|center|middle)(?= (?:cell|square|tile) )"
)
_SIDE = one_of(_TOP, _BOTTOM, _LEFT, _RIGHT, _OTHER)
_WAY = f"(?:(?:{_SIDE})(?:-(?:{_SIDE}|hand)){{0,3}}|(?:north|south)(?:west|east))"
_WAYS = f"(?P<said>{_WAY}(?: {_WAY}){{0,3}})"
_CORNERS = (
    phrase(f"{_WAYS} (?P<noun>corner|cell|square|tile)"),
    phrase(f"(?P<noun>corner)(?: (?:at|in|on|the|of))* {_WAYS}"),
)
_PARTS = (phrase(f"{_WAYS}(?P<noun>)"), phrase("(?P<noun>corner)(?P<said>)"))


class Location(NamedTuple):
    """A place in the tokens `first` to before `after`: ``r2c3``, ``top left corner``, ``centre``.

    `about` is ``counted`` where rows and columns are counted in words, perhaps from 1.
    """

    value: str
    first: int
    after: int
    about: str = ""


def places(line: TokenLine) -> Iterator[Location]:
    """The places in a text, none inside of another."""
    found, taken = dict[int, Location](), set[int]()
    for one in _all_places(line):
        if taken.isdisjoint(range(one.first, one.after)):
            taken.update(range(one.first, one.after))
            found[one.first] = one
    for one in list(found.values()):
        cell = found.get(one.after)
        if cell and _is_same(one.value, cell.value):
            found[one.first] = found.pop(one.after)._replace(first=one.first)
    for first in sorted(found):
        yield found[first]


def _all_places(line: TokenLine) -> Iterator[Location]:
    """All of each notation, those first that say most."""
    yield from _corners(line, _CORNERS)
    for said in (*_CELLS, *_COUNTED, _PAIR):
        about = "counted" if said in _COUNTED else ""
        for match, first, at, after in line.phrases(said):
            given = match.groupdict()
            row, column = (given[n] or given.get(f"nth_{n}", "") for n in ("row", "column"))
            value = f"r{_whole(row)}c{_whole(column)}"
            if said is not _PAIR:
                yield Location(value, first, after, about)
            elif line.lows[at].isdigit() and line.lows[at + 2].isdigit():
                yield Location(value, at, after)
    for _, first, _, after in line.phrases(_CENTRE):
        yield Location("centre", first, after)
    yield from _corners(line, _PARTS)


def _corners(line: TokenLine, wanted: Iterable[re.Pattern[str]]) -> Iterator[Location]:
    for said in wanted:
        for match, first, _, after in line.phrases(said):
            if value := _corner(match["said"], is_corner=match["noun"] == "corner"):
                yield Location(value, first, after)


def _whole(said: str) -> int:
    return _NUMBERS.get(said) or int(re.sub(r"\D", "", said))


def _corner(said: str, *, is_corner: bool) -> str:
    """The corner that is meant by words of direction, before the noun or after it."""
    ways = re.findall(_SIDE, said)
    vertical = "top" if _TOP & set(ways) else "bottom" if _BOTTOM & set(ways) else ""
    sideways = "left" if _LEFT & set(ways) else "right" if _RIGHT & set(ways) else ""
    if vertical and sideways:
        return f"{vertical} {sideways} corner"
    other = next((word for word in ways if word in _OTHER), "")
    return " ".join(filter(None, (vertical, sideways, other, "corner"))) if is_corner else ""


def _is_same(corner: str, cell: str) -> bool:
    """``the top left corner (0, 0)`` is that cell where both say the same sides."""
    row, _, column = cell.removeprefix("r").partition("c")
    vertical, sideways = "top" if row == "0" else "bottom", "left" if column == "0" else "right"
    return column.isdigit() and corner == f"{vertical} {sideways} corner"
