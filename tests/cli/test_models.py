"""`orchestrator models` says what is known about models, and by whom."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orchestrator.cli.main import main

Output = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two groups of OpenAI, one of which has a second deployment that nobody knows."""
    known = [("mini", "gpt-5.4-mini"), ("mixed", "gpt-5.5"), ("mixed", "mine")]
    model_list = [
        {"model_name": group, "litellm_params": {"model": f"openai/{model}", "api_key": "k"}}
        for group, model in known
    ]
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"model_list": model_list}))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))


def test_models_are_chosen_by_what_they_are_known_to_do(capsys: Output) -> None:
    assert main(["models", "--capable", "vision, response_schema", "--min-context", "1000"]) == 0
    out = capsys.readouterr().out
    assert "mini  openai/gpt-5.4-mini  272,000  0.75" in out
    assert "mixed" not in out  # one of its deployments is unknown
    assert main(["models", "--sort", "cost", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found] == ["mini", "mixed"]
    assert found[1]["input_cost_per_token"] is None
    assert found[1]["capabilities"]["vision"] is None


def test_the_whole_table_can_be_asked(tmp_path: Path, capsys: Output) -> None:
    assert main(["models", "--all", "--capable", "vision", "--sort", "cost", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) > 500
    assert all(one["capabilities"]["vision"] for one in found)
    prices = [one["input_cost_per_token"] for one in found]
    assert None not in prices[:100]
    entry = {"modalities": {"input": ["image"]}}
    (tmp_path / "api.json").write_text(json.dumps({"ollama": {"models": {"llama2": entry}}}))
    assert main(["models", "sync", "--catalog", str(tmp_path / "api.json")]) == 0
    assert main(["models", "--all", "--capable", "vision"]) == 0
    assert "ollama/llama2 " in capsys.readouterr().out  # the table is silent about it
    assert main(["models", "--min-context", "999999999"]) == 0
    assert "no model is known to fulfil all of this" in capsys.readouterr().out


def test_what_of_a_catalogue_is_not_read_is_said(tmp_path: Path, capsys: Output) -> None:
    models = {"m": {"tool_call": True}, **{f"odd-{n}": 7 for n in range(5)}}
    (tmp_path / "api.json").write_text(json.dumps({"openai": {"models": models}}))
    command = ["models", "sync", "--catalog", str(tmp_path / "api.json")]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "read 1 models" in printed.out
    assert "5 entries say nothing in the form of models.dev and are left out: openai/odd-0, " in (
        printed.err
    )
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == [f"openai/odd-{n}" for n in range(5)]


def test_a_fact_of_a_catalogue_that_cannot_be_one_is_said(tmp_path: Path, capsys: Output) -> None:
    odd = {"limit": {"context": "many", "output": -4}, "cost": {"input": 2.5, "output": "free"}}
    well = {"reasoning": None, "limit": {"context": 9, "output": 0}, "cost": {"input": 0}}
    models = {"a": {"tool_call": "yes", **odd}, "b": {"tool_call": True, **well}}
    (tmp_path / "api.json").write_text(json.dumps({"openai": {"models": models}}))
    assert main(["models", "sync", "--catalog", str(tmp_path / "api.json"), "--json"]) == 0
    parts = ("tool_call", "limit.context", "limit.output", "cost.output")
    assert json.loads(capsys.readouterr().out)["left_out"] == [f"{p} of openai/a" for p in parts]


def test_the_facts_of_a_model_name_their_source_and_who_disagrees(
    tmp_path: Path, capsys: Output
) -> None:
    entry = {"tool_call": False, "limit": {"context": 400_000}, "cost": {"input": 0.75}}
    (tmp_path / "api.json").write_text(json.dumps({"openai": {"models": {"gpt-5.4-mini": entry}}}))
    assert main(["models", "sync", "--catalog", str(tmp_path / "api.json")]) == 0
    assert "read 1 models" in capsys.readouterr().out
    assert main(["models", "show", "mini"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["function_calling", "yes", "LiteLLM", "1.110.2"] in lines
    assert any(line[:3] == ["but", "no", "catalogue"] for line in lines)
    assert any(line[:4] == ["but", "400,000", "tokens", "catalogue"] for line in lines)
    assert main(["models", "show", "mini", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["disputed"] == ["function_calling", "max_context_window"]
    assert main(["models", "show", "openai/gpt-4o"]) == 0  # not configured
    assert "128,000 tokens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--capable", "visin"], "Did you mean 'vision'?"),
        (["show"], "needs the name"),
        (["show", "nothing-of-the-kind"], "neither configured nor in a table"),
        (["sync"], "--catalog FILE"),
        (["list", "mini"], "models show mini"),
        (["--catalog", "x"], "goes with models sync"),
        (["sync", "mini", "--catalog", "x"], "models sync takes no name"),
        (["--plan"], "goes with models probe"),
        (["show", "mini", "--plan"], "--plan does not go with models show"),
        (["show", "mini", "--capable", "vision"], "--capable does not go with models show"),
        (["probe", "--all"], "--all does not go with models probe"),
        (["--modes", "--sort", "cost"], "--sort does not go with --modes"),
        (["--forget-modes", "show", "mini"], "--forget-modes takes no name"),
        (["probe", "nothing", "--plan"], "'nothing' is not configured"),
        (["sync", "--catalog", "/nowhere"], "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], words: str, capsys: Output) -> None:
    assert main(["models", *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--sort", "cost"], ["show", "mini"], ["--all"]])
def test_facts_are_read_without_litellm(arguments: list[str]) -> None:
    code = (
        "import sys; from orchestrator.cli.main import main; main(['models', *sys.argv[1:]]);"
        "print([m for m in ('litellm', 'orchestrator.models.known') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    loaded = ran.stdout.splitlines()[-1]
    assert loaded == ("['orchestrator.models.known']" if arguments else "[]")


def configure(monkeypatch: pytest.MonkeyPatch, path: Path, *entries: dict[str, object]) -> None:
    """Make these entries the whole configuration."""
    path.write_text(yaml.safe_dump({"model_list": list(entries)}))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))


def entry(group: str, model: str, **params: object) -> dict[str, object]:
    return {"model_name": group, "litellm_params": {"model": model, "api_key": "k", **params}}


def test_what_is_left_out_or_behind_a_wildcard_is_shown_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    configure(
        monkeypatch, tmp_path / "d.yaml",
        entry("mine", "openai/gpt-4o", api_key="os.environ/NO_SUCH_KEY"),
        entry("openai/*", "openai/*"),
    )  # fmt: skip
    assert main(["models", "show", "mine"]) == 0
    out = capsys.readouterr().out
    assert "left out: openai/gpt-4o (NO_SUCH_KEY is not set)" in out
    assert "128,000 tokens" in out
    assert main(["models", "show", "openai/gpt-4.1"]) == 0
    out = capsys.readouterr().out
    assert "openai/*-1  openai/gpt-4.1" in out
    assert "1,047,576 tokens" in out
    configure(monkeypatch, tmp_path / "e.yaml",
              entry("mine", "openai/gpt-4o", api_key="os.environ/NO_SUCH_KEY"))  # fmt: skip
    assert main(["models", "show", "mine", "--json"]) == 0  # though nothing can be called
    assert json.loads(capsys.readouterr().out)["facts"]["vision"][0]["value"] is True


def test_a_group_says_which_of_its_deployments_nobody_knows(capsys: Output) -> None:
    assert main(["models", "show", "mixed"]) == 0
    out = capsys.readouterr().out
    assert "nothing is known of mixed-2, and so not of the group" in out
    assert "fact  value" not in out


def test_a_bound_is_that_of_what_will_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    configure(
        monkeypatch, tmp_path / "d.yaml",
        entry("a", "openai/gpt-5.4-mini"), entry("b", "openai/text-embedding-3-small"),
        entry("groq/*", "groq/*"),
    )  # fmt: skip
    said = []
    for name in ("a", "openai/gpt-5.4-mini", "default", ""):
        assert main(["models", "probe", *([name] if name else []), "--plan"]) == 0
        said.append(capsys.readouterr().out.strip())
    assert said == ["at most 7 calls, 7,092 tokens, 0.0087 USD"] * 4
    assert main(["models", "probe", "b"]) == 0
    assert "there is nothing to ask" in capsys.readouterr().out


def test_a_price_that_is_tiny_is_not_shown_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    prices = {"input_cost_per_token": 1e-12, "output_cost_per_token": 0}
    configure(monkeypatch, tmp_path / "d.yaml", entry("a", "openai/x", **prices))
    assert main(["models", "--sort", "cost"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["a", "openai/x", "?", "1e-06", "0"]


def test_the_table_lists_models_alone(capsys: Output) -> None:
    assert main(["models", "--all", "--sort", "name"]) == 0
    assert "fallback_generalizations" not in capsys.readouterr().out
