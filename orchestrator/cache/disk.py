"""The disk beneath the cache: bytes of JSON under digests, readable by their owner alone.

A pickle found there is refused, never loaded; whatever is wrong with the disk is a miss that is
told once, and never fails a request.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diskcache
from pydantic_core import from_json

from orchestrator.cache.keys import as_kept, outlined
from orchestrator.cache.seal import Seal, SealError
from orchestrator.errors import ConfigError
from orchestrator.usage import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_log = logging.getLogger(__name__)
_FILE_NAME = re.compile(r"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")
# What a damaged or unusable store raises; the request then goes on as a miss.
_DISK_FAULTS = (sqlite3.Error, OSError, diskcache.Timeout)
_FILES = ("cache.db", "cache.db-wal", "cache.db-shm")
#: Added to a key it names the row that holds the question.
_QUESTION = ".question"


class _Refused(ValueError):
    """A row that this package did not write."""


class JSONBytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache ships no types
    """Reads and writes bytes under text keys and nothing else, so a pickle is never loaded."""

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise TypeError(f"cache key {key!r} is not text")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not raw or not isinstance(key, str):
            raise _Refused("the key of a cache row is not plain text")
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
                raise _Refused("a value file is a link that leads elsewhere")
            return bytes(super().fetch(mode, filename, None, False))
        raise _Refused(f"a cache row holds mode {mode}, which this package never writes")


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """The state of a store.

    Attributes:
        directory: where it is; ``redis`` for a server.
        size_bytes: bytes on disk.
        refused: rows that were not ours and were not read, since this process started.
    """

    directory: Path | str
    entries: int
    size_bytes: int
    refused: int


class Store:
    """JSON bytes under digests, on disk, shared by every process that names the directory."""

    is_remote = False

    def __init__(
        self, directory: Path, *, size_limit_mb: int = 1024, seal: Seal | None = None
    ) -> None:
        """Open or create the store.

        A database that is damaged is set aside, beside the new one; a directory that cannot be
        used keeps nothing. Either is told once, and requests go on.

        Raises: ConfigError: the directory belongs to somebody else, or leads elsewhere.
        """
        self.directory = directory
        self._size_limit = size_limit_mb * 2**20
        self._seal = seal or Seal()
        self._refused = 0
        self._told: set[str] = set()
        self._disk = self._opened()

    def _opened(self) -> Any:
        """The database, None when there can be none."""
        try:
            _make_private(self.directory)
            try:
                return self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                aside = _set_aside(self.directory)
                self._tell("damaged", f"was damaged ({error}) and is set aside in {aside}")
                return self._open()
        except _DISK_FAULTS as error:
            self._tell("unusable", f"cannot be used ({error}); answers are not kept")
            return None

    def _open(self) -> Any:
        return diskcache.Cache(
            str(self.directory), disk=JSONBytesDisk, size_limit=self._size_limit, timeout=5
        )

    def get(self, key: str) -> Any:
        """The value under `key`, parsed; None when there is none or it is damaged."""
        if self._disk is None:
            return None
        try:
            raw = self._disk.get(key)
            return None if raw is None else from_json(self._seal.opened(raw))
        except _Refused as error:
            self._refused += 1
            self._tell("refused", f"{error}; it was not read")
        except SealError as error:
            self._tell("sealed", f"entry {key[:12]} cannot be opened ({error}); it is asked again")
        except ValueError as error:
            self._tell("damaged", f"entry {key[:12]} is not JSON ({error}); it is asked again")
        except _DISK_FAULTS as error:
            self._tell("unreadable", f"cannot be read ({error}); answers are asked again")
        return None

    def put(
        self,
        key: str,
        value: object,
        *,
        question: Mapping[str, object],
        max_age_s: float = 0.0,
        tag: str = "",
    ) -> None:
        """Store a JSON value and the outline of what was asked: no prompt reaches the disk.

        `max_age_s` 0 keeps it until room is needed.
        """
        if self._disk is None:
            return
        try:
            with self._disk.transact():
                kept = self._seal.closed(json_bytes(value))
                self._disk.set(key, kept, expire=max_age_s or None, tag=tag or None)
                asked = self._seal.closed(json_bytes(outlined(as_kept(question))))
                self._disk.set(key + _QUESTION, asked, expire=max_age_s or None, tag=tag or None)
        except _DISK_FAULTS as error:
            self._tell("unwritable", f"cannot be written ({error}); answers are not kept")

    def delete(self, keys: Iterable[str]) -> None:
        """Forget the entries under `keys`; unknown ones are passed over."""
        if self._disk is None:
            return
        try:
            for key in keys:
                self._disk.delete(key)
                self._disk.delete(key + _QUESTION)
        except _DISK_FAULTS as error:
            self._tell("unwritable", f"cannot be written ({error}); entries stay")

    def questions(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Everything that was asked, by the key of its answer, oldest first."""
        for key in self.keys():
            if isinstance(question := self.get(key + _QUESTION), dict):
                yield key, question

    def keys(self) -> list[str]:
        """The keys of the answers, oldest first; rows that are not ours are passed over."""
        found: list[str] = []
        if self._disk is None:
            return found
        try:
            found.extend(key for key in self._disk.iterkeys() if not key.endswith(_QUESTION))
        except _Refused:
            self._refused += 1
            self._tell("refused", "holds a row that is not ours; it was not read")
        return found

    def clear(self) -> int:
        """Remove every entry; return how many answers there were."""
        count = len(self.keys())
        if self._disk is not None:
            self._disk.clear()
        return count

    def evict(self, tag: str) -> int:
        """Forget the answers that were kept under a tag; return how many there were."""
        return int(self._disk.evict(tag)) // 2 if self._disk is not None else 0

    def prune(self) -> int:
        """Remove what is past its age or beyond the size limit; return how many rows went."""
        return 0 if self._disk is None else int(self._disk.expire()) + int(self._disk.cull() or 0)

    def verify(self) -> list[str]:
        """What is wrong with the store, a line each; damaged and foreign rows are removed."""
        if self._disk is None:
            return [f"{self.directory} cannot be used"]
        # It would take away every file that it does not know, and this directory has others.
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            self._disk.check(fix=False)
        others = (diskcache.UnknownFileWarning, diskcache.EmptyDirWarning)
        wrong = [str(one.message) for one in found if not issubclass(one.category, others)]
        for key in self.keys():
            if self.get(key) is None:
                wrong.append(f"entry {key[:12]} cannot be read and is removed")
                self.delete([key])
        return wrong

    def info(self) -> StoreInfo:
        """How much is stored."""
        volume = int(self._disk.volume()) if self._disk is not None else 0
        return StoreInfo(self.directory, len(self.keys()), volume, self._refused)

    def close(self) -> None:
        """Close the database connections of this process."""
        if self._disk is not None:
            self._disk.close()

    def _tell(self, kind: str, words: str) -> None:
        # Once per kind: a broken disk must not print a line per request.
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("The cache in %s %s.", self.directory, words)


def json_bytes(value: object) -> bytes:
    """A value as it is kept."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        errors="surrogatepass"
    )


def _make_private(directory: Path) -> None:
    """Raises: ConfigError: it is somebody else's; OSError: it cannot be made."""
    if directory.exists() and not directory.is_dir():
        raise ConfigError(
            "orchestrator.cache.directory",
            f"{str(directory)!r} is no directory",
            fix="Name a writable directory in ORCHESTRATOR_CACHE_DIR, or set cache.mode: off.",
        )
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = directory.stat().st_uid
    if hasattr(os, "getuid") and owner != os.getuid():
        raise ConfigError(
            "orchestrator.cache.directory",
            f"{str(directory)!r} belongs to user {owner}, not to you",
            fix="Name a directory of your own in ORCHESTRATOR_CACHE_DIR.",
        )
    for name in _FILES:
        if (directory / name).is_symlink():
            raise ConfigError(
                "orchestrator.cache.directory",
                f"{str(directory / name)!r} is a link that leads elsewhere",
                fix="Remove it.",
            )
    directory.chmod(0o700)


def _set_aside(directory: Path) -> Path:
    """Move a damaged database away, so that whatever can be saved of it is still there."""
    aside = directory / f"damaged-{stamp().replace(':', '-')}"
    aside.mkdir(mode=0o700)
    for name in _FILES:
        if (directory / name).exists():
            (directory / name).rename(aside / name)
    return aside
