"""Every compact table is the matrix that its definition says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.model import (
    Boundary,
    Condition,
    Move,
    NoiseKind,
    Outcome,
    Rule,
    Table,
    Variable,
)
from orchestrator.gmn.rules import assign, labels_matching
from orchestrator.gmn.tables import TableError, context_labels, entries, expand

S = Variable(name="s", labels=("a", "b", "c"))
T = Variable(name="t", labels=("x", "y"))
U = Variable(name="u", labels=("back", "stay", "on"))
GRID = Variable(name="g", shape=(2, 3))
MOVES = (
    Move(action="back", delta=(-1,)),
    Move(action="stay", delta=(0,)),
    Move(action="on", delta=(1,)),
)


def rule(then: dict[str, float], **when: str) -> Rule:
    conditions = tuple(Condition(var=k, values=tuple(v.split("|"))) for k, v in when.items())
    return Rule(when=conditions, then=tuple(Outcome(value=v, p=p) for v, p in then.items()))


def test_rows_are_taken_as_they_are_in_c_order_of_the_parents() -> None:
    rows = tuple((float(i), 0.0, 1.0) for i in range(6))
    made = expand(Table(kind="rows", rows=rows), S, [S, T])
    assert made[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert context_labels(3, [S, T]) == "s=b, t=y"
    assert context_labels(0, []) == ""
    assert entries(S, [S, T]) == 18


def test_identity_follows_the_own_previous_value_wherever_it_stands() -> None:
    made = expand(Table(kind="identity"), S, [T, S])
    np.testing.assert_array_equal(made, np.vstack([np.eye(3), np.eye(3)]))
    other = Variable(name="o", size=3)
    np.testing.assert_array_equal(expand(Table(kind="identity"), other, [S]), np.eye(3))


def test_uniform_and_map() -> None:
    np.testing.assert_allclose(expand(Table(kind="uniform"), S, [T]), np.full((2, 3), 1 / 3))
    made = expand(Table(kind="map", map=("c", "a")), S, [T])
    np.testing.assert_array_equal(made, [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize(("boundary", "from_c_on"), [("stay", 2), ("clamp", 2), ("wrap", 0)])
def test_shift_meets_the_edge_as_told(boundary: Boundary, from_c_on: int) -> None:
    table = Table(kind="shift", moves=MOVES, boundary=boundary)
    made = expand(table, S, [U, S])
    assert made[8].argmax() == from_c_on
    assert made[6].argmax() == 1


def test_a_grid_steps_along_both_axes_and_stops_at_walls() -> None:
    moves = (Move(action="back", delta=(1, 0)), Move(action="on", delta=(0, 1)))
    table = Table(kind="grid", moves=moves, blocked=("r1c0",))
    made = expand(table, GRID, [U, GRID]).argmax(axis=1).reshape(3, 6)
    assert made[0].tolist() == [0, 4, 5, 3, 4, 5]  # down from r0c0 meets the wall
    assert made[1].tolist() == [0, 1, 2, 3, 4, 5]  # no move: stay
    assert made[2].tolist() == [1, 2, 2, 4, 5, 5]


def test_clamping_slides_along_the_edge_where_staying_stops() -> None:
    diagonal = (Move(action="on", delta=(1, 1)),)
    at = 4 + 2 * 6  # u=on, r1c1
    stay = expand(Table(kind="grid", moves=diagonal), GRID, [U, GRID])[at].argmax()
    clamp = expand(Table(kind="grid", moves=diagonal, boundary="clamp"), GRID, [U, GRID])[
        at
    ].argmax()
    assert (GRID.names[stay], GRID.names[clamp]) == ("r1c1", "r1c2")


def test_the_first_rule_that_fits_decides() -> None:
    table = Table(
        kind="rules",
        rules=(
            rule({"a": 1.0}, s="b", t="x"),
            rule({"b": 0.5, "c": 0.5}, s="b|c"),
            rule({"@stay": 1.0}),
        ),
    )
    made = expand(table, S, [S, T])
    np.testing.assert_array_equal(
        made,
        [[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5], [0, 0.5, 0.5]],
    )
    assert assign(table.rules, S, [S, T]).unused(3) == []


def test_globs_share_their_probability_and_ranges_count_indices() -> None:
    v = Variable(name="v", labels=("left_1", "left_2", "right"))
    table = Table(kind="rules", rules=(rule({"left_*": 1.0}, s="0..1"), rule({"right": 1.0})))
    np.testing.assert_array_equal(expand(table, v, [S]), [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]])
    assert labels_matching("nothing*", v) == []
    assert labels_matching("1..9", v) == [1, 2]


@pytest.mark.parametrize(
    ("outcome", "expected"), [("@+1", [1, 2, 2]), ("@-1", [0, 0, 1]), ("@(1)", [1, 2, 2])]
)
def test_relative_outcomes_move_from_the_previous_value(outcome: str, expected: list[int]) -> None:
    made = expand(Table(kind="rules", rules=(rule({outcome: 1.0}),)), S, [S])
    assert made.argmax(axis=1).tolist() == expected


@pytest.mark.parametrize("kind", ["uniform", "others", "stay"])
@given(noise=st.floats(0, 1))
def test_noise_keeps_distributions_and_does_what_its_kind_says(
    kind: NoiseKind, noise: float
) -> None:
    table = Table(kind="map", map=("b", "b", "b"), noise=noise, noise_kind=kind)
    made = expand(table, S, [S])
    np.testing.assert_allclose(made.sum(axis=1), 1.0)
    expected = {
        "uniform": 1 - noise + noise / 3,
        "others": 1 - noise,
        "stay": 1 - noise,
    }[kind]
    assert made[0, 1] == pytest.approx(expected)
    if kind == "stay":
        assert made[0, 0] == pytest.approx(noise)


@pytest.mark.parametrize(
    ("table", "given", "code"),
    [
        (Table(kind="rows", rows=((1.0, 0.0),)), [T], "GMN301"),
        (Table(kind="rows", rows=((1.0,), (1.0, 0.0))), [T], "GMN310"),
        (Table(kind="map", map=("a",)), [T], "GMN305"),
        (Table(kind="map", map=("a", "z")), [T], "GMN106"),
        (Table(kind="identity"), [T], "GMN304"),
        (Table(kind="identity"), [], "GMN304"),
        (Table(kind="shift", moves=MOVES), [U], "GMN213"),
        (Table(kind="shift"), [U, S], "GMN306"),
        (Table(kind="grid", moves=MOVES), [U, S], "GMN306"),
        (Table(kind="shift", moves=(Move(action="fly", delta=(1,)),)), [U, S], "GMN106"),
        (Table(kind="shift", moves=(Move(action="on", delta=(1, 1)),)), [U, S], "GMN306"),
        (Table(kind="rules", rules=(rule({"a": 1.0}, q="x"),)), [T], "GMN105"),
        (Table(kind="rules", rules=(rule({"a": 1.0}, t="z"),)), [T], "GMN106"),
        (Table(kind="rules", rules=(rule({"z": 1.0}),)), [T], "GMN106"),
        (Table(kind="rules", rules=(rule({"@stay": 1.0}),)), [T], "GMN213"),
        (Table(kind="rules", rules=(rule({"@(1,1)": 1.0}),)), [S], "GMN106"),
        (Table(kind="rules", rules=(rule({"a": 1.0}, t="x"),)), [T], "GMN214"),
        (Table(kind="uniform", noise=0.1, noise_kind="stay"), [T], "GMN213"),
    ],
)
def test_what_cannot_be_expanded_says_why(table: Table, given: list[Variable], code: str) -> None:
    with pytest.raises(TableError) as caught:
        expand(table, S, given)
    assert caught.value.code == code


def test_the_first_uncovered_context_is_named_and_the_others_counted() -> None:
    table = Table(kind="rules", rules=(rule({"a": 1.0}, s="a"),))
    with pytest.raises(TableError, match=r"matches s=b, t=x \(\+3 more\)"):
        expand(table, S, [S, T])


def test_a_large_decision_list_agrees_with_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    parents = [Variable(name=f"p{i}", size=4) for i in range(4)]
    of = Variable(name="of", size=3)
    rules = [
        rule({str(rng.integers(3)): 1.0}, **{f"p{rng.integers(4)}": str(rng.integers(4))})
        for _ in range(40)
    ]
    rules.append(rule({"0": 1.0}))
    made = expand(Table(kind="rules", rules=tuple(rules)), of, parents).argmax(axis=1)
    for row, context in enumerate(itertools.product("0123", repeat=4)):
        values = {f"p{i}": label for i, label in enumerate(context)}
        first = next(r for r in rules if all(values[c.var] in c.values for c in r.when))
        assert made[row] == int(first.then[0].value)
