"""What the commands refuse before anything is paid, and what they keep of what was paid."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from orchestrator import InvalidOutputError
from orchestrator.cli.main import main
from orchestrator.generation.contract import explained
from orchestrator.gmn.codes import finding
from orchestrator.types.diagnostics import Report
from orchestrator.types.visible import visible
from tests.support.documents import GOOD
from tests.support.wire import Reply, WireServer, configured, for_commands

Output = pytest.CaptureFixture[str]
FAULTY = GOOD.replace("rows: [[0.5, 0.3, 0.2]]", "rows: [[0.5, 0.1, 0.1]]")


@pytest.fixture
def asked(wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WireServer:
    """A configured server that answers with a model that is not valid."""
    settings = {"generation": {"max_calls": 1, "mode": "prompt"}}
    for_commands(configured(wire.base, "m", **settings), tmp_path, monkeypatch)
    wire.plan("m", FAULTY)
    return wire


def test_the_best_answer_of_a_failed_request_is_beside_the_file(
    asked: WireServer, tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "model.gmn"
    assert main(["generate", "a walker", "-o", str(out)]) == 1
    assert not out.exists()
    kept = (tmp_path / "model.gmn.rejected").read_text()
    assert "0.1" in kept
    assert f"The best of 1 answers is in {out}.rejected." in capsys.readouterr().err
    assert len(asked.requests) == 1


def test_beside_a_device_nothing_is_written(asked: WireServer, capsys: Output) -> None:
    assert main(["generate", "a walker", "-o", "/dev/null"]) == 1
    assert not Path("/dev/null.rejected").exists()
    assert "The best of 1 answers:" in capsys.readouterr().err


def test_without_a_file_it_is_printed_beside_the_report(asked: WireServer, capsys: Output) -> None:
    assert main(["generate", "a walker"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "The best of 1 answers:" in printed.err
    assert "node state" in printed.err


def test_what_an_answer_still_has_is_printed_in_lines_that_a_terminal_bears(
    asked: WireServer, capsys: Output
) -> None:
    assert main(["generate", "a walker"]) == 1
    lines = capsys.readouterr().err.splitlines()
    first = next(i for i, line in enumerate(lines) if line.endswith("The best answer still has:"))
    assert lines[first].startswith("orchestrator: ")
    assert lines[first + 1].startswith("- GMN2")
    evil = "one\nGMN000 error: two\x1b[2J\r\u2028"
    found = Report((finding("GMN201", evil),))
    error = InvalidOutputError(f"no:\n{explained(found)}", attempts=(), best=None, reason="no")
    assert str(error).split("\n")[0] == "no:"
    assert str(error).count("\n") == 1
    assert visible(str(error), lines=True) == str(error)


def test_what_was_paid_before_a_provider_failed_is_kept_too(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    for_commands(configured(wire.base, "m", generation={"mode": "prompt"}), tmp_path, monkeypatch)
    wire.plan("m", FAULTY, Reply(status=400))
    out = tmp_path / "model.gmn"
    assert main(["generate", "a walker", "-o", str(out)]) == 3
    assert (tmp_path / "model.gmn.rejected").exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["generate", ""], "prompt is empty"),
        (["generate", " \n"], "prompt is empty"),
        (["plan", ""], "prompt is empty"),
        (["generate", "a walker", "-o", "no/such/directory/x.gmn"], "cannot be written"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_paid(
    asked: WireServer, capsys: Output, command: list[str], words: str
) -> None:
    assert main(command) == 2
    assert words in capsys.readouterr().err
    assert asked.requests == []


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "prompt is empty"), (b"caf\xe9", "standard input is not UTF-8: byte 0xe9 at 3")],
)
def test_an_empty_pipe_and_another_encoding_are_refused(
    asked: WireServer,
    capsys: Output,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    words: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["generate", "-"]) == 2
    assert words in capsys.readouterr().err
    assert asked.requests == []


def test_feedback_that_says_nothing_is_refused(
    asked: WireServer, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "model.gmn"
    path.write_text(GOOD)
    assert main(["refine", str(path), "--feedback", " "]) == 2
    assert "feedback is empty" in capsys.readouterr().err
    assert asked.requests == []


@pytest.mark.parametrize("command", ["generate", "plan", "generate --plan"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--constraint", "max_stats=3"], 2),
        (["--expect", "nonsense"], 2),
        (["--route", "nowhere"], 2),
        (["--provider", "acme"], 2),
        (["--image", "no/such.png"], 2),
        (["--image", __file__], 2),
        (["--example", "no/such.gmn"], 2),
        (["--example", __file__], 1),
    ],
)
def test_a_plan_refuses_what_the_request_refuses(
    asked: WireServer, capsys: Output, command: str, arguments: list[str], code: int
) -> None:
    name, *rest = command.split()
    assert main([name, "a walker", *rest, *arguments]) == code
    assert capsys.readouterr().out == ""
    assert asked.requests == []


def test_generate_with_plan_asks_nothing(asked: WireServer, capsys: Output) -> None:
    assert main(["generate", "a walker", "--samples", "3", "--plan"]) == 0
    out = capsys.readouterr().out
    assert "at most 3 calls, 3 samples" in out
    assert main(["plan", "a walker", "--samples", "3"]) == 0
    assert capsys.readouterr().out == out
    assert asked.requests == []


def test_one_wrong_case_of_an_evaluation_is_found_before_the_first_is_asked(
    asked: WireServer, tmp_path: Path, capsys: Output
) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text("[a walker, {prompt: a walker, expectations: [nonsense]}]")
    assert main(["eval", "--prompts", str(cases), "-q"]) == 2
    assert "case 2: " in capsys.readouterr().err
    assert asked.requests == []
