"""No repair takes a label or a name for its neighbour by number, by sign or by negation."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import RepairMode, validate
from tests.support.documents import GOOD
from tests.support.examples import share_of

SPEC = validate(GOOD).spec
assert SPEC is not None
STEMS = ("state", "level", "active", "reachable", "typical", "known", "left", "min", "max", "able")
NEGATED = ("in", "un", "non", "not_", "anti", "a", "de", "dis", "im", "ir", "no_")
OPPOSITE = {"left": "right", "min": "max", "max": "min"}
MANY = settings(
    max_examples=share_of(60), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def labels_and_a_neighbour(draw: st.DrawFn) -> tuple[list[str], str]:
    """Valid labels, and a label that is not among them but close to one by meaning."""
    stem = draw(st.sampled_from(STEMS))
    number = draw(st.integers(0, 120))
    near = draw(st.sampled_from([number + 1, number * 10, number // 10, number + 10, -number]))
    pairs = {
        (f"{stem}_{number}", f"{stem}_{near}"),
        (f"{stem}{number}", f"{stem}{near}"),
        (f"{number}", f"{near}"),
        (f"{number}.5", f"-{number}.5"),
        (f"{stem}+", stem),
        (stem, f"{stem}-"),
        (f"{stem}{number}+", f"{stem}{number}-"),
        (stem, draw(st.sampled_from(NEGATED)) + stem),
        (draw(st.sampled_from(NEGATED)) + stem, stem),
        (stem, OPPOSITE.get(stem, f"non-{stem}")),
    }
    one, other = draw(st.sampled_from(sorted(pairs)))
    labels = [one, *draw(st.lists(st.sampled_from(["zz", "quiet", "9999", "b_c"]), unique=True))]
    if other in labels or len(labels) < 2 or one.startswith("-"):
        return ["alpha", "beta"], "alpha_2"
    return labels, other


def document(labels: list[str], used: str) -> GMNSpec:
    tree = json.loads(SPEC.model_dump_json())  # type: ignore[union-attr]
    n = len(labels)
    for section in ("states", "observations"):
        tree[section][0]["labels"] = labels
    eye = [[1.0 if i == j else 0.0 for j in range(n)] for i in range(n)]
    tree["likelihoods"][0]["table"]["rows"] = eye
    tree["priors"][0]["table"] = {"kind": "map", "map": [used]}
    tree["preferences"][0] = {"on": "place", "goals": [{"value": used, "utility": 2}]}
    rule = {"when": [{"var": "pos", "values": [used]}], "then": [{"value": used, "p": 1.0}]}
    stay = {"then": [{"value": "@stay", "p": 1.0}]}
    tree["transitions"][0]["table"] = {"kind": "rules", "rules": [rule, stay]}
    return GMNSpec.model_validate(tree)


@pytest.mark.no_cover  # thousands of documents
@MANY
@given(labels_and_a_neighbour(), st.sampled_from(["safe", "suggest"]))
def test_no_repair_takes_a_label_for_its_neighbour(
    drawn: tuple[list[str], str], repair: RepairMode
) -> None:
    labels, used = drawn
    wrong = document(labels, used)
    for text in (write_text(wrong), write_json(wrong)):
        verdict = validate(text, repair=repair)
        assert "GMN106" in [d.code for d in verdict.report.errors]
        made = verdict.spec
        assert made is not None
        assert made.states[0].labels == tuple(labels)
        assert made.priors[0].table.map == (used,)
        assert made.preferences[0].goals[0].value == used
        assert made.transitions[0].table.rules[0].then[0].value == used


@pytest.mark.no_cover  # thousands of documents
@MANY
@given(labels_and_a_neighbour())
def test_no_repair_takes_a_name_for_its_neighbour(drawn: tuple[list[str], str]) -> None:
    (name, *_), used = drawn
    spelled = {"-": "_minus_", "+": "_plus_", ".": "_point_"}
    name, used = (f"v_{''.join(spelled.get(c, c) for c in word)}" for word in (name, used))
    if name == used:
        return
    text = GOOD.replace("pos", name).replace(f"about: {name}", f"about: {used}")
    verdict = validate(text, repair="suggest")
    assert "GMN105" in [d.code for d in verdict.report.errors]
    assert verdict.spec is not None
    assert verdict.spec.priors[0].of == used


@pytest.mark.parametrize(
    "labels",
    [["<5", ">5"], ["\u22121", "0"], ["a<b", "a>b"], ["caf\u00e9", "caf\u00e8"], ["a b", "a/b"]],
)
def test_labels_that_differ_in_a_sign_do_not_become_one(labels: list[str]) -> None:
    text = GOOD.replace("[a, b, c]", json.dumps([*labels, "c"], ensure_ascii=False))
    verdict = validate(text, repair="suggest")
    assert verdict.report.is_valid, verdict.report.errors
    assert verdict.spec is not None
    assert verdict.spec.states[0].labels == (*labels, "c")


def test_names_that_differ_in_a_sign_do_not_become_one() -> None:
    tree = json.loads(SPEC.model_dump_json())  # type: ignore[union-attr]
    tree["states"] = [{**tree["states"][0], "name": name} for name in ("x+", "x-")]
    made = validate(tree, repair="suggest").spec
    assert made is not None
    assert len({state.name for state in made.states}) == 2
