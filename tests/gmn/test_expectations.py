"""Expectations: read, named, measured, and told with a trace when they fail."""

from __future__ import annotations

import pytest

from orchestrator.gmn.expectations import Expectation, check_names, expectations_of, measure
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, swapped


def compiled(text: str = GOOD) -> tuple[object, object]:
    verdict = validate(text)
    assert verdict.compiled is not None
    return verdict.spec, verdict.compiled


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("cell=r4c4 within 12 in 80%", "cell=r4c4 within 12 in 80%"),
        ("cell=r4c4 within 12", "cell=r4c4 within 12 in 100%"),
        ("never  x=a|b within 3 steps in 90% of runs", "never x=a|b within 3 in 90%"),
        ("always x=a and y=b* within 3", "always x=a and y=b* within 3 in 100%"),
        ("x=a at 3 in 12.5%", "x=a at 3 in 12.5%"),
    ],
)
def test_an_expectation_reads_back_from_its_own_words(text: str, canonical: str) -> None:
    parsed = Expectation.parse(text)
    assert str(parsed) == canonical
    assert Expectation.parse(canonical) == parsed


@pytest.mark.parametrize(
    "text", ["", "x=a", "x within 3", "x=a within 0", "x=a within 3 in 120%", "x==a within 3"]
)
def test_what_is_no_expectation_shows_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"r4c4 within 12 in 80%|more than 100%"):
        Expectation.parse(text)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("place=c within 6 in 80%", True),
        ("pos=c within 6 in 80%", True),
        ("go=right within 2 in 90%", True),
        ("never go=left within 1 in 90%", True),
        ("always place=c within 6 in 50%", False),
        ("never place=c within 6 in 50%", False),
        ("place=a at 6 in 99%", False),
        ("place=a|b|c within 1", True),
        ("place=* and go=* within 1", True),
        ("place=a and go=left within 3 in 99%", False),
    ],
)
def test_episodes_decide(text: str, holds: bool) -> None:
    verdict = validate(GOOD)
    assert verdict.compiled is not None
    (measured,) = measure(verdict.compiled, [Expectation.parse(text)])
    assert measured.held is holds
    assert bool(measured.trace) is not holds
    assert f"{measured.rate:.0%}" in str(measured)


def test_a_trace_ends_at_the_step_that_tells_and_is_cut_when_long() -> None:
    verdict = validate(GOOD)
    assert verdict.compiled is not None
    never, late = measure(
        verdict.compiled,
        [Expectation.parse("never place=c within 9"), Expectation.parse("place=zz within 30")],
    )
    assert "observes place=c" in never.trace[-1]
    assert len(late.trace) == 13
    assert "steps …" in late.trace[6]
    assert measure(verdict.compiled, []) == ()


def test_names_that_the_model_does_not_have_are_findings_with_a_hint() -> None:
    spec = validate(GOOD).spec
    assert spec is not None
    (wrong_name,) = check_names(Expectation.parse("plce=a within 3"), spec)
    assert wrong_name.code == "GMN105"
    assert "'place'" in wrong_name.message
    (wrong_label,) = check_names(Expectation.parse("place=zz within 3"), spec)
    assert wrong_label.code == "GMN106"
    assert check_names(Expectation.parse("place=a within 3"), spec) == []
    (unknown,) = check_names(Expectation.parse("qqqq=a within 3"), spec)
    assert "the model has pos" in unknown.message


def test_a_document_carries_its_own_expectations() -> None:
    text = swapped(
        "{ type: explorer }",
        '{ type: explorer metadata: {expect: "place=c within 9; go=left within 2"} }',
    )
    spec = validate(text).spec
    assert spec is not None
    assert [str(e) for e in expectations_of(spec)] == [
        "place=c within 9 in 100%",
        "go=left within 2 in 100%",
    ]


def test_a_failed_expectation_is_an_error_of_its_own() -> None:
    verdict = validate(GOOD, expectations=[Expectation.parse("never place=c within 9")])
    report = verdict.report
    assert (report.is_valid, report.runs, report.behaves) == (False, True, False)
    assert [d.code for d in report.errors] == ["GMN906"]
    assert "observes place=c" in report.errors[0].message
    assert report.behaviour[0].startswith("never place=c")
    unknown = validate(GOOD, expectations=[Expectation.parse("plce=c within 9")]).report
    assert (unknown.behaves, [d.code for d in unknown.errors]) == (False, ["GMN105"])
