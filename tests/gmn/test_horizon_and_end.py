"""Discount, contingent plans and terminal labels: read, checked, compiled, written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.pymdp import to_pymdp
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError
from tests.support.documents import GOOD, SHARED, swapped
from tests.support.verdicts import errors, runs


def policy(text: str) -> str:
    return swapped("gamma: 8", f"gamma: 8 {text}")


@pytest.mark.parametrize(
    ("said", "value"),
    [("0.95", 0.95), ("95%", 0.95), ("19/20", 0.95), ("1", 1.0), ("1e-9", 1e-9), ("100 %", 1.0)],
)
def test_a_discount_is_read_as_a_probability(said: str, value: float) -> None:
    spec, compiled = runs(policy(f"discount: {said}"))
    assert spec.policy.discount == compiled.discount == value
    assert runs(GOOD)[1].discount == 1.0


def test_the_formatter_keeps_how_a_discount_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.gmn"
    file.write_text(policy("discount: 19/20"))
    assert main(["format", str(file)]) == 0
    assert "  discount: 19/20\n" in capsys.readouterr().out


@pytest.mark.parametrize("said", ["0", "-0.5", "1.01", "95", "150%", "NaN", "inf", "1e400", "0%"])
def test_a_discount_outside_its_range_is_refused_with_place_cause_and_next_step(said: str) -> None:
    verdict = validate(policy(f"discount: {said}"))
    assert errors(verdict) == [("GMN415", "/policy/discount")]
    (found,) = verdict.report.errors
    assert "above 0 and at most 1" in found.message
    assert "leave it out" in found.message
    assert found.place is not None
    assert found.place.line == GOOD.count("\n")


@pytest.mark.parametrize("said", ["high", "[0.9]", "{a: 1}", "true", '"soon"'])
def test_a_discount_that_is_not_a_number_is_refused(said: str) -> None:
    assert errors(validate(policy(f"discount: {said}"))) == [("GMN008", "/policy/discount")]


def test_other_spellings_of_a_discount_are_read_and_gamma_is_left_alone() -> None:
    for key in ("discount_factor", "gamma_discount"):
        spec, _ = runs(policy(f"{key}: 0.9"))
        assert (spec.policy.discount, spec.policy.gamma) == (0.9, 8.0)
    # What a rate is, and what it would be of, is not known: it is ignored, and that is said.
    verdict = validate(policy("discount_rate: 0.05"))
    assert verdict.spec is not None
    assert verdict.spec.policy.discount == 1.0
    assert [d.code for d in verdict.report.repairs] == ["GMN007"]
    tree = runs(GOOD)[0].to_json()
    for key in ("discount_factor", "gamma_discount"):  # JSON knows one spelling of each key
        verdict = validate({**tree, "policy": {"horizon": 2, "gamma": 8, key: 0.9}})
        assert verdict.spec is not None
        assert (verdict.spec.policy.discount, verdict.spec.policy.gamma) == (1.0, 8.0)
        assert [d.code for d in verdict.report.repairs] == ["GMN007"]


def test_two_discounts_that_differ_are_an_error() -> None:
    assert [c for c, _ in errors(validate(policy("discount: 0.9 discount: 0.8")))] == ["GMN004"]


def test_a_contingent_selection_is_read_and_written() -> None:
    spec, compiled = runs(policy("selection: contingent"))
    assert spec.policy.selection == compiled.selection == "contingent"
    assert "selection: contingent" in write_text(spec)
    assert json.loads(write_json(spec))["policy"]["selection"] == "contingent"
    misspelt = validate(policy("selection: contingnet"))
    assert misspelt.spec == spec
    assert [d.code for d in misspelt.report.repairs] == ["GMN104"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (policy("discount: 0.9"), "the discount 0.9"),
        (policy("selection: contingent"), "contingent plans"),
        (swapped("on: place", "on: pos"), "the utility of a hidden state"),
    ],
)
def test_what_pymdp_cannot_express_is_refused_there_and_named_in_the_export(
    text: str, words: str
) -> None:
    _, compiled = runs(text)
    assert compiled.to_json()["not_in_pymdp"] == [words]
    with pytest.raises(GMNError, match=f"pymdp cannot express {words}"):
        to_pymdp(compiled)
    assert "not_in_pymdp" not in runs(GOOD)[1].to_json()


def test_a_discount_comes_back_from_the_arrays() -> None:
    _, compiled = runs(policy("discount: 0.9"))
    again = validate(compiled.to_json()).compiled
    assert again is not None
    assert again.discount == 0.9
    np.testing.assert_allclose(again.A[0], compiled.A[0])


def state(text: str) -> str:
    return swapped("node state pos {", f"node state pos {{ {text}")


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("[c]", [False, False, True]),
        ("c", [False, False, True]),
        ("[b, c]", [False, True, True]),
        ("[1..2]", [False, True, True]),
        ("[c, c]", [False, False, True]),
        ("[]", []),
    ],
)
def test_terminal_labels_are_read_compiled_and_written(said: str, ends: list[bool]) -> None:
    spec, compiled = runs(state(f"terminal: {said}"))
    assert [t.tolist() for t in compiled.terminal] == ([ends] if ends else [])
    assert validate(write_text(spec)).spec == spec
    assert validate(write_json(spec)).spec == spec
    assert compiled.beyond_pymdp == (("terminal labels",) if ends else ())


def test_a_glob_is_terminal_for_all_that_it_matches() -> None:
    text = GOOD.replace("[a, b, c]", "[a1, b2, b3]")
    _, compiled = runs(swapped("pos {", "pos { terminal: b*", text))
    assert [t.tolist() for t in compiled.terminal] == [[False, True, True]]


@pytest.mark.parametrize("said", ["[D]", "[nowhere]", "true", "[7..9]", "x*", '""', "[a, d]"])
def test_a_terminal_label_that_is_not_one_of_the_state_is_an_error(said: str) -> None:
    verdict = validate(state(f"terminal: {said}"))
    assert {code for code, _ in errors(verdict)} == {"GMN106"}
    assert verdict.report.errors[0].pointer.startswith("/states/0/terminal/")


def test_a_key_without_labels_says_nothing_of_where_it_ends() -> None:
    assert {code for code, _ in errors(validate(state("terminal,")))} == {"GMN106"}
    tree = runs(GOOD)[0].to_json()
    for wrong in (True, 3.5, {"c": True}, [["c"]]):
        tree["states"][0]["terminal"] = wrong  # type: ignore[index]
        assert errors(validate(tree)) != []
    tree["states"][0]["terminal"] = "c"  # type: ignore[index]
    verdict = validate(tree)
    assert verdict.report.is_accepted
    assert [d.code for d in verdict.report.repairs] == ["GMN008"]


def test_a_misspelt_terminal_label_is_repaired_and_follows_a_renamed_one() -> None:
    text = GOOD.replace("[a, b, c]", "[start, middle, finish]").replace("[a,", "[start,")
    verdict = validate(swapped("pos {", "pos { terminal: [finsh]", text))
    assert verdict.report.is_accepted, verdict.report.errors
    assert verdict.spec is not None
    assert verdict.spec.states[0].terminal == ("finish",)
    odd = GOOD.replace("[a, b, c]", '[a, b, "the end"]')
    verdict = validate(swapped("pos {", 'pos { terminal: ["the end"]', odd))
    assert verdict.report.is_accepted, verdict.report.errors
    assert verdict.spec is not None
    assert verdict.spec.states[0].terminal == ("the_end",)


@pytest.mark.parametrize("kind", ["observation place", "action go"])
def test_terminal_labels_belong_to_states(kind: str) -> None:
    label = {"observation place": "a", "action go": "left"}[kind]
    verdict = validate(swapped(f"node {kind} {{", f"node {kind} {{ terminal: [{label}]"))
    section = kind.split(maxsplit=1)[0] + "s"
    assert errors(verdict) == [("GMN124", f"/{section}/0/terminal")]
    assert "write them on the state" in verdict.report.errors[0].message


@pytest.mark.parametrize(
    "text",
    [
        state("terminal: [a, b, c]"),
        state("terminal: '*'"),
        state("terminal: [0..2]"),
        state("terminal: [b]").replace("rows: [[0.5, 0.3, 0.2]]", "map: [b]"),
        state("terminal: [b, c]").replace("[[0.5, 0.3, 0.2]]", "[[0, 0.3, 0.7]]"),
        state("terminal: [a, b, c]").replace(
            "node belief D { about: pos rows: [[0.5, 0.3, 0.2]] }\n", ""
        ),
    ],
)
def test_a_model_that_ends_before_its_first_step_is_an_error(text: str) -> None:
    verdict = validate(text)
    assert errors(verdict) == [("GMN125", "/states/0/terminal")]
    assert "nothing can happen" in verdict.report.errors[0].message


def test_a_model_that_may_begin_at_its_end_is_not_an_error() -> None:
    runs(state("terminal: [b, c]"))


def test_what_lies_behind_the_end_cannot_be_reached() -> None:
    text = state("terminal: [b]").replace("rows: [[0.5, 0.3, 0.2]]", "map: [a]")
    found = {d.code: d.message for d in validate(text).report.diagnostics}
    assert "1 of 3 joint states can never be reached" in found["GMN504"]


def test_a_huge_list_of_terminal_labels_is_a_finding() -> None:
    tree = runs(GOOD)[0].to_json()
    tree["states"][0]["terminal"] = ["c"] * 100_000  # type: ignore[index]
    assert [code for code, _ in errors(validate(tree))] == ["GMN707"]


def table(kind: str, text: str) -> str:
    start = {"A": "node emission A {", "B": "node transition B {", "D": "node belief D {"}[kind]
    return swapped(start, f"{start} {text}")


@pytest.mark.parametrize("kind", ["A", "B", "D"])
@pytest.mark.parametrize(
    ("said", "count"),
    [("learn: true", 1.0), ("learn", 1.0), ("learn: true concentration: 0.5", 0.5)],
)
def test_what_is_learned_is_compiled_with_its_counts(kind: str, said: str, count: float) -> None:
    spec, compiled = runs(table(kind, f"{said}, " if said == "learn" else said))
    assert [(one.kind, one.index, one.concentration) for one in compiled.learned] == [
        (kind, 0, count)
    ]
    assert validate(write_text(spec)).spec == spec
    assert validate(write_json(spec)).spec == spec
    assert runs(GOOD)[1].learned == ()


def test_what_is_learned_is_named_by_its_place_among_the_variables() -> None:
    _, compiled = runs(
        SHARED.replace("node emission A2 {", "node emission A2 { learn: true")
        .replace("node transition B3 {", "node transition B3 { concentration: 8 learn: true")
    )  # fmt: skip
    assert [(one.kind, one.index, one.concentration) for one in compiled.learned] == [
        ("A", 1, 1.0), ("B", 2, 8.0),
    ]  # fmt: skip


@pytest.mark.parametrize("said", ["0", "-1", "NaN", "inf", "1e400"])
def test_counts_are_above_0(said: str) -> None:
    verdict = validate(table("D", f"learn: true concentration: {said}"))
    assert errors(verdict) == [("GMN218", "/priors/0/concentration")]
    assert "leave it out for 1" in verdict.report.errors[0].message
    assert verdict.report.errors[0].place is not None


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ("learn: maybe", "/priors/0/learn"),
        ("learn: 0.5", "/priors/0/learn"),
        ("learn: true concentration: many", "/priors/0/concentration"),
        ("learn: true concentration: 50%", "/priors/0/concentration"),
        ("learn: true concentration: [1, 2]", "/priors/0/concentration"),
    ],
)
def test_learning_is_true_or_false_and_counts_are_numbers(said: str, pointer: str) -> None:
    assert errors(validate(table("D", said))) == [("GMN008", pointer)]


def test_counts_without_learning_are_reported_and_unused_ones_are_not() -> None:
    found = validate(table("D", "concentration: 5")).report.diagnostics
    assert [(d.code, str(d.severity)) for d in found] == [("GMN219", "warning")]
    assert validate(table("D", "concentration: 0 learn: false")).report.diagnostics == ()


def test_faults_beside_a_wrong_count_are_found_in_the_same_round() -> None:
    text = table("D", "learn: true concentration: many").replace("gamma: 8", "gamma: 0")
    assert {code for code, _ in errors(validate(text))} == {"GMN008", "GMN411"}


def test_the_exported_arrays_name_what_is_learned() -> None:
    _, compiled = runs(table("B", "learn: true concentration: 3"))
    assert compiled.to_json()["learned"] == [
        {"kind": "B", "index": 0, "concentration": 3.0, "is_repeated": False}
    ]
    assert compiled.beyond_pymdp == ()
