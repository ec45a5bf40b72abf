"""Files of other tools and people as they lie around: sections, edges, code, tables, drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    from pathlib import Path

NODES = """[nodes]
lamp: state {num_states: 2}
glow: observation {num_observations: 2}
push: action {num_actions: 2}
see: likelihood {matrix: [[0.9, 0.2], [0.1, 0.8]]}
move: transition {matrix: [[[1, 0.3], [0, 0]], [[0, 0.7], [1, 1]]]}
"""
EDGES = """[edges]
lamp -> see: depends_on
see -> glow: generates
lamp -> move: depends_on
push -> move: depends_on
"""


def require_lamp(text: str) -> None:
    verdict = validate(text, run_steps=0)
    assert verdict.compiled is not None, verdict.report.errors
    np.testing.assert_array_equal(verdict.compiled.A[0], [[0.9, 0.2], [0.1, 0.8]])
    np.testing.assert_array_equal(verdict.compiled.B[0][:, :, 1], [[0.3, 0], [0.7, 1]])


@pytest.mark.parametrize("arrow", ["-->", "--->", "=>", "==>", "→"])
def test_an_edge_may_have_another_arrow(arrow: str) -> None:
    require_lamp(NODES + EDGES.replace("->", arrow))


def test_an_edge_may_point_to_the_left_or_be_one_of_a_chain() -> None:
    require_lamp(NODES + EDGES.replace("see -> glow", "glow <- see"))
    chain = EDGES.replace("lamp -> see: depends_on\nsee -> glow: generates", "lamp -> see -> glow")
    require_lamp(NODES + chain)


@pytest.mark.parametrize("line", ["a ->", "-> b", "a -> b ->", "a -> b c", "a - b", "a <-> b"])
def test_a_line_with_half_an_edge_is_named(line: str) -> None:
    (error,) = validate(NODES + EDGES + line).report.errors
    assert error.code == "GMN003"
    assert error.place is not None
    assert error.place.line == 12


def test_sections_before_the_nodes_take_no_edges_away() -> None:
    text = "[agent]\nname: lamp\n" + NODES + EDGES
    require_lamp(text)
    require_lamp("[edges]\n" + EDGES.removeprefix("[edges]\n") + NODES)
    assert "GMN012" not in {d.code for d in validate(text).report.repairs}


def test_a_node_that_cannot_be_read_is_the_only_finding() -> None:
    text = (NODES + EDGES).replace("lamp: state {", "state lamp {")
    assert [(d.code, d.place and d.place.line) for d in validate(text).report.errors] == [
        ("GMN003", 2)
    ]


def test_properties_of_a_table_say_what_it_is_about_and_depends_on() -> None:
    text = NODES.replace("likelihood {", "likelihood {depends_on: [lamp], observation: glow, ")
    require_lamp(text.replace("transition {", "transition {given: [lamp, push], about: lamp, "))


OTHERS = {
    "YAML": "states: [off, on]\nactions: [wait]\nA:\n  - [0.9, 0.1]\n  - [0.2, 0.8]\n",
    "a table in Markdown": "| state | dark | lit |\n|---|---|---|\n| off | 0.9 | 0.1 |\n",
    "MATLAB code": "A{1} = [0.9 0.2; 0.1 0.8];\nB{1}(:,:,1) = eye(2);\n",
    "Julia code": "@model function lamp(y)\n  s ~ Categorical([0.5, 0.5])\nend\n",
    "Python code": "import numpy as np\nA = np.array([[0.9, 0.2], [0.1, 0.8]])\n",
    "XML or HTML": "<?xml version='1.0'?>\n<pomdpx><Discount>0.95</Discount></pomdpx>\n",
    "sections without [nodes]": (NODES + EDGES).replace("[nodes]", "nodes:"),
    "GNN without its headings": "### StateSpaceBlock\ns[2,1]\n### Connections\nD>s\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_in_another_language_is_one_finding(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model"
    path.write_text(OTHERS[name])
    assert main(["validate", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    said = [line for line in lines if " error: " in line]
    assert len(said) == 1
    assert f"it looks like {name}" in said[0]


DRAFT = """node state door { labels: [shut, open] }
node observation sound { labels: [shut, open] }
node emission A_sound { from: [door] to: sound identity }
"""


def test_a_final_document_that_is_broken_is_not_replaced_by_a_draft() -> None:
    text = f"A draft:\n```gmn\n{DRAFT}```\nThe final answer:\n```gmn\nnode state door {{\n```\n"
    report = validate(text).report
    assert not report.is_valid
    (taken,) = (d for d in report.repairs if d.code == "GMN014")
    assert taken.message == "of 2 documents in the text the one at line 9 is taken"


def test_numbers_of_a_gnn_file_that_belong_to_no_variable_are_an_error() -> None:
    text = """## GNNVersionAndFlags
GNN v1
## StateSpaceBlock
s[2,1,type=float]
o[2,1,type=int]
## Connections
s-A
A-o
## InitialParameterization
A={(0.9, 0.2), (0.1, 0.8)}
B_u0={(1, 0), (0, 1)}
B_u1={(0, 1), (1, 0)}
"""
    (error,) = validate(text).report.errors
    assert (error.code, error.place and error.place.line) == ("GMN105", 11)
    assert error.message.startswith("B_u0, B_u1: numbers of no variable")


def test_a_form_of_a_document_that_needs_repairs_says_which_command_repairs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lamp.gmn"
    path.write_text((NODES + EDGES).replace("[0.1, 0.8]", "[0.09, 0.8]"))
    assert main(["format", str(path), "--to", "pymdp"]) == 1
    said = capsys.readouterr().err
    assert f"format repairs nothing, orchestrator export {path} --to pymdp does" in said
    assert main(["export", str(path), "--to", "pymdp"]) == 0


def test_values_of_a_gnn_file_that_are_not_read_are_named() -> None:
    text = """## StateSpaceBlock
s[2,1]
o[2,1]
## InitialParameterization
A[0]={(0.9, 0.2), (0.1, 0.8)}
"""
    (error,) = validate(text).report.errors
    assert error.message.startswith("'A[0]={(0.9, 0.2), (0.1, 0.8)}' is not NAME={…}")
    assert error.place is not None
    assert error.place.line == 5


def test_what_is_preferred_may_have_a_strength() -> None:
    want = "want: preference {preferred: 1, strength: 2}\n"
    verdict = validate(NODES + want + EDGES + "want -> glow\n", run_steps=0)
    assert verdict.compiled is not None
    assert verdict.compiled.C[0].tolist() == [0, 2]
