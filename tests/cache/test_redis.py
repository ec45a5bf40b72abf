"""Two processes, one Redis: rates, cooldowns and budgets are shared."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator import Orchestrator
from orchestrator.cli.main import main
from tests.support.redis import WITH_REDIS, redis_server
from tests.support.wire import Reply, WireServer, configured

ROOT = Path(__file__).resolve().parents[2]
pytestmark = WITH_REDIS

WORKER = """
import asyncio, collections, json, sys
from orchestrator import Orchestrator

async def main():
    config, calls, pause = json.loads(sys.stdin.read())
    async with Orchestrator(config) as orc:
        await orc.cache_info()
        ends = collections.Counter()
        async def one():
            try:
                await orc.generate([{"role": "user", "content": "hi"}], max_tokens=100)
                ends["answered"] += 1
            except Exception as error:
                ends[type(error).__name__] += 1
        for _ in range(calls):
            if pause:
                await one()
                await asyncio.sleep(pause)
        if not pause:
            await asyncio.gather(*(one() for _ in range(calls)))
        print(json.dumps(ends))

asyncio.run(main())
"""


def client(port: int) -> Any:
    """The extra's client; it is not installed everywhere."""
    return importlib.import_module("redis").Redis(port=port)


@pytest.fixture
def shared(redis_port: int, wire: WireServer) -> dict[str, Any]:
    client(redis_port).flushall()
    config: dict[str, Any] = configured(
        wire.base, "m", limits={"deadline_s": 8.0}, cache={"mode": "off"},
        ledger={"enabled": False},
    )  # fmt: skip
    config["router_settings"] |= {"redis_host": "127.0.0.1", "redis_port": redis_port}
    return config


def two(config: dict[str, Any], calls: int, pause: float = 0.0) -> list[dict[str, int]]:
    """How the calls of two processes at once ended."""
    given = json.dumps([config, calls, pause])
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(given)
        worker.stdin.close()
        worker.stdin = None
    ends = []
    for worker in workers:
        out, err = worker.communicate(timeout=100)
        assert worker.returncode == 0, err[-3000:]
        ends.append(json.loads(out))
    return ends


def test_a_rate_is_shared(shared: dict[str, Any], wire: WireServer) -> None:
    wire.plan("m", "good")
    shared["model_list"][0]["litellm_params"]["rpm"] = 10
    left = 60 - time.time() % 60
    if left < 40:  # LiteLLM counts by the calendar's minute: two starts and a deadline must fit
        time.sleep(left + 0.1)
    ends = two(shared, 10)
    assert sum(end.get("answered", 0) for end in ends) == len(wire.requests) == 10, ends


GONE = """
import asyncio, json, logging, sys
from orchestrator import BudgetExceededError, Orchestrator

async def main():
    logging.basicConfig(stream=sys.stdout, format="log %(message)s")
    async with Orchestrator(json.loads(sys.argv[1])) as orc:
        print("said", (await orc.generate("one")).text, flush=True)
        asked = asyncio.create_task(orc.generate("two"))
        await asyncio.to_thread(sys.stdin.readline)
        print("said", (await asked).text)
        try:
            await orc.generate("three")
        except BudgetExceededError as error:
            print("said", error)
        print("said", *orc._router.transport.budget_limiter._due.values(), flush=True)

asyncio.run(main())
"""


def test_a_budget_that_cannot_be_counted_says_so_and_loses_no_answer(
    wire: WireServer, tmp_path: Path
) -> None:
    config: Any = configured(wire.base, "m", budgets={"usd_per_day": 1.0}, cache={"mode": "off"})
    wire.decide = lambda asked: Reply(
        "good", delay_s=2.0 if "two" in str(asked.body["messages"]) else 0.0
    )
    with contextlib.ExitStack() as server:
        port = server.enter_context(redis_server(tmp_path))
        config["router_settings"] |= {"redis_host": "127.0.0.1", "redis_port": port}
        process = subprocess.Popen(
            [sys.executable, "-c", GONE, json.dumps(config)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        while len(wire.requests) < 2:
            assert process.poll() is None
            time.sleep(0.02)
        server.close()  # it is gone before the answer comes
        shown = process.communicate("\n", timeout=60)[0].splitlines()
    said = [line.removeprefix("said ") for line in shown if line.startswith("said ")]
    assert said[:2] == ["good", "good"]
    assert "is counted in Redis (router_settings), and that cannot be reached" in said[2]
    assert -1 < float(said[3]) < 0  # what was set aside for the second, without what it cost
    assert any("what was paid is added to budget:" in line for line in shown)
    assert len(wire.requests) == 2


def test_a_budget_is_shared_to_the_cent(shared: dict[str, Any], wire: WireServer) -> None:
    wire.plan("m", "word " * 80)
    shared["orchestrator"]["budgets"] = {"usd_per_day": 0.003}
    ends = two(shared, 40)
    answered = sum(end.get("answered", 0) for end in ends)
    refused = sum(end.get("BudgetExceededError", 0) for end in ends)
    assert answered + refused == 80
    assert 0 < answered == len(wire.requests) < 80
    store = client(shared["router_settings"]["redis_port"])
    (key,) = store.keys("orchestrator:budget:*")
    paid = wire.served.prompt_tokens * 1e-6 + wire.served.completion_tokens * 2e-6
    assert float(store.get(key)) == pytest.approx(paid)
    assert paid <= 0.003


def test_a_deployment_that_rests_for_one_rests_for_all(
    shared: dict[str, Any], wire: WireServer
) -> None:
    wire.plan("m", Reply(status=500))
    allowed = {"InternalServerErrorAllowedFails": 2}
    shared["router_settings"] |= {
        "num_retries": 0, "allowed_fails_policy": allowed, "cooldown_time": 60,
    }  # fmt: skip
    ends = two(shared, 12, pause=0.4)
    assert sum(end.get("NoDeploymentError", 0) for end in ends) >= 12, ends
    assert len(wire.requests) < 12


def machine_of(wire: WireServer, port: int, directory: Path, **cache: Any) -> dict[str, Any]:
    """A machine of its own, as far as its files go."""
    url = f"redis://127.0.0.1:{port}/5"
    return configured(wire.base, "m", cache={"url": url, "directory": str(directory), **cache})


async def test_answers_are_shared_and_looked_at_as_on_disk(
    wire: WireServer, redis_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    wire.plan("m", "the answer")
    ask = [{"role": "user", "content": "a question of this test"}]
    for machine in ("one", "two"):
        async with Orchestrator(machine_of(wire, redis_port, tmp_path / machine)) as orc:
            answer = await orc.generate(ask)
            response = await orc.acompletion(model="m", messages=ask)
            stream = await orc.acompletion(model="m", messages=ask, stream=True)
            parts = [chunk async for chunk in stream]
    assert answer.cached
    assert response.choices[0].message.content == "the answer"
    assert len(parts) > 1
    assert len(wire.requests) == 3
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(machine_of(wire, redis_port, tmp_path)))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))
    for action, words in (("info", "3 entries"), ("verify", "nothing is wrong"),
                          ("clear", "3 entries removed"), ("info", "0 entries")):  # fmt: skip
        assert await asyncio.to_thread(main, ["cache", action]) == 0
        assert words in capsys.readouterr().out


async def test_an_answer_in_redis_has_its_age_and_is_encrypted(
    wire: WireServer, redis_port: int, tmp_path: Path
) -> None:
    from cryptography.fernet import Fernet

    wire.plan("m", "an encrypted answer")
    ask = [{"role": "user", "content": "another question of this test"}]
    key = Fernet.generate_key().decode()
    config = machine_of(wire, redis_port, tmp_path, encrypt=key, max_age_s=0.5)
    async with Orchestrator(config) as orc:
        await orc.generate(ask)
        assert (await orc.generate(ask)).cached
        redis = importlib.import_module("redis").Redis(port=redis_port, db=5)
        assert all(b"encrypted" not in redis.get(name) for name in redis.scan_iter("*"))
        redis.close()
        await asyncio.sleep(0.6)
        assert not (await orc.generate(ask, cache={"tag": "trial", "ttl": 60})).cached
        assert orc._store.evict("trial") == 1
        assert not (await orc.generate(ask)).cached


async def test_a_server_that_is_not_there_costs_an_answer_from_the_cache_and_a_warning(
    wire: WireServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wire.plan("m", "the answer")
    async with Orchestrator(machine_of(wire, 1, tmp_path)) as orc:
        for _ in range(2):
            assert (await orc.generate([{"role": "user", "content": "hi"}])).text == "the answer"
    logged = [r.getMessage() for r in caplog.records if "Redis" in r.getMessage()]
    assert len(logged) == 1
    assert "127.0.0.1" not in logged[0]


async def test_a_server_that_says_nothing_is_waited_for_once_in_a_while(
    wire: WireServer, tmp_path: Path
) -> None:
    wire.plan("m", "the answer")
    met = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal met
        met += 1
        await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Orchestrator(machine_of(wire, port, tmp_path)) as orc:
        for n in range(5):
            ask = [{"role": "user", "content": f"question {n}"}]
            assert (await orc.generate(ask)).text == "the answer"
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.1)
    # One to read and one to take the lock, which may try once more.
    assert 1 <= met <= 3
