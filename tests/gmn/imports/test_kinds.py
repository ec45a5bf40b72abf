"""Files as they lie around: every kind, in every habit of writing it, by the command line."""

from __future__ import annotations

import html
import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.cli.commands import FORMS, KINDS
from orchestrator.cli.main import main
from orchestrator.gmn import imports
from orchestrator.gmn.imports import network
from orchestrator.gmn.validate import validate
from tests.support.examples import share_of

Output = pytest.CaptureFixture[str]

SECTIONS = """[nodes]
door: state {num_states: 2}
seen: observation {num_observations: 2}
push: action {num_actions: 2}
look: likelihood {matrix: [[0.9, 0.25], [0.1, 0.75]]}
move: transition {matrix: [[[1, 0.5], [0, 0.5]], [[0, 0.5], [1, 0.5]]]}
start: belief {vector: [0.4, 0.6]}
want: preference {preferred_observation: 1, preference_strength: 3}

[edges]
door -> look: depends_on
look -> seen: generates
door -> move: depends_on
push -> move: depends_on
want -> seen: depends_on
start -> door: depends_on
"""
A = [[0.9, 0.25], [0.1, 0.75]]
B = [[[1, 0.5], [0, 0.5]], [[0, 0.5], [1, 0.5]]]
NESTED: dict[str, Any] = {
    "nodes": [
        {"id": "door", "type": "state", "properties": {"num_states": 2}},
        {"id": "seen", "type": "observation", "properties": {"num_observations": 2}},
        {"id": "push", "type": "action", "properties": {"num_actions": 2}},
        {"id": "look", "type": "likelihood", "properties": {"matrix": A}},
        {"id": "move", "type": "transition", "properties": {"matrix": B}},
        {"id": "start", "type": "belief", "properties": {"vector": [0.4, 0.6]}},
        {"id": "want", "type": "preference", "properties": {"vector": [0, 3]}},
    ],
    "edges": [
        {"source": "door", "target": "look", "type": "depends_on"},
        {"source": "look", "target": "seen", "type": "generates"},
        {"source": "door", "target": "move", "type": "depends_on"},
        {"source": "push", "target": "move", "type": "depends_on"},
        {"source": "want", "target": "seen", "type": "depends_on"},
        {"source": "start", "target": "door", "type": "depends_on"},
    ],
}
FLAT_GRAPH: dict[str, Any] = {
    "nodes": [
        {"name": "door", "type": "state", "num_states": 2, "initial_distribution": [0.4, 0.6]},
        {"name": "seen", "type": "observation", "num_observations": 2, "matrix": A},
        {"name": "push", "type": "action", "num_actions": 2},
        {"name": "move", "type": "transition", "about": "door", "matrix": B},
        {
            "name": "want",
            "type": "preference",
            "preferred_observation": 1,
            "preference_strength": 3,
        },
    ],
    "edges": [
        {"from": "door", "to": "seen", "type": "generates"},
        {"from": "door", "to": "move", "type": "depends_on"},
        {"from": "push", "to": "move", "type": "depends_on"},
        {"from": "want", "to": "seen", "type": "depends_on"},
    ],
}
FLAT: dict[str, Any] = {
    "name": "door",
    "states": ["shut", "open"],
    "observations": ["dark", "light"],
    "actions": ["wait", "push"],
    "parameters": {
        "A": [[0.9, 0.1], [0.25, 0.75]],
        "B": [[[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]],
        "C": [0, 3],
        "D": [0.4, 0.6],
    },
}
ARRAYS: dict[str, Any] = {
    "num_states": [2], "num_obs": [2], "num_controls": [2],
    "A": [A], "B": [B], "C": [[0, 3]], "D": [[0.4, 0.6]],
}  # fmt: skip


GNN = """## GNNSection
ActInfPOMDP
## GNNVersionAndFlags
GNN v1
## ModelName
Door
## ModelAnnotation
agent that pushes a door
## StateSpaceBlock
A[2,2,type=float]
B[2,2,2,type=float]
C[2,type=float]
D[2,type=float]
s[2,1,type=int]
o[2,1,type=int]
u[1,type=int]
## Connections
D>s
s-A
A-o
s-B
u>B
C>o
## InitialParameterization
A={(0.9, 0.25), (0.1, 0.75)}
B={((1.0, 0.5), (0.0, 0.5)), ((0.0, 0.5), (1.0, 0.5))}
C={(0, 3)}
D={(0.4, 0.6)}
## ModelParameters
b_tensor_order: next_state_previous_state_action
## Footer
Door
"""
POMDP = """# a door
discount: 1.0
values: reward
states: shut open
actions: wait push
observations: dark light
start: 0.4 0.6
T: wait
identity
T: push
uniform
O: *
0.9 0.1
0.25 0.75
R: * : * : * : light 3
"""


def dumped(data: object) -> str:
    return json.dumps(data, indent=1)


KIND_TEXTS = {
    "sections": SECTIONS,
    "nested graph": dumped(NESTED),
    "flat graph": dumped(FLAT_GRAPH),
    "flat_pomdp": dumped(FLAT),
    "arrays": dumped(ARRAYS),
}
WHOLE = {"gnn": GNN, "pomdp": POMDP}
#: Habits of a file that has neither prose nor a fence around it.
ALONE = (
    "as it is", "Windows ends", "old Mac ends", "a mark of byte order", "blank lines around",
    "blanks at ends of lines", "escaped for an address", "escaped for HTML",
)  # fmt: skip
#: Habits that change nothing, whatever the kind.
ANY: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "Windows ends": lambda text: text.replace("\n", "\r\n"),
    "old Mac ends": lambda text: text.replace("\n", "\r"),
    "a mark of byte order": lambda text: "\ufeff" + text,
    "blank lines around": lambda text: f"\n\n \t\n{text}\n\n \n",
    "blanks at ends of lines": lambda text: text.replace("\n", " \t\n"),
    "in a fence": lambda text: f"```\n{text}\n```\n",
    "in a fence of a name": lambda text: f"Here it is:\n\n```gmn\n{text}\n```\nHope this helps!\n",
    "in prose": lambda text: f"The model you asked for.\n\n{text}",
    "escaped for an address": lambda text: urllib.parse.quote(text),
    "escaped for HTML": lambda text: html.escape(text).replace("[", "&#91;"),
    "in a JSON string": lambda text: json.dumps(text),
    "percentages": lambda text: text.replace("0.25", '"25%"').replace("0.75", '"75%"'),
    "fractions": lambda text: text.replace("0.25", '"1/4"').replace("0.5", '"1/2"'),
    "exponents": lambda text: text.replace("0.25", "2.5e-1"),
    "whole numbers with a point": lambda text: text.replace("[0, 3]", "[0.0, 3.0]"),
}
OF_JSON: dict[str, Callable[[str], str]] = {
    "on one line": lambda text: json.dumps(json.loads(text)),
    "tabs": lambda text: json.dumps(json.loads(text), indent="\t"),
    "trailing commas": lambda text: text.replace("\n ]", ",\n ]").replace("\n}", ",\n}"),
    "comments": lambda text: f"// from a notebook\n{text}".replace("{", "{ /* here */", 1),
    "single quotes": lambda text: repr(json.loads(text)),
    "keys in another order": lambda text: json.dumps(dict(reversed([*json.loads(text).items()]))),
    "wrapped with a version": lambda text: json.dumps(
        {"name": "x", "version": 2, "specification": json.loads(text)}
    ),
    "wrapped alone": lambda text: json.dumps({"result": json.loads(text)}),
    "in a list of one": lambda text: json.dumps([json.loads(text)]),
}
OF_SECTIONS: dict[str, Callable[[str], str]] = {
    "indented": lambda text: text.replace("\n", "\n        "),
    "tabs": lambda text: text.replace(": ", ":\t").replace(" -> ", "\t->\t"),
    "comments": lambda text: text.replace("\n", "  # why\n"),
    "headers in capitals": lambda text: text.replace("nodes", "Nodes").replace("edges", "EDGES"),
    "edges first": lambda text: "[edges]" + text.split("[edges]")[1] + text.split("[edges]")[0],
    "blocks over lines": lambda text: text.replace("{", "{\n  ").replace("}", "\n}"),
    "Python literals": lambda text: text.replace("{num_states:", "{'num_states':"),
    "edges with properties": lambda text: text.replace(": depends_on", ": depends_on {weight: 1}"),
    "edges without a type": lambda text: text.replace(": depends_on", ""),
    "sections in halves": lambda text: text.replace("\nlook:", "\n[nodes]\nlook:"),
    "a node twice, equal": lambda text: text.replace(
        "[edges]", "push: action {num_actions: 2}\n[edges]"
    ),
    "another section": lambda text: f"{text}\n[metadata]\nauthor: somebody\n",
    "commas after entries": lambda text: text.replace("}\n", "},\n"),
    "sizes from vectors": lambda text: text.replace("door: state {num_states: 2}", "door: state"),
    "names in Unicode": lambda text: text.replace("door", "tür").replace("seen", "gesehen"),
    "columns turned": lambda text: text.replace(
        "[[0.9, 0.25], [0.1, 0.75]]", "[[0.9, 0.1], [0.25, 0.75]]"
    ),
    "a likelihood called emission": lambda text: text.replace("likelihood", "emission"),
}
OF_ARRAYS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "one array": lambda d: {**d, "A": A, "B": B, "C": [0, 3], "D": [0.4, 0.6]},
    "without sizes": lambda d: {key: d[key] for key in "ABCD"},
    "a batch axis": lambda d: {**d, **{key: [[d[key][0]]] for key in "ABCD"}},
    "one batched array": lambda d: {**d, **{key: [d[key][0]] for key in "CD"}, "A": [A], "B": [B]},
    "by name": lambda d: {**d, "A": {"seen": A}, "B": {"door": B}},
    "a size as a number": lambda d: {**d, "num_states": 2, "num_obs": 2, "num_controls": 2},
    "sizes by other names": lambda d: {
        **{k: v for k, v in d.items() if "num" not in k},
        "num_observations": [2],
        "num_actions": [2],
    },
    "numpy's wrapping": lambda d: {**d, "A": [{"__ndarray__": A, "dtype": "float64"}]},
    "A turned": lambda d: {**d, "A": [np.transpose(A).tolist()]},
    "B by action, next, before": lambda d: {**d, "B": [np.transpose(B, (2, 0, 1)).tolist()]},
    "dependencies": lambda d: {
        **d, "A_dependencies": [[0]], "B_dependencies": [[0]], "B_action_dependencies": [[0]]
    },
    "dtype in strings": lambda d: {**d, "A": [[[str(x) for x in row] for row in A]]},
}  # fmt: skip
OF_FLAT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "parameters outside": lambda d: {
        **{k: v for k, v in d.items() if k != "parameters"}, **d["parameters"]
    },
    "C and D too deep": lambda d: with_parameters(d, C=[[0, 3]], D=[[0.4, 0.6]]),
    "A and B too deep": lambda d: with_parameters(
        d, A=[d["parameters"]["A"]], B=[d["parameters"]["B"]]
    ),
    "long names": lambda d: {
        **d,
        "parameters": {
            "observation_model": d["parameters"]["A"], "transition_model": d["parameters"]["B"],
            "preferences": d["parameters"]["C"], "initial_distribution": d["parameters"]["D"],
        },
    },
    "A turned": lambda d: with_parameters(d, A=A),
    "B by name of the action": lambda d: with_parameters(
        d, B=dict(zip(d["actions"], d["parameters"]["B"], strict=True))
    ),
    "all by labels": lambda d: with_parameters(
        d,
        A={"open": {"light": 0.75, "dark": 0.25}, "shut": {"dark": 0.9, "light": 0.1}},
        B={
            "push": {"open": [0.5, 0.5], "shut": [0.5, 0.5]},
            "wait": {"shut": {"shut": 1, "open": 0}, "open": [0, 1]},
        },
        C={"light": 3, "dark": 0},
        D={"open": 0.6, "shut": 0.4},
    ),
    "labels are numbers": lambda d: {**d, "states": [0, 1]},
    "hidden_states": lambda d: {
        **{k: v for k, v in d.items() if k != "states"}, "hidden_states": d["states"]
    },
    "a count of observations": lambda d: {**d, "observations": 2},
}  # fmt: skip


def with_parameters(data: dict[str, Any], **changed: object) -> dict[str, Any]:
    return {**data, "parameters": {**data["parameters"], **changed}}


def variants() -> list[Any]:
    made: list[tuple[str, str, str]] = []
    for kind, text in KIND_TEXTS.items():
        own = OF_SECTIONS if kind == "sections" else OF_JSON
        made += [(kind, habit, change(text)) for habit, change in {**ANY, **own}.items()]
    made += [("arrays", habit, dumped(change(ARRAYS))) for habit, change in OF_ARRAYS.items()]
    made += [("flat_pomdp", habit, dumped(change(FLAT))) for habit, change in OF_FLAT.items()]
    made += [(kind, habit, ANY[habit](text)) for kind, text in WHOLE.items() for habit in ALONE]
    return [pytest.param(kind, text, id=f"{kind}, {habit}") for kind, habit, text in made]


@pytest.mark.parametrize(("kind", "text"), variants())
def test_a_file_in_any_habit_is_the_same_model(
    kind: str, text: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "model.txt"
    path.write_bytes(text.encode())
    assert main(["import", str(path)]) == 0, capsys.readouterr().err
    said = capsys.readouterr()
    name = kind.rsplit(" ", 1)[-1]
    assert f"read as {imports.KINDS[name].title}" in said.err
    made = validate(said.out).compiled
    assert made is not None
    if kind == "pomdp":  # where observations come after actions, in a state of their own
        assert [len(v.names) for v in (*made.states, *made.actions)] == [2, 2]
        return
    np.testing.assert_allclose(made.A[0], A)
    np.testing.assert_allclose(made.B[0], B)
    np.testing.assert_allclose(made.C[0], [0, 3])
    np.testing.assert_allclose(made.D[0], [0.4, 0.6])


def words(said: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Lists, up to three in one another, of what readers look for, right or wrong."""
    for _ in range(3):
        said = said | st.lists(said, max_size=3)
    return said


SAID: st.SearchStrategy[object] = st.sampled_from(
    [0, 1, 0.5, 2, -1, True, None, "a", "25%", "1/0", float("nan"), float("inf"), 10**400, {}]
)
KEYS = st.sampled_from(
    [
        "A", "B", "C", "D", "E", "V", "states", "observations", "actions", "parameters", "nodes",
        "edges", "num_states", "num_obs", "num_controls", "labels", "policy_len", "hidden_states",
        "A_dependencies", "B_dependencies", "B_action_dependencies",
    ]
)  # fmt: skip
NODES = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("stuv"), "type": st.sampled_from(sorted(network.TYPES))},
        optional={
            key: words(SAID)
            for key in ("matrix", "vector", "values", "size", "labels", "of", "from")
        },
    ),
    max_size=6,
)
EDGES = st.lists(
    st.fixed_dictionaries({"from": st.sampled_from("stuvw"), "to": st.sampled_from("stuvw")}),
    max_size=6,
)


@settings(max_examples=share_of(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(KEYS, words(SAID), max_size=8)
    | st.fixed_dictionaries({"nodes": NODES, "edges": EDGES})
    | st.fixed_dictionaries({"A": words(SAID), "B": words(SAID)}, optional={"D": words(SAID)})
    | st.fixed_dictionaries(
        {"states": words(SAID), "parameters": st.dictionaries(KEYS, words(SAID))}
    )
)
def test_any_object_of_such_keys_is_read_or_refused(data: dict[str, Any]) -> None:
    for kind in ("", "graph", "arrays", "flat_pomdp"):
        verdict = validate(data, kind=kind, run_steps=0)
        assert verdict.compiled is not None or verdict.report.errors


def test_the_command_line_names_every_kind_and_every_form() -> None:
    assert tuple(imports.KINDS) == KINDS
    assert tuple(imports.FORMS) == FORMS
