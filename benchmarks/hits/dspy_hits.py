"""Hits of DSPy's own cache, in its own environment."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Any

from benchmarks.hits.rounds import Hit, serve


async def main() -> None:
    """Called with the base URL of the server, the size of question and answer, and a directory."""
    dspy: Any = import_module("dspy")  # only its own environment has it
    base, size, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    lm = dspy.LM("openai/m", api_base=base, api_key="none", cache=True, num_retries=0)

    async def hit() -> Any:
        return lm("y" * size)

    async def choose(name: str) -> Hit:
        is_disk = name == "DSPy's disk"
        dspy.configure_cache(
            enable_disk_cache=is_disk,
            enable_memory_cache=not is_disk,
            disk_cache_dir=f"{directory}/dspy-{size}",
        )
        await hit()
        return hit

    await serve(choose)


if __name__ == "__main__":
    asyncio.run(main())
