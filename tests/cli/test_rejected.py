"""What the commands refuse before anything is paid, and what they keep of what was paid."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from tests.support.documents import GOOD
from tests.support.wire import Reply, WireServer, configured

Output = pytest.CaptureFixture[str]
FAULTY = GOOD.replace("rows: [[0.5, 0.3, 0.2]]", "rows: [[0.5, 0.1, 0.1]]")


@pytest.fixture
def asked(wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WireServer:
    """A configured server that answers with a model that is not valid."""
    config = tmp_path / "config.yaml"
    settings = {"generation": {"max_calls": 1, "mode": "prompt"}}
    config.write_text(json.dumps(configured(wire.base, "m", **settings)))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
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


def test_without_a_file_it_is_printed_beside_the_report(asked: WireServer, capsys: Output) -> None:
    assert main(["generate", "a walker"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "The best of 1 answers:" in printed.err
    assert "node state" in printed.err


def test_what_was_paid_before_a_provider_failed_is_kept_too(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(configured(wire.base, "m", generation={"mode": "prompt"})))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
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
