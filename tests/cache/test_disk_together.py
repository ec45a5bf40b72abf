"""What is paid for is kept, whatever other processes do to the store at the same time."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orchestrator.cache.disk import disk_store

#: Four processes that begin at once, and each keep an answer, in every directory that is named.
TOGETHER = """
import os, sys
from pathlib import Path
from orchestrator.cache.disk import disk_store
for name in sys.argv[1:]:
    here, there = os.pipe()
    for number in range(4):
        if os.fork() == 0:
            os.close(there)
            os.read(here, 1)
            disk_store(Path(name)).put(f"{number}", [number], question={})
            os._exit(0)
    os.close(here)
    os.close(there)
    for _ in range(4):
        os.wait()
"""


def kept(directory: Path) -> list[object]:
    store = disk_store(directory)
    found = [store.get(f"{number}") for number in range(4)]
    store.close()
    return found


def spoilt(directory: Path) -> Path:
    """A directory with a file in the place of the database that is none."""
    directory.mkdir(0o700)
    (directory / "cache.db").write_bytes(b"x" * 8192)
    return directory


def torn(directory: Path) -> Path:
    """A directory with a database whose tables cannot be read."""
    store = disk_store(directory)
    store.put("old", [1], question={})
    store.close()
    raw = (directory / "cache.db").read_bytes()
    (directory / "cache.db").write_bytes(raw[:100] + b"\xa5" * 4000 + raw[4100:])
    return directory


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that begin at once are forked")
@pytest.mark.parametrize("damaged", [spoilt, torn])
def test_a_damaged_store_is_set_aside_once_by_all_who_find_it(
    tmp_path: Path, damaged: object
) -> None:
    assert callable(damaged)
    directories = [damaged(tmp_path / str(number)) for number in range(12)]
    command = [sys.executable, "-c", TOGETHER, *map(str, directories)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert [kept(directory) for directory in directories] == [[[0], [1], [2], [3]]] * 12, said
    assert [len(list(one.glob("damaged-*"))) for one in directories] == [1] * 12


def test_an_answer_is_kept_though_another_process_writes_for_seconds(tmp_path: Path) -> None:
    store, is_held = disk_store(tmp_path), threading.Event()

    def hold() -> None:
        other = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        is_held.set()
        time.sleep(6)  # `cache import` of 100,000 answers
        other.execute("COMMIT")
        other.close()

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait()
    store.put("0", [0], question={})
    assert store.get("0") == [0]
    thread.join()
    store.close()


@pytest.mark.parametrize("gone", [shutil.rmtree, lambda path: path.rename(f"{path}.old")])
def test_a_store_that_goes_while_it_is_open_is_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, gone: object
) -> None:
    store = disk_store(tmp_path / "cache")
    store.put("0", [0], question={})
    assert callable(gone)
    gone(tmp_path / "cache")
    for number in range(1, 4):
        store.put(f"{number}", [number], question={})
    assert kept(tmp_path / "cache") == [None, [1], [2], [3]]
    assert caplog.text.count("was removed or moved") == 1
    store.close()
