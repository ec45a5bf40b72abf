"""From what is found out about a text to the types of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from orchestrator.server.lsp.positions import Caret
from orchestrator.types.diagnostics import Severity
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from orchestrator.gmn.formats.candidates import Span
    from orchestrator.server.lsp.findings import Marked
    from orchestrator.server.lsp.positions import Text

SOURCE = "orchestrator"
_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
}
#: Codes about what is there and does nothing, which editors show dimmed.
_IDLE = frozenset({"GMN117", "GMN215", "GMN219", "GMN406", "GMN509"})


def place(position: types.Position) -> Caret:
    """A position of the protocol."""
    return Caret(position.line, position.character)


def range_of(text: Text, span: Span) -> types.Range:
    """A part of a text as the client counts it."""
    start, end = text.place(span.start), text.place(span.end)
    return types.Range(types.Position(*start), types.Position(*end))


def diagnostic(text: Text, found: Marked) -> types.Diagnostic:
    """A finding. An error that is repaired keeps nothing from running, so it is a warning."""
    one = found.diagnostic
    is_milder = found.is_repaired and one.severity is Severity.ERROR
    return types.Diagnostic(
        range_of(text, found.span),
        visible(found.message, lines=True),
        severity=_SEVERITIES[Severity.WARNING if is_milder else one.severity],
        code=one.code,
        source=SOURCE,
        tags=[types.DiagnosticTag.Unnecessary] if one.code in _IDLE else None,
    )
