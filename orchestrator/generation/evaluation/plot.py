"""Plots evaluation results with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.generation.evaluation.evaluate import CALLS
from orchestrator.gmn.acting.plot import check_plot
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.generation.evaluation.evaluate import EvaluationRun


_SHADES = ("#c6dbef", "#9ecae1", "#4292c6", "#08519c")


def plotted(now: EvaluationRun, before: EvaluationRun | None, path: Path) -> None:
    """Draw the share of valid models after each call, by agent type; strokes: the earlier run.

    Raises: MissingExtraError, ValueError: as `check_plot`.
    """
    check_plot(path)
    from matplotlib.figure import Figure  # noqa: PLC0415  an extra that is slow to import
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    kinds, width = list(now.scores), 0.8 / len(CALLS)
    for n, most in enumerate(CALLS):
        at = [k + (n - (len(CALLS) - 1) / 2) * width for k in range(len(kinds))]
        axes.bar(
            at, [now.scores[kind].valid_at[n] for kind in kinds], width * 0.9,
            color=_SHADES[n], label=f"after {most} call{'s' if most > 1 else ''}",
        )  # fmt: skip
        if before is not None:
            pairs = zip(at, kinds, strict=True)
            known = [(x, before.scores[k].valid_at[n]) for x, k in pairs if k in before.scores]
            axes.plot(*zip(*known, strict=True), "_", color="black", markersize=9, zorder=3)
    ticks = [f"{visible(kind)} ({now.scores[kind].cases})" for kind in kinds]
    axes.set_xticks(range(len(kinds)), ticks, parse_math=False)  # a $ is a $
    axes.set_ylim(0, 1.05)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("valid models")
    note = "; strokes: the run before" if before is not None else ""
    title = f"{visible(now.route)}, templates {now.templates}{note}"
    axes.set_title(title, fontsize=10, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=len(CALLS), loc="upper center", bbox_to_anchor=(0.5, -0.1))
    figure.savefig(path, dpi=150)
