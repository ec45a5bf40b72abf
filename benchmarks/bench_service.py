"""The service under load, beside LiteLLM's Router alone behind FastAPI; a model of 50 ms.

200 messages in the same moment, then 200 users who write all the time, each of them every 20, 10
and 5 seconds; the last once more with a model of 5 s, so that 200 messages are in flight all the
time. Everything has a process of its own. What is said of the service is its ratio to the Router
in the same run. With seconds as
argument it is a soak: 20 at once for so long, and memory, descriptors and rows must stay flat.
Then 50 users at a time have conversations of 20 turns, so that no question grows with the time.
The model states a timeout, so that both sides ask it for whole answers.
`--postgres` has both databases in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import socket
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
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
from tests.support.service import program, service_config
from tests.support.wire import Reply

MODEL_S, SLOW_S = 0.05, 5.0
AT_ONCE, ROUNDS = 200, 2
USERS, TURNS = 200, 20
RATES, PACED_S = (10, 20, 40), 10


def _serve_router(pipe: Connection, config: dict[str, Any]) -> None:
    """The same request and reply, and nothing between them but LiteLLM's Router."""
    app = fastapi.FastAPI()
    _litellm.load()
    bare = serving.bare_router(Orchestrator(config))

    @app.post("/api/llm/interact")
    async def interact(body: InteractBody) -> dict[str, Any]:
        asked = [{"role": "user", "content": body.message}]
        found = await bare.acompletion(model="m", messages=asked)
        return {"response": found.choices[0].message.content}

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(listening(app, ServerSettings()))
        gc.collect()
        gc.freeze()  # as the service does
        threading.Thread(target=server.run, args=([listener],), daemon=True).start()
        pipe.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
        pipe.recv()
        server.should_exit = True


@contextlib.contextmanager
def router(config: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The address of the Router in a process of its own, and the process."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve_router, args=(there, config)
    )
    process.start()
    yield here.recv(), process.pid or 0
    here.send("stop")
    process.join(60)


@contextlib.contextmanager
def service(config: dict[str, Any], directory: Path) -> Iterator[tuple[str, int]]:
    """The address of ``orchestrator serve``, and the process."""
    with program(config, directory) as (process, url):
        yield url, process.pid
        process.terminate()
        process.wait(60)


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


Load = Callable[[aiohttp.ClientSession], Awaitable[list[float]]]


async def paced(http: aiohttp.ClientSession, *, per_s: int) -> list[float]:
    """Times of messages that come one after the other, whether the last one is answered or not."""
    asking, began = [], time.perf_counter()
    for n in range(per_s * PACED_S):
        await asyncio.sleep(max(0.0, began + n / per_s - time.perf_counter()))
        asking.append(asyncio.create_task(ask(http, n)))
    return await asyncio.gather(*asking)


async def compared(ours: tuple[str, int], bare: tuple[str, int], *, model_s: float) -> int:
    """Say what messages take through the service and through the Router; how many there were."""
    rates = {f"{one} a second": partial(paced, per_s=one) for one in RATES}
    loads: dict[str, Load] = {"at once": burst, **rates}
    if model_s == SLOW_S:
        loads = {f"{AT_ONCE} in flight": partial(paced, per_s=int(AT_ONCE / SLOW_S))}
    asked = 0
    async with client(ours[0]) as http, client(bare[0]) as other:
        for name, load in loads.items():
            times: tuple[list[float], list[float]] = ([], [])
            spent = [0.0, 0.0]
            for turn in range(2 * ROUNDS):  # in turn, so that noise affects both equally
                side, pid = ((http, ours[1]), (other, bare[1]))[turn % 2]
                before = cpu_s(pid)
                times[turn % 2].extend(await load(side))
                spent[turn % 2] += cpu_s(pid) - before
            own = [sorted((one - model_s) * 1e3 for one in each) for each in times]
            for share in (50, 95):
                a, b = (each[len(each) * share // 100] for each in own)
                print(
                    f"  {name}: own time p{share} {a:.0f} ms, Router {b:.0f} ms, ratio {a / b:.2f}"
                )
            a, b = (one / len(times[0]) * 1e3 for one in spent)
            print(f"  {name}: CPU each {a:.1f} ms, Router {b:.1f} ms, ratio {a / b:.2f}")
            asked += len(times[0])
    return asked


def held(pid: int) -> str:
    """Resident memory and open descriptors of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    memory = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
    return f"{int(memory) / 1024:.0f} MB, {len(list(Path(f'/proc/{pid}/fd').iterdir()))} open"


def run(base: str, url: str, *, seconds: float = 0.0, model_s: float = MODEL_S) -> None:
    """Load one database, and say what came of it."""
    with tempfile.TemporaryDirectory() as name:
        config = service_config(
            base,
            Path(name),
            url,
            routes={"default": ["m"]},
            server={"parallel": 1000},
            limits={"parallel": 1000},
        )
        config["model_list"][0]["model_name"] = "m"
        config["model_list"][0]["litellm_params"] |= {"model": "openai/m", "timeout": 60}
        with service(config, Path(name)) as ours:
            if seconds:
                asked = asyncio.run(soaked(*ours, seconds=seconds))
            else:
                with router(config) as bare:
                    asked = asyncio.run(compared(ours, bare, model_s=model_s))
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
    with (
        serving.served(Reply("the answer", delay_s=MODEL_S)) as base,
        serving.served(Reply("the answer", delay_s=SLOW_S)) as slow,
    ):
        print("SQLite")
        run(base, "", seconds=seconds)
        if not seconds:
            run(slow, "", model_s=SLOW_S)
        if "--postgres" in sys.argv and programs() is not None:
            with postgres_server() as url:
                print("PostgreSQL")
                run(base, url.format(database="postgres"), seconds=seconds)


if __name__ == "__main__":
    main()
