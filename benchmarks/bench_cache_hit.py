"""A cache hit compared with a bare read of the same bytes from the same database."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.ratio import ratio_of, spell
from orchestrator.cache.cached_call import CachingCompleter
from orchestrator.cache.disk import DiskBackend, disk_store
from orchestrator.cache.keys import digest, question_of
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Answer, Request, Usage
from orchestrator.types.run_context import RunContext

CALLS = 500


class Fixed:
    """A completer that answers every request with the same text."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """Return the answer."""
        return Answer(self.text, usage=Usage(600, 300), cost_usd=0.001, billed_usd=0.001)


async def measure(size: int, directory: Path) -> None:
    """Print the times of a hit and of a bare read for answers of `size` bytes."""
    store, backend = disk_store(directory), DiskBackend(directory, 1024)
    cached = CachingCompleter(Fixed("x" * size), store, fingerprint=lambda _: "f")
    question = Request((LLMMessage(LLMRole.USER, "y" * 2000),), "default")
    await cached.complete(question, RunContext())
    key = digest(question_of(question, fingerprint="f"))
    pairs: list[tuple[float, float]] = []
    each: list[float] = []
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(CALLS):
            before = time.perf_counter()
            await cached.complete(question, RunContext())
            each.append(time.perf_counter() - before)
        between = time.perf_counter()
        for _ in range(CALLS):
            backend.read(key)
        pairs.append(((between - start) / CALLS, (time.perf_counter() - between) / CALLS))
    each.sort()
    print(
        ratio_of(pairs).line(f"cache_hit: {size // 1000} KB", "hit", "bare read")
        + f"; p50 {spell(statistics.median(each))}, p99 {spell(each[int(len(each) * 0.99)])}"
    )


def main() -> None:
    """Print one line per size; the bound is 60 µs p50 at 2 KB."""
    for size in (2_000, 20_000, 200_000):
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(measure(size, Path(directory)))


if __name__ == "__main__":
    main()
