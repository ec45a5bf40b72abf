"""The language server over a WebSocket: one JSON-RPC message in each text frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from orchestrator.server.lsp.connection import converse
from orchestrator.server.lsp.editor import Editor
from orchestrator.server.routes_llm import service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

router = APIRouter()

#: The protocol that a client may name beside its key.
SUBPROTOCOL = "lsp"
_NOT_TEXT, _TOO_LARGE, _NORMAL = 1003, 1009, 1000
#: The documents of a client together, as many times as large as one message may be.
_DOCUMENTS = 4


@router.websocket("/api/lsp")
async def lsp(socket: WebSocket) -> None:
    """Serve one editor; what it has open is known to this connection alone."""
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    editor = Editor(service(socket).settings.body_kb * 1024 * _DOCUMENTS)
    code = _NORMAL

    async def incoming() -> AsyncIterator[str]:
        nonlocal code
        while (message := await socket.receive())["type"] == "websocket.receive":
            if (text := message.get("text")) is None:
                code = _NOT_TEXT
                return
            yield text

    async def send(message: bytes) -> None:
        await socket.send_text(message.decode())

    try:
        await converse(editor, incoming(), send)
        await socket.close(_TOO_LARGE if editor.is_too_large else code)
    except (WebSocketDisconnect, TimeoutError, RuntimeError):
        pass  # the client is gone, or takes nothing
