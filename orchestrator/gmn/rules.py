"""Decision lists: the first rule whose conditions hold gives the row; no loop over rows."""

from __future__ import annotations

import fnmatch
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.model import nfc
from orchestrator.gmn.rows import Rows, gathered
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Outcome, Payoff, Rule, Table, Variable

_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})\Z")
_STEP = re.compile(r"@([+-]\d{1,9})\Z")
_VECTOR = re.compile(r"@\(\s*+([+-]?\d{1,9}+(?:\s*+,\s*+[+-]?\d{1,9}+)*)\s*+(?:,\s*+)?\)\Z")


class TableError(ValueError):
    """A table cannot be expanded.

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
    """Index of the rule of each row; -1 where none applies."""

    rule_of: NDArray[np.int64]

    def unused(self, n_rules: int) -> list[int]:
        """Indices of the rules that apply to no row."""
        taken = np.bincount(self.rule_of[self.rule_of >= 0], minlength=n_rules)
        return np.flatnonzero(taken == 0).tolist()


def labels_matching(pattern: str, variable: Variable) -> list[int]:
    """Indices of the values that a label, a ``*`` glob or an ``n..m`` range stands for.

    A label is taken as it is even where it looks like a range. Empty when nothing matches.
    """
    return _names(variable).matching(pattern)


def ends_beyond(pattern: str, variable: Variable) -> bool:
    """Whether a range ends after the last index."""
    match = _RANGE.match(pattern)
    return match is not None and int(match[2]) >= variable.n and pattern not in variable.names


class _Names:
    """The labels of one variable, indexed for many look-ups."""

    __slots__ = ("index", "names", "variable")

    def __init__(self, variable: Variable) -> None:
        self.variable = variable
        self.names = variable.names
        self.index = {name: i for i, name in enumerate(self.names)}

    def matching(self, pattern: str) -> list[int]:
        pattern = nfc(pattern)
        if (exact := self.index.get(pattern)) is not None:
            return [exact]
        if match := _RANGE.match(pattern):
            last = min(int(match[2]), len(self.names) - 1)
            return list(range(int(match[1]), last + 1))
        if "*" not in pattern:
            return []
        look(len(self.names))
        # Only * is special in the language; fnmatch would read [ and ? as well.
        glob = pattern.replace("[", "[[]").replace("?", "[?]")
        return [i for i, name in enumerate(self.names) if fnmatch.fnmatchcase(name, glob)]

    def found(self, pattern: str, where: str) -> list[int]:
        """As `matching`; raises TableError at `where` when nothing matches."""
        indices = self.matching(pattern)
        if not indices:
            raise unknown_label(pattern, self.variable, where)
        return indices


@lru_cache(maxsize=64)
def _names(variable: Variable) -> _Names:
    return _Names(variable)


def unknown_label(label: str, variable: Variable, where: str) -> TableError:
    """The error for a label that is not among those of its variable."""
    shown = ", ".join(variable.names[:12]) + (", …" if variable.n > 12 else "")
    words = f"label {label!r} is not in {variable.name}: {shown}"
    return TableError("GMN106", words, field=where)


def sizes_disagree(variable: Variable) -> bool:
    """Whether size, labels and shape of a variable disagree, or are not positive."""
    said = {n for n in (variable.size, len(variable.labels)) if n}
    if variable.shape:
        said.add(math.prod(variable.shape))
    return len(said) != 1 or min(said) < 1 or any(side < 1 for side in variable.shape)


def require_sizes(variables: Iterable[Variable]) -> None:
    """Check that the size of every variable is clear.

    Raises: TableError: size, labels and shape of one disagree (302).
    """
    for variable in variables:
        if sizes_disagree(variable):
            words = (
                f"{variable.name} has size {variable.size}, {len(variable.labels)} labels and "
                f"shape {list(variable.shape)}, which do not make one number of values"
            )
            raise TableError("GMN302", words)


def context_labels(row: int, given: Sequence[Variable]) -> str:
    """Row `row` in labels: ``move=up, pos=r0c1``; empty without parents."""
    if not given:
        return ""
    indices = np.unravel_index(row, [parent.n for parent in given])
    return ", ".join(
        f"{parent.name}={parent.names[int(index)]}"
        for parent, index in zip(given, indices, strict=True)
    )


def own_axis(of: Variable, given: Sequence[Variable]) -> int | None:
    """Index of the parent that is the previous value of `of`; None when there is none."""
    return next((i for i, parent in enumerate(given) if parent.name == of.name), None)


def assign(rules: Sequence[Rule | Payoff], of: Variable, given: Sequence[Variable]) -> Assignment:
    """The first rule that applies to each row.

    Raises: TableError: a condition names no parent (105) or no value of it (106), or the sizes of
        a variable disagree (302).
    """
    require_sizes((of, *given))
    rule_of = np.full([parent.n for parent in given], -1, dtype=np.int64)
    held = []
    for number, rule in enumerate(rules):
        look(10, numbers=rule_of.size * (1 + len(rule.when)))
        held.append(_contexts(number, rule, of, given))
    for number, at in reversed([*enumerate(held)]):  # the first that applies is written last
        several = sum(len(values) > 1 for values in at.values())
        if several > 1:
            place = np.ix_(*(at.get(axis, range(n)) for axis, n in enumerate(rule_of.shape)))
            rule_of[place] = number
        elif all(at.values()):
            one: list[Any] = [slice(None)] * len(given)
            for axis, values in at.items():
                one[axis] = values if len(values) > 1 else values[0]
            rule_of[tuple(one)] = number
    return Assignment(rule_of.reshape(-1))


def _contexts(
    number: int, rule: Rule | Payoff, of: Variable, given: Sequence[Variable]
) -> dict[int, list[int]]:
    """The values that a rule asks for, by axis; any value of the axes that it does not name."""
    at: dict[int, list[int]] = {}
    for place, condition in enumerate(rule.when):
        where = f"/rules/{number}/when/{place}"
        axis = next((i for i, p in enumerate(given) if p.name == condition.var), None)
        if axis is None:
            parents = ", ".join(p.name for p in given) or "none"
            words = f"condition on {condition.var!r}, which is not a parent of {of.name}: {parents}"
            raise TableError("GMN105", words, field=f"{where}/var")
        look(2 * len(condition.values))
        names = _names(given[axis])
        found = {
            index
            for v, value in enumerate(condition.values)
            for index in names.found(value, f"{where}/values/{v}")
        }
        at[axis] = sorted(found.intersection(at[axis]) if axis in at else found)
    return at


def expand_rules(table: Table, of: Variable, given: Sequence[Variable]) -> NDArray[np.float64]:
    """The matrix of a decision list.

    Raises: TableError: a label is unknown, a relative outcome has no own value to start from
        (213), or no rule applies to some row (214).
    """
    made = np.zeros((math.prod(parent.n for parent in given), of.n))
    for rows, columns, p in _outcomes(table, of, given):
        made[rows[:, None], columns] += p
    return made


def rule_rows(table: Table, of: Variable, given: Sequence[Variable]) -> Rows:
    """The same as what is possible; raises as `expand_rules`."""
    found = [
        [one.reshape(-1) for one in np.broadcast_arrays(rows[:, None], columns, p)]
        for rows, columns, p in _outcomes(table, of, given)
    ]
    empty = np.zeros(0, dtype=np.int64)
    found.append([empty, empty, np.zeros(0)])  # no rule may name an outcome
    row, state, p = (np.concatenate(part) for part in zip(*found, strict=True))
    return gathered(row, state, p, math.prod(parent.n for parent in given), of.n)


def covered(rules: Sequence[Rule], of: Variable, given: Sequence[Variable]) -> int:
    """How many outcomes a decision list has at most, counted for each rule alone."""
    parents = {parent.name: parent for parent in given}
    total = 0
    for rule in rules:
        rows = math.prod(parent.n for parent in given)
        for condition in rule.when:
            if (parent := parents.get(condition.var)) is not None:
                values = {i for value in condition.values for i in labels_matching(value, parent)}
                rows = rows // parent.n * len(values)
        relative = [outcome.value.startswith("@") for outcome in rule.then]
        look(10 * (1 + len(relative)))
        total += rows * sum(
            1 if is_relative else len(labels_matching(outcome.value, of))
            for is_relative, outcome in zip(relative, rule.then, strict=True)
        )
    return total


def _outcomes(
    table: Table, of: Variable, given: Sequence[Variable]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], float]]:
    """Contexts, the values [1 or contexts, values] that each of them may get, and p of each."""
    rule_of = assign(table.rules, of, given).rule_of
    open_rows = np.flatnonzero(rule_of == -1)
    if open_rows.size:
        raise _uncovered(open_rows, of, given)
    ground = _Ground(table, of, given, own_axis(of, given), _names(of))
    for number in np.flatnonzero(np.bincount(rule_of)).tolist():
        rows = np.flatnonzero(rule_of == number)
        for at, outcome in enumerate(table.rules[number].then):
            look(10, numbers=40 * len(rows))
            where = f"/rules/{number}/then/{at}/value"
            if outcome.value.startswith("@"):
                yield rows, _relative(rows, outcome, ground, where)[:, None], outcome.p
            else:
                columns = np.array(ground.names.found(outcome.value, where))[None]
                yield rows, columns, outcome.p / columns.size


def _uncovered(rows: NDArray[np.int64], of: Variable, given: Sequence[Variable]) -> TableError:
    row = int(rows[0])
    context = context_labels(row, given)
    more = f" (+{rows.size - 1} more)" if rows.size > 1 else ""
    words = f"no rule of {of.name} matches {context or 'the only context'}{more}"
    return TableError("GMN214", words, field="/rules", context=context, row=row)


@dataclass(frozen=True, slots=True)
class _Ground:
    """Variables and contexts that all rules of one table share."""

    table: Table
    of: Variable
    given: Sequence[Variable]
    own: int | None
    names: _Names


def _relative(
    rows: NDArray[np.int64], outcome: Outcome, ground: _Ground, where: str
) -> NDArray[np.int64]:
    require_own(outcome.value, ground.of, [parent.name for parent in ground.given], where)
    assert ground.own is not None
    sizes = [parent.n for parent in ground.given]
    start = np.unravel_index(rows, sizes)[ground.own]
    steps = np.array(
        bounded(relative_step(outcome.value, ground.of, where), ground.of, ground.table)
    )
    delta = np.broadcast_to(steps, (len(rows), len(steps)))
    return shifted(start, delta, ground.of, ground.table)


def require_own(value: str, of: Variable, given: Sequence[str], where: str) -> None:
    """Check that a relative outcome has the previous value of `of` to start from.

    Raises: TableError: `of` is not among its own parents (213).
    """
    if of.name not in given:
        words = f"relative outcome {value} needs {of.name} among its own parents"
        raise TableError("GMN213", words, field=where)


def relative_step(value: str, of: Variable, where: str) -> list[int]:
    """The step along each axis of `of` that an outcome such as ``@+1`` stands for.

    Raises: TableError: it is not one (106).
    """
    axes = len(of.shape) or 1
    if value == "@stay":
        return [0] * axes
    if match := _STEP.match(value):
        return [0] * (axes - 1) + [int(match[1])]
    match = _VECTOR.match(value)
    steps = [int(part) for part in match[1].split(",")] if match else []
    if len(steps) != axes:
        step = ",".join(["d"] * axes)
        words = f"{value!r} is not an outcome; use a label, @stay, @+k, @-k or @({step})"
        raise TableError("GMN106", words, field=where)
    return steps


def bounded(delta: Sequence[int], of: Variable, table: Table) -> list[int]:
    """Steps clipped to one past the far edge, so that they fit the arrays.

    Python integers of any size are accepted; the clipped step ends at the same place.
    """
    sides = of.shape or (of.n,)
    if table.boundary == "wrap":
        return [step % side for step, side in zip(delta, sides, strict=True)]
    return [max(-side, min(side, step)) for step, side in zip(delta, sides, strict=True)]


def shifted(
    start: NDArray[np.integer], delta: NDArray[np.integer], of: Variable, table: Table
) -> NDArray[np.int64]:
    """Where each start ends after its step, under the table's boundary and walls.

    `start` has shape (rows,), `delta` (rows, axes), `bounded`; the result has shape (rows,).

    Raises: TableError: a wall is not a label of `of` (106).
    """
    shape = of.shape or (of.n,)
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
    names = _names(of)
    walls = [
        index
        for number, label in enumerate(table.blocked)
        for index in names.found(label, f"/blocked/{number}")
    ]
    return np.where(np.isin(target, walls), start, target) if walls else target
