"""Heat maps: tables of probabilities and utilities as cells, with labels and the sums of rows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.draw.layout import Panel, line, paragraph, stacked
from orchestrator.gmn.draw.scene import Box, Cells, TextLine, cut, number, width_of
from orchestrator.gmn.rows import Rows
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from orchestrator.gmn.draw.scene import Part, Role

    Array = NDArray[np.float64]

#: The most cells along a side; of larger tables each cell shows the largest of several.
MOST_SIDE = 64
_LEVELS = 24  # shades
_NUMBERED_COLUMNS, _NUMBERED_ROWS = 9, 24
_NUMBER_WIDTH, _NUMBER_HEIGHT = 40.0, 20.0
_SIZES = ((16, 16.0), (24, 13.0), (40, 9.0), (MOST_SIDE, 7.0))  # of a cell, by cells along a side
_LABEL_ROOM, _CONTEXT_ROOM, _LABEL_SIZE = 132.0, 190.0, 10.0
_LEAST_PITCH, _FLAT = 10.0, 18.0  # between labels; height of those that lie
_DARK = 0.55  # from here on a number is written in the colour of the paper
#: Rows that sum to 1 within so much are distributions, as for the compiler.
_SUM = 1e-6

Labels = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Side:
    """A side of a table.

    Attributes:
        name: what it lists; empty for nothing.
        count: how many values.
        label: the label of each.
        per_cell: how many share a cell.
    """

    name: str
    count: int
    label: Labels

    @property
    def per_cell(self) -> int:
        return -(-self.count // MOST_SIDE) or 1

    @property
    def cells(self) -> int:
        return -(-self.count // self.per_cell)


def heat_map(
    values: Array | Rows, down: Side, across: Side, *, title: str = "", has_sums: bool = True,
    is_signed: bool = False,
) -> Panel:  # fmt: skip
    """One table: rows from top to bottom, shaded by probability, or by gain and loss.

    `values` has the shape (down, across), of `Rows` a row for each of `down`. With `has_sums` the
    sum of each row stands beside it. Utilities, `is_signed`, are shaded up to the largest of them.
    """
    shown = _largest(values, down, across, is_signed=is_signed)
    has_numbers = across.count <= _NUMBERED_COLUMNS and down.count <= _NUMBERED_ROWS
    cell = _size(max(down.cells, across.cells))
    wide, high = (_NUMBER_WIDTH, _NUMBER_HEIGHT) if has_numbers else (cell, cell)
    left = _labels_width(down, _CONTEXT_ROOM)
    top = _labels_height(across, wide) + (16.0 if across.name else 0.0)
    parts: list[Part] = [*_rows(down, left, top, high), *_columns(across, left, top, wide)]
    parts += shades(shown, left, top, wide, high, is_signed=is_signed)
    if has_numbers:
        parts += _numbers(shown, left, top, wide, high, is_signed=is_signed)
    width, height = left + across.cells * wide, top + down.cells * high
    frame = Box(left, top, across.cells * wide, down.cells * high, "line", 0.0, 1.0)
    parts.append(frame)
    notes = [*_coarse(down, across)]
    if has_sums:
        sums = _sums(values)
        if high >= _LEAST_PITCH and down.per_cell == 1:
            parts += _sum_column(sums, width, top, high)
            width += 44.0
        else:
            notes.append(_sum_note(sums))
    body = Panel(width, height, tuple(parts))
    panels = [line(title, 11.0, "ink", is_bold=True)] if title else []
    room = max(width, 260.0)
    return stacked([*panels, body, *(paragraph(note, room, size=10.0) for note in notes)], 5.0)


def _size(cells: int) -> float:
    return next(size for most, size in _SIZES if cells <= most)


def _labels_width(side: Side, room: float = _LABEL_ROOM) -> float:
    widest = max(
        (width_of(side.label(i)[:64], _LABEL_SIZE) for i in range(0, side.count, side.per_cell)),
        default=0.0,
    )
    return min(room, max(widest, width_of(side.name, _LABEL_SIZE))) + 8.0


def _labels_height(side: Side, wide: float) -> float:
    widest = _labels_width(side) - 8.0
    return _FLAT if widest <= wide - 4 else min(_LABEL_ROOM, widest) + 10.0


def _rows(down: Side, left: float, top: float, high: float) -> Iterator[Part]:
    """The labels beside the rows, below what they are of."""
    if down.name:
        shown = cut(down.name, left - 8, _LABEL_SIZE)
        yield TextLine(left - 7, top - 6, shown, "muted", _LABEL_SIZE, "end")
    for i in _named(down, high):
        words = cut(down.label(i * down.per_cell), left - 8, _LABEL_SIZE)
        yield TextLine(left - 7, top + (i + 0.5) * high + 3.5, words, "ink", _LABEL_SIZE, "end")


def _columns(across: Side, left: float, top: float, wide: float) -> Iterator[Part]:
    """The labels above the columns, upright where they are wider, below what they are of."""
    if across.name:
        shown = cut(f"→ {across.name}", max(90.0, across.cells * wide), _LABEL_SIZE)
        yield TextLine(left, 10, shown, "muted", _LABEL_SIZE)
    is_flat = _labels_height(across, wide) <= _FLAT
    for i in range(across.cells) if is_flat else _named(across, wide):
        words = cut(across.label(i * across.per_cell), _LABEL_ROOM, _LABEL_SIZE)
        x = left + (i + 0.5) * wide
        if is_flat:
            yield TextLine(x, top - 6, words, "ink", _LABEL_SIZE, "middle")
        else:
            yield TextLine(x + 3.5, top - 6, words, "ink", _LABEL_SIZE, is_upright=True)


def _named(side: Side, pitch: float) -> range:
    """The cells that have their label beside them."""
    return range(0, side.cells, math.ceil(_LEAST_PITCH / pitch) if pitch < _LEAST_PITCH else 1)


def _coarse(down: Side, across: Side) -> Iterator[str]:
    if down.per_cell * across.per_cell > 1:
        yield (
            f"{down.count:,} x {across.count:,} numbers: a cell shows the largest of"
            f" {down.per_cell} x {across.per_cell}"
        )


def _largest(values: Array | Rows, down: Side, across: Side, *, is_signed: bool) -> Array:
    """What each cell shows: the number that is farthest from 0 among those that share it."""
    look(20, numbers=4 * (len(values.p) if isinstance(values, Rows) else values.size))
    if isinstance(values, Rows):
        made = np.zeros((down.cells, across.cells))
        np.maximum.at(
            made, (values.row // down.per_cell, values.state // across.per_cell), values.p
        )
        return made
    rows, columns = (np.arange(0, side.count, side.per_cell) for side in (down, across))
    most: Array = np.maximum.reduceat(np.maximum.reduceat(values, rows, 0), columns, 1)
    if not is_signed:
        return most
    least: Array = np.minimum.reduceat(np.minimum.reduceat(values, rows, 0), columns, 1)
    return np.where(-least > most, least, most)


def _shade(values: Array, *, is_signed: bool) -> Array:
    """Levels from -`_LEVELS` to `_LEVELS`; a number that is not 0 has a level that is not 0."""
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    most = float(np.abs(finite).max(initial=0.0)) if is_signed else 1.0
    share = np.clip(finite / (most or 1.0), -1.0, 1.0)
    level: Array = np.sign(share) * np.ceil(np.abs(share) * _LEVELS - 1e-9)
    return level


def shades(
    values: Array, left: float, top: float, wide: float, high: float, *, is_signed: bool = False
) -> Iterator[Part]:
    """The cells of a raster, those of one shade together."""
    levels = _shade(values, is_signed=is_signed).astype(int)
    runs: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for row, line_ in enumerate(levels.tolist()):
        begin = 0
        for column in range(1, len(line_) + 1):
            if column == len(line_) or line_[column] != line_[begin]:
                if line_[begin]:
                    runs[line_[begin]].append((begin, row, column - begin))
                begin = column
    for level, found in sorted(runs.items()):
        role: Role = ("gain" if level > 0 else "loss") if is_signed else "heat"
        opacity = 0.04 + 0.92 * abs(level) / _LEVELS
        yield Cells(left, top, wide, high, tuple(found), role, opacity)


def _numbers(
    values: Array, left: float, top: float, wide: float, high: float, *, is_signed: bool
) -> Iterator[Part]:
    dark = np.abs(_shade(values, is_signed=is_signed)) / _LEVELS
    for (row, column), value in np.ndenumerate(values):
        role: Role = "paper" if dark[row, column] > _DARK else "ink" if value else "line"
        x, y = left + (column + 0.5) * wide, top + (row + 0.5) * high + 3.5
        yield TextLine(x, y, number(value), role, 10.0, "middle")


def _sums(values: Array | Rows) -> Array:
    if isinstance(values, Rows):
        return values.total(values.p)
    total: Array = values.sum(axis=1)
    return total


def _is_one(total: float) -> bool:
    return abs(total - 1.0) <= _SUM


def _sum_words(total: float) -> str:
    return "1" if _is_one(total) else f"{total:.4g}"


def _sum_column(sums: Array, x: float, top: float, high: float) -> Iterator[Part]:
    yield TextLine(x + 8, top - 6, "sum", "muted", _LABEL_SIZE)
    for i, total in enumerate(sums.tolist()):
        role: Role = "muted" if _is_one(total) else "wrong"
        y = top + (i + 0.5) * high + 3.5
        yield TextLine(x + 8, y, _sum_words(total), role, _LABEL_SIZE, is_bold=role == "wrong")


def _sum_note(sums: Array) -> str:
    wrong = [i for i, total in enumerate(sums.tolist()) if not _is_one(total)]
    if not wrong:
        return "every row sums to 1"
    low, high = float(sums.min()), float(sums.max())
    return f"{len(wrong)} of {len(sums)} rows do not sum to 1: from {low:.4g} to {high:.4g}"
