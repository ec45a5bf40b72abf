"""Databases of strangers: any text has its place, and errors hold no secret."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator import ConfigError
from orchestrator.agents.database import conversations, open_database, reading
from orchestrator.agents.errors import DatabaseError, NotFoundError
from orchestrator.agents.memory import Memory
from orchestrator.cli.main import main
from tests.support.examples import share_of

_WORDS = ("\0", "\ud800", "a'; drop table turns; --", 'a"\\', "é" * 200, "\U0001f600" * 200, "%_")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret@127.0.0.1:1/db",
        "postgresql://u:s3cret@127.0.0.1:99999/db",
        "postgresql://u:p@ss:s3cret@h/db",
        "postgresql://u:s3cret@h:port/db",
        "postgresql://u:s3cret@/db?host=/nowhere&passwort=s3cret",
        "postgresql+asyncpg://u:s3cret@h/db",
        "sqlite+aiosqlite:///s3cret.db",
        "mysql://u:s3cret@h/db",
        "sqlite://",
        "",
    ],
)
def test_a_wrong_url_is_said_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^database: .*\. \w") as caught:
        open_database(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_file_of_another_kind_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / "notes.db"
    path.write_bytes(b"not a database, but a letter" * 50)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"notes.db cannot be used: file is not a data"):
        open_database(str(path))
    assert path.read_bytes().startswith(b"not a database, but a letter")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE turns (mine)")
    connection.close()
    other.chmod(0o600)
    with pytest.raises(ConfigError, match=r"database: .*tables of something else"):
        open_database(str(other))


@pytest.mark.parametrize("command", [["memory", "audit"], ["serve", "--port", "0"]])
@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("{own}/file/memory.db", "{own}/file cannot be used: it is a link"),
        ("/proc/none/memory.db", "/proc/none cannot be used: No such file"),
        ("{own}/" + "x" * 300, "x cannot be used: File name too long"),
        ("{own}/a\0b", "cannot be used: embedded null"),
        ("~nobody-of-this-name/memory.db", "cannot be used: Could not determine home"),
        ("{own}/letter.db", "{own}/letter.db cannot be used: file is not a database"),
        ("postgresql://u:s3cret@127.0.0.1:1/db",
         "u:***@127.0.0.1:1/db cannot be used: connection failed"),
        ("postgresql://u@127.0.0.1:1/db?password=s3cret",
         "u@127.0.0.1:1/db cannot be used: connection failed"),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_used_is_said_in_a_line(
    place: str, says: str, command: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    own = tmp_path / "own"
    own.mkdir(0o700)
    (own / "file").touch()
    (own / "letter.db").write_bytes(b"a letter" * 500)
    server = {"database": place.format(own=own), "audit": f"{own}/audit", "personas": f"{own}/p"}
    params = {"model": "openai/m", "api_key": "none"}
    models = [{"model_name": "chat", "litellm_params": params}]
    config = {"model_list": models, "orchestrator": {"server": server}}
    (own / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(own / "config.json"))
    assert main(command) == 2
    said = capsys.readouterr().err
    assert says.format(own=own) in said
    assert "or name another one under server.database." in said
    assert (said.count("\n"), "s3cret" in said) == (1, False)


def test_a_database_that_a_server_has_not_is_said(postgres: str) -> None:
    with pytest.raises(ConfigError, match=r'cannot be used: .*"none" does not exist\. See that'):
        open_database(postgres.format(database="none"))


def _pages(memory: Memory, size: int) -> Iterator[str]:
    page = memory.conversations(tenant="", limit=size)
    while page:
        yield from (one.id for one in page)
        last = page[-1]
        page = memory.conversations(
            tenant="", limit=size, before=last.started_at, before_id=last.id
        )


@settings(
    max_examples=share_of(20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    times=st.lists(st.sampled_from([0.0, 1.5, 1764173976.123457]), max_size=12),
    size=st.integers(1, 4),
)
def test_pages_have_each_conversation_once_whenever_it_began(
    times: list[float], size: int, database: str
) -> None:
    memory = Memory(database)
    with memory.engine.begin() as connection:
        connection.execute(sa.delete(conversations))
        for number, began in enumerate(times):
            connection.execute(
                sa.insert(conversations),
                {"id": f"{number * 7 % 12:x}-é", "tenant": "", "user_id": "ada",
                 "persona_id": "cherry", "started_at": began},
            )  # fmt: skip
    found = list(_pages(memory, size))
    assert found == [one.id for one in memory.conversations(tenant="")]
    assert len(set(found)) == len(times)
    memory.close()


@pytest.mark.parametrize("words", _WORDS)
def test_any_text_names_one_user_one_tenant_and_no_conversation(words: str, database: str) -> None:
    memory = Memory(database)
    with pytest.raises(NotFoundError):
        memory.conversation(words, tenant="")
    with pytest.raises(NotFoundError):
        memory.turn(words, tenant=words)
    made = memory.start(tenant=words, user_id=words, persona_id="cherry")
    memory.start(tenant=words + "x", user_id=words, persona_id="cherry")
    assert memory.conversation(made.id, tenant=words) == made
    assert memory.conversations(tenant=words, user_id=words) == [made]
    assert memory.conversations(tenant=words, user_id=words + "x") == []
    memory.close()


def test_all_processes_may_come_at_once(database: str) -> None:
    start = threading.Barrier(8)

    def opened(_: int) -> Any:
        start.wait()
        memory = Memory(database)
        try:
            return memory.conversations(tenant="")
        finally:
            memory.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(opened, range(8))) == [[]] * 8


def test_a_connection_in_use_is_closed_once_it_is_given_back(database: str) -> None:
    memory = Memory(database)
    with reading(memory.engine) as connection:
        used: Any = connection.connection.driver_connection
        connection.execute(sa.select(conversations))
        memory.close()
    with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError), match="closed"):
        used.execute("SELECT 1")


def test_a_file_that_was_removed_takes_no_turn_that_would_be_lost(tmp_path: Path) -> None:
    path, aside = tmp_path / "memory.db", tmp_path / "aside.db"
    memory = Memory(str(path))
    kept = memory.start(tenant="", user_id="u", persona_id="p")
    path.rename(aside)
    with pytest.raises(DatabaseError, match="its file was removed"):
        memory.start(tenant="", user_id="u", persona_id="p")
    path.touch()  # another one
    with pytest.raises(DatabaseError, match="another one is in its place"):
        memory.conversations(tenant="")
    aside.replace(path)
    memory.start(tenant="", user_id="u", persona_id="p")
    assert memory.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    memory.close()
    again = Memory(str(path))
    assert len(again.conversations(tenant="")) == 2
    assert again.conversation(kept.id, tenant="").id == kept.id
    again.close()


def test_of_one_process_a_single_writer_waits_for_another_process(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "memory.db"))
    together = threading.Barrier(9)

    def start(n: int) -> None:
        together.wait()
        memory.start(tenant="", user_id=str(n), persona_id="p")

    pool: Any = memory.engine.pool
    with sqlite3.connect(tmp_path / "memory.db") as other, ThreadPoolExecutor(8) as threads:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        asked = [threads.submit(start, n) for n in range(8)]
        together.wait()
        time.sleep(0.3)
        assert pool.checkedout() == 1
        assert memory.conversations(tenant="") == [], "who reads waits for nobody"
        other.execute("COMMIT")
        for one in asked:
            one.result(30)
    assert len(memory.conversations(tenant="")) == 8
    memory.close()
