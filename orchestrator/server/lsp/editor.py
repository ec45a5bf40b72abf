"""The server of one client: its open documents, and what is worked out about them."""

from __future__ import annotations

import asyncio
import functools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from orchestrator import __version__
from orchestrator.server.lsp import replies
from orchestrator.server.lsp.analysis import Analysis, NotPossibleError
from orchestrator.server.lsp.features import Answers
from orchestrator.server.lsp.lenses import measured
from orchestrator.server.lsp.positions import Text
from orchestrator.server.lsp.protocol import Protocol
from orchestrator.types.visible import logger_of
from orchestrator.types.work import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.server.lsp.positions import Encoding

P = ParamSpec("P")
T = TypeVar("T")

_log = logger_of(__name__)
#: Typing pauses so long before a document is judged.
PAUSE_S = 0.15
_ENCODINGS: dict[str, Encoding] = {"utf-8": "utf-8", "utf-32": "utf-32"}
#: Making one takes as long as judging a document, and it holds nothing of a client.
_converter = functools.cache(default_converter)


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A text with the number that the client gave it."""

    analysis: Analysis
    version: int

    @property
    def text(self) -> Text:
        """The text itself."""
        return self.analysis.text


class Editor(LanguageServer):
    """What one client has open.

    Attributes:
        has_ended: set when the client asks the server to end, or has too much open.
        is_too_large: whether it has.
    """

    protocol: Protocol

    def __init__(self, most_characters: int | None = None) -> None:
        """`most_characters` bounds the open documents together; None where the client is the
        user's own editor."""
        super().__init__(
            "orchestrator", __version__, protocol_cls=Protocol, converter_factory=_converter
        )
        # It would log what clients send, each of their mistakes with a traceback.
        logging.getLogger("pygls").setLevel(logging.CRITICAL)
        self.documents: dict[str, OpenDocument] = {}
        self.has_ended = asyncio.Event()
        self.is_too_large = False
        self._most = most_characters
        self._checking: dict[str, asyncio.Task[None]] = {}
        self._measuring: dict[str, asyncio.Task[list[str]]] = {}
        self._answering: set[asyncio.Task[object]] = set()
        Answers(self)

    @property
    def is_initialized(self) -> bool:
        """Whether the client has said what it can do."""
        return hasattr(self.protocol, "server_capabilities")

    @property
    def pending(self) -> int:
        """Requests that are worked on."""
        return len(self._answering)

    @property
    def encoding(self) -> Encoding:
        """The code units that the client counts."""
        chosen = self.protocol.server_capabilities.position_encoding
        return _ENCODINGS.get(str(getattr(chosen, "value", chosen)), "utf-16")

    def report_server_error(self, error: Exception, source: object) -> None:
        """Log a fault; pygls would open a window over the client's text."""
        del source
        if not isinstance(error, JsonRpcException):
            _log.error("a message could not be handled", exc_info=error)

    async def answer(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` gives, in a thread; it stops when the request is cancelled.

        Raises: JsonRpcException: it cannot be done, or there is a fault here.
        """
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            return await judge(work, *args, **kwargs)
        except NotPossibleError as error:
            raise JsonRpcException(str(error), code=types.LSPErrorCodes.RequestFailed) from None
        except Exception:  # noqa: BLE001  it is said as the answer
            _log.exception("a request failed")
            words = "an internal fault; the log of the server has more"
            raise JsonRpcInternalError(words) from None
        finally:
            self._answering.discard(task)

    def opened(self, shown: types.TextDocumentItem) -> None:
        """A document is shown from now on."""
        text = Text.of(shown.text, self.encoding)
        self._keep(shown.uri, OpenDocument(Analysis(text), shown.version), 0)

    def changed(self, change: types.DidChangeTextDocumentParams) -> None:
        """Apply the changes of a document in their order."""
        uri = change.text_document.uri
        if (known := self.documents.get(uri)) is None:
            _log.debug("a change of a document that is not open")
            return
        text = known.text
        for one in change.content_changes:
            if isinstance(one, types.TextDocumentContentChangePartial):
                start, end = replies.caret(one.range.start), replies.caret(one.range.end)
                text = text.changed(start, end, one.text)
            else:
                text = Text.of(one.text, self.encoding)
        self._keep(uri, OpenDocument(Analysis(text), change.text_document.version), PAUSE_S)

    def closed(self, uri: str) -> None:
        """A document is not shown any more, nor what was found in it."""
        self.documents.pop(uri, None)
        self._forget(uri)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def leave(self) -> None:
        """Stop all work."""
        for task in (*self._checking.values(), *self._measuring.values(), *self._answering):
            task.cancel()

    def measure(self, uri: str) -> asyncio.Task[list[str]]:
        """How often the expectations of an open document hold; worked out once for each text."""
        if uri not in self._measuring:
            work = self.answer(measured, self.documents[uri].analysis)
            self._measuring[uri] = asyncio.create_task(work)
        return self._measuring[uri]

    def _forget(self, uri: str) -> None:
        """Stop what is worked out about a text that is another one now."""
        for tasks in (self._checking, self._measuring):
            if (task := tasks.pop(uri, None)) is not None:
                task.cancel()

    def _keep(self, uri: str, document: OpenDocument, pause_s: float) -> None:
        self.documents[uri] = document
        if self._most is not None:
            size = sum(len(one.text.whole) for one in self.documents.values())
            if size > self._most:
                self.is_too_large = True
                self.has_ended.set()
                return
        self._forget(uri)
        self._checking[uri] = asyncio.create_task(self._check(uri, document, pause_s))

    async def _check(self, uri: str, document: OpenDocument, pause_s: float) -> None:
        """Say what is found in a document, unless it is changed meanwhile."""
        await asyncio.sleep(pause_s)
        try:
            checked = await judge(document.analysis.checked)
        except Exception:  # noqa: BLE001  whatever it is, the editor goes on
            _log.exception("%s could not be judged", uri)
            return
        found = [replies.diagnostic(document.text, one) for one in checked.found]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri, found, version=document.version)
        )
