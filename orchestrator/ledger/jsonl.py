"""JSON-lines files, mode 0600, to which several processes can append."""

from __future__ import annotations

import contextlib
import errno
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
#: Seconds between checks that an open file still has its name (log rotation renames it).
CHECK_S = 1.0


class _Opened:
    """A file opened for append; each line is one write, so lines of processes do not mix."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            self._handle = os.open(path, flags, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._handle = os.open(path, flags, 0o600)

        found = os.fstat(self._handle)
        self._inode = found.st_ino
        # A process that was killed, or a full disk, may have left a line torn: the next one must
        # not be written onto its end.
        if found.st_size and os.pread(self._handle, 1, found.st_size - 1) != b"\n":
            self.write(b"")
        self._checked_at = time.monotonic()

    def is_there(self) -> bool:
        """Whether the path still names this file; checked at most once in `CHECK_S` seconds.

        Log rotation moves the file away and expects the next line in a new one.
        """
        now = time.monotonic()
        if now - self._checked_at < CHECK_S:
            return True
        self._checked_at = now
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def write(self, line: bytes) -> None:
        """Append one line.

        Raises: OSError: it was not written, or only a part of it.
        """
        if os.write(self._handle, line + b"\n") <= len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # os.open failed in __init__
            os.close(self._handle)


class Appender(threading.local):
    """Appends lines to files of a directory; each thread keeps its last file open.

    Opening the file for every line would double the time that a line takes.
    """

    def __init__(self, directory: Path) -> None:
        """Does not touch the disk; `append` creates directory and file."""
        self._directory = directory
        self._name = ""
        self._file: _Opened | None = None

    def append(self, name: str, line: bytes) -> None:
        """Append one line; creates the directory when it does not exist.

        Raises: OSError: the file cannot be written.
        """
        file, self._file = self._file, None  # after an error it is opened again, and looked at
        if file is None or name != self._name or not file.is_there():
            file = _Opened(self._directory / name)
        file.write(line)
        self._file, self._name = file, name


def append(path: Path, line: str) -> None:
    """Append one line; creates the directory when it does not exist.

    Raises: OSError: the file cannot be written.
    """
    _Opened(path).write(line.encode(errors="replace"))


def read(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The JSON objects of the files, in order; skips other lines and logs their number once."""
    broken, where = 0, ""
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as file:
            for raw in file:
                try:
                    line = json.loads(raw)
                except (ValueError, RecursionError):
                    broken, where = broken + 1, str(path.parent)
                    continue
                if isinstance(line, dict):
                    yield line
    if broken:
        _log.warning("%d lines in %s are not JSON and were skipped.", broken, where)
