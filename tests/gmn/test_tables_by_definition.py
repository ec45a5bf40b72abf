"""Expansion agrees with the definition of each kind, spelled out value by value."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from orchestrator.gmn.model import (
    Boundary,
    Condition,
    Conditional,
    GMNSpec,
    Move,
    Outcome,
    Rule,
    Table,
    TableKind,
    Variable,
)
from orchestrator.gmn.tables import (
    TableError,
    acting_axis,
    context_labels,
    entries,
    expand,
    labels_matching,
    matrix,
)

SHAPES = [(3,), (4,), (2, 3), (3, 3), (2, 2, 2)]


def stepped(value: int, delta: Sequence[int], of: Variable, table: Table) -> int:
    """One step by the words of the definition, without arrays."""
    sides = of.shape or (of.n,)
    here = list(np.unravel_index(value, sides))
    there = [int(i) + step for i, step in zip(here, delta, strict=True)]
    if table.boundary == "clamp":
        there = [min(max(i, 0), side - 1) for i, side in zip(there, sides, strict=True)]
    elif table.boundary == "wrap":
        there = [i % side for i, side in zip(there, sides, strict=True)]
    elif any(i < 0 or i >= side for i, side in zip(there, sides, strict=True)):
        return value
    target = int(np.ravel_multi_index(there, sides))
    walls = {i for label in table.blocked for i in labels_matching(label, of)}
    return value if target in walls else target


def holds(rule: Rule, context: dict[str, str]) -> bool:
    return all(
        any(fnmatchcase(context[condition.var], value) for value in condition.values)
        for condition in rule.when
    )


def row_of(table: Table, of: Variable, given: Sequence[Variable], at: Sequence[int]) -> list[float]:
    """P(of | the parents have the values `at`), before noise."""
    context = {parent.name: parent.names[i] for parent, i in zip(given, at, strict=True)}
    position = next((i for parent, i in zip(given, at, strict=True) if parent.name == of.name), -1)
    row = [0.0] * of.n
    if table.kind in ("shift", "grid"):
        deltas = {move.action: move.delta for move in table.moves}
        delta: Sequence[int] = deltas.get(context["u"], (0,) * len(of.shape or (of.n,)))
        row[stepped(position, delta, of, table)] = 1.0
        return row
    then = next(rule for rule in table.rules if holds(rule, context)).then
    for outcome in then:
        if outcome.value.startswith("@"):
            delta = relative(outcome.value, of)
            row[stepped(position, delta, of, table)] += outcome.p
        else:
            matches = labels_matching(outcome.value, of)
            for match in matches:
                row[match] += outcome.p / len(matches)
    return row


def relative(value: str, of: Variable) -> list[int]:
    axes = len(of.shape or (of.n,))
    if value == "@stay":
        return [0] * axes
    if value.startswith("@("):
        return [int(part) for part in value[2:-1].split(",")]
    return [0] * (axes - 1) + [int(value[1:])]


def with_noise(
    row: Sequence[float], table: Table, of: Variable, given: Sequence[Variable], at: Sequence[int]
) -> list[float]:
    e, n = table.noise, of.n
    if table.noise_kind == "uniform":
        return [(1 - e) * p + e / n for p in row]
    if table.noise_kind == "others":
        return [(1 - e) * p + e * (1 - p) / (n - 1) for p in row]
    own = next(i for parent, i in zip(given, at, strict=True) if parent.name == of.name)
    return [(1 - e) * p + e * (y == own) for y, p in enumerate(row)]


@st.composite
def transitions(draw: st.DrawFn) -> tuple[Table, Variable, list[Variable]]:
    """A shift, grid or decision list over a state of one to three axes."""
    shape = draw(st.sampled_from(SHAPES))
    of = Variable(name="s", shape=shape) if len(shape) > 1 else Variable(name="s", size=shape[0])
    action = Variable(name="u", labels=("a", "b", "c"))
    given = draw(st.permutations([action, of, Variable(name="w", size=2)]))
    delta = st.tuples(*[st.integers(-4, 4)] * len(shape))
    common = {
        "boundary": draw(st.sampled_from(["stay", "clamp", "wrap"])),
        "blocked": tuple(draw(st.lists(st.sampled_from(of.names), max_size=2))),
        "noise": draw(st.sampled_from([0.0, 0.25, 1.0])),
        "noise_kind": draw(st.sampled_from(["uniform", "others", "stay"])),
    }
    kind = draw(st.sampled_from(["shift", "rules"] if len(shape) == 1 else ["grid", "rules"]))
    if kind != "rules":
        moved = draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))
        moves = tuple(Move(action=label, delta=draw(delta)) for label in moved)
        return Table.model_validate({"kind": kind, "moves": moves, **common}), of, given
    values = st.sampled_from(
        [*of.names, "*", "@stay", "@+1", "@-2", f"@({','.join(map(str, draw(delta)))})"]
    )
    made = []
    for _ in range(draw(st.integers(0, 4))):
        parent = draw(st.sampled_from(given))
        labels = draw(st.lists(st.sampled_from(["*1", *parent.names]), min_size=1, max_size=2))
        if all(labels_matching(label, parent) for label in labels):
            when = (Condition(var=parent.name, values=tuple(labels)),)
            made.append(Rule(when=when, then=draw(outcomes(values))))
    made.append(Rule(then=draw(outcomes(values))))
    return Table.model_validate({"kind": "rules", "rules": made, **common}), of, given


def outcomes(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[Outcome, ...]]:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(
        lambda chosen: tuple(Outcome(value=v, p=1 / len(chosen)) for v in chosen)
    )


@drawn(transitions())
def test_shifts_grids_and_rules_are_what_their_definition_says(
    case: tuple[Table, Variable, list[Variable]],
) -> None:
    table, of, given = case
    made = expand(table, of, given)
    assert made.shape == (6 * of.n, of.n)
    assert made.size == entries(of, given)
    for row, at in enumerate(itertools.product(*(range(parent.n) for parent in given))):
        expected = with_noise(row_of(table, of, given, at), table, of, given, at)
        np.testing.assert_allclose(made[row], expected, atol=1e-12)
    np.testing.assert_allclose(made.sum(axis=1), 1.0)


@pytest.mark.parametrize("boundary", ["stay", "clamp", "wrap"])
@pytest.mark.parametrize("step", [2**63 - 1, -(2**63), 10**30, -(10**30), 2**64 + 1])
def test_a_step_of_any_size_ends_where_arithmetic_says(boundary: Boundary, step: int) -> None:
    of, action = Variable(name="s", size=5), Variable(name="u", size=1)
    table = Table(kind="shift", moves=(Move(action="0", delta=(step,)),), boundary=boundary)
    made = expand(table, of, [action, of]).argmax(axis=1)
    assert made.tolist() == [stepped(i, (step,), of, table) for i in range(5)]


def test_a_range_of_any_length_costs_nothing() -> None:
    start = time.process_time()
    assert labels_matching("0..999999999", Variable(name="s", size=3)) == [0, 1, 2]
    assert labels_matching("5..1", Variable(name="s", size=9)) == []
    assert labels_matching("3..9", Variable(name="s", size=3)) == []
    assert time.process_time() - start < 0.5


def test_only_the_star_is_special_in_a_pattern() -> None:
    plain = Variable(name="s", labels=("a", "b", "ab", "1..2"))
    assert labels_matching("[ab]*", plain) == []
    assert labels_matching("?", plain) == []
    assert labels_matching("a*", plain) == [0, 2]
    assert labels_matching("*b", plain) == [1, 2]
    assert labels_matching("1..2", plain) == [3]  # a label is itself before it is a range


@pytest.mark.parametrize(
    "torn",
    [
        Variable(name="s", labels=("a", "b", "c"), size=2),
        Variable(name="s", labels=("a", "b", "c"), size=4),
        Variable(name="s", shape=(2, 2), size=5),
        Variable(name="s", shape=(2, 0)),
        Variable(name="s"),
        Variable(name="s", size=-1),
    ],
)
@pytest.mark.parametrize("kind", ["uniform", "identity", "map", "rules"])
def test_a_variable_whose_sizes_disagree_is_refused_whatever_the_kind(
    torn: Variable, kind: TableKind
) -> None:
    table = Table(kind=kind, map=("c",), rules=(Rule(then=(Outcome(value="c", p=1.0),)),))
    for of, given in ((torn, []), (Variable(name="o", size=3), [torn])):
        with pytest.raises(TableError) as caught:
            expand(table, of, given)
        assert caught.value.code == "GMN302"


def test_a_wall_may_be_a_glob_and_must_be_a_label() -> None:
    grid = Variable(name="g", shape=(2, 2))
    action = Variable(name="u", labels=("down",))
    moves = (Move(action="down", delta=(1, 0)),)
    made = expand(Table(kind="grid", moves=moves, blocked=("r1*",)), grid, [action, grid])
    np.testing.assert_array_equal(made, np.eye(4))
    with pytest.raises(TableError, match="'r9c9' is not in g") as caught:
        expand(Table(kind="grid", moves=moves, blocked=("r1c0", "r9c9")), grid, [action, grid])
    assert (caught.value.code, caught.value.field) == ("GMN106", "/blocked/1")


def test_the_moves_belong_to_the_parent_that_has_their_labels() -> None:
    of = Variable(name="s", size=3)
    door = Variable(name="d", labels=("open", "shut"))
    action = Variable(name="u", labels=("go", "rest"))
    table = Table(kind="shift", moves=(Move(action="go", delta=(1,)),))
    assert acting_axis(table, of, [door, of, action]) == 2
    assert acting_axis(table, of, [of, door]) == 1  # the only one it can be
    twin = Variable(name="v", labels=("go", "rest"))
    assert acting_axis(table, of, [twin, of, action]) is None
    made = expand(table, of, [door, action, of]).argmax(axis=1).reshape(2, 2, 3)
    assert made.tolist() == [[[1, 2, 2], [0, 1, 2]]] * 2


def test_a_table_without_parents_has_one_row() -> None:
    of = Variable(name="s", labels=("a", "b"))
    chosen = Rule(then=(Outcome(value="a", p=0.25), Outcome(value="b", p=0.75)))
    assert expand(Table(kind="rules", rules=(chosen,)), of, []).tolist() == [[0.25, 0.75]]
    assert expand(Table(kind="map", map=("b",)), of, []).tolist() == [[0.0, 1.0]]
    assert expand(Table(kind="uniform"), of, []).tolist() == [[0.5, 0.5]]
    with pytest.raises(TableError, match="no rule of s matches the only context"):
        expand(Table(kind="rules"), of, [])


def test_noise_over_the_others_leaves_a_single_value_alone() -> None:
    of = Variable(name="s", size=1)
    table = Table(kind="uniform", noise=0.3, noise_kind="others")
    assert expand(table, of, []).tolist() == [[1.0]]


def test_a_table_of_a_document_finds_its_variables_by_name() -> None:
    state, cell = Variable(name="s", size=2), Variable(name="o", size=2)
    sees = Conditional(of="o", given=("s",), table=Table(kind="identity"))
    spec = GMNSpec(states=(state,), observations=(cell,), likelihoods=(sees,))
    np.testing.assert_array_equal(matrix(spec, sees), np.eye(2))
    with pytest.raises(TableError, match="'gone' is not defined") as caught:
        matrix(spec, sees.model_copy(update={"given": ("s", "gone")}))
    assert caught.value.code == "GMN105"


def test_entries_are_counted_without_being_made() -> None:
    huge = Variable(name="s", size=10**9)
    assert entries(huge, [huge, huge]) == 10**27


def test_a_context_is_named_for_any_number_of_axes() -> None:
    cube, flag = Variable(name="c", shape=(2, 2, 2)), Variable(name="f", labels=("no", "yes"))
    assert context_labels(15, [cube, flag]) == "c=7, f=yes"


def test_two_million_rules_times_contexts_take_well_under_a_second() -> None:
    parents = [Variable(name=f"p{i}", size=8) for i in range(4)]
    every = Rule(then=(Outcome(value="@+1", p=0.5), Outcome(value="*", p=0.5)))
    rules = [
        every.model_copy(
            update={
                "when": tuple(Condition(var=f"p{j}", values=(str((i + j) % 8),)) for j in (0, 2))
            }
        )
        for i in range(487)
    ]
    table = Table(kind="rules", rules=(*rules, every))
    start = time.process_time()
    made = expand(table, parents[0], parents)
    assert time.process_time() - start < 1.0
    np.testing.assert_allclose(made.sum(axis=1), 1.0)
