"""The sums that are kept beside the ledger are those of its lines, whatever happens to either."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.main import main
from orchestrator.ledger import months
from orchestrator.ledger.ledger import Ledger, LedgerEntry, lines_of
from orchestrator.ledger.months import keep_sums, sums_of
from orchestrator.ledger.sums import sums
from orchestrator.ledger.usage import BYS
from orchestrator.types.requests import Usage, WireAttempt

SENT = WireAttempt(
    "d", "acme", "m", "unfinished", usage=Usage(12, 100), cost_usd=0.5, estimated=True
)
MONTH = "2026-11"


def attempt(usd: float | None = 0.1, model: str = "m", **rest: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "cached_tokens": 0}
    return {
        "model": model, "outcome": "answered", "cost_usd": usd, "usage": usage, "seconds": 0.25,
        "estimated": False, **rest,
    }  # fmt: skip


def line(number: int, at: str = f"{MONTH}-02T10:00:00.000+00:00", **rest: Any) -> bytes:
    usual = {"operation": "generate", "route": "r", "agent_type": "", "tenant": f"t{number % 3}"}
    whole = {
        "at": at, "id": f"{number:032x}", **usual, "hits": 0, "wire": [attempt()],
        "usage": {}, "billed_usd": 0.1, "served_usd": 0.1, **rest,
    }  # fmt: skip
    return json.dumps(whole, separators=(",", ":")).encode() + b"\n"


def of_lines(directory: Path, since: str = "") -> list[Any]:
    """What the lines themselves add up to, each read."""
    lines = list(lines_of(directory, since=since))
    return [{k: v.as_dict() for k, v in sums(lines, by).items()} for by in BYS]


def of_sums(directory: Path, since: str = "") -> list[Any]:
    return [{k: v.as_dict() for k, v in sums_of(directory, by, since=since).items()} for by in BYS]


@pytest.fixture
def month(tmp_path: Path) -> Path:
    """A month of which the sums are kept, larger than what is looked at on both ends."""
    raw = b"".join(line(n, wire=[attempt(0.1 + n % 7)]) for n in range(2000))
    (tmp_path / f"{MONTH}.jsonl").write_bytes(raw)
    keep_sums(tmp_path, MONTH)
    assert (tmp_path / f"{MONTH}.sums").exists()
    return tmp_path


def step(ledger: Ledger, entries: dict[int, LedgerEntry], what: str, number: int) -> None:
    """One thing that happens to a request."""
    entry = entries.setdefault(number, ledger.open("generate", route="r", tenant=f"t{number}"))
    cost, paid = entry.cost_so_far, WireAttempt("d", "acme", "m", "answered", 200, 0.1)
    steps: dict[str, Callable[[], object]] = {
        "hit": lambda: cost.add_cached(Usage(1, 1), 0.2),
        "close": lambda: entry.close("answered"),
        "next": lambda: entries.pop(number),
    }
    if not entry._is_closed:
        steps["send"] = lambda: cost.send(SENT)
    if cost.pending:
        steps["end"] = lambda: cost.add((replace(paid, cost_usd=0.1),), instead_of=SENT)
        steps["give up"] = lambda: cost.add((), instead_of=SENT)
    if entry._is_closed:
        steps["late"] = lambda: cost.add((replace(paid, model="n", outcome="Timeout"),))
    steps.get(what, lambda: None)()


STEPS = ("next", "send", "end", "give up", "hit", "close", "late", "look")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), max_size=40))
def test_kept_sums_are_those_of_the_lines_at_every_moment(steps: list[tuple[str, int]]) -> None:
    directory = Path(tempfile.mkdtemp())
    ledger = Ledger(directory)
    entries: dict[int, LedgerEntry] = {}
    before, months._WORTH_KEEPING = months._WORTH_KEEPING, 0
    try:
        for what, number in [*steps, ("look", 0)]:
            step(ledger, entries, what, number)
            if what == "look":
                assert of_sums(directory) == of_lines(directory)
    finally:
        months._WORTH_KEEPING = before


def edited(path: Path) -> None:
    with path.open("r+b") as file:
        raw = file.read()
        file.seek(raw.index(b"t1", len(raw) // 2))
        file.write(b"t9")


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def torn(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 7)


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(line(5000) + b"{broken\n" + line(5001))


def edited_and_appended(path: Path) -> None:
    edited(path)
    appended(path)


def replaced(path: Path) -> None:
    raw = path.read_bytes()
    path.unlink()
    path.write_bytes(raw.replace(b"t2", b"t7"))


def removed(path: Path) -> None:
    path.unlink()


def rotated(path: Path) -> None:
    path.rename(path.with_suffix(".old"))
    path.write_bytes(line(7000))


def without_end(path: Path) -> None:
    with path.open("ab") as file:
        file.write(line(6000).rstrip(b"\n"))


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "change",
    [edited, truncated, torn, appended, edited_and_appended, replaced, removed, rotated,
     without_end, a_pipe],
)  # fmt: skip
def test_what_happens_to_a_file_by_hand_is_in_the_sums(
    month: Path, change: Callable[[Path], None]
) -> None:
    assert of_sums(month) == of_lines(month)
    change(month / f"{MONTH}.jsonl")
    assert of_sums(month) == of_lines(month)
    assert of_sums(month) == of_lines(month)


@pytest.mark.parametrize(
    "kept",
    [b"", b"{}", b"zz\n{}", b"00000000\n{}", b"\xff" * 100],
)
def test_kept_sums_that_are_damaged_are_made_once_more(month: Path, kept: bytes) -> None:
    path = month / f"{MONTH}.sums"
    whole = path.read_bytes()
    for raw in (kept, whole[: len(whole) // 2], whole.replace(b'"t1"', b'"t8"')):
        path.write_bytes(raw)
        assert of_sums(month) == of_lines(month)
    assert path.read_bytes()[:9] == whole[:9] or len(path.read_bytes()) > 100


def test_a_start_reads_no_line_that_is_added_up_and_a_bill_checks_them(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.open("generate", route="r") as entry:
        pass
    at, month = ledger.lines()[0]["at"], ledger.lines()[0]["at"][:7]
    path = tmp_path / f"{month}.jsonl"
    with path.open("ab") as file:
        file.write(b"".join(line(n, at=at, tenant="a") for n in range(3000)))
    assert ledger.spent_today()["a"] == pytest.approx(300.0)
    edited_at = path.stat().st_size // 2
    with path.open("r+b") as file:
        raw = file.read()
        file.seek(raw.index(b'"tenant":"a"', edited_at))
        file.write(b'"tenant":"b"')
    entry.cost_so_far.add(())
    with ledger.open("generate", route="r"):
        pass
    assert "b" not in ledger.spent_today()  # that line was not read
    assert "b" in sums_of(tmp_path, "tenant")
    assert "b" in ledger.spent_today()


def test_a_process_that_writes_much_keeps_the_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.ledger.ledger.SUMMED_AFTER", 2000)
    monkeypatch.setattr(months, "_WORTH_KEEPING", 0)
    ledger = Ledger(tmp_path)
    for _ in range(10):
        with ledger.open("generate", route="r"):
            pass
    for thread in threading.enumerate():
        if thread.name.startswith("sums"):
            thread.join()
    assert len(list(tmp_path.glob("*.sums"))) == 1
    assert of_sums(tmp_path) == of_lines(tmp_path)


def test_a_request_that_crosses_the_end_of_a_month_is_on_the_bill_once(tmp_path: Path) -> None:
    sent: dict[str, Any] = {
        "outcome": "unfinished",
        "wire": [],
        "pending": [attempt(0.5, estimated=True)],
    }
    last, first = "2026-11-30T23:59:59.000+00:00", "2026-12-01T00:00:02.000+00:00"
    (tmp_path / "2026-11.sent").write_bytes(line(1, at=last, **sent) + line(2, at=last, **sent))
    over = line(3, at=last, pending=[attempt(0.7), attempt(0.9)])
    (tmp_path / "2026-11.jsonl").write_bytes(over)
    ended = line(1, at=first, seconds=4.0) + line(9, at=first, seconds=0.1)
    late = line(3, at=first, operation="late", wire=[attempt(0.3)])
    (tmp_path / "2026-12.jsonl").write_bytes(ended + late)
    assert of_sums(tmp_path) == of_lines(tmp_path)
    total = sum(entry.usd for entry in sums_of(tmp_path, "tenant").values())
    assert total == pytest.approx(0.5 + 0.1 + 0.1 + 0.3 + 0.1 + 0.9)


@pytest.mark.parametrize(
    "since",
    ["", "2026-11", f"{MONTH}-02", f"{MONTH}-02T10:00:00.500+00:00", f"{MONTH}-03T00:00:00.000",
     f"{MONTH}-09T01:00", "2026-12-01", "2027"],
)  # fmt: skip
def test_a_time_in_the_middle_of_a_day_is_kept_to(tmp_path: Path, since: str) -> None:
    times = [f"{hour:02d}:00:00.{ms}+00:00" for hour in (10, 3, 23) for ms in ("000", "501")]
    days = [f"{MONTH}-{day:02d}T{time}" for day in (1, 2, 3, 9, 2) for time in times]
    raw = b"".join(line(number, at=at) for number, at in enumerate(days))
    sent: dict[str, Any] = {"wire": [], "pending": [attempt(0.5)], "outcome": "unfinished"}
    (tmp_path / f"{MONTH}.jsonl").write_bytes(raw)
    (tmp_path / f"{MONTH}.sent").write_bytes(line(0, at=days[0], **sent) + line(99, **sent))
    (tmp_path / "2026-12.jsonl").write_bytes(line(100, at="2026-12-01T00:00:00.000+00:00"))
    keep_sums(tmp_path, MONTH)
    assert of_sums(tmp_path, since) == of_lines(tmp_path, since)


def test_money_is_added_exactly_in_any_order(tmp_path: Path) -> None:
    costs = [0.1, 1e-7, 2.5e-12, 1e6, 0.2] * 50
    lines = [line(n, wire=[attempt(usd)], tenant="t") for n, usd in enumerate(costs)]
    for order in (lines, lines[::-1]):
        (tmp_path / f"{MONTH}.jsonl").write_bytes(b"".join(order))
        assert sums_of(tmp_path, "tenant")["t"].pico_usd == 50 * (10**18 + 300_000_100_002)


ODD = [
    b"",
    b"{broken",
    b"[]",
    b"12",
    b'{"at": 3}',
    b'{"at":"2026-11-02","wire":5}',
    b'{"at":"2026-11-02","wire":[{"cost_usd":NaN}]}',
    b'{"at":"2026-11-02","wire":[{"usage":{"prompt_tokens":"many"}}]}',
    b'{"at":"2026-11-02","wire":[{"cost_usd":1e999}]}',
    b"[" * 100_000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
]


def test_lines_that_cannot_be_read_are_counted_and_the_others_are_added_up(
    own_home: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ledger = own_home / "cache" / "ledger"
    ledger.mkdir(parents=True)
    raw = b"\n".join([*ODD, line(1, tenant="\ud800"), line(2, tenant='"]}\n\0')])
    (ledger / f"{MONTH}.jsonl").write_bytes(raw)
    (ledger / f"{MONTH}.sent").write_bytes(b"{torn\n")
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert main(["usage", "--by", "tenant", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["sums"]
        assert {entry["calls"] for entry in found.values()} == {1}
        assert len(found) == 2
        assert f"{len(ODD) + 2} lines in" in caplog.text
        keep_sums(ledger, MONTH)


SCRIPT = """
import sys
from pathlib import Path
from orchestrator.ledger import months
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.months import keep_sums
months._WORTH_KEEPING = 0
ledger = Ledger(Path(sys.argv[1]))
for number in range(60):
    with ledger.open("generate", route="r", tenant=sys.argv[2]) as entry:
        pass
    if number % 5 == 0:
        keep_sums(ledger.directory, ledger.lines()[0]["at"][:7])
"""


def test_processes_that_write_and_add_up_at_once_lose_nothing(tmp_path: Path) -> None:
    ran = [subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), name]) for name in "ab"]
    assert [one.wait() for one in ran] == [0, 0]
    assert {k: v.requests for k, v in sums_of(tmp_path, "tenant").items()} == {"a": 60, "b": 60}
    assert of_sums(tmp_path) == of_lines(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
