"""Panels of shapes, put beside and below each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.gmn.draw.scene import Group, TextLine, cut, width_of, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.gmn.draw.scene import Part, Role

#: Width of a picture's content, and the space around it.
WIDTH, MARGIN = 960.0, 28.0
_NOTE_SIZE = 11.0


@dataclass(frozen=True, slots=True)
class Panel:
    """Shapes from (0, 0) on, and how much room they take."""

    width: float
    height: float
    parts: tuple[Part, ...]


def stacked(panels: Iterable[Panel], gap: float) -> Panel:
    """Each panel below the one before."""
    y, width, parts = 0.0, 0.0, []
    for panel in panels:
        parts.append(Group(0, y, panel.parts))
        y += panel.height + gap
        width = max(width, panel.width)
    return Panel(width, max(0.0, y - gap), tuple(parts))


def flowed(panels: Iterable[Panel], gap: float = 32.0, between: float = 28.0) -> Panel:
    """Panels beside each other, in as many lines as they need; wide ones have their own."""
    lines: list[list[Panel]] = []
    used = WIDTH
    for panel in panels:
        if lines and used + gap + panel.width <= WIDTH:
            lines[-1].append(panel)
            used += gap + panel.width
        else:
            lines.append([panel])
            used = panel.width
    return stacked([_line(line, gap) for line in lines], between)


def _line(panels: Sequence[Panel], gap: float) -> Panel:
    x, parts = 0.0, []
    for panel in panels:
        parts.append(Group(x, 0, panel.parts))
        x += panel.width + gap
    return Panel(x - gap, max(panel.height for panel in panels), tuple(parts))


def line(words: str, size: float = 13.0, role: Role = "ink", *, is_bold: bool = False) -> Panel:
    """One line of text."""
    shown = cut(words, WIDTH, size, is_bold=is_bold)
    text = TextLine(0, size, shown, role, size, is_bold=is_bold)
    return Panel(width_of(shown, size, is_bold=is_bold), size * 1.4, (text,))


def paragraph(
    words: str,
    width: float = WIDTH,
    *,
    size: float = _NOTE_SIZE,
    role: Role = "muted",
    most: int = 4,
) -> Panel:
    """Text of several lines."""
    lines = wrapped(words, width, size, most)
    parts = [TextLine(0, size + i * size * 1.45, one, role, size) for i, one in enumerate(lines)]
    widest = max((width_of(one, size) for one in lines), default=0.0)
    return Panel(widest, len(lines) * size * 1.45, tuple(parts))
