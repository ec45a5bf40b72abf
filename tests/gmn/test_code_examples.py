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
from orchestrator.gmn.words.code_examples import base, code_examples
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
NO_DOCUMENT = {"GMN015", "GMN610", "GMN902", "GMN903", "GMN905", "GMN907", "GMN908"}


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
