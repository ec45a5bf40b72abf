"""Compact tables, expanded: every kind becomes a matrix of contexts by outcomes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.rules import TableError, expand_rules, labels_matching, shifted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Conditional, GMNSpec, Table, Variable

    Array = NDArray[np.float64]

__all__ = ["TableError", "context_labels", "entries", "expand", "labels_matching", "matrix"]


def entries(of: Variable, given: Sequence[Variable]) -> int:
    """Numbers in the expanded table, in Python integers: nothing is allocated."""
    return of.n * math.prod(parent.n for parent in given)


def expand(table: Table, of: Variable, given: Sequence[Variable]) -> Array:
    """The table as a matrix, noise included, nothing normalised.

    The columns are the values of `of`; the rows are the contexts of `given` in C order, the first
    parent varying slowest. Shape (prod(parent.n), of.n), float64.

    Raises: TableError: it cannot be expanded.
    """
    rows = math.prod(parent.n for parent in given)
    if table.kind == "rows":
        made = _rows(table, of, rows)
    elif table.kind == "map":
        made = _map(table, of, rows)
    elif table.kind == "uniform":
        made = np.full((rows, of.n), 1.0 / of.n)
    elif table.kind == "identity":
        made = _identity(of, given)
    elif table.kind == "rules":
        made = expand_rules(table, of, given)
    else:
        made = _moves(table, of, given)
    return _noisy(made, table, of, given)


def matrix(spec: GMNSpec, conditional: Conditional) -> Array:
    """`expand` with the variables looked up by name.

    Raises: TableError: a name is not defined (105), or the table cannot be expanded.
    """
    found = [spec.variable(name) for name in (conditional.of, *conditional.given)]
    for name, variable in zip((conditional.of, *conditional.given), found, strict=True):
        if variable is None:
            raise TableError("GMN105", f"{name!r} is not defined")
    of, *given = (variable for variable in found if variable is not None)
    return expand(conditional.table, of, given)


def context_labels(row: int, given: Sequence[Variable]) -> str:
    """Row `row` in labels: ``move=up, pos=r0c1``; empty without parents."""
    if not given:
        return ""
    indices = np.unravel_index(row, [parent.n for parent in given])
    return ", ".join(
        f"{parent.name}={parent.names[int(index)]}"
        for parent, index in zip(given, indices, strict=True)
    )


def _rows(table: Table, of: Variable, rows: int) -> Array:
    lengths = {len(row) for row in table.rows}
    if len(lengths) > 1:
        raise TableError("GMN310", f"rows have {sorted(lengths)} numbers", field="/rows")
    shape = (len(table.rows), lengths.pop() if lengths else 0)
    if shape != (rows, of.n):
        words = f"table for {of.name} is {shape[0]}x{shape[1]}, expected {rows}x{of.n}"
        raise TableError("GMN301", words, field="/rows")
    return np.array(table.rows, dtype=np.float64)


def _map(table: Table, of: Variable, rows: int) -> Array:
    if len(table.map) != rows:
        words = f"map of {of.name} has {len(table.map)} entries, expected {rows}"
        raise TableError("GMN305", words, field="/map")
    index = {label: i for i, label in enumerate(of.names)}
    made = np.zeros((rows, of.n))
    for row, label in enumerate(table.map):
        if label not in index:
            words = f"label {label!r} is not in {of.name}: {', '.join(of.names[:12])}"
            raise TableError("GMN106", words, field=f"/map/{row}")
        made[row, index[label]] = 1.0
    return made


def _identity(of: Variable, given: Sequence[Variable]) -> Array:
    if not given:
        raise TableError("GMN304", f"identity for {of.name} needs a parent")
    k = next((i for i, parent in enumerate(given) if parent.name == of.name), 0)
    if given[k].n != of.n:
        words = f"identity needs |{given[k].name}| == |{of.name}|, got {given[k].n} and {of.n}"
        raise TableError("GMN304", words)
    return np.eye(of.n)[_index(given, k)]


def _index(given: Sequence[Variable], k: int) -> NDArray[np.intp]:
    """The value of parent `k` in every row."""
    sizes = [parent.n for parent in given]
    inner = math.prod(sizes[k + 1 :])
    outer = math.prod(sizes[:k])
    return np.tile(np.repeat(np.arange(sizes[k]), inner), outer)


def _own(of: Variable, given: Sequence[Variable]) -> int | None:
    return next((i for i, parent in enumerate(given) if parent.name == of.name), None)


def _moves(table: Table, of: Variable, given: Sequence[Variable]) -> Array:
    """Kinds shift and grid."""
    own = _own(of, given)
    movers = [i for i, parent in enumerate(given) if i != own]
    if own is None:
        words = f"{table.kind} for {of.name} needs {of.name} among its parents"
        raise TableError("GMN213", words)
    if len(movers) != 1 or not table.moves:
        words = f"{table.kind} for {of.name} needs moves and exactly one action among its parents"
        raise TableError("GMN306", words, field="/moves")
    if table.kind == "grid" and not of.shape:
        raise TableError("GMN306", f"grid needs a shape on {of.name}, for example [5, 5]")
    action = given[movers[0]]
    axes = len(of.shape) or 1
    labels = {label: i for i, label in enumerate(action.names)}
    deltas = np.zeros((action.n, axes), dtype=np.int64)
    for i, move in enumerate(table.moves):
        where = f"/moves/{i}"
        if move.action not in labels:
            words = f"label {move.action!r} is not in {action.name}: {', '.join(action.names)}"
            raise TableError("GMN106", words, field=f"{where}/action")
        delta = move.delta
        if len(delta) != axes:
            words = f"move {move.action!r} has {len(delta)} steps, {of.name} has {axes} axes"
            raise TableError("GMN306", words, field=f"{where}/delta")
        deltas[labels[move.action]] = delta
    start = _index(given, own)
    target = shifted(start, deltas[_index(given, movers[0])], of, table)
    made = np.zeros((len(start), of.n))
    made[np.arange(len(start)), target] = 1.0
    return made


def _noisy(made: Array, table: Table, of: Variable, given: Sequence[Variable]) -> Array:
    e, n = table.noise, of.n
    if e == 0.0:
        return made
    if table.noise_kind == "uniform":
        return (1.0 - e) * made + e / n
    if table.noise_kind == "others":
        return (1.0 - e) * made + e * (1.0 - made) / (n - 1) if n > 1 else made
    own = _own(of, given)
    if own is None:
        words = f"noise_kind stay for {of.name} needs {of.name} among its parents"
        raise TableError("GMN213", words, field="/noise_kind")
    return (1.0 - e) * made + e * np.eye(n)[_index(given, own)]
