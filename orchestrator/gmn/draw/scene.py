"""Shapes of a picture, in pixels from the top left; colours are roles, which a writer resolves."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

Role = Literal[
    "paper", "ink", "muted", "line", "wrong", "action", "state", "observation", "heat", "gain",
    "loss", "truth",
]  # fmt: skip
Anchor = Literal["start", "middle", "end"]

#: The colours of each role on light and on dark paper; everyone can tell gains from losses.
COLOURS: dict[Role, tuple[str, str]] = {
    "paper": ("#ffffff", "#12161d"),
    "ink": ("#1b2330", "#e8ecf2"),
    "muted": ("#667085", "#98a3b5"),
    "line": ("#d6dbe4", "#343c4a"),
    "wrong": ("#b42318", "#ff8a80"),
    "action": ("#b25e09", "#f5b25c"),
    "state": ("#3f51c7", "#98a8ff"),
    "observation": ("#0b7a75", "#5fd0c5"),
    "heat": ("#3f51c7", "#98a8ff"),
    "gain": ("#2b6cb0", "#7db7f0"),
    "loss": ("#c2571a", "#f59a62"),
    "truth": ("#d95f02", "#ffa154"),
}

#: Widths of characters as a share of the font's size, rounded up over common sans-serif fonts.
_NARROW, _WIDE, _USUAL, _CAPITAL, _FULL = 0.4, 0.98, 0.63, 0.74, 1.05
_NARROW_ONES = frozenset("fijlrt.,:;|!'()[]{} -I/·")
_WIDE_ONES = frozenset("mwMW@%…")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, filled as `opacity` says and outlined where `outline` is above 0."""

    x: float
    y: float
    width: float
    height: float
    role: Role
    opacity: float = 1.0
    outline: float = 0.0
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line; `y` is its baseline. With `is_upright` it runs from the bottom to the top."""

    x: float
    y: float
    words: str
    role: Role = "ink"
    size: float = 11.0
    anchor: Anchor = "start"
    is_bold: bool = False
    is_upright: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """Straight lines and Bezier curves.

    Attributes:
        start: where it begins.
        steps: two numbers for a straight line to a point, six for a cubic curve to the last two.
        width: of the line; 0 fills the area in place of it.
    """

    start: tuple[float, float]
    steps: tuple[tuple[float, ...], ...]
    role: Role
    width: float = 1.2
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Cells:
    """Runs of equal cells of a raster: (column, row, columns) of each, all of one shade."""

    x: float
    y: float
    width: float
    height: float
    runs: tuple[tuple[int, int, int], ...]
    role: Role
    opacity: float
    inset: tuple[float, float] = (0.0, 0.0)  # of each run, from the sides and from top and bottom


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes that are moved together.

    Attributes:
        title: said where a pointer rests on it.
        data: names and values for programs that read the picture.
    """

    x: float
    y: float
    parts: tuple[Part, ...]
    title: str = ""
    data: tuple[tuple[str, str], ...] = ()


Part = Box | TextLine | Curve | Cells | Group


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture; `title` says it to those who do not see it."""

    width: float
    height: float
    parts: tuple[Part, ...]
    title: str


def width_of(words: str, size: float, *, is_bold: bool = False) -> float:
    """About how wide a line is; rather too wide than too narrow."""
    return sum(map(_share, words)) * size * (1.08 if is_bold else 1.0)


def _share(character: str) -> float:
    if character in _NARROW_ONES:
        return _NARROW
    if character in _WIDE_ONES:
        return _WIDE
    if character.isascii():
        return _CAPITAL if character.isupper() else _USUAL
    return _FULL if unicodedata.east_asian_width(character) in "WF" else _CAPITAL


def cut(words: str, room: float, size: float, *, is_bold: bool = False) -> str:
    """The line, in the middle of which characters are left out where it is wider than `room`."""
    shown = visible(words[:4096])
    if width_of(shown, size, is_bold=is_bold) <= room:
        return shown
    kept = min(len(shown), int(room / (size * _NARROW)) + 1)
    while kept > 2:
        half = kept // 2
        short = f"{shown[: kept - half]}…{shown[len(shown) - half :]}"
        if width_of(short, size, is_bold=is_bold) <= room:
            return short
        kept -= 1
    return f"{shown[:1]}…"


def wrapped(words: str, room: float, size: float, most: int) -> list[str]:
    """At most `most` lines of at most `room`; the last ends in … where words are left out."""
    lines: list[str] = [""]
    for word in visible(" ".join(words[:4096].split())).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer, size) <= room:
            lines[-1] = longer
        elif len(lines) == most:
            lines[-1] = f"{cut(lines[-1], room - size, size)}…"
            break
        else:
            lines.append(cut(word, room, size))
    return [line for line in lines if line]


def number(value: float) -> str:
    """A number in at most five characters or so."""
    shown = (
        f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 100 else f"{value:.3g}"
    )
    shown = shown.rstrip("0").rstrip(".") if "." in shown and "e" not in shown else shown
    return f"{value:.0e}" if shown in ("0", "-0") and value else shown


def joined(labels: Sequence[str]) -> str:
    """Labels of several variables as one."""
    return " · ".join(labels)
