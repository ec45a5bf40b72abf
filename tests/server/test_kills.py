"""A service that is killed again and again loses no turn, and pays no answer twice.

Fifty kills take about two minutes with each database; `KILLS=12` in the environment makes fewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.agents.memory import Memory
from tests.server.test_resume import Reader
from tests.support.service import service_config
from tests.support.wire import Reply, WireServer

pytestmark = [pytest.mark.may_block, pytest.mark.slow, pytest.mark.timeout(900)]
KILLS = int(os.environ.get("KILLS", "50"))
AT_ONCE = 4


class Killed:
    """A service that is started again after each kill; its port stays."""

    def __init__(self, config: dict[str, Any], directory: Path) -> None:
        path = directory / "config.json"
        path.write_text(json.dumps(config))
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.server.zygote", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.port = int(self._line())
        self._child = 0

    def _line(self) -> str:
        assert self._zygote.stdout is not None
        return self._zygote.stdout.readline()

    def start(self) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.write("\n")
        self._zygote.stdin.flush()
        self._child = int(self._line())

    def kill(self) -> None:
        os.kill(self._child, signal.SIGKILL)

    def stop(self) -> None:
        self._zygote.kill()
        self._zygote.wait()
        if self._child:  # 0 would be this process and its group
            with contextlib.suppress(ProcessLookupError):
                self.kill()


def number(body: dict[str, Any]) -> int:
    """Of the message that a call to the model asks about."""
    return int(body["messages"][-1]["content"].split()[-1])


async def ask_until_answered(http: httpx.AsyncClient, n: int) -> str:
    """What a good client does: the same message with the same key, until there is an answer."""
    body = {"message": f"message {n}", "user_id": f"user {n % 5}", "stream": n % 3 == 0}
    while True:
        try:
            found = await http.post(
                "/api/llm/interact", json=body, headers={"Idempotency-Key": f"key {n}"}
            )
            if found.status_code == 200 and body["stream"]:
                last = [line for line in found.text.splitlines() if line.startswith("data: ")][-1]
                data = json.loads(last[6:])
                if data["type"] == "RUN_FINISHED":
                    return str(data["result"]["response"])
            elif found.status_code == 200:
                return str(found.json()["response"])
            else:
                assert found.status_code >= 500, found.text
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.02)


async def lives(http: httpx.AsyncClient) -> None:
    while True:
        with contextlib.suppress(httpx.HTTPError):
            await http.get("/healthz", timeout=5)
            return
        await asyncio.sleep(0.02)


async def moment(wire: WireServer, chance: random.Random) -> None:
    """Wait for the moment of a kill, of three kinds: by events, however slow the machine is."""
    kind = chance.random()
    if kind < 0.1:  # before it has done anything
        await asyncio.sleep(chance.random() * 0.2)
    elif kind < 0.5:  # while the model is asked
        asked = wire.served.requests
        while wire.served.requests == asked:
            await asyncio.sleep(0.005)
        await asyncio.sleep(chance.random() * 0.2)
    else:  # when an answer has come and is stored, or given to its reader
        whole = len(wire.whole) + chance.randint(1, 2 * AT_ONCE)
        while len(wire.whole) < whole:
            await asyncio.sleep(0.005)
        await asyncio.sleep(chance.random() * 0.1)


async def test_fifty_kills_lose_no_turn_and_pay_none_twice(
    wire: WireServer, tmp_path: Path, database: str
) -> None:
    # Only a stream trickles: byte by byte a whole body takes 2 s, longer than a process lives.
    wire.decide = lambda asked: Reply(
        f"answer to {number(asked.body)}", delay_s=0.05,
        trickle_s=0.01 if asked.is_stream else 0.0,
    )  # fmt: skip
    config = service_config(wire.base, tmp_path, database)
    killed = Killed(config, tmp_path)
    chance = random.Random(4)
    is_over = asyncio.Event()
    answers: dict[int, str] = {}
    lived: dict[int, int] = {}  # how many processes there were while a message was sent
    kills = 0

    async def client(first: int, http: httpx.AsyncClient) -> None:
        n = first
        while not is_over.is_set():
            before = kills
            answers[n] = await ask_until_answered(http, n)
            lived[n] = 1 + kills - before
            n += AT_ONCE

    try:
        killed.start()
        base = f"http://127.0.0.1:{killed.port}"
        async with httpx.AsyncClient(base_url=base, timeout=60) as http:
            clients = [asyncio.create_task(client(n, http)) for n in range(AT_ONCE)]
            while kills < KILLS:
                await lives(http)
                await moment(wire, chance)
                killed.kill()
                kills += 1
                killed.start()
            is_over.set()
            await asyncio.gather(*clients)
    finally:
        killed.stop()
    memory = Memory(database)
    kept: dict[str, list[Any]] = {}
    for conversation in memory.conversations(tenant="", limit=1000):
        turns = memory.turns(conversation.id, tenant="")
        assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
        for turn in turns:
            kept.setdefault(turn.message, []).append(turn)
    memory.close()
    assert len(answers) > KILLS / 5  # there was something to be lost
    for n, said in answers.items():
        (turn,) = kept[f"message {n}"]
        assert (turn.state, turn.answer) == ("answered", said)
        assert said.split() == ["answer", "to", str(n)]
    assert len(kept) == len(answers)
    # A process pays for a message once. An answer whose bytes were still in the socket of a process
    # that was killed is in no store: the next process pays it again, one call for each it had open.
    for n, calls in Counter(number(body) for body in wire.requests).items():
        assert calls <= lived[n], (n, calls, lived[n])
    assert wire.served.requests <= len(answers) + kills * AT_ONCE


async def test_two_services_killed_in_turn_leave_each_others_turns(
    wire: WireServer, tmp_path: Path, database: str
) -> None:
    calls: Counter[str] = Counter()
    long = " ".join(f"word{n}" for n in range(80))

    def decide(asked: Any) -> Reply:
        said = " ".join(str(asked.body["messages"][-1]["content"]).split()[-2:])
        calls[said] += 1
        return Reply(long, trickle_s=0.1) if calls[said] == 1 else Reply("again")

    async def send(http: httpx.AsyncClient, message: str) -> str:
        # As a stream, which trickles by words.
        body = {"message": message, "user_id": message, "stream": True}
        key = {"Idempotency-Key": message}
        reader = Reader()
        async with http.stream("POST", "/api/llm/interact", json=body, headers=key) as response:
            await read(response, reader)
        return str(reader.last["result"]["response"]).strip()

    wire.decide = decide
    memory = Memory(database)
    both: list[tuple[Killed, httpx.AsyncClient]] = []
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            killed = Killed(service_config(wire.base, tmp_path, database), tmp_path / name)
            base = f"http://127.0.0.1:{killed.port}"
            both.append((killed, httpx.AsyncClient(base_url=base, timeout=60)))
            killed.start()
        for n in range(4):
            (dies, its), (_, other) = both[n % 2], both[1 - n % 2]
            await lives(its)
            await lives(other)
            cut = asyncio.create_task(send(its, f"dies {n}"))
            whole = asyncio.create_task(send(other, f"stays {n}"))
            while not (calls[f"dies {n}"] and calls[f"stays {n}"]):
                await asyncio.sleep(0.01)
            dies.kill()
            await asyncio.wait([cut])
            assert isinstance(cut.exception(), httpx.HTTPError)
            dies.start()
            await lives(its)
            turns = [
                turn for one in memory.conversations(tenant="")
                for turn in memory.turns(one.id, tenant="")
            ]  # fmt: skip
            states = {turn.message: turn.state for turn in turns}
            assert states[f"dies {n}"] == "failed"
            assert states[f"stays {n}"] in ("asked", "answered")
            assert await whole == long
            assert await send(its, f"dies {n}") == "again"
            assert await send(its, f"stays {n}") == long
            assert (calls[f"dies {n}"], calls[f"stays {n}"]) == (2, 1)
    finally:
        for killed, http in both:
            killed.stop()
            await http.aclose()
    assert memory.open_turns() == []
    memory.close()


async def test_a_stream_that_a_kill_cut_off_begins_again_with_another_answer(
    wire: WireServer, tmp_path: Path, database: str
) -> None:
    wire.plan(
        "chat",
        Reply("the first answer says one thing and goes on", trickle_s=0.2),
        Reply("the second says another"),
    )
    killed = Killed(service_config(wire.base, tmp_path, database), tmp_path)
    reader = Reader()
    try:
        killed.start()
        base = f"http://127.0.0.1:{killed.port}"
        async with httpx.AsyncClient(base_url=base, timeout=60) as http:
            await lives(http)
            body = {"message": "hello", "stream": True}
            with contextlib.suppress(httpx.HTTPError):
                async with http.stream("POST", "/api/llm/interact", json=body) as response:
                    await read(response, reader, kill=killed.kill)
            turn = reader.last_id[:36]
            assert "".join(reader.shown.values()).startswith("the first")
            killed.start()
            await lives(http)
            at = {"Last-Event-ID": reader.last_id}
            async with http.stream("GET", f"/api/llm/turns/{turn}/events", headers=at) as response:
                await read(response, reader)
            at = {"Last-Event-ID": reader.last_id}
            over = await http.get(f"/api/llm/turns/{turn}/events", headers=at)
    finally:
        killed.stop()
    (text,) = reader.shown.values()
    assert text.strip() == "the second says another"
    assert reader.last["type"] == "RUN_FINISHED"
    assert reader.last["result"]["response"] == text
    assert over.status_code == 204  # a browser's reader stops
    assert wire.served.requests == 2


async def read(response: httpx.Response, reader: Reader, kill: Any = None) -> None:
    event = ""
    async for line in response.aiter_lines():
        event += f"{line}\n"
        if not line:
            reader.read(event)
            event = ""
            if kill is not None and any(len(text) > 10 for text in reader.shown.values()):
                kill()
