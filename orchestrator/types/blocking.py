"""Blocking twins of async functions, run on one background event-loop thread per process.

They work from any thread, from a notebook whose own loop is running, and after a fork.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import os
import threading
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator

P = ParamSpec("P")
T = TypeVar("T")


class LoopThread:
    """An event loop on a daemon thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="orchestrator-loop", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` on the loop and return its result; an interrupt of the caller cancels it.

        Raises: RuntimeError: called from the loop thread itself, where waiting would never end.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("A blocking call was made from its own event loop; await instead.")
        is_over = threading.Event()
        waiting = asyncio.run_coroutine_threadsafe(_noting(work, is_over), self._loop)
        try:
            return waiting.result()
        except BaseException:
            # What is cancelled writes its line of the bill, and then the process may end.
            if waiting.cancel():
                is_over.wait(_LAST_S)
            raise

    def stop(self, last: Callable[[], Coroutine[object, object, None]]) -> None:
        """Run `last` on the loop, cancel the other tasks, and end the thread; for process exit."""
        if self._thread.is_alive():
            ending = asyncio.run_coroutine_threadsafe(self._wind_up(last), self._loop)
            with contextlib.suppress(TimeoutError, concurrent.futures.TimeoutError):
                ending.result(_LAST_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_LAST_S)

    async def _wind_up(self, last: Callable[[], Coroutine[object, object, None]]) -> None:
        try:
            await last()
        finally:
            left = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


async def _noting(work: Coroutine[object, object, T], is_over: threading.Event) -> T:
    try:
        return await work
    finally:
        is_over.set()


_LAST_S = 3.0  # a process that takes longer to exit looks hung
_loops: dict[int, LoopThread] = {}
_making = threading.Lock()


def _loop_of(process: int) -> LoopThread:
    # A fork does not copy threads, so every process id has a thread of its own.
    with _making:
        if process not in _loops:
            _loops[process] = LoopThread()
        return _loops[process]


def stop(last: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run `last` on the loop of this process, then end the loop; does nothing without a loop."""
    if (loop := _loops.pop(os.getpid(), None)) is not None:
        loop.stop(last)


def blocking(method: Callable[P, Coroutine[object, object, T]]) -> Callable[P, T]:
    """The blocking twin of an async method, with its signature and docstring."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return _loop_of(os.getpid()).run(method(*args, **kwargs))

    return call


def iterating(
    method: Callable[P, AsyncGenerator[T, None]],
) -> Callable[P, Generator[T, None, None]]:
    """The blocking twin of an async generator; closing it closes the async generator."""

    @functools.wraps(method)
    def iterate(*args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        parts = method(*args, **kwargs)

        async def following() -> tuple[bool, T | None]:
            # A future cannot carry StopAsyncIteration, so the end is a value.
            async for part in parts:
                return True, part
            return False, None

        loop = _loop_of(os.getpid())
        try:
            while (found := loop.run(following()))[0]:
                yield found[1]  # type: ignore[misc]  # the flag says that there is a value
        finally:
            loop.run(parts.aclose())

    return iterate


class Once:
    """Runs `work` once, in a thread; concurrent callers wait until it is done."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self.is_done = False

    async def __call__(self) -> None:
        if not self.is_done:
            await asyncio.to_thread(self._do)

    def _do(self) -> None:
        with self._lock:  # event loops of several threads may call at once
            if not self.is_done:
                self._work()
                self.is_done = True
