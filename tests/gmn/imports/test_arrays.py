"""Array spellings: flat POMDP JSON and pymdp's argument lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.gmn.imports import arrays, flat_pomdp
from orchestrator.gmn.imports.detect import in_data
from orchestrator.gmn.validate import validate
from tests.support.documents import SHARED

LIBRARY = Path(__file__).parents[3] / "prompts" / "library"

POMDP: dict[str, Any] = {
    "name": "door",
    "states": ["closed", "open"],
    "observations": ["dark", "light", "dusk"],
    "actions": ["wait", "push"],
    "parameters": {
        "A": [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2]],
        "B": [[[1, 0], [0, 1]], [[0.1, 0.9], [0, 1]]],
        "C": [[0, 2, 0]],
        "D": [1, 0],
    },
}
ARRAYS = {
    "num_states": [2, 3],
    "A": [[[[0.9, 0.5, 0.5], [0.2, 0.5, 0.5]], [[0.1, 0.5, 0.5], [0.8, 0.5, 0.5]]]],
    "B": [[[[1, 0], [0, 1]], [[0, 1], [1, 0]]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]],
    "C": [[0, 1]],
    "D": [[1, 0], [0.2, 0.3, 0.5]],
    "policy_len": 2,
    "gamma": 4.0,
}


def read_arrays(source: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    made = arrays.read_data(source)
    return made.document, [*made.errors, *made.notes]


def read_flat_pomdp(source: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    made = flat_pomdp.read_data(source)
    return made.document, [*made.errors, *made.notes]


def kinds(source: dict[str, Any]) -> list[str]:
    return [kind.name for kind, _ in in_data(source)]


def listed(tree: dict[str, object], section: str) -> list[Any]:
    entries = tree[section]
    assert isinstance(entries, list)
    return entries


def test_a_flat_pomdp_keeps_its_labels_and_its_rows() -> None:
    assert kinds(POMDP) == ["flat_pomdp"]
    tree, found = read_flat_pomdp(POMDP)
    assert tree["states"] == [{"name": "state", "labels": ["closed", "open"]}]
    (likelihood,) = listed(tree, "likelihoods")
    assert likelihood["table"]["rows"] == [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2]]
    (transition,) = listed(tree, "transitions")
    assert transition["given"] == ["action", "state"]
    assert transition["table"]["rows"] == [[1, 0], [0, 1], [0.1, 0.9], [0, 1]]
    assert tree["preferences"] == [{"on": "observation", "values": [0, 2, 0]}]
    assert [f.code for f in found] == ["GMN804"]


def test_a_flat_pomdp_whose_axes_fit_twice_says_which_order_was_used() -> None:
    swap = {**POMDP["parameters"], "B": [[[0.1, 0.9], [0.8, 0.2]], [[0.9, 0.1], [0.2, 0.8]]]}
    _, found = read_flat_pomdp({**POMDP, "parameters": swap})
    assert "GMN801" in [f.code for f in found]


def test_a_flat_pomdp_without_actions_has_a_passive_transition() -> None:
    chain = {"A": [[1, 0, 0], [0, 1, 0]], "B": [[0.5, 0.5], [0, 1]]}
    tree, _ = read_flat_pomdp({**POMDP, "actions": [], "parameters": chain})
    (transition,) = listed(tree, "transitions")
    assert transition["given"] == ["state"]
    assert listed(tree, "priors") == []


def test_arrays_become_variables_with_parents_read_from_their_shapes() -> None:
    assert kinds(ARRAYS) == ["arrays"]
    tree, _ = read_arrays(ARRAYS)
    assert tree["states"] == [{"name": "s0", "size": 2}, {"name": "s1", "size": 3}]
    assert tree["actions"] == [{"name": "u0", "size": 2}]
    (likelihood,) = listed(tree, "likelihoods")
    assert likelihood["given"] == ["s0", "s1"]
    assert likelihood["table"]["rows"][0] == [0.9, 0.1]
    moved, still = listed(tree, "transitions")
    assert (moved["given"], still["given"]) == (["s0", "u0"], ["s1"])
    assert tree["policy"] == {"horizon": 2, "gamma": 4.0}
    assert len(listed(tree, "priors")) == 2


def test_lone_arrays_count_as_lists_of_one_and_given_labels_are_used() -> None:
    tree, _ = read_arrays(
        {
            "A": [[1, 0], [0, 1]],
            "B": [[1, 0], [0, 1]],
            "C": [0.0, 1.0],
            "num_controls": [],
            "labels": {"states": {"door": ["shut", "open"]}},
        }
    )
    assert tree["states"] == [{"name": "door", "labels": ["shut", "open"]}]
    assert tree["preferences"] == [{"on": "o0", "values": [0.0, 1.0]}]


@pytest.mark.parametrize("bad", [[[["a"]]], [[[1], [0, 1]]], "x", None])
def test_arrays_that_are_none_are_named(bad: object) -> None:
    tree, found = read_arrays({"A": bad, "B": bad, "C": bad, "D": None})
    assert not tree
    wrong = [f.pointer for f in found if f.severity == "error"]
    assert wrong == {"list": ["/A/0", "/B/0", "/C"], "str": ["/C"]}.get(type(bad).__name__, [""])


@pytest.mark.parametrize("name", sorted(path.stem for path in LIBRARY.glob("*.gmn")))
def test_what_compiles_to_arrays_is_read_back_as_the_same_arrays(name: str) -> None:
    model = validate((LIBRARY / f"{name}.gmn").read_text()).compiled
    assert model is not None
    again = validate(model.to_json())
    assert again.compiled is not None, again.report.errors
    for kind in ("A", "B", "C", "D", "V"):
        pairs = zip(getattr(again.compiled, kind), getattr(model, kind), strict=True)
        assert all(np.allclose(ours, theirs, rtol=0, atol=1e-15) for ours, theirs in pairs)
    rest = set(model.to_json()) - {"A", "B", "C", "D", "V"}
    ours, theirs = again.compiled.to_json(), model.to_json()
    assert {key: ours[key] for key in rest} == {key: theirs[key] for key in rest}


def test_habits_are_read_from_the_prior_over_policies() -> None:
    model = validate(SHARED).compiled
    assert model is not None
    assert np.ptp(model.E) > 0
    again = validate(model.to_json()).compiled
    assert again is not None
    np.testing.assert_allclose(again.E, model.E, atol=1e-12)


@pytest.mark.parametrize(
    ("prior", "why"),
    [([0.7, 0.1, 0.1, 0.1], "not a product"), ([0.5, 0.2, 0.3], "fit no policies")],
)
def test_a_prior_over_policies_that_is_no_habit_is_left_out_and_said(
    prior: list[float], why: str
) -> None:
    tree, found = read_arrays({**ARRAYS, "E": prior})
    assert tree["habits"] == []
    assert [f.code for f in found] == ["GMN804", "GMN803"]
    assert why in found[1].message


def test_what_the_reader_does_not_know_is_named_and_a_continuous_model_refused() -> None:
    _, found = read_arrays({**ARRAYS, "dirichlet_A": [1], "notes": "x"})
    assert [(f.code, f.got) for f in found[1:]] == [
        ("GMN803", "dirichlet_A"),
        ("GMN803", "notes"),
    ]
    parameters = {**POMDP["parameters"], "Q": [[1.0]]}
    assert "GMN802" in [d.code for d in validate({**POMDP, "parameters": parameters}).report.errors]


def test_other_documents_are_not_taken_for_arrays() -> None:
    assert kinds({"states": [], "gmn": "1.0"}) == ["json"]
    assert kinds({"states": [{"name": "s"}], "parameters": {}}) == ["json"]


@pytest.mark.parametrize("at", ["document", "parameters", "both"])
def test_a_flat_pomdp_says_its_discount(at: str) -> None:
    inside = {"discount": 0.9 if at == "parameters" else 0.8} if at != "document" else {}
    outside = {} if at == "parameters" else {"discount": 0.9}
    made = validate({**POMDP, "parameters": {**POMDP["parameters"], **inside}, **outside})
    assert made.compiled is not None
    assert made.compiled.discount == 0.9
    said = [d.message for d in made.report.warnings + made.report.repairs if d.code == "GMN803"]
    assert said == (["'discount' of parameters ignored"] if at == "both" else [])
    ends = {**POMDP, "terminal": ["open"], "learn": True}
    left = [d.message for d in read_flat_pomdp(ends)[1] if d.code == "GMN803"]
    assert left == ["'terminal' of the document ignored", "'learn' of the document ignored"]


def test_arrays_by_name_belong_to_what_has_the_name() -> None:
    walk = [[[1, 1], [0, 0], [0, 0]], [[0, 0], [1, 0], [0, 0]], [[0, 0], [0, 1], [1, 1]]]
    named = {
        "A": {
            "location": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            "reward": [[0.5, 0.9, 0.1], [0.5, 0.1, 0.9]],
        },
        "B": {"location": walk},
        "C": {"reward": [0, 2]},
        "D": {"location": [1, 0, 0]},
    }
    verdict = validate(named)
    assert verdict.report.is_valid
    assert verdict.compiled is not None
    assert [v.name for v in verdict.compiled.observations] == ["o_location", "reward"]
    assert [c.tolist() for c in verdict.compiled.C] == [[0, 0, 0], [0, 2]]
    assert verdict.compiled.D[0].tolist() == [1, 0, 0]
    said = [d.message for d in verdict.report.repairs if d.code == "GMN804"]
    assert "observation 'location' is called 'o_location': a state has its name" in said


def test_a_vector_of_a_name_that_no_array_has_is_an_error() -> None:
    named = {"A": {"seen": [[0.9, 0.2], [0.1, 0.8]]}, "B": {"s": [[1, 0], [0, 1]]}}
    report = validate({**named, "C": {"joy": [0, 1]}}).report
    assert [d.message for d in report.errors] == ["C names 'joy', which A does not"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("C", [[0, 1], [1, 1]]),
        ("D", [[0.5, 0.5]]),
        ("V", [[[0]], [[1]], [[0]]]),
        ("num_states", [2]),
        ("num_states", "2"),
        ("num_obs", [2, 2]),
        ("num_controls", "two"),
    ],
)
def test_what_counts_otherwise_than_the_arrays_is_an_error(key: str, said: object) -> None:
    _, found = read_arrays({**ARRAYS, key: said})
    wrong = [f.message for f in found if f.severity == "error"]
    assert len(wrong) == 1, found
    assert wrong[0].startswith(f"{key} is not one ")


@pytest.mark.parametrize("labels", [3, {"s0": ["wet", "dry"]}, {"states": {"only": ["a", "b"]}}])
def test_labels_that_fit_no_variables_are_said_to_be_left_out(labels: object) -> None:
    _, found = read_arrays({**ARRAYS, "labels": labels})
    assert [f.code for f in found] == ["GMN804", "GMN803"]
    assert "of labels ignored" in found[1].message or "'labels' ignored" in found[1].message
