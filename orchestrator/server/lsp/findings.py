"""What `validate` finds in a text, each finding with the part of the text that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.gmn.formats.candidates import Span
from orchestrator.gmn.formats.extents import end_of, word_end
from orchestrator.gmn.imports import KINDS
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.gmn.validate import Validation
    from orchestrator.server.lsp.positions import Text
    from orchestrator.types.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Marked:
    """One finding.

    Attributes:
        span: the part of the text that it is about; of the whole document its first line.
        is_repaired: whether a safe repair removes it, so that the document is read without it.
    """

    diagnostic: Diagnostic
    span: Span
    is_repaired: bool = False

    @property
    def message(self) -> str:
        """One sentence; of a repair also what was done."""
        said = self.diagnostic.message
        if not self.is_repaired:
            return said
        fix = self.diagnostic.fix
        return f"{said} (repaired{f': {fix.description}' if fix else ''})"


@dataclass(frozen=True, slots=True)
class CheckedText:
    """A text with the verdict on it.

    Attributes:
        found: every finding and every repair, in the order of the text.
    """

    verdict: Validation
    found: tuple[Marked, ...]


def check(text: Text) -> CheckedText:
    """Judge a text of any format that `validate` reads, as the command of that name does."""
    verdict = validate(text.body)
    found = [
        *marked(text, verdict, verdict.report.repairs, is_repaired=True),
        *marked(text, verdict, verdict.report.diagnostics),
    ]
    return CheckedText(verdict, tuple(sorted(found, key=lambda one: one.span)))


def marked(
    text: Text, verdict: Validation, found: Iterable[Diagnostic], *, is_repaired: bool = False
) -> Iterator[Marked]:
    """Findings of a verdict on a text, each with the part that it is about."""
    kind = KINDS.get(verdict.spelling)
    is_own = text.body.lstrip()[:1] in ("{", "[") or kind is None or not kind.module
    end = end_of if is_own else word_end
    for one in found:
        after = end(text.body, _offset(text, one)) if one.place else 0
        yield Marked(one, _span(text, one, after), is_repaired)


def _offset(text: Text, found: Diagnostic) -> int:
    assert found.place is not None
    return text.at(found.place.line, found.place.column)


def _span(text: Text, found: Diagnostic, end: int) -> Span:
    body = text.body
    if found.place is None:
        start = len(body) - len(body.lstrip())
        line = body.find("\n", start)
        return Span(start, len(body) if line < 0 else line)
    start = _offset(text, found)
    if end > start:
        return Span(start, end)
    before = body[:start].rstrip()  # at the end of a text: the last thing in it
    return Span(max(0, len(before) - 1), len(before)) if before else Span(0, 0)
