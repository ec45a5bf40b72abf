"""One process at a time asks a question; the others wait for its answer, or for its error.

A lock is free again soon when its holder dies, at once where it is the operating system's.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from orchestrator import errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

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
        pause = _FIRST_PAUSE_S
        try:
            release = await asyncio.to_thread(self._locks.take, key)
            # A note of an earlier call is nobody's now; clocks of machines differ, notes do not.
            before = None if release else await asyncio.to_thread(self._locks.told, key)
            while release is None:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE_S)
                if (value := await found()) is not None:
                    return value, False
                note = await asyncio.to_thread(self._locks.told, key)
                if note is not None and note != before:
                    if (error := _error(note)) is not None:
                        raise error
                    break  # its error has no form that travels: no queue for it
                release = await asyncio.to_thread(self._locks.take, key)
        except OSError:
            release = None  # locks that cannot be reached keep nobody from asking
        if release is None:
            return await ask(), True
        return await self._inside(release, key, found, ask)

    async def _inside(
        self,
        release: Callable[[], None],
        key: str,
        found: Callable[[], Awaitable[T | None]],
        ask: Callable[[], Awaitable[T]],
    ) -> tuple[T, bool]:
        try:
            if (value := await found()) is not None:
                return value, False
            return await ask(), True
        except Exception as error:
            await asyncio.to_thread(self._locks.tell, key, _note(error))
            raise
        finally:
            await asyncio.to_thread(release)

    def sweep(self) -> None:
        """Remove what was left by questions of long ago."""
        self._locks.sweep()

    def close(self) -> None:
        """Close the connections of this process."""
        self._locks.close()


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
