"""Cells and corners in the notations in which people write them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.request.tokens import number, words
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.request.tokens import Lexeme

_LABEL = pattern(r"r(\d{1,3})_?c(\d{1,3})", re.IGNORECASE)
_TOP = words("top upper north northern uppermost")
_BOTTOM = words("bottom lower south southern lowermost")
_LEFT = words("left west western left-hand")
_RIGHT = words("right east eastern right-hand")
_OTHER = words("far near opposite other first last")
_SIDES = _TOP | _BOTTOM | _LEFT | _RIGHT | _OTHER
_CENTRE = words("centre center middle")
_TILES = words("corner tile field square")
_PLACING = _TILES | words("cell at in on from to enter enters entering reach avoid position")
_ORDINALS = {word: n for n, word in enumerate(
    ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"), 1
)}  # fmt: skip


class Location(NamedTuple):
    """A place in the tokens `first` to before `after`: ``r2c3``, ``top left corner``, ``centre``.

    `about` is ``counted`` where rows and columns are counted in words, perhaps from 1.
    """

    value: str
    first: int
    after: int
    about: str = ""


def places(tokens: Sequence[Lexeme]) -> Iterator[Location]:
    """The places in a text, none inside of another."""
    at = 0
    while at < len(tokens):
        found = _cell(tokens, at) or _row_and_column(tokens, at) or _named_cell(tokens, at)
        found = found or _corner(tokens, at) or _pair(tokens, at)
        if found:
            yield found
        at = found.after if found else at + 1


def _whole(tokens: Sequence[Lexeme], at: int) -> int | None:
    said = tokens[at].low if at < len(tokens) else ""
    found = number(said) if said else None
    if found is None and re.fullmatch(r"\d{1,3}(?:st|nd|rd|th)", said):
        found = float(said[:-2])
    found = _ORDINALS.get(said) if found is None else found
    return int(found) if found is not None and found == int(found) and found < 1000 else None


def _low(tokens: Sequence[Lexeme], at: int) -> str:
    return tokens[at].low if 0 <= at < len(tokens) else ""


def _cell(tokens: Sequence[Lexeme], at: int) -> Location | None:
    if match := _LABEL.fullmatch(tokens[at].low):
        return Location(f"r{int(match[1])}c{int(match[2])}", at, at + 1)
    closing = {"(": ")", "[": "]", "<": ">"}.get(tokens[at].text)
    begin = at + 1 if closing else at
    if _low(tokens, begin) == "x" and _low(tokens, begin + 1) == "=":  # x counts columns
        x, y = _whole(tokens, begin + 2), _whole(tokens, begin + 6)
        if x is not None and y is not None and _low(tokens, begin + 4) == "y":
            after = begin + 7 + bool(closing and _low(tokens, begin + 7) == closing)
            return Location(f"r{y}c{x}", at, after)
        return None
    if closing is None:
        return None
    row, column = _whole(tokens, begin), _whole(tokens, begin + 2)
    is_pair = row is not None and column is not None and _low(tokens, begin + 3) == closing
    if is_pair and _low(tokens, begin + 1) in (",", ";", "|", "/"):
        return Location(f"r{row}c{column}", at, begin + 4)
    return None


def _named_cell(tokens: Sequence[Lexeme], at: int) -> Location | None:
    """``the corner r2c2``, ``the corner (2, 2)``: the cell, whatever stands there."""
    is_named = tokens[at].low in _TILES and at + 1 < len(tokens)
    found = (_cell(tokens, at + 1) or _pair(tokens, at + 1)) if is_named else None
    return found and found._replace(first=at)


def _pair(tokens: Sequence[Lexeme], at: int) -> Location | None:
    """``2,3`` after a word of place, and before no further number."""
    is_digits = tokens[at].low.isdigit() and _low(tokens, at + 2).isdigit()
    if not is_digits or _low(tokens, at + 1) != "," or _low(tokens, at - 1) not in _PLACING:
        return None
    row, column = _whole(tokens, at), _whole(tokens, at + 2)
    is_listed = _low(tokens, at + 3) in (",", "or", "and", "%", "/") and (
        _whole(tokens, at + 4) is not None and _low(tokens, at + 5) != ","
    )
    is_long = row is None or column is None or max(row, column) > 99
    return None if is_listed or is_long else Location(f"r{row}c{column}", at, at + 3)


def _row_and_column(tokens: Sequence[Lexeme], at: int) -> Location | None:
    """``row 2, column 3``, ``column 3 of row 2``, ``the third column of the second row``."""
    found: dict[str, int] = {}
    here = at
    for _ in range(2):
        while found and _low(tokens, here) in (",", "and", "of", "in", "/", "the", "at", "&"):
            here += 1
        for word, count in ((here, here + 1), (here + 1, here)):
            kind = {"row": "row", "column": "column", "col": "column"}.get(_low(tokens, word))
            if kind and kind not in found and (n := _whole(tokens, count)) is not None:
                found[kind] = n
                here += 2
                break
        else:
            return None
    return Location(f"r{found['row']}c{found['column']}", at, here, about="counted")


def _corner(tokens: Sequence[Lexeme], at: int) -> Location | None:
    """Words of direction before ``corner``, or after it; the middle of something."""
    if _low(tokens, at) in _CENTRE:
        is_one = _low(tokens, at - 1) == "the" or _low(tokens, at + 1) in ("cell", "square", "tile")
        return Location("centre", at, at + 1) if is_one else None
    here, said = at, list[str]()
    while here < len(tokens) and here - at < 4 and _directions(_low(tokens, here)):
        said += _directions(_low(tokens, here))
        here += 1
    if _low(tokens, here) not in ("corner", "cell", "square", "tile"):
        value = _named(said, is_corner=False)
        return Location(value, at, here) if value else None
    is_corner, here = _low(tokens, here) == "corner", here + 1
    if is_corner and not said:
        begin = here
        while _low(tokens, begin) in ("at", "in", "on", "the", "of"):
            begin += 1
        while (
            begin < len(tokens) and begin - here < 8 and (more := _directions(_low(tokens, begin)))
        ):
            said += more
            begin += 1
        here = begin if said else here
    value = _named(said, is_corner=is_corner)
    return _numbered(tokens, Location(value, at, here)) if value else None


def _numbered(tokens: Sequence[Lexeme], corner: Location) -> Location:
    """``the top left corner (0, 0)`` is that cell where both say the same sides."""
    cell = _cell(tokens, corner.after) if corner.after < len(tokens) else None
    match = _LABEL.fullmatch(cell.value) if cell else None
    if cell is None or match is None:
        return corner
    row, column = ("top" if match[1] == "0" else "bottom"), ("left" if match[2] == "0" else "right")
    is_same = corner.value == f"{row} {column} corner"
    return cell._replace(first=corner.first) if is_same else corner


@lru_cache(maxsize=4096)
def _directions(word: str) -> tuple[str, ...]:
    """The directions in a word: ``top-left``, ``northwest``, ``upper``; empty for other words."""
    parts = word.split("-")
    for head in ("north", "south"):
        rest = word.removeprefix(head).lstrip("-")
        if word.startswith(head) and rest in ("west", "east"):
            parts = [head, rest]
    parts = [part for part in parts if part != "hand"]
    return tuple(parts) if parts and all(part in _SIDES for part in parts) else ()


def _named(said: Sequence[str], *, is_corner: bool) -> str:
    vertical = "top" if _TOP & set(said) else "bottom" if _BOTTOM & set(said) else ""
    sideways = "left" if _LEFT & set(said) else "right" if _RIGHT & set(said) else ""
    if vertical and sideways:
        return f"{vertical} {sideways} corner"
    other = next((word for word in said if word in _OTHER), "")
    if not is_corner:
        return ""
    return " ".join(filter(None, (vertical, sideways, other, "corner")))
