"""The audit log: private files by day and size, whole lines, a disk that fails."""

from __future__ import annotations

import datetime
import json
import logging
import multiprocessing
import stat
from pathlib import Path

import pytest

from orchestrator.agents import audit
from orchestrator.agents.audit import AuditLog
from orchestrator.agents.bus import InteractionFailed

DAY_S = 86_400.0
NOON = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.UTC).timestamp()


def event(number: int, at: float = NOON) -> InteractionFailed:
    return InteractionFailed(turn_id=f"turn {number}", conversation_id="c", tenant="t", at=at,
                  error="E", message="x" * 200)  # fmt: skip


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def lines(directory: Path) -> list[dict[str, object]]:
    return [
        json.loads(line) for path in directory.iterdir() for line in path.open() if line.strip()
    ]


def test_a_day_has_private_files_and_old_days_go(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit", days=2)
    for day in range(3):
        log(event(day, NOON + day * DAY_S))
    log(event(3, NOON + DAY_S))  # a late one goes to its own day
    assert names(tmp_path / "audit") == ["audit-2026-11-27.jsonl", "audit-2026-11-28.jsonl"]
    assert len(lines(tmp_path / "audit")) == 3
    for path in (tmp_path / "audit").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_file_is_followed_by_another_of_its_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_BYTES", 1000)
    first, second = AuditLog(tmp_path, days=1), AuditLog(tmp_path, days=1)
    for number in range(12):
        (first, second)[number % 2](event(number))
    assert len(lines(tmp_path)) == 12
    assert len(names(tmp_path)) >= 3
    assert all(path.stat().st_size < 2000 for path in tmp_path.iterdir())
    first(event(12, NOON + DAY_S))
    assert names(tmp_path) == ["audit-2026-11-27.jsonl"]


def _write(directory: str, process: int) -> None:
    log = AuditLog(Path(directory))
    for number in range(300):
        log(event(process * 1000 + number))


def test_lines_of_several_processes_are_whole(tmp_path: Path) -> None:
    start = multiprocessing.get_context("fork").Process
    processes = [start(target=_write, args=(str(tmp_path), one)) for one in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len({line["turn_id"] for line in lines(tmp_path)}) == 900


def test_a_disk_that_fails_is_said_once_and_breaks_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "audit"
    place.write_text("not a directory")
    log = AuditLog(place)
    with caplog.at_level(logging.WARNING):
        log(event(1))
        log(event(2))
    assert [record.message for record in caplog.records if "audit log" in record.message] == [
        f"The audit log in {place} cannot be written ([Errno 1] it is a link that leads elsewhere,"
        f" or a file: not a directory: '{place}')."
    ]
    place.unlink()
    log(event(3))
    assert [line["turn_id"] for line in lines(place)] == ["turn 3"]
