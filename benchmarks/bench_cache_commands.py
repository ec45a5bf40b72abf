"""`orchestrator cache info|list|verify|clear` on a full store, against a plain read of its rows.

The number of entries may be given; by default 100,000 answers of 2 KB with their questions.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

from benchmarks.ratio import seconds_of, spell
from orchestrator.cache.disk import disk_store
from orchestrator.cache.keys import LAYOUT, digest, question_of
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Request

ENTRIES = 100_000
AT_ONCE = 2_000
COMMAND = "from orchestrator.cli.main import main; raise SystemExit(main())"


def fill(directory: Path, entries: int) -> None:
    """Put so many answers, and what was asked, into the store in `directory`."""
    asked = Request((LLMMessage(LLMRole.USER, "y" * 2000),), "default")
    question = question_of(asked, fingerprint="f")
    value = [LAYOUT, 0.0, "x" * 2000, "stop", "m", "openai", "m-id", [600, 300, 0], 0.001]
    store = disk_store(directory)
    for first in range(0, entries, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, entries))
        store.put_all([(digest(n), value, {**question, "sample": n}) for n in numbers])
    store.close()


def read_all_rows(directory: Path) -> None:
    """Read every row of the table with SQLite alone."""
    with contextlib.closing(sqlite3.connect(directory / "cache.db")) as database:
        for _ in database.execute("SELECT key, value FROM Cache"):
            pass


def run(directory: Path, *arguments: str) -> tuple[float, int]:
    """CPU seconds of the whole command with its start, and its most memory in MiB."""
    command = [sys.executable, "-c", COMMAND, "cache", *arguments]
    env = {"ORCHESTRATOR_CACHE_DIR": str(directory), "HOME": str(directory)}
    env["PYTHONPATH"] = ":".join(sys.path)
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as ran:
        _, status, used = os.wait4(ran.pid, 0)
        ran.returncode = os.waitstatus_to_exitcode(status)
    if ran.returncode:
        raise SystemExit(f"cache {' '.join(arguments)} ended with {ran.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def main() -> None:
    """Print a line for each command; the aim is 1 s at 100,000 entries."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        # In a process of its own: Linux counts the memory of its parent as its own.
        filling = get_context("spawn").Process(target=fill, args=(directory, entries))
        filling.start()
        filling.join()
        every = ("list", "--last", str(entries))
        for arguments in (("info",), ("list",), every, ("verify",), ("clear",)):
            bare = seconds_of(lambda: read_all_rows(directory), clock=time.process_time)
            taken, most = run(directory, *arguments)
            print(
                f"cache_commands: {' '.join(arguments)} of {entries} entries {spell(taken)} of CPU,"
                f" {most} MB, plain read of all rows {spell(bare)}, ratio {taken / bare:.3g}"
            )


if __name__ == "__main__":
    main()
