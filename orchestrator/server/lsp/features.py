"""What a client may ask about its documents: each request answered from the text as it is."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified, JsonRpcException, JsonRpcInvalidParams

from orchestrator.gmn.formats.candidates import Span
from orchestrator.server.lsp import replies
from orchestrator.server.lsp.completion import complete
from orchestrator.server.lsp.formatting import formatted
from orchestrator.server.lsp.hints import hints
from orchestrator.server.lsp.hover import explain_at
from orchestrator.server.lsp.lenses import claims
from orchestrator.server.lsp.quick_fixes import fix_all, quick_fixes
from orchestrator.server.lsp.rename import mentions_of, rename, renamed_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.server.lsp.editor import Editor, OpenDocument

_TRIGGERS = [" ", "{", "[", ":", ","]


class Answers:
    """The requests of a client, by the method of the protocol."""

    def __init__(self, editor: Editor) -> None:
        """Offer every one of them to the client of an editor."""
        self._editor = editor
        actions = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]
        offered: tuple[tuple[str, Any, Any], ...] = (
            (types.TEXT_DOCUMENT_COMPLETION, self.completion,
             types.CompletionOptions(trigger_characters=_TRIGGERS)),
            (types.TEXT_DOCUMENT_HOVER, self.hover, None),
            (types.TEXT_DOCUMENT_FORMATTING, self.formatting, None),
            (types.TEXT_DOCUMENT_CODE_ACTION, self.code_action,
             types.CodeActionOptions(code_action_kinds=actions)),
            (types.TEXT_DOCUMENT_PREPARE_RENAME, self.prepare_rename, None),
            (types.TEXT_DOCUMENT_RENAME, self.rename, types.RenameOptions(prepare_provider=True)),
            (types.TEXT_DOCUMENT_REFERENCES, self.references, None),
            (types.TEXT_DOCUMENT_DEFINITION, self.definition, None),
            (types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, self.highlight, None),
            (types.TEXT_DOCUMENT_INLAY_HINT, self.inlay_hint, None),
            (types.TEXT_DOCUMENT_CODE_LENS, self.code_lens,
             types.CodeLensOptions(resolve_provider=True)),
            (types.CODE_LENS_RESOLVE, self.measured, None),
        )  # fmt: skip
        for method, answer, options in offered:
            # pygls writes on what it is given, which a bound method does not allow.
            editor.feature(method, options)(functools.partial(answer))

    def _open(self, document: types.TextDocumentIdentifier) -> OpenDocument:
        found = self._editor.documents.get(document.uri)
        if found is None:
            raise JsonRpcException(
                f"{document.uri} is not open", code=types.LSPErrorCodes.RequestFailed
            )
        return found

    async def completion(self, params: types.CompletionParams) -> types.CompletionList:
        """Keywords, properties, variables and labels that fit."""
        one = self._open(params.text_document)
        offset = one.text.offset(replies.caret(params.position))
        found = await self._editor.answer(complete, one.analysis, offset)
        return replies.completions(one.text, found)

    async def hover(self, params: types.HoverParams) -> types.Hover | None:
        """The meaning of what stands there."""
        one = self._open(params.text_document)
        offset = one.text.offset(replies.caret(params.position))
        found = await self._editor.answer(explain_at, one.analysis, offset)
        if found is None:
            return None
        words = types.MarkupContent(types.MarkupKind.Markdown, found.words)
        return types.Hover(words, replies.range_of(one.text, found.span))

    async def formatting(self, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        """The document in its canonical form."""
        one = self._open(params.text_document)
        found = await self._editor.answer(formatted, one.analysis)
        return replies.edits(one.text, found)

    async def code_action(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """The repairs of what is found in a part of the text."""
        one = self._open(params.text_document)
        wanted = params.context.only or ["quickfix", "source.fixAll"]
        made: list[types.CodeAction] = []
        if any("quickfix".startswith(kind) for kind in map(_name, wanted)):
            span = _span(one, params.range)
            fixes = await self._editor.answer(quick_fixes, one.analysis, span)
            made += replies.actions(params, one.text, one.version, fixes)
        if any("source.fixAll".startswith(kind) for kind in map(_name, wanted)):
            edits = await self._editor.answer(fix_all, one.analysis)
            made += replies.fix_all(params, one.text, one.version, edits)
        return made

    async def prepare_rename(
        self, params: types.PrepareRenameParams
    ) -> types.PrepareRenamePlaceholder:
        """The name that can be changed there."""
        one = self._open(params.text_document)
        offset = one.text.offset(replies.caret(params.position))
        found = await self._editor.answer(renamed_at, one.analysis, offset)
        span = replies.range_of(one.text, found.span)
        return types.PrepareRenamePlaceholder(span, found.label or found.variable)

    async def rename(self, params: types.RenameParams) -> types.WorkspaceEdit:
        """A variable or a label by another name, everywhere."""
        one = self._open(params.text_document)
        offset = one.text.offset(replies.caret(params.position))
        found = await self._editor.answer(rename, one.analysis, offset, params.new_name)
        return replies.change(params.text_document.uri, one.text, one.version, found)

    async def references(self, params: types.ReferenceParams) -> list[types.Location]:
        """Where a variable or a label is named."""
        is_wanted = params.context.include_declaration
        found = await self._mentions(params)
        return [place for place, is_declared in found if is_wanted or not is_declared]

    async def definition(self, params: types.DefinitionParams) -> list[types.Location]:
        """Where it is declared."""
        return [place for place, is_declared in await self._mentions(params) if is_declared]

    async def highlight(
        self, params: types.DocumentHighlightParams
    ) -> list[types.DocumentHighlight]:
        """Where it is named, for a client that marks the places."""
        return [types.DocumentHighlight(one.range) for one, _ in await self._mentions(params)]

    async def _mentions(
        self, params: types.ReferenceParams | types.DefinitionParams | types.DocumentHighlightParams
    ) -> Sequence[tuple[types.Location, bool]]:
        one = self._open(params.text_document)
        offset = one.text.offset(replies.caret(params.position))
        found = await self._editor.answer(mentions_of, one.analysis, offset)
        uri = params.text_document.uri
        return [
            (types.Location(uri, replies.range_of(one.text, m.span)), m.is_declaration)
            for m in found
        ]

    async def inlay_hint(self, params: types.InlayHintParams) -> list[types.InlayHint]:
        """Sizes and sums."""
        one = self._open(params.text_document)
        found = await self._editor.answer(hints, one.analysis, _span(one, params.range))
        return [
            types.InlayHint(types.Position(*one.text.place(h.at)), h.words, padding_left=True)
            for h in found
        ]

    async def code_lens(self, params: types.CodeLensParams) -> list[types.CodeLens]:
        """A lens above each expectation; what it says is asked for by `measured`."""
        one = self._open(params.text_document)
        found = await self._editor.answer(claims, one.analysis)
        uri = params.text_document.uri
        return [
            types.CodeLens(
                replies.range_of(one.text, claim.span),
                data={"uri": uri, "version": one.version, "number": number},
            )
            for number, claim in enumerate(found)
        ]

    async def measured(self, lens: types.CodeLens) -> types.CodeLens:
        """How often the expectation holds.

        Raises: JsonRpcContentModified: the text is another one since the lens was made.
        """
        data = lens.data if isinstance(lens.data, dict) else {}
        one = self._editor.documents.get(str(data.get("uri")))
        if one is None or one.version != data.get("version"):
            raise JsonRpcContentModified
        try:
            said = await asyncio.shield(self._editor.measure(str(data["uri"])))
        except asyncio.CancelledError:
            if self._editor.documents.get(str(data["uri"])) is one:
                raise
            raise JsonRpcContentModified from None
        number = data.get("number")
        if not isinstance(number, int) or not 0 <= number < len(said):
            raise JsonRpcInvalidParams("there is no such lens")
        lens.command = types.Command(said[number], "")
        return lens


def _name(kind: object) -> str:
    return str(getattr(kind, "value", kind))


def _span(document: OpenDocument, part: types.Range) -> Span:
    text = document.text
    return Span(text.offset(replies.caret(part.start)), text.offset(replies.caret(part.end)))
