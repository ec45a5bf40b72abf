"""The service ends within its time, and what was in flight is finished or handed back."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.agents.memory import Memory
from tests.support.service import program, served, service_config
from tests.support.wire import Reply, WireServer

pytestmark = pytest.mark.may_block
LONG = Reply(" ".join(f"word{n}" for n in range(400)), trickle_s=0.1)


def _begun(http: httpx.Client, url: str = "/api/llm/interact") -> Any:
    """A stream whose first words have come."""
    body = {"message": "hello", "user_id": "ada", "stream": True}
    stream = http.stream("POST", url, json=body, headers={"Idempotency-Key": "k"})
    lines = stream.__enter__().iter_lines()
    while "word1" not in next(lines):
        pass
    return stream, lines


def test_readers_and_turns_share_the_time_that_an_end_may_take(
    wire: WireServer, tmp_path: Path
) -> None:
    wire.plan("chat", LONG)
    config = service_config(wire.base, tmp_path, server={"shutdown_s": 6})
    with served(config) as running, running.client() as http:
        read = _begun(http)
        began = time.monotonic()
        running.stop()
        took = time.monotonic() - began
        del read
    assert 5 < took < 11, "twice the time was 12 seconds and more"
    (turn,) = _turns(config)
    assert turn.state in ("asked", "failed")
    wire.plan("chat", "all of it")
    with served(config) as running, running.client() as http:
        body = {"message": "hello", "user_id": "ada"}
        found = http.post("/api/llm/interact", json=body, headers={"Idempotency-Key": "k"})
        assert found.json()["response"] == "all of it"
        assert found.json()["interaction_id"] == turn.id


def test_what_is_answered_in_time_reaches_its_reader(wire: WireServer, tmp_path: Path) -> None:
    wire.plan("chat", Reply("yes", delay_s=1.0))
    config = service_config(wire.base, tmp_path, server={"shutdown_s": 20})
    with served(config) as running, running.client() as http:
        found: list[httpx.Response] = []
        body = {"message": "hello", "user_id": "ada"}
        asking = threading.Thread(
            target=lambda: found.append(http.post("/api/llm/interact", json=body))
        )
        asking.start()
        while not wire.asked("chat"):
            time.sleep(0.02)
        running.stop()
        asking.join()
        assert found[0].json()["response"] == "yes"


def _turns(config: dict[str, Any]) -> list[Any]:
    memory = Memory(config["orchestrator"]["server"]["database"])
    try:
        talks = memory.conversations(tenant="")
        return [turn for one in talks for turn in memory.turns(one.id, tenant="")]
    finally:
        memory.close()


@pytest.mark.slow
@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize(
    ("signals", "host", "code"),
    [
        ([signal.SIGTERM], "127.0.0.1", -signal.SIGTERM),
        ([signal.SIGINT, signal.SIGINT], "::1", 130),
    ],
)
def test_a_signal_ends_the_program_with_a_stream_open(
    wire: WireServer, tmp_path: Path, signals: list[signal.Signals], host: str, code: int, *,
    is_read: bool,
) -> None:  # fmt: skip
    wire.plan("chat", LONG)
    seconds = 3 if len(signals) == 1 else 600  # the second Ctrl-C does not wait
    config = service_config(wire.base, tmp_path, server={"shutdown_s": seconds})
    with program(config, tmp_path, host) as (process, url):
        with httpx.Client(base_url=url, timeout=60, verify=False) as http:
            while http.get("/readyz").status_code != 200:
                time.sleep(0.1)
            read = _begun(http)
            if not is_read:
                del read
            for one in signals:
                process.send_signal(one)
                time.sleep(1)
            assert process.wait(30) == code
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    (turn,) = _turns(config)
    assert turn.state in ("asked", "failed")
    assert "word1" in (turn.partial or "")
