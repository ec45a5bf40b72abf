"""Clients of the language server: over a WebSocket, in plain JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from websockets.sync.client import ClientConnection, connect

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
