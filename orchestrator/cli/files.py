"""Reads what the arguments name, within bounds, and writes results where they should go."""

from __future__ import annotations

import os
import stat
import sys
import time
import uuid
import weakref
from pathlib import Path
from typing import BinaryIO

from orchestrator.cli.output import OutputError, UsageError, echo, require_stdout
from orchestrator.gmn.limits import HARD_LIMITS

MOST_BYTES = HARD_LIMITS.document_bytes
#: Standard input that was read, and is empty since.
_SPENT: weakref.WeakSet[BinaryIO] = weakref.WeakSet()
_NO_WRITER_S = 5.0  # for a named pipe that nobody writes to, which would be waited for for ever


def read_source(name: str, most: int = MOST_BYTES) -> bytes:
    """The bytes of a file, or of standard input for ``-``; at most `most`.

    Raises: UsageError: it cannot be read, or holds more.
    """
    shown = "standard input" if name == "-" else name
    try:
        if name == "-":
            if sys.stdin is None:
                raise UsageError("standard input is closed. Name a file, or pipe one in.")
            data = _read_stdin(most + 1)
        else:
            data = _read(name, most)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        words = f"{shown}: {getattr(error, 'strerror', None) or error}"
        raise UsageError(f"{words}. Name a file, or - for stdin.") from None
    if len(data) > most:
        raise UsageError(f"{shown} holds more than {most} bytes, the most that is read")
    return data


def _read_stdin(most: int) -> bytes:
    stream = sys.stdin.buffer
    data = stream.read(most)
    if not data and stream in _SPENT:
        raise UsageError("standard input can be one file only. Name a file for the other one.")
    _SPENT.add(stream)
    return data


def _read(name: str, most: int) -> bytes:
    """At most `most` + 1 bytes of a file.

    Raises: OSError: it cannot be read; UsageError: it is a named pipe that nobody writes to.
    """
    path = Path(name)
    is_pipe = stat.S_ISFIFO(path.stat().st_mode)
    handle = os.open(path, os.O_RDONLY | (os.O_NONBLOCK if is_pipe else 0))
    with os.fdopen(handle, "rb") as file:
        first = _first_byte(handle, name) if is_pipe else b""
        os.set_blocking(handle, True)
        return first + file.read(most + 1)


def _first_byte(pipe: int, name: str) -> bytes:
    """Waits for a writer; empty where there is one that has not written yet."""
    end = time.monotonic() + _NO_WRITER_S
    while True:
        try:
            if first := os.read(pipe, 1):  # empty as long as there is no writer
                return first
        except BlockingIOError:
            return b""
        if time.monotonic() > end:
            raise UsageError(f"{name}: nobody writes to this pipe")
        time.sleep(0.02)


def read_text(name: str) -> str:
    """The text of a file, or of standard input for ``-``.

    Raises: UsageError: it cannot be read, or is not UTF-8.
    """
    data = read_source(name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        shown = "standard input" if name == "-" else name
        words = f"{shown} is not UTF-8: byte {data[error.start]:#04x} at {error.start}"
        raise UsageError(f"{words}. Convert it, for example with iconv.") from None


def require_writable(path: str | None) -> None:
    """Find out before anything is paid whether the result can be written.

    Raises: UsageError: the file cannot be written; OutputError: stdout is closed.
    """
    if path is None or path == "-":
        require_stdout()
        return
    place = Path(path)
    try:
        is_new = not place.exists()
        if is_new or place.is_file():
            place.open("ab").close()
        elif place.is_dir() or not os.access(place, os.W_OK):
            raise UsageError(f"{path} cannot be written. Name a file that can be.")
        if is_new:
            place.unlink()
    except (OSError, ValueError) as error:
        words = f"{path} cannot be written: {getattr(error, 'strerror', None) or error}"
        raise UsageError(f"{words}. Name a file that can be.") from None


def write_result(text: str | bytes, path: str | None) -> None:
    """Write the result to a file, or a text to stdout for None and ``-``.

    Raises: OutputError: it cannot be written; a file that was there is as it was.
    """
    if isinstance(text, str) and (path is None or path == "-"):
        echo(text, end="" if text.endswith("\n") else "\n")
        return
    try:
        # JSON and block text spell half a surrogate pair, which UTF-8 cannot hold, as this escape.
        raw = text if isinstance(text, bytes) else text.encode(errors="backslashreplace")
        _write(Path(os.path.realpath(path or "-")), raw)
    except (OSError, ValueError) as error:
        words = f"{path} cannot be written: {getattr(error, 'strerror', None) or error}"
        raise OutputError(f"{words}. Name a file that can be.") from None


def _write(path: Path, raw: bytes) -> None:
    """Replace the file once all of it is on the disk; a device or a pipe is written to."""
    if path.exists() and not path.is_file():
        path.write_bytes(raw)
        return
    beside = path.with_name(f".{uuid.uuid4().hex}")
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    try:
        # A new file under a name that nobody foresees: no link that waits there is followed.
        new = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        os.close(os.open(beside, new, 0o666 if mode is None else 0o600))
        beside.write_bytes(raw)
        if mode is not None:
            beside.chmod(mode)
        beside.replace(path)
    except PermissionError:  # a directory in which nothing can be made
        path.write_bytes(raw)
    finally:
        beside.unlink(missing_ok=True)
