"""Connections that wait, trickle, pipeline or leave, while others are served."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from orchestrator.agents import database
from tests.support.service import Served, program, served, service_config
from tests.support.wire import Reply, WireServer

pytestmark = pytest.mark.may_block
BODY = {"message": "hello", "user_id": "ada"}
KEY = {"Idempotency-Key": "k"}


@contextlib.contextmanager
def connections(port: int, many: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as held:
        yield [
            held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(many)
        ]


def test_hundreds_of_idle_and_trickling_connections_keep_nobody_out(
    wire: WireServer, running: Served
) -> None:
    wire.plan("chat", "yes")
    with connections(running.port, 700) as held, running.client() as http:
        for one in held[::2]:
            one.sendall(b"POST /api/llm/interact HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        time.sleep(1.5)
        held.append(socket.create_connection(("127.0.0.1", running.port)))
        found = http.post("/api/llm/interact", json=BODY)
        assert (found.status_code, found.json().get("response")) == (200, "yes"), found.text
        assert http.get("/readyz").status_code == 200


def test_requests_in_one_packet_are_answered_in_order(running: Served) -> None:
    ask = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connections(running.port, 1) as (one,):
        one.settimeout(30)
        one.sendall(ask % b"healthz" + ask % b"nowhere" + ask % b"readyz")
        seen = b""
        while seen.count(b"HTTP/1.1 ") < 3:
            seen += one.recv(65536)
    codes = [part[:3] for part in seen.split(b"HTTP/1.1 ")[1:]]
    assert codes == [b"200", b"404", b"200"]


def test_a_client_that_leaves_has_its_turn_kept_and_paid_once(
    wire: WireServer, running: Served
) -> None:
    wire.plan("chat", Reply("yes", delay_s=0.5))
    body = json.dumps(BODY).encode()
    with connections(running.port, 1) as (one,):
        one.sendall(
            b"POST /api/llm/interact HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        while not wire.asked("chat"):
            time.sleep(0.02)
    with running.client() as http:
        found = http.post("/api/llm/interact", json=BODY, headers=KEY).json()
        assert found["response"] == "yes"
        (talk,) = http.get("/api/conversations").json()
        (turn,) = http.get(f"/api/conversations/{talk['id']}/messages").json()
    assert (turn["id"], turn["state"]) == (found["interaction_id"], "answered")
    assert len(wire.asked("chat")) == 1


@pytest.mark.parametrize("last", ["x" * 60_000, "9" * 2000, "\xff", ":" * 500])
def test_an_odd_last_event_id_is_the_beginning(
    wire: WireServer, http: httpx.Client, last: str
) -> None:
    wire.plan("chat", "yes")
    turn_id = http.post("/api/llm/interact", json=BODY).json()["interaction_id"]
    headers = {b"Last-Event-ID": last.encode("latin-1")}
    found = http.get(f"/api/llm/turns/{turn_id}/events", headers=headers)
    assert found.status_code in (200, 400, 431)
    if found.status_code == 200:
        assert "RUN_STARTED" in found.text
        assert "RUN_FINISHED" in found.text


def test_a_stream_goes_on_at_a_second_process(wire: WireServer, tmp_path: Path) -> None:
    wire.plan("chat", Reply(" ".join("abcdefghijklmnopqrst"), trickle_s=0.3), "another answer")
    config = service_config(wire.base, tmp_path)
    with served(config) as first, served(config) as second:
        with (
            first.client() as http,
            http.stream("POST", "/api/llm/interact", json={**BODY, "stream": True}) as cut,
        ):
            last = heard = ""
            for line in cut.iter_lines():
                last = line[4:] if line.startswith("id: ") else last
                if "TEXT_MESSAGE_CONTENT" in line:
                    heard = json.loads(line[6:])["delta"]
                    break
        with second.client() as http:
            turn_id = last.partition(":")[0]
            rest = http.get(f"/api/llm/turns/{turn_id}/events", headers={"Last-Event-ID": last})
    events = [json.loads(line[6:]) for line in rest.text.splitlines() if line.startswith("data: ")]
    assert [one["type"] for one in events].count("TEXT_MESSAGE_START") == 0
    said = "".join(one["delta"] for one in events if one["type"] == "TEXT_MESSAGE_CONTENT")
    assert said, "the answer was cut"
    assert heard + said == events[-1]["result"]["response"]
    assert len(wire.asked("chat")) == 1


def test_a_database_that_another_process_locks_is_said_and_then_used(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_TIMEOUT_S", 0.5)
    wire.plan("chat", "yes")
    with served(service_config(wire.base, tmp_path)) as running, running.client() as http:
        other = sqlite3.connect(tmp_path / "memory.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        found = http.post("/api/llm/interact", json=BODY, headers=KEY)
        assert (found.status_code, found.json()["type"]) == (503, "urn:gmn:problem:database")
        assert "locked" in found.json()["detail"]
        assert http.get("/api/conversations").json() == []  # who only reads waits for nobody
        assert wire.requests == []
        other.rollback()
        other.close()
        assert http.post("/api/llm/interact", json=BODY, headers=KEY).status_code == 200


def test_a_database_that_may_not_be_written_is_said(wire: WireServer, running: Served) -> None:
    engine = running.service.memory.engine
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with running.client() as http:
        found = http.post("/api/llm/interact", json=BODY)
    assert (found.status_code, found.json()["type"]) == (503, "urn:gmn:problem:database")
    assert "readonly" in found.json()["detail"]
    assert wire.requests == []


@pytest.mark.slow
def test_as_many_calls_as_requests_are_in_flight(wire: WireServer, tmp_path: Path) -> None:
    many = 80  # `limits.parallel` is 64
    wire.plan("chat", Reply("yes", delay_s=60))
    with program(service_config(wire.base, tmp_path), tmp_path) as (_, url):
        for n in range(many):
            body = {**BODY, "user_id": f"user {n}"}
            asking = threading.Thread(target=_asked, args=(f"{url}/api/llm/interact", body))
            asking.daemon = True
            asking.start()
        until = time.monotonic() + 50  # before the first answer
        while len(wire.asked("chat")) < many and time.monotonic() < until:
            time.sleep(0.1)
    assert len(wire.asked("chat")) == many


def _asked(url: str, body: dict[str, str]) -> None:
    with contextlib.suppress(httpx.HTTPError):  # the service ends before it answers
        httpx.post(url, json=body, timeout=None, verify=False)
