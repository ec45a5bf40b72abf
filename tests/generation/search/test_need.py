"""Whether a request needs current information: measured on labelled requests."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.generation.search.need import need
from tests.support.examples import share_of

TODAY = datetime.date(2026, 11, 26)
ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "needs.jsonl").read_text(encoding="utf-8").splitlines()
]


def figures(part: str = "") -> tuple[float, float, int]:
    """Precision, recall and the number of requests of a part of the set; of all without a name."""
    rows = [row for row in ROWS if part in ("", row["part"])]
    found = [(need(row["text"], TODAY).is_needed, row["needed"]) for row in rows]
    right = sum(said and wanted for said, wanted in found)
    return (
        right / sum(said for said, _ in found),
        right / sum(wanted for _, wanted in found),
        len(rows),
    )


@pytest.mark.parametrize("part", ["", "tuning", "held"])
def test_at_least_nine_of_ten_are_right_each_way(part: str) -> None:
    precision, recall, count = figures(part)
    print(f"{part or 'all'}: precision {precision:.3f}, recall {recall:.3f} of {count} requests")  # noqa: T201  `pytest -s` shows it
    assert precision >= 0.9
    assert recall >= 0.9


def test_the_set_is_large_balanced_and_without_repetition() -> None:
    assert len({row["text"] for row in ROWS}) == len(ROWS) >= 240
    assert 0.4 < sum(row["needed"] for row in ROWS) / len(ROWS) < 0.6


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("What is the exchange rate of the euro today?", '"today"'),
        ("Who is the president of Argentina?", "president"),
        ("Search the web for reviews of the Fairphone 6.", "Search the web"),
        ("Write a story that begins with today", '"Write a story"'),
        ("a model of the 1918 flu", "1918"),
        ("What changed in the tax law in 2027?", "2027"),
    ],
)
def test_the_reason_names_the_words_it_was_decided_by(text: str, word: str) -> None:
    assert word in need(text, TODAY).reason


def test_what_is_pasted_or_quoted_does_not_decide() -> None:
    pasted = "```\nWhat is the weather in Oslo today?\n```"
    assert not need(f"Fix the grammar.\n\n{pasted}", TODAY).is_needed
    assert not need('What does the sentence "Who is president now?" ask for?', TODAY).is_needed
    long = "The price rose today. " * 200
    assert need(f"{long}\n\nWhat is the weather in Oslo today?", TODAY).is_needed


def test_a_year_counts_from_the_last_one_on() -> None:
    asked = "Which films won awards in 2026?"
    assert need(asked, TODAY).is_needed
    assert not need(asked, datetime.date(2035, 1, 1)).is_needed


@settings(max_examples=share_of(30), deadline=None)  # each of them is long
@given(st.text(max_size=3000))
def test_any_text_gets_an_answer_with_a_reason(text: str) -> None:
    found = need(text, TODAY)
    assert found.reason.endswith(".")
    assert found == need(text, TODAY)
