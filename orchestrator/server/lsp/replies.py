"""From what is found out about a text to the types of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from orchestrator.gmn.formats.candidates import Span
from orchestrator.server.lsp.positions import Caret
from orchestrator.types.diagnostics import Severity
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestrator.server.lsp.completion import Kind, Suggestions
    from orchestrator.server.lsp.findings import Marked
    from orchestrator.server.lsp.positions import Edit, Text
    from orchestrator.server.lsp.quick_fixes import QuickFix

SOURCE = "orchestrator"
_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
}
#: Codes about what is there and does nothing, which editors show dimmed.
_IDLE = frozenset({"GMN117", "GMN215", "GMN219", "GMN406", "GMN509"})

_KINDS: dict[Kind, types.CompletionItemKind] = {
    "keyword": types.CompletionItemKind.Keyword, "property": types.CompletionItemKind.Property,
    "variable": types.CompletionItemKind.Variable, "value": types.CompletionItemKind.Value,
    "label": types.CompletionItemKind.EnumMember, "name": types.CompletionItemKind.Class,
}  # fmt: skip


def caret(position: types.Position) -> Caret:
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


def edits(text: Text, made: Iterable[Edit]) -> list[types.TextEdit]:
    """Edits with the line ends of the document."""
    return [
        types.TextEdit(
            range_of(text, Span(one.start, one.end)), one.text.replace("\n", text.newline)
        )
        for one in made
    ]


def change(uri: str, text: Text, version: int, made: Iterable[Edit]) -> types.WorkspaceEdit:
    """Edits of one version of a document."""
    shown = types.OptionalVersionedTextDocumentIdentifier(uri, version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(shown, edits(text, made))])


def actions(
    params: types.CodeActionParams, text: Text, version: int, fixes: Sequence[QuickFix]
) -> Iterator[types.CodeAction]:
    """Quick fixes, each with the diagnostics of the client that it removes."""
    uri = params.text_document.uri
    for fix in fixes:
        place, code = range_of(text, fix.found.span), fix.found.diagnostic.code
        about = [d for d in params.context.diagnostics if d.code == code and d.range == place]
        yield types.CodeAction(
            f"{code}: {visible(fix.title)}", types.CodeActionKind.QuickFix, diagnostics=about,
            is_preferred=fix.is_safe, edit=change(uri, text, version, fix.edits),
        )  # fmt: skip


def fix_all(
    params: types.CodeActionParams, text: Text, version: int, made: Sequence[Edit]
) -> Iterator[types.CodeAction]:
    """Every safe repair in one action; none where nothing is to be repaired."""
    if made:
        yield types.CodeAction(
            "Apply every safe repair", types.CodeActionKind.SourceFixAll,
            edit=change(params.text_document.uri, text, version, made),
        )  # fmt: skip


def completions(text: Text, found: Suggestions) -> types.CompletionList:
    """Suggestions in their order, each in place of the word that stands there."""
    place = range_of(text, found.word)
    return types.CompletionList(
        is_incomplete=False,
        items=[
            types.CompletionItem(
                visible(one.shown), kind=_KINDS[one.kind], detail=visible(one.meaning) or None,
                sort_text=f"{number:04}", filter_text=one.text,
                text_edit=types.TextEdit(place, one.text),
            )
            for number, one in enumerate(found.items)
        ],
    )  # fmt: skip
