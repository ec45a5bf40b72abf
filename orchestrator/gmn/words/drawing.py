"""Grids drawn with ASCII characters: where things are, and what an agent believes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.tables import labels_matching

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec, Variable

MOST_ROWS = 40

#: What each character stands for, in the order in which a legend lists them.
MEANINGS = {
    "S": "start",
    "@": "where it is",
    "*": "where it was",
    "G": "best",
    "x": "worst",
    "#": "blocked",
}


def is_grid(variable: Variable) -> bool:
    """Whether a variable is drawn: it has two axes of more than one value each."""
    return len(variable.shape) == 2 and min(variable.shape) > 1


def drawn(variable: Variable, marks: Mapping[int, str], *, width: int = 80) -> list[str]:
    """One line per row of a grid, one character per value; empty where it does not fit.

    A blank stands between the columns where `width` has room for it; a value without mark is ``.``.
    """
    rows, columns = variable.shape
    if columns + 2 > width or rows > MOST_ROWS:
        return []
    between = " " if 2 * columns < width else ""
    cells = [marks.get(i, ".") for i in range(rows * columns)]
    return [f"  {between.join(cells[r * columns : (r + 1) * columns])}" for r in range(rows)]


def legend(marks: Mapping[int, str]) -> str:
    """What the characters of a drawing stand for: ``S start, G best``."""
    used = set(marks.values())
    meanings = [f"{mark} {meaning}" for mark, meaning in MEANINGS.items() if mark in used]
    if any(map(str.isdigit, used)):
        meanings.append("0 to 9 what it believes, in tenths")
    return ", ".join(meanings)


def landmarks(spec: GMNSpec, model: Compiled, variable: Variable) -> dict[int, str]:
    """Marks of the values of a state or an observation: walls, and what is best and worst.

    What counts is the utility that each value gives by itself: its own, and of a state that of the
    observations which depend on it alone. What a quarter of the values or more share is not marked.
    """
    if variable in model.states:
        factor = model.states.index(variable)
        worth = model.V[factor].copy()
        for a, c, parents in zip(model.A, model.C, model.A_dependencies, strict=True):
            if parents == (factor,):
                worth += c @ a
    else:
        worth = model.C[model.observations.index(variable)]
    marks: dict[int, str] = {}
    low, high = worth.min(), worth.max()
    for extreme, mark, is_told in ((low, "x", low < min(0.0, high)), (high, "G", high > low)):
        at = np.flatnonzero(np.isclose(worth, extreme, rtol=0, atol=1e-9))
        if is_told and 4 * len(at) < variable.n + 4:
            marks.update(dict.fromkeys(at.tolist(), mark))
    for table in spec.transitions:
        if table.of == variable.name:
            for label in table.table.blocked:
                marks.update(dict.fromkeys(labels_matching(label, variable), "#"))
    return marks


def path(visited: Sequence[int], marks: Mapping[int, str]) -> dict[int, str]:
    """The way through a grid, with its landmarks."""
    ends = {visited[0]: "S", visited[-1]: "@"} if visited else {}
    return dict.fromkeys(visited, "*") | dict(marks) | ends


def beliefs(
    variable: Variable, q: NDArray[np.float64], truth: str | None, marks: Mapping[int, str]
) -> dict[int, str]:
    """Tenths of the belief over its landmarks, from a twentieth on, and where the agent truly is.

    `truth` is its label, None where that is not known.
    """
    tenths = {i: str(min(9, int(10 * p + 1e-9))) for i, p in enumerate(q) if p >= 0.05}
    here = {} if truth is None else {variable.names.index(truth): "@"}
    return dict(marks) | tenths | here
