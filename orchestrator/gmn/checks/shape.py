"""GMN301-312: sizes, labels, shapes and tables agree.

The reader reports 309 (nested arrays) and 312 (text among numbers), because a typed document cannot
hold either.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from orchestrator.gmn import repairs
from orchestrator.gmn.checks.fixes import insert, put, safe
from orchestrator.gmn.checks.registry import MOST_SHOWN, Subject, check, title_of
from orchestrator.gmn.checks.structure import labels_are_known, pointers, references_are_defined
from orchestrator.gmn.codes import finding
from orchestrator.gmn.model import Condition
from orchestrator.gmn.rules import relative_step, require_own
from orchestrator.gmn.tables import TableError, acting_axis, entries
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Conditional, Variable
    from orchestrator.types.diagnostics import Diagnostic, Fix

    Array = NDArray[np.float64]

T = TypeVar("T")


@check("GMN302", "GMN308")
def sizes_agree(subject: Subject) -> Iterator[Diagnostic]:
    """Size, number of labels and product of the shape are equal."""
    for _, pointer, variable in pointers(subject.spec):
        product = math.prod(variable.shape) if variable.shape else 0
        sizes = {n for n in (variable.size, len(variable.labels), product) if n}
        if not sizes or min(sizes) < 1 or any(side < 1 for side in variable.shape):
            words = (
                f"{variable.name} has size {variable.size}, {len(variable.labels)} labels and shape"
                f" {list(variable.shape)}; give labels, or a size or sides of at least 1"
            )
            yield finding("GMN302", words, pointer=pointer, variable=variable.name)
        elif len(sizes) > 1:
            yield _disagreeing(pointer, variable, product)
        elif not variable.labels and not variable.shape:
            yield from _off_by_one(subject, pointer, variable)


def _disagreeing(pointer: str, variable: Variable, product: int) -> Diagnostic:
    labels = len(variable.labels)
    n = labels or product  # labels take precedence over the shape
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
    """A finding when every table shows a size that differs by 1 from the declared one."""
    tables = subject.tables_with.get(variable.name, ())
    look(5 * len(tables))
    shown = [n for table in tables for n in _extents(subject, table, variable)]
    lengths = [
        len(written)
        for written in (
            *(p.values for p in subject.spec.preferences if p.on == variable.name),
            *(h.weights for h in subject.spec.habits if h.action == variable.name),
        )
        if written
    ]
    if len(set(shown)) != 1 or not set(lengths) <= set(shown):
        return
    n = shown[0]
    if n is None or n < 1 or abs(n - variable.size) != 1:
        return
    yield finding(
        "GMN308",
        f"size {variable.size} of {variable.name} is off by one: every table has {n}",
        pointer=f"{pointer}/size",
        variable=variable.name,
        got=variable.size,
        expected=n,
        fix=safe(f"take {n}", put(f"{pointer}/size", n)),
    )


def _extents(subject: Subject, conditional: Conditional, variable: Variable) -> list[int | None]:
    """The sizes of a variable by the axes of one table; None for an axis of unclear size.

    Rows, maps, and an identity with another variable have such axes.
    """
    table, given = conditional.table, subject.given(conditional)
    if given is None:
        return []
    shown: list[int | None] = []
    if table.kind == "rows" and conditional.of == variable.name:
        widths = {len(row) for row in table.rows}
        shown.append(widths.pop() if len(widths) == 1 else None)
    if table.kind in ("rows", "map") and variable.name in conditional.given:
        contexts = len(table.rows if table.kind == "rows" else table.map)
        others = math.prod(v.n for v in given if v.name != variable.name)
        mine = conditional.given.count(variable.name) == 1 and others > 0
        shown.append(contexts // others if mine and contexts % others == 0 else None)
    if table.kind == "identity" and conditional.of not in conditional.given and given:
        pair = {conditional.of, given[0].name}
        other = next((subject.variables.get(name) for name in pair - {variable.name}), None)
        if variable.name in pair:
            shown.append(other.n if other is not None else None)
    return shown


@check(
    *("GMN105", "GMN106", "GMN213", "GMN214"),
    *("GMN301", "GMN303", "GMN304", "GMN305", "GMN306", "GMN310", "GMN311"),
)
def tables_expand(subject: Subject) -> Iterator[Diagnostic]:
    """Every table expands to a matrix of shape (contexts, outcomes)."""
    for pointer, conditional in subject.tables:
        failed, tried = subject.expansion(conditional), conditional
        seen = set[str]()
        for wrong in _relative_faults(subject, conditional) if failed is not None else ():
            seen.add(wrong.field)
            yield _expansion_finding(subject, pointer, conditional, wrong)
        for _ in range(MOST_SHOWN):
            if not isinstance(failed, TableError):
                break
            if failed.field not in seen and not _is_reported_elsewhere(subject, pointer, failed):
                yield _expansion_finding(subject, pointer, conditional, failed)
            before, tried = tried, _passing(tried, subject, failed.field)
            failed = subject.expanded(tried) if tried != before else None


def _relative_faults(subject: Subject, conditional: Conditional) -> Iterator[TableError]:
    """Each relative outcome of a rule that has nothing to start from, or says no step."""
    of = subject.variables[conditional.of]
    for r, rule in enumerate(conditional.table.rules if conditional.table.kind == "rules" else ()):
        look(len(rule.then))
        for t, outcome in enumerate(rule.then):
            where = f"/rules/{r}/then/{t}/value"
            if outcome.value.startswith("@"):
                try:
                    require_own(outcome.value, of, conditional.given, where)
                    relative_step(outcome.value, of, where)
                except TableError as error:
                    yield error


def _passing(conditional: Conditional, subject: Subject, field: str) -> Conditional:
    """The table with something harmless in the place of a fault, to find the next one."""
    section, *steps = field.split("/")[1:] or [""]
    table = conditional.table
    if section == "rules" and len(steps) > 2:
        number, part, at = int(steps[0]), steps[1], int(steps[2])
        rule = table.rules[number]
        if part == "then":
            label = subject.variables[conditional.of].names[0]
            outcome = rule.then[at].model_copy(update={"value": label})
            rule = rule.model_copy(update={"then": _put(rule.then, at, outcome)})
        elif conditional.given:
            whatever = Condition(var=conditional.given[0], values=("*",))
            rule = rule.model_copy(update={"when": _put(rule.when, at, whatever)})
        table = table.model_copy(update={"rules": _put(table.rules, number, rule)})
    elif section == "moves" and len(steps) == 2:
        known = [v for name in conditional.given for v in subject.variables[name].names]
        move = table.moves[int(steps[0])]
        still = {
            "action": move.action if move.action in known else known[0],
            "delta": (0,) * (len(subject.variables[conditional.of].shape) or 1),
        }
        moves = _put(table.moves, int(steps[0]), move.model_copy(update=still))
        table = table.model_copy(update={"moves": moves})
    return conditional.model_copy(update={"table": table})


def _put(parts: tuple[T, ...], at: int, part: T) -> tuple[T, ...]:
    return (*parts[:at], part, *parts[at + 1 :])


def _is_reported_elsewhere(subject: Subject, pointer: str, failed: TableError) -> bool:
    """Whether another check reports this error with a more exact pointer."""
    if failed.code == "GMN302":
        return True
    if failed.code not in ("GMN105", "GMN106"):
        return False
    check_of = references_are_defined if failed.code == "GMN105" else labels_are_known
    reported = subject.findings_of(check_of)
    look(len(reported) // 8)
    return any(found.pointer.startswith(f"{pointer}/") for found in reported)


def _expansion_finding(
    subject: Subject, pointer: str, conditional: Conditional, failed: TableError
) -> Diagnostic:
    where = f"{pointer}/table"
    of, given = subject.variables[conditional.of], subject.given(conditional) or []
    code, words, fix = failed.code, str(failed), None
    if code == "GMN301":
        code, words, fix = _misshapen(subject, conditional, f"{where}/rows", words)
    if code == "GMN214" and pointer.startswith("/transitions") and of in given:
        otherwise = {"when": [], "then": [{"value": "@stay", "p": 1.0}]}
        fix = safe("otherwise stay", insert(f"{where}/rules/-", otherwise))
    return finding(
        code,
        f"{title_of(pointer)} of {of.name}: {words}",
        pointer=f"{where}{failed.field}",
        variable=of.name,
        context=failed.context,
        fix=fix,
    )


def _misshapen(
    subject: Subject, conditional: Conditional, where: str, words: str
) -> tuple[str, str, Fix | None]:
    """Code, message and fix for rows of the wrong shape: transposed (303), the same for every
    action (311), or wrong (301)."""
    rows = np.array(conditional.table.rows, dtype=np.float64)
    of, given = subject.variables[conditional.of], subject.given(conditional) or []
    if _is_transposed(rows, entries(of, given) // of.n, of.n):
        fix = safe("transpose it", put(where, rows.T.tolist()))
        return "GMN303", f"{words}: it is transposed", fix
    if (spread := _for_every_action(rows, of, given, subject)) is not None:
        fix = safe("repeat it for every action", put(where, spread.tolist()))
        return "GMN311", f"{words}: read as the same for every action", fix
    return "GMN301", words, None


def _is_transposed(rows: Array, contexts: int, n: int) -> bool:
    """Whether the shape is (outcomes, contexts), unless only the rows as given sum to 1."""
    if rows.shape != (n, contexts) or contexts == n:
        return False
    return repairs.is_stochastic(rows.T) or not repairs.is_stochastic(rows)


def _for_every_action(
    rows: Array, of: Variable, given: Sequence[Variable], subject: Subject
) -> Array | None:
    """Rows repeated for every action, if they are a square matrix over the state; else None."""
    names = [parent.name for parent in given]
    if len(given) != 2 or rows.shape != (of.n, of.n) or of.name not in names:
        return None
    action = next((v for v in given if subject.kinds.get(v.name) == "action"), None)
    if action is None:
        return None
    once = rows.T if repairs.is_turned(rows, rows.T) else rows
    is_first = given[0].name == action.name
    spread: Array = np.tile(once, (action.n, 1)) if is_first else np.repeat(once, action.n, axis=0)
    return spread


@check("GMN303", "GMN216")
def conditions_are_rows(subject: Subject) -> Iterator[Diagnostic]:
    """Square tables whose columns sum to 1: transposed, or ambiguous when rows do too."""
    for table in subject.written:
        rows = table.rows
        if table.turned is not None:
            is_square = rows.shape[0] == rows.shape[1]
            inside = "" if is_square else " within each action"
            words = (
                f"{table.title}: columns{inside} are distributions, rows are not: it is transposed"
            )
            fix = safe("transpose it", put(table.where, table.turned.tolist()))
            yield finding("GMN303", words, pointer=table.where, variable=table.of.name, fix=fix)
        elif _fits_both_ways(rows):
            words = f"{table.title}: rows and columns both sum to 1; each row is read as a context"
            yield finding("GMN216", words, pointer=table.where, variable=table.of.name)


def _fits_both_ways(rows: Array) -> bool:
    is_square = rows.shape[0] == rows.shape[1] > 1
    if not is_square or np.allclose(rows, rows.T):
        return False
    return repairs.is_stochastic(rows) and repairs.is_stochastic(rows.T)


@check("GMN307")
def every_action_has_a_move(subject: Subject) -> Iterator[Diagnostic]:
    """Action labels without a move; the fix adds moves that stay."""
    for pointer, conditional in subject.tables:
        table, given = conditional.table, subject.given(conditional)
        if table.kind not in ("grid", "shift") or not given or not table.moves:
            continue
        if conditional.of not in conditional.given or not subject.fits(conditional):
            continue
        of = subject.variables[conditional.of]
        if (acting := acting_axis(table, of, given)) is None:
            continue
        moved = {move.action for move in table.moves}
        missing = [label for label in given[acting].names if label not in moved]
        if missing:
            yield _left_out(f"{pointer}/table/moves", of, missing)


def _left_out(where: str, of: Variable, missing: Sequence[str]) -> Diagnostic:
    stay = [0] * (len(of.shape) or 1)
    added = [insert(f"{where}/-", {"action": label, "delta": stay}) for label in missing]
    shown = ", ".join(missing[:12]) + (f" (+{len(missing) - 12} more)" if missing[12:] else "")
    words = f"moves of {of.name} leave out {shown}: read as stay"
    fix = safe("add the missing moves", *added)
    return finding("GMN307", words, pointer=where, variable=of.name, fix=fix)
