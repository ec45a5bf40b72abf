"""GMN201-217: each code is provoked, its repair is applied, and a valid table is left alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.checks.registry import MOST_SHOWN
from orchestrator.gmn.model import Conditional, GMNSpec, Outcome, Rule, Table, Variable
from tests.support.typed import S, decided, found, moving, only, repaired, rule, sensing, written

NUMBERS = [str(n) for n in range(201, 218) if n not in (212, 216)]
CLEAN = ((0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8))


def wide(rows: list[list[float]]) -> GMNSpec:
    """A likelihood of two values with as many contexts as there are rows."""
    return sensing(
        written(rows),
        state=Variable(name="s", size=len(rows)),
        observation=Variable(name="o", labels=("x", "y")),
    )


def likelihood(spec: GMNSpec) -> Table:
    return spec.likelihoods[0].table


@given(st.lists(st.lists(st.integers(1, 20), min_size=3, max_size=3), min_size=3, max_size=3))
def test_a_table_of_distributions_raises_nothing(weights: list[list[int]]) -> None:
    rows = [[w / sum(row) for w in row] for row in weights]
    assert found(sensing(written(rows)), *NUMBERS) == []


def test_a_row_off_by_a_little_is_scaled_and_named_by_its_context() -> None:
    spec = sensing(written([(0.8, 0.1, 0.1), (0.1, 0.82, 0.1), (0.1, 0.1, 0.8)]))
    one = only(spec, "201")
    assert one.message == "likelihood of o: row (s=b) sums to 1.02"
    assert (one.pointer, one.context, one.got, one.expected) == (
        "/likelihoods/0/table/rows/1",
        "s=b",
        "1.02",
        "1",
    )
    assert one.fix is not None
    assert one.fix.kind == "safe"
    after = repaired(spec, one)
    assert sum(likelihood(after).rows[1]) == pytest.approx(1.0)
    assert likelihood(after).rows[0] == (0.8, 0.1, 0.1)
    assert found(after, *NUMBERS) == []


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ((0.8, 0.1, 0.119), "safe"),
        ((0.78, 0.1, 0.1), "safe"),
        ((0.8, 0.1, 0.121), "suggest"),
        ((0.7, 0.1, 0.1), "suggest"),
        ((0.69, 0.1, 0.1), None),
        ((0.9, 0.2, 0.1), None),
    ],
)
def test_how_far_a_row_may_be_off_decides_who_mends_it(
    row: tuple[float, ...], kind: str | None
) -> None:
    fix = only(sensing(written([row, *CLEAN[1:]])), "201").fix
    assert (fix.kind if fix else None) == kind


def test_a_sum_that_is_off_by_rounding_is_no_finding() -> None:
    assert found(sensing(written([(0.1 + 1e-10, 0.8, 0.1), *CLEAN[1:]])), *NUMBERS) == []


def test_the_prior_has_no_context_to_name() -> None:
    spec = sensing(Table(kind="uniform")).model_copy(
        update={"priors": (Conditional(of="s", table=written([(0.5, 0.5, 0.2)])),)}
    )
    one = only(spec, "201")
    assert one.message == "prior of s: row sums to 1.2"
    assert one.context == ""


def test_many_rows_within_the_band_are_one_finding_and_one_fix() -> None:
    spec = wide([[0.5, 0.495]] * 30 + [[0.5, 0.3]])
    near, far = found(spec, "201")
    assert near.message == "likelihood of o: row (s=0) sums to 0.995 (+29 more like this)"
    assert far.message == "likelihood of o: row (s=30) sums to 0.8"
    assert far.fix is None
    after = repaired(spec, near)
    assert [d.message for d in found(after, "201")] == [far.message]
    assert likelihood(after).rows[30] == (0.5, 0.3)


def test_what_is_safe_and_what_waits_for_the_opt_in_are_distinguished() -> None:
    spec = wide([[0.5, 0.495]] * 8 + [[0.5, 0.45]] * 8)
    safe, opt_in = found(spec, "201")
    assert (safe.fix is not None and safe.fix.kind) == "safe"
    assert (opt_in.fix is not None and opt_in.fix.kind) == "suggest"
    assert likelihood(repaired(spec, safe)).rows[8:] == likelihood(spec).rows[8:]
    assert likelihood(repaired(spec, opt_in)).rows[:8] == likelihood(spec).rows[:8]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([[0.5, 0.3]], "201"),
        ([[0.5, math.nan]], "203"),
        ([[1.5, -0.5]], "202"),
        ([[1.5, 0.7]], "208"),
    ],
)
def test_of_many_alike_at_most_five_are_shown_and_the_others_counted(
    rows: list[list[float]], code: str
) -> None:
    told = found(wide(rows * 12), code)
    assert len(told) == MOST_SHOWN + 1
    assert told[-1].message == "likelihood of o: +7 more like this"


def test_an_entry_that_is_not_finite_is_told_with_its_outcome() -> None:
    one = only(sensing(written([(math.nan, 0.1, 0.1), *CLEAN[1:]])), "203")
    assert one.message == "likelihood of o: row (s=a): P(x) = nan is not finite"
    assert one.pointer == "/likelihoods/0/table/rows/0/0"
    assert one.fix is None


def test_an_infinite_entry_hides_no_other_row() -> None:
    spec = sensing(written([(math.inf, 0.1, 0.1), (0.1, 0.5, 0.1), CLEAN[2]]))
    assert [d.code for d in found(spec, "201", "203")] == ["GMN203", "GMN201"]


def test_rounding_below_zero_is_set_to_zero() -> None:
    spec = sensing(written([(1.0, -1e-12, 0.0), *CLEAN[1:]]))
    one = only(spec, "202")
    assert "negative by rounding" in one.message
    after = repaired(spec, one)
    assert likelihood(after).rows[0] == (1.0, 0.0, 0.0)
    assert found(after, *NUMBERS) == []


def test_any_number_of_them_is_set_to_zero_at_once() -> None:
    spec = wide([[1.0, -1e-12]] * 40)
    one = only(spec, "202")
    assert one.message.endswith("(+39 more)")
    assert found(repaired(spec, one), "202") == []


@pytest.mark.parametrize("value", [-0.1, -1e-9])
def test_a_negative_entry_beyond_rounding_is_nobody_s_guess(value: float) -> None:
    spec = sensing(written([(1.0 - value, value, 0.0), *CLEAN[1:]]))
    one = only(spec, "202")
    assert one.fix is None
    assert one.message == f"likelihood of o: row (s=a): P(y) = {value!r} is negative"
    assert found(spec, "201") == []


def test_a_row_of_zeros_becomes_uniform_only_on_opt_in() -> None:
    spec = sensing(written([(0.0, 0.0, 0.0), *CLEAN[1:]]))
    one = only(spec, "204")
    assert one.message == "likelihood of o: row (s=a) is all zero"
    assert one.fix is not None
    assert one.fix.kind == "suggest"
    assert found(repaired(spec, one), *NUMBERS) == []
    assert found(spec, "201") == []


def test_many_rows_of_zeros_are_one_finding() -> None:
    spec = wide([[0.0, 0.0]] * 9)
    one = only(spec, "204")
    assert one.message == "likelihood of o: row (s=0) is all zero (+8 more like this)"
    assert found(repaired(spec, one), "204") == []


@pytest.mark.parametrize(("noise", "after"), [(10.0, 0.1), (100.0, 1.0), (1.5, 0.015)])
def test_noise_above_one_is_read_as_percent(noise: float, after: float) -> None:
    spec = sensing(Table(kind="identity", noise=noise))
    made = repaired(spec, only(spec, "205"))
    assert likelihood(made).noise == pytest.approx(after)
    assert found(made, "205") == []


@pytest.mark.parametrize("noise", [-0.1, 100.1, math.nan, math.inf])
def test_noise_that_is_no_percentage_either_is_left_to_its_author(noise: float) -> None:
    assert only(sensing(Table(kind="identity", noise=noise)), "205").fix is None


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0])
def test_noise_from_0_to_1_is_no_finding(noise: float) -> None:
    assert found(sensing(Table(kind="identity", noise=noise)), "205") == []


def test_percentages_are_divided_by_100_and_by_nothing_else() -> None:
    spec = sensing(written([(79, 10, 10), (10, 80, 10), (10, 10, 80)]))
    assert found(spec, "201", "207", "208") == []
    after = repaired(spec, only(spec, "206"))
    assert likelihood(after).rows[0] == (0.79, 0.1, 0.1)
    assert only(after, "201").message.endswith("row (s=a) sums to 0.99")


def test_counts_become_shares() -> None:
    spec = sensing(written([(8, 1, 1), (2, 9, 2), (1, 1, 8)]))
    assert found(spec, "201", "206", "208") == []
    after = repaired(spec, only(spec, "207"))
    assert likelihood(after).rows[1] == pytest.approx((2 / 13, 9 / 13, 2 / 13))
    assert found(after, *NUMBERS) == []


def test_noise_is_not_written_into_the_rows_it_is_added_to() -> None:
    spec = sensing(written([(80, 10, 10), (10, 80, 10), (10, 10, 80)], noise=0.2))
    after = repaired(spec, only(spec, "206"))
    assert likelihood(after) == written(CLEAN, noise=0.2)


def test_an_entry_above_one_is_told_beside_the_sum() -> None:
    spec = sensing(written([(1.4, 0.1, 0.1), *CLEAN[1:]]))
    assert [(d.code, d.severity) for d in found(spec, "201", "208")] == [
        ("GMN208", "warning"),
        ("GMN201", "error"),
    ]


@pytest.mark.parametrize("p", [-0.1, 1.9, math.nan, math.inf])
def test_the_p_of_an_outcome_is_a_probability(p: float) -> None:
    one = only(sensing(decided(rule({"x": p, "y": 0.1}))), "209")
    assert one.pointer == "/likelihoods/0/table/rules/0/then/0/p"
    assert repr(p) in one.message


@pytest.mark.parametrize(
    ("p", "code", "kind"),
    [
        (0.89, "GMN210", "safe"),
        (0.911, "GMN201", "safe"),
        (0.85, "GMN201", "suggest"),
        (0.7, "GMN201", None),
        (0.9, None, None),
    ],
)
def test_the_outcomes_of_a_rule_are_held_to_the_bands_of_a_row(
    p: float, code: str | None, kind: str | None
) -> None:
    spec = sensing(decided(rule({"x": p, "y": 0.1}, s="a"), rule({"z": 1.0})))
    told = found(spec, "201", "210")
    assert [d.code for d in told] == ([code] if code else [])
    if kind:
        assert told[0].fix is not None
        assert told[0].fix.kind == kind
        after = repaired(spec, told[0])
        assert sum(o.p for o in likelihood(after).rules[0].then) == pytest.approx(1.0)
        assert found(after, *NUMBERS) == []
    elif told:
        assert told[0].fix is None


def test_a_rule_without_outcomes_is_an_error() -> None:
    one = only(sensing(decided(Rule(then=()))), "201")
    assert one.message == "the outcomes of a rule of o sum to 0"
    assert one.fix is None


def test_an_outcome_told_twice_is_added_up() -> None:
    twice = Rule(
        then=(Outcome(value="x", p=0.3), Outcome(value="y", p=0.4), Outcome(value="x", p=0.3))
    )
    spec = sensing(decided(twice))
    after = repaired(spec, only(spec, "217"))
    assert likelihood(after).rules == (rule({"x": 0.6, "y": 0.4}),)
    assert found(after, *NUMBERS) == []


def test_any_number_of_rules_is_repaired_in_one_round_and_hides_no_other() -> None:
    near = [rule({"x": 0.5, "y": 0.49}, s="a") for _ in range(20)]
    far = [rule({"x": 0.2}, s="b") for _ in range(20)]
    spec = sensing(decided(*near, *far, rule({"z": 1.0})))
    told = found(spec, "201", "210")
    assert [d.code for d in told] == ["GMN210"] * 6 + ["GMN201"] * 6
    after = spec
    for diagnostic in told[:6]:
        after = repaired(after, diagnostic)
    assert [d.code for d in found(after, "201", "210")] == ["GMN201"] * 6
    assert told[5].message == "o: +15 more like this"


def test_rules_of_a_table_of_another_kind_count_for_nothing() -> None:
    table = written(CLEAN).model_copy(update={"rules": (rule({"x": 3.0, "y": 1e-9}),)})
    assert found(sensing(table), *NUMBERS) == []


def test_tiny_probabilities_are_kept_and_told_once() -> None:
    spec = sensing(written([(0.9, 0.0999999, 1e-7), (1e-8, 0.9, 0.09999999), CLEAN[2]]))
    one = only(spec, "211")
    assert "P(z) = 1e-07, one of 2 below 1e-06" in one.message
    assert one.fix is None
    by_rule = sensing(decided(rule({"x": 1.0 - 1e-8, "y": 1e-8})))
    assert "'y' of o is 1e-08, one of 1" in only(by_rule, "211").message


def test_a_relative_outcome_needs_its_own_previous_value() -> None:
    one = only(sensing(decided(rule({"@stay": 1.0}))), "213")
    assert one.pointer == "/likelihoods/0/table/rules/0/then/0/value"
    assert "needs o among its own parents" in one.message


def test_a_transition_that_covers_too_little_stays_otherwise() -> None:
    spec = moving(decided(rule({"b": 1.0}, u="on", s="a|b")))
    one = only(spec, "214")
    assert one.message == "transition of s: no rule of s matches u=back, s=a (+3 more)"
    assert one.context == "u=back, s=a"
    after = repaired(spec, one)
    assert after.transitions[0].table.rules[-1] == rule({"@stay": 1.0})
    assert found(after, *NUMBERS) == []


def test_a_likelihood_that_covers_too_little_is_left_to_its_author() -> None:
    assert only(sensing(decided(rule({"x": 1.0}, s="a"))), "214").fix is None


def test_a_transition_without_its_own_previous_value_cannot_stay() -> None:
    spec = moving(decided(rule({"b": 1.0}, u="on")), given=("u",))
    assert only(spec, "214").fix is None


def test_rules_that_never_apply_are_dropped_all_in_one_round() -> None:
    dead = [rule({"y": 1.0}, s="a") for _ in range(9)]
    spec = sensing(decided(rule({"x": 1.0}, s="a"), *dead, rule({"z": 1.0})))
    told = found(spec, "215")
    assert told[0].message == "rule 2 of o never applies: rules above it take all its contexts"
    assert told[0].pointer == "/likelihoods/0/table/rules/1"
    assert len(told) == MOST_SHOWN + 1
    dropped = [op["path"] for d in told if d.fix for op in d.fix.patch]
    assert dropped == [f"/likelihoods/0/table/rules/{n}" for n in range(1, 10)]


def test_a_rule_with_an_unknown_label_is_told_by_its_label_and_not_as_unused() -> None:
    assert found(sensing(decided(rule({"x": 1.0}, s="nowhere"))), "215") == []


def test_nothing_is_said_about_numbers_of_a_table_too_large_to_expand() -> None:
    huge = Variable(name="s", size=10**9)
    spec = sensing(written([(0.8, 0.3, 0.1)] * 2), state=huge)
    assert found(spec, *NUMBERS) == []


def test_nothing_is_said_about_a_row_while_the_size_of_its_variable_is_in_doubt() -> None:
    torn = S.model_copy(update={"size": 4})
    assert found(sensing(written([(0.8, 0.3, 0.1)] * 4), state=torn), *NUMBERS) == []
    assert [d.code for d in found(sensing(written(CLEAN), state=torn), "302")] == ["GMN302"]
