"""`generate_gmn` and `stream_gmn` compared with the bare Router: many in flight, parts, hits.

``judged`` answers are all judged, as different answers would be; the verdict on the ``same``
answer is remembered. Each way to call has a process of its own, one after the other.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from typing import Any

from benchmarks.bench_memory import resident_mb
from benchmarks.bench_overhead import SENTENCE
from benchmarks.ratio import ratio_of, spell
from benchmarks.serving import bare_router, config, remember_no_verdict, served
from orchestrator.client.orchestrator import Orchestrator
from tests.support.documents import GOOD
from tests.support.wire import Reply

IN_FLIGHT = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
ROUNDS, HITS = 12, 400


async def asked_for(orchestrator: Orchestrator) -> dict[str, Any]:
    """The arguments with which the bare Router is asked what `generate_gmn` asks."""
    request = (await orchestrator.generate_gmn(SENTENCE)).attempts[0].request
    turns = [turn.as_dict() for turn in request.messages]
    return {"model": "m", "messages": turns, **request.parameters}


async def in_flight(base: str, who: str) -> tuple[float, float, float, float]:
    """Answers a second, CPU seconds a call, the longest wait of the loop, megabytes a call."""
    generation = {"mode": "prompt", "deadline_s": 600}
    given = config(base, generation=generation, limits={"parallel": IN_FLIGHT})
    async with Orchestrator(given) as orchestrator:
        if who == "judged":
            remember_no_verdict(orchestrator)
        ask, bare = await asked_for(orchestrator), bare_router(orchestrator)

        async def call() -> object:
            if who == "bare":
                return await bare.acompletion(**ask)
            return await orchestrator.generate_gmn(SENTENCE)

        await call()
        gc.collect()
        before, lag = resident_mb(), 0.0

        async def ticking() -> None:
            nonlocal lag
            while True:
                at = time.perf_counter()
                await asyncio.sleep(0.02)
                lag = max(lag, time.perf_counter() - at - 0.02)

        ticks = asyncio.create_task(ticking())
        start, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(call() for _ in range(IN_FLIGHT)))
        taken, cpu = time.perf_counter() - start, time.process_time() - cpu
        ticks.cancel()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return IN_FLIGHT / taken, cpu / IN_FLIGHT, lag, (peak - before) / IN_FLIGHT


def one(base: str, who: str, pipe: Any) -> None:
    """Measure in this process and send the result through `pipe`."""
    pipe.send(asyncio.run(in_flight(base, who)))


async def parts(base: str) -> None:
    """Print the CPU time for each part of a streamed document."""
    async with Orchestrator(config(base, generation={"mode": "prompt"})) as orchestrator:
        ask, bare = await asked_for(orchestrator), bare_router(orchestrator)

        async def ours() -> float:
            start = time.process_time()
            heard = [one async for one in orchestrator.stream_gmn(SENTENCE)]
            deltas = sum(type(event).__name__ == "Delta" for event in heard)
            return (time.process_time() - start) / deltas

        async def theirs() -> float:
            start, count = time.process_time(), 0
            options = {"stream": True, "stream_options": {"include_usage": True}}
            async for _ in await bare.acompletion(**ask, **options):
                count += 1
            return (time.process_time() - start) / count

        await ours(), await theirs()
        pairs = [(await ours(), await theirs()) for _ in range(ROUNDS)]
    print(ratio_of(pairs).line("flight: each part of stream_gmn", "ours", "bare Router"))


async def hits(base: str) -> None:
    """Print the CPU time of `generate_gmn` from the cache."""
    with tempfile.TemporaryDirectory() as directory:
        kept = {"mode": "use", "directory": directory}
        async with Orchestrator(
            config(base, cache=kept, ledger={"directory": directory})
        ) as orchestrator:
            await orchestrator.generate_gmn(SENTENCE)
            taken = []
            for _ in range(HITS):
                start = time.process_time()
                await orchestrator.generate_gmn(SENTENCE)
                taken.append(time.process_time() - start)
    print(f"flight: generate_gmn from the cache: {spell(statistics.median(taken))} of CPU, p50")


def main() -> None:
    """Print a line for each way to call, one for the parts of a stream and one for a hit."""
    start = multiprocessing.get_context("spawn").Process
    bare_cpu = 0.0
    with served(Reply(GOOD, delay_s=0.05)) as base:
        for who in ("bare", "same", "judged"):
            here, there = multiprocessing.Pipe()
            process = start(target=one, args=(base, who, there))
            process.start()
            rate, cpu, lag, megabytes = here.recv()
            process.join()
            bare_cpu = bare_cpu or cpu
            print(
                f"flight: {IN_FLIGHT} in flight, {who}: {rate:.1f} answers/s, {spell(cpu)} of CPU"
                f" and {megabytes:.3f} MB a call, the loop waits {spell(lag)} at most; its CPU"
                f" allows {bare_cpu / cpu:.2f} of the bare Router's rate"
            )
    with served(Reply(GOOD)) as base:
        asyncio.run(parts(base))
        asyncio.run(hits(base))


if __name__ == "__main__":
    main()
