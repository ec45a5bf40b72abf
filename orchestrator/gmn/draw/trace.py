"""An episode: the belief of every factor over time, what was seen and done, and the utilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.draw.heat import MOST_SIDE, shades
from orchestrator.gmn.draw.layout import WIDTH, Panel, line, paragraph, stacked
from orchestrator.gmn.draw.scene import Box, Cells, Curve, TextLine, cut, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.acting.episode import Run, Step
    from orchestrator.gmn.draw.scene import Part, Role
    from orchestrator.gmn.model import Variable

    Array = NDArray[np.float64]

_LEFT, _SIZE = 140.0, 10.0
_WIDEST, _MOST_COLUMNS = 34.0, 400
_TALLEST, _LEAST_PITCH = 14.0, 10.0
_BARS = 54.0


class _Axis:
    """Time from left to right; of a long episode several steps share a column."""

    def __init__(self, steps: int) -> None:
        self.per_column = -(-steps // _MOST_COLUMNS) or 1
        self.columns = -(-steps // self.per_column)
        self.wide = min(_WIDEST, (WIDTH - _LEFT - 50) / max(1, self.columns))
        self.width = self.columns * self.wide
        self.begins = np.arange(0, max(1, steps), self.per_column)


def trace(run: Run) -> Panel:
    """The episode; what is left out is said in it."""
    steps, model = run.steps, run.model
    axis = _Axis(len(steps))
    words = (
        f"{len(steps)} steps, seed {run.seed}, utility"
        f" {math.fsum(step.utility for step in steps):.4g} nats. Shade: believed probability."
        " Orange: what was so, or done."
    )
    panels = [paragraph(words, size=11.0)]
    if axis.per_column > 1:
        panels.append(paragraph(f"a column shows the largest of {axis.per_column} steps"))
    if any(not step.marginals for step in steps):
        panels.append(paragraph("a long run does not keep every belief: what is missing is blank"))
    for f, v in enumerate(model.states):
        belief = np.array([s.marginals[f] if s.marginals else np.zeros(v.n) for s in steps])
        panels.append(_panel(axis, v, f"belief: {v.name}", belief.T, [s.state for s in steps]))
    seen, done = [s.observation for s in steps], [s.action for s in steps]
    panels += [_panel(axis, v, f"seen: {v.name}", None, seen) for v in model.observations]
    panels += [_panel(axis, v, f"action: {v.name}", None, done) for v in model.actions]
    panels.append(_utility(axis, steps))
    return stacked(panels, 14.0)


def _panel(
    axis: _Axis, variable: Variable, title: str, belief: Array | None,
    taken: Sequence[Mapping[str, str]],
) -> Panel:  # fmt: skip
    """A row for each label, a column for each step."""
    per_row = -(-variable.n // MOST_SIDE)
    rows = -(-variable.n // per_row)
    high = _TALLEST if rows <= 24 else 8.0 if rows <= 48 else 6.0
    parts: list[Part] = [*_labels(variable, per_row, rows, high)]
    parts.append(Box(_LEFT, 0, axis.width, rows * high, "line", 0.0, 1.0))
    if belief is not None:
        most = np.maximum.reduceat(belief, np.arange(0, variable.n, per_row), 0)
        most = np.maximum.reduceat(most, axis.begins, 1)
        parts += shades(most, _LEFT, 0, axis.wide, high)
    parts += _dots(axis, variable, per_row, high, taken)
    note = f", {per_row} labels a row" if per_row > 1 else ""
    body = Panel(_LEFT + axis.width, rows * high, tuple(parts))
    return stacked([line(f"{title}{note}", 11.0, is_bold=True), body], 4.0)


def _labels(variable: Variable, per_row: int, rows: int, high: float) -> Iterator[Part]:
    names = variable.names
    every = math.ceil(_LEAST_PITCH / high)
    for row in range(0, rows, every):
        words = cut(names[row * per_row], _LEFT - 12, _SIZE)
        yield TextLine(_LEFT - 7, (row + 0.5) * high + 3.5, words, "ink", _SIZE, "end")


def _dots(
    axis: _Axis, variable: Variable, per_row: int, high: float, taken: Sequence[Mapping[str, str]]
) -> Iterator[Part]:
    """A mark for the label of each step; none where it is not known."""
    index = {name: i // per_row for i, name in enumerate(variable.names)}
    at = {
        (i // axis.per_column, index[step[variable.name]], 1): None
        for i, step in enumerate(taken)
        if variable.name in step
    }
    if at:
        size = min(axis.wide, high, 8.0) * 0.62
        across, down = (axis.wide - size) / 2, (high - size) / 2
        yield Cells(_LEFT, 0, axis.wide, high, tuple(at), "truth", 1.0, (across, down))


def _utility(axis: _Axis, steps: Sequence[Step]) -> Panel:
    values = np.array([step.utility for step in steps] or [0.0])
    most = np.maximum.reduceat(values, axis.begins)
    least = np.minimum.reduceat(values, axis.begins)
    shown = np.where(-least > most, least, most)
    low, high = min(0.0, float(shown.min())), max(0.0, float(shown.max()))
    scale = _BARS / ((high - low) or 1.0)
    zero = high * scale
    parts: list[Part] = []
    for i, value in enumerate(shown.tolist()):
        if value:
            role: Role = "gain" if value > 0 else "loss"
            top, tall = (zero - value * scale if value > 0 else zero), abs(value) * scale
            x, wide = _LEFT + i * axis.wide, axis.wide
            parts.append(Box(x + wide * 0.1, top, wide * 0.8, max(tall, 0.6), role, 0.85))
    parts.append(Curve((_LEFT, zero), ((_LEFT + axis.width, zero),), "muted", 1.0))
    for value in {low, high}:
        y = zero - value * scale + 3.5
        parts.append(TextLine(_LEFT - 7, y, number(value), "muted", _SIZE, "end"))
    parts += _ticks(axis, len(steps))
    body = Panel(_LEFT + axis.width, _BARS + 26, tuple(parts))
    return stacked([line("utility, in nats", 11.0, is_bold=True), body], 8.0)


def _ticks(axis: _Axis, steps: int) -> Iterator[Part]:
    every = max(1, math.ceil(34 / axis.wide))
    nice = next(n for n in (1, 2, 5, 10, 20, 25, 50, 100, 200, 400) if n >= min(every, 400))
    for column in range(0, axis.columns, nice):
        shown = str(column * axis.per_column + 1)
        x = _LEFT + (column + 0.5) * axis.wide
        yield TextLine(x, _BARS + 16, shown, "muted", _SIZE, "middle")
    yield TextLine(_LEFT - 7, _BARS + 16, "step" if steps else "", "muted", _SIZE, "end")
