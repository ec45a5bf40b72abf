"""The bill of a long ledger takes neither much memory nor a second reading of what is added up."""

from __future__ import annotations

import datetime
import json
import tracemalloc
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.ledger.ledger import Ledger
from tests.support.counting import calls_of

NOW = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def write(directory: Path, count: int) -> None:
    """A ledger of `count` requests of today, and the lines of their calls."""
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "cached_tokens": 0}
    call = {
        "deployment": "d", "provider": "acme", "model": "m", "outcome": "answered", "status": 200,
        "seconds": 0.5, "usage": usage, "cost_usd": 0.001, "estimated": False,
    }  # fmt: skip
    usual = {
        "at": NOW, "operation": "generate", "route": "r", "agent_type": "", "tenant": "t",
        "outcome": "answered", "rounds": [], "hits": 0, "usage": usage, "served": usage,
        "billed_usd": 0.001, "served_usd": 0.001, "estimated": False, "seconds": 0.6,
    }  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    with (
        (directory / f"{NOW[:7]}.jsonl").open("w") as over,
        (directory / f"{NOW[:7]}.sent").open("w") as sent,
    ):
        for number in range(count):
            line = {**usual, "id": f"{number:032x}"}
            over.write(json.dumps({**line, "wire": [call]}, separators=(",", ":")) + "\n")
            line = {**line, "wire": [], "pending": [call], "outcome": "unfinished"}
            sent.write(json.dumps(line, separators=(",", ":")) + "\n")


def test_the_memory_of_usage_does_not_grow_with_the_ledger(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peaks = []
    for count in (100, 1000, 10_000):
        write(own_home / "cache" / "ledger", count)
        tracemalloc.start()
        assert main(["usage", "--by", "tenant", "--json"]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        found = json.loads(capsys.readouterr().out)["sums"]["t"]
        assert (found["requests"], found["usd"]) == (count, count / 1000)
    assert peaks[2] < peaks[1] + 8 * 2**20, peaks  # a block of lines, and the ids of requests


def test_a_process_that_starts_does_not_read_what_is_added_up(tmp_path: Path) -> None:
    work = []
    for count in (1000, 5000):
        directory = tmp_path / str(count)
        write(directory, count)
        Ledger(directory).spent_today()
        assert Ledger(directory).spent_today() == {"t": count / 1000}
        work.append(calls_of(Ledger(directory).spent_today))
    assert work[1] < work[0] + 500, work


def test_the_health_of_a_start_reads_the_end_of_the_ledger(tmp_path: Path) -> None:
    write(tmp_path, 5000)
    found = Ledger(tmp_path).recent_lines(NOW[:10])
    assert found[-1]["id"] == f"{4999:032x}"
    assert 1000 < len(found) < 2500
    assert Ledger(tmp_path).recent_lines("2999") == []
