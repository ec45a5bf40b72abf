"""The faults of one table are found together, not one in each round."""

from __future__ import annotations

import pytest

from orchestrator.gmn.validate import validate
from tests.support.documents import swapped

ROWS = "rows: [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]"
SHIFT = "shift moves: {left: [-1], stay: [0], right: [1]}"


def faults(old: str, new: str) -> list[str]:
    return sorted(d.code[3:] for d in validate(swapped(old, new)).report.errors)


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        (ROWS, "rows: [[0.5, 0.1, 0.1], [0.1, 0.2, 0.1], [0.9, 0.9, 0.9]]", "201 201 201"),
        (ROWS, "rows: [[high, 0.1, 0.1], [0.1, low, 0.1], [0.9, 0.9, 0.9]]", "201 312 312"),
        (ROWS, "rows: [[0.5, 0.1], [0.1, 0.2, 0.1], [1], [0.9, 0.9, 0.9]]", "201 201 310 310"),
        (ROWS, "rows: [[0.5, 0.1, 0.1], [0.1, 0.2, 0.1]]", "201 201 301"),
        (
            ROWS,
            "rules: [{when: {pos: zz}, then: {a: 0.7}}, {when: {pos: b}, then: {qq: 1.2, c: 7}},"
            " {then: {c: 0.5}}]",
            "106 106 201 201 209 209",
        ),
        (
            ROWS,
            "rules: [{when: {place: a}, then: {a: 1}}, {when: {go: left}, then: {@stay: 1}},"
            " {then: {a: 0.5}}]",
            "105 105 201 213",
        ),
        (
            SHIFT,
            "shift moves: {zig: [-1], stay: [0, 1], right: [1, 1]} noise: 101",
            "106 205 306 306",
        ),
        (SHIFT, "rules: [{when: {go: stay}, then: {@(1,2): 0.5, a: 0.2}}]", "106 201"),
        ("from: [pos] to: place " + ROWS, "from: [nope] to: place map: [x, y, a]", "105 106 106"),
        ("values: [0, 1, 3]", "goals: {a: much, y: 2, z: 1}", "008 106 106"),
        ("horizon: 2 gamma: 8", "horizon: 2.5 gamma: -1 habit: {go: [1, 2]}", "008 411 412"),
    ],
)
def test_all_faults_of_a_table_come_at_once(old: str, new: str, codes: str) -> None:
    assert " ".join(faults(old, new)) == codes


def test_a_size_that_is_not_a_number_leads_to_no_faults_elsewhere() -> None:
    assert faults("node state pos { labels: [a, b, c] }", "node state pos { size: many }") == [
        "008"
    ]


@pytest.mark.parametrize(
    "second", ["node policy q { horizon: 3 }", "node policy q { horizon: 2 gamma: 8 }",
               "node habit h { habit: {go: [1, 1, 1]} }"]
)  # fmt: skip
def test_a_second_policy_node_is_an_error_with_its_place(second: str) -> None:
    first = "node policy pi { horizon: 2 gamma: 8 }"
    (found,) = validate(swapped(first, f"{first}\n{second}")).report.errors
    assert found.code == "GMN103"
    assert found.place is not None
    assert found.place.line == 11
