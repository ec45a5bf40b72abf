"""1,000 calls in flight at 50 ms, and the chunks of a stream, compared with the bare Router."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.ratio import ratio_of
from benchmarks.serving import bare_router, config, served
from orchestrator.client.orchestrator import Orchestrator
from tests.support.wire import Reply

IN_FLIGHT, CALLS, ROUNDS, PARTS = 1000, 1500, 12, 300
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
Call = Callable[..., Awaitable[Any]]


async def rate(call: Call) -> float:
    """Answers per second with `IN_FLIGHT` concurrent calls."""
    limit = asyncio.Semaphore(IN_FLIGHT)

    async def one() -> None:
        async with limit:
            await call(**ASK)

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CALLS)))
    return CALLS / (time.perf_counter() - start)


async def part(call: Call) -> float:
    """Seconds per chunk of a stream that is sent as fast as it is read."""
    count, start = 0, time.perf_counter()
    async for _ in await call(**ASK, stream=True, stream_options={"include_usage": True}):
        count += 1
    return (time.perf_counter() - start) / count


async def compare(base: str, what: Callable[[Call], Awaitable[float]]) -> list[tuple[float, float]]:
    """Pairs of `what` for the client and for the bare Router, measured in turn."""
    async with Orchestrator(config(base, limits={"parallel": IN_FLIGHT})) as orchestrator:
        bare = bare_router(orchestrator).acompletion

        async def reference() -> float:
            return await what(bare)

        async def ours() -> float:
            return await what(orchestrator.acompletion)

        await ours(), await reference()
        pairs = []
        for number in range(ROUNDS):
            # LiteLLM holds on to more and more, so that whoever comes second is slower: in turn.
            if number % 2:
                second, first = await reference(), await ours()
            else:
                first, second = await ours(), await reference()
            pairs.append((first, second))
        return pairs


def main() -> None:
    """Print the rate (bound: 0.95 of the bare Router's) and the time per chunk of a stream."""
    with served(Reply("good", delay_s=0.05)) as base:
        pairs = asyncio.run(compare(base, rate))
    ratio = ratio_of(pairs)
    print(
        f"throughput: {IN_FLIGHT} in flight at 50 ms: {ratio.a_s:.0f} answers/s, bare Router"
        f" {ratio.b_s:.0f}/s, ratio {ratio.median:.3g} ({ratio.low:.3g} to {ratio.high:.3g})"
    )
    # LiteLLM raises an error after a hundred equal chunks, so these differ.
    words = " ".join(f"word{n}" for n in range(PARTS))
    with served(Reply(words)) as base:
        pairs = asyncio.run(compare(base, part))
    print(ratio_of(pairs).line("throughput: each part of a stream", "ours", "bare Router"))


if __name__ == "__main__":
    main()
