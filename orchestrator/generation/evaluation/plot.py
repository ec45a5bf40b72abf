"""Draws evaluation results: how many models were valid after each call, by agent type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.generation.evaluation.evaluate import CALLS
from orchestrator.gmn.draw.layout import Panel, line, paragraph, stacked
from orchestrator.gmn.draw.picture import scene
from orchestrator.gmn.draw.scene import Box, Curve, TextLine, cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.generation.evaluation.evaluate import EvaluationRun, Score
    from orchestrator.gmn.draw.scene import Part, Scene

_LEFT, _BAR, _PITCH, _LENGTH = 180.0, 12.0, 15.0, 640.0


def plotted(now: EvaluationRun, before: EvaluationRun | None) -> Scene:
    """The share of valid models after each call, by agent type; strokes: the earlier run."""
    title = line(f"{now.route}, templates {now.templates}", 16.0, is_bold=True)
    said = f"valid models after {', '.join(map(str, CALLS))} calls"
    note = f"{said}; strokes: the run before" if before is not None else said
    kinds = [
        _kind(kind, score, before.scores.get(kind) if before is not None else None)
        for kind, score in now.scores.items()
    ]
    return scene(stacked([title, paragraph(note), *kinds], 14.0), "evaluation of generation")


def _kind(kind: str, score: Score, before: Score | None) -> Panel:
    height = _PITCH * len(CALLS)
    name = cut(f"{kind} ({score.cases})", _LEFT - 46, 12.0, is_bold=True)
    return Panel(_LEFT + _LENGTH + 50, height, (
        TextLine(0, height / 2 + 4, name, "ink", 12.0, is_bold=True),
        *(part for n in range(len(CALLS)) for part in _call(n, score, before)),
        Curve((_LEFT, 0), ((_LEFT, height),), "muted", 1.0),
    ))  # fmt: skip


def _call(n: int, score: Score, before: Score | None) -> Iterator[Part]:
    y, share = n * _PITCH + 1.5, score.valid_at[n]
    opacity = 0.3 + 0.65 * (n + 1) / len(CALLS)
    yield TextLine(_LEFT - 8, y + 10, str(CALLS[n]), "muted", 10.0, "end")
    if share:
        yield Box(_LEFT, y, share * _LENGTH, _BAR, "heat", opacity, radius=1.5)
    yield TextLine(_LEFT + share * _LENGTH + 7, y + 10, f"{share:.0%}", "muted", 10.0)
    if before is not None:
        x = _LEFT + before.valid_at[n] * _LENGTH
        yield Curve((x, y), ((x, y + _BAR),), "truth", 2.0)
