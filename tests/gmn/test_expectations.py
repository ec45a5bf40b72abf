"""Expectations: read, named, measured, and told with a trace when they fail."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.acting.episode import Run, Step
from orchestrator.gmn.acting.expectations import (
    Expectation,
    Measured,
    Wanted,
    check_names,
    expectations_of,
    measure,
)
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.compile import ActionUtility
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
        ("x=a at 3 in 99.9999999%", "x=a at 3 in 99.9999999%"),
        ("x=a within 3 in at least 5%", "x=a within 3 in 5%"),
        ("x=a within 3 in at most 5% of episodes", "x=a within 3 in at most 5%"),
        ("never x=a within 3 in at most 0%", "never x=a within 3 in at most 0%"),
        ("x=a and y=b before y=c|d within 9", "x=a and y=b before y=c|d within 9 in 100%"),
        ("x=a before x=b within 9 in at most 5%", "x=a before x=b within 9 in at most 5%"),
        ("before=a before before=b within 9", "before=a before before=b within 9 in 100%"),
        ("utility on average at least -3 within 20", "utility within 20 on average at least -3"),
        (
            "utility within 20 on average at most 0.25 nats",
            "utility within 20 on average at most 0.25",
        ),
        ("x=a within 4 on average at least 2 steps", "x=a within 4 on average at least 2"),
        ("utility=high within 4", "utility=high within 4 in 100%"),
    ],
)
def test_an_expectation_reads_back_from_its_own_words(text: str, canonical: str) -> None:
    parsed = Expectation.parse(text)
    assert str(parsed) == canonical
    assert Expectation.parse(canonical) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "", "x=a", "x within 3", "x=a within 0", "x=a within 3 in 120%", "x==a within 3",
        "never x=a at 3", "always x=a at 3",
        "x=a before within 3", "x=a before y=b at 3", "never x=a before y=b within 3",
        "x=a before y=b before z=c within 3", "before y=b within 3",
        "utility within 3", "utility=2 on average within 3", "utility at 3 on average at least 2",
        "utility and x=a within 3 on average at least 2",
        "never x=a within 3 on average at least 2", "x=a at 3 on average at least 1",
        "x=a within 3 on average at least 1 in 50%", "x=a within 3 in 50% on average at least 1",
        "x=a before y=b within 3 on average at least 1", "x=a within 3 on average 2",
        "x=a within 3 on average at least nan", "x=a within 3 on average at least 1e3",
    ],
)  # fmt: skip
def test_what_is_no_expectation_shows_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"r4c4 within 12 in 80%|more than 100%"):
        Expectation.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x=a within 3 in 0%", "in at most 0%"),
        ("x=a within 3 in at most 100%", "in at most 0%"),
        ("x=a within 3 on average at least 3.5", "between 0 and 3"),
        ("x=a within 3 on average at least 0", "between 0 and 3"),
        ("x=a within 3 on average at most 3", "between 0 and 3"),
        ("x=a within 3 on average at most -1", "between 0 and 3"),
    ],
)
def test_what_every_model_or_none_fulfils_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Expectation.parse(text)


names = st.sampled_from(["x", "utility", "before", "never", "average"])
conditions = st.lists(
    st.builds(
        Wanted, names, st.lists(st.sampled_from(["a", "r*", "at", "0"]), min_size=1).map(tuple)
    ),
    min_size=1,
    max_size=3,
).map(tuple)
numbers = st.integers(1, 99_999_999_999).map(lambda n: n / 1e9)
bounds = st.sampled_from(["least", "most"])
steps = st.integers(100, 10_000)
expectations = st.one_of(
    st.builds(
        Expectation,
        st.sampled_from(["within", "at", "never", "always"]),
        conditions,
        steps,
        numbers.map(lambda n: n / 100),
        bound=bounds,
    ),
    st.builds(
        Expectation,
        st.just("within"),
        conditions,
        steps,
        bound=bounds.filter(lambda b: b == "least"),
        before=conditions,
    ),
    st.builds(
        Expectation,
        st.just("within"),
        st.one_of(st.just(()), conditions),
        steps,
        bound=bounds,
        average=numbers,
    ),
)


@given(expectations)
def test_every_expectation_is_read_back_equal_from_what_it_prints(one: Expectation) -> None:
    assert Expectation.parse(str(one)) == one


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
        ("pos=c within 6 in at most 90%", False),
        ("go=left within 1 in at most 10%", True),
        ("pos=a before pos=c within 6 in 40%", True),
        ("pos=c before pos=a within 6 in 90%", False),
        ("pos=a before pos=a within 6 in 1%", False),  # never at an earlier step than itself
        ("go=left before pos=a within 1 in 1%", False),  # neither happens
        ("pos=c within 6 on average at least 3", True),
        ("pos=c within 6 on average at least 6", False),
        ("pos=c within 6 on average at most 3", False),
        ("utility within 6 on average at least 8", True),
        ("utility on average at least 18 within 6", False),
        ("utility within 6 on average at most 8", False),
    ],
)
def test_episodes_decide(text: str, holds: bool) -> None:
    verdict = validate(GOOD)
    assert verdict.compiled is not None
    (measured,) = measure(verdict.compiled, [Expectation.parse(text)])
    assert measured.held is holds
    assert bool(measured.trace) is not holds
    assert f"measured {measured.got}" in str(measured) or f"so in {measured.got}" in str(measured)


def step(number: int, **said: str) -> Step:
    return Step({"see": "x", **said}, {}, {}, {"go": "on"}, utility=float(number))


def run_of(*steps: Step) -> Run:
    model = validate(GOOD, run_steps=0).compiled
    assert model is not None
    return Run(7, steps, model)


@pytest.mark.parametrize(
    ("said", "holds", "shown"),
    [
        ("ba", False, 1),
        ("cab", True, 2),
        ("ca", True, 2),  # the second never happens
        ("cb", False, 2),
        ("cc", False, 2),  # neither does
        ("ccccca", False, 5),  # too late
    ],
)
def test_before_needs_the_first_at_an_earlier_step(said: str, holds: bool, shown: int) -> None:
    one = Expectation.parse("see=a before see=b within 5")
    run = run_of(*(step(0, see=label) for label in said))
    assert one.holds(run) is holds
    assert len(one.decided(run)) == shown
    both = Expectation.parse("see=a before see=a|b within 5")
    assert not both.holds(run_of(step(0, see="a")))


def test_an_average_counts_steps_or_sums_utilities_of_the_first_steps_alone() -> None:
    run = run_of(step(1, see="a"), step(2, see="b"), step(4, see="a"), step(8, see="a"))
    assert Expectation.parse("see=a within 3 on average at least 1").amount(run) == 2
    assert Expectation.parse("utility within 3 on average at least 1").amount(run) == 7


def test_the_utility_of_a_step_is_of_what_was_seen_of_the_state_and_of_the_act() -> None:
    model = validate(swapped("on: place", "on: pos")).compiled
    assert model is not None
    toll = ActionUtility((0,), (0,), np.array([[-5.0, 0, 0], [0, 0, -1], [0, 0, -1]]))
    priced = replace(model, C=(np.array([0.5, 0.25, 0.0]),), action_utilities=(toll,))
    for one in simulate(priced, steps=6, seed=3).steps:
        wanted = {"a": 0.0, "b": 1.0, "c": 3.0}[one.state["pos"]]
        wanted += {"a": 0.5, "b": 0.25, "c": 0.0}[one.observation["place"]]
        at = "abc".index(one.state["pos"]), ["left", "stay", "right"].index(one.action["go"])
        assert one.utility == pytest.approx(wanted + toll.table[at])


def test_what_failed_says_what_was_measured_and_shows_an_episode_of_that_kind() -> None:
    model = validate(GOOD).compiled
    assert model is not None
    most, mean, utility, order = measure(
        model,
        [
            Expectation.parse(text)
            for text in (
                "pos=c within 6 in at most 2.5%",
                "pos=a within 6 on average at least 5",
                "utility within 20 on average at least 90",
                "pos=c before pos=b within 6 in 99%",
            )
        ],
    )
    assert str(most).startswith("pos=c within 6 in at most 2.5%: fails, it was so in ")
    assert most.trace  # an episode in which it is so, up to that step
    assert str(mean).endswith(f"measured {mean.mean:.4g} steps on average over 40 episodes")
    assert "altogether: 0 steps at which it is so" in mean.trace[-1]
    assert f"measured {utility.mean:.4g} nats" in str(utility)
    assert re.search(r"seed \d+ altogether: [\d.]+ nats", utility.trace[-1])
    assert len(utility.trace) == 14
    assert 1 <= len(order.trace) < 6


def test_a_share_near_its_bound_is_not_rounded_onto_it() -> None:
    one = Measured(Expectation.parse("x=a within 3 in 98%"), False, 39 / 40, 40)
    assert "measured 97.5% of 40 episodes" in str(one)


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
    (later,) = check_names(Expectation.parse("place=a before place=zz within 3"), spec)
    assert later.code == "GMN106"
    assert check_names(Expectation.parse("utility within 3 on average at least 1"), spec) == []
    (unknown,) = check_names(Expectation.parse("qqqq=a within 3"), spec)
    assert "the model has pos" in unknown.message


def test_a_document_carries_its_own_expectations() -> None:
    text = swapped(
        "{ type: explorer }",
        "{ type: explorer metadata: {expect:"
        ' "place=c within 9; go=left within 2; utility on average at least 3 within 2"} }',
    )
    spec = validate(text).spec
    assert spec is not None
    assert [str(e) for e in expectations_of(spec)] == [
        "place=c within 9 in 100%",
        "go=left within 2 in 100%",
        "utility within 2 on average at least 3",
    ]


def test_a_failed_expectation_is_an_error_of_its_own() -> None:
    verdict = validate(GOOD, expectations=[Expectation.parse("never place=c within 9")])
    report = verdict.report
    assert (report.is_valid, report.runs, report.behaves) == (False, True, False)
    assert [d.code for d in report.errors] == ["GMN906"]
    assert "observes place=c" in report.errors[0].message
    assert report.behaviour[0].startswith("never place=c")
    mean = validate(GOOD, expectations=[Expectation.parse("utility within 9 on average at most 1")])
    (found,) = mean.report.errors
    assert (found.code, found.got.endswith(" nats")) == ("GMN906", True)
    assert "altogether: " in found.message
    unknown = validate(GOOD, expectations=[Expectation.parse("plce=c within 9")]).report
    assert (unknown.behaves, [d.code for d in unknown.errors]) == (False, ["GMN105"])


def test_too_many_steps_are_said_and_the_form_has_every_kind() -> None:
    for steps in ("0", "10001", "1000000", "9" * 15):
        with pytest.raises(ValueError, match="write 1 to 10,000"):
            Expectation.parse(f"x=a within {steps}")
    with pytest.raises(ValueError, match=r"VAR=LABEL \[and VAR=LABEL\] at N \[in"):
        Expectation.parse("x")


def test_one_episode_is_one() -> None:
    said = [str(Measured(Expectation.parse("x=a within 3"), True, 1.0, n)) for n in (1, 2)]
    assert [one.split(" of ")[-1] for one in said] == ["1 episode", "2 episodes"]
