"""What cannot be read is refused in one sentence that says why, at its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.cli.main import main
from orchestrator.gmn.validate import validate
from tests.gmn.imports.test_kinds import ARRAYS, FLAT, NESTED, SECTIONS
from tests.support.documents import GOOD
from tests.support.examples import share_of

Output = pytest.CaptureFixture[str]

#: A file, and the one error that it gets.
REFUSED: dict[str, tuple[bytes, str]] = {
    "UTF-16": ("\ufeff[nodes]".encode("utf-16-le"), "GMN001 error: the file is UTF-16"),
    "UTF-16 without a mark": (SECTIONS.encode("utf-16-be"), "GMN001 error: byte 0 is 0"),
    "numpy": (b"\x93NUMPY\x01\x00v", "GMN001 error: the file is an array of numpy (.npy)"),
    "numpy's archive": (b"PK\x03\x04\x14\x00", "GMN001 error: the file is a zip archive"),
    "pickle": (b"\x80\x04\x95\x10\x00", "GMN001 error: the file is a pickle, which is never read"),
    "Latin-1": ("[nodes]\nt\xfcr: state".encode("latin-1"), "2:2: GMN001 error: byte 0xfc"),
    "a persona": (b"---\nname: Anna\n---\n# Anna\nShe bakes.\n", "GMN806 error: a description"),
    "names only": (
        b'{"name": "kiosk", "states": ["idle", "busy"], "observations": ["dark"], "actions": []}',
        "GMN806 error: it names 2 states, 1 observations, 0 actions and holds no probabilities",
    ),
    "how many only": (
        b'{"states": 3, "observations": 2, "actions": ["go"]}',
        "GMN806 error: it names 3 states, 2 observations, 1 actions and holds no probabilities",
    ),
    "names by name": (
        b'{"states": {"mood": ["calm", "angry"]}, "observations": {"face": ["smile", "frown"]}}',
        "GMN806 error: it names 1 states, 1 observations and holds no probabilities",
    ),
    "a graph without edges": (
        json.dumps({**NESTED, "edges": []}).encode(),
        "GMN010 error: look has a matrix, and no edge says of which observation: write look ->",
    ),
    "arrays without B": (b'{"A": [[[0.8, 0.3], [0.2, 0.7]]]}', "1:7: GMN010 error: there is A"),
    "arrays without A": (b'{"B": [[[[1, 0], [0, 1]]]]}', "1:7: GMN010 error: there is B, but no A"),
    "a ragged array": (
        b'{"A": [[[0.8, 0.3], [0.2]]], "B": [[[[1], [0]], [[0], [1]]]]}',
        "1:8: GMN008 error: A[0] is not an array of numbers",
    ),
    "a node for each value": (
        b'{"nodes": [{"id": "calm", "type": "mood"}, {"id": "angry", "type": "mood"}]}',
        "GMN806 error: it names 2 nodes (mood) and holds no probabilities",
    ),
    "sections without a number": (
        b"[nodes]\ns: state {num_states: 2}\no: observation {num_observations: 3}\nl: likelihood\n"
        b"p: preference {preferred_observation: 1}\n[edges]\ns -> l: depends_on\n",
        "GMN806 error: it names 4 nodes (likelihood, observation, preference, state)",
    ),
    "nothing of a model": (b'{"rows": [1], "columns": 2}', "GMN806 error: it has nothing that"),
    "arrays of no model": (b'{"A": []}', "GMN806 error: its arrays hold no probabilities"),
    "a batch of models": (
        json.dumps(
            {
                "A": [[[[0.8, 0.3], [0.2, 0.7]], [[0.7, 0.3], [0.3, 0.7]]]],
                "B": [[[[1, 0], [0, 1]], [[0, 1], [1, 0]]]],
            }
        ).encode(),
        "GMN309 error: A and B have a leading batch axis of 2 different models",
    ),
    "a column that does not sum to 1": (
        SECTIONS.replace("0.25], [0.1", "0.25], [0.2").encode(),
        "5:1: GMN201 error: likelihood of seen: row (door=0) sums to 1.1",
    ),
    "an edge to nowhere": (
        f"{SECTIONS}ghost -> look: depends_on\n".encode(),
        "17:1: GMN105 error: edge ghost -> look: 'ghost' is not a node",
    ),
    "two nodes of one name": (
        SECTIONS.replace("[edges]", "push: action {num_actions: 3}\n[edges]").encode(),
        "10:1: GMN103 error: two different nodes are called 'push'",
    ),
    "a node that is none": (
        SECTIONS.replace("push: action", "push action").encode(),
        "4:1: GMN003 error: not a node: 'push action {num_actions: 2}'",
    ),
    "continuous": (json.dumps({**ARRAYS, "F": [[1.0]]}).encode(), "GMN802 error: F in the doc"),
    "what is said twice": (
        json.dumps({**FLAT, "A": FLAT["parameters"]["A"], "likelihood": [[1]]}).encode(),
        "GMN004 error: 'A' and 'likelihood' both say A; keep one",
    ),
    "a prior that is a word": (
        json.dumps({**FLAT, "parameters": {**FLAT["parameters"], "D": "uniform"}}).encode(),
        "GMN310 error: D is ragged, or not all numbers",
    ),
    "keyed by what is not a label": (
        json.dumps({**FLAT, "parameters": {**FLAT["parameters"], "C": {"green": 1}}}).encode(),
        "GMN310 error: C is ragged, or not all numbers, or keyed by what is not all labels",
    ),
    "preferences that are words": (
        json.dumps({**ARRAYS, "C": [["low", "high"]]}).encode(),
        "GMN008 error: C[0] is not a list of numbers",
    ),
    "ragged": (
        SECTIONS.replace("[0.1, 0.75]", "[0.1]").encode(),
        "GMN310 error: matrix of look is ragged, or not all numbers",
    ),
}


@pytest.mark.parametrize(("data", "wanted"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_cannot_be_read_is_refused_with_its_first_error(
    data: bytes, wanted: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "model"
    path.write_bytes(data)
    assert main(["import", str(path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    errors = [line for line in said.err.splitlines() if " error: " in line]
    assert wanted in errors[0].replace(f"{path}:", "")
    if wanted.startswith(("GMN806", "GMN309", "GMN001")) or "GMN010 error: there" in wanted:
        assert len(errors) == 1


def test_what_can_be_read_as_several_kinds_waits_for_the_name_of_one(
    tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({**NESTED, **ARRAYS}))
    assert main(["import", str(path)]) == 1
    said = capsys.readouterr().err
    assert "GMN807" in said
    assert "as it has a list of 'nodes'" in said
    assert "as it has an array 'A'" in said
    assert main(["import", str(path), "--as", "arrays"]) == 0
    said = capsys.readouterr().err
    assert "read as arrays as pymdp takes them" in said
    assert "'nodes' of the document ignored" in said
    assert main(["validate", str(path), "--as", "graph"]) == 0
    assert "valid, runs, read as a graph of nodes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        (json.dumps(ARRAYS), "graph", "it is arrays as pymdp takes them, as it has an array 'A'"),
        (SECTIONS, "text", "it cannot be read as GMN text"),
        (GOOD, "sections", "no line of it is [nodes]"),
        (GOOD, "arrays", "it is GMN text, not arrays as pymdp takes them"),
    ],
)
def test_a_file_that_is_not_of_the_named_kind_is_refused(text: str, kind: str, why: str) -> None:
    report = validate(text, kind=kind).report
    assert report.errors[0].code == "GMN808"
    assert why in report.errors[0].message


def test_an_unknown_kind_is_misuse() -> None:
    with pytest.raises(ValueError, match="'yaml' is not a kind of document: text, json"):
        validate(GOOD, kind="yaml")


def test_findings_name_the_nodes_of_the_text() -> None:
    text = """node state mood { size: 2 }
node observation face { size: 2 }
node action act { size: 2 }
node transition T_mood { from: [mood, act] to: mood }
node emission E_face { from: [mood] to: face rows: [[1, x], [0, 1]] }
node preference want { on: face values: [0, high] }
"""
    assert [str(d) for d in validate(text).report.errors] == [
        "4:17: GMN010 error: transition T_mood has no table: write rows, map, identity, uniform,"
        " shift, grid or rules",
        "5:57: GMN312 error: likelihood E_face, row 1, number 2: 'x' is not a number",
        "6:45: GMN312 error: preference want, value 2: 'high' is not a number",
    ]


def test_a_list_of_names_is_one_finding() -> None:
    lean = {"states": ["a", "b"], "likelihoods": [{"of": "o", "given": [], "table": "uniform"}]}
    (found,) = (d for d in validate(lean).report.errors if d.code == "GMN008")
    assert found.message.startswith("states has words only, ['a', 'b']; each is an object of name")


@settings(max_examples=share_of(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), st.sampled_from([b"", b"[nodes]\n", b"## GNNSection\n", b'{"A":']))
def test_any_bytes_are_read_or_refused(data: bytes, before: bytes) -> None:
    verdict = validate(before + data, run_steps=0)
    assert verdict.compiled is not None or verdict.report.errors


def test_sections_of_two_nodes_and_a_prior() -> None:
    text = """[nodes]
lamp: state {num_states: 2}
glow: observation {num_observations: 2}
see: likelihood {matrix: [[0.9, 0.2], [0.1, 0.8]]}
start: belief {vector: [0.4, 0.6]}
[edges]
lamp -> see: depends_on
see -> glow: generates
start -> lamp: depends_on
"""
    made = validate(text)
    assert made.compiled is not None
    assert made.compiled.A[0].tolist() == [[0.9, 0.2], [0.1, 0.8]]
    assert made.compiled.D[0].tolist() == [0.4, 0.6]
    assert [d.code for d in made.report.repairs] == ["GMN804", "GMN110"]


def test_arrays_with_a_batch_axis_of_one() -> None:
    text = (
        '{"A": [[[[0.8, 0.3], [0.2, 0.7]]]], "B": [[[[[1, 0], [0, 1]], [[0, 1], [1, 0]]]]],'
        ' "C": [[[0, 2]]], "D": [[[0.5, 0.5]]]}'
    )
    made = validate(text)
    assert made.compiled is not None
    assert made.compiled.A[0].tolist() == [[0.8, 0.3], [0.2, 0.7]]
    assert made.compiled.B[0][:, 0, :].tolist() == [[1, 0], [0, 1]]
    assert made.compiled.C[0].tolist() == [0, 2]
    assert "A read as arrays with a batch axis" in [d.message for d in made.report.repairs]
