"""Rows in a database on disk that only their owner can read.

A pickle found there is refused, never loaded.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import sqlite3
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diskcache

from orchestrator.cache.store import RefusedError, Store
from orchestrator.ledger.usage import stamp
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.cache.encryption import Encryption

_log = logging.getLogger(__name__)
_FILE_NAME = re.compile(r"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")
# What a damaged or unusable database raises.
_FAULTS = (sqlite3.Error, OSError, diskcache.Timeout)
_FILES = ("cache.db", "cache.db-wal", "cache.db-shm")


def disk_store(
    directory: Path, *, size_limit_mb: int = 1024, encryption: Encryption | None = None
) -> Store:
    """The store in a directory, opened or created.

    A database that is damaged is set aside, beside the new one; a directory that cannot be used
    keeps nothing. Either is logged once, and requests go on.

    Raises: ConfigError: the directory belongs to another user, or a file in it leads elsewhere.
    """
    return Store(
        directory, functools.partial(DiskBackend, directory, size_limit_mb), _FAULTS, encryption
    )


class JSONBytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache ships no types
    """Reads and writes bytes under text keys and nothing else, so a pickle is never loaded."""

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise TypeError(f"cache key {key!r} is not text")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not raw or not isinstance(key, str):
            raise RefusedError("the key of a cache row is not plain text")
        return key

    def store(self, value: object, read: bool, key: object = "") -> tuple[Any, ...]:  # noqa: FBT001  diskcache's signature
        if not isinstance(value, bytes) or read:
            raise TypeError(f"cache value of type {type(value).__name__} is not bytes")
        return tuple(super().store(value, False, key))

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> bytes:  # noqa: FBT001  diskcache's signature
        if mode == diskcache.core.MODE_RAW and isinstance(value, bytes):
            return value
        if mode == diskcache.core.MODE_BINARY and filename and _FILE_NAME.fullmatch(filename):
            here = os.path.realpath(self._directory)
            if os.path.realpath(Path(here, filename)) != str(Path(here, filename)):
                raise RefusedError("a value file is a link that leads elsewhere")
            return bytes(super().fetch(mode, filename, None, False))
        raise RefusedError(f"a cache row holds mode {mode}, which this package never writes")


class DiskBackend:
    """Rows of a diskcache; see `orchestrator.cache.store.KeyValueBackend`."""

    is_remote = False

    def __init__(self, directory: Path, size_limit_mb: int) -> None:
        """Raises: ConfigError: as `disk_store`; sqlite3.Error, OSError: it cannot be used."""
        _make_private(directory)
        opened = functools.partial(
            diskcache.Cache, str(directory), disk=JSONBytesDisk,
            size_limit=size_limit_mb * 2**20, timeout=5,
        )  # fmt: skip
        try:
            self._disk: Any = opened()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            aside = _set_aside(directory)
            _log.warning("The cache in %s was damaged (%s) and is set aside in %s.",
                         directory, error, aside)  # fmt: skip
            self._disk = opened()

    def read(self, name: str) -> bytes | None:
        """See `KeyValueBackend`."""
        found: bytes | None = self._disk.get(name)
        return found

    def write(self, rows: Mapping[str, bytes], *, max_age_s: float, tag: str) -> None:
        """See `KeyValueBackend`."""
        with self._disk.transact():
            for name, raw in rows.items():
                self._disk.set(name, raw, expire=max_age_s or None, tag=tag or None)

    def remove(self, names: Iterable[str]) -> None:
        """See `KeyValueBackend`."""
        for name in names:
            self._disk.delete(name)

    def names(self) -> Iterator[str]:
        """See `KeyValueBackend`."""
        yield from self._disk.iterkeys()

    def evict(self, tag: str) -> int:
        """See `KeyValueBackend`."""
        return int(self._disk.evict(tag))

    def clear(self) -> None:
        """See `KeyValueBackend`."""
        self._disk.clear()

    def prune(self) -> int:
        """See `KeyValueBackend`."""
        return int(self._disk.expire()) + int(self._disk.cull() or 0)

    def faulty(self) -> list[str]:
        """See `KeyValueBackend`."""
        # It would take away every file that it does not know, and this directory has others.
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            self._disk.check(fix=False)
        others = (diskcache.UnknownFileWarning, diskcache.EmptyDirWarning)
        return [str(one.message) for one in found if not issubclass(one.category, others)]

    def size_bytes(self) -> int:
        """See `KeyValueBackend`."""
        return int(self._disk.volume())

    def close(self) -> None:
        """See `KeyValueBackend`."""
        self._disk.close()


def _make_private(directory: Path) -> None:
    """Raises: ConfigError: it belongs to another user; OSError: it cannot be made."""
    if directory.exists() and not directory.is_dir():
        fix = "Name a writable directory in ORCHESTRATOR_CACHE_DIR, or set cache.mode: off."
        raise _refused(directory, "is not a directory", fix)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = directory.stat().st_uid
    if hasattr(os, "getuid") and owner != os.getuid():
        fix = "Name a directory of your own in ORCHESTRATOR_CACHE_DIR."
        raise _refused(directory, f"belongs to user {owner}, not to you", fix)
    for name in _FILES:
        if (directory / name).is_symlink():
            raise _refused(directory / name, "is a link that leads elsewhere", "Remove it.")
    directory.chmod(0o700)


def _refused(path: Path, words: str, fix: str) -> ConfigError:
    return ConfigError("orchestrator.cache.directory", f"{str(path)!r} {words}", fix=fix)


def _set_aside(directory: Path) -> Path:
    """Move a damaged database away, so that what can be saved of it is still there."""
    aside = directory / f"damaged-{stamp().replace(':', '-')}"
    aside.mkdir(mode=0o700)
    for name in _FILES:
        if (directory / name).exists():
            (directory / name).rename(aside / name)
    return aside
