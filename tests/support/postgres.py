"""A real PostgreSQL on a socket of its own, for as long as the tests run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """Where PostgreSQL's programs are; None where it is not installed."""
    if found := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).resolve().parent if named else None


class Postgres:
    """A server that may be stopped as by a crash, and started again over the same data."""

    def __init__(self, found: Path, directory: Path) -> None:
        self._found, self._directory = found, directory
        self._as_user = _other_user(directory)
        #: of a database whose name is to be filled in
        self.url = f"postgresql://tests@/{{database}}?host={directory}"
        subprocess.run(
            [*self._as_user, found / "initdb", "-D", directory / "data", "-U", "tests", "-A",
             "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"],
            check=True, capture_output=True, cwd=directory,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._server = subprocess.Popen(
            [*self._as_user, self._found / "postgres", "-D", self._directory / "data", "-k",
             self._directory, "-c", "listen_addresses=", "-c", "fsync=off", "-c",
             "max_connections=60"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._directory,
        )  # fmt: skip
        _wait(self._found, str(self._directory))

    def stop(self, by: signal.Signals = signal.SIGINT) -> None:
        """Stop it; SIGQUIT at once, as ``pg_ctl stop -m immediate``.

        SIGTERM would wait for a client that stays.
        """
        self._server.send_signal(by)
        self._server.wait(20)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server whose data is removed at the end."""
    found = programs()
    assert found is not None
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        server = Postgres(found, Path(name))
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres_server() -> Iterator[str]:
    """A URL without a database's name, of a server whose data is removed at the end."""
    with running_postgres() as server:
        yield server.url


def _other_user(directory: Path) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    shutil.chown(directory, "nobody")
    return ["setpriv", "--reuid=nobody", "--clear-groups", "--"]


def _wait(found: Path, directory: str) -> None:
    for _ in range(200):
        ready = subprocess.run(
            [found / "pg_isready", "-h", directory, "-U", "tests", "-d", "postgres", "-q"],
            check=False,
        )
        if ready.returncode == 0:
            return
        time.sleep(0.05)
    raise TimeoutError("PostgreSQL did not start")
