"""Files of JSON lines that several processes append to and that only their owner reads."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_log = logging.getLogger(__name__)
#: A file that stays open is looked after this often.
LOOK_S = 1.0


class _Opened:
    """A file opened for append; one write is one line, so those of several processes do not mix."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            self._handle = os.open(path, flags, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._handle = os.open(path, flags, 0o600)

        self._inode = os.fstat(self._handle).st_ino
        self._looked = time.monotonic()

    def is_there(self) -> bool:
        """Whether it is still the file of that name, looked at once in a while.

        Whoever moved it away, as a rotation of logs does, wants a new one.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return True
        self._looked = now
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def write(self, line: bytes) -> None:
        """Add a line."""
        os.write(self._handle, line + b"\n")

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # it was never opened
            os.close(self._handle)


class Appender(threading.local):
    """Adds lines to the file of a name in a directory; it stays open, for each thread its own.

    Opening it for every line would cost as much as all the rest of a line.
    """

    def __init__(self, directory: Path) -> None:
        """Nothing is opened or made yet."""
        self._directory = directory
        self._name = ""
        self._file: _Opened | None = None

    def append(self, name: str, line: bytes) -> None:
        """Add one line; the directory is made when it is not there.

        Raises: OSError: it cannot be written.
        """
        if self._file is None or name != self._name or not self._file.is_there():
            self._file, self._name = None, name
            self._file = _Opened(self._directory / name)
        self._file.write(line)


def append(path: Path, line: str) -> None:
    """Add one line; its directory is made when it is not there.

    Raises: OSError: it cannot be written.
    """
    _Opened(path).write(line.encode(errors="replace"))


def read(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The objects of the files in order; lines that are none are passed over and told once."""
    broken, where = 0, ""
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as file:
            for raw in file:
                try:
                    line = json.loads(raw)
                except ValueError:
                    broken, where = broken + 1, str(path.parent)
                    continue
                if isinstance(line, dict):
                    yield line
    if broken:
        _log.warning("%d broken lines in %s were passed over.", broken, where)
