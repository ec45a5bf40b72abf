"""Graph spellings: nodes and edges, as JSON in two flavours and as text sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.gmn.imports import graph, sections
from orchestrator.gmn.imports.detect import in_data, in_text
from orchestrator.gmn.validate import validate
from orchestrator.types.diagnostics import Diagnostic

# Outcome first: column j is the distribution of the observation in state j.
OUTCOME_FIRST = [[0.9, 0.2], [0.1, 0.8]]
ROWS = [[0.9, 0.1], [0.2, 0.8]]
# Axes: next, previous, action.
STAY_OR_SWAP = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]

NESTED: dict[str, Any] = {
    "name": "door",
    "nodes": [
        {"id": "door", "type": "state", "properties": {"num_states": 2}},
        {"id": "seen", "type": "observation", "properties": {"num_observations": 2}},
        {"id": "push", "type": "action", "properties": {"num_actions": 2}},
        {"id": "look", "type": "likelihood", "properties": {"matrix": OUTCOME_FIRST}},
        {"id": "move", "type": "transition", "properties": {"matrix": STAY_OR_SWAP}},
        {"id": "start", "type": "belief", "properties": {"about": "door", "vector": [1, 0]}},
        {"id": "want", "type": "preference", "properties": {"vector": [0, 3]}},
    ],
    "edges": [
        {"source": "door", "target": "look", "type": "generates"},
        {"source": "look", "target": "seen", "type": "generates"},
        {"source": "push", "target": "move", "type": "influences"},
        {"source": "move", "target": "door", "type": "updates"},
        {"source": "want", "target": "seen", "type": "depends_on"},
    ],
}
FLAT = {
    "nodes": [
        {"name": "door", "type": "state", "num_states": 2, "initial_distribution": [0.5, 0.5]},
        {"name": "seen", "type": "observation", "num_observations": 2, "matrix": OUTCOME_FIRST},
        {"name": "push", "type": "action", "actions": ["wait", "push"]},
        {
            "name": "want",
            "type": "preference",
            "preferred_observation": "1",
            "preference_strength": 2.5,
        },
    ],
    "edges": [{"from": "seen", "to": "door", "type": "generates"}, {"from": "want", "to": "seen"}],
}
SECTIONS = """
[nodes]
door: state {num_states: 2}          # two values
seen: observation {
  num_observations: 2
  matrix: [[0.9, 0.2], [0.1, 0.8]]
}
push: action

[edges]
door -> seen: generates
push -> door
"""


def table(tree: Mapping[str, object] | None, section: str) -> dict[str, object]:
    assert tree is not None
    entries = tree[section]
    assert isinstance(entries, list)
    assert len(entries) == 1
    entry = entries[0]
    assert isinstance(entry, dict)
    return entry


def codes(found: list[object]) -> list[str]:
    return [getattr(finding, "code") for finding in found]  # noqa: B009  a list of any kind


def read_graph(
    source: Mapping[str, object],
) -> tuple[Mapping[str, object] | None, list[Diagnostic]]:
    made = graph.read_data(source)
    return made.document or None, [*made.errors, *made.notes]


def read_sections(text: str) -> tuple[Mapping[str, object] | None, list[Diagnostic]]:
    made = sections.read(text)
    return made.document or None, [*made.errors, *made.notes]


def test_the_nested_flavour_becomes_tables_of_rows() -> None:
    assert [kind.name for kind, _ in in_data(NESTED)] == ["graph"]
    tree, found = read_graph(NESTED)
    likelihood = table(tree, "likelihoods")
    assert (likelihood["of"], likelihood["given"]) == ("seen", ["door"])
    assert likelihood["table"] == {"kind": "rows", "rows": ROWS}
    transition = table(tree, "transitions")
    assert (transition["of"], transition["given"]) == ("door", ["door", "push"])
    assert transition["table"] == {"kind": "rows", "rows": [[1, 0], [0, 1], [0, 1], [1, 0]]}
    assert table(tree, "priors")["table"] == {"kind": "rows", "rows": [[1, 0]]}
    assert table(tree, "preferences") == {"on": "seen", "values": [0, 3]}
    assert "GMN804" in codes([*found])


def test_the_flat_flavour_reads_the_same_way() -> None:
    tree, found = read_graph(FLAT)
    assert table(tree, "likelihoods")["table"] == {"kind": "rows", "rows": ROWS}
    assert table(tree, "actions")["labels"] == ["wait", "push"]
    assert table(tree, "preferences")["goals"] == [{"value": "1", "utility": 2.5}]
    assert table(tree, "priors")["of"] == "door"
    assert "GMN805" in codes([*found])


def test_sections_text_reads_property_blocks_over_several_lines() -> None:
    assert [kind.name for kind, _ in in_text(SECTIONS)] == ["sections"]
    tree, found = read_sections(SECTIONS)
    assert table(tree, "states") == {"name": "door", "size": 2}
    assert table(tree, "likelihoods")["table"] == {"kind": "rows", "rows": ROWS}
    assert table(tree, "actions") == {"name": "push", "size": 1}
    assert [f.message for f in found] == [
        "read as sections [nodes] and [edges]",
        "push has no num_actions: 1, the default of this spelling",
    ]


def test_lines_that_are_neither_node_nor_edge_are_named() -> None:
    text = "[nodes]\nwhat is this\nx: state {!}\ns: state {num_states: 2}\n[edges]\na = b\n"
    _, found = read_sections(text)
    assert codes([*found])[:3] == ["GMN003", "GMN001", "GMN003"]
    assert [(f.place.line, f.place.column) for f in found[:3] if f.place] == [
        (2, 1),
        (3, 11),
        (6, 1),
    ]


def test_a_graph_without_a_single_probability_is_no_model() -> None:
    tree, found = read_graph({"nodes": [{"id": "s", "type": "state"}], "edges": []})
    assert tree is None
    assert codes([*found]) == ["GMN806"]


def flat_with(*more: object) -> dict[str, object]:
    nodes = FLAT["nodes"]
    assert isinstance(nodes, list)
    return {**FLAT, "nodes": [*nodes, *more]}


def test_what_has_no_place_in_a_model_is_named() -> None:
    more = [
        {"name": "bond", "type": "friendship"},
        {"name": "s", "type": "state", "num_states": 2, "color": "red"},
    ]
    tree, found = read_graph(flat_with(*more))
    assert tree is not None
    assert [f.got for f in found if f.code == "GMN803"] == ["friendship", "color"]


def test_a_continuous_node_is_refused() -> None:
    node = {"name": "height", "type": "continuous"}
    _, found = read_graph(flat_with(node))
    assert "GMN802" in codes([*found])


def test_a_square_matrix_that_fits_both_ways_is_read_outcome_first_and_says_so() -> None:
    skew = [[0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.6, 0.3, 0.1]]
    nodes = [
        {"name": "s", "type": "state", "num_states": 3},
        {"name": "o", "type": "observation", "num_observations": 3, "matrix": skew},
    ]
    tree, found = read_graph({"nodes": nodes, "edges": [{"from": "s", "to": "o"}]})
    expected = [[skew[row][column] for row in range(3)] for column in range(3)]
    assert table(tree, "likelihoods")["table"] == {"kind": "rows", "rows": expected}
    assert "GMN216" in codes([*found])


@pytest.mark.parametrize("bad", [[[0.1], [0.2, 0.3]], [["a"]]])
def test_a_table_that_is_not_numbers_is_named_rather_than_invented(bad: object) -> None:
    nodes = [
        {"name": "s", "type": "state", "num_states": 2},
        {"name": "o", "type": "observation", "num_observations": 2, "matrix": bad},
    ]
    tree, found = read_graph({"nodes": nodes, "edges": []})
    assert tree is not None
    assert tree["likelihoods"] == []
    assert "matrix of o is ragged, or not all numbers" in [f.message for f in found]


def test_a_word_in_place_of_a_table_is_kept_for_what_knows_it() -> None:
    nodes = [
        {"name": "s", "type": "state", "num_states": 2, "initial_distribution": [1, 0]},
        {"name": "o", "type": "observation", "num_observations": 2, "matrix": "identity"},
    ]
    assert validate({"nodes": nodes, "edges": []}).report.is_valid
    nodes[1]["matrix"] = "balanced_workload"
    assert [d.code for d in validate({"nodes": nodes}).report.errors] == ["GMN409"]


def test_a_policy_is_read() -> None:
    policy = {"id": "pi", "type": "policy", "properties": {"horizon": 2, "discount": 0.9}}
    tree, _ = read_graph({**NESTED, "nodes": [*NESTED["nodes"], policy]})
    assert tree is not None
    assert tree["policy"] == {"horizon": 2, "discount": 0.9}
