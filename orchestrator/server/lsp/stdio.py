"""The language server over standard input and output, as editors start it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from orchestrator.server.lsp.connection import converse
from orchestrator.server.lsp.editor import Editor
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")
_log = logger_of(__name__)
_STDIN, _STDOUT, _STDERR = 0, 1, 2
_PART = 65_536
_MOST_HEADER = 4096
MOST_MESSAGE = 64 * 1024 * 1024


class FramingError(ValueError):
    """What comes in is not the base protocol of LSP."""


class Frames:
    """Messages out of a stream of bytes, each behind its ``Content-Length``."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._length: int | None = None

    def feed(self, part: bytes) -> Iterator[str]:
        """The messages that are whole after this part.

        Raises: FramingError: a header says no length, or one beyond `MOST_MESSAGE`.
        """
        self._buffer += part
        while self._header() and self._length is not None and len(self._buffer) >= self._length:
            body = bytes(self._buffer[: self._length])
            del self._buffer[: self._length]
            self._length = None
            yield body.decode("utf-8", "replace")

    def _header(self) -> bool:
        """Whether the length of the next message is known."""
        if self._length is not None:
            return True
        end = self._buffer.find(b"\r\n\r\n")
        if end > _MOST_HEADER or (end < 0 and len(self._buffer) > _MOST_HEADER):
            raise FramingError(f"a header has more than {_MOST_HEADER} bytes")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).decode("latin-1")
        del self._buffer[: end + 4]
        said = {name.strip().lower(): value for name, _, value in map(_parts, head.split("\r\n"))}
        length = said.get("content-length", "").strip()
        if not length.isdecimal() or not length.isascii():
            raise FramingError(f"a message without its length: {head[:200]!r}")
        if int(length) > MOST_MESSAGE:
            raise FramingError(f"a message of {length} bytes, more than {MOST_MESSAGE}")
        self._length = int(length)
        return True


def _parts(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def serve() -> int:
    """Serve the client at the other end until it ends the server, or leaves.

    Returns: the exit code that the protocol asks for: 0 after a request to shut down, or where the
        client is gone; else 1.
    """
    # What a library prints while a document is judged would not be of the protocol.
    out = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    try:
        return asyncio.run(_serve(_STDIN, out))
    finally:
        os.dup2(out, _STDOUT)
        os.close(out)


async def _serve(stdin: int, stdout: int) -> int:
    editor = Editor()

    async def send(message: bytes) -> None:
        await _in_thread(_write, stdout, b"Content-Length: %d\r\n\r\n" % len(message) + message)

    try:
        await converse(editor, _incoming(stdin), send)
    except FramingError as error:
        _log.error("%s", error)
        return 1
    except BrokenPipeError:
        return 0
    return int(editor.has_ended.is_set() and not editor.protocol.is_shut_down)


async def _incoming(stdin: int) -> AsyncIterator[str]:
    frames = Frames()
    while part := await _in_thread(os.read, stdin, _PART):
        for message in frames.feed(part):
            yield message


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What blocking `work` gives. The end of the process does not wait for it, as it would for a
    thread of a pool: a read ends only when the client sends something."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: OSError | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("T", result))  # given where there is no error

    def run() -> None:
        result, failure = None, None
        try:
            result = work(*args, **kwargs)
        except OSError as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, daemon=True).start()
    return await done


def _write(stdout: int, message: bytes) -> None:
    left = memoryview(message)
    while left:
        left = left[os.write(stdout, left) :]
