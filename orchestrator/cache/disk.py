"""Rows in a database on disk that only their owner can read.

A pickle found there is refused, never loaded.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diskcache
from diskcache.core import DEFAULT_SETTINGS, ENOVAL, METADATA, MODE_BINARY, MODE_RAW

from orchestrator.cache.store import RefusedError, Store
from orchestrator.ledger.private import NotPrivateError, make_private, open_private, private_lock
from orchestrator.ledger.usage import stamp
from orchestrator.types.errors import ConfigError
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.cache.encryption import Encryption

_log = logger_of(__name__)
_FILE_NAME = re.compile(r"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")
#: Every thread's connection has pages of its own: 2 MB are as fast as the 32 that diskcache takes.
_PRAGMAS = "PRAGMA cache_size=-2000; PRAGMA mmap_size=67108864; PRAGMA synchronous=NORMAL"
# What a damaged or unusable database raises.
_FAULTS = (sqlite3.Error, OSError, diskcache.Timeout)
_FILES = ("cache.db", "cache.db-wal", "cache.db-shm")
#: Rows under a key that is text, as it is.
_OURS = "typeof(key) = 'text' AND raw = 1"
#: Rows past their age; one whose age counts and that is stored in the future has an unknown age.
_OLD = "expire_time <= :now OR (expire_time IS NOT NULL AND store_time > :now + 60)"
_BYTES_IN_FILES = "SELECT COALESCE(SUM(size), 0) FROM Cache WHERE typeof(size) = 'integer'"
#: Settings that another process may have chosen otherwise.
_CHOSEN = ("size_limit", "disk_pickle_protocol")
_AT_ONCE = 1000
_text = functools.partial(bytes.decode, errors="replace")
#: How long a statement waits for another process that writes: an import, or a large one that goes.
_TIMEOUT_S = 30.0


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

    def fetch(self, mode: int, filename: object, value: object, read: bool) -> bytes:  # noqa: FBT001  diskcache's signature
        if mode == MODE_RAW and isinstance(value, bytes):
            return value
        if mode == MODE_BINARY and (path := self._value_file(filename)):
            return path.read_bytes()
        raise RefusedError(f"a cache row holds mode {mode}, which this package never writes")

    def remove(self, filename: object) -> None:
        # The directory stays: another process may be about to write into it.
        with contextlib.suppress(OSError, RefusedError):
            if path := self._value_file(filename):
                path.unlink()

    def _write(self, full_path: str, iterator: Iterable[bytes], *_: object) -> int:
        path = Path(full_path)
        make_private(path.parent, is_ours=True)
        with os.fdopen(open_private(path, os.O_WRONLY | os.O_EXCL), "wb") as file:
            return sum(file.write(chunk) for chunk in iterator)

    def _value_file(self, filename: object) -> Path | None:
        """The file that a row names; None for what this package never wrote there.

        Raises: RefusedError: it is a link, or below one.
        """
        if not isinstance(filename, str) or not _FILE_NAME.fullmatch(filename):
            return None
        path = Path(os.path.realpath(self._directory), filename)
        if os.path.realpath(path) != str(path):
            raise RefusedError("a value file is a link that leads elsewhere")
        return path


class _Connection(sqlite3.Connection):
    """Closes itself with its thread: diskcache leaves that to the end of the interpreter."""

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.ProgrammingError):  # another thread collects it
            self.close()


class _Database(diskcache.Cache):  # type: ignore[misc]  # diskcache ships no types
    """A diskcache that takes no setting from its file, into which a stranger may have written."""

    @property
    def _con(self) -> sqlite3.Connection:
        if getattr(self._local, "pid", None) != os.getpid():  # forked
            self.close()
            self._local.pid = os.getpid()
        if (con := getattr(self._local, "con", None)) is None:
            path = Path(self._directory, _FILES[0])
            # diskcache opens without a timeout and tries its own statements again, not these.
            con = sqlite3.connect(
                path, timeout=_TIMEOUT_S, isolation_level=None, factory=_Connection
            )
            con.text_factory = _text
            con.executescript(_PRAGMAS)
            self._local.con = con
        return con

    def reset(self, key: str, value: Any = ENOVAL, update: bool = True) -> Any:  # noqa: FBT001  diskcache's signature
        if value is not ENOVAL:
            return super().reset(key, value, update)
        count = "SELECT value FROM Settings WHERE key = ? AND typeof(value) = 'integer'"
        row = self._sql(count, (key,)).fetchone()
        return row[0] if row else self._sql(_BYTES_IN_FILES).fetchone()[0]


class DiskBackend:
    """Rows of a diskcache; see `orchestrator.cache.store.KeyValueBackend`."""

    is_remote = False

    def __init__(self, directory: Path, size_limit_mb: int) -> None:
        """Raises: ConfigError: as `disk_store`; sqlite3.Error, OSError: it cannot be used."""
        self._directory, self._size_limit_mb = directory, size_limit_mb
        self._foreign: list[str] = []
        self._open()

    def _open(self) -> None:
        try:
            self._disk: Any = self._opened()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY:
                raise
            # All who find it damaged come here, or stumble over one who sets it aside.
            with private_lock(self._directory / "damaged.lock"):
                self._disk = self._mended()
        self._inode = self._inode_now()

    def _inode_now(self) -> int:
        path = self._directory / _FILES[0]
        return path.stat().st_ino if path.exists() else 0

    def _mended(self) -> _Database:
        try:
            return self._opened()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            aside = _set_aside(self._directory)
            _log.warning("The cache in %s was damaged (%s) and is set aside in %s.",
                         self._directory, error, aside)  # fmt: skip
            return self._opened()

    def _opened(self) -> _Database:
        _own(self._directory)
        self._foreign = _without_foreign_settings(self._directory / _FILES[0])
        if self._foreign:
            _log.warning("The cache in %s: %s.", self._directory, "; ".join(self._foreign))
        settings = {**DEFAULT_SETTINGS, "size_limit": self._size_limit_mb * 2**20}
        disk = _Database(str(self._directory), disk=JSONBytesDisk, timeout=_TIMEOUT_S, **settings)
        disk._con.executescript(_PRAGMAS)  # diskcache has set its own numbers here
        if self._foreign:
            self._recount(disk)
        # Else what a clock ahead has stored would be the last to make room, and new rows the first.
        # The plus keeps SQLite from looking at every row without an age instead.
        with contextlib.suppress(sqlite3.OperationalError):  # another process writes for long
            disk._sql("UPDATE Cache SET store_time = :now WHERE store_time > :now + 60 "
                      "AND +expire_time IS NULL", {"now": time.time()})  # fmt: skip
        return disk

    def read(self, name: str) -> bytes | None:
        """See `KeyValueBackend`."""
        row = self._disk._sql(
            "SELECT mode, filename, value FROM Cache WHERE key = :name AND raw = 1"
            f" AND ({_OLD}) IS NOT 1", {"name": name, "now": time.time()},
        ).fetchone()  # fmt: skip
        return self._bytes(*row) if row else None

    def _bytes(self, mode: int, filename: object, value: object) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):  # another process has removed the row since
            return bytes(self._disk.disk.fetch(mode, filename, value, False))
        return None

    def write(self, rows: Mapping[str, bytes], *, max_age_s: float, tag: str) -> None:
        """See `KeyValueBackend`."""
        if self._inode_now() != self._inode:  # SQLite would write on, into a file without a name
            _log.warning("The cache in %s was removed or moved, and is made again.",
                         self._directory)  # fmt: skip
            self._disk.close()
            self._open()
        with self._disk.transact():
            for name, raw in rows.items():
                self._disk.set(name, raw, expire=max_age_s or None, tag=tag or None)

    def remove(self, names: Iterable[str]) -> None:
        """See `KeyValueBackend`."""
        with self._disk.transact():
            for name in names:
                self._drop("key = :name AND raw = 1", name=name)

    def names(self) -> Iterator[str]:
        """See `KeyValueBackend`."""
        # The plus keeps SQLite from reading the whole table for the sake of the order.
        found = self._disk._sql(f"SELECT key FROM Cache WHERE {_OURS} ORDER BY +rowid")
        return (name for (name,) in found.fetchall())

    def rows(self, ending: str = "", *, last: int = 0) -> Iterator[tuple[str, bytes | None]]:
        """See `KeyValueBackend`."""
        kept = f"FROM Cache WHERE rowid > :last AND {_OURS} AND ({_OLD}) IS NOT 1"
        if ending:
            kept += (
                " AND key GLOB :like AND EXISTS (SELECT 1 FROM Cache AS other WHERE raw = 1"
                " AND other.key = substr(Cache.key, 1, length(Cache.key) - length(:like) + 1))"
            )
        known: dict[str, Any] = {"last": 0, "like": f"*{ending}", "now": time.time()}
        if last:
            first = f"SELECT min(rowid) FROM (SELECT rowid {kept} ORDER BY rowid DESC LIMIT {last})"
            known["last"] = (self._disk._sql(first, known).fetchone()[0] or 1) - 1
        # In portions: a reader that stays open would keep SQLite's log from being written back.
        wanted = f"SELECT rowid, key, mode, filename, value {kept} ORDER BY rowid LIMIT {_AT_ONCE}"
        while found := self._disk._sql(wanted, known).fetchall():
            for _, name, *stored in found:
                try:
                    raw = self._bytes(*stored)
                except (OSError, RefusedError):
                    raw = None
                yield name, raw
            known["last"] = found[-1][0]

    def count(self, ending: str) -> int:
        """See `KeyValueBackend`."""
        count = f"SELECT count(*) FROM Cache WHERE {_OURS} AND key NOT GLOB ?"
        return int(self._disk._sql(count, (f"*{ending}",)).fetchone()[0])

    def evict(self, tag: str) -> int:
        """See `KeyValueBackend`."""
        return self._drop("tag = :tag", tag=tag)

    def clear(self) -> None:
        """See `KeyValueBackend`."""
        with self._disk._transact() as (sql, _):
            # SQLite empties a table in one go where no trigger wants to see each row.
            triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            made = [row for row in sql(triggers) if row[0].startswith("Settings_")]
            for name, _ in made:
                sql(f'DROP TRIGGER "{name}"')
            sql("DELETE FROM Cache")
            for _, again in made:
                sql(again)
            sql("UPDATE Settings SET value = 0 WHERE key IN ('count', 'size')")
        self._remove_orphans()

    def prune(self) -> int:
        """See `KeyValueBackend`."""
        self._remove_orphans()
        return self._drop(_OLD, now=time.time()) + int(self._disk.cull() or 0)

    def faulty(self) -> list[str]:
        """See `KeyValueBackend`."""
        wrong, self._foreign = self._foreign, []
        ours = f"{_OURS} AND key NOT GLOB '*[^ -~]*'"  # printable ASCII
        if foreign := self._drop(f"NOT coalesce({ours}, 0)"):
            wrong.append(f"{foreign} rows under keys that this package never writes are removed")
        checked = [words for (words,) in self._disk._sql("PRAGMA quick_check")]
        wrong += [] if checked == ["ok"] else checked
        with self._disk.transact():
            if self._disk.reset("size") != self._recount(self._disk):
                wrong.append("the sum of the sizes of the value files was wrong and is corrected")
        return wrong + [
            f"value file {path} belongs to no entry; orchestrator cache prune removes it"
            for path in self._orphans()
        ]

    def size_bytes(self) -> int:
        """See `KeyValueBackend`."""
        return int(self._disk.volume())

    def close(self) -> None:
        """See `KeyValueBackend`."""
        self._disk.close()

    def _drop(self, where: str, **values: object) -> int:
        """Remove rows with their value files; return how many rows there were."""
        with self._disk._transact() as (sql, cleanup):
            # An index may know the rows, and not their files.
            rows = f"SELECT rowid FROM Cache WHERE {where}"
            files = f"SELECT filename FROM Cache WHERE rowid IN ({rows})"
            found = sql(files, values).fetchall()
            if found:
                sql(f"DELETE FROM Cache WHERE {where}", values)
            for (filename,) in found:
                cleanup(filename)
            return len(found)

    @staticmethod
    def _recount(disk: _Database) -> int:
        size: int = disk._sql(_BYTES_IN_FILES).fetchone()[0]
        disk._sql("INSERT OR REPLACE INTO Settings VALUES ('size', ?)", (size,))
        return size

    def _orphans(self) -> list[Path]:
        """The value files that no row names."""
        here, pair = Path(os.path.realpath(self._directory)), "[0-9a-f][0-9a-f]"
        with self._disk._transact() as (sql, _):  # a row and its file are written in one of these
            found = list(here.glob(f"{pair}/{pair}/*.val"))
            # Only where there are files: this goes through the whole table.
            names = sql("SELECT filename FROM Cache WHERE filename IS NOT NULL") if found else ()
            found = sorted({*found} - {here / str(name) for (name,) in names})
        return [path for path in found if os.path.realpath(path.parent) == str(path.parent)]

    def _remove_orphans(self) -> None:
        for path in self._orphans():
            path.unlink(missing_ok=True)


def _without_foreign_settings(path: Path) -> list[str]:
    """Take out of diskcache's settings what it did not write there; a line for each.

    diskcache runs every ``sqlite_…`` among them as a PRAGMA, and stops at others with a KeyError.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=_TIMEOUT_S)) as database, database:
        database.text_factory = _text
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'Cache'").fetchone():
            return []
        database.execute("CREATE TABLE IF NOT EXISTS Settings (key TEXT NOT NULL UNIQUE, value)")
        rows = database.execute("SELECT rowid, key, value FROM Settings").fetchall()
        foreign = [(row, key) for row, key, value in rows if not _is_setting(key, value)]
        database.executemany("DELETE FROM Settings WHERE rowid = ?", [(row,) for row, _ in foreign])
    kept = {key for _, key, _ in rows}
    missing = [f"the setting {name!r} was missing and is restored"
               for name in METADATA if name not in kept]  # fmt: skip
    return [f"the setting {key!r} was foreign and is reset" for _, key in foreign] + missing


def _is_setting(key: object, value: object) -> bool:
    if key in METADATA or key in _CHOSEN:
        return type(value) is int and value >= 0
    return key in DEFAULT_SETTINGS and value == DEFAULT_SETTINGS[key]


def _own(directory: Path) -> None:
    """Raises: ConfigError: it is refused, or a file in it; OSError: it cannot be made."""
    try:
        held = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
        # A directory of other things that is named for the store keeps its mode.
        make_private(directory, is_ours=not held or _FILES[0] in held)
        for name in _FILES:  # the log and the index get the mode of the database from SQLite
            if name == _FILES[0] or os.path.lexists(directory / name):
                os.close(open_private(directory / name, os.O_RDONLY))
    except NotPrivateError as error:
        raise ConfigError(
            "orchestrator.cache.directory",
            f"{error.filename!r} cannot be used: {error.strerror}",
            fix="Name a directory of your own in ORCHESTRATOR_CACHE_DIR, or set cache.mode: off.",
        ) from error


def _set_aside(directory: Path) -> Path:
    """Move a damaged database away, so that what can be saved of it is still there."""
    aside = directory / f"damaged-{stamp().replace(':', '-')}"
    make_private(aside)
    for name in reversed(_FILES):  # the log of a new database must not be moved with the old one
        if (directory / name).exists():
            (directory / name).rename(aside / name)
    return aside
