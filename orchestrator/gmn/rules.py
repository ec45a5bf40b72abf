"""Decision lists: the first rule whose conditions hold gives the row; no loop over rows."""

from __future__ import annotations

import fnmatch
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Outcome, Rule, Table, Variable

_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})\Z")
_STEP = re.compile(r"@([+-]\d{1,9})\Z")
_VECTOR = re.compile(r"@\(\s*([+-]?\d{1,9}(?:\s*,\s*[+-]?\d{1,9})*)\s*,?\s*\)\Z")


class TableError(ValueError):
    """A table cannot be expanded as it stands.

    Attributes:
        code: the catalogue code that says why (105, 106, 213, 214, 301, 304, 305, 306…).
        field: pointer below the table, for example ``/rules/2/then/0``.
        context: the row concerned, in labels.
        row: its number, -1 when no row is concerned.
    """

    def __init__(
        self, code: str, message: str, *, field: str = "", context: str = "", row: int = -1
    ) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.context = context
        self.row = row


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Which rule each row takes; -1 where none applies."""

    rule_of: NDArray[np.int64]

    def unused(self, n_rules: int) -> list[int]:
        """Rules that no row takes."""
        used = set(np.unique(self.rule_of).tolist())
        return [rule for rule in range(n_rules) if rule not in used]


def labels_matching(pattern: str, variable: Variable) -> list[int]:
    """Indices of the values that a label, a ``*`` glob or an ``n..m`` range stands for."""
    names = variable.names
    if pattern in names:
        return [names.index(pattern)]
    if match := _RANGE.match(pattern):
        return [i for i in range(int(match[1]), int(match[2]) + 1) if i < variable.n]
    if "*" in pattern or "?" in pattern:
        return [i for i, name in enumerate(names) if fnmatch.fnmatchcase(name, pattern)]
    return []


def assign(table: Table, of: Variable, given: Sequence[Variable]) -> Assignment:
    """The first rule that applies to each row.

    Raises: TableError: a condition names no parent (105) or no value of it (106).
    """
    sizes = [parent.n for parent in given]
    rule_of = np.full(sizes, -1, dtype=np.int64)
    for number, rule in enumerate(table.rules):
        holds = np.ones([1] * len(sizes), dtype=bool)
        for at, condition in enumerate(rule.when):
            where = f"/rules/{number}/when/{at}"
            axis = next((i for i, p in enumerate(given) if p.name == condition.var), None)
            if axis is None:
                parents = ", ".join(p.name for p in given) or "none"
                words = (
                    f"condition on {condition.var!r}, which is no parent of {of.name}: {parents}"
                )
                raise TableError("GMN105", words, field=f"{where}/var")
            mask = np.zeros(sizes[axis], dtype=bool)
            for v, value in enumerate(condition.values):
                mask[_matched(value, given[axis], f"{where}/values/{v}")] = True
            holds = holds & mask.reshape([-1 if i == axis else 1 for i in range(len(sizes))])
        rule_of[(rule_of == -1) & holds] = number
    return Assignment(rule_of.reshape(-1))


def _matched(pattern: str, variable: Variable, where: str) -> list[int]:
    found = labels_matching(pattern, variable)
    if not found:
        shown = ", ".join(variable.names[:12]) + (", …" if variable.n > 12 else "")
        words = f"label {pattern!r} is not in {variable.name}: {shown}"
        raise TableError("GMN106", words, field=where)
    return found


def expand_rules(table: Table, of: Variable, given: Sequence[Variable]) -> NDArray[np.float64]:
    """The matrix of a decision list.

    Raises: TableError: a label is unknown, a relative outcome has no own value to start from
        (213), or no rule applies to some row (214).
    """
    assignment = assign(table, of, given)
    rule_of = assignment.rule_of
    open_rows = np.flatnonzero(rule_of == -1)
    if open_rows.size:
        raise _uncovered(open_rows, of, given)
    made = np.zeros((len(rule_of), of.n))
    own = next((i for i, parent in enumerate(given) if parent.name == of.name), None)
    for number in np.unique(rule_of).tolist():
        rows = np.flatnonzero(rule_of == number)
        _fill(made, rows, table.rules[number], _Place(table, of, given, own, f"/rules/{number}"))
    return made


def _uncovered(rows: NDArray[np.int64], of: Variable, given: Sequence[Variable]) -> TableError:
    row = int(rows[0])
    indices = np.unravel_index(row, [p.n for p in given]) if given else ()
    context = ", ".join(f"{p.name}={p.names[int(i)]}" for p, i in zip(given, indices, strict=True))
    more = f" (+{rows.size - 1} more)" if rows.size > 1 else ""
    words = f"no rule of {of.name} matches {context or 'the only context'}{more}"
    return TableError("GMN214", words, field="/rules", context=context, row=row)


@dataclass(frozen=True, slots=True)
class _Place:
    table: Table
    of: Variable
    given: Sequence[Variable]
    own: int | None
    field: str


def _fill(made: NDArray[np.float64], rows: NDArray[np.int64], rule: Rule, place: _Place) -> None:
    for number, outcome in enumerate(rule.then):
        where = f"{place.field}/then/{number}/value"
        if outcome.value.startswith("@"):
            targets = _relative(rows, outcome, place, where)
            np.add.at(made, (rows, targets), outcome.p)
            continue
        columns = _matched(outcome.value, place.of, where)
        made[np.ix_(rows, np.array(columns))] += outcome.p / len(columns)


def _relative(
    rows: NDArray[np.int64], outcome: Outcome, place: _Place, where: str
) -> NDArray[np.int64]:
    if place.own is None:
        words = f"relative outcome {outcome.value} needs {place.of.name} among its own parents"
        raise TableError("GMN213", words, field=where)
    sizes = [parent.n for parent in place.given]
    start = np.unravel_index(rows, sizes)[place.own]
    delta = _delta(outcome.value, place.of, where)
    return shifted(start, np.broadcast_to(delta, (len(rows), len(delta))), place.of, place.table)


def _delta(value: str, of: Variable, where: str) -> NDArray[np.int64]:
    axes = len(of.shape) or 1
    if value == "@stay":
        return np.zeros(axes, dtype=np.int64)
    if match := _STEP.match(value):
        return np.array([0] * (axes - 1) + [int(match[1])], dtype=np.int64)
    match = _VECTOR.match(value)
    steps = [int(part) for part in match[1].split(",")] if match else []
    if len(steps) != axes:
        words = (
            f"{value!r} is no outcome; use a label, @stay, @+k, @-k or @({','.join(['d'] * axes)})"
        )
        raise TableError("GMN106", words, field=where)
    return np.array(steps, dtype=np.int64)


def shifted(
    start: NDArray[np.integer], delta: NDArray[np.integer], of: Variable, table: Table
) -> NDArray[np.int64]:
    """Where each start ends after its step, under the table's boundary and walls.

    `start` has shape (rows,), `delta` (rows, axes); the result has shape (rows,).
    """
    shape = of.shape or (of.n,)
    if math.prod(shape) != of.n:
        words = f"shape {list(shape)} of {of.name} does not make {of.n} values"
        raise TableError("GMN302", words)
    sides = np.array(shape, dtype=np.int64)
    here = np.stack(np.unravel_index(start, shape), axis=1)
    there = here + delta
    inside = np.all((there >= 0) & (there < sides), axis=1)
    if table.boundary == "clamp":
        there = np.clip(there, 0, sides - 1)
    elif table.boundary == "wrap":
        there = there % sides
    else:
        there = np.where(inside[:, None], there, here)
    target = np.ravel_multi_index(tuple(there.T), shape).astype(np.int64)
    walls = [
        index
        for number, label in enumerate(table.blocked)
        for index in _matched(label, of, f"/blocked/{number}")
    ]
    return np.where(np.isin(target, walls), start, target) if walls else target
