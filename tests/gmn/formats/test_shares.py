"""Percentages and fractions: probabilities in text and JSON, and kept by the formatter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.validate import validate
from tests.gmn.test_payoffs import TIGER
from tests.support.documents import GOOD, swapped

ROWS = "rows: [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]"
PRIOR = "rows: [[0.5, 0.3, 0.2]]"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (PRIOR, "rows: [[50%, 30 %, 20%]]"),
        (PRIOR, "values: [1/2, 3/10, 1 / 5]"),
        (ROWS, "rules: [{when: {pos: a}, then: {a: 90%, b: 1/10}}, {then: {c: 100%}}]"),
        (ROWS, "identity noise: 12.5%"),
        ("gamma: 8", "gamma: 8 habit: {go: [1/2, 25%, 25%]}"),
    ],
)
def test_a_share_is_a_probability_in_text_and_the_formatter_keeps_it(
    old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = swapped(old, new)
    verdict = validate(text)
    assert verdict.report.is_accepted, verdict.report.errors
    assert verdict.report.repairs == ()
    file = tmp_path / "a.gmn"
    file.write_text(text)
    assert main(["format", str(file)]) == 0
    made = capsys.readouterr().out
    assert made.count("%") + made.count("/") == new.count("%") + new.count("/")
    assert validate(made).spec == verdict.spec


def test_thirds_sum_to_one() -> None:
    report = validate(swapped(PRIOR, "rows: [[1/3, 1/3, 1/3]]")).report
    assert report.is_accepted
    assert report.repairs == ()


def test_a_share_in_a_string_of_json_is_read_and_reported() -> None:
    spec = validate(GOOD).spec
    assert spec is not None
    tree = json.loads(spec.model_dump_json())
    tree["priors"][0]["table"]["rows"] = [["50%", "3/10", 0.2]]
    verdict = validate(json.dumps(tree))
    assert verdict.report.is_accepted
    assert verdict.spec == spec
    assert [d.code for d in verdict.report.repairs] == ["GMN008", "GMN008"]


@pytest.mark.parametrize("text", ["gamma: 80%", "gamma: 1/2", "horizon: 200%", "horizon: 4/2"])
def test_what_is_not_a_probability_is_not_a_share(text: str) -> None:
    old = "gamma: 8" if "gamma" in text else "horizon: 2"
    errors = validate(swapped(old, text)).report.errors
    assert [d.code for d in errors] == ["GMN008"]
    assert not validate({"states": [], "policy": {"gamma": "80%"}}).report.is_valid


@pytest.mark.parametrize("row", ["[1,000.5]", "[1,000, 2]", "[010, 1]"])
def test_a_separator_of_thousands_does_not_make_two_numbers(row: str) -> None:
    for text in (swapped("[0, 1, 3]", row), swapped(PRIOR, f"rows: [{row}]")):
        errors = validate(text).report.errors
        assert "GMN312" in [d.code for d in errors]


def test_labels_that_begin_with_a_zero_stay_labels() -> None:
    verdict = validate(GOOD.replace("[a, b, c]", "[00, 01, 02]"))
    assert verdict.report.is_accepted
    assert verdict.spec is not None
    assert verdict.spec.states[0].labels == ("00", "01", "02")


@pytest.mark.parametrize("horizon", ["3.5", "0.9", '"3.5"'])
def test_a_horizon_between_two_numbers_is_an_error(horizon: str) -> None:
    report = validate(swapped("horizon: 2", f"horizon: {horizon}")).report
    assert [(d.code, d.pointer) for d in report.errors] == [("GMN008", "/policy/horizon")]


@pytest.mark.parametrize("said", ["20%", "1/3", "0%"])
def test_a_share_where_a_number_counts_is_said_to_be_a_share(said: str) -> None:
    text = swapped("noise: 0.15", f"noise: 0.15 learn: true concentration: {said}", TIGER)
    (error,) = validate(text).report.errors
    assert error.code == "GMN008"
    assert "is written as a percentage or a fraction, expected a number" in error.message
