"""Uncached calls of the client compared with the bare Router, alternating on the same server."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.ratio import ratio_of
from benchmarks.serving import bare_router, config, remember_no_verdict, served
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
    """CPU seconds of both, in random order: the second pays for deferred work of the first."""
    if random.random() < 0.5:
        ours = await cpu_of(path)
        return ours, await reference()
    bare = await reference()
    return await cpu_of(path), bare


async def measure(base: str, directory: str) -> None:
    """Print what `Orchestrator.acompletion` and the loop's call add to the bare Router."""
    ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}
    request = Request((LLMMessage(LLMRole.USER, QUESTION),), "default")
    async with Orchestrator(config(base, ledger={"directory": directory})) as orchestrator:
        completer = orchestrator._router
        bare = bare_router(orchestrator)
        paths: dict[str, Callable[[], Awaitable[object]]] = {
            "acompletion with ledger": lambda: orchestrator.acompletion(**ask),
            "the loop's call": lambda: completer.complete(request, RunContext()),
        }

        for name, path in paths.items():
            await compare(name, path, lambda: bare.acompletion(**ask))


async def measure_generation(base: str) -> None:
    """Print what `generate_gmn` adds for the same messages and an accepted answer.

    Its verdict is remembered at first, and then judged at each call, as different answers are.
    """
    async with Orchestrator(config(base, generation={"mode": "prompt"})) as orchestrator:
        made = await orchestrator.generate_gmn(SENTENCE)
        request = made.attempts[0].request
        ask = {"model": "m", "messages": [turn.as_dict() for turn in request.messages]}
        bare = bare_router(orchestrator)
        for name in ("generate_gmn, verdict remembered", "generate_gmn, judged"):
            if name.endswith("judged"):
                remember_no_verdict(orchestrator)
            await compare(
                name,
                lambda: orchestrator.generate_gmn(SENTENCE),
                lambda: bare.acompletion(**ask, **request.parameters),
            )


async def measure_miss(base: str, directory: str) -> None:
    """Print what `generate_gmn` adds where the cache is on and has no answer: all of it is kept."""
    kept = {"cache": {"mode": "use", "directory": directory}, "ledger": {"directory": directory}}
    async with Orchestrator(config(base, generation={"mode": "prompt"}, **kept)) as orchestrator:
        request = (await orchestrator.generate_gmn(SENTENCE)).attempts[0].request
        ask = {"model": "m", "messages": [turn.as_dict() for turn in request.messages]}
        bare, seeds = bare_router(orchestrator), itertools.count()
        await compare(
            "generate_gmn, a cache miss",
            lambda: orchestrator.generate_gmn(SENTENCE, seed=next(seeds)),
            lambda: bare.acompletion(**ask, **request.parameters),
        )


async def compare(
    name: str, path: Callable[[], Awaitable[object]], bare: Callable[[], Awaitable[object]]
) -> None:
    """Print the CPU time of `path` as a ratio to that of `bare`."""

    async def reference() -> float:
        return await cpu_of(bare)

    await cpu_of(path)
    await reference()
    pairs = [await in_some_order(path, reference) for _ in range(ROUNDS)]
    extra = statistics.median(a - b for a, b in pairs)
    line = ratio_of(pairs).line("overhead", name, "bare Router")
    print(f"{line}; {extra * 1e6:+.0f} µs of CPU per call")


def main() -> None:
    """Print one line per path; bounds: a ratio of 1.05, of 1.6 for a judged `generate_gmn`."""
    with (
        served(Reply("a short answer " * 100)) as base,
        tempfile.TemporaryDirectory() as directory,
    ):
        asyncio.run(measure(base, directory))
    with served(Reply(GOOD)) as base, tempfile.TemporaryDirectory() as directory:
        asyncio.run(measure_generation(base))
        asyncio.run(measure_miss(base, directory))


if __name__ == "__main__":
    main()
