"""Edits that remove a finding, made of the repairs that the finding names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonpatch
from pydantic import ValidationError

from orchestrator.gmn.formats.extents import end_of, pieces
from orchestrator.gmn.formats.write import word_of
from orchestrator.gmn.model import GMNSpec
from orchestrator.server.lsp.analysis import NotPossibleError
from orchestrator.server.lsp.findings import Marked, marked
from orchestrator.server.lsp.formatting import edits_to, formatted, says
from orchestrator.server.lsp.positions import Edit, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.formats.candidates import Span
    from orchestrator.server.lsp.analysis import Analysis
    from orchestrator.types.diagnostics import Diagnostic, PatchOperation


#: Findings whose fixes are worked out for one request: each is checked by reading its result.
MOST = 30


class QuickFix(NamedTuple):
    """A change of a text that removes a finding.

    Attributes:
        is_safe: whether `validate` makes it unasked, so that nobody has to think about it.
    """

    title: str
    found: Marked
    edits: Sequence[Edit]
    is_safe: bool


def quick_fixes(analysis: Analysis, span: Span) -> list[QuickFix]:
    """What removes the findings that touch a part of the text; the safe ones first."""
    if analysis.is_too_large:
        return []
    report = analysis.as_written().report
    near = [
        one
        for one in marked(
            analysis.text, analysis.as_written(), (*report.repairs, *report.diagnostics)
        )
        if one.span.start <= span.end and span.start <= one.span.end
    ]
    found = [fix for one in near[:MOST] if (fix := _fix(analysis, one)) is not None]
    return sorted(found, key=lambda fix: not fix.is_safe)


def fix_all(analysis: Analysis) -> Sequence[Edit]:
    """The edits of every safe repair together; none where there is nothing to repair."""
    before, after = analysis.as_written().spec, analysis.checked().verdict.spec
    if before is None or after is None or before == after:
        return ()
    return edits_to(analysis, after) or ()


def _fix(analysis: Analysis, found: Marked) -> QuickFix | None:
    one = found.diagnostic
    if one.fix is not None:
        edits = _patched(analysis, one.fix.patch)
        return (
            QuickFix(one.fix.description, found, edits, one.fix.kind == "safe") if edits else None
        )
    if one not in analysis.as_written().report.repairs:
        return None
    if edits := _as_read(analysis, one):
        title = f"write {one.expected!r}" if one.expected else f"remove {one.got!r}"
        return QuickFix(title, found, edits, True)
    try:
        edits = formatted(analysis)
    except NotPossibleError:
        return None
    return QuickFix("write the document as it is read", found, edits, False) if edits else None


def _as_read(analysis: Analysis, one: Diagnostic) -> list[Edit]:
    """What a reader read over or read differently, written as it was read."""
    body = analysis.body
    if one.place is None or one.code not in ("GMN002", "GMN006", "GMN007"):
        return []
    at = analysis.text.at(one.place.line, one.place.column)
    if one.code == "GMN002":
        closing = [d.expected for d in analysis.as_written().report.repairs if d.code == one.code]
        end = len(body.rstrip())
        return [Edit(end, end, "".join(f"\n{mark}" for mark in closing))]
    end = end_of(body, at)
    return [Edit(at, end, one.expected) if one.expected else _removal(body, at, end)]


def _removal(body: str, at: int, end: int) -> Edit:
    """A property whose key is there is taken out, with the blanks before it or its whole line."""
    end = _property_end(body, end)
    start = len(body[:at].rstrip(" \t"))
    if start and body[start - 1] != "\n":
        return Edit(start, end, "")
    return Edit(start, end + 1, "") if body[end : end + 1] == "\n" else Edit(at, end, "")


def _property_end(body: str, end: int) -> int:
    """After the value of a property whose key ends at `end`, and after what separates it."""
    is_value = False
    for piece in pieces(body, end):
        raw = piece.group().strip()
        if piece.lastgroup == "mark" and raw == ":" and not is_value:
            is_value = True
        elif piece.lastgroup == "mark" and raw in ",;":
            return piece.start() + 1
        elif is_value and piece.lastgroup != "blank":
            end, is_value = end_of(body, piece.start()), False
        elif piece.lastgroup == "blank" and not raw:
            continue
        elif piece.start() >= end:
            break
    return end


def _patched(analysis: Analysis, patch: Sequence[PatchOperation]) -> Sequence[Edit]:
    spec = analysis.as_written().spec
    if spec is None:
        return ()
    try:
        tree: Any = jsonpatch.apply_patch(spec.to_json(), list(patch))
        new = GMNSpec.model_validate(tree)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, ValidationError):
        return ()
    direct = list(_values(analysis, patch))
    is_whole = len(direct) == len(patch)
    if is_whole and says(replaced(analysis.body, direct), new):
        return direct
    return edits_to(analysis, new) or ()


def _values(analysis: Analysis, patch: Sequence[PatchOperation]) -> Iterator[Edit]:
    """Single values replaced where they stand."""
    reading = analysis.reading()
    is_text = reading.spelling == "text"
    for operation in patch:
        offset = reading.places.offsets.get(str(operation["path"]))
        if operation["op"] == "replace" and offset is not None:
            value = operation["value"]
            written = _written(value) if is_text else json.dumps(value)
            if written:
                yield Edit(offset, end_of(analysis.body, offset), written)


def _written(value: object) -> str:
    """A value in block text; empty for what is written in more than one way."""
    if isinstance(value, list):
        items = [_written(item) for item in value]
        return f"[{', '.join(items)}]" if all(items) else ""
    if isinstance(value, str):
        return word_of(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value) if isinstance(value, int | float) else ""
