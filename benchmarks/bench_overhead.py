"""Our uncached calls against the bare Router's, the same server, call by call in turn."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.ratio import ratio_of
from benchmarks.serving import bare_router, config, served
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Request
from orchestrator.types.run_context import RunContext
from tests.support.documents import GOOD
from tests.support.wire import Reply

ROUNDS, CALLS = 80, 12
SENTENCE = "a walker who keeps to a corridor"
QUESTION = "Create a cautious explorer for a 5x5 grid world. " * 40


async def cpu_of(call: Callable[[], Awaitable[object]]) -> float:
    """CPU seconds of this process for one call, as the mean over `CALLS`."""
    start = time.process_time()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - start) / CALLS


async def in_some_order(
    path: Callable[[], Awaitable[object]], reference: Callable[[], Awaitable[float]]
) -> tuple[float, float]:
    """Both, the first by lot: who comes second pays for what the first left to do."""
    if random.random() < 0.5:
        ours = await cpu_of(path)
        return ours, await reference()
    bare = await reference()
    return await cpu_of(path), bare


async def measure(base: str, directory: str) -> None:
    """Print what our calls add to the bare Router's."""
    ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}
    request = Request((LLMMessage(LLMRole.USER, QUESTION),), "default")
    async with Orchestrator(config(base, ledger={"directory": directory})) as orchestrator:
        seam = orchestrator._router
        bare = bare_router(orchestrator)
        paths: dict[str, Callable[[], Awaitable[object]]] = {
            "acompletion with ledger": lambda: orchestrator.acompletion(**ask),
            "the loop's call": lambda: seam.complete(request, RunContext()),
        }

        for name, path in paths.items():
            await compare(name, path, lambda: bare.acompletion(**ask))


async def measure_generation(base: str) -> None:
    """Print what `generate_gmn` adds, with the same messages and an answer that is accepted."""
    async with Orchestrator(config(base, generation={"mode": "prompt"})) as orchestrator:
        made = await orchestrator.generate_gmn(SENTENCE)
        request = made.attempts[0].request
        ask = {"model": "m", "messages": [turn.as_dict() for turn in request.messages]}
        bare = bare_router(orchestrator)
        await compare(
            "generate_gmn",
            lambda: orchestrator.generate_gmn(SENTENCE),
            lambda: bare.acompletion(**ask, **request.parameters),
        )


async def compare(
    name: str, path: Callable[[], Awaitable[object]], bare: Callable[[], Awaitable[object]]
) -> None:
    """Print the CPU of `path` as a ratio to that of `bare`."""

    async def reference() -> float:
        return await cpu_of(bare)

    await cpu_of(path)
    await reference()
    pairs = [await in_some_order(path, reference) for _ in range(ROUNDS)]
    extra = statistics.median(a - b for a, b in pairs)
    line = ratio_of(pairs).line("overhead", name, "bare Router")
    print(f"{line}; {extra * 1e6:+.0f} µs of CPU per call")


def main() -> None:
    """Print one line per path; bounds: a ratio of 1.05, of 1.6 for `generate_gmn`."""
    with (
        served(Reply("a short answer " * 100)) as base,
        tempfile.TemporaryDirectory() as directory,
    ):
        asyncio.run(measure(base, directory))
    with served(Reply(GOOD)) as base:
        asyncio.run(measure_generation(base))


if __name__ == "__main__":
    main()
