"""One process at a time asks a question; the others wait for its answer, or for its error.

The lock is the operating system's, so it is free again at once when its holder dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock, Timeout

from orchestrator import errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

T = TypeVar("T")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.2
_STALE_S = 3600.0  # files of questions that nobody has asked for an hour are swept away
_FIELDS = ("deployment", "provider", "status", "retry_after_s", "attempts")


class Gate:
    """The locks of a directory."""

    def __init__(self, directory: Path) -> None:
        """Nothing is made before the first question."""
        self._directory = directory

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
        begun, pause = time.time(), _FIRST_PAUSE_S
        try:
            lock = await asyncio.to_thread(self._lock, key)
        except OSError:  # a directory that cannot be written keeps nobody from asking
            return await ask(), True
        while not await asyncio.to_thread(_is_taken, lock):
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
            if (value := await found()) is not None:
                return value, False
            if (told := await asyncio.to_thread(self._told, key, begun)) is not None:
                if isinstance(told, errors.LLMError):
                    raise told
                return await ask(), True  # its error has no form that travels: no queue for it
        try:
            if (value := await found()) is not None:
                return value, False
            return await ask(), True
        except Exception as error:
            await asyncio.to_thread(self._tell, key, error)
            raise
        finally:
            lock.release()

    def sweep(self) -> None:
        """Remove what was left by questions of long ago."""
        with contextlib.suppress(OSError):
            for path in self._directory.iterdir():
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink(missing_ok=True)

    def _lock(self, key: str) -> FileLock:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._directory / f"{key[:32]}.lock"
        return FileLock(path, mode=0o600, thread_local=False)

    def _tell(self, key: str, error: Exception) -> None:
        fields = {name: getattr(error, name, None) for name in _FIELDS}
        # Only an error of ours says nothing that was sent.
        is_ours = isinstance(error, errors.LLMError)
        note = {
            "at": time.time(),
            "error": type(error).__name__ if is_ours else "",
            "message": str(error) if is_ours else "",
            "fields": fields if is_ours else {},
        }
        path = self._directory / f"{key[:32]}.error"
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(note, file)

    def _told(self, key: str, since: float) -> Exception | None:
        """The error of whoever asked, if it came after `since`."""
        try:
            note = json.loads((self._directory / f"{key[:32]}.error").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if float(note.get("at", 0)) < since:
            return None
        kind = getattr(errors, str(note.get("error")), None)
        if isinstance(kind, type) and issubclass(kind, errors.LLMError):
            return kind(str(note["message"]), **note["fields"])
        return RuntimeError("the call failed in another process")


def _is_taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
