"""Coalesces identical calls: one leader calls, the followers wait for its result."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.ledger.private import make_private, private_lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

#: A lock file that nobody has used for an hour is removed.
STALE_S = 3600.0
_PAUSE_S = 0.05


class Locks(Protocol):
    """Locks by key, shared by every process that may ask the same question."""

    def held(self, key: str) -> AbstractAsyncContextManager[None]:
        """Wait for the lock of a key, and hold it inside the context.

        The lock of a process that died is free again within 2 s. Locks that cannot be reached keep
        nobody waiting: the context is entered without one.
        """
        ...

    def sweep(self) -> None:
        """Remove what earlier processes left."""
        ...

    def close(self) -> None:
        """Close the connections of this process."""
        ...


class FileLocks:
    """Locks of the operating system on the files of a directory, for one machine.

    They are tried on the event loop: an attempt takes 0.3 ms, two hops to a thread as long, and an
    attempt in a thread could outlive the task that made it.
    """

    def __init__(self, directory: Path) -> None:
        """No directory is made before the first lock is taken."""
        self._directory = directory

    @contextlib.asynccontextmanager
    async def held(self, key: str) -> AsyncIterator[None]:
        """See `Locks`; the operating system frees the lock of a dead process at once."""
        lock = None
        try:
            with contextlib.suppress(OSError):  # the directory cannot be used
                from filelock import Timeout  # noqa: PLC0415  as in `private_lock`

                lock = private_lock(self._directory / f"{key[:32]}.lock")
                while not lock.is_locked:
                    try:
                        lock.acquire(timeout=0)
                    except Timeout:
                        await asyncio.sleep(_PAUSE_S)
            yield
        finally:
            if lock is not None:
                lock.release()

    def sweep(self) -> None:
        """Remove the lock files that nobody has used for `STALE_S`."""
        with contextlib.suppress(OSError):
            if os.path.lexists(self._directory):
                make_private(self._directory)  # in no other place
            for path in self._directory.glob("*.lock"):
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing stays open between two locks."""


@dataclass(slots=True)
class _Flight:
    """A call under way, and how many callers wait for it."""

    task: asyncio.Task[Any]
    waiting: int = 0


class SingleFlight:
    """Calls under way in this process, by key; `locks` are shared with other processes.

    Processes that ask the same question take its lock one after the other, look again and ask only
    when nothing is stored. An error reaches the followers in the process of its leader; another
    process asks for itself.
    """

    def __init__(self, locks: Locks | None = None) -> None:
        self.locks = locks
        self._under_way: dict[str, _Flight] = {}

    @contextlib.asynccontextmanager
    async def joined(
        self, key: str, lead: Callable[[], Coroutine[Any, Any, Any]]
    ) -> AsyncIterator[tuple[asyncio.Task[Any], bool]]:
        """The task of the call under `key`, to be awaited shielded, and whether this caller leads.

        The call lives as long as a caller waits for it: a caller that is cancelled cancels the
        call only when it was the last, and hears of it once the connection is closed.
        """
        # A task can be awaited on its own loop only.
        key = f"{id(asyncio.get_running_loop())}:{key}"
        flight = self._under_way.get(key)
        is_leader = flight is None
        if flight is None:
            flight = self._under_way[key] = _Flight(asyncio.create_task(lead()))
            flight.task.add_done_callback(lambda _: self._leave(key, flight))
        flight.waiting += 1
        try:
            yield flight.task, is_leader
        except asyncio.CancelledError:
            if flight.waiting == 1 and not flight.task.done():
                self._leave(key, flight)  # who asks from here on starts another call
                flight.task.cancel()
                await asyncio.wait([flight.task])
            raise
        finally:
            flight.waiting -= 1

    def _leave(self, key: str, flight: _Flight) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]
