"""The ledger: what was paid is written once, whole, and without a word of the conversation."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from orchestrator.diagnostics import Diagnostic, Report, Severity
from orchestrator.ledger import Ledger, Line, line_of, total_usd
from orchestrator.messages import LLMMessage, LLMRole
from orchestrator.result import Answer, Attempt, Judged, Request, Usage

SECRET = "the-words-of-the-user"


def attempt(*, cost: float | None, billed: float | None, text: str = SECRET) -> Attempt[str]:
    report = Report((Diagnostic("GMN201", Severity.ERROR, f"row of {SECRET}"),))
    return Attempt(
        Request((LLMMessage(LLMRole.USER, SECRET),), "default", templates={"generate": "v1"}),
        Answer(text, provider="openai", usage=Usage(10, 5), cost_usd=cost, billed_usd=billed),
        Judged("faulty", text, text, report),
        "generate",
    )


def line(*attempts: Attempt[str]) -> Line:
    return line_of(
        attempts,
        operation="generate_gmn",
        agent_type="explorer",
        route="default",
        outcome="accepted",
        seconds=1.23456,
    )


def test_a_line_adds_up_tokens_and_dollars_over_the_rounds() -> None:
    found = line(attempt(cost=0.02, billed=0.02), attempt(cost=0.03, billed=0.0))
    assert found.usage == Usage(20, 10)
    assert found.billed_usd == pytest.approx(0.02)
    assert found.served_usd == pytest.approx(0.05)
    assert [r["codes"] for r in found.rounds] == [["GMN201"], ["GMN201"]]


def test_an_unknown_price_makes_the_total_unknown_rather_than_small() -> None:
    assert total_usd([0.1, None]) is None
    assert line(attempt(cost=None, billed=None)).billed_usd is None


def test_lines_are_appended_as_json_and_hold_no_word_of_the_conversation(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.write(line(attempt(cost=0.02, billed=0.02)))
    ledger.write(line(attempt(cost=0.02, billed=0.02)))
    (path,) = (tmp_path / "ledger").iterdir()
    lines = [json.loads(raw) for raw in path.read_text().splitlines()]
    assert [entry["rounds"][0]["templates"] for entry in lines] == [{"generate": "v1"}] * 2
    assert SECRET not in path.read_text()
    assert path.name == f"{lines[0]['at'][:7]}.jsonl"


def test_no_directory_keeps_no_ledger() -> None:
    Ledger(None).write(line(attempt(cost=0.02, billed=0.02)))


def test_an_unwritable_ledger_is_told_once_and_fails_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ledger").write_text("a file in the way")
    ledger = Ledger(tmp_path / "ledger")
    with caplog.at_level(logging.WARNING):
        ledger.write(line(attempt(cost=0.02, billed=0.02)))
        ledger.write(line(attempt(cost=0.02, billed=0.02)))
    assert len(caplog.records) == 1
