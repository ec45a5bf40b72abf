"""docs/gmn.md says what the code does: its tables are the code's, and its examples hold."""

from __future__ import annotations

import json

import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.codes import CATALOGUE
from orchestrator.gmn.formats.block_nodes import SECTION_OF
from orchestrator.gmn.limits import Limits
from orchestrator.gmn.model import TableKind
from orchestrator.gmn.validate import validate
from orchestrator.gmn.words.code_examples import base, code_examples, whole
from tests.support.gmn_page import (
    KINDS,
    LIMITS,
    NODES,
    PAGE,
    PROPERTIES,
    canonical,
    filled,
    found,
    judged,
)

Output = pytest.CaptureFixture[str]
EXAMPLES = code_examples()
#: What raises them is not a document: an answer, a request, a log, or another program.
NO_DOCUMENT = {
    "GMN015", "GMN610", "GMN611", "GMN902", "GMN903", "GMN905", "GMN907", "GMN908",
}  # fmt: skip


def test_every_code_has_an_example_or_says_what_raises_it() -> None:
    assert list(EXAMPLES) == list(CATALOGUE)
    assert {code for code, one in EXAMPLES.items() if not one.fails} == NO_DOCUMENT
    assert all(len(one.words) > 20 for one in EXAMPLES.values())
    for code in NO_DOCUMENT:
        assert EXAMPLES[code].words.startswith("No document raises it")


def test_the_document_that_examples_change_raises_nothing() -> None:
    report = validate(base()).report
    assert (report.runs, report.diagnostics, report.repairs) == (True, (), ())


@pytest.mark.parametrize("code", [code for code in EXAMPLES if code not in NO_DOCUMENT])
def test_the_first_document_raises_the_code_and_the_second_is_valid_without_it(code: str) -> None:
    fails, good = judged(code)
    assert found(code, fails)
    assert found(code, good) == []
    assert good.report.is_valid


def test_the_page_is_what_the_code_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "run python -m tests.support.gmn_page"


def test_the_page_has_every_node_property_kind_of_table_and_limit() -> None:
    assert list(NODES) == list(SECTION_OF)
    assert {nodes: set(names) for nodes, names in PROPERTIES.items()} == {
        nodes: canonical(nodes) for nodes in PROPERTIES
    }
    assert tuple(KINDS) == TableKind.__args__  # type: ignore[attr-defined]  # a Literal
    left = {"variables", "rule_work", "planning_bytes", "prompt_bytes", "search_states",
            "simulation_steps", "findings", "work"}  # fmt: skip
    assert set(LIMITS) == set(Limits.__dataclass_fields__) - left


def test_explain_prints_the_examples_of_a_code(capsys: Output) -> None:
    assert main(["explain", "gmn411"]) == 0
    said = capsys.readouterr().out
    assert "This raises it:\n  node policy pi { horizon: 2 gamma: 0 }\n" in said
    assert "This does not:\n  node policy pi { horizon: 2 gamma: 16 }\n" in said
    assert EXAMPLES["GMN411"].words in " ".join(said.split())


def test_explain_as_json_has_whole_documents(capsys: Output) -> None:
    assert main(["explain", "GMN411", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [d.code for d in validate(said["fails"]).report.errors] == ["GMN411"]
    assert validate(said["fixed"]).report.diagnostics == ()


def test_a_code_without_a_document_is_explained_in_words(capsys: Output) -> None:
    assert main(["explain", "GMN902"]) == 0
    said = capsys.readouterr().out
    assert "not installed" in said
    assert "This raises it" not in said


@pytest.mark.parametrize(
    "nodes",
    [
        "# without D\nnode state pos { labels: [door, hall, desk] initial: hall }",
        "# without D\nnode state pos { labels: [door, hall, desk] initial: [0.5, 0.3, 0.2] }",
        "# without D\nnode state pos { labels: [door, hall, desk] initial: {map: [hall]} }",
        "node emission A { from: [pos] to: seen noisy_identity: 0.9 }",
        "node emission A { from: [pos] to: seen sparse: [[door, door, 1], [hall, hall, 0.5],"
        " [hall, desk, 0.5], [desk, desk, 1]] }",
        "node transition B { from: [go, pos] to: pos shift noise: 10% noise_kind: stay"
        " moves: {back: [-1], stay: [0], on: [1]} boundary: clamp }",
        "node preference C { on: seen preferred_observation: desk preference_strength: 2 }",
        "node emission A { from: [pos] to: seen identity noise: 0.1 }\n"
        "node preference C { on: seen goal_gradient: {goal: desk, utility: 3, decay: 0.5} }",
        "node preference C { on: [pos, go] rules: [{when: {pos: desk, go: stay}, utility: 2},"
        " {when: {pos: hall}, utility: 1}] }",
        "node policy pi { horizon: 2 selection: stochastic info_gain: false discount: 0.9"
        " inference: exact habit: {go: [1, 1, 2]} }",
    ],
)
def test_what_the_page_says_of_properties_is_read_without_a_finding(nodes: str) -> None:
    report = validate(whole(f"{nodes}\n")).report
    assert [str(d) for d in (*report.errors, *report.warnings, *report.repairs)] == []
