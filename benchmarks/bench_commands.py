"""CPU and memory of whole commands, beside the imports that validation cannot avoid.

Each command is a process of its own, and its floor is measured just before it: the ratio holds
on a machine that others use too. ``python -m benchmarks.bench_commands [ROUNDS]``
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bench_import_time import FLOOR
from benchmarks.ratio import ratio_of

ROOT = Path(__file__).resolve().parent.parent
MODEL = str(ROOT / "prompts" / "library" / "explorer.gmn")
SENTENCE = "a thermostat for a cold room"
#: The arguments of each command, and the exit code that it ends with.
COMMANDS: dict[str, tuple[list[str], int]] = {
    "--version": (["--version"], 0),
    "completion": (["completion", "bash"], 0),
    "validate": (["validate", MODEL], 0),
    "format": (["format", MODEL], 0),
    "explain": (["explain", MODEL], 0),
    "models": (["models"], 0),
    "usage": (["usage"], 0),
    "cache info": (["cache", "info"], 0),
    "plan": (["plan", SENTENCE], 0),
    "generate, from the cache": (["generate", SENTENCE], 0),
    "generate, offline": (["generate", SENTENCE, "--cache", "off"], 0),
    "a wrong argument": (["generate", SENTENCE, "--nothing"], 2),
    "an unknown route": (["generate", SENTENCE, "--route", "nowhere"], 2),
    "a missing key": (["generate", SENTENCE, "--provider", "openai"], 3),
}


def used(arguments: list[str], home: str, code: int = 0) -> tuple[float, float]:
    """CPU seconds and peak megabytes of one interpreter with these arguments."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    kept |= {"HOME": home, "ORCHESTRATOR_CACHE_DIR": home, "PYTHONPATH": str(ROOT)}
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(
        [sys.executable, *arguments], env=kept, cwd=home, stdout=quiet, stderr=quiet
    )
    _, status, spent = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != code:
        raise SystemExit(f"{arguments} ended with {child.returncode}, not {code}")
    return spent.ru_utime + spent.ru_stime, spent.ru_maxrss / 1024


def main() -> None:
    """Print one line for each command."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as home:
        for name, (arguments, code) in COMMANDS.items():
            whole = ["-m", "orchestrator", *arguments]
            used(whole, home, code)  # writes the bytecode, and the answer into the cache
            pairs, peak = [], []
            for _ in range(rounds):
                floor_s, _ = used(["-c", FLOOR], home)
                cpu_s, megabytes = used(whole, home, code)
                pairs.append((cpu_s, floor_s))
                peak.append(megabytes)
            print(
                ratio_of(pairs).line("commands", f"{name}, CPU", "numpy and pydantic alone")
                + f", {statistics.median(peak):.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
