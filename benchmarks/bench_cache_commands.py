"""`orchestrator cache info|list|verify|clear` on a full store, against a plain read of its rows.

The number of entries may be given; by default 100,000 answers of 2 KB with their questions.
"""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import sys
import tempfile
from pathlib import Path

from benchmarks.ratio import seconds_of, spell
from orchestrator.cache.disk import disk_store
from orchestrator.cache.keys import LAYOUT, digest, question_of
from orchestrator.cli.main import main as command
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Request

ENTRIES = 100_000
AT_ONCE = 2_000


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


def run(action: str) -> None:
    """Run the command as a terminal would, without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        code = command(["cache", action])
    if code:
        raise SystemExit(f"cache {action} ended with {code}")


def main() -> None:
    """Print a line for each command; the aim is 1 s at 100,000 entries."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    with tempfile.TemporaryDirectory() as directory:
        os.environ["ORCHESTRATOR_CACHE_DIR"] = directory
        fill(Path(directory), entries)
        run("info")  # imports what a command imports
        for action in ("info", "list", "verify", "clear"):
            bare = seconds_of(lambda: read_all_rows(Path(directory)))
            taken = seconds_of(lambda action=action: run(action))  # type: ignore[misc]
            print(
                f"cache_commands: {action} of {entries} entries {spell(taken)}, "
                f"plain read of all rows {spell(bare)}, ratio {taken / bare:.3g}"
            )


if __name__ == "__main__":
    main()
