"""The journal of a batch: what was asked and answered, in one SQLite file, by request.

A request is ``in_flight`` before it is asked, and ``done`` or ``failed`` with its answer before its
row is written. The file is held by one process; a kill of it leaves nothing to clean up.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestrator.ledger.private import open_private
from orchestrator.types.bill import Taken
from orchestrator.types.errors import ConfigError
from orchestrator.types.visible import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.client.batch.operations import BatchOutcome, PreparedRow

_APPLICATION_ID = 0x6F626A31
_LAYOUT = 1
_WAIT_S = 1.0  # for another process; one that was killed holds nothing
_TABLES = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY, state TEXT NOT NULL, usd REAL NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS paid (key TEXT PRIMARY KEY, body TEXT NOT NULL);
"""
_OF_THIS_RUN = """
PRAGMA temp_store = FILE;
CREATE TEMP TABLE written (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE seen (key TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
"""
_COUNT = """
INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n
"""
_ASK = """
INSERT INTO requests (key, state) VALUES (?, 'in_flight')
ON CONFLICT DO UPDATE SET state = 'in_flight' WHERE state = 'pending' RETURNING 1
"""
_END = """
UPDATE requests SET state = ?, usd = usd + ?, tokens = tokens + ?, calls = calls + ? WHERE key = ?
"""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A row whose result is not in the output yet.

    Attributes:
        key: its identity and how many equal rows came before it; unique in the output.
        is_first: whether no earlier row asked the same, so that this one shows what it cost.
    """

    row: PreparedRow
    key: str
    is_first: bool


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """What the journal knows of a request.

    Attributes:
        state: ``done`` or ``failed``, with its `body`; ``asked``: it is in flight; ``new``: its
            intent is written, so that it may be asked now, with what was `paid` for it as `body`.
    """

    state: Literal["done", "failed", "asked", "new"]
    body: str = ""


class Journal:
    """Requests and their answers. Blocks; threads take turns.

    Attributes:
        is_in_order: whether the rows that the output holds, and those that come after them, have
            been read in the order in which they stand there.
    """

    def __init__(self, path: Path | None, job: Mapping[str, str]) -> None:
        """Open or make the journal of a job; without `path` it lasts as long as the process.

        Raises: ConfigError: it is another job's, in use, or not a journal; OSError: it cannot be
            written.
        """
        self.path = path
        self._turn = threading.RLock()
        self.is_in_order, self._last = True, -1.0  # place in the output of the row read last
        name = "" if path is None else str(path)  # "": a file that SQLite removes
        if path is not None:
            os.close(open_private(path, os.O_RDWR, is_named=True))
        self._db = sqlite3.connect(
            name, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            with self._errors_named():
                self._open(job)
        except BaseException:
            self._db.close()
            raise

    def _open(self, job: Mapping[str, str]) -> None:
        run = self._db.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        mark, layout = (
            run(f"PRAGMA {n}").fetchone()[0] for n in ("application_id", "user_version")
        )
        is_new = not run("SELECT 1 FROM sqlite_master").fetchone()
        if not is_new and (mark, layout) != (_APPLICATION_ID, _LAYOUT):
            raise self._error("it is not a journal of this version", "Name another file.")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")  # an answer that is paid for survives a power cut
        run("BEGIN EXCLUSIVE")
        run(f"PRAGMA application_id = {_APPLICATION_ID}")
        run(f"PRAGMA user_version = {_LAYOUT}")
        for statement in _TABLES.split(";"):
            run(statement)
        self._require_job(job)
        run("COMMIT")
        self._db.executescript(_OF_THIS_RUN)

    def _require_job(self, job: Mapping[str, str]) -> None:
        stated = self.note("job")
        if stated is None:
            self.note("job", json.dumps(job))
            return
        before = json.loads(stated)
        if differs := [n for n in {**before, **job} if before.get(n) != job.get(n)]:
            said = "; ".join(
                f"{n} was {before.get(n)!r} and is {job.get(n)!r}" for n in sorted(differs)
            )
            raise self._error(
                f"it is of another job: {said}",
                "Go on with what it was begun with, or name another --output and --journal.",
            )

    def _error(self, problem: str, fix: str) -> ConfigError:
        return ConfigError(f"the journal {self.path}", problem, fix=fix)

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            with self._turn:
                yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                fix = "Wait for it, stop it, or name another --output and --journal."
                raise self._error("another process works on it", fix) from None
            if code == sqlite3.SQLITE_NOTADB:
                raise self._error("it is not a journal", "Name another file.") from None
            way = ""
            if code == sqlite3.SQLITE_CORRUPT:
                way = ". Move it away; rows that the output holds are not asked again without it"
            raise OSError(f"the journal {self.path} cannot be used: {error}{way}") from error

    def note(self, name: str, value: str | None = None) -> str | None:
        """What is noted under a name; with `value` it is noted. For engines: what they must know
        again after a kill."""
        with self._errors_named():
            if value is not None:
                self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))
                return value
            found = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
            return found[0] if found else None

    def interrupted(self, *, is_paid: bool = True) -> tuple[Taken, int]:
        """What all requests took so far, and how many were in flight when the last run ended.

        Those may be asked again. Each counts as a call, and as what a request took on average,
        because a process that was killed cannot say what its calls took; unless not `is_paid`,
        where what is bought is known otherwise.
        """
        with self._errors_named():
            run = self._db.execute
            (left,) = run("SELECT count(*) FROM requests WHERE state = 'in_flight'").fetchone()
            sums = "total(usd), total(tokens), total(calls), count(*)"
            over = f"SELECT {sums} FROM requests WHERE calls > 0"
            usd, tokens, calls, n = run(over).fetchone()
            if left and not is_paid:
                run("UPDATE requests SET state = 'pending' WHERE state = 'in_flight'")
            elif left:
                usd, tokens = usd + left * usd / max(n, 1), tokens + left * tokens / max(n, 1)
                calls += left
                again = (usd / calls, int(tokens / calls))
                run(
                    "UPDATE requests SET state = 'pending', usd = usd + ?, tokens = tokens + ?,"
                    " calls = calls + 1 WHERE state = 'in_flight'",
                    again,
                )
            return Taken(usd, int(tokens), int(calls)), left

    def keys(self, *states: str) -> set[str]:
        """The keys of requests in these states."""
        with self._errors_named():
            marks = ", ".join("?" * len(states))
            found = self._db.execute(f"SELECT key FROM requests WHERE state IN ({marks})", states)
            return {key for (key,) in found}

    def is_over(self, key: str) -> bool:
        """Whether the answer of a request is kept here."""
        with self._errors_named():
            found = self._db.execute("SELECT 1 FROM answers WHERE key = ?", (key,))
            return found.fetchone() is not None

    def forget_failed(self) -> int:
        """Let failed requests be asked again; how many there are."""
        with self._errors_named():
            run = self._db.execute
            run("DELETE FROM answers WHERE key IN (SELECT key FROM requests WHERE state='failed')")
            return run("UPDATE requests SET state='pending' WHERE state='failed'").rowcount

    def set_written(self, keys: Iterable[str]) -> None:
        """Say which rows the output holds."""
        with self._errors_named():
            self._db.execute("BEGIN")
            rows = ((key, at) for at, key in enumerate(keys))
            self._db.executemany("INSERT OR IGNORE INTO written VALUES (?, ?)", rows)
            self._db.execute("COMMIT")

    def step(
        self,
        ended: Sequence[tuple[str, BatchOutcome]],
        taken: Sequence[PreparedRow],
        wanted: Sequence[str],
    ) -> tuple[list[Numbered | None], list[KnownRequest]]:
        """In one transaction: keep answers, number rows that were read, write intents.

        Returns the rows with None for those that the output holds already, and what is known of
        each request that is `wanted`, by its key.
        """
        with self._errors_named():
            self._db.execute("BEGIN")
            try:
                for key, outcome in ended:
                    self._end(key, outcome)
                rows = [self._numbered(row) for row in taken]
                found = [self._begin(key) for key in wanted]
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # of a full disk SQLite has rolled it back itself
                    self._db.execute("ROLLBACK")
                raise
        return rows, found

    def _end(self, key: str, outcome: BatchOutcome) -> None:
        took = outcome.taken
        self._db.execute(_END, (outcome.status, took.usd, took.tokens, took.calls, key))
        if outcome.paid:
            self._db.execute("INSERT OR REPLACE INTO paid VALUES (?, ?)", (key, outcome.paid))
        elif outcome.status == "done":
            self._db.execute("DELETE FROM paid WHERE key = ?", (key,))
        if outcome.status != "pending":
            body = json_text(outcome.body)
            self._db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, body))

    def _numbered(self, row: PreparedRow) -> Numbered | None:
        run = self._db.execute
        (n,) = run(_COUNT, (row.identity,)).fetchone()
        of_request = 1
        if row.request is not None:
            (of_request,) = run(_COUNT, (f"request {row.request.key}",)).fetchone()
        key = f"{row.identity}-{n}"
        if found := run("SELECT at FROM written WHERE key = ?", (key,)).fetchone():
            self.is_in_order &= found[0] > self._last
            self._last = found[0]
            return None
        self._last = math.inf  # it comes after all of them
        return Numbered(row, key, of_request == 1)

    def _begin(self, key: str) -> KnownRequest:
        run = self._db.execute
        if run(_ASK, (key,)).fetchone():
            kept = run("SELECT body FROM paid WHERE key = ?", (key,)).fetchone()
            return KnownRequest("new", kept[0] if kept else "")
        (state,) = run("SELECT state FROM requests WHERE key = ?", (key,)).fetchone()
        if state == "in_flight":
            return KnownRequest("asked")
        (body,) = run("SELECT body FROM answers WHERE key = ?", (key,)).fetchone()
        return KnownRequest(state, body)

    def close(self) -> None:
        """Close the file, after what another thread is at: SQLite would free it under its hands."""
        with self._turn:
            self._db.close()
