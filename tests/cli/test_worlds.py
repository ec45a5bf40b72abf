"""`orchestrator simulate --world`: expectations in a world that the model does not know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.commands import parser
from orchestrator.cli.main import main
from orchestrator.cli.output import UsageError
from orchestrator.gmn.acting.worlds import WORLDS

LIBRARY = Path(__file__).resolve().parents[2] / "prompts" / "library"


def test_the_command_offers_every_world() -> None:
    for name in WORLDS:
        assert parser().parse_args(["simulate", "x.gmn", "--world", name]).world == name
    with pytest.raises(UsageError, match="windy-grid"):
        parser().parse_args(["simulate", "x.gmn", "--world", "calm-grid"])


def test_an_expectation_that_holds_in_the_models_world_can_fail_in_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    common = ["simulate", str(LIBRARY / "tmaze.gmn"), "--steps", "3"]
    common += ["--expect", "reward=cheese within 3 in 90%"]
    assert main(common) == 0
    assert main([*common, "--world", "unreliable-cue"]) == 1
    assert "fails, measured 7" in capsys.readouterr().out


def test_a_model_that_does_not_fit_is_told_what_the_world_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["simulate", str(LIBRARY / "tmaze.gmn"), "--world", "windy-grid"]) == 2
    said = capsys.readouterr().err
    assert "--world windy-grid: this world needs a state with a shape of two sides" in said
    assert "loc (shape [4], driven by go), ctx (shape [2], driven by no action)" in said


def test_queries_that_nobody_asks_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (LIBRARY / "tmaze.gmn").read_text()
    query = 'node llm_query q { trigger: on_start prompt: "Which way?" effect: note }\nend'
    (tmp_path / "m.gmn").write_text(text.removesuffix("end\n") + query)
    assert main(["simulate", str(tmp_path / "m.gmn"), "--steps", "2"]) == 0
    assert "1 question to a language model was due and not asked" in capsys.readouterr().out
    assert main(["simulate", str(tmp_path / "m.gmn"), "--steps", "2", "--json"]) == 0
    (warning,) = json.loads(capsys.readouterr().out)["warnings"]
    assert "not asked" in warning


@pytest.mark.parametrize("seed", ["-1", "1.5", "x", "²"])
def test_a_seed_that_is_none_is_refused_in_words(
    seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", str(LIBRARY / "tmaze.gmn"), "--seed", seed])
    assert f"{seed!r} is not a whole number of at least 0" in capsys.readouterr().err
