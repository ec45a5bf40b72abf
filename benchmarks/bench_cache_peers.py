"""A whole hit through `acompletion` against LiteLLM's and DSPy's caches, and twenty calls alike.

LiteLLM 1.106 needs FastAPI to give a cached answer, so this runs where the proxy extra is; DSPy
hits in an environment of its own (`make bench-structured` makes it), in turn with everybody else.
"""

from __future__ import annotations

import asyncio
import importlib.util
import math
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import diskcache

from benchmarks.ratio import spell
from orchestrator.config import Config
from orchestrator.orchestrator import Orchestrator
from tests.support.wire import Reply, WireServer, configured

ROUNDS, CALLS, TWENTY = 12, 60, 20
NAMES = (
    "ours", "LiteLLM's disk", "LiteLLM's memory", "DSPy's disk", "DSPy's memory", "a bare read"
)  # fmt: skip
DSPY = Path(__file__).parents[1] / ".venv-peers" / "dspy" / "bin" / "python"
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
    """The same arguments for everybody, made anew for each call."""
    return {"model": "m", "messages": [{"role": "user", "content": "y" * size}]}


class DSPy:
    """DSPy in its own process; says nothing when it is not installed."""

    def __init__(self, base: str, size: int, directory: str) -> None:
        self._process: subprocess.Popen[str] | None = None
        if DSPY.exists():
            script = str(Path(__file__).with_name("dspy_hits.py"))
            self._process = subprocess.Popen(
                [str(DSPY), "-W", "ignore", script, base, str(size), directory],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True,
            )  # fmt: skip

    def hit(self, kind: str) -> float:
        """Median seconds of one hit; not a number without DSPy."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return float("nan")
        self._process.stdin.write(f"{kind}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


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
            return await orc.acompletion(**asked(size))

        async def theirs() -> Any:
            return await router.acompletion(**asked(size), caching=True)

        async def read() -> Any:
            return bare.get("k")

        found: dict[str, list[float]] = {name: [] for name in NAMES}
        dspy = DSPy(server.base, size, directory)
        for kind in ("disk", "local"):
            litellm.cache = litellm.Cache(type=kind, disk_cache_dir=f"{directory}/litellm-{size}")
            where = "disk" if kind == "disk" else "memory"
            await theirs()
            dspy.hit(where)
            await asyncio.sleep(0.2)  # LiteLLM stores in the background
            for _ in range(ROUNDS):
                found["ours"].append(await p50(mine))
                found[f"LiteLLM's {where}"].append(await p50(theirs))
                found[f"DSPy's {where}"].append(await asyncio.to_thread(dspy.hit, where))
                found["a bare read"].append(await p50(read))
        litellm.cache = None
        dspy.close()
    bare.close()
    ours_s = statistics.median(found.pop("ours"))
    print(f"cache_peers: {size // 1000} KB: ours {spell(ours_s)}")
    for name, times in found.items():
        median = statistics.median(times)
        if not math.isnan(median):  # not without DSPy
            print(f"cache_peers: {size // 1000} KB: {name} {spell(median)}, {median / ours_s:.1f}"
                  " times ours")  # fmt: skip


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
