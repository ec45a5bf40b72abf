"""Answers that were paid for can be looked at later, also those of a run that failed."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path

import pytest

from orchestrator import DeadlineExceededError, InvalidOutputError, LLMError, Orchestrator
from orchestrator.cli.main import main
from tests.support.documents import GOOD
from tests.support.wire import Reply, WireServer, configured, for_commands

Output = pytest.CaptureFixture[str]
FAULTY = GOOD.replace("rows: [[0.5, 0.3, 0.2]]", "rows: [[0.5, 0.1, 0.1]]")
NO_PATCH = '[{"op": "replace", "path": "/nowhere/x", "value": 1}]'


@pytest.fixture
def asked(wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WireServer:
    """A configured server that answers twice with what is not valid."""
    settings = {"generation": {"max_calls": 2, "mode": "prompt"}}
    for_commands(configured(wire.base, "m", **settings), tmp_path, monkeypatch)
    wire.plan("m", FAULTY, NO_PATCH)
    return wire


def run_id(err: str) -> str:
    (line,) = [line for line in err.splitlines() if "orchestrator runs show" in line]
    return line.rpartition(" ")[2]


def test_every_answer_of_a_failed_run_is_shown(
    asked: WireServer, capsys: Output, own_home: Path
) -> None:
    assert main(["generate", "a walker", "-q"]) == 1
    found = run_id(capsys.readouterr().err)
    assert main(["runs", "list"]) == 0
    (row,) = capsys.readouterr().out.splitlines()[2:]
    assert row.split()[0] == found
    assert "InvalidOutputError  2" in row
    assert main(["runs", "show", found[:30]]) == 0
    shown = capsys.readouterr().out
    for words in ("[1] generate: faulty", "[2] patch (", "m-id (", "GMN", NO_PATCH, "0.1"):
        assert words in shown
    assert main(["runs", "show", found, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [one["text"] for one in value["answers"]] == [FAULTY, NO_PATCH]
    assert all(one["cost_usd"] > 0 and one["prompt_tokens"] > 0 for one in value["answers"])
    assert value["answers"][0]["findings"][0]["message"]
    kept = own_home / "cache" / "ledger" / "runs"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_with_the_cache_off_no_answer_is_kept_and_none_is_promised(
    asked: WireServer, capsys: Output
) -> None:
    assert main(["generate", "a walker", "-q", "--cache", "off"]) == 1
    err = capsys.readouterr().err
    assert "The best of 2 answers:" in err
    assert "runs show" not in err
    assert main(["runs", "list", "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert main(["runs", "show", line["id"]]) == 0
    shown = capsys.readouterr().out
    assert "[2] patch" in shown
    assert "The texts are not kept" in shown
    assert NO_PATCH not in shown


def test_an_answer_before_a_provider_failed_is_kept(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    for_commands(configured(wire.base, "m", generation={"mode": "prompt"}), tmp_path, monkeypatch)
    wire.plan("m", FAULTY, Reply(status=400))
    assert main(["generate", "a walker", "-q", "--json"]) == 3
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert [one["text"] for one in error["answers"]] == [FAULTY]
    assert error["run"] == run_id(printed.err)
    assert main(["runs", "show", error["run"]]) == 0
    assert "node state" in capsys.readouterr().out


def test_the_runs_of_an_accepted_request_are_listed(capsys: Output) -> None:
    assert main(["generate", "a thermostat", "-q"]) == 0
    capsys.readouterr()
    assert main(["runs", "list"]) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    assert "accepted" in row
    assert main(["runs", "show", row.split()[0]]) == 0
    assert "[1] generate: accepted" in capsys.readouterr().out
    assert main(["runs", "list", "abc"]) == 2
    assert main(["runs", "show"]) == 2


def test_a_failed_run_answers_no_later_request(asked: WireServer, capsys: Output) -> None:
    assert main(["generate", "a walker", "-q"]) == 1
    asked.plan("m", GOOD)
    assert main(["generate", "a walker", "-q"]) == 0
    assert len(asked.requests) == 3
    assert main(["cache", "list"]) == 0
    assert "failed" not in capsys.readouterr().out


async def test_attempts_mean_the_same_in_every_error(wire: WireServer) -> None:
    wire.plan("m", FAULTY, NO_PATCH, FAULTY, Reply(status=400))
    async with Orchestrator(
        configured(wire.base, "m", generation={"max_calls": 2, "mode": "prompt"})
    ) as orc:
        with pytest.raises(InvalidOutputError) as invalid:
            await orc.generate_gmn("a walker")
        with pytest.raises(LLMError) as failed:
            await orc.generate_gmn("another walker")
    assert [one.answer.text for one in invalid.value.attempts] == [FAULTY, NO_PATCH]
    assert [one.answer.text for one in failed.value.attempts] == [FAULTY]
    assert (invalid.value.wire_attempts, failed.value.wire_attempts) == (0, 1)
    assert invalid.value.best is invalid.value.attempts[0]
    assert DeadlineExceededError("late").attempts == ()
    for error in (invalid.value, failed.value):
        copy = pickle.loads(pickle.dumps(error))
        assert (copy.attempts, copy.run_id) == (error.attempts, error.run_id)
        assert copy.run_id
