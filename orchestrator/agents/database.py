"""The tables of conversations, in SQLite or PostgreSQL, and the steps from version to version."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.agents.errors import DatabaseError
from orchestrator.ledger.private import make_private, open_private
from orchestrator.types.errors import ConfigError, MissingExtraError

try:
    import sqlalchemy as sa
    from sqlalchemy import event
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
except ModuleNotFoundError as error:
    raise MissingExtraError("A memory of conversations", "server") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: How long a statement waits for another process that writes.
_TIMEOUT_S = 30.0
#: Any number: who migrates holds PostgreSQL's lock of this number.
_MIGRATION_LOCK = 771_934_502

_GONE = (
    "the database of conversations cannot be used now: {words}. What was asked is kept as far as it"
    " was written; send it again with its key once the database is back."
)
_READS = "orchestrator_reads"
#: The lock of a SQLite engine's writers.
_WRITERS = "orchestrator_writers"

metadata = sa.MetaData()


class _JSONText(sa.types.TypeDecorator[Any]):
    """JSON as text: the same in both databases, and characters that PostgreSQL refuses escaped."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: object) -> str | None:
        del dialect
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: object) -> Any:
        del dialect
        return None if value is None else json.loads(value)


class _Name(_JSONText):
    """A name or an id as it is, with what a database refuses escaped as in JSON."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: object) -> str | None:
        return None if value is None else json.dumps(value)[1:-1]

    def process_result_value(self, value: str | None, dialect: object) -> Any:
        return None if value is None else json.loads(f'"{value}"')


conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("id", _Name, primary_key=True),
    sa.Column("tenant", _Name, nullable=False),
    sa.Column("user_id", _JSONText, nullable=False),
    sa.Column("persona_id", _Name, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("turns", sa.Integer, nullable=False, default=0),
    sa.Column("summed_to", sa.Integer, nullable=False, default=0, server_default="0"),
    sa.Index("conversations_of_a_user", "tenant", "user_id", "persona_id", "started_at"),
    sa.Index("conversations_by_time", "tenant", "started_at"),
)

#: `state` is ``asked``, ``answered`` or ``failed``. `asked` holds what the call gave, then the
#: messages as they are sent, until the answer is there: asked again, it must be the same question.
turns = sa.Table(
    "turns",
    metadata,
    sa.Column("id", _Name, primary_key=True),
    sa.Column("conversation_id", sa.ForeignKey("conversations.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("tenant", _Name, nullable=False),
    sa.Column("key", _JSONText),
    sa.Column("message", _JSONText, nullable=False),
    sa.Column("asked", _JSONText),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("partial", _JSONText),
    sa.Column("answer", _JSONText),
    sa.Column("details", _JSONText, nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("answered_at", sa.Float),
    sa.Column("owner", sa.String(32)),
    sa.UniqueConstraint("conversation_id", "number"),
    sa.UniqueConstraint("tenant", "key"),
    sa.Index("turns_in_flight", "state", "asked_at"),
)

#: One remembered sentence with the turns that it rests on; never made from another sentence.
sentences = sa.Table(
    "sentences",
    metadata,
    sa.Column("id", _Name, primary_key=True),
    sa.Column("conversation_id", sa.ForeignKey("conversations.id"), nullable=False),
    sa.Column("from_turn", sa.Integer, nullable=False),
    sa.Column("to_turn", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("text", _JSONText, nullable=False),
    sa.Column("said_by", sa.String(16), nullable=False),
    sa.Column("turns", _JSONText, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
    sa.UniqueConstraint("conversation_id", "from_turn", "position"),
)

#: Keys of tenants; what is kept of a secret is its hash.
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("usd_per_day", sa.Float),
    sa.Column("rpm", sa.Integer),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("revoked_at", sa.Float),
)

schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer))


def _summed_to(connection: sa.Connection) -> None:
    connection.exec_driver_sql(
        "ALTER TABLE conversations ADD COLUMN summed_to INTEGER DEFAULT 0 NOT NULL"
    )
    connection.exec_driver_sql(
        "UPDATE conversations SET summed_to = COALESCE((SELECT MAX(to_turn) FROM sentences"
        " WHERE conversation_id = conversations.id), 0)"
    )


def _owner(connection: sa.Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE turns ADD COLUMN owner VARCHAR(32)")
    connection.exec_driver_sql(
        "CREATE INDEX conversations_by_time ON conversations (tenant, started_at)"
    )


#: Each step makes the next version of tables that are there, from version 1 on; a step that was
#: released is never changed. New tables are made as they are now.
_STEPS: tuple[Callable[[sa.Connection], None], ...] = (_summed_to, _owner)
#: The version of the tables above.
_VERSION = len(_STEPS) + 1


def open_database(url: str) -> sa.Engine:
    """The database at a URL of SQLAlchemy's, or a path of a SQLite file; its tables are made or
    brought to this version.

    Raises:
        ConfigError: the URL is not one, names another database, a newer version made its tables,
            or it cannot be used: no rights, no room, not running, a file that others may write.
        MissingExtraError: PostgreSQL's driver is missing.
    """
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            _migrate(connection)
    except sa.exc.DBAPIError as error:
        engine.dispose()
        words = " ".join(str(error.orig).split()).partition(" Is the server running")[0]
        if password := engine.url.password:
            words = words.replace(str(password), "***")
        raise _unusable(engine.url.set(query={}).render_as_string(), words) from None
    event.listen(engine, "handle_error", _say)
    return engine


def _unusable(place: str, words: str) -> ConfigError:
    fix = "See that you may write there and that there is room"
    if place.startswith("postgresql"):
        fix = "See that it runs, and that user, password and name are right"
    return ConfigError("database", f"{place} cannot be used: {words.rstrip('.')}",
                       fix=f"{fix}, or name another one under server.database.")  # fmt: skip


def _say(context: sa.engine.ExceptionContext) -> None:
    """What is not a fault of a statement is said as an error of this package."""
    if isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError):
        words = " ".join(str(context.original_exception).split())[:300]
        raise DatabaseError(_GONE.format(words=words)) from None


def reading(engine: sa.Engine) -> sa.Connection:
    """A connection that only reads, and waits for no writer."""
    return engine.connect().execution_options(**{_READS: True})


@contextlib.contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that writes; SQLite's writers of one process come one after another.

    SQLite has those that wait sleep between their attempts, so that one could wait for many.
    """
    in_turn = engine.get_execution_options().get(_WRITERS) or threading.Lock()
    if not in_turn.acquire(timeout=_TIMEOUT_S):
        raise DatabaseError(_GONE.format(words="the writers before this one take too long"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        in_turn.release()


def close_database(engine: sa.Engine) -> None:
    """Close the connections, and those that are in use once they are given back."""
    event.listen(engine.pool, "checkin", lambda _, held: held.close())
    engine.dispose()


def _engine(url: str) -> sa.Engine:
    try:
        named = make_url(url if "://" in url else f"sqlite:///{url}")
    except (ArgumentError, ValueError):  # whose words may hold a part of the password
        fix = (
            "Use a path, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; in a password"
            " write : as %3A, / as %2F and @ as %40."
        )
        raise ConfigError("database", "is not a URL of a database", fix=fix) from None
    try:
        if named.drivername == "sqlite":
            return _sqlite(named)
        if named.drivername in ("postgresql", "postgresql+psycopg"):
            named = named.set(drivername="postgresql+psycopg")
            # Messages are parameters: no exception shows them.
            return sa.create_engine(
                named, pool_size=8, max_overflow=8, pool_pre_ping=True, hide_parameters=True
            )
    except ModuleNotFoundError as error:
        raise MissingExtraError("PostgreSQL", "server") from error
    raise ConfigError("database", f"{named.drivername} is not supported",
                      fix="Use sqlite:///FILE or postgresql://…")  # fmt: skip


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.database in (None, "", ":memory:"):
        raise ConfigError("database", "a database in memory forgets every turn", fix="Name a file.")
    try:
        path = Path(str(url.database)).expanduser().resolve()
        make_private(path.parent)
        os.close(open_private(path, os.O_RDWR))
        opened = path.stat()
    except OSError as error:
        raise _unusable(error.filename or str(url.database), error.strerror or str(error)) from None
    except (ValueError, RuntimeError) as error:  # a NUL, a home of nobody
        raise _unusable(repr(url.database), str(error)) from None
    engine = sa.create_engine(
        url.set(database=str(path)), connect_args={"timeout": _TIMEOUT_S}, hide_parameters=True,
        execution_options={_WRITERS: threading.Lock()},
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # no BEGIN of the driver's own
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "do_connect")
    @event.listens_for(engine, "checkout")
    def is_there(*_: object) -> None:
        # SQLite would make another file, or write into one that is gone when the process ends.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), opened):
                return
        words = "its file was removed, or another one is in its place; put it back or start again"
        raise DatabaseError(_GONE.format(words=words))

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that reads first and then writes would fail where another wrote between.
        if not connection.get_execution_options().get(_READS):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _migrate(connection: sa.Connection) -> None:
    schema_version.create(connection, checkfirst=True)
    version = connection.execute(sa.select(sa.func.max(schema_version.c.version))).scalar() or 0
    if version > _VERSION:
        raise ConfigError(
            "database", f"its tables are of version {version}, this package knows {_VERSION}",
            fix="Install the version of the package that made them, or name another database.",
        )  # fmt: skip
    if version == _VERSION:
        return
    if version == 0:
        there = set(sa.inspect(connection).get_table_names()) & set(metadata.tables)
        if there - {schema_version.name}:
            raise ConfigError("database", f"holds tables of something else: {', '.join(there)}",
                              fix="Name another database.")  # fmt: skip
        metadata.create_all(connection)
    else:
        for step in _STEPS[version - 1 :]:
            step(connection)
    connection.execute(sa.delete(schema_version))
    connection.execute(sa.insert(schema_version).values(version=_VERSION))
