"""GMN301-312 as a typed document can still show them: provoked, repaired, and left alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.model import (
    Conditional,
    GMNSpec,
    Habit,
    Move,
    Preference,
    Table,
    Variable,
)
from orchestrator.gmn.tables import sizes_disagree
from tests.support.typed import (
    O2,
    O3,
    S,
    U,
    decided,
    found,
    moving,
    only,
    repaired,
    rule,
    sensing,
    written,
)

NUMBERS = ["301", "302", "303", "304", "305", "306", "307", "308", "310", "311"]
CLEAN = ((0.8, 0.1, 0.1), (0.3, 0.6, 0.1), (0.1, 0.1, 0.8))
TURNED = tuple(zip(*CLEAN, strict=True))
STEP = (Move(action="back", delta=(-1,)), Move(action="on", delta=(1,)))


def likelihood(spec: GMNSpec) -> Table:
    return spec.likelihoods[0].table


def transition(spec: GMNSpec) -> Table:
    return spec.transitions[0].table


@pytest.mark.parametrize(
    "spec",
    [
        sensing(written(CLEAN)),
        sensing(Table(kind="identity", noise=0.1)),
        sensing(Table(kind="map", map=("x", "y", "y"))),
        moving(Table(kind="shift", moves=STEP)),
        moving(decided(rule({"@+1": 1.0}, u="on"), rule({"@stay": 1.0}))),
    ],
)
def test_what_fits_raises_nothing(spec: GMNSpec) -> None:
    assert found(spec, *NUMBERS) == []


# --- sizes, labels and shapes of variables


@pytest.mark.parametrize(
    ("variable", "n", "shape"),
    [
        (Variable(name="s", labels=("a", "b", "c"), size=4), 3, ()),
        (Variable(name="s", labels=("a", "b", "c"), size=2), 3, ()),
        (Variable(name="s", size=5, shape=(2, 2)), 4, (2, 2)),
        (Variable(name="s", labels=("a", "b", "c"), shape=(2, 2)), 3, ()),
        (Variable(name="s", labels=("a", "b", "c", "d"), size=9, shape=(2, 2)), 4, (2, 2)),
    ],
)
def test_labels_win_over_the_shape_and_the_shape_over_the_size(
    variable: Variable, n: int, shape: tuple[int, ...]
) -> None:
    spec = sensing(Table(kind="uniform"), state=variable)
    after = repaired(spec, only(spec, "302"))
    assert (after.states[0].n, after.states[0].shape) == (n, shape)
    assert found(after, *NUMBERS) == []


@pytest.mark.parametrize(
    "variable",
    [
        Variable(name="s"),
        Variable(name="s", size=-3),
        Variable(name="s", shape=(2, 0)),
        Variable(name="s", shape=(-2, -2)),
        Variable(name="s", labels=("a",), shape=(0,)),
    ],
)
def test_a_variable_without_values_is_left_to_its_author(variable: Variable) -> None:
    one = only(sensing(Table(kind="uniform"), state=variable), "302")
    assert one.fix is None
    assert "give labels" in one.message


@given(
    st.builds(
        Variable,
        name=st.just("s"),
        size=st.integers(-2, 9),
        labels=st.sampled_from([(), ("a",), ("a", "b"), ("a", "b", "c", "d")]),
        shape=st.lists(st.integers(-2, 4), max_size=3).map(tuple),
    )
)
def test_a_table_refuses_a_variable_exactly_where_its_sizes_are_reported(
    variable: Variable,
) -> None:
    spec = sensing(Table(kind="uniform"), state=variable)
    assert bool(found(spec, "302")) is sizes_disagree(variable)


# --- off by one


def off_by_one(n: int) -> GMNSpec:
    """Three positions everywhere, but `n` by declaration."""
    spec = moving(
        written(
            [(1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1)],
        ),
        state=Variable(name="s", size=n),
    )
    sees = Conditional(of="o", given=("s",), table=written([(1, 0), (0, 1), (0, 1)]))
    return spec.model_copy(update={"likelihoods": (sees,)})


@pytest.mark.parametrize("n", [2, 4])
def test_a_size_one_off_every_table_is_set_to_theirs(n: int) -> None:
    spec = off_by_one(n)
    one = only(spec, "308")
    assert one.message == f"size {n} of s is off by one: every table has 3"
    after = repaired(spec, one)
    assert after.states[0].size == 3
    assert found(after, *NUMBERS) == []


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_size_that_is_right_or_further_off_is_left_alone(n: int) -> None:
    assert found(off_by_one(n), "308") == []


def test_one_table_that_disagrees_forbids_the_repair() -> None:
    spec = off_by_one(4)
    prior = Conditional(of="s", table=written([(0.25, 0.25, 0.25, 0.25)]))
    assert found(spec.model_copy(update={"priors": (prior,)}), "308") == []


@pytest.mark.parametrize(
    ("extra", "is_repaired"),
    [
        ({"preferences": (Preference(on="s", values=(0.0, 1.0, 2.0)),)}, True),
        ({"preferences": (Preference(on="s", values=(0.0, 1.0, 2.0, 3.0)),)}, False),
        ({"preferences": (Preference(on="o", values=(0.0, 1.0, 2.0, 3.0)),)}, True),
        ({"priors": (Conditional(of="s", table=written([(0.5, 0.5), (0.5,)])),)}, False),
        ({"priors": (Conditional(of="s", table=Table(kind="uniform")),)}, True),
        ({"priors": (Conditional(of="gone", table=written([(1.0,)])),)}, True),
    ],
)
def test_values_and_other_tables_have_a_say(extra: dict[str, object], *, is_repaired: bool) -> None:
    assert bool(found(off_by_one(4).model_copy(update=extra), "308")) is is_repaired


def test_the_size_of_an_action_shows_in_the_contexts() -> None:
    spec = moving(
        written([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 0), (0, 0, 1), (0, 0, 1)]),
        action=Variable(name="u", size=3),
    )
    assert repaired(spec, only(spec, "308")).actions[0].size == 2
    habit = spec.model_copy(update={"habits": (Habit(action="u", weights=(1.0, 1.0, 1.0)),)})
    assert found(habit, "308") == []


def test_a_map_and_an_identity_show_sizes_too() -> None:
    four = Variable(name="s", size=4)
    by_map = sensing(Table(kind="map", map=("x", "y", "z")), state=four)
    assert repaired(by_map, only(by_map, "308")).states[0].size == 3
    by_identity = sensing(Table(kind="identity"), state=four)
    assert repaired(by_identity, found(by_identity, "308")[0]).states[0].size == 3


def test_an_identity_says_nothing_about_its_other_parents() -> None:
    spec = sensing(Table(kind="identity"), state=S)
    extra = Variable(name="t", size=4)
    sees = spec.likelihoods[0].model_copy(update={"given": ("s", "t")})
    spec = spec.model_copy(update={"states": (S, extra), "likelihoods": (sees,)})
    assert found(spec, "308") == []


def test_where_no_table_shows_a_size_nothing_is_off() -> None:
    assert found(sensing(Table(kind="uniform"), state=Variable(name="s", size=4)), "308") == []


# --- shapes of tables


@pytest.mark.parametrize(
    ("rows", "got"), [((), "0x0"), (((), (), ()), "3x0"), ([(0.5, 0.5)] * 4, "4x2")]
)
def test_a_table_of_the_wrong_shape_says_both_shapes(
    rows: tuple[tuple[float, ...], ...], got: str
) -> None:
    one = only(sensing(written(rows)), "301")
    assert one.message == f"likelihood of o: table for o is {got}, expected 3x3"
    assert one.pointer == "/likelihoods/0/table/rows"
    assert one.fix is None


def test_ragged_rows_are_reported() -> None:
    assert "[1, 2]" in only(sensing(written([(1.0,), (0.5, 0.5), (1.0,)])), "310").message


def test_a_table_too_large_to_expand_is_not_measured() -> None:
    tight = dataclasses.replace(DEFAULT_LIMITS, table_entries=5)
    assert found(sensing(written([(1.0,)])), *NUMBERS, limits=tight) == []


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (Table(kind="map", map=("x",)), "305"),
        (Table(kind="identity"), "304"),
        (Table(kind="grid", moves=STEP), "213"),
    ],
)
def test_what_does_not_expand_names_its_table(table: Table, code: str) -> None:
    one = only(sensing(table, observation=O2), code)
    assert one.message.startswith("likelihood of o: ")
    assert one.variable == "o"


@pytest.mark.parametrize(
    "table",
    [
        Table(kind="shift"),
        Table(kind="grid", moves=STEP),
        Table(kind="shift", moves=(Move(action="on", delta=(1, 1)),)),
    ],
)
def test_moves_need_a_shape_and_one_step_for_each_of_its_axes(table: Table) -> None:
    assert only(moving(table), "306").fix is None


def test_an_outcome_that_no_label_check_can_judge_is_not_lost() -> None:
    relative = moving(decided(rule({"@(1,1)": 1.0})))
    assert only(relative, "106").pointer == "/transitions/0/table/rules/0/then/0/value"
    glob = sensing(Table(kind="map", map=("x", "*", "y")))
    assert only(glob, "106").pointer == "/likelihoods/0/table/map/1"


def test_a_label_or_a_parent_that_is_told_elsewhere_is_told_once() -> None:
    assert len(found(sensing(Table(kind="map", map=("x", "Y", "y"))), "106")) == 1
    stranger = rule({"x": 1.0}, nobody="x")
    assert len(found(sensing(decided(stranger, rule({"x": 1.0}))), "105")) == 1


# --- orientation


def test_the_shape_proves_that_a_table_is_transposed() -> None:
    spec = sensing(written([(0.9, 0.2, 0.5), (0.1, 0.8, 0.5)]), observation=O2)
    one = only(spec, "303")
    assert one.message.endswith("table for o is 2x3, expected 3x2: it is transposed")
    after = repaired(spec, one)
    assert likelihood(after).rows == ((0.9, 0.1), (0.2, 0.8), (0.5, 0.5))
    assert found(after, *NUMBERS) == []


@pytest.mark.parametrize("scale", [1.01, 100.0, 7.0])
def test_what_else_is_wrong_with_the_numbers_does_not_hide_it(scale: float) -> None:
    rows = np.array([(0.9, 0.2, 0.5), (0.1, 0.8, 0.5)]) * scale
    assert len(found(sensing(written(rows.tolist()), observation=O2), "303")) == 1


def test_rows_that_sum_to_one_are_not_transposed_because_their_number_fits() -> None:
    spec = sensing(written([(0.9, 0.05, 0.05), (0.1, 0.8, 0.1)]), observation=O2)
    assert only(spec, "301").fix is None


@pytest.mark.parametrize("scale", [1, 100])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_a_square_is_transposed_where_columns_sum_to_one_and_rows_do_not(
    scale: int, noise: float
) -> None:
    spec = sensing(written((np.array(TURNED) * scale).tolist(), noise=noise))
    assert found(spec, "201", "206", "207", "208", "216") == []
    after = repaired(spec, only(spec, "303"))
    np.testing.assert_allclose(likelihood(after).rows, np.array(CLEAN) * scale)
    assert likelihood(after).noise == noise
    assert found(after, "303", "216") == []


def test_a_stack_of_transposed_squares_is_turned_one_by_one() -> None:
    spec = moving(written([*TURNED, *TURNED]))
    one = only(spec, "303")
    assert "within each action" in one.message
    assert found(spec, "201") == []
    after = repaired(spec, one)
    assert transition(after).rows == (*CLEAN, *CLEAN)
    assert found(after, "303", "201") == []


def test_a_square_that_reads_both_ways_is_read_by_rows_and_told() -> None:
    both = [(0.1, 0.6, 0.3), (0.3, 0.1, 0.6), (0.6, 0.3, 0.1)]
    spec = sensing(written(both))
    assert only(spec, "216").fix is None
    assert found(spec, "303") == []


def test_a_symmetric_square_reads_the_same_and_is_not_told() -> None:
    even = [(0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)]
    assert found(sensing(written(even)), "216", "303") == []


@pytest.mark.parametrize("given", [("u", "s"), ("s", "u")])
@pytest.mark.parametrize("rows", [CLEAN, TURNED])
def test_one_square_for_all_actions_is_repeated_for_each(
    given: tuple[str, ...], rows: tuple[tuple[float, ...], ...]
) -> None:
    spec = moving(written(rows), given=given)
    after = repaired(spec, only(spec, "311"))
    expected = [*CLEAN, *CLEAN] if given == ("u", "s") else [row for row in CLEAN for _ in U.labels]
    assert transition(after).rows == tuple(expected)
    assert found(after, *NUMBERS, "201") == []


def test_one_square_is_not_repeated_over_another_state() -> None:
    other = Variable(name="t", size=2)
    spec = moving(written(CLEAN), given=("t", "s"))
    spec = spec.model_copy(update={"states": (S, other)})
    assert only(spec, "301").fix is None
    assert only(sensing(written(CLEAN[:2])), "301").fix is None


# --- moves


def test_an_action_without_a_move_stays() -> None:
    spec = moving(Table(kind="shift", moves=STEP[:1]))
    one = only(spec, "307")
    assert one.message == "moves of s leave out on: read as stay"
    after = repaired(spec, one)
    assert transition(after).moves == (STEP[0], Move(action="on", delta=(0,)))
    assert found(after, *NUMBERS) == []


def test_the_step_that_is_filled_in_has_the_axes_of_the_shape() -> None:
    grid = Variable(name="s", shape=(2, 3))
    spec = moving(Table(kind="grid", moves=(Move(action="on", delta=(0, 1)),)), state=grid)
    assert transition(repaired(spec, only(spec, "307"))).moves[-1].delta == (0, 0)


def test_of_two_parents_the_moves_belong_to_the_one_that_has_their_labels() -> None:
    weather = Variable(name="w", size=2)
    spec = moving(Table(kind="shift", moves=STEP), given=("w", "u", "s"))
    spec = spec.model_copy(update={"states": (S, weather)})
    assert found(spec, *NUMBERS) == []
    fly = Table(kind="shift", moves=(Move(action="fly", delta=(1,)),))
    lost = spec.model_copy(
        update={"transitions": (Conditional(of="s", given=("w", "u", "s"), table=fly),)}
    )
    assert "that has the labels fly" in only(lost, "306").message
    assert found(lost, "307") == []


def test_moves_are_not_missed_in_a_table_of_another_kind() -> None:
    table = decided(rule({"@stay": 1.0})).model_copy(update={"moves": STEP[:1]})
    assert found(moving(table), "307") == []
    assert found(sensing(Table(kind="shift", moves=STEP), observation=O3), "307") == []
