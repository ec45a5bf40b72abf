"""The service under load, beside LiteLLM's Router alone behind FastAPI; a model of 50 ms.

200 messages at once, and as many a second as take half of a core; everything has a process of its
own. What is said of the service is its ratio to the Router in the same run. With seconds as
argument it is a soak: 20 at once for so long, and memory, descriptors and rows must stay flat.
Then 50 users at a time have conversations of 20 turns, so that no question grows with the time.
The model states a timeout, so that both sides ask it for whole answers.
`--postgres` has both databases in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import fastapi
import uvicorn

from benchmarks import serving
from orchestrator import Orchestrator
from orchestrator.agents.memory import Memory
from orchestrator.config.serving import ServerSettings
from orchestrator.routing import _litellm
from orchestrator.server.bodies import InteractBody
from orchestrator.server.listening import listening
from tests.support.postgres import postgres_server, programs
from tests.support.service import served, service_config
from tests.support.wire import Reply

MODEL_S = 0.05
AT_ONCE, ROUNDS = 200, 2
USERS, TURNS = 50, 20
PER_S, PACED = 10, 150


def _serve(pipe: Connection, config: dict[str, Any]) -> None:
    with served(config) as running:
        pipe.send(running.url)
        pipe.recv()


def _serve_router(pipe: Connection, config: dict[str, Any]) -> None:
    """The same request and reply, and nothing between them but LiteLLM's Router."""
    app = fastapi.FastAPI()
    _litellm.load()
    router = serving.bare_router(Orchestrator(config))

    @app.post("/api/llm/interact")
    async def interact(body: InteractBody) -> dict[str, Any]:
        asked = [{"role": "user", "content": body.message}]
        found = await router.acompletion(model="m", messages=asked)
        return {"response": found.choices[0].message.content}

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(listening(app, ServerSettings()))
        threading.Thread(target=server.run, args=([listener],), daemon=True).start()
        pipe.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
        pipe.recv()
        server.should_exit = True


@contextlib.contextmanager
def service(config: dict[str, Any], serve: Any = _serve) -> Iterator[tuple[str, int]]:
    """The address of a service in a process of its own, and the process."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there, config))
    process.start()
    yield here.recv(), process.pid or 0
    here.send("stop")
    process.join(60)


async def ask(http: aiohttp.ClientSession, n: int) -> float:
    """Seconds of one message; each user has a conversation, and others come after its turns."""
    began = time.perf_counter()
    user = n % USERS + n // (USERS * TURNS) * USERS
    body = {"message": f"message {n}", "user_id": f"user {user}", "persona_id": "bench"}
    async with http.post("/api/llm/interact", json=body) as response:
        assert response.status == 200, await response.text()
        await response.read()
    return time.perf_counter() - began


@contextlib.asynccontextmanager
async def client(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client for so many connections as there are messages."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(url, connector=connector) as http:
        await http.put("/api/personas/bench", json={"id": "bench", "name": "Bench"})
        await ask(http, -1)  # the first one loads what the rest finds
        yield http


async def soaked(url: str, pid: int, *, seconds: float) -> int:
    """How many messages there were in so many seconds, 20 at once."""
    asked, look = 0, 0.0
    async with client(url) as http:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            await asyncio.gather(*(ask(http, n) for n in range(asked, asked + 20)))
            asked += 20
            if time.monotonic() - began >= look:
                look += seconds / 10
                print(f"  {time.monotonic() - began:5.0f} s  {asked:6} messages  {held(pid)}")
    return asked


async def burst(http: aiohttp.ClientSession) -> list[float]:
    """Times of messages that come at once."""
    return await asyncio.gather(*(ask(http, n) for n in range(AT_ONCE)))


async def paced(http: aiohttp.ClientSession) -> list[float]:
    """Times of messages that come one after the other, whether the last one is answered or not."""
    asking = []
    for n in range(PACED):
        asking.append(asyncio.create_task(ask(http, n)))
        await asyncio.sleep(1 / PER_S)
    return await asyncio.gather(*asking)


async def compared(ours: tuple[str, int], router: tuple[str, int]) -> int:
    """Say what messages take through the service and through the Router; how many there were."""
    async with client(ours[0]) as http, client(router[0]) as bare:
        sides = ((http, ours[1]), (bare, router[1]))
        for name, load in (("at once", burst), (f"{PER_S} a second", paced)):
            times: tuple[list[float], list[float]] = ([], [])
            spent = [0.0, 0.0]
            for turn in range(2 * ROUNDS):  # in turn, so that noise affects both equally
                side, pid = sides[turn % 2]
                before = cpu_s(pid)
                times[turn % 2].extend(await load(side))
                spent[turn % 2] += cpu_s(pid) - before
            own = [sorted((one - MODEL_S) * 1e3 for one in each) for each in times]
            for share in (50, 95):
                a, b = (each[len(each) * share // 100] for each in own)
                print(
                    f"  {name}: own time p{share} {a:.0f} ms, Router {b:.0f} ms, ratio {a / b:.2f}"
                )
            a, b = (one / len(times[0]) * 1e3 for one in spent)
            print(f"  {name}: CPU each {a:.1f} ms, Router {b:.1f} ms, ratio {a / b:.2f}")
    return ROUNDS * (AT_ONCE + PACED)


def held(pid: int) -> str:
    """Resident memory and open descriptors of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    memory = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
    return f"{int(memory) / 1024:.0f} MB, {len(list(Path(f'/proc/{pid}/fd').iterdir()))} open"


def run(base: str, url: str, seconds: float) -> None:
    """Load one database, and say what came of it."""
    with tempfile.TemporaryDirectory() as name:
        config = service_config(base, Path(name), url, routes={"default": ["m"]})
        config["model_list"][0]["model_name"] = "m"
        config["model_list"][0]["litellm_params"] |= {"model": "openai/m", "timeout": 60}
        with service(config) as ours:
            if seconds:
                asked = asyncio.run(soaked(*ours, seconds=seconds))
            else:
                with service(config, _serve_router) as router:
                    asked = asyncio.run(compared(ours, router))
        memory = Memory(config["orchestrator"]["server"]["database"])
        kept = [
            turn
            for one in memory.conversations(tenant="", limit=asked)
            for turn in memory.turns(one.id, tenant="")
        ]
        memory.close()
    assert len(kept) == asked + 1, "a turn is lost"
    assert all(turn.state == "answered" for turn in kept)
    print(f"  {asked} messages, none lost")


def cpu_s(pid: int) -> float:
    """Seconds of the processor that a process took."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    """`bench_service [SECONDS] [--postgres]`."""
    seconds = next((float(one) for one in sys.argv[1:] if one[0].isdigit()), 0.0)
    with serving.served(Reply("the answer", delay_s=MODEL_S)) as base:
        print("SQLite")
        run(base, "", seconds)
        if "--postgres" in sys.argv and programs() is not None:
            with postgres_server() as url:
                print("PostgreSQL")
                run(base, url.format(database="postgres"), seconds)


if __name__ == "__main__":
    main()
