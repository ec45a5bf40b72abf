"""Clients of the language server: over a WebSocket in plain JSON, and that of pygls."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import queue
import sys
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from websockets.sync.client import ClientConnection, connect

T = TypeVar("T")

INITIALIZE: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}
URI = "file:///model.gmn"


class Socket:
    """One editor at the other end of ``/api/lsp``."""

    def __init__(self, port: int, **options: Any) -> None:
        self._open = contextlib.ExitStack()
        socket = connect(f"ws://127.0.0.1:{port}/api/lsp", **options)
        self.wire: ClientConnection = self._open.enter_context(socket)
        self._asked = 0
        self.heard: list[dict[str, Any]] = []

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def say(self, method: str, params: Mapping[str, Any]) -> None:
        self.wire.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}))

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The response to a request."""
        self._asked += 1
        said = {"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params}
        self.wire.send(json.dumps(said))
        return self.until(lambda one: one.get("id") == self._asked and "method" not in one)

    def until(self, is_it: Any) -> dict[str, Any]:
        """The first message from now on that is so; those before it are kept in `heard`."""
        while True:
            one: dict[str, Any] = json.loads(self.wire.recv(timeout=60))
            if is_it(one):
                return one
            self.heard.append(one)

    def begin(self) -> dict[str, Any]:
        """Say what a client says first; the capabilities of the server."""
        found = self.ask("initialize", INITIALIZE)
        self.say("initialized", {})
        said: dict[str, Any] = found["result"]["capabilities"]
        return said

    def open(self, text: str, uri: str = URI, version: int = 1) -> list[dict[str, Any]]:
        """Open a document; its diagnostics."""
        item = {"uri": uri, "languageId": "gmn", "version": version, "text": text}
        self.say("textDocument/didOpen", {"textDocument": item})
        return self.found(uri, version)

    def found(self, uri: str = URI, version: int = 1) -> list[dict[str, Any]]:
        """The diagnostics of a version of a document."""
        said = self.until(
            lambda one: (
                one.get("method") == "textDocument/publishDiagnostics"
                and one["params"]["uri"] == uri
                and one["params"].get("version") == version
            )
        )
        diagnostics: list[dict[str, Any]] = said["params"]["diagnostics"]
        return diagnostics


class Started:
    """`orchestrator lsp` as a process, with the client of pygls at its other end."""

    def __init__(self, *, encodings: list[str] | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._published: queue.SimpleQueue[types.PublishDiagnosticsParams] = queue.SimpleQueue()
        self.client = LanguageClient("tests", "1")
        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(functools.partial(self._hear))
        self.version = 0
        general = types.GeneralClientCapabilities(
            position_encodings=[types.PositionEncodingKind(one) for one in encodings or ["utf-16"]]
        )
        self._run(self.client.start_io(sys.executable, "-m", "orchestrator", "lsp", "--stdio"))
        capabilities = types.ClientCapabilities(general=general)
        self.can = self.ask("initialize", types.InitializeParams(capabilities)).capabilities
        self.say("initialized", types.InitializedParams())

    def _hear(self, params: types.PublishDiagnosticsParams) -> None:
        self._published.put(params)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def ask(self, method: str, params: Any = None) -> Any:
        """The result of a request.

        Raises: JsonRpcException: as the server says.
        """

        async def asked() -> Any:
            return await self.client.protocol.send_request_async(method, params)

        return self._run(asked())

    def begin(self, method: str, params: Any = None, name: str | None = None) -> Future[Any]:
        """A request that is under way; `name` is its id."""

        async def asked() -> Any:
            return await self.client.protocol.send_request_async(method, params, msg_id=name)

        return asyncio.run_coroutine_threadsafe(asked(), self._loop)

    def say(self, method: str, params: Any = None) -> None:
        async def said() -> None:
            self.client.protocol.notify(method, params)

        self._run(said())

    def open(self, text: str, uri: str = URI) -> list[types.Diagnostic]:
        """Show a document in place of what was shown; its diagnostics."""
        self.version += 1
        item = types.TextDocumentItem(uri, "gmn", self.version, text)
        self.say("textDocument/didOpen", types.DidOpenTextDocumentParams(item))
        return self.found(uri)

    def change(self, *changes: Any, uri: str = URI) -> None:
        """Replace parts of a document."""
        self.version += 1
        shown = types.VersionedTextDocumentIdentifier(self.version, uri)
        self.say("textDocument/didChange", types.DidChangeTextDocumentParams(shown, [*changes]))

    def found(self, uri: str = URI) -> list[types.Diagnostic]:
        """The diagnostics of the newest version."""
        while True:
            said = self._published.get(timeout=60)
            if said.uri == uri and said.version == self.version:
                return [*said.diagnostics]

    def end(self) -> int:
        """Ask the server to end; its exit code."""
        self.ask("shutdown")
        self.say("exit")
        assert self.client._server is not None
        code = self._run(self.client._server.wait())
        self._run(self.client.stop())  # type: ignore[no-untyped-call]  # pygls does not say
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        return code


def edited(text: str, edits: Sequence[types.TextEdit]) -> str:
    """The text after edits of the protocol, as a client applies them, positions in UTF-16."""
    units = text.encode("utf-16-le")
    lines = [0, *(i + 2 for i in range(0, len(units), 2) if units[i : i + 2] == b"\n\0")]

    def at(place: types.Position) -> int:
        return lines[place.line] + 2 * place.character

    for one in sorted(edits, key=lambda e: at(e.range.start), reverse=True):
        start, end = at(one.range.start), at(one.range.end)
        units = units[:start] + one.new_text.encode("utf-16-le") + units[end:]
    return units.decode("utf-16-le")


def place_of(text: str, sign: str = "|") -> tuple[str, types.Position]:
    """A text without the sign in it, and where the sign stood, in UTF-16."""
    before, after = text.split(sign)
    line = before.rpartition("\n")[2]
    place = types.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)
    return before + after, place
