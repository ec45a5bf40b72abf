"""A document in a wrapper is read, and the wrapper is reported."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest

from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD

SPEC = validate(GOOD).spec
assert SPEC is not None
TREE: dict[str, Any] = json.loads(SPEC.model_dump_json())
JSON = json.dumps(TREE)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(JSON),
        json.dumps(json.dumps(JSON)),
        json.dumps(GOOD),
        json.dumps({"gmn": TREE}),
        json.dumps({"model": JSON}),
        json.dumps({"document": GOOD}),
        json.dumps([TREE]),
        json.dumps({"name": "gmn", "arguments": TREE}),
        json.dumps({"name": "gmn", "arguments": JSON}),
        json.dumps([{"type": "function", "name": "f", "parameters": {"gmn": TREE}}]),
        json.dumps({"function": {"name": "gmn", "arguments": JSON}}),
        JSON.replace('"', "\u201c", 1).replace('"', "\u201d", 1),
        JSON.replace('"', "\u201d"),
        html.escape(JSON),
        html.escape(GOOD.replace("type: explorer", 'description: "a > b"')),
        GOOD.replace("type: explorer", "description: \u201cwalks\u201d"),
    ],
)
def test_a_wrapped_document_is_read_and_the_wrapper_is_reported(text: str) -> None:
    verdict = validate(text)
    assert verdict.report.is_accepted, verdict.report.errors
    assert verdict.spec is not None
    assert verdict.spec.model_copy(update={"description": "", "agent_type": "explorer"}) == SPEC
    assert [d.code for d in verdict.report.repairs].count("GMN009") == 1


def test_a_mapping_in_an_envelope_is_reported_too() -> None:
    assert [d.code for d in validate({"model": TREE}).report.repairs] == ["GMN009"]


@pytest.mark.parametrize(
    "data", [[TREE, TREE], {"name": "x", "arguments": 5}, "hello", [], {"a": 1}]
)
def test_what_holds_no_document_stays_a_finding(data: object) -> None:
    assert not validate(json.dumps(data)).report.is_valid


def test_a_wrapper_around_itself_ends() -> None:
    text = JSON
    for _ in range(6):
        text = json.dumps({"gmn": text})
    assert not validate(text).report.is_valid


def test_sections_at_the_beginning_of_a_text_are_not_json() -> None:
    text = (
        "[nodes]\nlamp: state {num_states: 2}\nglow: observation {num_observations: 2}\n"
        "see: likelihood {matrix: [[0.9, 0.2], [0.1, 0.8]]}\nstart: belief {vector: [0.4, 0.6]}\n"
        "[edges]\nlamp -> see: depends_on\nsee -> glow: generates\nstart -> lamp: depends_on\n"
    )
    verdict = validate(text)
    assert verdict.spec is not None
    assert verdict.spec.likelihoods[0].table.rows == ((0.9, 0.1), (0.2, 0.8))
    assert "GMN804" in [d.code for d in verdict.report.repairs]
