"""Rows as they come: from a thread that may wait for them, from an async iterator, or at once."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

T = TypeVar("T")
_AHEAD = 256


class RowSource(Protocol[T]):
    """Gives what comes next."""

    async def take(self, most: int) -> list[T]:
        """At least one and at most so many; none when there are no more."""


class InlineSource(Generic[T]):
    """Takes from an iterator that does not wait for anything."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items

    async def take(self, most: int) -> list[T]:
        """See `RowSource`."""
        return list(itertools.islice(self._items, most))


class AsyncSource(Generic[T]):
    """Takes from an async iterator what is there without waiting, after the first."""

    def __init__(self, items: AsyncIterator[T]) -> None:
        self._items = items
        self._next: asyncio.Task[T] | None = None

    async def take(self, most: int) -> list[T]:
        """See `RowSource`."""
        taken: list[T] = []
        while len(taken) < most:
            self._next = self._next or asyncio.ensure_future(self._step())
            await asyncio.sleep(0)
            if taken and not self._next.done():
                break
            try:
                taken.append(await self._next)
            except StopAsyncIteration:
                break
            self._next = None
        return taken

    async def _step(self) -> T:
        return await anext(self._items)

    async def aclose(self) -> None:
        """Wait no longer for what comes next."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait([self._next])


class ThreadSource(Generic[T]):
    """Reads a little ahead in a thread of its own, which may wait for a disk or a pipe.

    The thread is a daemon: one that waits for standard input keeps no process alive.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._queue: queue.Queue[T | None] = queue.Queue(_AHEAD)
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        self._is_told = False  # that something came; untrue again before anything is taken
        self._error: BaseException | None = None
        self._is_over = False
        self._is_left = threading.Event()
        threading.Thread(target=self._read, name="orchestrator-rows", daemon=True).start()

    def _read(self) -> None:
        try:
            for item in self._items:
                self._put(item)
                if self._is_left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  raised again where the rows are taken
            self._error = error
        self._put(None)

    def _put(self, item: T | None) -> None:
        while not self._is_left.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                break
            except queue.Full:
                continue
        if not (self._is_told or self._loop.is_closed()):
            self._is_told = True
            self._loop.call_soon_threadsafe(self._came.set)

    async def take(self, most: int) -> list[T]:
        """See `RowSource`."""
        taken: list[T] = []
        while not taken and not self._is_over:
            await self._came.wait()
            self._came.clear()
            self._is_told = False
            while len(taken) < most and not self._queue.empty():
                if (item := self._queue.get_nowait()) is None:
                    self._is_over = True
                    break
                taken.append(item)
            if not self._queue.empty():
                self._came.set()
        if not taken and self._error is not None:
            raise self._error
        return taken

    async def aclose(self) -> None:
        """Let the thread end."""
        self._is_left.set()
