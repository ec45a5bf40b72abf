"""Arrays and tables in other orders, under other names and keys: read exactly, or one finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from orchestrator.gmn.validate import validate

A = np.array([[0.9, 0.2], [0.1, 0.8]])
B = np.array([[[1, 0.3], [0, 0]], [[0, 0.7], [1, 1]]])  # next, previous, action
C, D = [0, 2], [0.4, 0.6]
WIDE_A = np.array([[0.7, 0.2, 0.1], [0.3, 0.8, 0.9]])
WIDE_B = np.stack([np.eye(3), [[0, 0, 0.2], [1, 0.5, 0], [0, 0.5, 0.8]]], axis=-1)
NAMES = {"states": ["off", "on"], "observations": ["dark", "lit"], "actions": ["wait", "push"]}
ROWS_A, ROWS_B = A.T.tolist(), B.transpose(2, 1, 0).tolist()


def arrays(**more: object) -> dict[str, Any]:
    return {"A": [A.tolist()], "B": [B.tolist()], "C": [C], "D": [D], **more}


def require_model(source: object, a: Any = A, b: Any = B, c: Any = C, d: Any = D) -> None:
    verdict = validate(source, run_steps=0)  # type: ignore[arg-type]  # any JSON
    assert verdict.compiled is not None, verdict.report.errors
    model = verdict.compiled
    for made, wanted in ((model.A, a), (model.B, b), (model.C, c), (model.D, d)):
        np.testing.assert_allclose(made[0], wanted, atol=1e-9)


def errors(source: object) -> list[str]:
    return [f"{d.code} {d.message}" for d in validate(source).report.errors]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (2, 0, 1), (2, 1, 0), (1, 0, 2), (1, 2, 0), (0, 2, 1)]
)
def test_an_axis_of_actions_is_found_by_its_size_wherever_it_stands(
    order: tuple[int, int, int],
) -> None:
    moves = WIDE_B.transpose(order).tolist()
    source = {"A": [WIDE_A.tolist()], "B": [moves], "C": [[0, 2]], "D": [[1, 0, 0]]}
    require_model(source, WIDE_A, WIDE_B, [0, 2], [1, 0, 0])


def test_axes_of_one_around_arrays_do_not_change_the_model() -> None:
    wrapped = {key: [[value]] for key, value in arrays().items()}
    require_model(wrapped)
    graph = {
        "nodes": [
            {"id": "lamp", "type": "state", "num_states": 2, "initial_distribution": D},
            {"id": "glow", "type": "observation", "num_observations": 2, "matrix": A.tolist()},
            {"id": "push", "type": "action", "num_actions": 2},
            {"id": "move", "type": "transition", "about": "lamp", "matrix": [[B.tolist()]]},
        ],
        "edges": [
            {"from": "lamp", "to": "glow", "type": "generates"},
            {"from": "push", "to": "move", "type": "depends_on"},
        ],
    }
    require_model(graph, c=[0, 0])


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (
            {"A": [[A.tolist(), A.tolist()]]},
            "GMN301 A[0] is 2x2x2, expected 2x2, as (outcome, parent 1)",
        ),
        (
            {"A": [A.tolist()] * 2, "B": [B.tolist()] * 2, "C": [C, C], "D": [D, D]},
            "GMN301 A[0] has 2 axes for an outcome and 2 parents; say in A_dependencies what it"
            " depends on",
        ),
        (
            {"C": [[[0, 0, 0], [0, 1, 2]]]},
            "GMN402 C[0] has 6 numbers for the 2 outcomes of A[0]; of several time steps or of a"
            " batch, keep one",
        ),
        ({"D": [1]}, "GMN301 D[0] has 1 numbers for the 2 values of B[0]"),
    ],
)
def test_arrays_that_do_not_fit_are_named(change: dict[str, object], wanted: str) -> None:
    assert wanted in errors(arrays(**change))


def test_vectors_may_be_columns() -> None:
    require_model(arrays(C=[[0], [2]], D=[[0.4], [0.6]]))


@pytest.mark.parametrize(
    "names",
    [
        ("A_matrix", "B_matrix", "C_vector", "D_vector"),
        ("likelihood", "transition", "preferences", "prior"),
        ("likelihoods", "transitions", "preferences", "priors"),
    ],
)
def test_arrays_have_other_names(names: tuple[str, ...]) -> None:
    renamed = dict(zip(names, arrays().values(), strict=True))
    require_model(renamed)
    require_model({"generative_model": renamed})


def test_arrays_that_are_given_twice_are_an_error() -> None:
    assert errors(arrays(likelihood=[A.tolist()])) == [
        "GMN004 'A' and 'likelihood' both say A; keep one"
    ]


def test_policies_of_spm_are_not_what_states_are_worth() -> None:
    verdict = validate(arrays(T=3, V=[[1, 2]]))
    assert verdict.spec is not None
    assert [p.on for p in verdict.spec.preferences] == ["o0"]
    assert "GMN803" in {d.code for d in verdict.report.repairs}


@pytest.mark.parametrize(
    "names",
    [
        ("likelihood", "transitions", "preferences", "prior"),
        ("likelihoods", "transition", "preferences", "priors"),
    ],
)
def test_a_flat_pomdp_has_other_names(names: tuple[str, ...]) -> None:
    require_model({**NAMES, **dict(zip(names, (ROWS_A, ROWS_B, C, D), strict=True))})


@pytest.mark.parametrize("key", ["params", "matrices", "model"])
def test_the_tables_of_a_flat_pomdp_stand_in_an_object_of_any_name(key: str) -> None:
    tables = {"A": ROWS_A, "B": ROWS_B, "C": C, "D": D}
    require_model({**NAMES, key: tables})


def test_labels_as_keys_prove_whose_axis_it_is() -> None:
    by_state = {
        "off": {"wait": [1, 0], "push": [0.3, 0.7]},
        "on": {"wait": [0, 1], "push": [0, 1]},
    }
    require_model({**NAMES, "A": ROWS_A, "B": by_state, "C": C, "D": D})
    by_outcome = {"dark": {"off": 0.9, "on": 0.2}, "lit": {"off": 0.1, "on": 0.8}}
    require_model({**NAMES, "A": by_outcome, "B": ROWS_B, "C": C, "D": D})


def test_a_label_that_a_distribution_leaves_out_has_probability_0() -> None:
    moves = {
        "wait": {"off": {"off": 1}, "on": {"on": 1}},
        "push": {"off": {"off": 0.3, "on": 0.7}, "on": {"on": 1}},
    }
    require_model({**NAMES, "A": ROWS_A, "B": moves, "C": {"lit": 2}, "D": {"on": 1}}, d=[0, 1])
    require_model({**NAMES, "A": ROWS_A, "B": moves, "C": {"lit": 2}, "D": "on"}, d=[0, 1])


@pytest.mark.parametrize(
    ("moves", "why"),
    [
        ({"wait": ROWS_B[0]}, "it says nothing of push"),
        ({"Wait": ROWS_B[0], "Push": ROWS_B[1]}, "it is keyed by 'Wait', 'Push', not by"),
        ([["1,0", "0,0"], ["0,0", "1,0"]], "'1,0' is not a number"),
        ([{"from": "off", "to": "on", "probability": 1}], "it is keyed by 'from', 'to'"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_finding_with_its_reason(
    moves: object, why: str
) -> None:
    (error,) = errors({**NAMES, "A": ROWS_A, "B": moves})
    assert why in error


def test_a_table_of_one_action_is_not_read_as_that_of_all() -> None:
    (error,) = errors({**NAMES, "A": ROWS_A, "B": [ROWS_B[1]]})
    assert error == "GMN301 B is 1x2x2, expected 2x2x2, as (parent 1, parent 2, outcome)"


@pytest.mark.parametrize("empty", [[], {}])
def test_empty_tables_are_none(empty: object) -> None:
    (error,) = errors({**NAMES, "transitions": empty, "likelihoods": empty})
    assert error.startswith("GMN806 it names 2 states, 2 observations, 2 actions and holds no")


def test_a_table_that_two_places_say_otherwise_is_an_error() -> None:
    tables = {"A": ROWS_A, "B": ROWS_B}
    require_model({**NAMES, "parameters": tables, "A": ROWS_A}, c=[0, 0], d=[0.5, 0.5])
    (error,) = errors({**NAMES, "parameters": tables, "A": [[0.5, 0.5], [0.5, 0.5]]})
    assert error == "GMN004 'A' of the document differs from that of parameters; keep one"


def test_a_flat_pomdp_says_how_far_it_plans() -> None:
    verdict = validate({**NAMES, "A": ROWS_A, "B": ROWS_B, "horizon": 3, "gamma": 4})
    assert verdict.spec is not None
    assert (verdict.spec.policy.horizon, verdict.spec.policy.gamma) == (3, 4)
