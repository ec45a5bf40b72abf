"""A store into which a stranger wrote: nothing is run, nothing outside is touched, no exception."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cache.cached_call import CacheEntry
from orchestrator.cache.disk import disk_store
from orchestrator.cache.keys import LAYOUT, digest
from orchestrator.cli.main import main
from orchestrator.types.caching import CachePolicy
from tests.support.examples import share_of

pytestmark = pytest.mark.may_block
Output = pytest.CaptureFixture[str]
KEYS = [digest(n) for n in range(3)]
LARGE = {"text": "x" * 100_000}


def fill(directory: Path) -> None:
    """Three entries; the last has a value file."""
    store = disk_store(directory)
    for key, value in zip(KEYS, ([1], [2], LARGE), strict=True):
        store.put(key, value, question={"route": "default"})
    store.close()


def change(directory: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(directory / "cache.db") as database:
        database.execute(statement, values)
    database.close()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eviction_policy", "no-such-policy"), ("eviction_policy", "none"), ("size_limit", "much"),
        ("size_limit", -1), ("cull_limit", "all"), ("disk_pickle_protocol", "x"),
        ("disk_min_file_size", "x"), ("disk_class", "pickle"), ("sqlite_journal_mode", "delete"),
        ("sqlite_trusted_schema = 1; --", 1), ("size", "much"), ("size", None), ("count", b"\x80"),
        ("tag_index", "x"), ("statistics", "x"), (b"\xff\x00", 1), ("unknown", b"\x80\x04"),
    ],
)  # fmt: skip
def test_a_foreign_setting_changes_nothing_and_is_reported(
    tmp_path: Path, key: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path)
    change(tmp_path, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", key, value)
    store = disk_store(tmp_path)
    assert [store.get(one) for one in KEYS] == [[1], [2], LARGE]
    store.put("k", LARGE, question={})
    assert store.get("k") == LARGE
    assert store.info().entries == 4
    assert store.prune() == 0
    assert "setting" in caplog.text
    assert any("setting" in line for line in store.verify())
    assert store.verify() == []


def test_a_setting_changed_under_us_changes_nothing_either(tmp_path: Path) -> None:
    fill(tmp_path)
    store = disk_store(tmp_path)
    for key in ("size", "count", "size_limit", "sqlite_mmap_size", "eviction_policy"):
        change(tmp_path, "UPDATE Settings SET value = 'x' WHERE key = ?", key)
    change(tmp_path, "INSERT INTO Settings VALUES (?, 1)", b"\xff")
    found: list[Any] = []

    def elsewhere() -> None:
        store.put("k", LARGE, question={})
        found.extend((store.get("k"), store.info().entries))
        store.close()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [LARGE, 4]


@pytest.mark.parametrize("statement", ["DROP TABLE Settings", "DELETE FROM Settings"])
def test_settings_that_are_gone_are_made_again(tmp_path: Path, statement: str) -> None:
    fill(tmp_path)
    change(tmp_path, statement)
    store = disk_store(tmp_path)
    assert store.get(KEYS[2]) == LARGE
    store.put("k", [3], question={})
    assert store.get("k") == [3]
    assert any("setting" in line for line in store.verify())
    assert store.info().size_bytes > 100_000


JUNK = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(), st.binary(),
    st.just("../../outside.val"), st.just(pickle.dumps({"a": 1})),
)  # fmt: skip
COLUMNS = ["key", "raw", "store_time", "expire_time", "tag", "size", "mode", "filename", "value"]


@settings(max_examples=share_of(15), deadline=None)
@given(column=st.sampled_from(COLUMNS), value=JUNK, large=st.booleans())
def test_no_value_of_any_column_is_an_exception(
    tmp_path_factory: pytest.TempPathFactory, column: str, value: object, large: bool
) -> None:
    directory = tmp_path_factory.mktemp("cache")
    fill(directory)
    if isinstance(value, str):
        value = value.encode(errors="replace").decode()
    row = KEYS[2 if large else 0]
    with sqlite3.connect(directory / "cache.db") as database:
        database.execute(f"UPDATE Cache SET {column} = ? WHERE key = ?", (value, row))
    database.close()
    store = disk_store(directory)
    assert store.get(row) in (None, [1], LARGE, [2])
    assert store.get(KEYS[1]) == [2]
    list(store.questions())
    store.verify()
    store.put(row, [5], question={})
    assert store.get(row) == [5]
    store.prune()  # which believes the sizes of the rows
    assert column == "size" or store.get(KEYS[1]) == [2]
    store.clear()
    assert store.keys() == []
    store.close()


def test_a_row_that_names_a_file_outside_never_has_it_removed(tmp_path: Path) -> None:
    fill(tmp_path / "cache")
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    change(tmp_path / "cache", "UPDATE Cache SET filename = '../precious.txt'")
    store = disk_store(tmp_path / "cache")
    store.verify()
    store.put(KEYS[0], [1], question={})
    store.delete([KEYS[1]])
    store.clear()
    assert precious.read_text() == "mine"


def test_verify_names_every_unreadable_row_and_removes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path))
    fill(tmp_path)
    change(tmp_path, "UPDATE Cache SET mode = 4 WHERE key = ?", KEYS[0])
    change(tmp_path, "UPDATE Cache SET value = '{' WHERE key = ?", f"{KEYS[1]}.question")
    (file,) = tmp_path.rglob("*.val")
    file.unlink()
    change(tmp_path, "INSERT INTO Cache (key, raw) VALUES (?, 0)", pickle.dumps("k"))
    assert main(["cache", "verify"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"entry {KEYS[0]} cannot be read") for line in lines)
    assert any(line.startswith(f"the question of entry {KEYS[1]} cannot") for line in lines)
    assert any(line.startswith(f"entry {KEYS[2]} cannot be read") for line in lines)
    assert any("1 rows under keys" in line for line in lines)
    assert main(["cache", "verify"]) == 0
    store = disk_store(tmp_path)
    assert store.get(KEYS[1]) == [2]  # its answer is whole
    assert store.keys() == [KEYS[1]]


def test_a_store_that_cannot_be_checked_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path))
    fill(tmp_path)
    change(tmp_path, "ALTER TABLE Cache DROP COLUMN mode")
    assert main(["cache", "verify"]) == 1
    assert main(["cache", "info"]) == 0
    assert main(["cache", "list"]) == 0


def test_an_orphan_value_file_is_found_and_goes_with_prune_and_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path / "cache"))
    fill(tmp_path / "cache")
    (outside := tmp_path / "outside" / "cd").mkdir(parents=True)
    (outside / f"{'0' * 28}.val").write_text("not ours")
    (tmp_path / "cache" / "aa").symlink_to(tmp_path / "outside")
    for action in ("prune", "clear"):
        orphan = tmp_path / "cache" / "ab" / "cd" / f"{'0' * 28}.val"
        orphan.parent.mkdir(parents=True, exist_ok=True)
        orphan.write_text("[1]")
        assert main(["cache", "verify"]) == 1
        assert str(orphan) in capsys.readouterr().out
        assert main(["cache", action]) == 0
        assert not orphan.exists()
        assert main(["cache", "verify"]) == 0
        assert "nothing is wrong" in capsys.readouterr().out
    assert (outside / f"{'0' * 28}.val").exists()
    assert not list((tmp_path / "cache").rglob("*.val"))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    directory = tmp_path / "some" / "where"
    before = os.umask(umask)
    try:
        store = disk_store(directory)
        store.put("k", LARGE, question={})
        seen = {path: stat.S_IMODE(path.stat().st_mode) for path in directory.parent.rglob("*")}
        store.close()
    finally:
        os.umask(before)
    assert {path.name for path in seen} >= {"cache.db", "cache.db-wal", "cache.db-shm"}
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in seen.items()), seen
    assert stat.S_IMODE(directory.parent.stat().st_mode) == 0o700


def test_files_of_earlier_versions_become_private(tmp_path: Path) -> None:
    store = disk_store(tmp_path)
    store.put("k", [1], question={})
    for name in ("cache.db", "cache.db-wal", "cache.db-shm"):
        (tmp_path / name).chmod(0o644)
    disk_store(tmp_path)
    for name in ("cache.db", "cache.db-wal", "cache.db-shm"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_what_a_clock_ahead_has_stored_ages(tmp_path: Path) -> None:
    store = disk_store(tmp_path)
    store.put("limited", [1], question={}, max_age_s=3600)
    store.put("kept", [2], question={})
    change(
        tmp_path, "UPDATE Cache SET store_time = store_time + 1e8, expire_time = expire_time + 1e8"
    )
    assert store.get("limited") is None
    assert store.get("kept") == [2]
    again = disk_store(tmp_path)
    assert again.get("limited") is None
    assert again.prune() == 2
    assert again.keys() == ["kept"]
    with sqlite3.connect(tmp_path / "cache.db") as database:
        (latest,) = database.execute("SELECT MAX(store_time) FROM Cache").fetchone()
    database.close()
    assert latest <= time.time()


@pytest.mark.parametrize(
    ("stored", "is_hit"),
    [
        (lambda now: [LAYOUT, now - 5, "x"], True),
        (lambda now: [LAYOUT, now - 50, "x"], False),
        (lambda now: [LAYOUT, now + 1e7, "x"], False),
        (lambda now: [LAYOUT, "yesterday", "x"], False),
        (lambda now: [LAYOUT, None, "x"], False),
        (lambda now: [LAYOUT], False),
        (lambda now: {"a": 1}, False),
        (lambda now: "x", False),
    ],
)
async def test_an_age_that_is_unknown_is_too_old(tmp_path: Path, stored: Any, is_hit: bool) -> None:
    store = disk_store(tmp_path)
    store.put("k", stored(time.time()), question={})
    entry = CacheEntry(store, "k", {}, "use", CachePolicy(oldest_s=10.0), 0.0, lambda parts: parts)
    assert await entry.find() == (["x"] if is_hit else None)


def test_many_rows_of_one_moment_are_all_pruned(tmp_path: Path) -> None:
    store = disk_store(tmp_path)
    store.put_all([(digest(n), [n], {}) for n in range(300)], max_age_s=1)
    change(tmp_path, "UPDATE Cache SET expire_time = 5")
    assert store.prune() == 600


def test_a_new_store_opens_for_all_that_come_at_once(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)

    def kept(n: int) -> list[object]:
        found: list[object] = []
        for directory in range(60):
            barrier.wait()
            store = disk_store(tmp_path / str(directory))
            store.put(f"{n}", [n], question={})
            found.append(store.get(f"{n}"))
            store.close()
        return found

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(kept, range(4))) == [[[n]] * 60 for n in range(4)]


def test_writers_and_readers_in_many_processes_leave_a_whole_store(tmp_path: Path) -> None:
    script = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from orchestrator.cache.disk import disk_store
me = int(sys.argv[1])
store = disk_store(Path({str(tmp_path)!r}))
for n in range(40):
    store.put(f"{{me}}-{{n}}", ["x" * (50_000 if n % 4 == 0 else 10)], question={{"n": n}})
    assert store.get(f"{{me}}-{{n}}") is not None
    if n % 10 == 0:
        store.delete([f"{{me}}-{{n}}"])
        store.prune()
"""
    running = [subprocess.Popen([sys.executable, "-c", script, str(n)]) for n in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    store = disk_store(tmp_path)
    assert store.verify() == []
    assert len(store.keys()) == 3 * 36
