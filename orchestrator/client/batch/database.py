"""PostgreSQL between a coordinator and its workers: what both agree on, and who is there."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import DBOSClient
from dbos import _serialization as forms
from sqlalchemy.exc import ArgumentError

from orchestrator.types.errors import ConfigError

T = TypeVar("T")
_LOG = logging.getLogger("orchestrator.batch")
SCHEMA = "orchestrator_batch"
APPLICATION = "orchestrator"
#: Raised when workers of another version must not take rows.
VERSION = "2"
#: Holds one entry for each job, which stays there until the job has ended.
JOBS = "jobs"
#: Seconds after which a worker counts as dead whose lock is free, and a row as never begun, by a
#: connection that held.
GRACE_S = 10.0
_DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")  # libpq takes the first two
_SECRET = ("password", "sslpassword")  # what a query of a URL may hold, for libpq
_KEEPALIVE = {"tcp_keepalives_idle": 5, "tcp_keepalives_interval": 2, "tcp_keepalives_count": 3}


_PRESENT = sa.text(
    "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database"
    " WHERE datname = current_database() AND locktype = 'advisory' AND mode = 'ShareLock'"
    " AND granted AND classid::bigint = :high AND objid::bigint = :low AND objsubid = 1"
)


_TAKE_BACK = sa.text(
    f"WITH rows AS (DELETE FROM {SCHEMA}.workflow_status WHERE queue_name = :queue"
    " AND status = 'ENQUEUED' RETURNING workflow_uuid), inputs AS ("
    f"DELETE FROM {SCHEMA}.workflow_input USING rows"
    " WHERE workflow_input.workflow_uuid = rows.workflow_uuid) SELECT workflow_uuid FROM rows"
)


class JsonSerializer(forms.Serializer):
    """JSON where DBOS would pickle: who can write to the database runs no code in workers."""

    def serialize(self, data: Any) -> str:
        """The text of a value; an exception is its `repr`."""
        return json.dumps(data, default=repr)

    def deserialize(self, serialized_data: str) -> Any:
        """The value of a text."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """What DBOS writes beside each value."""
        return "json"


def database_url(text: str) -> sa.URL:
    """The URL of a PostgreSQL database.

    Raises: ConfigError: it is not one; its words hold nothing of the URL.
    """
    fix = "Write postgresql://USER@HOST/NAME; in a password write : as %3A, / as %2F and @ as %40."
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError("--database", "is not a URL of a database", fix=fix) from None
    if url.drivername not in _DRIVERS or not url.database:
        raise ConfigError("--database", "is not a PostgreSQL database with a name", fix=fix)
    return url.set(drivername="postgresql+psycopg")


def without_password(text: str) -> str:
    """The URL of a database as others may see it, and use it who have a password of their own.

    Raises: ConfigError: as `database_url`.
    """
    url = database_url(text)
    query = {name: value for name, value in url.query.items() if name not in _SECRET}
    made = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    return made.render_as_string(hide_password=False)


def said_by(error: sa.exc.DBAPIError) -> str:
    """What the driver says, on one line."""
    return " ".join(str(error.orig).split()).partition(" Is the server running")[0].rstrip(".")


def unusable(error: sa.exc.DBAPIError) -> ConfigError:
    """What a user can do about a database that refuses."""
    fix = (
        "See that PostgreSQL runs there, that user, password and database are right, and that the"
        " user may make a schema, or may use the one that is there."
    )
    return ConfigError("--database", f"it cannot be used: {said_by(error)}", fix=fix)


def engine_of(url: sa.URL) -> sa.Engine:
    """Connections to a database; rows are parameters, and no exception shows them."""
    log = logging.getLogger("dbos")
    if not log.handlers:  # DBOS would add one that prints
        log.addHandler(logging.NullHandler())
    log.setLevel(logging.WARNING)
    engine = sa.create_engine(
        url, pool_size=12, max_overflow=0, pool_pre_ping=True, hide_parameters=True,
        connect_args={"connect_timeout": 10},
    )  # fmt: skip
    sa.event.listen(engine, "handle_error", _no_connection)
    return engine


def _no_connection(error: sa.ExceptionContext) -> None:
    """Without a connection there is one to wait for, in whatever words the driver says it.

    DBOS waits where it knows the words; "connection is bad", which a missing socket gives, it takes
    for the error of a statement, and drops the answer of a row that it was about to keep.
    """
    if error.connection is None:
        error.is_disconnect = True


def client_of(engine: sa.Engine) -> DBOSClient:
    """Enqueues and lists; an error of the connection is raised, not waited for."""
    return DBOSClient(
        system_database_engine=engine, dbos_system_schema=SCHEMA, serializer=JsonSerializer(),
        application_name=APPLICATION, retry_connection_errors=False,
    )  # fmt: skip


class AdvisoryLock:
    """Shows that a process is there: a lock that PostgreSQL drops with the process's connection.

    With `at` it is one of those that `present_at` counts, too. Blocks; used by one thread at a
    time.
    """

    def __init__(self, engine: sa.Engine, name: str, at: str = "") -> None:
        self._engine, self._number, self._at = engine, _number(name), at
        self._connection: sa.Connection | None = None

    def keep(self) -> bool:
        """Take the lock, or see that it is held still; False where another process has it.

        Raises: DBAPIError: the database cannot be reached; the lock is lost.
        """
        if self._connection is not None:
            try:
                self._connection.execute(sa.text("SELECT 1"))
            except sa.exc.DBAPIError:
                self.close()
                raise
            return True
        made = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if _ask(made, "pg_try_advisory_lock", self._number):
            for name, seconds in _KEEPALIVE.items():  # else a power cut is seen after two hours
                made.execute(sa.text(f"SET {name} = {seconds}"))
            if self._at:
                _ask(made, "pg_try_advisory_lock_shared", _number(self._at))
            self._connection = made
            return True
        made.close()
        return False

    def close(self) -> None:
        """Give the lock back."""
        made, self._connection = self._connection, None
        if made is not None:
            made.invalidate()  # a connection that went back to the pool would hold it still
            made.close()


def is_present(engine: sa.Engine, name: str) -> bool:
    """Whether a process holds that name now.

    Raises: DBAPIError: the database cannot be reached.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not _ask(connection, "pg_try_advisory_lock_shared", _number(name)):
            return True
        _ask(connection, "pg_advisory_unlock_shared", _number(name))
        return False


def present_at(engine: sa.Engine, place: str) -> int:
    """How many processes are present there now.

    Raises: DBAPIError: the database cannot be reached.
    """
    number = _number(place) % 2**64
    with engine.connect() as connection:
        halves = {"high": number >> 32, "low": number % 2**32}
        return int(connection.execute(_PRESENT, halves).scalar() or 0)


def take_back(engine: sa.Engine, queue: str) -> list[str]:
    """Delete the rows of a queue that no worker has begun, and give their ids.

    A worker that takes one at the same moment either has it, and it stays, or comes too late.

    Raises: DBAPIError: the database cannot be reached.
    """
    with engine.begin() as connection:
        return list(connection.execute(_TAKE_BACK, {"queue": queue}).scalars())


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _ask(connection: sa.Connection, function: str, number: int) -> bool:
    return bool(connection.execute(sa.text(f"SELECT {function}(:n)"), {"n": number}).scalar())


async def insist(call: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call in a thread, again and again while the database cannot be reached.

    Raises: ConfigError: it refuses otherwise, as where its tables are gone.
    """
    while True:
        try:
            made = await asyncio.to_thread(call, *arguments, **named)
        except sa.exc.DBAPIError as error:
            if not (error.connection_invalidated or isinstance(error, sa.exc.OperationalError)):
                raise unusable(error) from None
            _OUTAGE.begins(said_by(error))
            await asyncio.sleep(1.0)
        else:
            _OUTAGE.ends()
            return made


@dataclass
class _Outage:
    """Says once that the database is away, and when it is back, however many calls wait."""

    is_said: bool = False

    def begins(self, why: str) -> None:
        if not self.is_said:
            _LOG.warning("the database cannot be reached, and is waited for: %s", why)
        self.is_said = True

    def ends(self) -> None:
        if self.is_said:
            _LOG.warning("the database is back")
        self.is_said = False


_OUTAGE = _Outage()  # of the process, as its connections are
