"""pygls' protocol without its own store of texts and without its way to end the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.protocol import LanguageServerProtocol, lsp_method

if TYPE_CHECKING:
    from collections.abc import Generator

    from orchestrator.server.lsp.editor import Editor


class Protocol(LanguageServerProtocol):
    """Tells the server what is open.

    pygls' own store counts form feeds as line ends, and one of its handlers leaves the process.
    """

    _server: Editor

    @property
    def is_shut_down(self) -> bool:
        """Whether the client has asked for the end, as it does before it leaves."""
        return self._shutdown

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """A document was opened."""
        self._server.opened(params.text_document)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Parts of it were replaced."""
        self._server.changed(params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """It is not shown any more."""
        self._server.closed(params.text_document.uri)

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: object) -> Generator[Any, Any, None]:
        """The client wants the server to end."""
        self._server.has_ended.set()
        yield from ()
