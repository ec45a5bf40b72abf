"""Cache hits of `acompletion` compared with LiteLLM's and DSPy's caches, and 20 identical calls.

LiteLLM 1.106 needs FastAPI to return a cached answer, so this runs in the environment of the proxy
tests. DSPy runs in an environment of its own (`make bench-structured` makes it). The caches take
turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import statistics
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.hits.orchestrator_hits import asked
from benchmarks.hits.rounds import ROOT, Crew
from benchmarks.ratio import spell
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.config.settings import Config
from tests.support.wire import Reply, WireServer, configured

ROUNDS, TWENTY = 20, 20
SIZES, PROCESSES = (2_000, 20_000, 200_000), (1, 2, 4)
HERE = ("ours", "LiteLLM's disk", "LiteLLM's memory", "a bare read")
DSPYS = ("DSPy's disk", "DSPy's memory")
DSPY = ROOT / ".venv-peers" / "dspy" / "bin" / "python"


def hits(server: WireServer, directory: str, size: int, count: int) -> None:
    """Print p50 and p99 of the hits of every cache, in `count` concurrent processes."""
    server.plan("m", Reply("x" * size))
    arguments = (server.base, str(size), directory)
    with contextlib.ExitStack() as open_:
        crews: dict[str, Crew] = {}
        for names, python, module in (
            (HERE, Path(sys.executable), "benchmarks.hits.orchestrator_hits"),
            (DSPYS, DSPY, "benchmarks.hits.dspy_hits"),
        ):
            if python.exists():
                crew = open_.enter_context(
                    contextlib.closing(Crew(count, python, module, *arguments))
                )
                crews |= dict.fromkeys(names, crew)
        found: dict[str, list[float]] = {name: [] for name in crews}
        for number in range(ROUNDS):
            for name in list(crews)[:: -1 if number % 2 else 1]:
                found[name] += crews[name].hits(name)
    ours_s = statistics.median(found["ours"])
    for name, each in found.items():
        median, p99 = statistics.median(each), statistics.quantiles(each, n=100)[98]
        print(
            f"cache_peers: {size // 1000} KB, processes {count}: {name} p50 {spell(median)}, p99"
            f" {spell(p99)}, {median / ours_s:.2g} times ours",
            flush=True,
        )


async def twenty(server: WireServer, directory: str) -> None:
    """Print the number of wire calls of twenty concurrent identical calls."""
    config = Config.model_validate(
        configured(server.base, "m", cache={"directory": f"{directory}/twenty"})
    )
    async with Orchestrator(config) as orc:
        router = await orc._router.transport.router()
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
        print("cache_peers: skipped: LiteLLM's cache needs FastAPI; run it in .venv-proxy")
        return
    server = WireServer()
    with tempfile.TemporaryDirectory() as directory:
        for count in PROCESSES:
            for size in SIZES:
                hits(server, directory, size, count)
        asyncio.run(twenty(server, directory))
    server.stop()


if __name__ == "__main__":
    main()
