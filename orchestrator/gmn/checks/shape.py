"""GMN301-312: do sizes, labels, shapes and tables fit together?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.checks.fixes import put, safe
from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.checks.structure import pointers
from orchestrator.gmn.codes import finding
from orchestrator.gmn.repairs import is_stochastic
from orchestrator.gmn.tables import TableError, entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.gmn.model import Conditional, Variable

#: Errors of expansion that other checks find with a better place.
_TOLD_ELSEWHERE = ("GMN105", "GMN106", "GMN302")


@check("GMN302", "GMN308")
def sizes_agree(subject: Subject) -> Iterator[Diagnostic]:
    """Size, number of labels and product of the shape are one number."""
    for _, pointer, variable in pointers(subject.spec):
        product = math.prod(variable.shape) if variable.shape else 0
        said = [n for n in (variable.size, len(variable.labels), product) if n]
        if not said or any(side < 1 for side in variable.shape) or variable.size < 0:
            words = f"{variable.name} has no values; give labels, a size or a shape"
            yield finding("GMN302", words, pointer=pointer, variable=variable.name)
        elif len(set(said)) > 1:
            yield _disagreeing(subject, pointer, variable, product)
        elif not variable.labels and not variable.shape:
            yield from _off_by_one(subject, pointer, variable)


def _disagreeing(subject: Subject, pointer: str, variable: Variable, product: int) -> Diagnostic:
    labels = len(variable.labels)
    n = labels or product  # labels win, else the shape
    operations = [put(f"{pointer}/size", n)]
    if variable.shape and product != n:
        operations.append(put(f"{pointer}/shape", []))
    words = (
        f"{variable.name}: size {variable.size or '-'}, {labels or 'no'} labels and shape "
        f"{list(variable.shape) or '-'} disagree"
    )
    fix = safe(f"take {n} values from the {'labels' if labels else 'shape'}", *operations)
    return finding("GMN302", words, pointer=pointer, variable=variable.name, expected=n, fix=fix)


def _off_by_one(subject: Subject, pointer: str, variable: Variable) -> Iterator[Diagnostic]:
    """Every table about the variable agrees on a size one away from the declared one."""
    widths = {
        len(table.table.rows[0])
        for _, table in subject.tables
        if table.of == variable.name and table.table.rows
    }
    if len(widths) != 1 or abs((width := widths.pop()) - variable.size) != 1:
        return
    for _, table in subject.tables:
        if table.table.kind != "rows" or variable.name not in (table.of, *table.given):
            continue
        others = [v for v in (subject.given(table) or []) if v.name != variable.name]
        mine = sum(name == variable.name for name in table.given)
        if len(table.table.rows) != width**mine * math.prod(v.n for v in others):
            return
    words = f"size {variable.size} of {variable.name} is off by one: every table has {width}"
    fix = safe(f"take {width}", put(f"{pointer}/size", width))
    yield finding(
        "GMN308",
        words,
        pointer=f"{pointer}/size",
        variable=variable.name,
        got=variable.size,
        expected=width,
        fix=fix,
    )


@check("GMN301", "GMN304", "GMN305", "GMN306", "GMN213", "GMN214", "GMN303", "GMN311", "GMN310")
def tables_expand(subject: Subject) -> Iterator[Diagnostic]:
    """Every table becomes a matrix of contexts by outcomes."""
    for pointer, conditional in subject.tables:
        failed = subject.expansion(conditional)
        if isinstance(failed, TableError) and failed.code not in _TOLD_ELSEWHERE:
            yield _why(subject, pointer, conditional, failed)


def _why(
    subject: Subject, pointer: str, conditional: Conditional, failed: TableError
) -> Diagnostic:
    where = f"{pointer}/table"
    of, given = subject.variables[conditional.of], subject.given(conditional) or []
    code, fix, words = failed.code, None, str(failed)
    if code == "GMN301":
        rows = np.array(conditional.table.rows, dtype=np.float64)
        if (turned := _transposed(rows, of, given)) is not None:
            code, words = "GMN303", f"{words}: it is transposed"
            fix = safe("transpose it", put(f"{where}/rows", turned))
        elif (spread := _action_independent(rows, of, given, subject)) is not None:
            code, words = "GMN311", f"{words}: read as the same for every action"
            fix = safe("repeat it for every action", put(f"{where}/rows", spread))
    if code == "GMN214" and pointer.startswith("/transitions") and of.name in conditional.given:
        last = {"when": [], "then": [{"value": "@stay", "p": 1.0}]}
        rules = [rule.model_dump(mode="json") for rule in conditional.table.rules]
        fix = safe("otherwise stay", put(f"{where}/rules", [*rules, last]))
    return finding(
        code,
        f"{pointer.split('/')[1][:-1]} of {of.name}: {words}",
        pointer=f"{where}{failed.field}",
        variable=of.name,
        context=failed.context,
        fix=fix,
    )


def _transposed(
    rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    of: Variable,
    given: Sequence[Variable],
) -> list[list[float]] | None:
    contexts = entries(of, given) // of.n
    if rows.shape != (of.n, contexts) or not is_stochastic(rows.T):
        return None
    turned: list[list[float]] = rows.T.tolist()
    return turned


def _action_independent(
    rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    of: Variable,
    given: Sequence[Variable],
    subject: Subject,
) -> list[list[float]] | None:
    """A square matrix over the state alone, for parents that list an action too."""
    if len(given) != 2 or rows.shape != (of.n, of.n) or of.name not in [v.name for v in given]:
        return None
    action = next((v for v in given if subject.kinds.get(v.name) == "action"), None)
    if action is None:
        return None
    first = given[0].name == action.name
    spread = np.tile(rows, (action.n, 1)) if first else np.repeat(rows, action.n, axis=0)
    made: list[list[float]] = spread.tolist()
    return made


@check("GMN303", "GMN216")
def square_tables_are_rows(subject: Subject) -> Iterator[Diagnostic]:
    """A square matrix whose columns sum to 1 and whose rows do not is transposed."""
    for pointer, conditional in subject.tables:
        rows = subject.matrix(conditional)
        is_square = rows is not None and rows.shape[0] == rows.shape[1] > 1
        if conditional.table.kind != "rows" or rows is None or not is_square:
            continue
        by_row, by_column = is_stochastic(rows), is_stochastic(rows.T)
        where = f"{pointer}/table/rows"
        if by_column and not by_row:
            fix = safe("transpose it", put(where, rows.T.tolist()))
            words = f"table of {conditional.of}: columns sum to 1 and rows do not: it is transposed"
            yield finding("GMN303", words, pointer=where, variable=conditional.of, fix=fix)
        elif by_column and by_row and not np.allclose(rows, rows.T):
            words = (
                f"table of {conditional.of} is stochastic both by rows and by columns; each row is"
                " read as one situation"
            )
            yield finding("GMN216", words, pointer=where, variable=conditional.of)


@check("GMN307")
def every_action_has_a_move(subject: Subject) -> Iterator[Diagnostic]:
    """An action label without a move stays where it is."""
    for pointer, conditional in subject.tables:
        table, given = conditional.table, subject.given(conditional) or []
        movers = [v for v in given if v.name != conditional.of]
        if table.kind not in ("grid", "shift") or len(movers) != 1 or not table.moves:
            continue
        moved = {move.action for move in table.moves}
        missing = [label for label in movers[0].names if label not in moved]
        if missing and movers[0].n <= subject.limits.variable_size:
            of = subject.variables[conditional.of]
            stay = [0] * (len(of.shape) or 1)
            moves = [move.model_dump(mode="json") for move in table.moves]
            moves += [{"action": label, "delta": stay} for label in missing]
            words = f"moves of {conditional.of} leave out {', '.join(missing)}: read as stay"
            fix = safe("add the missing moves", put(f"{pointer}/table/moves", moves))
            where = f"{pointer}/table/moves"
            yield finding("GMN307", words, pointer=where, variable=conditional.of, fix=fix)
