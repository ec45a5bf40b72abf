"""Fixtures: SQLite always, PostgreSQL where it is installed."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.postgres import postgres_server, programs


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed; Debian's package is postgresql")
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/memory.db"
        return
    template = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    url = template.format(database="postgres").replace("postgresql:", "postgresql+psycopg:")
    # A connection that is kept would be one to a server that was restarted since.
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield template.format(database=name)
    # A server that an interrupt has reached before is gone, and its directory is removed with it.
    with contextlib.suppress(sa.exc.OperationalError), admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
