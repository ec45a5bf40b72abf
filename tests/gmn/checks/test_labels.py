"""What is wrong with a label is said as it is, and one that is too long is cut everywhere."""

from __future__ import annotations

import pytest

from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, swapped

LONG = "c" * 60


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("1..2", "could be read as a range or a pattern"),
        ("b*", "could be read as a range or a pattern"),
        ("@stay", "could be read as a range or a pattern"),
        ("at door", "holds ' '; a label is letters"),
        ("größe", "holds 'ßö'; a label is letters"),
        ("a\x07", "holds characters that are not seen"),
    ],
)
def test_a_label_that_can_be_misread_is_named_with_the_reason(label: str, why: str) -> None:
    text = swapped(
        "node state pos { labels: [a, b, c] }", f'node state pos {{ labels: [a, "{label}", c] }}'
    )
    (found,) = [d for d in validate(text, repair="none").report.diagnostics if d.code == "GMN121"]
    assert why in found.message


def test_a_label_that_is_too_long_is_cut_wherever_it_stands_and_said_to_be_too_long() -> None:
    text = GOOD.replace("[a, b, c]", f"[a, b, {LONG}]").replace(
        "values: [0, 1, 3]", f"goals: {{{LONG}: 3}}"
    )
    verdict = validate(text)
    assert verdict.report.is_valid
    assert {d.code for d in verdict.report.repairs} == {"GMN710"}
    assert verdict.spec is not None
    assert verdict.spec.states[0].labels[2] == "c" * 48
    assert verdict.spec.preferences[0].goals[0].value == "c" * 48
    assert "has 60 characters, more than 48" in verdict.report.repairs[0].message


def test_two_labels_that_are_equal_where_they_would_be_cut_are_left() -> None:
    text = GOOD.replace("[a, b, c]", f"[a, {LONG}x, {LONG}y]")
    assert {d.code for d in validate(text).report.errors} == {"GMN710"}


def test_a_preference_that_says_two_things_is_not_dropped_since_one_of_them_has_no_effect() -> None:
    text = swapped("on: place values: [0, 1, 3]", "on: pos values: [0, 1, 3] rules: [{utility: 1}]")
    report = validate(text).report
    assert [d.code for d in report.errors] == ["GMN416"]
    assert report.repairs == ()
