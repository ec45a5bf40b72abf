"""Writes a picture as SVG: no script, no reference, colours for light and for dark paper."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, assert_never

from orchestrator.gmn.draw.scene import COLOURS, Box, Cells, Curve, Group, TextLine
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.draw.scene import Part, Role, Scene

_FONTS = "system-ui,-apple-system,'Segoe UI','Noto Sans','DejaVu Sans',sans-serif"
_NOT_XML = re.compile("[\ufffe\uffff]")


def svg(scene: Scene) -> str:
    """The picture as a document of its own that a page may also hold as it is.

    Each colour is a class (``gmn-ink``, …) and the variable of CSS of the same name (``--gmn-ink``)
    for a page that has colours of its own; a reader without CSS gets those of light paper.
    """
    size = f'width="{_n(scene.width)}" height="{_n(scene.height)}"'
    view = f'viewBox="0 0 {_n(scene.width)} {_n(scene.height)}"'
    title = _words(scene.title)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gmn-picture" {size} {view} role="img"'
        f' aria-label="{title}" font-family="{_FONTS}">',
        f"<title>{title}</title>",
        f"<style>{_style()}</style>",
        f'<rect width="100%" height="100%"{_colour("paper")} fill="currentColor"/>',
    ]
    for part in scene.parts:
        lines.extend(_part(part))
    return "\n".join([*lines, "</svg>", ""])


def _style() -> str:
    """Rules for this picture alone, also in a page that holds it."""

    def rules(which: int) -> str:
        return "".join(
            f".gmn-picture .gmn-{role}{{color:var(--gmn-{role},{both[which]})}}"
            for role, both in COLOURS.items()
        )

    return (
        f".gmn-picture{{max-width:100%;height:auto}}{rules(0)}"
        f"@media (prefers-color-scheme:dark){{{rules(1)}}}"
    )


def _colour(role: Role) -> str:
    return f' class="gmn-{role}" color="{COLOURS[role][0]}"'


def _words(text: str) -> str:
    shown = _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):x}", visible(text))
    return html.escape(shown)


def _n(value: float) -> str:
    shown = f"{value:.1f}"
    return shown.removesuffix(".0")


def _opacity(value: float, name: str) -> str:
    return "" if value >= 1 else f' {name}="{value:.2f}"'


def _part(part: Part) -> Iterator[str]:
    match part:
        case Box():
            yield _box(part)
        case TextLine():
            yield _text(part)
        case Curve():
            yield _curve(part)
        case Cells():
            yield _cells(part)
        case Group():
            yield from _group(part)
        case _:
            assert_never(part)


def _group(group: Group) -> Iterator[str]:
    data = "".join(f' data-{key}="{_words(value)}"' for key, value in group.data)
    move = f' transform="translate({_n(group.x)} {_n(group.y)})"' if group.x or group.y else ""
    yield f"<g{data}{move}>"
    if group.title:
        yield f"<title>{_words(group.title)}</title>"
    for part in group.parts:
        yield from _part(part)
    yield "</g>"


def _box(box: Box) -> str:
    place = f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}"'
    round_ = f' rx="{_n(box.radius)}"' if box.radius else ""
    fill = ' fill="currentColor"' if box.opacity > 0 else ' fill="none"'
    line = f' stroke="currentColor" stroke-width="{_n(box.outline)}"' if box.outline else ""
    shade = _opacity(box.opacity, "fill-opacity") if box.opacity > 0 else ""
    return f"<rect {place}{round_}{_colour(box.role)}{fill}{shade}{line}/>"


def _text(text: TextLine) -> str:
    at = f'x="{_n(text.x)}" y="{_n(text.y)}"'
    if text.is_upright:
        at = f'transform="translate({_n(text.x)} {_n(text.y)}) rotate(-90)"'
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    bold = ' font-weight="600"' if text.is_bold else ""
    words = _words(text.words)
    style = f'{_colour(text.role)} fill="currentColor" font-size="{_n(text.size)}"{anchor}{bold}'
    return f"<text {at}{style}>{words}</text>"


def _curve(curve: Curve) -> str:
    steps = [
        f"{'L' if len(step) == 2 else 'C'}{' '.join(map(_n, step))}"  # to a point, or a curve
        for step in curve.steps
    ]
    path = f"M{_n(curve.start[0])} {_n(curve.start[1])}{''.join(steps)}"
    if not curve.width:
        shade = _opacity(curve.opacity, "fill-opacity")
        return f'<path d="{path}Z"{_colour(curve.role)} fill="currentColor"{shade}/>'
    shade = _opacity(curve.opacity, "stroke-opacity")
    line = f'fill="none" stroke="currentColor" stroke-width="{_n(curve.width)}"{shade}'
    return f'<path d="{path}"{_colour(curve.role)} {line}/>'


def _cells(cells: Cells) -> str:
    aside, down = cells.inset
    height = _n(cells.height - 2 * down)
    path = "".join(
        f"M{_n(cells.x + column * cells.width + aside)} {_n(cells.y + row * cells.height + down)}"
        f"h{_n(count * cells.width - 2 * aside)}v{height}"
        f"h{_n(2 * aside - count * cells.width)}z"
        for column, row, count in cells.runs
    )
    shade = _opacity(cells.opacity, "fill-opacity")
    return f'<path d="{path}"{_colour(cells.role)} fill="currentColor"{shade}/>'
