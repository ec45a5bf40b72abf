"""`orchestrator memory`: what is kept of a conversation and why, and its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.agents.memory import Memory
from orchestrator.agents.summaries import Sentence
from orchestrator.cli.main import main


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A conversation of two turns of which the first is summed up, in the configured database."""
    config = tmp_path / "config.yaml"
    config.write_text(
        "model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: k}}]\n"
        f"orchestrator: {{server: {{database: {tmp_path}/own/memory.db}},"
        f" cache: {{directory: {tmp_path}/cache}}}}\n"
    )
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
    memory = Memory(f"{tmp_path}/own/memory.db")
    made = memory.start(tenant="", user_id="ada", persona_id="cherry")
    one = [Sentence("I do not eat nuts.", "user", 1)]
    memory.remember(made.id, one, "small", from_turn=1, to_turn=1)
    memory.close()
    return made.id


def test_an_audit_says_what_is_kept_and_why(talk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", "audit"]) == 0
    assert talk in capsys.readouterr().out
    assert main(["memory", "audit", talk]) == 0
    out = capsys.readouterr().out
    assert "Of the turns up to 1 it is shown these sentences, as they were said:" in out
    (line,) = [line for line in out.splitlines() if "nuts" in line]
    assert line.split()[:3] == ["1", "user", "small"]
    assert main(["memory", "audit", talk, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["conversation"]["summed_to"] == 1
    (sentence,) = value["sentences"]
    assert (sentence["turns"], sentence["made_by"]) == ([1], "small")


def test_what_is_forgotten_is_gone_and_another_tenant_forgets_nothing(
    talk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["memory", "forget"]) == 2
    assert main(["memory", "forget", talk, "--tenant", "lab"]) == 2
    assert main(["memory", "forget", talk]) == 0
    capsys.readouterr()
    assert main(["memory", "audit", talk, "--json"]) == 2
    assert f"there is no conversation '{talk}'" in capsys.readouterr().err
