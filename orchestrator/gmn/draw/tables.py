"""The tables of a model as heat maps: likelihoods, and transitions with a map for each action."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.draw.bars import bars
from orchestrator.gmn.draw.heat import Side, heat_map
from orchestrator.gmn.draw.layout import Panel, flowed, line, paragraph, stacked
from orchestrator.gmn.draw.scene import joined
from orchestrator.gmn.rows import Rows
from orchestrator.gmn.rules import own_axis
from orchestrator.gmn.tables import TableError, entries, expand, possible_rows, stored, variables_of
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.limits import Limits
    from orchestrator.gmn.model import Conditional, GMNSpec, Variable

    Array = NDArray[np.float64]

MOST_MAPS = 12  # of one table


def table(spec: GMNSpec, conditional: Conditional, kind: str, limits: Limits) -> Panel:
    """A table under its heading; the reason where it cannot be drawn."""
    given = ", ".join(conditional.given)
    heading = f"P({conditional.of}{' | ' if given else ''}{given})"
    learns = f", learns from {conditional.concentration:g} observations a row on"
    said = f"{kind} of {conditional.of}{learns if conditional.learn else ''}"
    top = [line(heading, 12.0, is_bold=True), line(said, 10.5, "muted")]
    try:
        panels, note = _maps(spec, conditional, kind, limits)
    except TableError as error:
        return stacked([*top, paragraph(f"not drawn: {error}", role="wrong")], 3.0)
    notes = [paragraph(note, size=10.0)] if note else []
    body = flowed(panels, gap=26.0, between=16.0)
    return stacked([stacked(top, 3.0), body, *notes], 8.0)


def _maps(
    spec: GMNSpec, conditional: Conditional, kind: str, limits: Limits
) -> tuple[list[Panel], str]:
    of, given = variables_of(spec, conditional)
    if any(v.n < 1 for v in (of, *given)):
        raise TableError("GMN103", "a variable of it has no values")
    kept = written = entries(of, given)
    if kind == "transition" and own_axis(of, given) is not None:
        kept = stored(conditional, of, given)
    if kept > limits.table_entries:
        raise TableError("GMN701", f"{kept:,} numbers, more than {limits.table_entries:,}")
    if not given:
        return [bars(of, expand(conditional.table, of, given)[0], title="")], ""
    made = (possible_rows if kept < written else expand)(conditional.table, of, given)
    acting = {v.name for v in spec.actions}
    apart = [i for i, v in enumerate(given) if v.name in acting]
    down = [i for i in range(len(given)) if i not in apart]
    if not down:
        apart, down = [], apart
    return _facets(made, of, given, apart, down)


def _facets(
    values: Array | Rows, of: Variable, given: Sequence[Variable], apart: Sequence[int],
    down: Sequence[int],
) -> tuple[list[Panel], str]:  # fmt: skip
    """One map for each joint value of the parents `apart`, with the contexts of `down` as rows."""
    sizes = [v.n for v in given]
    look(20, numbers=math.prod(sizes))
    contexts = np.arange(math.prod(sizes)).reshape(sizes).transpose([*apart, *down])
    facets = contexts.reshape(-1, math.prod(sizes[i] for i in down))
    rows = [given[i] for i in down]
    side = Side(joined([v.name for v in rows]), facets.shape[1], lambda r: label(rows, r))
    across = Side(of.name, of.n, lambda i: label([of], i))
    panels = []
    for number, which in enumerate(facets[:MOST_MAPS]):
        some = values.take(which) if isinstance(values, Rows) else values[which]
        chosen = [given[i] for i in apart]
        names = zip(chosen, labels(chosen, number), strict=True)
        title = ", ".join(f"{v.name} = {value}" for v, value in names)
        panels.append(heat_map(some, side, across, title=title))
    left = len(facets) - len(panels)
    return panels, f"{left} more combinations of actions are left out" if left > 0 else ""


def labels(variables: Sequence[Variable], place: int) -> Iterator[str]:
    """The labels of the values at a place of their product, in C order."""
    sizes = [v.n for v in variables]
    for v, i in zip(variables, np.unravel_index(place, sizes) if sizes else (), strict=True):
        yield v.labels[i] if v.labels else _default(v, int(i))


def _default(variable: Variable, i: int) -> str:
    if len(variable.shape) == 2:
        return f"r{i // variable.shape[1]}c{i % variable.shape[1]}"
    return str(i)


def label(variables: Sequence[Variable], place: int) -> str:
    """`labels` as one."""
    return joined(list(labels(variables, place)))
