"""Files and directories that only their owner can read, whatever the umask."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_private(directory: Path) -> None:
    """Make a directory, and the parents it lacks, with mode 0700; one that exists stays as it is.

    Raises: OSError: it cannot be made.
    """
    if not directory.is_dir():
        make_private(directory.parent)
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)


def open_private(path: Path, flags: int) -> int:
    """The descriptor of a file, made where it is not there; its mode is 0600 from now on.

    Raises: OSError: it cannot be opened, or belongs to another user.
    """
    handle = os.open(path, flags | os.O_CREAT, 0o600)
    path.chmod(0o600)
    return handle
