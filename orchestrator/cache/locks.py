"""Locks by question in a directory, for the processes of one machine."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: What nobody has asked for an hour is swept away.
STALE_S = 3600.0


class FileLocks:
    """Locks of the operating system on the files of a directory."""

    def __init__(self, directory: Path) -> None:
        """Nothing is made before the first question."""
        self._directory = directory

    def take(self, key: str) -> Callable[[], None] | None:
        """See `Locks`; the operating system gives it back at once when its holder dies."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(self._path(key, "lock"), mode=0o600, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock.release

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
            return note_in(self._path(key, "error").read_text(encoding="utf-8"))
        return None

    def sweep(self) -> None:
        """See `Locks`."""
        with contextlib.suppress(OSError):
            for path in self._directory.iterdir():
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is open between questions."""

    def _path(self, key: str, kind: str) -> Path:
        return self._directory / f"{key[:32]}.{kind}"


def note_in(text: str | bytes | None) -> dict[str, Any] | None:
    """The note in a text; None for none, or for half of one."""
    if text is None:
        return None
    try:
        note = json.loads(text)
    except ValueError:  # half of it is written
        return None
    is_note = isinstance(note, dict) and {"id", "error"} <= set(note)
    return note if is_note else None
