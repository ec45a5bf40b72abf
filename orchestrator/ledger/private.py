"""The one way to make files that only their owner can read, whatever the umask.

A link is not followed, a pipe is not waited for, and nothing of another user is written to. Where
the system knows neither owners nor modes (Windows) only links and pipes are refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from filelock import FileLock

_FLAGS = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class NotPrivateError(PermissionError):
    """A file or a directory that is not used, because somebody else may have a hand in it."""


def make_private(directory: Path, *, is_ours: bool = False) -> None:
    """Make a directory, and the parents it lacks, with mode 0700.

    One that exists gets that mode with `is_ours`, if it is not one that users share; else it stays
    as it is.

    Raises: NotPrivateError: it is a link or a file, belongs to another user, or others may write to
        it; OSError: it cannot be made.
    """
    try:
        found = os.lstat(directory)
    except FileNotFoundError:
        _make(directory)
        found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode):
        raise _refused(directory, "it is a link that leads elsewhere, or a file: not a directory")
    if not hasattr(os, "geteuid"):
        return
    _require_own(directory, found)
    if is_ours and not found.st_mode & stat.S_ISVTX:
        directory.chmod(0o700)
    # A group that is the user's own has, as a rule, no other members.
    elif not found.st_mode & stat.S_ISVTX and (
        found.st_mode & stat.S_IWOTH
        or (found.st_mode & stat.S_IWGRP and found.st_gid != os.getegid())
    ):
        raise _refused(directory, "other users may write there; take that away with chmod go-w")


def _make(directory: Path) -> None:
    try:
        os.lstat(directory.parent)
    except FileNotFoundError:
        make_private(directory.parent)
    try:
        directory.mkdir(0o700)
    except FileExistsError:  # another process has made it since
        return
    directory.chmod(0o700)  # the umask may have taken more away


def open_private(path: Path, flags: int, *, is_named: bool = False) -> int:
    """The descriptor of a regular file, made where it is not there; its mode is 0600 from now on.

    Its directory is made as `make_private` does; with `is_named` the user names the file, and may
    put it where others write.

    Raises: NotPrivateError: it is a link, a pipe or a device, or belongs to another user, or its
        directory is refused; OSError: it cannot be opened.
    """
    if not is_named:
        make_private(path.parent)
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            way = "name another" if is_named else "remove it"
            words = "it is a link that leads elsewhere, or not a file at all"
            raise _refused(path, f"{words}; {way}")
    handle = os.open(path, (flags & ~os.O_TRUNC) | _FLAGS, 0o600)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _refused(path, "it is not a file")
        _require_own(path, found)
        if hasattr(os, "fchmod") and stat.S_IMODE(found.st_mode) != 0o600:  # of an earlier version
            os.fchmod(handle, 0o600)
        if flags & os.O_TRUNC:
            os.ftruncate(handle, 0)
    except OSError:
        os.close(handle)
        raise
    return handle


def write_private(path: Path, content: bytes) -> None:
    """Put a private file at `path`, in the place of what is there, whole or not at all.

    Raises: NotPrivateError: its directory is refused; OSError: it cannot be written. What was there
        is as it was.
    """
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    beside = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with os.fdopen(open_private(beside, os.O_WRONLY | os.O_EXCL), "wb") as file:
            file.write(content)
        beside.replace(path)
    except OSError as error:
        if error.filename == str(beside):
            error.filename, error.filename2 = str(path), None  # the name that the caller knows
        raise
    finally:
        beside.unlink(missing_ok=True)


def private_lock(path: Path) -> FileLock:
    """A lock on a private file, not yet taken.

    Raises: as `open_private`; OSError: the file system has no locks.
    """
    from filelock import FileLock  # noqa: PLC0415  12 ms, and an answer from the cache takes no lock

    handle = open_private(path, os.O_RDONLY)
    try:
        import fcntl  # noqa: PLC0415

        # Else filelock 4 waits for ever for this file to go, and 3 raises another error.
        fcntl.flock(handle, fcntl.LOCK_UN)
    except ModuleNotFoundError:  # Windows, whose files can be locked
        pass
    finally:
        os.close(handle)
    return FileLock(path, mode=0o600, thread_local=False)


def _require_own(path: Path, found: os.stat_result) -> None:
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise _refused(path, f"it belongs to user {found.st_uid}, not to you")


def _refused(path: Path, why: str) -> NotPrivateError:
    return NotPrivateError(errno.EPERM, why, str(path))
