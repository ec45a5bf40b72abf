"""Evaluations: scores that add up, a history that compares like with like, a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.config.paths import shipped
from orchestrator.generation.evaluation.evaluate import (
    Case,
    CaseResult,
    EvaluationRun,
    load_cases,
    previous,
    remember,
    score,
    summed,
    worse,
)
from orchestrator.generation.evaluation.plot import plotted
from orchestrator.gmn.draw.writing import encoded, require_suffix
from orchestrator.types.errors import ConfigError
from orchestrator.types.requests import Usage

Output = pytest.CaptureFixture[str]


def outcome(valid_after: int | None, *, calls: int = 1, usd: float | None = 0.5) -> CaseResult:
    good = valid_after is not None
    error = "" if good else "InvalidOutputError"
    return CaseResult(Case(prompt="x"), calls, valid_after, good, good, Usage(90, 10), usd, error)


def test_scores_are_shares_and_prices_per_valid_model() -> None:
    made = score([outcome(1), outcome(3, calls=3), outcome(None, calls=4), outcome(1)])
    assert made.valid_at == (0.5, 0.5, 0.75, 0.75)
    assert (made.runs, made.behaves, made.calls) == (0.75, 0.75, 3.0)
    assert made.tokens == pytest.approx(400 / 3)
    assert made.usd == pytest.approx(2.0 / 3)
    assert made.errors == {"InvalidOutputError": 1}
    assert score([outcome(1, usd=None)]).usd is None
    assert score([outcome(None)]).tokens is None


def test_only_runs_over_the_same_cases_and_route_compare(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    first = summed([outcome(1)], route="default", templates={"a": "1"})
    other = summed([outcome(1)], route="strong", templates={"a": "1"})
    for one in (first, other):
        remember(path, one)
    later = summed([outcome(2)], route="default", templates={"a": "2"})
    assert previous(path, later) == first
    assert EvaluationRun.from_dict(json.loads(json.dumps(first.as_dict()))) == first
    assert first.templates != later.templates
    assert previous(tmp_path / "none.jsonl", later) is None


def test_what_got_worse_is_named() -> None:
    good, bad = score([outcome(1), outcome(1)]), score([outcome(2, calls=2), outcome(None)])
    assert [words.partition(":")[0] for words in worse(bad, good)] == [
        "valid after 4 calls", "runs", "behaves", "calls per valid model",
        "tokens per valid model",
    ]  # fmt: skip
    assert worse(good, bad) == []
    assert worse(score([outcome(1, calls=2)]), score([outcome(1, calls=1)]), slack=1.0) == []


def test_cases_are_prompts_or_more_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text("- a walker\n- {prompt: a trader, agent_type: trader}\n")
    assert [case.agent_type for case in load_cases(path)] == ["general", "trader"]
    path.write_text("- {promt: a walker}\n")
    with pytest.raises(ConfigError, match="not a list of cases"):
        load_cases(path)
    with pytest.raises(ConfigError, match="No such file"):
        load_cases(tmp_path / "none.yaml")
    assert len(load_cases(shipped("prompts", "eval.yaml"))) == 12


def test_the_command_prints_scores_compares_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "offline")
    cases = tmp_path / "cases.yaml"
    cases.write_text("- {prompt: a two-armed bandit, agent_type: trader}\n- a thermostat\n")
    assert main(["eval", "--prompts", str(cases)]) == 0
    out = capsys.readouterr().out
    assert "no earlier run" in out
    assert out.splitlines()[2].split()[:3] == ["agent", "type", "cases"]
    picture = tmp_path / "scores.svg"
    assert main(["eval", "--prompts", str(cases), "--plot", str(picture)]) == 0
    assert "before (" in capsys.readouterr().out
    assert "<svg" in picture.read_text()
    assert main(["eval", "--prompts", str(cases), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scores"]["all"]["valid_at"] == [1.0, 1.0, 1.0, 1.0]
    assert found["previous"]["cases"] == found["cases"]


def test_a_picture_of_another_kind_is_refused_before_anything_is_asked(
    tmp_path: Path, capsys: Output
) -> None:
    assert main(["eval", "--plot", str(tmp_path / "scores.bmp")]) == 2
    assert capsys.readouterr().out == ""
    made = summed([outcome(1)], route="default", templates={})
    with pytest.raises(ValueError, match=r"neither \.svg nor \.png"):
        require_suffix(tmp_path / "scores.bmp")
    assert encoded(plotted(made, made), ".png").startswith(b"\x89PNG")
