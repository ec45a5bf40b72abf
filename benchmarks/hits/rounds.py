"""What a process that is timed does, and what the one that times says to it.

A line in names whose cache is to be hit, another one says when; a line out has the seconds of each
hit, as JSON. Only the standard library is used here: a peer's process has no other.
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
    """Hit what is asked for, until nothing is; `choose` fills the cache of a name first."""
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        hit = await choose(line.strip())
        print("filled", flush=True)
        sys.stdin.readline()  # everybody begins at the same moment
        each = []
        for _ in range(CALLS):
            start = time.perf_counter()
            await hit()
            each.append(time.perf_counter() - start)
        print(json.dumps(each), flush=True)


class Crew:
    """Processes that hit the same cache at the same time."""

    def __init__(self, count: int, python: Path, module: str, *arguments: str) -> None:
        """Start them; each runs `module` with `arguments`."""
        command = [str(python), "-W", "ignore", "-m", module, *arguments]
        self._made = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL, cwd=ROOT)
            for _ in range(count)
        ]  # fmt: skip
        for one in self._made:
            _hear(one)

    def hits(self, name: str) -> list[float]:
        """Seconds of every hit of one round."""
        for one in self._made:  # in turn: the first one fills the cache for all
            _say(one, name)
            _hear(one)
        for one in self._made:
            _say(one, "go")
        return [seconds for one in self._made for seconds in json.loads(_hear(one))]

    def close(self) -> None:
        """End them."""
        for one in self._made:
            one.communicate()


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    if heard := process.stdout.readline():
        return heard
    raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
