"""Files of JSON lines that several processes append to and that only their owner reads."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_log = logging.getLogger(__name__)


def append(path: Path, line: str) -> None:
    """Add one line; its directory is made when it is not there.

    Raises: OSError: it cannot be written.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        handle = os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, flags, 0o600)
    # One write to a file opened for append: lines of several processes do not mix.
    try:
        os.write(handle, f"{line}\n".encode(errors="replace"))
    finally:
        os.close(handle)


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
