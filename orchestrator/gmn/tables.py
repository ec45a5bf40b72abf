"""Compact tables, expanded: every kind becomes a matrix of contexts by outcomes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.rows import SPARSE, Rows, gathered
from orchestrator.gmn.rules import (
    TableError,
    bounded,
    context_labels,
    covered,
    expand_rules,
    labels_matching,
    own_axis,
    require_sizes,
    rule_rows,
    shifted,
    sizes_disagree,
    unknown_label,
)
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Conditional, GMNSpec, Table, Variable

    Array = NDArray[np.float64]

__all__ = [
    "TableError",
    "acting_axis",
    "context_labels",
    "entries",
    "expand",
    "labels_matching",
    "matrix",
    "possible_rows",
    "sizes_disagree",
    "stored",
    "variables_of",
]


def entries(of: Variable, given: Sequence[Variable]) -> int:
    """Numbers in the expanded table, in Python integers: nothing is allocated."""
    return of.n * math.prod(parent.n for parent in given)


def expand(table: Table, of: Variable, given: Sequence[Variable]) -> Array:
    """The table as a matrix, noise included, nothing normalised.

    The columns are the values of `of`; the rows are the contexts of `given` in C order, the first
    parent varying slowest. Shape (prod(parent.n), of.n), float64.

    The caller has held `entries` against the limits; here the matrix is allocated.

    Raises: TableError: it cannot be expanded.
    """
    require_sizes((of, *given))
    rows = math.prod(parent.n for parent in given)
    look(100, numbers=8 * rows * of.n + 64 * len(table.map))
    if table.kind == "rows":
        made = _rows(table, of, rows)
    elif table.kind == "uniform":
        made = np.full((rows, of.n), 1.0 / of.n)
    elif table.kind == "rules":
        made = expand_rules(table, of, given)
    else:
        made = np.zeros((rows, of.n))
        made[np.arange(rows), _targets(table, of, given)] = 1.0
    return _noisy(made, table, of, given)


def stored(conditional: Conditional, of: Variable, given: Sequence[Variable]) -> int:
    """How many numbers are kept of a transition, at most; in Python integers, without arrays.

    Those of its possible outcomes where they are few, else all. A transition that does not depend
    on its own previous value is kept once for each.
    """
    table, most = conditional.table, entries(of, given)
    if own_axis(of, given) is None:
        return most * of.n
    if conditional.learn or table.kind in ("rows", "uniform"):
        return most
    if table.noise != 0 and table.noise_kind != "stay":
        return most
    contexts = most // of.n
    few = covered(table.rules, of, given) if table.kind == "rules" else contexts
    few += contexts * (table.noise != 0)
    return few if few * SPARSE <= most else most


def possible_rows(table: Table, of: Variable, given: Sequence[Variable]) -> Rows:
    """`expand` for a table of which `stored` says that few outcomes are possible.

    Raises: TableError: it cannot be expanded.
    """
    require_sizes((of, *given))
    contexts = math.prod(parent.n for parent in given)
    look(100, numbers=8 * contexts + 64 * len(table.map))
    row = np.arange(contexts)
    if table.kind == "rules":
        made = rule_rows(table, of, given)
    else:
        made = Rows(np.arange(contexts + 1), _targets(table, of, given), np.ones(contexts))
    if table.noise == 0:
        return made
    state = np.concatenate([made.state, _index(given, own_axis(of, given) or 0)])
    p = np.concatenate([(1.0 - table.noise) * made.p, np.full(contexts, table.noise)])
    return gathered(np.concatenate([made.row, row]), state, p, contexts, of.n)


def _targets(table: Table, of: Variable, given: Sequence[Variable]) -> NDArray[np.int64]:
    """The one outcome of every context, of a map, an identity, a shift or a grid."""
    if table.kind == "map":
        return _map(table, of, math.prod(parent.n for parent in given))
    return _identity(of, given) if table.kind == "identity" else _moves(table, of, given)


def matrix(spec: GMNSpec, conditional: Conditional) -> Array:
    """`expand` with the variables looked up by name.

    Raises: TableError: a name is not defined (105), or the table cannot be expanded.
    """
    return expand(conditional.table, *variables_of(spec, conditional))


def kept(spec: GMNSpec, transition: Conditional) -> Array | Rows:
    """`expand`, or `possible_rows` where few outcomes of a transition are possible.

    Raises: TableError: as `matrix`.
    """
    of, given = variables_of(spec, transition)
    is_sparse = stored(transition, of, given) < entries(of, given)
    return (possible_rows if is_sparse else expand)(transition.table, of, given)


def variables_of(spec: GMNSpec, conditional: Conditional) -> tuple[Variable, list[Variable]]:
    """What a table is about, and its parents.

    Raises: TableError: a name is not defined (105).
    """
    found = [spec.variable(name) for name in (conditional.of, *conditional.given)]
    for name, variable in zip((conditional.of, *conditional.given), found, strict=True):
        if variable is None:
            raise TableError("GMN105", f"{name!r} is not defined")
    of, *given = (variable for variable in found if variable is not None)
    return of, given


def _rows(table: Table, of: Variable, rows: int) -> Array:
    lengths = {len(row) for row in table.rows}
    if len(lengths) > 1:
        raise TableError("GMN310", f"rows have {sorted(lengths)} numbers", field="/rows")
    shape = (len(table.rows), lengths.pop() if lengths else 0)
    if shape != (rows, of.n):
        words = f"table for {of.name} is {shape[0]}x{shape[1]}, expected {rows}x{of.n}"
        raise TableError("GMN301", words, field="/rows")
    return np.array(table.rows, dtype=np.float64)


def _map(table: Table, of: Variable, rows: int) -> NDArray[np.int64]:
    if len(table.map) != rows:
        words = f"map of {of.name} has {len(table.map)} entries, expected {rows}"
        raise TableError("GMN305", words, field="/map")
    index = {label: i for i, label in enumerate(of.names)}
    for row, label in enumerate(table.map):
        if label not in index:
            raise unknown_label(label, of, f"/map/{row}")
    return np.array([index[label] for label in table.map], dtype=np.int64)


def _identity(of: Variable, given: Sequence[Variable]) -> NDArray[np.int64]:
    if not given:
        raise TableError("GMN304", f"identity for {of.name} needs a parent")
    k = own_axis(of, given) or 0
    if given[k].n != of.n:
        words = f"identity needs |{given[k].name}| == |{of.name}|, got {given[k].n} and {of.n}"
        raise TableError("GMN304", words)
    return _index(given, k)


def _index(given: Sequence[Variable], k: int) -> NDArray[np.int64]:
    """The value of parent `k` in every row."""
    sizes = [parent.n for parent in given]
    inner = math.prod(sizes[k + 1 :])
    outer = math.prod(sizes[:k])
    return np.tile(np.repeat(np.arange(sizes[k]), inner), outer)


def acting_axis(table: Table, of: Variable, given: Sequence[Variable]) -> int | None:
    """Which parent the moves of a shift or grid belong to; None when that is not one parent.

    The only parent besides the own previous value; among several the one that has every label
    moved.
    """
    others = [i for i, parent in enumerate(given) if parent.name != of.name]
    if len(others) > 1:
        moved = {move.action for move in table.moves}
        others = [i for i in others if moved and moved <= set(given[i].names)]
    return others[0] if len(others) == 1 else None


def _moves(table: Table, of: Variable, given: Sequence[Variable]) -> NDArray[np.int64]:
    """Kinds shift and grid."""
    own = own_axis(of, given)
    if own is None:
        words = f"{table.kind} for {of.name} needs {of.name} among its parents"
        raise TableError("GMN213", words)
    acting = acting_axis(table, of, given)
    if acting is None or not table.moves:
        words = f"{table.kind} for {of.name} needs moves and exactly one action among its parents"
        if len(given) > 2 and table.moves:
            words += f" that has the labels {', '.join(move.action for move in table.moves[:12])}"
        raise TableError("GMN306", words, field="/moves")
    if table.kind == "grid" and not of.shape:
        raise TableError("GMN306", f"grid needs a shape on {of.name}, for example [5, 5]")
    start = _index(given, own)
    deltas = _deltas(table, of, given[acting])
    return shifted(start, deltas[_index(given, acting)], of, table)


def _deltas(table: Table, of: Variable, action: Variable) -> NDArray[np.int64]:
    """The step of each action label, shape (|action|, axes of `of`); no move is a zero step."""
    axes = len(of.shape) or 1
    labels = {label: i for i, label in enumerate(action.names)}
    deltas = np.zeros((action.n, axes), dtype=np.int64)
    for i, move in enumerate(table.moves):
        where = f"/moves/{i}"
        if move.action not in labels:
            raise unknown_label(move.action, action, f"{where}/action")
        if len(move.delta) != axes:
            words = f"move {move.action!r} has {len(move.delta)} steps, {of.name} has {axes} axes"
            raise TableError("GMN306", words, field=f"{where}/delta")
        deltas[labels[move.action]] = bounded(move.delta, of, table)
    return deltas


def _noisy(made: Array, table: Table, of: Variable, given: Sequence[Variable]) -> Array:
    e, n = table.noise, of.n
    if e == 0.0:
        return made
    if table.noise_kind == "uniform":
        return (1.0 - e) * made + e / n
    if table.noise_kind == "others":
        return (1.0 - e) * made + e * (1.0 - made) / (n - 1) if n > 1 else made
    own = own_axis(of, given)
    if own is None:
        words = f"noise_kind stay for {of.name} needs {of.name} among its parents"
        raise TableError("GMN213", words, field="/noise_kind")
    return (1.0 - e) * made + e * np.eye(n)[_index(given, own)]
