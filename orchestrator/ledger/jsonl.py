"""Private JSON-lines files, to which several processes can append."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Any, BinaryIO

from orchestrator.ledger.private import open_private
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_log = logger_of(__name__)
#: Seconds between checks that an open file still has its name (log rotation renames it).
CHECK_S = 1.0
#: A longer line is not one of a ledger, and is read in pieces.
_MOST_BYTES = 2**24
_BLOCK = 2**20


class _Opened:
    """A file opened for append; each line is one write, so lines of processes do not mix."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = open_private(path, os.O_RDWR | os.O_APPEND)
        self._inode = os.fstat(self._handle).st_ino
        self._end = 0
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

    def write(self, line: bytes) -> int:
        """Append one line; return where it ends.

        Raises: OSError: it was not written, or only a part of it.
        """
        # A process that was killed, or a full disk, may have left a line torn: this one must not be
        # written onto its end. Where another one is just being written, that makes an empty line.
        size = os.fstat(self._handle).st_size
        if size > self._end and os.pread(self._handle, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(self._handle, line + b"\n") <= len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._end = os.lseek(self._handle, 0, os.SEEK_CUR)
        return self._end

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

    def append(self, name: str, line: bytes) -> int:
        """Append one line, return where it ends; creates the directory when it does not exist.

        Raises: OSError: the file cannot be written.
        """
        file, self._file = self._file, None  # after an error it is opened again, and looked at
        if file is None or name != self._name or not file.is_there():
            file = _Opened(self._directory / name)
        end = file.write(line)
        self._file, self._name = file, name
        return end


def append(path: Path, line: str) -> None:
    """Append one line; creates the directory when it does not exist.

    Raises: OSError: the file cannot be written.
    """
    _Opened(path).write(line.encode(errors="replace"))


def read(paths: Iterable[Path], *, last_bytes: int = 0) -> Iterator[dict[str, Any]]:
    """The JSON objects of the files, in order; skips other lines and logs their number once.

    With `last_bytes` only lines that begin within so many bytes before the end of each file.
    """
    return parsed((path, raw) for path in paths for raw in _lines(path, last_bytes))


def parsed(lines: Iterable[tuple[Path, bytes]]) -> Iterator[dict[str, Any]]:
    """The JSON objects of lines; skips other lines and logs their number once."""
    broken, where = 0, ""
    for path, raw in lines:
        try:
            line = json.loads(raw.decode(errors="replace"))
        except (ValueError, RecursionError):
            broken, where = broken + 1, str(path.parent)
            continue
        if isinstance(line, dict):
            yield line
    if broken:
        _log.warning("%d lines in %s are not JSON and were skipped.", broken, where)


def backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file, the last one first; none where there is no file."""
    with contextlib.suppress(FileNotFoundError), opened(path) as file:
        start, rest = os.fstat(file.fileno()).st_size, b""
        while start:
            end, start = start, max(0, start - _BLOCK)
            file.seek(start)
            rest, *lines = (file.read(end - start) + rest).split(b"\n")
            yield from filter(None, reversed(lines))
            if len(rest) > _MOST_BYTES:  # not a line of a ledger: it is read in pieces
                yield rest
                rest = b""
        if rest:
            yield rest


def _lines(path: Path, last_bytes: int) -> Iterator[bytes]:
    with contextlib.suppress(FileNotFoundError), opened(path) as file:
        end = os.fstat(file.fileno()).st_size
        start = max(0, end - last_bytes) if last_bytes else 0
        if start:  # in the middle of a line
            file.seek(start - 1)
            start += len(file.readline(_MOST_BYTES)) - 1
        for _, block in blocks(file, start, end, is_last=True):
            yield from lines_of_block(block)


def opened(path: Path) -> BinaryIO:
    """A file to read; the place of a device or a pipe, which may have no end, counts as empty.

    Raises: FileNotFoundError: there is no regular file; OSError: it cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(errno.ENOENT, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def blocks(
    file: BinaryIO, start: int, end: int, *, is_last: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Portions of whole lines of the file between two places, and where each begins.

    With `is_last` a line that has no end yet is the last one.
    """
    file.seek(start)
    while block := file.read(min(end - start, _BLOCK)):
        if not block.endswith(b"\n"):
            block += file.readline(min(end - start - len(block), _MOST_BYTES))
        # What is longer is not a line of a ledger: it is read in pieces.
        is_whole = is_last or block.endswith(b"\n") or len(block) >= _MOST_BYTES
        if cut := len(block) if is_whole else block.rfind(b"\n") + 1:
            yield start, block[:cut]
        start += len(block)


def lines_of_block(block: bytes) -> list[bytes]:
    """The lines of a portion that are not empty, without their ends."""
    return list(filter(None, block.split(b"\n")))
