"""Files as people hand them over: what is missing in them is one finding, a comment is none."""

from __future__ import annotations

import pytest

from orchestrator.gmn.validate import validate

SECTIONS = """# An explorer
# of four rooms
[nodes]
room: state {num_states: 2}
seen: observation {num_observations: 2}
go: action {num_actions: 2}
see: likelihood {matrix: [[0.9, 0.2], [0.1, 0.8]]}
walk: transition {matrix: [[[1, 1], [0, 0]], [[0, 0], [1, 1]]]}
[edges]
room -> see: depends_on
see -> seen: generates
room -> walk: depends_on
go -> walk: depends_on
"""
GRAPH = {
    "nodes": [
        {"name": "room", "type": "state", "num_states": 2},
        {"name": "seen", "type": "observation", "num_observations": 2},
        {"name": "go", "type": "action", "num_actions": 2},
        {"name": "see", "type": "likelihood", "matrix": [[0.9, 0.2], [0.1, 0.8]]},
        {"name": "walk", "type": "transition"},
    ],
    "edges": [
        {"from": "room", "to": "see", "type": "depends_on"},
        {"from": "see", "to": "seen", "type": "generates"},
        {"from": "room", "to": "walk", "type": "depends_on"},
        {"from": "go", "to": "walk", "type": "depends_on"},
    ],
}


def test_comments_above_sections_are_not_text_outside_the_document() -> None:
    report = validate(SECTIONS).report
    assert report.is_valid
    assert "GMN012" not in {d.code for d in report.repairs}


@pytest.mark.parametrize(
    "source", [GRAPH, SECTIONS.replace(SECTIONS.split("\n")[7], "walk: transition {}")]
)
def test_a_transition_without_a_matrix_that_an_action_moves_is_one_finding(source: object) -> None:
    report = validate(source).report  # type: ignore[arg-type]  # either form
    assert [(d.code, d.message) for d in report.errors] == [
        ("GMN010", "transition walk has no matrix: write how room comes about")
    ]
    assert report.warnings == ()


def test_a_transition_without_a_matrix_and_without_an_action_is_static() -> None:
    text = SECTIONS.replace(SECTIONS.split("\n")[7], "walk: transition {}")
    text = text.replace("go -> walk: depends_on\n", "").replace("go: action {num_actions: 2}\n", "")
    report = validate(text).report
    assert report.is_valid
    assert "GMN803" in {d.code for d in report.repairs}


def test_an_emission_without_a_matrix_is_one_finding() -> None:
    text = SECTIONS.replace("{matrix: [[0.9, 0.2], [0.1, 0.8]]}", "{}")
    report = validate(text).report
    assert [d.message for d in report.errors] == [
        "emission see has no matrix: write how seen comes about"
    ]
