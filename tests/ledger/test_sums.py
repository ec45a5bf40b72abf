"""The sums that are kept beside the ledger are those of its lines, whatever happens to either."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.main import main
from orchestrator.ledger import jsonl, months
from orchestrator.ledger.ledger import Ledger, LedgerEntry, lines_of
from orchestrator.ledger.months import keep_sums, sums_of
from orchestrator.ledger.sums import Sums
from orchestrator.ledger.usage import BYS, By
from orchestrator.types.requests import Usage, WireAttempt
from tests.support.adding import sums
from tests.support.examples import share_of

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
    assert len(list(tmp_path.glob("*.sums"))) == 1
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


@settings(max_examples=share_of(60), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), max_size=40))
def test_kept_sums_are_those_of_the_lines_at_every_moment(steps: list[tuple[str, int]]) -> None:
    entries: dict[int, LedgerEntry] = {}
    before, months._WORTH_KEEPING = months._WORTH_KEEPING, 0
    try:
        with tempfile.TemporaryDirectory() as name:
            ledger = Ledger(Path(name))
            for what, number in [*steps, ("look", 0)]:
                step(ledger, entries, what, number)
                if what == "look":
                    assert of_sums(Path(name)) == of_lines(Path(name))
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
    (path,) = month.glob("*.sums")
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


@pytest.mark.parametrize("is_one_process", [True, False])
def test_a_ledger_that_grows_keeps_its_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_one_process: bool
) -> None:
    monkeypatch.setattr("orchestrator.ledger.ledger.SUMMED_AFTER", 2000)
    monkeypatch.setattr(months, "_WORTH_KEEPING", 0)
    ledger = Ledger(tmp_path)
    for _ in range(10):
        with ledger.open("generate", route="r"):
            pass
        if not is_one_process:
            ledger = Ledger(tmp_path)
    for thread in threading.enumerate():
        if thread.name.startswith("sums"):
            thread.join()
    assert len(list(tmp_path.glob("*.sums"))) == 1
    assert of_sums(tmp_path) == of_lines(tmp_path)


def test_a_start_reads_the_sums_of_its_day_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [f"{MONTH}-{day:02d}T10:00:00.000+00:00" for day in range(1, 29)]
    raw = b"".join(line(n, at=at) for at in days for n in range(100))
    (tmp_path / f"{MONTH}.jsonl").write_bytes(raw)
    keep_sums(tmp_path, MONTH)
    read: list[str] = []

    def noted(sums: Sums, day: str, by: By, names: Any) -> None:
        read.append(f"{day} {by} {len(names)}")

    monkeypatch.setattr(Sums, "add_day", noted)
    sums_of(tmp_path, "tenant", since=f"{MONTH}-28", is_checked=False)
    assert read == [f"{MONTH}-28 tenant 3"]


def test_a_ledger_that_was_copied_is_not_added_up_once_more(
    month: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path_factory.mktemp("other") / "ledger"
    shutil.copytree(month, copied)
    expected, read = of_sums(month), []
    monkeypatch.setattr(Sums, "add", lambda _, line: read.append(line))
    assert of_sums(copied) == expected
    sums_of(copied, "tenant", is_checked=False)
    assert read == []
    monkeypatch.undo()
    edited(copied / f"{MONTH}.jsonl")
    assert of_sums(copied) == of_lines(copied)


def test_versions_with_other_layouts_leave_each_others_sums_alone(month: Path) -> None:
    (path,) = month.glob("*.sums")
    kept = path.read_bytes()[9:].replace(b"{", b'{"layout":2,', 1).replace(b'"t1"', b'"t8"')
    other = month / f"{MONTH}.sums"  # the name that earlier versions of the package gave it
    other.write_bytes(b"%08x\n%b" % (zlib.crc32(kept), kept))
    both = {path: path.stat().st_ino, other: other.stat().st_ino}
    assert of_sums(month) == of_lines(month)
    assert {path: path.stat().st_ino for path in month.glob("*.sums")} == both


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
    b'{"at":"2026-11-02","wire":[{"cost_usd":1e300}]}',
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
        assert f"{len(ODD)} lines in" in caplog.text  # the empty one is not damage, a torn one is
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


def test_a_line_is_not_written_onto_one_that_a_killed_process_left_torn(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for number in range(4):
        with ledger.open("generate", route="r", tenant=f"t{number}"):
            pass
        (path,) = tmp_path.glob("*.jsonl")
        with path.open("ab") as other:  # of another process, while this one has it open
            other.write(line(number)[:30])
    assert [entry["tenant"] for entry in lines_of(tmp_path)] == ["t0", "t1", "t2", "t3"]
    assert sums_of(tmp_path, "tenant").keys() == {"t0", "t1", "t2", "t3"}


OVER, FRESH = f"{1:032x}", f"{2:032x}"


@pytest.mark.parametrize(
    "sent",
    [
        {"pending": [{**attempt(0.5), "id": OVER}], "id": FRESH},
        {"wire": [{"at": "", "id": OVER}], "pending": [attempt(0.5)], "id": FRESH},
        {"id": FRESH, "tenant": f'{{"at":"","id":"{OVER}",', "pending": [attempt(0.5)]},
        {"id": f"{OVER}\u00e9", "pending": [attempt(0.5)]},
        {"id": OVER, "pending": [attempt(0.5)]},
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\t", " :")])
@pytest.mark.parametrize("has_time_first", [True, False])
def test_a_call_that_was_sent_counts_however_its_line_is_spelled(
    tmp_path: Path, sent: dict[str, Any], separators: tuple[str, str], *, has_time_first: bool
) -> None:
    at = {"at": f"{MONTH}-02T10:00:00.000+00:00"}
    whole = {**at, **sent} if has_time_first else {**sent, **at}
    raw = json.dumps(whole, separators=separators)
    (tmp_path / f"{MONTH}.jsonl").write_bytes(line(1, wire=[attempt(0.25)]))
    (tmp_path / f"{MONTH}.sent").write_text(f"{raw}\n", encoding="utf-8")
    spent = sum(entry.usd for entry in sums_of(tmp_path, "tenant").values())
    assert spent == (0.25 if sent["id"] == OVER else 0.75)


KILLED = """
import sys
from pathlib import Path
from orchestrator.ledger import months
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.months import keep_sums
from orchestrator.types.requests import Usage, WireAttempt
months._WORTH_KEEPING = 0
ledger = Ledger(Path(sys.argv[1]))
call = WireAttempt("d", "acme", "m", "unfinished", cost_usd=0.5, estimated=True)
paid = WireAttempt("d", "acme", "m", "answered", cost_usd=0.125)
number = 0
while True:
    number += 1
    entry = ledger.open("generate", route="r", tenant=f"t{number % 3}")
    entry.cost_so_far.send(call)
    if number % 7:
        entry.cost_so_far.add((paid,), instead_of=call)
    if number % 5:
        entry.close("answered")
    keep_sums(ledger.directory, entry._line("x", "x", entry.cost_so_far)["at"][:7])
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 2, 5, 7, 20, 36])
def test_a_process_that_is_killed_leaves_all_that_it_spent_on_the_bill(
    tmp_path: Path, after: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as ran:
        assert ran.stdout is not None
        for _ in range(after):
            ran.stdout.readline()
        ran.kill()  # anywhere between a call, its line and the sums
    at_start = Ledger(tmp_path).spent_today()
    by_tenant = sums(lines_of(tmp_path), "tenant")
    assert at_start == {name: entry.usd for name, entry in by_tenant.items()}
    assert sum(at_start.values()) >= 0.125 * after
    assert of_sums(tmp_path) == of_lines(tmp_path)


@given(
    lines=st.lists(st.binary(max_size=12), max_size=8),
    block=st.integers(1, 9),
    most=st.integers(1, 30),
    is_last=st.booleans(),
)
def test_a_file_is_read_in_portions_of_whole_lines(
    *, lines: list[bytes], block: int, most: int, is_last: bool
) -> None:
    raw = b"\n".join(lines)
    before = jsonl._BLOCK, jsonl._MOST_BYTES
    jsonl._BLOCK, jsonl._MOST_BYTES = block, most
    try:
        found = list(jsonl.blocks(io.BytesIO(raw), 0, len(raw), is_last=is_last))
    finally:
        jsonl._BLOCK, jsonl._MOST_BYTES = before
    place = 0
    for at, portion in found:
        assert at == place
        place += len(portion)
        is_whole = portion.endswith(b"\n") or (is_last and place == len(raw))
        assert is_whole or len(portion) >= most
    assert b"".join(portion for _, portion in found) == raw[:place]
    assert b"\n" not in raw[place:]
    assert not (is_last and raw[place:])


def test_processes_that_write_and_add_up_at_once_lose_nothing(tmp_path: Path) -> None:
    ran = [subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), name]) for name in "ab"]
    assert [one.wait() for one in ran] == [0, 0]
    assert {k: v.requests for k, v in sums_of(tmp_path, "tenant").items()} == {"a": 60, "b": 60}
    assert of_sums(tmp_path) == of_lines(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
