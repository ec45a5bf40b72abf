"""Adding up the ledger: against `json.loads` of each of its lines, and with the sums kept."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.ratio import ratio_of, spell
from orchestrator.ledger.months import sums_of

MONTH = "2026-11"
ROUNDS = 4
COMMAND = "from orchestrator.cli.main import main; raise SystemExit(main(['usage']))"


def write(directory: Path, count: int) -> None:
    """A month of `count` requests of 200 tenants, each with the line of its call."""
    draw = random.Random(1)
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "cached_tokens": 0}
    with (
        (directory / f"{MONTH}.jsonl").open("w") as over,
        (directory / f"{MONTH}.sent").open("w") as sent,
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
            over.write(json.dumps(line, separators=(",", ":")) + "\n")
            line |= {"wire": [], "pending": [call], "outcome": "unfinished"}
            sent.write(json.dumps(line, separators=(",", ":")) + "\n")


def read(directory: Path) -> None:
    """`json.loads` of each line."""
    for path in directory.glob(f"{MONTH}.[js]*[lt]"):
        with path.open("rb") as file:
            for raw in file:
                json.loads(raw)


def main() -> None:
    """Print the ratio, the time with the sums kept, and the memory of the command."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write(directory, count)
        pairs, kept = [], []
        for _ in range(ROUNDS):
            (directory / f"{MONTH}.sums").unlink(missing_ok=True)
            moments = [time.perf_counter()]
            for work in (lambda: sums_of(directory, "tenant"), lambda: read(directory)):
                work()
                moments.append(time.perf_counter())
            pairs.append((moments[1] - moments[0], moments[2] - moments[1]))
            sums_of(directory, "tenant")
            kept.append(time.perf_counter() - moments[2])
        print(ratio_of(pairs).line(f"{count} requests", "added up", "json.loads of each line"))
        print(f"with the sums kept: {spell(min(kept))}")
        (directory / f"{MONTH}.sums").unlink()
        command = [sys.executable, "-c", COMMAND]
        env = {"ORCHESTRATOR_LEDGER_DIR": name, "HOME": name, "PYTHONPATH": ":".join(sys.path)}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"memory of orchestrator usage without them: {most // 1024} MB")


if __name__ == "__main__":
    main()
