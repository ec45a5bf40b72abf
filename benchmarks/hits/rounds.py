"""The protocol between the benchmark and the processes whose cache hits it times.

The benchmark writes the name of a cache, then a line that starts the round; the process answers
with the seconds of each hit, as JSON. The module imports the standard library alone, because the
environments of the peers have nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

CALLS = 60
ROOT = Path(__file__).parents[2]
Hit = Callable[[], Awaitable[Any]]


async def serve(choose: Callable[[str], Awaitable[Hit]]) -> None:
    """Answer every line of stdin with the times of `CALLS` hits; `choose` fills the cache first."""
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        hit = await choose(line.strip())
        print("filled", flush=True)
        sys.stdin.readline()  # all processes begin at the same time
        each = []
        for _ in range(CALLS):
            start = time.perf_counter()
            await hit()
            each.append(time.perf_counter() - start)
        print(json.dumps(each), flush=True)


class Crew:
    """Processes that hit the same cache concurrently."""

    def __init__(self, count: int, python: Path, module: str, *arguments: str) -> None:
        """Start `count` processes; each runs `module` with `arguments`."""
        command = [str(python), "-W", "ignore", "-m", module, *arguments]
        self._made = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL, cwd=ROOT)
            for _ in range(count)
        ]  # fmt: skip
        for one in self._made:
            _receive(one)

    def hits(self, name: str) -> list[float]:
        """Seconds of every hit of one round on the cache `name`."""
        for one in self._made:  # one after the other: the first one fills the cache
            _send(one, name)
            _receive(one)
        for one in self._made:
            _send(one, "go")
        return [seconds for one in self._made for seconds in json.loads(_receive(one))]

    def close(self) -> None:
        """Close stdin of every process and wait until it ends."""
        for one in self._made:
            one.communicate()


def _send(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _receive(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    if line := process.stdout.readline():
        return line
    raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
