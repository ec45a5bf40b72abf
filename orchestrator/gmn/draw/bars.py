"""Bars: priors, preferences and habits, a bar for each label; grids as grids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.draw.heat import Side, heat_map
from orchestrator.gmn.draw.layout import Panel, line, paragraph, stacked
from orchestrator.gmn.draw.scene import Box, Curve, TextLine, cut, number, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.draw.scene import Part, Role
    from orchestrator.gmn.model import Variable

    Array = NDArray[np.float64]

MOST_BARS, _ALL = 60, 12  # of a variable with more labels those of 0 are left out
_PITCH, _BAR, _ROOM, _SIZE = 18.0, 150.0, 132.0, 10.0
_FEW = 8  # labels of which also a uniform distribution is drawn as bars


def bars(variable: Variable, values: Array, *, title: str, is_signed: bool = False) -> Panel:
    """The values of a variable; probabilities, or utilities where `is_signed`.

    A variable on a grid is drawn as that grid, one cell for each value.
    """
    heading = [line(title, 12.0, is_bold=True)] if title else []
    if not is_signed and variable.n > _FEW and np.ptp(values) == 0:
        words = f"uniform: {values[0]:.3g} for each of {variable.n} values"
        return stacked([*heading, paragraph(words)], 6.0)
    if len(variable.shape) == 2 and min(variable.shape) > 1:
        return stacked([*heading, _grid(variable, values, is_signed=is_signed)], 6.0)
    shown, note = _chosen(values)
    body = _bars([variable.names[i] for i in shown], values[shown], is_signed=is_signed)
    notes = [paragraph(note, max(body.width, 240.0), size=10.0)] if note else []
    return stacked([*heading, body, *notes], 6.0)


def _grid(variable: Variable, values: Array, *, is_signed: bool) -> Panel:
    rows, columns = variable.shape
    names = variable.names
    is_default = not variable.labels
    down = Side("", rows, lambda i: f"r{i}" if is_default else names[i * columns])
    across = Side("", columns, lambda i: f"c{i}" if is_default else names[i])
    table = values.reshape(rows, columns)
    return heat_map(table, down, across, has_sums=False, is_signed=is_signed)


def _chosen(values: Array) -> tuple[Sequence[int], str]:
    """Which values are drawn, in order, and what is said of the others."""
    if len(values) <= _ALL or (len(values) <= MOST_BARS and values.all()):
        return range(len(values)), ""
    far = np.argsort(-np.abs(values), kind="stable")
    kept = sorted(i for i in far[:MOST_BARS].tolist() if values[i])
    rest = np.abs(np.delete(values, kept))
    left = f"{len(rest)} more labels"
    if not (most := float(rest.max(initial=0.0))):
        return kept, f"{left} have 0"
    return kept, f"{left} are left out, none of them farther from 0 than {number(most)}"


def _bars(labels: Sequence[str], values: Array, *, is_signed: bool) -> Panel:
    left = min(_ROOM, max((width_of(x[:64], _SIZE) for x in labels), default=0.0)) + 8.0
    low = min(0.0, float(values.min(initial=0.0)))
    high = max(0.0, float(values.max(initial=0.0)))
    most = 1.0 if not is_signed else (high - low) or 1.0
    before = 44.0 if low < 0 else 0.0  # room for the number of a loss
    zero = left + before - low / most * _BAR
    parts: list[Part] = []
    for i, (label, value) in enumerate(zip(labels, values.tolist(), strict=True)):
        y = i * _PITCH
        words = cut(label, left - 8, _SIZE)
        parts.append(TextLine(left - 7, y + 13, words, "ink", _SIZE, "end"))
        parts += _bar(value, zero, y, abs(value) / most * _BAR, is_signed=is_signed)
    parts.append(Curve((zero, 1), ((zero, len(labels) * _PITCH - 1),), "muted", 1.0))
    return Panel(left + before + _BAR + 44.0, len(labels) * _PITCH, tuple(parts))


def _bar(value: float, zero: float, y: float, length: float, *, is_signed: bool) -> Iterator[Part]:
    role: Role = ("gain" if value > 0 else "loss") if is_signed else "heat"
    begin = zero if value > 0 else zero - length
    if value:
        yield Box(begin, y + 4, max(length, 0.8), _PITCH - 7, role, 0.85, radius=1.5)
    x = zero + (length + 6 if value >= 0 else -length - 6)
    yield TextLine(x, y + 13, number(value), "muted", _SIZE, "start" if value >= 0 else "end")
