"""One process at a time asks a question; the others wait for its answer, or for its error.

A lock is free again soon when its holder dies, at once where it is the operating system's.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from orchestrator.types import errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    _Note = dict[str, Any]

T = TypeVar("T")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.2
_FIELDS = ("deployment", "provider", "status", "retry_after_s", "attempts")


class Locks(Protocol):
    """Locks by key, shared by everybody who may ask the same; each method may wait for a disk or a
    network, and raises OSError where that cannot be reached."""

    def take(self, key: str) -> Callable[[], None] | None:
        """Take the lock of a key; what gives it back, None while somebody else holds it."""
        ...

    def tell(self, key: str, note: Mapping[str, Any]) -> None:
        """Leave a note for whoever waits for the lock of a key."""
        ...

    def told(self, key: str) -> dict[str, Any] | None:
        """The latest note under a key."""
        ...

    def sweep(self) -> None:
        """Remove what was left by questions of long ago."""
        ...

    def close(self) -> None:
        """Close the connections of this process."""
        ...


class Gate:
    """Lets one asker through for each question."""

    def __init__(self, locks: Locks) -> None:
        self._locks = locks

    async def ask(
        self,
        key: str,
        found: Callable[[], Awaitable[T | None]],
        ask: Callable[[], Awaitable[T]],
    ) -> tuple[T, bool]:
        """The answer to the question under `key`, and whether it was asked here.

        `found` looks whether another process has stored it meanwhile, `ask` asks and stores.

        Raises: what `ask` raises here; LLMError: what it raised in the process that asked.
        """
        turn = _Turn(self._locks, key)
        try:
            if (value := await _waited(turn, found)) is not None:
                return value, False
            if not turn.is_held:
                return await ask(), True
            try:
                if (value := await found()) is not None:
                    return value, False
                return await ask(), True
            except Exception as error:
                await asyncio.to_thread(self._locks.tell, key, _note(error))
                raise
        finally:
            if (release := turn.over()) is not None:  # whatever becomes of this task and its loop
                loop = asyncio.get_running_loop()
                await asyncio.shield(loop.run_in_executor(None, release))

    def sweep(self) -> None:
        """Remove what was left by questions of long ago."""
        self._locks.sweep()

    def close(self) -> None:
        """Close the connections of this process."""
        self._locks.close()


class _Turn:
    """One asker's place in the queue for a key; nothing is held once it is over."""

    def __init__(self, locks: Locks, key: str) -> None:
        self._locks = locks
        self._key = key
        self._guard = threading.Lock()
        self._is_over = False
        self._release: Callable[[], None] | None = None

    @property
    def is_held(self) -> bool:
        """Whether the lock is this asker's."""
        return self._release is not None

    def arrive(self) -> _Note | None:
        """Take the lock if it is free; the note that was there before.

        Clocks of machines differ, notes do not: any other note is of one who was asking since.
        """
        before = self._locks.told(self._key)
        self._take()
        return before

    def look(self) -> _Note | None:
        """Take the lock if it is free; the note that is there after: who gives the lock back has
        left its note by then."""
        self._take()
        return self._locks.told(self._key)

    def _take(self) -> None:
        release = self._locks.take(self._key)
        with self._guard:
            if not self._is_over:
                self._release = release
                return
        if release is not None:  # the asker was cancelled while its thread was taking the lock
            release()

    def over(self) -> Callable[[], None] | None:
        """Hold nothing from here on; what gives back the lock that was held."""
        with self._guard:
            self._is_over = True
            release, self._release = self._release, None
        return release


async def _waited(turn: _Turn, found: Callable[[], Awaitable[T | None]]) -> T | None:
    """The answer of another asker; None where it is this one's turn to ask.

    Raises: LLMError: what the other's question came to.
    """
    pause = _FIRST_PAUSE_S
    with contextlib.suppress(OSError):  # locks that cannot be reached keep nobody from asking
        before = await asyncio.to_thread(turn.arrive)
        while not turn.is_held:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
            if (value := await found()) is not None:
                return value
            note = await asyncio.to_thread(turn.look)
            if note is not None and note != before:
                if (error := _error(note)) is not None:
                    raise error
                break  # its error has no form that travels: no queue for it
    return None


def _note(error: Exception) -> dict[str, Any]:
    # Only an error of ours says nothing that was sent.
    if not isinstance(error, errors.LLMError):
        return {"id": uuid.uuid4().hex, "error": ""}
    fields = {name: getattr(error, name, None) for name in _FIELDS}
    return {
        "id": uuid.uuid4().hex,
        "error": type(error).__name__,
        "message": str(error),
        "fields": fields,
    }


def _error(note: Mapping[str, Any]) -> errors.LLMError | None:
    kind = getattr(errors, str(note["error"]), None)
    if isinstance(kind, type) and issubclass(kind, errors.LLMError):
        return kind(str(note["message"]), **note["fields"])
    return None
