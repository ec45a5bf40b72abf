"""A whole hit through `acompletion` against LiteLLM's own caches, and twenty identical calls.

LiteLLM 1.106 needs FastAPI to give a cached answer, so this runs where the proxy extra is.
"""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import diskcache

from benchmarks.ratio import spell
from orchestrator.config import Config
from orchestrator.orchestrator import Orchestrator
from tests.support.wire import Reply, WireServer, configured

ROUNDS, CALLS, TWENTY = 12, 60, 20
Call = Callable[[], Awaitable[Any]]


async def p50(call: Call) -> float:
    """Median seconds of one call."""
    each = []
    for _ in range(CALLS):
        start = time.perf_counter()
        await call()
        each.append(time.perf_counter() - start)
    return statistics.median(each)


def asked(size: int) -> dict[str, Any]:
    """The same arguments for everybody."""
    return {"model": "m", "messages": [{"role": "user", "content": "y" * size}]}


async def hits(server: WireServer, directory: str, size: int) -> None:
    """Print the median hit of ours, of LiteLLM's disk and memory caches, and of a bare read."""
    server.plan("m", Reply("x" * size))
    ask = asked(size)
    bare = diskcache.Cache(f"{directory}/bare-{size}")
    bare.set("k", b"x" * size)
    ours = Config.model_validate(
        configured(server.base, "m", cache={"directory": f"{directory}/ours"},
                   ledger={"enabled": False})
    )  # fmt: skip
    async with Orchestrator(ours) as orc:
        router = await orc._router.wire.router()
        litellm: Any = import_module("litellm")
        await orc.acompletion(**ask)

        async def mine() -> Any:
            return await orc.acompletion(**ask)

        async def theirs() -> Any:
            return await router.acompletion(**ask, caching=True)

        async def read() -> Any:
            return bare.get("k")

        found: dict[str, list[float]] = {"ours": [], "disk": [], "memory": [], "read": []}
        for kind in ("disk", "local"):
            litellm.cache = litellm.Cache(type=kind, disk_cache_dir=f"{directory}/litellm-{size}")
            await theirs()
            await asyncio.sleep(0.2)  # it stores in the background
            for _ in range(ROUNDS):
                found["ours"].append(await p50(mine))
                found["disk" if kind == "disk" else "memory"].append(await p50(theirs))
                found["read"].append(await p50(read))
        litellm.cache = None
    bare.close()
    middle = {name: statistics.median(times) for name, times in found.items()}
    print(
        f"cache_peers: {size // 1000} KB: ours {spell(middle['ours'])}, LiteLLM's disk"
        f" {spell(middle['disk'])} ({middle['disk'] / middle['ours']:.1f} times), its memory"
        f" {spell(middle['memory'])} ({middle['memory'] / middle['ours']:.1f} times),"
        f" a bare read {spell(middle['read'])}"
    )


async def twenty(server: WireServer, directory: str) -> None:
    """Print how many wire calls twenty identical calls at once take."""
    config = Config.model_validate(
        configured(server.base, "m", cache={"directory": f"{directory}/twenty"})
    )
    async with Orchestrator(config) as orc:
        router = await orc._router.wire.router()
        litellm: Any = import_module("litellm")
        counts = []
        for call, extra in ((orc.acompletion, {}), (router.acompletion, {"caching": True})):
            server.plan("m", Reply("good", delay_s=0.2))
            server.requests.clear()
            litellm.cache = litellm.Cache(type="local") if extra else None
            await asyncio.gather(*(call(**asked(100), **extra) for _ in range(TWENTY)))
            counts.append(len(server.requests))
        litellm.cache = None
    print(f"cache_peers: {TWENTY} identical calls at once: ours {counts[0]} on the wire, LiteLLM"
          f" with its cache {counts[1]}")  # fmt: skip


def main() -> None:
    """The aim is 60 µs at 2 KB, and a tenth of LiteLLM's disk hit."""
    if importlib.util.find_spec("fastapi") is None:
        print("cache_peers: left out: LiteLLM's cache needs FastAPI; run it in .venv-proxy")
        return
    server = WireServer()
    with tempfile.TemporaryDirectory() as directory:
        for size in (2_000, 20_000, 200_000):
            asyncio.run(hits(server, directory, size))
        asyncio.run(twenty(server, directory))
    server.stop()


if __name__ == "__main__":
    main()
