"""From accepted results to a file for fine-tuning: once each, split by question, no secrets."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.cli.main import main
from orchestrator.generation.evaluation.finetune import ACCEPTED, Accepted, examples_of
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Request
from tests.support.documents import GOOD
from tests.support.wire import SECRET, WireServer, configured

Output = pytest.CaptureFixture[str]


def line(question: str, answer: str = "good", **more: Any) -> dict[str, Any]:
    return {
        "at": "2026-01-01T00:00:00.000+00:00", "contract": "gmn", "system": ["rules"],
        "messages": [{"role": "user", "content": question}], "answer": answer,
        "model": "m", "provider": "openai", "templates": {"generate": "1"}, "calls": 2, **more,
    }  # fmt: skip


def test_each_question_is_there_once_with_its_last_answer() -> None:
    made = examples_of([line("a", "old"), line("b"), line("a", "new")], valid_percent=0)
    assert [e["messages"][-1]["content"] for e in made.train] == ["new", "good"]
    assert made.train[0]["messages"][0] == {"role": "system", "content": "rules"}
    assert (made.duplicates, len(made.provenance)) == (1, 2)
    assert made.provenance[0]["templates"] == {"generate": "1"}


def test_the_side_of_a_question_depends_on_the_question_alone() -> None:
    many = [line(f"question {n}") for n in range(400)]
    one, other = examples_of(many), examples_of([*reversed(many), line("one more")])
    assert 20 <= len(one.valid) <= 65
    asked = {e["messages"][1]["content"] for e in one.valid}
    assert asked <= {e["messages"][1]["content"] for e in other.valid}


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234", "AIzaSyA1234567890abcdefghij", "hf_abcdefghijklmnopqrst",
        "Bearer abcdefghijklmnop.qrstuvwxyz", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.abcdef123456",
        "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----", "my-own-secret-value",
    ],
)  # fmt: skip
def test_secrets_are_removed_and_counted(secret: str) -> None:
    made = examples_of([line(f"use {secret} please")], secrets=["my-own-secret-value", "short"])
    (example,) = (*made.train, *made.valid)
    assert secret.splitlines()[0] not in json.dumps(example)
    assert example["messages"][1]["content"] == "use [removed] please"
    assert made.scrubbed == 1


def test_ordinary_words_stay() -> None:
    words = "a task-oriented sketch; skills: pk, hf; s0 to s11 at 0.7"
    assert examples_of([line(words)]).scrubbed == 0


async def test_what_was_bought_and_accepted_is_kept_once_and_exported(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("SOME_API_KEY", "canary-in-the-prompt")
    wire.plan("m", GOOD)
    config = configured(wire.base, "m", cache={"keep_accepted": True})
    async with Orchestrator(config) as orc:
        for _ in range(2):
            await orc.generate_gmn("a walker with canary-in-the-prompt")
        await orc.generate_gmn("another walker", cache="off")
    kept = (tmp_path / ACCEPTED).read_text()
    assert len(kept.splitlines()) == 1
    assert SECRET not in kept
    assert stat.S_IMODE((tmp_path / ACCEPTED).stat().st_mode) == 0o600

    out = tmp_path / "out.jsonl"
    assert main(["export", "--finetune", str(out), "--valid", "0"]) == 0
    assert "removed: 1 secrets" in capsys.readouterr().out
    (example,) = [json.loads(words) for words in out.read_text().splitlines()]
    roles = [turn["role"] for turn in example["messages"]]
    assert roles == ["system", "user", "assistant"]
    assert "canary" not in out.read_text()
    assert example["messages"][2]["content"].startswith("gmn 1.0")
    (about,) = out.with_suffix(".provenance.jsonl").read_text().splitlines()
    assert json.loads(about)["provider"] == "openai"


def test_nothing_to_export_is_said(capsys: Output, tmp_path: Path) -> None:
    assert main(["export", "--finetune", str(tmp_path / "out.jsonl")]) == 2
    assert "nothing to export" in capsys.readouterr().err


async def test_nothing_is_kept_unasked_and_keeping_never_fails_a_request(
    wire: WireServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wire.plan("m", GOOD)
    config = configured(wire.base, "m", cache={"directory": str(tmp_path)})
    async with Orchestrator(config) as orc:
        made = await orc.generate_gmn("a walker")
    assert not (tmp_path / ACCEPTED).exists()
    blocked = tmp_path / "file"
    blocked.write_text("")
    accepted = Accepted(blocked / ACCEPTED)
    request = Request((LLMMessage(LLMRole.USER, "x"),), "default")
    accepted.keep(request, made)
    accepted.keep(request, made)
    assert caplog.text.count("cannot be kept") == 1
