"""GMN201-217: is every row a distribution?"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn import repairs
from orchestrator.gmn.checks.fixes import drop, put, safe, suggested
from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.codes import finding
from orchestrator.gmn.rules import assign
from orchestrator.gmn.tables import TableError, context_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.diagnostics import Diagnostic, Fix
    from orchestrator.gmn.model import Conditional, Rule

MOST_SHOWN = 5  # findings of one kind in one table


def _kind(pointer: str) -> str:
    return pointer.split("/")[1][:-1]


def _written(subject: Subject) -> Iterator[tuple[str, Conditional, NDArray[np.float64]]]:
    """Tables written as rows, before noise, where their shape is right."""
    for pointer, conditional in subject.tables:
        rows = subject.written(conditional)
        if rows is not None:
            yield pointer, conditional, rows


def _few(found: Iterable[Diagnostic], code: str, pointer: str, total: int) -> Iterator[Diagnostic]:
    yield from islice(found, MOST_SHOWN)
    if total > MOST_SHOWN:
        yield finding(code, f"{pointer}: {total - MOST_SHOWN} more like this", pointer=pointer)


def _context(subject: Subject, conditional: Conditional, row: int) -> str:
    given = subject.given(conditional) or []
    size = int(np.prod([v.n for v in given])) if given else 1
    return context_labels(row, given) if row < size else f"row {row}"


def _said(subject: Subject, pointer: str, conditional: Conditional, row: int) -> str:
    context = _context(subject, conditional, row)
    inside = f" ({context})" if context else ""
    return f"{_kind(pointer)} of {conditional.of}: row{inside}"


@check("GMN203", "GMN202", "GMN208")
def entries_are_probabilities(subject: Subject) -> Iterator[Diagnostic]:
    """Finite, not negative, and above 1 only where rows are percentages or counts."""
    for pointer, conditional, rows in _written(subject):
        bad = ~np.isfinite(rows)
        clipped = repairs.clipped(rows)
        negative = (rows < 0) & ~bad
        above = (rows > 1 + repairs.ROUNDING) & ~bad
        scaled = repairs.are_percentages(rows) or repairs.are_counts(rows)
        for code, where, what in (
            ("GMN203", bad, "is not finite"),
            ("GMN202", negative, "is negative"),
            ("GMN208", above & (not scaled), "is above 1"),
        ):
            cells = np.argwhere(where)
            yield from _few(
                (
                    _cell(
                        subject,
                        code,
                        pointer,
                        conditional,
                        (int(r), int(c)),
                        what=what,
                        clipped=clipped,
                    )
                    for r, c in cells
                ),
                code,
                f"{pointer}/table/rows",
                len(cells),
            )


def _cell(
    subject: Subject,
    code: str,
    pointer: str,
    conditional: Conditional,
    cell: tuple[int, int],
    *,
    what: str,
    clipped: NDArray[np.float64],
) -> Diagnostic:
    row, column = cell
    value = conditional.table.rows[row][column]
    where = f"{pointer}/table/rows/{row}"
    fix = None
    if code == "GMN202" and clipped[row, column] == 0.0:
        fix = safe("set it to 0", put(where, clipped[row].tolist()))
    names = subject.variables[conditional.of].names if conditional.of in subject.variables else ()
    label = names[column] if column < len(names) else str(column)
    return finding(
        code,
        f"{_said(subject, pointer, conditional, row)}: P({label}) = {value!r} {what}",
        pointer=f"{where}/{column}",
        variable=conditional.of,
        context=_context(subject, conditional, row),
        got=value,
        fix=fix,
    )


@check("GMN206", "GMN207", "GMN201", "GMN204")
def rows_sum_to_one(subject: Subject) -> Iterator[Diagnostic]:
    """Percentages and counts are rescaled; small deviations too; the rest is told row by row."""
    for pointer, conditional, rows in _written(subject):
        if not np.all(np.isfinite(rows)):
            continue
        where = f"{pointer}/table/rows"
        transposed = repairs.is_stochastic(rows.T) and not repairs.is_stochastic(rows)
        if transposed or np.any(rows < -1e-9):
            continue  # 303 or 202 says it; sums of such rows mean nothing
        if repairs.are_percentages(rows) or repairs.are_counts(rows):
            code = "GMN206" if repairs.are_percentages(rows) else "GMN207"
            what = "percentages" if code == "GMN206" else "counts"
            fix = safe(f"read as {what}", put(where, repairs.normalised(rows).tolist()))
            words = f"{_kind(pointer)} of {conditional.of}: rows are {what}"
            yield finding(code, words, pointer=where, variable=conditional.of, fix=fix)
            continue
        off = repairs.unnormalised(rows)
        if len(off) > MOST_SHOWN and (scaled_all := _scaled_allscaled(rows, len(off), where)):
            words = f"{_kind(pointer)} of {conditional.of}: {len(off)} rows sum to nearly 1"
            yield finding("GMN201", words, pointer=where, variable=conditional.of, fix=scaled_all)
            continue
        yield from _few(
            (_sum_finding(subject, pointer, conditional, rows, int(row)) for row in off),
            "GMN201",
            where,
            len(off),
        )


def _scaled_allscaled(rows: NDArray[np.float64], n_off: int, where: str) -> Fix | None:
    """One fix for many rows, when every one of them is within the safe band."""
    made, changed = repairs.renormalised(rows, band=repairs.SAFE_BAND)
    if len(changed) < n_off:
        return None
    return safe("scale the rows to sum 1", put(where, made.tolist()))


def _sum_finding(
    subject: Subject, pointer: str, conditional: Conditional, rows: NDArray[np.float64], row: int
) -> Diagnostic:
    total = float(rows[row].sum())
    where = f"{pointer}/table/rows/{row}"
    said = _said(subject, pointer, conditional, row)
    if total == 0.0:
        uniform = [1.0 / rows.shape[1]] * rows.shape[1]
        code, words = "GMN204", f"{said} is all zero"
        fix: Fix | None = suggested("make it uniform", put(where, uniform))
    else:
        code, words = "GMN201", f"{said} sums to {total:.6g}"
        fix = _scaled(rows[row], where)
    return finding(
        code,
        words,
        pointer=where,
        variable=conditional.of,
        context=_context(subject, conditional, row),
        got=f"{total:.6g}",
        expected=1,
        fix=fix,
    )


def _scaled(row: NDArray[np.float64], where: str) -> Fix | None:
    for band, make in ((repairs.SAFE_BAND, safe), (repairs.WIDE_BAND, suggested)):
        made, changed = repairs.renormalised(row[None], band=band)
        if changed.size:
            return make("scale the row to sum 1", put(where, made[0].tolist()))
    return None


@check("GMN205")
def noise_is_a_probability(subject: Subject) -> Iterator[Diagnostic]:
    """Noise is a share; 10 is read as 10%."""
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
        for number, rule in enumerate(conditional.table.rules):
            yield from _rule(f"{pointer}/table/rules/{number}", conditional.of, rule)


def _rule(where: str, of: str, rule: Rule) -> Iterator[Diagnostic]:
    counts = Counter(outcome.value for outcome in rule.then)
    for value, count in counts.items():
        if count > 1:
            merged = [
                {"value": v, "p": sum(o.p for o in rule.then if o.value == v)} for v in counts
            ]
            words = f"outcome {value!r} stands {count} times in one rule of {of}"
            added = safe("add them up", put(f"{where}/then", merged))
            yield finding("GMN217", words, pointer=f"{where}/then", variable=of, fix=added)
            return
    for number, outcome in enumerate(rule.then):
        if not 0.0 <= outcome.p <= 1.0:
            words = f"p of outcome {outcome.value!r} of {of} is {outcome.p!r}, expected [0, 1]"
            place = f"{where}/then/{number}/p"
            yield finding("GMN209", words, pointer=place, variable=of, got=outcome.p)
            return
    total = sum(outcome.p for outcome in rule.then)
    if abs(total - 1.0) <= repairs.ROUNDING * max(len(rule.then), 1):
        return
    near = abs(total - 1.0) <= repairs.SAFE_BAND and total > 0
    wide = abs(total - 1.0) <= repairs.WIDE_BAND and total > 0
    scaled = [{"value": o.value, "p": o.p / total} for o in rule.then] if wide else []
    make = safe if near else suggested
    fix: Fix | None = make("scale them to sum 1", put(f"{where}/then", scaled)) if wide else None
    # 210 is the warning within reach of a repair; beyond it the rule is plainly wrong.
    code = "GMN210" if near and total < 1 else "GMN201"
    words = f"the outcomes of a rule of {of} sum to {total:.6g}"
    yield finding(
        code, words, pointer=f"{where}/then", variable=of, got=f"{total:.6g}", expected=1, fix=fix
    )


@check("GMN211")
def tiny_probabilities_are_told(subject: Subject) -> Iterator[Diagnostic]:
    """The engine clips logarithms, so a probability this small acts like the clip."""
    for pointer, conditional, rows in _written(subject):
        tiny = np.argwhere((rows > 0) & (rows < 1e-6))
        if len(tiny):
            row, column = (int(i) for i in tiny[0])
            words = (
                f"{_said(subject, pointer, conditional, row)} has {len(tiny)} probabilities below"
                f" 1e-6, such as {rows[row, column]:.3g}; logarithms are clipped there"
            )
            where = f"{pointer}/table/rows/{row}/{column}"
            yield finding("GMN211", words, pointer=where, variable=conditional.of)


@check("GMN215")
def every_rule_is_used(subject: Subject) -> Iterator[Diagnostic]:
    """A rule that never applies is dropped."""
    for pointer, conditional in subject.tables:
        given = subject.given(conditional)
        if conditional.table.kind != "rules" or given is None or not subject.fits(conditional):
            continue
        try:
            assignment = assign(conditional.table, subject.variables[conditional.of], given)
        except TableError:
            continue  # labels_are_known and references_are_defined say what is wrong
        yield from _unused(pointer, conditional, assignment.unused(len(conditional.table.rules)))


def _unused(pointer: str, conditional: Conditional, rules: Sequence[int]) -> Iterator[Diagnostic]:
    for number in rules:
        where = f"{pointer}/table/rules/{number}"
        words = f"rule {number + 1} of {conditional.of} never applies: rules above it take all"
        fix = safe("drop the rule", drop(where))
        yield finding("GMN215", words, pointer=where, variable=conditional.of, fix=fix)
