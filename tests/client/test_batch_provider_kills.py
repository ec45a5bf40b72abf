"""A batch that is bought from a provider and killed again and again pays each row once."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.test_batch_kills import Zygote
from tests.support.wire import Reply, configured
from tests.wire.batch_server import BatchServer

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(900)]
STEPS = ("POST /files", "POST /batches", "GET /batches/{id}", "GET /files/{id}/content")


@pytest.fixture(scope="module")
def server() -> Iterator[BatchServer]:
    made = BatchServer()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def zygote(server: BatchServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    directory = tmp_path_factory.mktemp("provider")
    config: Any = configured(
        server.base, "m", cache={"mode": "off"}, ledger={"directory": str(directory / "ledger")}
    )
    made = Zygote(config, directory)
    yield made
    made.stop()


def run(zygote: Zygote, command: list[str], watch: Callable[[int, threading.Event], None]) -> int:
    """Run a batch under a watch that may kill it; its exit code, negative where it did."""
    is_over, ending = threading.Event(), []
    child = zygote.start(*command)

    def ended() -> None:
        ending.append(zygote.number())
        is_over.set()

    waiting = threading.Thread(target=ended)
    waiting.start()
    watch(child, is_over)
    waiting.join()
    return int(ending[0])


def killed(
    zygote: Zygote, server: BatchServer, directory: Path, moments: list[tuple[str, int]]
) -> int:
    """How often it was killed; `moments`: after which call of which kind, or at which row."""
    server.clear()
    server.decide = lambda asked: Reply(f"answer to {asked.body['messages'][-1]['content']}")
    prompts = [f"prompt {n}" for n in range(12)]
    source, output = directory / "in.jsonl", directory / "out.jsonl"
    source.write_text(
        "".join(json.dumps({"id": n, "prompt": p}) + "\n" for n, p in enumerate(prompts))
    )
    command = ["batch", str(source), "-o", str(output), "--operation", "ask", "-q",
               "--engine", "provider", "--batch-size", "4"]  # fmt: skip
    kills = 0
    for step, count in [*moments, ("", 0)]:
        left = [count]

        def watch(
            child: int, is_over: threading.Event, step: str = step, left: list[int] = left
        ) -> None:
            def kill() -> None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

            def asked(name: str) -> None:
                left[0] -= name == step
                if name == step and left[0] == 0:
                    kill()

            server.asks = asked
            while step == "written" and not is_over.is_set():
                if output.exists() and output.read_bytes().count(b"\n") >= left[0]:
                    kill()
                    break
                time.sleep(0.002)
            is_over.wait(120)
            server.asks = lambda _: None

        code = run(zygote, command, watch)
        kills += code == -signal.SIGKILL
        if code != -signal.SIGKILL and not step:
            assert code == 0
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert sorted(one["id"] for one in found) == list(range(len(prompts)))
    assert {one["id"]: one["text"] for one in found} == {
        n: f"answer to {p}" for n, p in enumerate(prompts)
    }
    assert sum(server.paid.values()) == len(prompts), "a row was paid twice"
    assert server.requests == [], "a row was asked live"
    return kills


def test_killed_at_each_step_every_row_is_paid_once(
    zygote: Zygote, server: BatchServer, tmp_path: Path
) -> None:
    moments = [(step, 1) for step in STEPS]
    moments += [("POST /batches", 1), ("written", 3)]
    assert killed(zygote, server, tmp_path, moments) >= len(STEPS)


@pytest.mark.slow
def test_killed_at_fifty_points_every_row_is_paid_once(
    zygote: Zygote, server: BatchServer, tmp_path: Path
) -> None:
    chance, kills, job = random.Random(11), 0, 0
    while kills < 50:
        job += 1
        directory = tmp_path / str(job)
        directory.mkdir()
        moments = [(chance.choice((*STEPS, "written")), chance.randint(1, 2)) for _ in range(8)]
        kills += killed(zygote, server, directory, moments)
