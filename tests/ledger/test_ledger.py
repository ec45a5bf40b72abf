"""The ledger: what was paid is written once, whole, and without a word of the conversation."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.ledger import jsonl as jsonlines
from orchestrator.ledger.ledger import Ledger, lines_of, runs_of
from orchestrator.types.diagnostics import Diagnostic, Report, Severity
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Answer, Attempt, Evaluation, Request, Usage, WireAttempt
from tests.support.examples import share_of

SECRET = "the-words-of-the-user"
PAID = WireAttempt("d", "openai", "m", "answered", 200, 0.1, Usage(10, 5), 0.02)
FAILED = WireAttempt("d", "openai", "m", "InternalServerError", 500, 0.1)
UNPRICED = WireAttempt("d", "acme", "m", "answered", 200, 0.1, Usage(10, 5), None)


def attempt() -> Attempt[str]:
    report = Report((Diagnostic("GMN201", Severity.ERROR, f"row of {SECRET}"),))
    return Attempt(
        Request((LLMMessage(LLMRole.USER, SECRET),), "default", templates={"generate": "v1"}),
        Answer(SECRET, provider="openai", usage=Usage(10, 5)),
        Evaluation("parsed", SECRET, SECRET, report),
        "generate",
    )


def written(directory: Path) -> list[dict[str, object]]:
    return list(lines_of(directory))


def test_a_line_holds_every_attempt_and_adds_up_tokens_and_dollars(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.open("generate_gmn", route="default", agent_type="explorer", tenant="t") as entry:
        entry.context.cost.add((FAILED, PAID))
        entry.context.cost.add_cached(Usage(7, 3), 0.03)
        entry.attempts, entry.outcome = [attempt()], "accepted"
    (line,) = written(tmp_path)
    assert (line["operation"], line["outcome"], line["tenant"]) == ("generate_gmn", "accepted", "t")
    assert line["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 0}
    assert line["served"] == {"prompt_tokens": 7, "completion_tokens": 3, "cached_tokens": 0}
    assert (line["billed_usd"], line["hits"]) == (0.02, 1)
    assert line["served_usd"] == pytest.approx(0.05)
    assert [w["outcome"] for w in line["wire"]] == ["InternalServerError", "answered"]  # type: ignore[attr-defined]
    assert line["rounds"][0]["codes"] == ["GMN201"]  # type: ignore[index]
    assert SECRET not in next(tmp_path.iterdir()).read_text()


def test_an_unknown_price_makes_the_total_unknown_rather_than_small(tmp_path: Path) -> None:
    with Ledger(tmp_path).open("generate", route="r") as entry:
        entry.cost_so_far.add((PAID, UNPRICED))
    (line,) = written(tmp_path)
    assert line["billed_usd"] is None
    assert line["served_usd"] is None


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ValueError("x"), "ValueError"), (asyncio.CancelledError(), "cancelled")],
)
def test_a_request_that_ends_in_an_exception_has_a_line_too(
    tmp_path: Path, error: BaseException, outcome: str
) -> None:
    def fail() -> None:
        with Ledger(tmp_path).open("generate", route="r") as entry:
            entry.cost_so_far.add((FAILED,))
            raise error

    with pytest.raises(type(error)):
        fail()
    (line,) = written(tmp_path)
    assert (line["outcome"], line["billed_usd"]) == (outcome, 0.0)


def test_what_ends_after_its_request_gets_a_line_of_its_own(tmp_path: Path) -> None:
    with Ledger(tmp_path).open("generate", route="r", tenant="t") as entry:
        pass
    entry.cost_so_far.add((PAID,))
    entry.close("twice")
    first, late = written(tmp_path)
    assert (first["usage"], first["id"]) == ({**dict.fromkeys(first["usage"], 0)}, late["id"])  # type: ignore[call-overload]
    assert (late["operation"], late["billed_usd"], late["tenant"]) == ("late", 0.02, "t")


def test_a_detached_request_is_written_when_it_is_closed(tmp_path: Path) -> None:
    with Ledger(tmp_path).open("acompletion", route="r") as entry:
        entry.is_detached = True
    assert written(tmp_path) == []
    entry.close("answered")
    assert len(written(tmp_path)) == 1


def test_lines_are_read_from_a_day_on_and_broken_ones_are_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "2026-10.jsonl").write_text('{"at": "2026-10-05"}\n')
    (tmp_path / "2026-11.jsonl").write_text('{"at": "2026-11-01"}\n{broken\n{"at": "2026-11-09"}\n')
    assert [line["at"] for line in lines_of(tmp_path, since="2026-11-02")] == ["2026-11-09"]
    assert "1 lines in" in caplog.text
    assert len(written(tmp_path)) == 3


def test_no_directory_keeps_no_ledger() -> None:
    with Ledger(None).open("generate", route="r"):
        pass


def test_an_unwritable_place_is_told_once_and_fails_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ledger").write_text("a file in the way")
    ledger = Ledger(tmp_path / "ledger")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with ledger.open("generate", route="r"):
                pass
    assert caplog.text.count("cannot be written") == 1
    assert json.dumps(caplog.text).count(SECRET) == 0


def test_lines_go_where_the_file_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "CHECK_S", 0.0)
    ledger = Ledger(tmp_path)
    for _ in range(2):
        with ledger.open("generate", route="r"):
            pass
    (path,) = tmp_path.glob("*.jsonl")
    path.rename(tmp_path / "old.txt")  # as a rotation does
    with ledger.open("generate", route="r"):
        pass
    assert len((tmp_path / "old.txt").read_text().splitlines()) == 2
    path.unlink()
    with ledger.open("generate", route="\ud800"):
        pass
    (line,) = ledger.lines()
    assert line["route"] == "\ud800"


def test_every_line_has_an_id_of_its_own_across_threads_and_forks(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)

    def book(_: int) -> None:
        with ledger.open("generate", route="r"):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(book, range(50)))
    script = f"""
import os
from pathlib import Path
from orchestrator.ledger.ledger import Ledger
ledger = Ledger(Path({str(tmp_path)!r}))
with ledger.open("generate", route="r"):
    pass
children = [os.fork() for _ in range(2)]
with ledger.open("generate", route="r"):
    pass
if all(children):
    os.waitpid(children[0], 0), os.waitpid(children[1], 0)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    ids = [line["id"] for line in ledger.lines()]
    assert len(ids) == len(set(ids)) == 50 + 1 + 4


EXPECTED = WireAttempt(
    "d", "openai", "m", "unfinished", usage=Usage(12, 100), cost_usd=0.5, estimated=True
)


def test_a_call_stands_at_its_estimate_until_the_line_of_its_request_is_there(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path)
    with ledger.open("generate_gmn", route="r", tenant="t") as entry:
        entry.cost_so_far.send(EXPECTED)
        entry.cost_so_far.add((PAID,), instead_of=EXPECTED)
        for _ in range(2):  # two samples, at once
            entry.cost_so_far.send(EXPECTED)
        (line,) = Ledger(tmp_path).lines()
        assert (line["outcome"], line["tenant"], line["estimated"]) == ("unfinished", "t", True)
        assert [one["outcome"] for one in line["wire"]] == ["answered", "unfinished", "unfinished"]
        assert line["billed_usd"] == pytest.approx(0.02 + 2 * 0.5)
        assert line["usage"]["completion_tokens"] == PAID.usage.completion_tokens + 2 * 100
        assert ledger.spent_today() == {"t": pytest.approx(1.02)}
        for _ in range(2):
            entry.cost_so_far.add((PAID,), instead_of=EXPECTED)
    (line,) = ledger.lines()
    assert (line["outcome"], line["billed_usd"]) == ("answered", pytest.approx(0.06))
    assert not line["estimated"]
    assert "pending" not in line


def test_a_call_that_outlives_its_request_is_on_the_bill_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)

    def wires() -> list[list[str]]:
        return [[one["outcome"] for one in line["wire"]] for line in ledger.lines()]

    with ledger.open("generate", route="r") as entry:
        entry.cost_so_far.send(EXPECTED)
    assert wires() == [["unfinished"]]
    entry.cost_so_far.add((PAID,), instead_of=EXPECTED)
    assert wires() == [[], ["answered"]]
    entry.cost_so_far.send(EXPECTED)  # its answer was of no use, and one more call is made
    assert wires() == [["unfinished"], ["answered"], []]
    entry.cost_so_far.add((), instead_of=EXPECTED)
    assert wires() == [[], ["answered"], [], []]


def test_a_line_that_was_torn_spoils_no_other(tmp_path: Path) -> None:
    for name in ("first", "second"):
        ledger = Ledger(tmp_path)
        with ledger.open(name, route="r"):
            pass
        (path,) = tmp_path.glob("*.jsonl")
        with path.open("a") as file:
            file.write('{"at": "2026-11-2')
    with Ledger(tmp_path).open("third", route="r"):
        pass
    assert [line["operation"] for line in written(tmp_path)] == ["first", "second", "third"]


def test_a_line_that_is_cut_in_two_by_a_full_disk_is_an_error_and_spoils_no_other(
    tmp_path: Path,
) -> None:
    script = f"""
import resource
from pathlib import Path
from orchestrator.ledger.jsonl import Appender
file = Appender(Path({str(tmp_path)!r}))
file.append("a", b'{{"n": 1}}')
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (13, before[1]))
for _ in range(2):
    try:
        file.append("a", b'{{"n": 2}}')
        print("written")
    except OSError as error:
        print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_FSIZE, before)
file.append("a", b'{{"n": 3}}')
"""
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["OSError", "OSError"]
    assert [line["n"] for line in jsonlines.read([tmp_path / "a"])] == [1, 3]


@settings(max_examples=share_of(60), deadline=None)
@given(st.lists(st.binary(max_size=9).filter(lambda raw: b"\n" not in raw)), st.booleans())
def test_a_file_is_read_from_its_end_as_from_its_beginning(
    lines: list[bytes], is_ended: bool
) -> None:
    path = Path(tempfile.mkdtemp()) / "lines"
    path.write_bytes(b"\n".join(lines) + b"\n" * is_ended)
    before, jsonlines._BLOCK = jsonlines._BLOCK, 4
    try:
        assert list(jsonlines.backwards(path))[::-1] == list(filter(None, lines))
    finally:
        jsonlines._BLOCK = before


def test_the_last_run_is_found_without_reading_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    for _ in range(200):
        with ledger.open("generate", route="r") as entry:
            entry.attempts = (attempt(),)
        with ledger.open("acompletion", route="r"):
            pass
    read: list[bytes] = []
    whole = json.loads

    def noted(raw: bytes) -> object:
        read.append(raw)
        return whole(raw)

    monkeypatch.setattr("orchestrator.ledger.jsonl.json.loads", noted)
    last = next(runs_of(tmp_path))
    assert last["rounds"]
    assert len(read) == 1
    assert next(runs_of(tmp_path, str(last["id"])[:31])) == last
    assert len(read) < 40
    assert len(list(runs_of(tmp_path))) == 200


def test_a_run_is_the_same_from_the_end_and_from_the_beginning(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    sent = WireAttempt("d", "acme", "m", "unfinished", usage=Usage(5, 10), cost_usd=0.5)
    for ends in range(4):
        with ledger.open("generate", route="r") as entry:
            entry.attempts = (attempt(),)
            for _ in range(3):
                entry.cost_so_far.send(sent)
        for _ in range(min(ends, 2)):
            entry.cost_so_far.add((replace(sent, outcome="Timeout"),), instead_of=sent)
        if ends == 3:
            entry.cost_so_far.send(sent)
    forwards = [line for line in lines_of(tmp_path) if line["rounds"]]
    assert list(runs_of(tmp_path))[::-1] == forwards
    assert [len(line["wire"]) for line in forwards] == [3, 2, 1, 2]
