"""A conversation with one client: its messages in, answers out, and an end."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)

from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from orchestrator.server.lsp.editor import Editor

_log = logger_of(__name__)
#: So many requests are worked on, and messages not yet sent; further messages wait unread.
MOST_WAITING = 64
#: An end waits so long for what is still to be sent.
_LAST_WORDS_S = 2.0


class _Outbox:
    """The writer of pygls: keeps messages for the task that sends them."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self.has_sent = asyncio.Event()

    def write(self, message: bytes) -> None:
        self.waiting.put_nowait(message)

    def close(self) -> None:
        """Nothing is held open."""


async def converse(
    editor: Editor, incoming: AsyncIterator[str], send: Callable[[bytes], Awaitable[None]]
) -> None:
    """Serve a client until it leaves, asks the server to end, or has too much open."""
    outbox = _Outbox()
    editor.protocol.set_writer(outbox, include_headers=False)
    reading = asyncio.create_task(_read(editor, outbox, incoming))
    sending = asyncio.create_task(_send(outbox, send))
    ending = asyncio.create_task(editor.has_ended.wait())
    tasks: list[asyncio.Task[Any]] = [reading, sending, ending]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        tasks.append(asyncio.create_task(outbox.waiting.join()))
        await asyncio.wait(
            (sending, tasks[-1]), timeout=_LAST_WORDS_S, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        editor.leave()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _send(outbox: _Outbox, send: Callable[[bytes], Awaitable[None]]) -> None:
    while True:
        message = await outbox.waiting.get()
        await send(message)
        outbox.waiting.task_done()
        outbox.has_sent.set()


async def _read(editor: Editor, outbox: _Outbox, incoming: AsyncIterator[str]) -> None:
    async for text in incoming:
        _handle(editor, outbox, text)
        # What was asked begins before the next message can change the text that it is about.
        await asyncio.sleep(0)
        while editor.pending + outbox.waiting.qsize() > MOST_WAITING:
            outbox.has_sent.clear()
            await outbox.has_sent.wait()


def _handle(editor: Editor, outbox: _Outbox, text: str) -> None:
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        _refuse(outbox, None, JsonRpcParseError("the message is not JSON"))
        return
    try:
        _check_order(editor, message)
        editor.protocol.handle_message(editor.protocol.structure_message(message))
    except JsonRpcException as error:
        _refuse(outbox, message, error)
    except Exception as error:  # noqa: BLE001  pygls trusts the types of ids and parameters
        _refuse(outbox, message, JsonRpcInvalidParams(f"not understood: {type(error).__name__}"))


def _refuse(outbox: _Outbox, message: Any, error: JsonRpcException) -> None:
    """Say what is wrong with a message, unless it is a notification."""
    _log.debug("a message is refused: %s", error)  # its sender is answered, and may be a stranger
    said = message.get("id") if isinstance(message, dict) else None
    if said is not None or not isinstance(message, dict) or "method" not in message:
        reply = {"code": error.code, "message": error.message}
        message_id = said if isinstance(said, str | int) else None
        answer = {"jsonrpc": "2.0", "id": message_id, "error": reply}
        outbox.write(json.dumps(answer).encode())


def _check_order(editor: Editor, message: Any) -> None:
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise JsonRpcInvalidRequest("the message is not of JSON-RPC 2.0")
    method = message.get("method")
    if method == types.INITIALIZE and editor.is_initialized:
        raise JsonRpcInvalidRequest("the server is initialized already")
    if method not in (types.INITIALIZE, types.EXIT) and not editor.is_initialized:
        raise JsonRpcServerNotInitialized("the first message is initialize")
