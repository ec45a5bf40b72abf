"""The output of a batch: a line for each row, appended so that a kill leaves nothing to repair."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.types.errors import ConfigError
from orchestrator.types.visible import json_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.client.batch.journal import Numbered

_MARK = '"status":"'
_FAILED = f'{_MARK}failed"'
_VALID = f'{_MARK}done","valid":true'
_NEXT = "Name another --output, or move this one away."


def line_of(job: str, row: Numbered, status: str, body: str) -> str:
    """One line of the output; `body` is the JSON of an object that begins with ``valid``.

    Job, key, status and ``valid`` stand where they are found again without reading the rest. A row
    that asked what an earlier one did is marked as ``shared``: it cost nothing.
    """
    own = json_text({"line": row.row.line, **row.row.own}, default=str)[1:-1]
    shared = "" if row.is_first else ', "shared": true'
    if not row.is_first:
        body = json_text(unpaid(json.loads(body)))
    valid, _, rest = body[1:-1].partition(", ")
    begins = f'{_beginning(job)}{row.key}",{_MARK}{status}",{valid.replace(": ", ":")}'
    return f"{begins}, {own}{shared}, {rest}}}"


def unpaid(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is written of a row that asked what an earlier one did: that one shows what it cost."""
    return {name: 0 if name in ("calls", "cost_usd") else part for name, part in body.items()}


def _beginning(job: str) -> str:
    return f'{{"job":"{job}","key":"'


class Output:
    """A regular file of rows of one job; other processes are kept from it.

    Attributes:
        done, valid, failed: rows that were found in it.
    """

    def __init__(self, path: Path, job: str) -> None:
        """Open or make the file.

        Raises: ConfigError: another process writes to it; OSError: it cannot be written.
        """
        self.path = path
        self._start = _beginning(job).encode()
        handle, self._is_new = _made_or_opened(path)
        self._file = os.fdopen(handle, "r+b", buffering=0)
        self._end = 0
        self.done = self.valid = self.failed = 0
        try:
            self._lock()
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl  # noqa: PLC0415
        except ModuleNotFoundError:  # Windows
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._error("another process writes to it") from None

    def _error(self, problem: str) -> ConfigError:
        return ConfigError(f"the output {self.path}", problem, fix=_NEXT)

    def written(self) -> Iterator[str]:
        """The keys of its rows; cuts what a kill left of a last line.

        Raises: ConfigError: it holds what this job did not write.
        """
        end = self.done = self.valid = self.failed = 0
        is_open = False  # whether the last line is whole, but for its end
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.startswith(self._start[: len(line)]) or (
                    line.endswith(b"\n") and not line.endswith(b"}\n")
                ):
                    raise self._error(f"line {number} is not of this job")
                if not line.endswith(b"\n") and not _is_whole(line):
                    break
                end += len(line)
                is_open = not line.endswith(b"\n")
                key, _, rest = line[len(self._start) :].partition(b'"')
                is_failed = rest[1:].startswith(_FAILED.encode())
                self.failed += is_failed
                self.done += not is_failed
                self.valid += rest[1:].startswith(_VALID.encode())
                yield key.decode("ascii", "replace")
        self._file.truncate(end)
        self._end = self._file.seek(end)
        if is_open:
            self._end += self._file.write(b"\n")

    def without_failed(self) -> None:
        """Replace it by a file without its failed rows, whole or not at all.

        Raises: ConfigError: as `written`; OSError: it cannot be written.
        """
        for _ in self.written():
            pass
        mark = _FAILED.encode()
        beside = self.path.with_name(f".{uuid.uuid4().hex}")
        mode = stat.S_IMODE(os.fstat(self._file.fileno()).st_mode)
        try:
            with self.path.open("rb") as lines, beside.open("xb") as kept:
                beside.chmod(mode)
                for line in lines:
                    if not line[len(self._start) :].partition(b'"')[2][1:].startswith(mark):
                        kept.write(line)
                kept.flush()
                os.fsync(kept.fileno())
            beside.replace(os.path.realpath(self.path))
        finally:
            beside.unlink(missing_ok=True)
        self._file.close()
        self._file = self.path.open("r+b", buffering=0)
        self._lock()

    def write(self, lines: Iterable[str]) -> None:
        """Append lines.

        Raises: OSError: they cannot be written; the file ends with the last whole line before.
            FileNotFoundError: it was removed or replaced since it was opened.
        """
        if not (
            self.path.exists() and os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        ):
            words = "it was removed, or another file put in its place, while rows were written"
            raise FileNotFoundError(errno.ENOENT, words, str(self.path))
        raw = memoryview("".join(f"{line}\n" for line in lines).encode())
        done = 0
        try:
            while done < len(raw):
                done += self._file.write(raw[done:])
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(self._end)
            raise
        self._end += done

    def withdraw(self) -> None:
        """Remove it where it was made for a batch that is refused."""
        if self._is_new and not self._end:
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let the disk have it, and close it."""
        with contextlib.suppress(OSError):
            os.fsync(self._file.fileno())
        self._file.close()


def _made_or_opened(path: Path) -> tuple[int, bool]:
    """The descriptor of a file, and whether it was made."""
    flags = os.O_RDWR | os.O_CREAT
    try:
        return os.open(path, flags | os.O_EXCL, 0o666), True
    except FileExistsError:
        return os.open(path, flags, 0o666), False


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def row_of(line: str) -> Mapping[str, object]:
    """A line of the output as data."""
    made: Mapping[str, object] = json.loads(line)
    return made
