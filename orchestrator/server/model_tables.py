"""The tables and preferences of a document as labelled rows, for a page that draws them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.tables import TableError, entries, expand, variables_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import Conditional, GMNSpec, Variable

#: Numbers of one table that are sent at most; what is beyond is counted in ``rows_left_out``.
MOST_NUMBERS = 20_000
#: A table beyond this is not expanded only to show a part of it.
_MOST_EXPANDED = 4_000_000
_SECTIONS = (("likelihood", "likelihoods"), ("transition", "transitions"), ("prior", "priors"))


@dataclass(frozen=True, slots=True)
class TablePart:
    """Which part of the tables is wanted; all of them where nothing is named.

    Attributes:
        of, table: the one table, by its variable and by which of its tables it is.
        labels: of its parents, by name: rows with other labels are left aside.
        first: the first of the rows that is sent.
    """

    of: str = ""
    table: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    first: int = 0


def model_tables(spec: GMNSpec, compiled: Compiled | None, part: TablePart) -> dict[str, Any]:
    """Variables, tables with row sums, and preferences of a document, in labels.

    A table is `{"table", "of", "given", "columns", "rows", "rows_left_out", "problem"}`, a row
    `{"given": labels, "values": probabilities, "sum": their sum}`. Rows are as the document says
    them, not normalised; `problem` says why a table has none. Preferences are in nats, and there
    are none while the document is not valid.
    """
    return {
        "name": spec.name,
        "states": [_variable(one) for one in spec.states],
        "observations": [_variable(one) for one in spec.observations],
        "actions": [_variable(one) for one in spec.actions],
        "tables": [
            _table(spec, name, conditional, part)
            for name, section in _SECTIONS
            for conditional in getattr(spec, section)
            if part.of in ("", conditional.of) and part.table in ("", name)
        ],
        "preferences": [] if compiled is None else [*_preferences(spec, compiled)],
    }


def _variable(one: Variable) -> dict[str, Any]:
    is_small = one.n <= MOST_NUMBERS
    return {
        "name": one.name, "labels": list(one.names) if is_small else [], "size": one.n,
        "shape": list(one.shape), "description": one.description, "terminal": list(one.terminal),
    }  # fmt: skip


def _table(spec: GMNSpec, table: str, said: Conditional, part: TablePart) -> dict[str, Any]:
    made: dict[str, Any] = {
        "table": table, "of": said.of, "given": list(said.given), "columns": [], "rows": [],
        "rows_left_out": 0, "problem": "", "spelled": said.table.kind,
    }  # fmt: skip
    try:
        of, given = variables_of(spec, said)
        if (numbers := entries(of, given)) > _MOST_EXPANDED:
            made["problem"] = f"{numbers:,} numbers are too many to draw"
            return made
        matrix = expand(said.table, of, given)
    except TableError as error:
        made["problem"] = str(error)
        return made
    made["columns"] = list(of.names)
    rows = _rows_with(given, part.labels)[part.first :]
    shown = rows[: max(1, MOST_NUMBERS // max(1, of.n))]
    made["rows_left_out"] = len(rows) - len(shown)
    made["rows"] = [_row(int(index), matrix[index], given) for index in shown]
    return made


def _row(index: int, values: Any, given: Sequence[Variable]) -> dict[str, Any]:
    at = np.unravel_index(index, [parent.n for parent in given]) if given else ()
    labels = {parent.name: parent.names[int(i)] for parent, i in zip(given, at, strict=True)}
    numbers = [_finite(value) for value in values.tolist()]
    return {"given": labels, "values": numbers, "sum": _finite(math.fsum(numbers))}


def _finite(value: float) -> float:
    """JSON has no other numbers; a finding says which one the document holds."""
    return value if math.isfinite(value) else 0.0


def _rows_with(given: Sequence[Variable], labels: Mapping[str, str]) -> Any:
    axes = [
        [parent.names.index(labels[parent.name])]
        if labels.get(parent.name) in parent.names
        else range(parent.n)
        for parent in given
    ]
    if not given:
        return np.arange(1)
    places = np.ix_(*axes)
    return np.ravel_multi_index(places, [parent.n for parent in given]).ravel()


def _preferences(spec: GMNSpec, compiled: Compiled) -> Iterator[dict[str, Any]]:
    reasons = {one.on: one.reason for one in spec.preferences}
    of_observations = zip(itertools.repeat("observation"), compiled.observations, compiled.C)
    of_states = zip(itertools.repeat("state"), compiled.states, compiled.V)
    for what, variable, values in itertools.chain(of_observations, of_states):
        if np.any(values != 0) and variable.n <= MOST_NUMBERS:
            yield {
                "on": variable.name, "variable": what, "labels": list(variable.names),
                "values": values.tolist(), "reason": reasons.get(variable.name, ""),
                "shape": list(variable.shape),
            }  # fmt: skip
    for one in compiled.action_utilities:
        axes = [compiled.states[i] for i in one.states]
        axes += [compiled.actions[i] for i in one.actions]
        if one.table.size <= MOST_NUMBERS:
            names = itertools.product(*(axis.names for axis in axes))
            yield {
                "on": ", ".join(axis.name for axis in axes), "variable": "action",
                "labels": [", ".join(labels) for labels in names],
                "values": one.table.ravel().tolist(), "reason": "", "shape": [],
            }  # fmt: skip
