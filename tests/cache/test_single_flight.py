"""The same question at the same time is one call, within a process and across several."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from tests.support.redis import WITH_REDIS
from tests.support.wire import Reply, WireServer, configured

ROOT = Path(__file__).resolve().parents[2]
WARM = [Reply("warm")] * 5
ASK: list[dict[str, Any]] = [{"role": "user", "content": "the same question"}]

Caches = Callable[[int], dict[str, Any]]


@pytest.fixture(params=["one machine", pytest.param("several machines", marks=WITH_REDIS)])
def caches(request: pytest.FixtureRequest, tmp_path: Path) -> Caches:
    """Where the process of a number keeps its answers; machines share nothing but a Redis."""
    if request.param == "one machine":
        return lambda _: {}
    url = f"redis://127.0.0.1:{request.getfixturevalue('redis_port')}/7"
    client = importlib.import_module("redis").Redis.from_url(url)
    client.flushdb()
    client.close()
    return lambda n: {"url": url, "directory": str(tmp_path / f"machine{n}")}


CHILD = """
import asyncio, json, sys
from orchestrator import Orchestrator
config, times, method = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ASK = [{"role": "user", "content": "the same question"}]

async def main():
    async with Orchestrator(config) as orc:
        await orc.generate([{"role": "user", "content": f"warm {sys.argv[4]}"}], cache="off")
        print("ready", flush=True)
        sys.stdin.readline()
        if method == "generate":
            made = await asyncio.gather(*(orc.generate(ASK) for _ in range(times)),
                                        return_exceptions=True)
            said = [m.text if hasattr(m, "text") else type(m).__name__ for m in made]
        else:
            made = await asyncio.gather(
                *(orc.acompletion(model="m", messages=ASK) for _ in range(times)),
                return_exceptions=True)
            said = [m.choices[0].message.content if hasattr(m, "choices") else type(m).__name__
                    for m in made]
        print(json.dumps(said), flush=True)

asyncio.run(main())
"""


def children(
    wire: WireServer, caches: Caches, count: int, times: int, method: str = "generate"
) -> list[subprocess.Popen[str]]:
    """Processes that have asked something else, and wait for a line before they ask."""
    made = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps(configured(wire.base, "m", cache=caches(n))),
             str(times), method, str(n)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for n in range(count)
    ]  # fmt: skip
    for child in made:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    return made


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def said(child: subprocess.Popen[str]) -> list[str]:
    out, _ = child.communicate(timeout=60)
    found: list[str] = json.loads(out)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("method", "count"), [("generate", 5), ("acompletion", 2)])
def test_many_askers_in_several_processes_are_one_call(
    wire: WireServer, caches: Caches, method: str, count: int
) -> None:
    wire.plan("m", *WARM[:count], Reply("the answer", delay_s=0.5))
    made = children(wire, caches, count, 10, method)
    for child in made:
        go(child)
    assert [said(child) for child in made] == [["the answer"] * 10] * count
    assert len(wire.requests) == count + 1


@pytest.mark.slow
def test_an_error_stays_in_its_process_and_the_next_process_asks_for_itself(
    wire: WireServer, caches: Caches
) -> None:
    wire.plan("m", *WARM[:2], Reply(status=401, delay_s=0.5), Reply("the answer"))
    made = children(wire, caches, 2, 2)
    for child in made:
        go(child)
    found = sorted(said(child) for child in made)
    assert found == [["AuthenticationError"] * 2, ["the answer"] * 2]
    assert len(wire.requests) == 2 + 2


@pytest.mark.slow
def test_a_leader_that_is_killed_is_replaced_within_two_seconds(
    wire: WireServer, caches: Caches
) -> None:
    wire.plan("m", *WARM[:2], Reply("never", delay_s=30), Reply("the answer"))
    first, second = children(wire, caches, 2, 1)
    go(first)
    while len(wire.requests) < 3:
        time.sleep(0.02)
    go(second)
    time.sleep(0.5)
    assert len(wire.requests) == 3
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    killed = time.monotonic()
    while len(wire.requests) < 4 and time.monotonic() - killed < 10:
        time.sleep(0.01)
    assert time.monotonic() - killed < 2
    assert said(second) == ["the answer"]


async def test_twenty_identical_calls_of_litellms_own_are_one(wire: WireServer) -> None:
    wire.plan("m", Reply("the answer", delay_s=0.2))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await asyncio.gather(*(orc.acompletion(model="m", messages=ASK) for _ in range(20)))
        lines = await orc.usage()
    assert {one.choices[0].message.content for one in made} == {"the answer"}
    assert len({id(one) for one in made}) == 20
    assert len(wire.requests) == 1
    assert sum(one._hidden_params.get("response_cost") or 0 for one in made) == pytest.approx(
        lines[-1]["served_usd"]
    )
    assert sum(line["hits"] for line in lines) == 19
