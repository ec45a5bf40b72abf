"""The verdict as a whole: constraints, limits, repairs in order, and speed where it is promised."""

from __future__ import annotations

import dataclasses
import json
import os
import time

import pytest

from orchestrator.gmn.limits import HARD_LIMITS, Limits
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, plus, swapped


def test_the_report_unpacks_as_validity_and_errors() -> None:
    is_valid, errors = validate(GOOD).report
    assert is_valid is True
    assert errors == ()
    is_valid, errors = validate("nonsense").report
    assert is_valid is False
    assert errors


@pytest.mark.parametrize(
    ("constraint", "bound", "fits"),
    [
        ("max_states", 3, True),
        ("max_states", 2, False),
        ("max_observations", 2, False),
        ("max_actions", 2, False),
        ("max_actions", 3, True),
        ("max_factors", 1, True),
        ("max_horizon", 1, False),
        ("max_policies", 8, False),
        ("max_policies", 9, True),
    ],
)
def test_constraints_are_enforced_not_only_asked_for(
    constraint: str, bound: int, fits: bool
) -> None:
    report = validate(GOOD, constraints={constraint: bound}).report
    assert report.is_valid is fits
    assert [d.code for d in report.errors] == ([] if fits else ["GMN711"])


@pytest.mark.parametrize("constraints", [{"max_stats": 3}, {"max_states": 0}, {"max_states": 2.5}])
def test_an_unknown_constraint_is_misuse(constraints: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="max_"):
        validate(GOOD, constraints=constraints)


def test_a_size_beyond_reason_is_answered_at_once_and_allocates_nothing() -> None:
    text = "node state x { size: 1000000000 }\nnode observation o { size: 1000000000 }\n"
    validate(text)
    start = time.process_time()
    report = validate(text + "node emission A { from: [x] to: o identity }").report
    assert time.process_time() - start < 0.05
    assert {"GMN701", "GMN702"} <= {d.code for d in report.errors}


@pytest.mark.timeout(300)  # anything but linear time would take hours; the rate is benchmarked
def test_a_megabyte_of_garbage_gets_a_verdict() -> None:
    for garbage in (os.urandom(2**20), b"{[(<" * 2**18, b"node state x { a: [1, 2\n" * 40_000):
        assert not validate(garbage, limits=HARD_LIMITS).report.is_valid


def test_repairs_come_in_their_order_and_build_on_each_other() -> None:
    text = (
        swapped("[a, b, c] }\nnode action", "[A, B, C] }\nnode action")
        .replace("rows: [[0.8, 0.1, 0.1]", "rows: [[81, 10, 10]")
        .replace("[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]", "[10, 80, 10], [10, 10, 80]]")
        .replace("moves: {left: [-1], stay: [0], right: [1]}", "moves: {Left: [-1], right: [1]}")
        .replace("about: pos", "about: Pos")
    )
    verdict = validate(text)
    assert verdict.report.is_valid, verdict.report.errors
    codes = [d.code for d in verdict.report.repairs]
    assert codes == ["GMN105", "GMN106", "GMN206", "GMN201", "GMN307"]


def test_nothing_is_repaired_when_repair_is_off() -> None:
    text = swapped("about: pos", "about: Pos")
    report = validate(text, repair="none").report
    assert report.repairs == ()
    assert "GMN105" in {d.code for d in report.errors}


@pytest.mark.parametrize(
    ("row", "code", "mode", "mended"),
    [
        ("[0.8, 0.1, 0.119]", "GMN201", "safe", True),
        ("[0.8, 0.1, 0.121]", "GMN201", "safe", False),
        ("[0.8, 0.1, 0.19]", "GMN201", "suggest", True),
        ("[0.8, 0.1, 0.21]", "GMN201", "suggest", False),
    ],
)
def test_rows_are_scaled_within_their_band_and_never_beyond(
    row: str, code: str, mode: str, mended: bool
) -> None:
    text = swapped("[0.8, 0.1, 0.1], [0.1, 0.8", f"{row}, [0.1, 0.8")
    verdict = validate(text, repair=mode)  # type: ignore[arg-type]  # a literal
    assert verdict.report.is_valid is mended
    if mended:
        assert verdict.spec is not None
        assert sum(verdict.spec.likelihoods[0].table.rows[0]) == pytest.approx(1.0)
        assert code in {d.code for d in verdict.report.repairs}


def test_many_rows_off_by_a_little_are_mended_in_one_go() -> None:
    rows = ", ".join(["[0.5, 0.495]"] * 10)
    text = f"""node state s {{ size: 10 }}
node observation o {{ size: 2 }}
node emission A {{ from: [s] to: o rows: [{rows}] }}
"""
    verdict = validate(text)
    assert verdict.report.is_valid
    assert [d.code for d in verdict.report.repairs].count("GMN201") == 1


def test_removals_do_not_shift_what_comes_after_them() -> None:
    text = plus(
        "node belief D2 { about: pos rows: [[0.5, 0.3, 0.2]] }\n"
        "node state w { size: 2 }\nnode transition W { from: [w] to: w identity }\n"
        "node belief D3 { about: w map: [0] }\nnode belief D4 { about: w map: [0] }"
    )
    verdict = validate(text)
    assert verdict.spec is not None
    assert [(p.of, p.table.kind) for p in verdict.spec.priors] == [("pos", "rows"), ("w", "map")]


def test_limits_can_be_raised_but_not_silently_passed() -> None:
    rows = [[1.0 / 600] * 600] * 600
    tree = {
        "states": [{"name": "s", "size": 600}],
        "observations": [{"name": "o", "size": 600}],
        "likelihoods": [{"of": "o", "given": ["s"], "table": {"kind": "rows", "rows": rows}}],
    }
    assert "GMN701" in {d.code for d in validate(tree).report.errors}
    assert validate(tree, limits=dataclasses.replace(HARD_LIMITS, policies=1)).report.is_valid


def test_too_much_memory_for_planning_is_refused_before_it_is_taken() -> None:
    tight = Limits(planning_bytes=10)
    assert "GMN706" in {d.code for d in validate(GOOD, limits=tight).report.errors}


def test_diagnostics_become_json_without_empty_fields() -> None:
    (error,) = validate(swapped("about: pos", "about: nowhere_at_all")).report.errors
    found = json.loads(json.dumps(error.as_dict()))
    assert found["code"] == "GMN105"
    assert found["line"] == 8
    assert "fix" not in found
    report = validate(GOOD).report.as_dict()
    assert (report["valid"], report["runs"], report["behaves"]) == (True, True, None)
