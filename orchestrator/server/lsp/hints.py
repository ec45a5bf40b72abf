"""What a text leaves to be counted: how large its tables are, and what their rows sum to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.formats.extents import end_of
from orchestrator.server.lsp.hover import size_words, tables_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.formats.candidates import Span
    from orchestrator.server.lsp.analysis import Analysis

#: So many at once; an editor asks for the lines that it shows.
MOST = 500


class Hint(NamedTuple):
    """Words behind an offset of the text."""

    at: int
    words: str


def hints(analysis: Analysis, span: Span) -> list[Hint]:
    """The hints of a part of a text, in its order."""
    if analysis.is_too_large or analysis.reading().places.text != analysis.body:
        return []
    found = (one for part in (_sizes, _sums) for one in part(analysis))
    return sorted(one for one in found if span.start <= one.at <= span.end)[:MOST]


def _sizes(analysis: Analysis) -> Iterator[Hint]:
    body, names = analysis.body, analysis.names()
    for mention in names.mentions:
        variable = names.variables.get(mention.variable)
        is_node = mention.is_declaration and not mention.label
        if is_node and variable is not None and variable.n:
            yield Hint(mention.span.end, size_words(variable.n, variable.shape))
    for table in tables_in(analysis):
        yield Hint(end_of(body, table.at), table.shape)


def _sums(analysis: Analysis) -> Iterator[Hint]:
    """The sums of rows, and of the outcomes of rules."""
    reading = analysis.reading()
    for section in ("likelihoods", "transitions", "priors"):
        entries = (reading.tree or {}).get(section)
        for i, entry in enumerate(entries if isinstance(entries, list) else []):
            table = entry.get("table") if isinstance(entry, dict) else None
            if not isinstance(table, dict):
                continue
            for pointer, numbers in _rows(table, f"/{section}/{i}/table"):
                offset = reading.places.offsets.get(pointer)
                if offset is not None and (total := _total(numbers)) is not None:
                    yield Hint(end_of(analysis.body, offset), f"sum {total:.6g}")


def _rows(table: dict[str, object], at: str) -> Iterator[tuple[str, list[object]]]:
    rows = table.get("rows")
    for r, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, list):
            yield f"{at}/rows/{r}", row
    if isinstance(rows, list) and rows and not isinstance(rows[0], list):
        yield f"{at}/rows", rows
    rules = table.get("rules")
    for r, rule in enumerate(rules if isinstance(rules, list) else []):
        then = rule.get("then") if isinstance(rule, dict) else None
        if isinstance(then, list):
            shares = [one.get("p") if isinstance(one, dict) else None for one in then]
            yield f"{at}/rules/{r}/then", shares


def _total(numbers: list[object]) -> float | None:
    if not numbers or not all(isinstance(n, int | float) for n in numbers):
        return None
    total = math.fsum(float(n) for n in numbers if isinstance(n, int | float))
    return total if math.isfinite(total) else None
