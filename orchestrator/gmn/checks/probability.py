"""GMN201-217: rows, noise and rules are probability distributions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn import repairs
from orchestrator.gmn.checks.fixes import capped, drop, put, safe, suggested
from orchestrator.gmn.checks.registry import MOST_SHOWN, Subject, WrittenTable, check, title_of
from orchestrator.gmn.codes import finding
from orchestrator.gmn.rules import assign
from orchestrator.gmn.tables import TableError, sizes_disagree
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Conditional, Outcome, Rule, Variable
    from orchestrator.types.diagnostics import Diagnostic, Fix, PatchOperation

    MakeFix = Callable[..., Fix]

TINY = 1e-6  # a smaller probability is rarely intended


@check("GMN203", "GMN202", "GMN208")
def entries_are_probabilities(subject: Subject) -> Iterator[Diagnostic]:
    """Entries are finite, not negative, and above 1 only in percentages or counts."""
    for table in subject.written:
        rows = table.rows
        if rows.min(initial=0.0) >= 0 and rows.max(initial=0.0) <= 1:
            continue
        bad = ~np.isfinite(rows)
        negative = (rows < 0) & ~bad
        within_rounding = negative & (rows > -repairs.CLIP_BAND)
        yield from _cells(table, "GMN203", bad, "is not finite")
        yield from _cells(table, "GMN202", negative & ~within_rounding, "is negative")
        yield from _nearly_zero(table, within_rounding)
        if not _is_scaled(table):
            yield from _cells(table, "GMN208", (rows > 1 + repairs.ROUNDING) & ~bad, "is above 1")


def _is_scaled(table: WrittenTable) -> bool:
    rows = table.rows if table.turned is None else table.turned
    return repairs.are_percentages(rows) or repairs.are_counts(rows)


def _cells(
    table: WrittenTable, code: str, where: NDArray[np.bool_], what: str
) -> Iterator[Diagnostic]:
    cells = np.argwhere(where)
    for row, column in cells[:MOST_SHOWN].tolist():
        value = float(table.rows[row, column])
        yield finding(
            code,
            f"{table.title_of_row(row)}: P({table.of.names[column]}) = {value!r} {what}",
            pointer=f"{table.where}/{row}/{column}",
            variable=table.of.name,
            context=table.context(row),
            got=repr(value),
            expected="a number in [0, 1]",
        )
    yield from _rest(table, code, len(cells) - MOST_SHOWN)


def _rest(table: WrittenTable, code: str, more: int) -> Iterator[Diagnostic]:
    if more > 0:
        words = f"{table.title}: +{more} more like this"
        yield finding(code, words, pointer=table.where, variable=table.of.name)


def _nearly_zero(table: WrittenTable, where: NDArray[np.bool_]) -> Iterator[Diagnostic]:
    """One finding for all entries slightly below 0; its fix sets them to 0."""
    cells = np.argwhere(where)
    if len(cells) == 0:
        return
    row, column = cells[0].tolist()
    more = f" (+{len(cells) - 1} more)" if len(cells) > 1 else ""
    value = float(table.rows[row, column])
    label = table.of.names[column]
    clipped = repairs.clipped(table.rows)
    one = put(f"{table.where}/{row}/{column}", 0.0)
    yield finding(
        "GMN202",
        f"{table.title_of_row(row)}: P({label}) = {value!r} is negative by rounding{more}",
        pointer=f"{table.where}/{row}/{column}",
        variable=table.of.name,
        context=table.context(row),
        got=repr(value),
        expected="a number in [0, 1]",
        fix=safe("set it to 0", one if len(cells) == 1 else put(table.where, clipped.tolist())),
    )


@check("GMN206", "GMN207")
def rows_are_shares_of_one(subject: Subject) -> Iterator[Diagnostic]:
    """Rows of percentages or counts, with a fix that divides them."""
    for table in subject.written:
        if table.turned is not None:
            continue  # a transposed table (303) is repaired first
        if repairs.are_percentages(table.rows):
            code, what, made = "GMN206", "percentages", table.rows / 100.0
        elif repairs.are_counts(table.rows):
            code, what, made = "GMN207", "counts", repairs.shares_of_counts(table.rows)
        else:
            continue
        fix = safe(f"read as {what}", put(table.where, made.tolist()))
        words = f"{table.title}: rows are {what}"
        yield finding(code, words, pointer=table.where, variable=table.of.name, fix=fix)


@check("GMN201", "GMN204")
def rows_sum_to_one(subject: Subject) -> Iterator[Diagnostic]:
    """Rows sum to 1; a fix scales small deviations, others are reported row by row."""
    for table in subject.written:
        rows = table.rows
        if not repairs.unnormalised(rows).size or table.turned is not None or _is_scaled(table):
            continue  # 303, 206 or 207 reports it
        evened, empty = repairs.evened(rows)
        near_made, near = repairs.renormalised(rows, band=repairs.SAFE_BAND)
        wide_made, within = repairs.renormalised(rows, band=repairs.WIDE_BAND)
        wide = np.setdiff1d(within, near, assume_unique=True)
        seen = np.concatenate([within, empty])
        far = np.setdiff1d(repairs.unnormalised(rows), seen, assume_unique=True)
        # A suggested fix must not change rows within the safe band.
        wide_made[near] = rows[near]
        yield from _scaled(table, "GMN201", near, near_made, safe)
        yield from _scaled(table, "GMN201", wide, wide_made, suggested)
        yield from (_sum_finding(table, int(row), None) for row in far[:MOST_SHOWN])
        yield from _rest(table, "GMN201", len(far) - MOST_SHOWN)
        yield from _scaled(table, "GMN204", empty, evened, suggested)
    written = {table.pointer for table in subject.written}
    for pointer, conditional in subject.tables:
        of = subject.bounded(conditional.of)
        is_rows = conditional.table.kind == "rows" and pointer not in written
        if is_rows and of is not None and _is_clear(subject, conditional):
            yield from capped(_whole_rows(pointer, conditional, of), MOST_SHOWN, pointer)


def _is_clear(subject: Subject, conditional: Conditional) -> bool:
    """Whether the sizes of a table's variables, as far as they are known, are not in doubt."""
    known = [subject.variables.get(name) for name in (conditional.of, *conditional.given)]
    is_small = subject.given(conditional) is None or subject.fits(conditional)
    return is_small and not any(sizes_disagree(v) for v in known if v is not None)


def _whole_rows(pointer: str, conditional: Conditional, of: Variable) -> list[Diagnostic]:
    """What is wrong with the rows of the right length in a table of the wrong shape."""
    found = []
    for number, row in enumerate(conditional.table.rows):
        look(20)
        numbers = np.array([row], dtype=np.float64)
        if len(row) == of.n and repairs.unnormalised(numbers).size:
            total = f"{float(repairs.row_sums(numbers)[0]):.6g}"
            words = f"{title_of(pointer)} of {of.name}: row {number + 1} sums to {total}"
            where = f"{pointer}/table/rows/{number}"
            found.append(finding("GMN201", words, pointer=where, got=total, expected=1))
    return found


def _scaled(
    table: WrittenTable,
    code: str,
    at: NDArray[np.intp],
    made: NDArray[np.float64],
    make: MakeFix,
) -> Iterator[Diagnostic]:
    """A finding with a fix for each row in `at`, or one for all when there are many."""
    description = "make it uniform" if code == "GMN204" else "scale the row to sum 1"
    if len(at) <= MOST_SHOWN:
        for row in at.tolist():
            change = put(f"{table.where}/{row}", made[row].tolist())
            yield _sum_finding(table, row, make(description, change))
        return
    first = int(at[0])
    yield finding(
        code,
        f"{_sum_words(table, first)} (+{len(at) - 1} more like this)",
        pointer=table.where,
        variable=table.of.name,
        context=table.context(first),
        fix=make(f"{description}, {len(at)} times", put(table.where, made.tolist())),
    )


def _sum_finding(table: WrittenTable, row: int, fix: Fix | None) -> Diagnostic:
    return finding(
        "GMN201" if table.rows[row].any() else "GMN204",
        _sum_words(table, row),
        pointer=f"{table.where}/{row}",
        variable=table.of.name,
        context=table.context(row),
        got=_total(table, row),
        expected=1,
        fix=fix,
    )


def _sum_words(table: WrittenTable, row: int) -> str:
    wrong = f"sums to {_total(table, row)}" if table.rows[row].any() else "is all zero"
    return f"{table.title_of_row(row)} {wrong}"


def _total(table: WrittenTable, row: int) -> str:
    return f"{float(repairs.row_sums(table.rows[row : row + 1])[0]):.6g}"


@check("GMN205")
def noise_is_a_probability(subject: Subject) -> Iterator[Diagnostic]:
    """Noise is in [0, 1]; a fix reads 1 to 100 as percent."""
    for pointer, conditional in subject.tables:
        noise = conditional.table.noise
        if 0.0 <= noise <= 1.0:
            continue
        where = f"{pointer}/table/noise"
        fix = safe("read as percent", put(where, noise / 100)) if 1.0 < noise <= 100.0 else None
        words = f"noise of {conditional.of} is {noise!r}, expected a number in [0, 1]"
        yield finding("GMN205", words, pointer=where, variable=conditional.of, got=noise, fix=fix)


@check("GMN209", "GMN210", "GMN217", "GMN201")
def rules_are_distributions(subject: Subject) -> Iterator[Diagnostic]:
    """The outcomes of each rule are probabilities that sum to 1."""
    for pointer, conditional in subject.tables:
        table = conditional.table
        if table.kind == "rules":
            where = f"{pointer}/table/rules"
            found = [
                diagnostic
                for number, rule in enumerate(table.rules)
                for diagnostic in _rule(f"{where}/{number}", conditional.of, rule)
            ]
            yield from capped(found, MOST_SHOWN, where)


def _rule(where: str, of: str, rule: Rule) -> Iterator[Diagnostic]:
    """Each p outside [0, 1]; without one, a repeated outcome, or the sum of the p."""
    outside = [(n, o) for n, o in enumerate(rule.then) if not 0.0 <= o.p <= 1.0]
    for number, outcome in outside:
        words = f"p of outcome {outcome.value!r} of {of} is {outcome.p!r}, expected [0, 1]"
        place = f"{where}/then/{number}/p"
        yield finding("GMN209", words, pointer=place, variable=of, got=outcome.p)
    look(2 * len(rule.then))
    values = [outcome.value for outcome in rule.then]
    if len({*values}) < len(values):
        repeated, count = next(one for one in Counter(values).items() if one[1] > 1)
        words = f"outcome {repeated!r} is listed {count} times in one rule of {of}"
        added = safe("add them up", _outcomes(where, _added_up(rule.then)))
        yield finding("GMN217", words, pointer=f"{where}/then", variable=of, fix=added)
    elif not outside and (wrong := _rule_sum(where, of, rule.then)) is not None:
        yield wrong


def _rule_sum(where: str, of: str, then: Sequence[Outcome]) -> Diagnostic | None:
    if abs(sum(outcome.p for outcome in then) - 1.0) < repairs.ROUNDING / 2:
        return None  # sooner found than by arrays
    rows = np.array([[outcome.p for outcome in then]])
    if repairs.unnormalised(rows).size == 0:
        return None
    total = float(repairs.row_sums(rows)[0])
    fix: Fix | None = None
    for band, make in ((repairs.WIDE_BAND, suggested), (repairs.SAFE_BAND, safe)):
        made, changed = repairs.renormalised(rows, band=band)
        if changed.size:
            scaled = [(o.value, p) for o, p in zip(then, made[0].tolist(), strict=True)]
            fix = make("scale them to sum 1", _outcomes(where, scaled))
    # 210 warns when a safe fix applies; otherwise 201 is an error.
    code = "GMN210" if fix is not None and fix.kind == "safe" and total < 1 else "GMN201"
    words = f"the outcomes of a rule of {of} sum to {total:.6g}"
    where = f"{where}/then"
    got = f"{total:.6g}"
    return finding(code, words, pointer=where, variable=of, got=got, expected=1, fix=fix)


def _added_up(then: Sequence[Outcome]) -> list[tuple[str, float]]:
    values = dict.fromkeys(outcome.value for outcome in then)
    look(len(values) * len(then) // 8)
    return [(value, sum(o.p for o in then if o.value == value)) for value in values]


def _outcomes(where: str, then: Sequence[tuple[str, float]]) -> PatchOperation:
    return put(f"{where}/then", [{"value": value, "p": p} for value, p in then])


@check("GMN211")
def tiny_probabilities_are_reported(subject: Subject) -> Iterator[Diagnostic]:
    """Probabilities below `TINY`: they are kept, but act almost like 0."""
    for table in subject.written:
        tiny = np.argwhere((table.rows > 0) & (table.rows < TINY))
        if len(tiny):
            row, column = tiny[0].tolist()
            words = (
                f"{table.title_of_row(row)} has P({table.of.names[column]}) = "
                f"{table.rows[row, column]:.3g}, one of {len(tiny)} below {TINY:g}: kept, but it "
                "acts almost like 0"
            )
            where = f"{table.where}/{row}/{column}"
            yield finding("GMN211", words, pointer=where, variable=table.of.name)
    for pointer, conditional in subject.tables:
        small = [
            (f"{pointer}/table/rules/{r}/then/{t}/p", outcome)
            for r, rule in enumerate(conditional.table.rules)
            for t, outcome in enumerate(rule.then)
            if 0.0 < outcome.p < TINY
        ]
        if small and conditional.table.kind == "rules":
            where, outcome = small[0]
            words = (
                f"p of outcome {outcome.value!r} of {conditional.of} is {outcome.p:.3g}, one of "
                f"{len(small)} below {TINY:g}: kept, but it acts almost like 0"
            )
            yield finding("GMN211", words, pointer=where, variable=conditional.of)


@check("GMN215")
def every_rule_is_used(subject: Subject) -> Iterator[Diagnostic]:
    """Rules that never apply, with a fix that drops them."""
    for pointer, conditional in subject.tables:
        given = subject.given(conditional)
        if conditional.table.kind != "rules" or given is None or not subject.fits(conditional):
            continue
        try:
            assignment = assign(conditional.table.rules, subject.variables[conditional.of], given)
        except TableError:
            continue  # labels_are_known, references_are_defined or sizes_agree reports it
        where = f"{pointer}/table/rules"
        unused = assignment.unused(len(conditional.table.rules))
        found = [_unused(f"{where}/{number}", conditional.of, number) for number in unused]
        yield from capped(found, MOST_SHOWN, where)


def _unused(where: str, of: str, number: int) -> Diagnostic:
    words = f"rule {number + 1} of {of} never applies: rules above it take all its contexts"
    fix = safe("drop the rule", drop(where))
    return finding("GMN215", words, pointer=where, variable=of, fix=fix)
