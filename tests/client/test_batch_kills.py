"""A batch that is killed again and again writes each row once, and pays no finished row twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.wire import Reply, WireServer, configured

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(900)]
AT_ONCE = 6


class Zygote:
    """Runs batches that start at once."""

    def __init__(self, config: dict[str, Any], directory: Path) -> None:
        path = directory / "config.json"
        path.write_text(json.dumps(config))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.client.batch_zygote"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "ORCHESTRATOR_CONFIG": str(path)},
        )  # fmt: skip
        self.number()

    def number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def start(self, *arguments: str) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(arguments)}\n")
        self._process.stdin.flush()
        return self.number()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def zygote(wire_server: WireServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    base = wire_server.base
    config: Any = configured(base, "m", cache={"mode": "off"}, ledger={"enabled": False})
    made = Zygote(config, tmp_path_factory.mktemp("zygote"))
    yield made
    made.stop()


def moment(wire: WireServer, output: Path, chance: random.Random, is_over: threading.Event) -> None:
    """Wait for the moment of a kill: by events, however slow the machine is."""
    kind, asked, whole = chance.random(), wire.served.requests, len(wire.whole)
    size = output.stat().st_size if output.exists() else 0
    more = chance.randint(1, 2 * AT_ONCE)
    while not is_over.is_set():
        if kind < 0.1:  # before it has done anything
            break
        if kind < 0.4 and wire.served.requests >= asked + more:
            break
        if kind < 0.7 and len(wire.whole) >= whole + more:
            break
        if kind >= 0.7 and output.exists() and output.stat().st_size > size:
            break
        time.sleep(0.002)
    time.sleep(chance.random() * 0.03)


def killed(
    zygote: Zygote, wire: WireServer, directory: Path, kills: int, *options: str, seed: int
) -> None:
    rows = 12 * kills
    chance = random.Random(seed)
    wire.decide = lambda asked: Reply(
        f"answer to {asked.body['messages'][-1]['content']}", delay_s=0.02
    )
    prompts = [f"prompt {chance.randrange(rows * 9 // 10)}" for _ in range(rows)]
    lines = [json.dumps({"id": n, "prompt": one}) for n, one in enumerate(prompts)]
    source, output = directory / "in.jsonl", directory / "out.jsonl"
    source.write_text("\n".join(lines) + "\nbroken\n")
    command = ["batch", str(source), "-o", str(output), "--operation", "ask", "-q",
               "--concurrency", str(AT_ONCE), *options]  # fmt: skip
    paid_twice: Counter[str] = Counter()
    done_kills = 0
    while True:
        is_over = threading.Event()
        child = zygote.start(*command)
        ending: list[int] = []

        def ended(is_over: threading.Event = is_over, ending: list[int] = ending) -> None:
            ending.append(zygote.number())
            is_over.set()

        waiting = threading.Thread(target=ended)
        waiting.start()
        if done_kills < kills:
            moment(wire, output, chance, is_over)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        waiting.join()
        done_kills += ending[0] == -signal.SIGKILL
        if ending[0] != -signal.SIGKILL:
            break
        finished = {json.loads(one)["text"] for one in _whole_lines(output) if b'"done"' in one}
        asked = Counter(body["messages"][-1]["content"] for body in wire.requests)
        for text in finished:
            before = paid_twice.setdefault(text, asked[text.removeprefix("answer to ")])
            assert asked[text.removeprefix("answer to ")] == before, "a finished row was paid again"
    assert ending == [1]  # one row is broken
    assert done_kills >= kills * 3 // 4
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert sorted(one["line"] for one in found) == list(range(1, rows + 2))
    for one in found:
        if one["line"] <= rows:
            assert one["id"] == one["line"] - 1
            assert one["text"] == f"answer to {prompts[one['id']]}"
    if "--ordered" in options:
        assert [one["line"] for one in found] == list(range(1, rows + 2))
    assert wire.served.requests <= len(set(prompts)) + done_kills * AT_ONCE


def _whole_lines(output: Path) -> list[bytes]:
    raw = output.read_bytes() if output.exists() else b""
    return raw.split(b"\n")[:-1]


@pytest.mark.parametrize("options", [(), ("--ordered",)], ids=["as it comes", "ordered"])
def test_a_few_kills_lose_no_row_and_pay_none_twice(
    zygote: Zygote, wire: WireServer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    killed(zygote, wire, tmp_path, 4, *options, seed=len(options))


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--ordered",)], ids=["as it comes", "ordered"])
def test_fifty_kills_lose_no_row_and_pay_none_twice(
    zygote: Zygote, wire: WireServer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    killed(zygote, wire, tmp_path, 50, *options, seed=7 + len(options))
