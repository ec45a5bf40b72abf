"""Writes a picture as PNG or PDF with matplotlib, which brings its own font."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING, Any, Literal, assert_never

from orchestrator.gmn.draw.scene import COLOURS, Box, Cells, Curve, Group, TextLine
from orchestrator.types.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

    from orchestrator.gmn.draw.scene import Part, Role, Scene

_PER_INCH = 96
_SCALE = 2.0
_MOST_PIXELS = 40_000_000  # 160 MB while it is drawn
_MOST_SIDE = 60_000  # matplotlib draws fewer than 65,536
_ANCHORS = {"start": "left", "middle": "center", "end": "right"}


def require_raster() -> None:
    """Raises: MissingExtraError: matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("a picture as PNG or PDF", "plot")


def raster(scene: Scene, form: Literal["png", "pdf"]) -> bytes:
    """The picture on light paper, two pixels for one unless it is very large.

    Raises: MissingExtraError: matplotlib is not installed.
    """
    require_raster()
    from matplotlib.figure import Figure  # noqa: PLC0415  an extra that is slow to import

    area, side = scene.width * scene.height, max(scene.width, scene.height)
    scale = min(_SCALE, (_MOST_PIXELS / area) ** 0.5, _MOST_SIDE / side)
    size = (scene.width / _PER_INCH, scene.height / _PER_INCH)
    figure = Figure(figsize=size, dpi=_PER_INCH * scale, facecolor=COLOURS["paper"][0])
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.set_axis_off()
    for order, (part, x, y) in enumerate(_placed(scene.parts, 0.0, 0.0)):
        _draw(axes, part, x, y, order)
    out = io.BytesIO()
    metadata: dict[str, Any] = {"Title": scene.title} if form == "pdf" else {}
    figure.savefig(out, format=form, metadata=metadata)
    return out.getvalue()


def _placed(
    parts: tuple[Part, ...], x: float, y: float
) -> Iterator[tuple[Box | TextLine | Curve | Cells, float, float]]:
    for part in parts:
        if isinstance(part, Group):
            yield from _placed(part.parts, x + part.x, y + part.y)
        else:
            yield part, x, y


def _colour(role: Role, opacity: float = 1.0) -> tuple[float, ...]:
    code = COLOURS[role][0]
    return (*(int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)), opacity)


def _points(pixels: float) -> float:
    return pixels * 72 / _PER_INCH


def _draw(axes: Axes, part: Box | TextLine | Curve | Cells, x: float, y: float, order: int) -> None:
    match part:
        case Box():
            _box(axes, part, x, y, order)
        case TextLine():
            _text(axes, part, x, y, order)
        case Curve():
            _curve(axes, part, x, y, order)
        case Cells():
            _cells(axes, part, x, y, order)
        case _:
            assert_never(part)


def _box(axes: Axes, box: Box, x: float, y: float, order: int) -> None:
    from matplotlib.patches import BoxStyle, FancyBboxPatch  # noqa: PLC0415  as in `raster`

    style = BoxStyle.Round(pad=0, rounding_size=box.radius or 1e-6)
    axes.add_patch(
        FancyBboxPatch(
            (x + box.x, y + box.y), box.width, box.height, boxstyle=style, zorder=order,
            facecolor=_colour(box.role, box.opacity),
            edgecolor=_colour(box.role) if box.outline else "none",
            linewidth=_points(box.outline), antialiased=True,
        )
    )  # fmt: skip


def _text(axes: Axes, text: TextLine, x: float, y: float, order: int) -> None:
    axes.text(
        x + text.x, y + text.y, text.words, color=_colour(text.role), zorder=order,
        fontsize=_points(text.size) * 0.92,  # its font is wider than those of screens
        fontweight="bold" if text.is_bold else "normal", ha=_ANCHORS[text.anchor], va="baseline",
        rotation=90 if text.is_upright else 0, rotation_mode="anchor", parse_math=False,
        clip_on=True, fontfamily="DejaVu Sans",
    )  # fmt: skip


def _curve(axes: Axes, curve: Curve, x: float, y: float, order: int) -> None:
    from matplotlib.patches import PathPatch  # noqa: PLC0415  as in `raster`
    from matplotlib.path import Path  # noqa: PLC0415

    points, codes = [curve.start], [Path.MOVETO]
    for step in curve.steps:
        points += list(zip(step[::2], step[1::2], strict=True))
        codes += [Path.LINETO] if len(step) == 2 else [Path.CURVE4] * 3
    path = Path([(x + a, y + b) for a, b in points], codes)
    colour, width = _colour(curve.role, curve.opacity), _points(curve.width)
    fill, line = ("none", colour) if curve.width else (colour, "none")
    axes.add_patch(PathPatch(path, facecolor=fill, edgecolor=line, linewidth=width, zorder=order))


def _cells(axes: Axes, cells: Cells, x: float, y: float, order: int) -> None:
    from matplotlib.collections import PolyCollection  # noqa: PLC0415  as in `raster`

    aside, down = cells.inset
    made = []
    for column, row, count in cells.runs:
        left = x + cells.x + column * cells.width + aside
        top = y + cells.y + row * cells.height + down
        right = left + count * cells.width - 2 * aside
        bottom = top + cells.height - 2 * down
        made.append([(left, top), (right, top), (right, bottom), (left, bottom)])
    colour = _colour(cells.role, cells.opacity)
    axes.add_collection(
        PolyCollection(made, facecolors=[colour], edgecolors="none", linewidths=0, zorder=order),
        autolim=False,
    )
