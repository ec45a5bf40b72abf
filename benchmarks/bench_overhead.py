"""Our uncached calls against the bare Router's, the same server, call by call in turn."""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.ratio import ratio_of
from orchestrator.config import Config
from orchestrator.messages import LLMMessage, LLMRole
from orchestrator.orchestrator import Orchestrator
from orchestrator.result import Request
from orchestrator.routing import RouterCompleter
from tests.support.wire import WireServer, configured

ROUNDS, CALLS = 20, 40
QUESTION = "Create a cautious explorer for a 5x5 grid world. " * 40


def serve(pipe: Connection) -> None:
    """Answer in a process of its own, so that its work is not counted as ours."""
    server = WireServer()
    server.plan("fast", "a short answer " * 100)
    pipe.send(server.base)
    pipe.recv()
    server.stop()


async def cpu_of(call: Callable[[], Awaitable[object]]) -> float:
    """CPU seconds of this process for one call, as the mean over `CALLS`."""
    start = time.process_time()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - start) / CALLS


async def measure(base: str, directory: Path) -> None:
    """Print what `Orchestrator.acompletion` and the loop's own path add to the bare Router."""
    config = Config.model_validate({
        **configured(base, "fast"), "orchestrator": {
            "routes": {"default": ["fast"]}, "cache": {"directory": str(directory)},
        },
    })  # fmt: skip
    messages = [{"role": "user", "content": QUESTION}]
    request = Request((LLMMessage(LLMRole.USER, QUESTION),), "default")
    async with Orchestrator(config) as orchestrator:
        seam = orchestrator._router
        assert isinstance(seam, RouterCompleter)
        bare = await seam.wire.router()
        paths: dict[str, Callable[[], Awaitable[object]]] = {
            "acompletion": lambda: orchestrator.acompletion(
                model="fast", messages=messages, cache="off"
            ),
            "the loop's call": lambda: seam.complete(request),
        }
        reference = lambda: bare.acompletion(model="fast", messages=messages)  # noqa: E731
        for name, path in paths.items():
            await cpu_of(path), await cpu_of(reference)
            pairs = [(await cpu_of(path), await cpu_of(reference)) for _ in range(ROUNDS)]
            extra = statistics.median(a - b for a, b in pairs)
            line = ratio_of(pairs).line("overhead", name, "bare Router")
            print(f"{line}; {extra * 1e6:+.0f} µs of CPU per call")


def main() -> None:
    """Print one line per path; the bound is a ratio of 1.05 for `acompletion`."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(measure(here.recv(), Path(directory)))
    here.send("stop")
    server.join(10)


if __name__ == "__main__":
    main()
