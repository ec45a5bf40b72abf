"""Adding up the ledger: against `json.loads` of each of its lines, and with the sums kept.

The number of requests may be given, and that of the rounds; by default 100,000 and 4, for the
bounds 1000000 and 2.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from pydantic_core import to_json

from benchmarks.ratio import ratio_of, seconds_of, spell
from orchestrator.ledger.ledger import runs_of
from orchestrator.ledger.months import sums_of

MONTH = "2026-11"
COMMAND = "from orchestrator.cli.main import main; raise SystemExit(main(['usage']))"


def write(directory: Path, count: int) -> None:
    """A month of `count` requests of 200 tenants, each with the line of its call."""
    draw = random.Random(1)
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "cached_tokens": 0}
    with (
        (directory / f"{MONTH}.jsonl").open("wb") as over,
        (directory / f"{MONTH}.sent").open("wb") as sent,
    ):
        for number in range(count):
            day, second = divmod(number * 25 * 86_400 // count, 86_400)
            usage = {**zero, "prompt_tokens": draw.randrange(3000)}
            usd = round(usage["prompt_tokens"] * 1.5e-7, 10)
            call = {
                "deployment": "d", "provider": "acme", "model": f"m{draw.randrange(4)}",
                "outcome": "answered", "status": 200, "usage": usage, "cost_usd": usd,
                "seconds": round(draw.lognormvariate(0, 1), 4), "estimated": False,
            }  # fmt: skip
            line = {
                "at": f"{MONTH}-{day + 1:02d}T{second // 3600:02d}:00:00.000+00:00",
                "id": f"{draw.getrandbits(128):032x}", "operation": "acompletion", "route": "r",
                "agent_type": "", "tenant": f"t{draw.randrange(200)}", "outcome": "answered",
                "rounds": [], "wire": [call], "hits": 0, "usage": usage, "served": zero,
                "billed_usd": usd, "served_usd": usd, "estimated": False, "seconds": 0.1,
            }  # fmt: skip
            over.write(to_json(line) + b"\n")
            line |= {"wire": [], "pending": [call], "outcome": "unfinished"}
            sent.write(to_json(line) + b"\n")


def forget(directory: Path) -> None:
    """Remove the kept sums."""
    for path in directory.glob("*.sums"):
        path.unlink()


def read(directory: Path) -> None:
    """`json.loads` of each line."""
    for path in directory.glob(f"{MONTH}.[js]*[lt]"):
        with path.open("rb") as file:
            for raw in file:
                json.loads(raw)


def cpu_of(work: Callable[[], object]) -> float:
    """Seconds of CPU."""
    return seconds_of(work, clock=time.process_time)


def main() -> None:
    """Print the ratio, CPU with the sums kept, and CPU and memory of the command."""
    count, rounds = map(int, (sys.argv[1:] + ["100000", "4"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write(directory, count)
        pairs, kept = [], []
        for _ in range(rounds):
            forget(directory)
            added = cpu_of(lambda: sums_of(directory, "tenant"))
            pairs.append((added, cpu_of(lambda: read(directory))))
            kept.append(cpu_of(lambda: sums_of(directory, "tenant")))
        print(ratio_of(pairs).line(f"{count} requests", "added up", "json.loads of each line"))
        print(f"CPU with the sums kept: {spell(min(kept))}")
        day = cpu_of(lambda: sums_of(directory, "tenant", since=f"{MONTH}-25", is_checked=False))
        print(f"CPU of a start with a day's budget: {spell(day)}")
        found: list[object] = []
        runs = cpu_of(lambda: found.extend(islice(runs_of(directory), 20)))
        print(f"CPU of looking for the last 20 runs, {len(found)} there: {spell(runs)}")
        forget(directory)
        command = [sys.executable, "-c", COMMAND]
        env = {"ORCHESTRATOR_LEDGER_DIR": name, "HOME": name, "PYTHONPATH": ":".join(sys.path)}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = spell(used.ru_utime + used.ru_stime)
        print(f"orchestrator usage without the sums: {cpu} of CPU, {used.ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
