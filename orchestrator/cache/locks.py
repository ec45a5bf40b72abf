"""Locks by question: in a directory for one machine, in Redis for several."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from orchestrator.cache.shared import connected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_STALE_S = 3600.0  # what nobody has asked for an hour is swept away
#: A holder that died is replaced when its lock has run out.
_HELD_S, _RENEW_S = 0.7, 0.2
_LOCK, _NOTE = "orchestrator:asking:", "orchestrator:failed:"


@dataclass(frozen=True)
class _FileHeld:
    """The operating system's: free again at once when its holder dies."""

    lock: FileLock
    renew_s: float = 0.0

    def renew(self) -> bool:
        """Nothing has to be done."""
        return True

    def release(self) -> None:
        """Let the next one in."""
        self.lock.release()


class FileLocks:
    """Locks of the operating system on the files of a directory."""

    def __init__(self, directory: Path) -> None:
        """Nothing is made before the first question."""
        self._directory = directory

    def take(self, key: str) -> _FileHeld | None:
        """See `Locks`."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(self._path(key, "lock"), mode=0o600, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return _FileHeld(lock)

    def tell(self, key: str, note: Mapping[str, Any]) -> None:
        """See `Locks`; who cannot be told finds out by asking."""
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            handle = os.open(self._path(key, "error"), flags, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dict(note), file)

    def told(self, key: str) -> dict[str, Any] | None:
        """See `Locks`."""
        with contextlib.suppress(OSError):
            return _read(self._path(key, "error").read_text(encoding="utf-8"))
        return None

    def sweep(self) -> None:
        """See `Locks`."""
        with contextlib.suppress(OSError):
            for path in self._directory.iterdir():
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink(missing_ok=True)

    def _path(self, key: str, kind: str) -> Path:
        return self._directory / f"{key[:32]}.{kind}"


@dataclass(frozen=True)
class _RedisHeld:
    """Runs out soon after its holder stopped renewing it."""

    lock: Any
    faults: tuple[type[Exception], ...]
    renew_s: float = _RENEW_S

    def renew(self) -> bool:
        """Hold it for longer; False when it is lost."""
        try:
            return bool(self.lock.reacquire())
        except self.faults:
            return False

    def release(self) -> None:
        """Let the next one in; a lock that was lost is somebody else's by now."""
        with contextlib.suppress(*self.faults):
            self.lock.release()


class RedisLocks:
    """Locks that several machines share."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet.

        Raises: MissingExtraError: the extra ``redis`` is not installed; ConfigError: the address is
            none.
        """
        self._redis, self._faults = connected(url)

    def take(self, key: str) -> _RedisHeld | None:
        """See `Locks`."""
        lock = self._redis.lock(_LOCK + key, timeout=_HELD_S, blocking=False, thread_local=False)
        try:
            return _RedisHeld(lock, self._faults) if lock.acquire() else None
        except self._faults as error:
            raise OSError(f"Redis cannot be reached ({type(error).__name__})") from error

    def tell(self, key: str, note: Mapping[str, Any]) -> None:
        """See `Locks`; who cannot be told finds out by asking."""
        with contextlib.suppress(*self._faults):
            self._redis.set(_NOTE + key, json.dumps(dict(note)), ex=int(_STALE_S))

    def told(self, key: str) -> dict[str, Any] | None:
        """See `Locks`."""
        with contextlib.suppress(*self._faults):
            return _read(self._redis.get(_NOTE + key))
        return None

    def sweep(self) -> None:
        """Nothing: Redis forgets what is past its age."""


def _read(text: str | bytes | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        note = json.loads(text)
    except ValueError:  # half of it is written
        return None
    is_note = isinstance(note, dict) and {"id", "error"} <= set(note)
    return note if is_note else None
