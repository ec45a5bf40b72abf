"""Which process answers a turn, and whether that process lives.

A process that writes turns holds a lock that ends with it, however it ends: on a file beside
SQLite's, or one of a session of PostgreSQL.
"""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from orchestrator.agents.errors import DatabaseError
from orchestrator.ledger.private import private_lock

if TYPE_CHECKING:
    from collections.abc import Callable

#: PostgreSQL may have ended the session: so often it is looked.
_LOOK_S = 5.0


class Presence:
    """Says to others that this process lives."""

    def __init__(self, engine: sa.Engine) -> None:
        """Nothing is held before `hold`."""
        self.id = uuid.uuid4().hex
        self._engine = engine
        self._guard = threading.Lock()
        self._let_go: Callable[[], object] | None = None
        self._session: sa.Connection | None = None
        self._looked_at = 0.0

    def hold(self) -> str:
        """The name under which this process is known to live from now on.

        Raises: DatabaseError: there can be no lock.
        """
        with self._guard:
            if self._let_go is None or not self._is_held():
                self._looked_at = time.monotonic()
                self._let_go = self._held_session() if self._is_postgres else self._held_file()
        return self.id

    def release(self) -> None:
        """This process answers no turn any more."""
        with self._guard:
            if self._let_go is not None:
                self._let_go()
            self._let_go = self._session = None

    def lives(self, owner: str) -> bool:
        """Whether the process of that name holds its lock."""
        if self._is_postgres:
            free = sa.select(sa.func.pg_try_advisory_xact_lock(_number(owner)))
            with self._engine.begin() as connection:
                return not connection.execute(free).scalar()
        path = self._path(owner)
        if not path.exists():
            return False
        lock = private_lock(path)
        try:
            lock.acquire(blocking=False)
        except TimeoutError:
            return True
        path.unlink(missing_ok=True)
        lock.release()
        return False

    @property
    def _is_postgres(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    def _path(self, owner: str) -> Path:
        return Path(f"{self._engine.url.database}-{owner}.lock")

    def _held_file(self) -> Callable[[], object]:
        path = self._path(self.id)
        try:
            lock = private_lock(path)
            lock.acquire(blocking=False)
        except OSError as error:
            raise DatabaseError(f"{path} cannot be locked: {error.strerror or error}") from None

        def let_go() -> None:
            path.unlink(missing_ok=True)
            lock.release()

        return let_go

    def _held_session(self) -> Callable[[], object]:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()  # it ends when it is closed, and its lock with it
        session.execute(sa.select(sa.func.pg_advisory_lock(_number(self.id))))
        self._session = session
        return session.close

    def _is_held(self) -> bool:
        if self._session is None or time.monotonic() - self._looked_at < _LOOK_S:
            return True
        self._looked_at = time.monotonic()
        try:
            self._session.execute(sa.select(1))
        except DatabaseError:
            return False
        return True


def _number(owner: str) -> int:
    return int(owner[:15], 16)
