"""Draws a simulated episode as PNG, SVG or PDF with matplotlib: beliefs, actions and utilities."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.types.errors import MissingExtraError
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from orchestrator.gmn.acting.episode import Run
    from orchestrator.gmn.model import Variable

    Array = NDArray[np.float64]

#: Everyone can tell them apart, also in grey: dark blue for beliefs, orange for what is so.
_BELIEF, _TRUE = "Blues", "#d95f02"
_INCHES_PER_LABEL, _LEAST, _MOST = 0.24, 0.9, 4.0  # height of a panel
_MOST_TICKS, _MOST_CHARACTERS = 18, 24


def check_plot(path: str | Path) -> None:
    """Raise, before anything is computed or paid for, where a picture cannot be drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: the file name ends in neither .png nor .svg nor .pdf.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("a plot", "plot")
    if Path(path).suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{visible(str(path))} is neither .png nor .svg nor .pdf")


def plotted(run: Run, path: str | Path, *, title: str = "") -> None:
    """Draw an episode: the belief of every factor over time, the actions, and the utilities.

    Raises: MissingExtraError, ValueError: as `check_plot`; OSError: it cannot be written.
    """
    path = Path(path)
    check_plot(path)
    from matplotlib.figure import Figure  # noqa: PLC0415  an extra that is slow to import
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    model = run.model
    panels = [*model.states, *model.actions]
    heights = [min(_MOST, max(_LEAST, _INCHES_PER_LABEL * v.n)) for v in panels] + [1.2]
    width = min(16.0, 5.0 + 0.18 * len(run.steps))
    figure = Figure(figsize=(width, sum(heights) + 0.35 * len(heights) + 0.9), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for factor, variable in enumerate(model.states):
        nothing = np.full(variable.n, np.nan)  # a long run does not keep every belief
        beliefs = [s.marginals[factor] if s.marginals else nothing for s in run.steps]
        truth = [step.state.get(variable.name) for step in run.steps]
        image = _belief(axes[factor], variable, beliefs, truth)
    for place, variable in enumerate(model.actions, len(model.states)):
        _action(axes[place], variable, [step.action.get(variable.name) for step in run.steps])
    _utility(axes[-1], [step.utility for step in run.steps])
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1].set_xlim(0.5, len(run.steps) + 0.5)
    bar = figure.colorbar(image, ax=list(axes[: len(model.states)]), pad=0.01)
    bar.set_label("believed probability")
    name = f"{visible(title)}: " if title else ""
    words = f"{name}{len(run.steps)} steps, seed {run.seed}"
    figure.suptitle(f"{words}\nshade: belief, dot: true state", fontsize=10, parse_math=False)
    figure.savefig(path, dpi=150)


def _belief(
    axes: Axes, variable: Variable, beliefs: Sequence[Array], truth: Sequence[str | None]
) -> AxesImage:
    count = len(beliefs)
    image = axes.imshow(
        np.stack(beliefs, axis=1), cmap=_BELIEF, vmin=0, vmax=1, aspect="auto",
        interpolation="nearest", extent=(0.5, count + 0.5, variable.n - 0.5, -0.5),
    )  # fmt: skip
    _dots(axes, variable, truth)
    _labelled(axes, "belief:", variable)
    return image


def _action(axes: Axes, variable: Variable, taken: Sequence[str | None]) -> None:
    _dots(axes, variable, taken)
    axes.set_ylim(variable.n - 0.5, -0.5)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    _labelled(axes, "action:", variable)


def _utility(axes: Axes, utilities: Sequence[float]) -> None:
    axes.bar(range(1, len(utilities) + 1), utilities, width=0.8, color="#4292c6")
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_ylabel("utility\n(nats)", fontsize=9)
    axes.set_xlabel("step")
    axes.tick_params(labelsize=8)
    axes.set_title(f"utility, {sum(utilities):.4g} nats altogether", loc="left", fontsize=9)


def _dots(axes: Axes, variable: Variable, labels: Sequence[str | None]) -> None:
    """A dot for each step's label; none where it is not known."""
    size = max(2.0, min(6.0, 240 / len(labels)))
    pairs = [(i, variable.names.index(label)) for i, label in enumerate(labels, 1) if label]
    axes.plot(
        [i for i, _ in pairs],
        [y for _, y in pairs],
        "o",
        color=_TRUE,
        markersize=size,
        markeredgecolor="white",
        markeredgewidth=size / 8,
    )


def _labelled(axes: Axes, what: str, variable: Variable) -> None:
    """The name above, and as many labels as are readable, evenly spaced."""
    every = -(-variable.n // _MOST_TICKS)
    at = range(0, variable.n, every)
    labels = [visible(variable.names[i]) for i in at]
    axes.set_yticks(at, list(map(_cut, labels)), fontsize=8, parse_math=False)
    note = f" (one in {every} of its {variable.n} labels is named)" if every > 1 else ""
    title = f"{what} {visible(variable.name)}{note}"
    axes.set_title(title, loc="left", fontsize=9, parse_math=False)


def _cut(label: str) -> str:
    """The label, in the middle of which characters are left out where it is long."""
    half = _MOST_CHARACTERS // 2
    return label if len(label) <= _MOST_CHARACTERS else f"{label[:half]}…{label[-half:]}"
