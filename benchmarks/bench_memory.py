"""Resident memory over 20,000 calls of the client and of the bare Router, in separate processes."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.serving import bare_router, config, served
from orchestrator.client.orchestrator import Orchestrator
from tests.support.wire import Reply

CALLS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
IN_FLIGHT = 50


def resident_mb() -> float:
    """Resident megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def grown(base: str, *, ours: bool) -> tuple[float, float]:
    """Resident megabytes after a tenth of the calls, and after all of them."""
    async with Orchestrator(config(base, limits={"parallel": IN_FLIGHT})) as orchestrator:
        await orchestrator._router.transport.router()  # loads LiteLLM
        call = orchestrator.acompletion if ours else bare_router(orchestrator).acompletion
        after: list[float] = []
        for calls in (CALLS // 10, CALLS - CALLS // 10):
            for first in range(0, calls, IN_FLIGHT):
                ask: list[Any] = [
                    call(model="m", messages=[{"role": "user", "content": f"{n} {'x' * 2000}"}])
                    for n in range(first, min(first + IN_FLIGHT, calls))
                ]
                await asyncio.gather(*ask)
            gc.collect()
            after.append(resident_mb())
    return after[0], after[1]


def one(base: str, ours: bool, pipe: Any) -> None:  # noqa: FBT001  an argument of a process
    """Measure in this process and send the result through `pipe`."""
    pipe.send(asyncio.run(grown(base, ours=ours)))


def main() -> None:
    """Print the growth between a tenth and all of the calls."""
    with served(Reply("an answer " * 50)) as base:
        for name, ours in (("ours", True), ("bare Router", False)):
            here, there = multiprocessing.Pipe()
            start = multiprocessing.get_context("spawn").Process
            process = start(target=one, args=(base, ours, there))
            process.start()
            early, late = here.recv()
            process.join()
            print(
                f"memory: {name}: {early:.0f} MB after {CALLS // 10} calls, {late:.0f} MB after"
                f" {CALLS}: {(late - early) / (0.9 * CALLS) * 1000:+.2f} MB per 1,000 calls"
            )


if __name__ == "__main__":
    main()
