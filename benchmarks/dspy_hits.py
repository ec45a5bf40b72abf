"""Hits of DSPy's own cache, in its own environment: each line in asks for a round, a line tells it.

Called with the base URL of the server, the size of question and answer, and a directory.
"""

from __future__ import annotations

import statistics
import sys
import time
from importlib import import_module
from typing import Any

CALLS = 60


def main() -> None:
    """Print the median seconds of a hit for every line read: ``disk`` or ``memory``."""
    dspy: Any = import_module("dspy")  # only its own environment has it
    base, size, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    lm = dspy.LM("openai/m", api_base=base, api_key="none", cache=True, num_retries=0)
    for line in sys.stdin:
        is_disk = line.strip() == "disk"
        dspy.configure_cache(
            enable_disk_cache=is_disk,
            enable_memory_cache=not is_disk,
            disk_cache_dir=f"{directory}/dspy-{size}",
        )
        lm("y" * size)
        each = []
        for _ in range(CALLS):
            start = time.perf_counter()
            lm("y" * size)
            each.append(time.perf_counter() - start)
        print(statistics.median(each), flush=True)


if __name__ == "__main__":
    main()
