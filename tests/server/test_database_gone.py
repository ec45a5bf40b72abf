"""A database that is full, or gone for a while: a 503 says so, and nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.service import served, service_config
from tests.support.wire import Reply, WireServer

pytestmark = pytest.mark.may_block
KEY = {"Idempotency-Key": "k"}


def test_a_full_disk_is_a_503_before_anything_is_asked(wire: WireServer, tmp_path: Path) -> None:
    wire.plan("chat", "yes")
    body = {"message": "x" * 30_000, "user_id": "ada"}
    with served(service_config(wire.base, tmp_path)) as running, running.client() as http:
        engine = running.service.memory.engine

        def full(connection: sa.Connection) -> None:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")

        sa.event.listen(engine, "begin", full)
        found = http.post("/api/llm/interact", json=body, headers=KEY)
        assert (found.status_code, found.json()["type"]) == (503, "urn:gmn:problem:database")
        assert "full" in found.json()["detail"]
        assert wire.requests == []
        sa.event.remove(engine, "begin", full)
        sa.event.listen(
            engine, "begin", lambda one: one.exec_driver_sql("PRAGMA max_page_count = 1000000")
        )
        assert http.post("/api/llm/interact", json=body, headers=KEY).status_code == 200
    assert len(wire.requests) == 1


@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_disk_that_fills_while_a_model_answers_loses_no_paid_answer(
    wire: WireServer, tmp_path: Path, *, is_streamed: bool
) -> None:
    config = service_config(wire.base, tmp_path)
    config["orchestrator"]["cache"]["mode"] = "off"  # whose disk is full, too
    body = {"message": "hello", "user_id": "ada", "stream": is_streamed}
    with served(config) as running, running.client() as http:
        engine = running.service.memory.engine

        def full(connection: sa.Connection) -> None:
            connection.exec_driver_sql("PRAGMA query_only = ON")

        def decide(_: object) -> Reply:
            sa.event.listen(engine, "begin", full)
            return Reply("paid for")

        wire.decide = decide
        for _ in range(2):  # the second time it is full before
            found = http.post("/api/llm/interact", json=body, headers=KEY)
            assert found.status_code == (200 if is_streamed else 503)
            assert "the database of conversations cannot be used now" in found.text
        sa.event.remove(engine, "begin", full)
        sa.event.listen(engine, "begin", lambda one: one.exec_driver_sql("PRAGMA query_only = OFF"))
        for _ in range(2):
            found = http.post("/api/llm/interact", json=body, headers=KEY)
            assert '"response":"paid for' in found.text
        assert running.service.agent("")._unkept == {}
    assert len(wire.requests) == 1


def test_a_stream_is_written_down_again_once_there_is_room(
    wire: WireServer, tmp_path: Path
) -> None:
    wire.plan("chat", Reply(" ".join(f"word{n}" for n in range(80)), trickle_s=0.1))
    body = {"message": "hello", "user_id": "ada", "stream": True}
    with served(service_config(wire.base, tmp_path)) as running, running.client() as http:
        memory = running.service.memory
        refused = 0

        def refuse(connection: sa.Connection) -> None:
            nonlocal refused
            connection.exec_driver_sql("PRAGMA query_only = ON")
            refused += 1

        with http.stream("POST", "/api/llm/interact", json=body) as response:
            lines = response.iter_lines()
            turn = next(line for line in lines if line.startswith("id: "))[4:40]
            next(line for line in lines if "word1" in line)
            sa.event.listen(memory.engine, "begin", refuse)
            while not refused:
                next(lines)
            next(line for line in lines if "word" in line)
            sa.event.remove(memory.engine, "begin", refuse)
            sa.event.listen(
                memory.engine, "begin", lambda one: one.exec_driver_sql("PRAGMA query_only = OFF")
            )
            while (found := memory.turn(turn, tenant="")).state != "answered":
                if "word9" in (found.partial or ""):
                    break
                time.sleep(0.05)
            assert "word9" in (found.partial or "")


def test_postgresql_may_go_and_come_back_while_a_model_answers(
    wire: WireServer, tmp_path: Path, postgres: str
) -> None:
    name = f"gone{tmp_path.parent.name.replace('-', '_')}"
    url = postgres.format(database="postgres").replace("postgresql:", "postgresql+psycopg:")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")

    def say(*statements: str) -> None:
        with admin.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    say(f"CREATE DATABASE {name}")

    def decide(_: object) -> Reply:
        say(
            f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        return Reply("paid for")

    wire.decide = decide
    body = {"message": "hello", "user_id": "ada"}
    config = service_config(wire.base, tmp_path, postgres.format(database=name))
    with served(config) as running, running.client() as http:
        for _ in range(2):  # while it is asked, and before
            found = http.post("/api/llm/interact", json=body, headers=KEY)
            assert (found.status_code, found.json()["type"]) == (503, "urn:gmn:problem:database")
        say(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        found = http.post("/api/llm/interact", json=body, headers=KEY)
        assert (found.status_code, found.json()["response"]) == (200, "paid for")
        wire.decide = None
        assert len(wire.requests) == 1
    say(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()
