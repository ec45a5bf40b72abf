"""The store on disk: JSON only, and a disk that may be broken, full or another user's."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cache.cached_call import CachingCompleter
from orchestrator.cache.disk import DiskBackend, disk_store
from orchestrator.cache.keys import digest
from orchestrator.types.errors import ConfigError
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Request
from orchestrator.types.run_context import RunContext
from tests.support.scripted import Scripted

# The store is opened where it is tested.
pytestmark = pytest.mark.may_block


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return Path("exploded").touch, ()


def plant(directory: Path, column: str, value: object) -> None:
    with sqlite3.connect(directory / "cache.db") as database:
        database.execute(f"UPDATE Cache SET {column} = ?", (value,))
    database.close()


async def test_a_planted_pickle_is_refused_and_never_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    store = disk_store(tmp_path / "cache")
    key = digest("k")
    store.put(key, {"a": 1}, question={})
    plant(tmp_path / "cache", "value", pickle.dumps(Bomb()))
    plant(tmp_path / "cache", "mode", 4)
    assert store.get(key) is None
    assert store.get(key) is None
    assert store.info().refused == 2
    assert not (tmp_path / "exploded").exists()
    assert len(caplog.records) == 1


async def test_a_value_file_outside_the_store_is_never_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("[1]")
    store = disk_store(tmp_path / "cache")
    store.put("k", {"a": 1}, question={})
    plant(tmp_path / "cache", "filename", "../secret.json")
    plant(tmp_path / "cache", "mode", 2)
    assert store.get("k") is None


def test_a_thread_holds_two_megabytes_of_pages_at_most(tmp_path: Path) -> None:
    disk = DiskBackend(tmp_path, 100)._disk

    def pages() -> tuple[int]:
        return disk._sql("PRAGMA cache_size").fetchone()  # type: ignore[no-any-return]

    with ThreadPoolExecutor(1) as another:
        sizes = [pages(), another.submit(pages).result()]
    assert sizes == [(-2000,), (-2000,)]


def test_large_values_live_in_files_and_come_back_whole(tmp_path: Path) -> None:
    store = disk_store(tmp_path)
    store.put("k", {"text": "x" * 200_000}, question={})
    assert store.get("k") == {"text": "x" * 200_000}
    assert list(tmp_path.rglob("*.val"))


async def test_a_database_destroyed_under_us_costs_a_call_and_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    question = Request((LLMMessage(LLMRole.USER, "a cautious explorer"),), "default")
    cache = CachingCompleter(
        Scripted("one", "two"), disk_store(tmp_path), fingerprint=lambda _: "f"
    )
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("DROP TABLE Cache")
    database.close()
    assert (await cache.complete(question, RunContext())).text == "one"
    assert (await cache.complete(question, RunContext())).text == "two"
    await cache.withdraw([question])
    assert len([r for r in caplog.records if "cannot be" in r.getMessage()]) == 2


def test_the_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    disk_store(tmp_path / "cache").close()
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_a_directory_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to user"):
        disk_store(tmp_path)


def test_a_file_in_place_of_the_directory_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a directory")
    with pytest.raises(ConfigError, match="ORCHESTRATOR_CACHE_DIR"):
        disk_store(tmp_path / "cache")


def test_only_bytes_under_text_keys_can_be_stored(tmp_path: Path) -> None:
    rows = DiskBackend(tmp_path, 1)
    with pytest.raises(TypeError, match="not text"):
        rows._disk.set(1, b"x")
    with pytest.raises(TypeError, match="not bytes"):
        rows._disk.set("k", {"a": 1})


async def test_a_value_file_that_became_a_link_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("[1]")
    store = disk_store(tmp_path / "cache")
    store.put("k", {"text": "x" * 200_000}, question={})
    (file,) = (tmp_path / "cache").rglob("*.val")
    file.unlink()
    file.symlink_to(secret)
    assert store.get("k") is None
    assert store.info().refused == 1


def test_a_database_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.db").write_bytes(b"")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "cache.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(ConfigError, match="leads elsewhere"):
        disk_store(tmp_path / "cache")


def test_a_file_that_is_no_database_is_set_aside_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache.db").write_bytes(b"garbage" * 1000)
    store = disk_store(tmp_path)
    store.put("k", {"a": 1}, question={})
    assert store.get("k") == {"a": 1}
    (aside,) = tmp_path.glob("damaged-*")
    assert (aside / "cache.db").read_bytes() == b"garbage" * 1000
    assert caplog.text.count("set aside") == 1


def test_a_directory_that_cannot_be_used_keeps_nothing_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = disk_store(Path("/proc/no-such-place/cache"))
    store.put("k", {"a": 1}, question={})
    store.delete(["k"])
    assert store.get("k") is None
    assert (store.info().entries, store.clear(), store.prune()) == (0, 0, 0)
    assert store.verify() == ["/proc/no-such-place/cache cannot be used"]
    assert len(caplog.records) == 1


def test_a_full_disk_costs_no_request_and_no_valid_entry(tmp_path: Path) -> None:
    script = f"""
import resource, signal
from pathlib import Path
from orchestrator.cache.cached_call import CachingCompleter
from orchestrator.cache.disk import DiskBackend, disk_store
store = disk_store(Path({str(tmp_path)!r}))
store.put("small", {{"a": 1}}, question={{}})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
for n in range(30):
    store.put(f"large{{n}}", {{"text": "x" * 500_000}}, question={{}})
    store.put(f"middle{{n}}", {{"text": "x" * 20_000}}, question={{}})
assert store.get("small") == {{"a": 1}}
assert store.get("large0") is None
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("cannot be written") == 1
    store = disk_store(tmp_path)
    assert store.get("small") == {"a": 1}


def test_a_writer_that_is_killed_loses_nothing_that_was_whole(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from orchestrator.cache.cached_call import CachingCompleter
from orchestrator.cache.disk import DiskBackend, disk_store
store = disk_store(Path({str(tmp_path)!r}))
for n in range(100_000):
    store.put(f"k{{n}}", {{"n": n, "text": "x" * 40_000}}, question={{"n": n}})
    print(n, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        last = [int(writer.stdout.readline()) for _ in range(50)][-1]
        writer.kill()
    store = disk_store(tmp_path)
    for n in range(last + 1):
        assert store.get(f"k{n}") == {"n": n, "text": "x" * 40_000}
    assert store.verify() == [] or all("removed" in line or "file" in line.lower()
                                       for line in store.verify())  # fmt: skip
    store.put("after", {"a": 1}, question={})
    assert store.get("after") == {"a": 1}


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
@pytest.mark.parametrize("where", ["inline", "file"])
@pytest.mark.parametrize("column", ["value", "key"])
def test_a_pickle_planted_in_any_way_never_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, where: str, column: str
) -> None:
    monkeypatch.chdir(tmp_path)
    store = disk_store(tmp_path / "cache")
    store.put("k", {"text": "x" * (100_000 if where == "file" else 10)}, question={})
    bomb = pickle.dumps(Bomb())
    if column == "key":
        plant_where(tmp_path / "cache", "key = ?, raw = 0", "key = 'k'", bomb)
    elif where == "file":
        (file,) = (tmp_path / "cache").rglob("*.val")
        file.write_bytes(bomb)
        plant_where(tmp_path / "cache", "mode = ?", "key = 'k'", mode)
    else:
        plant_where(tmp_path / "cache", "value = ?", "key = 'k'", bomb)
        plant_where(tmp_path / "cache", "mode = ?", "key = 'k'", mode)
    assert store.get("k") is None
    store.verify()
    assert not (tmp_path / "exploded").exists()


def plant_where(directory: Path, change: str, row: str, value: object) -> None:
    with sqlite3.connect(directory / "cache.db") as database:
        database.execute(f"UPDATE Cache SET {change} WHERE {row}", (value,))
    database.close()


def steps_of_opening(directory: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many instructions SQLite runs until the store in `directory` is open."""
    steps: list[None] = []
    connect = sqlite3.connect

    def counted(*arguments: Any, **rest: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **rest)
        connection.set_progress_handler(lambda: steps.append(None), 1)
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", counted)
        disk_store(directory).close()
    return len(steps)


@pytest.mark.parametrize("max_age_s", [0.0, 60.0])
def test_opening_a_store_reads_none_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_age_s: float
) -> None:
    steps = []
    for count in (10, 1000):
        store = disk_store(tmp_path / str(count))
        rows = [(digest(n), {"n": n}, {"q": n}) for n in range(count)]
        store.put_all(rows, max_age_s=max_age_s)
        store.close()
        steps.append(steps_of_opening(tmp_path / str(count), monkeypatch))
    assert steps[0] > 50
    assert steps[1] < steps[0] + 50, steps
