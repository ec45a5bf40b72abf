"""Transitions of which few outcomes are possible are kept as those, with the same results."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.checks.reach import Reach
from orchestrator.gmn.compile import Compiled, compile_spec
from orchestrator.gmn.engine import exact
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.model import Inference
from orchestrator.gmn.rows import Flow, Local, Rows, as_kept
from orchestrator.gmn.tables import expand, variables_of
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError
from orchestrator.types.work import TooMuchWork, allowance
from tests.support.examples import share_of

MOVES = "moves: {up: [-1, 0], down: [1, 0], left: [0, -1], right: [0, 1], stay: [0, 0]}"


OUTCOMES = [
    '"@(0,1)": 1',
    '"@(1,0)": 0.75, "@stay": 0.25',
    "r6c6: 1",
    '"@(-1,0)": 0.5, r0c0: 0.25, "@(0,-1)": 0.25',
]


def document(
    side: int, table: str = f"grid {MOVES}", horizon: int = 2, more: str = "", parents: str = ""
) -> str:
    return f"""gmn 1.0
agent walker {{ type: explorer }}
node state cell {{ shape: [{side}, {side}] }}
node observation seen {{ shape: [{side}, {side}] }}
node action go {{ labels: [up, down, left, right, stay] }}
{more}
node emission A {{ from: [cell] to: seen identity noise: 0.1 }}
node prior D {{ to: cell rules: [{{then: {{r0c0: 1}}}}] }}
node transition B {{ from: [go, {parents}cell] to: cell {table} }}
node preference C {{ on: seen goals: {{r0c3: 6}} }}
node policy pi {{ horizon: {horizon} gamma: 8 }}
"""


def model_of(text: str) -> Compiled:
    found = validate(text, run_steps=0)
    assert found.compiled is not None, [str(d) for d in found.report.diagnostics]
    return found.compiled


def dense(model: Compiled) -> Compiled:
    """The same model whose transitions are plain arrays."""
    return dataclasses.replace(model, B=tuple(model.B))


def test_a_grid_of_400_cells_is_allowed_and_reaches_its_goal() -> None:
    found = validate(document(20, horizon=5))
    assert found.report.errors == ()
    assert found.report.runs
    assert found.compiled is not None
    assert isinstance(as_kept(found.compiled.B)[0], Local)
    run = simulate(found.compiled, steps=6, seed=0)
    assert run.steps[-1].state == {"cell": "r0c3"}


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Random rules over a 7x7 grid; the last one always holds."""
    made = []
    for _ in range(draw(st.integers(1, 5))):
        when = draw(st.sampled_from(["go: up", "go: [down, left]", "cell: r1c*", "cell: 3..9"]))
        outcome = draw(st.sampled_from(OUTCOMES))
        made.append(f"{{when: {{{when}}}, then: {{{outcome}}}}}")
    made.append('{then: {"@stay": 1}}')
    edge = draw(st.sampled_from(["clamp", "stay", "wrap"]))
    noise = draw(st.sampled_from(["", " noise: 0.125 noise_kind: stay"]))
    return f"rules: [{', '.join(made)}] boundary: {edge}{noise}"


@settings(max_examples=share_of(12), deadline=None)
@given(rules(), st.integers(0, 10**6))
def test_what_is_kept_of_random_rules_is_the_expanded_table(table: str, seed: int) -> None:
    text = document(7, table)
    spec = validate(text, run_steps=0).spec
    assert spec is not None
    model = compile_spec(spec)
    conditional = spec.transitions[0]
    expanded = expand(conditional.table, *variables_of(spec, conditional)).reshape(5, 49, 49)
    np.testing.assert_allclose(model.B[0], expanded.transpose(2, 1, 0), atol=1e-12)
    plain = dense(model)
    ours, theirs = Engine(model), Engine(plain)
    rng = np.random.default_rng(seed)
    held = ours.from_marginals([rng.dirichlet(np.ones(49))])
    action = [int(rng.integers(5))]
    np.testing.assert_allclose(ours.predict(held, action)[0], theirs.predict(held, action)[0],
                               atol=1e-12)  # fmt: skip
    np.testing.assert_allclose(ours.plan(held)[0], theirs.plan(held)[0], atol=1e-9)
    for likely in (0.0, 0.2):
        assert np.array_equal(Reach(model).distances(likely), Reach(plain).distances(likely))


@pytest.mark.parametrize("most", [0, exact.MATRIX_NUMBERS])
@pytest.mark.parametrize("inference", ["auto", "mean_field"])
def test_plans_of_a_grid_are_those_of_its_array(
    inference: Inference, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = dataclasses.replace(model_of(document(10, horizon=3)), inference=inference)
    assert isinstance(as_kept(model.B)[0], Local)
    theirs = Engine(dense(model))
    monkeypatch.setattr(exact, "MATRIX_NUMBERS", most)  # by a matrix, or by what is possible
    ours = Engine(model)
    rng = np.random.default_rng(0)
    held = ours.from_marginals([rng.dirichlet(np.ones(100))])
    np.testing.assert_allclose(ours.plan(held)[0], theirs.plan(held)[0], atol=1e-9)
    for action in range(5):
        np.testing.assert_allclose(ours.marginals(ours.predict(held, [action]))[0],
                                   theirs.marginals(theirs.predict(held, [action]))[0],
                                   atol=1e-12)  # fmt: skip


def test_findings_and_episodes_are_those_of_the_array(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [document(10), document(10, 'rules: [{then: {"@stay": 1}}]'),
             document(10, "grid moves: {up: [-1, 0], down: [-1, 0], left: [0, -1]}")]  # fmt: skip

    def seen() -> list[object]:
        verdicts = [validate(text) for text in texts]
        episodes = [simulate(v.compiled, steps=5, seed=3) for v in verdicts if v.compiled]
        return [
            *([str(d) for d in v.report.diagnostics] for v in verdicts),
            *([(s.state, s.observation) for s in e.steps] for e in episodes),
        ]

    kept = seen()
    for module in ("tables", "compile"):
        monkeypatch.setattr(f"orchestrator.gmn.{module}.SPARSE", 10**9)
    assert seen() == kept


def test_a_sparse_table_is_no_larger_as_an_array_than_its_bound() -> None:
    # Of 6,400,000 numbers 16,000 are kept.
    wind = "node state wind { size: 8 }"
    text = document(20, more=wind, parents="wind, ")
    found = validate(text, run_steps=0)
    assert found.compiled is not None, [str(d) for d in found.report.diagnostics]
    with pytest.raises(GMNError, match=r"400 x 400 x 8 x 5 = 6,400,000 numbers.*declare fewer"):
        found.compiled.to_json()
    assert simulate(found.compiled, steps=2, seed=0).steps


def test_what_is_not_sparse_counts_in_full() -> None:
    codes = {d.code for d in validate(document(20, f"grid {MOVES} noise: 0.1")).report.errors}
    assert "GMN702" in codes


def test_a_transition_without_its_own_previous_value_counts_once_for_each() -> None:
    text = document(20).replace("from: [go, cell] to: cell grid " + MOVES,
                                "from: [go] to: cell uniform")  # fmt: skip
    codes = {d.code for d in validate(text).report.errors}
    assert "GMN702" in codes


HOLES = """gmn 1.0
agent a {}
node state s { size: SIZE }
node observation o { size: SIZE }
node action u { labels: [a, b] }
node emission A { from: [s] to: o identity }
node transition B { from: [s, u] to: s rules: [RULES] }
node belief D { about: s uniform }
node preference C { on: o goals: {"3": 1} }
node policy pi { horizon: 2 }
end
"""


@pytest.mark.parametrize(
    "rules",
    [
        "{then: {}}",
        '{when: {u: a}, then: {}}, {then: {"@stay": 1}}',
        '{when: {u: a, s: 0}, then: {"3": 0}}, {then: {"@+1": 1}}',
        '{when: {u: b, s: 19}, then: {"3": 0}}, {then: {"@+1": 1}}',
        '{when: {u: a}, then: {"@+1": 1}}, {then: {"3": 0.5}}',
    ],
)
def test_rows_without_an_outcome_are_found_as_those_of_arrays_are(rules: str) -> None:
    found = [
        [d.code for d in validate(HOLES.replace("SIZE", n).replace("RULES", rules)).report.errors]
        for n in ("20", "200")
    ]
    assert found[0] == found[1] == ["GMN201"]


def test_utilities_of_two_states_need_no_array_of_a_sparse_transition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would have 400 x 400 x 8 x 5 numbers."""
    more = """node state door { size: 8 }
node transition Bd { from: [door, cell] to: door rules: [
  {when: {cell: r0c1}, then: {"@+1": 1}}, {then: {"@stay": 1}}] }
node belief Dd { to: door, map: [0] }
node preference C2 { on: [cell, door], rules: [
  {when: {cell: r0c1, door: 3}, utility: 2}, {when: {door: 4}, utility: 1}] }"""
    own = model_of(document(20, more=more, parents="door, "))
    (worth,) = own.action_utilities
    assert worth.table.shape == (400, 8, 5)
    small = document(10, more=more, parents="door, ")
    found = model_of(small).action_utilities[0].table
    small_spec = validate(small, run_steps=0).spec
    assert small_spec is not None
    for module in ("tables", "compile"):
        monkeypatch.setattr(f"orchestrator.gmn.{module}.SPARSE", 10**9)
    array = compile_spec(small_spec).action_utilities[0].table
    np.testing.assert_allclose(found, array, atol=1e-12)
    go = own.actions[0].names.index("right")
    assert worth.table[own.states[0].names.index("r0c0"), 3, go] == 2
    assert worth.table[own.states[0].names.index("r0c1"), 3, go] == 1


def test_what_moves_beliefs_by_mean_field_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clocks that only the cell moves: one way each, whatever is done."""
    clocks = "\n".join(
        f"node state x{n} {{ size: 400 }}\nnode belief D{n} {{ to: x{n} map: [0] }}\n"
        f"node transition B{n} {{ from: [x{n}, cell] to: x{n} rules: [\n"
        '  {when: {cell: r0c0}, then: {"@+1": 1}}, {then: {"@stay": 1}}] }'
        for n in range(2)
    )
    made: list[int] = []
    prepare = Flow.__init__

    def counted(self: Flow, source: Any, target: Any, p: Any, width: int) -> None:
        made.append(width)
        prepare(self, source, target, p, width)

    monkeypatch.setattr(Flow, "__init__", counted)
    found = validate(document(20, more=clocks))
    assert found.report.is_valid
    assert found.report.runs
    assert len(made) == 5 + 2
    assert found.compiled is not None
    engine = Engine(found.compiled)
    beliefs = engine.start()
    with pytest.raises(TooMuchWork), allowance(20_000):
        engine.plan(beliefs)


@pytest.mark.parametrize("start", [[0, 0, 2, 2], [0, 2, 2, 2], [0, 0, 0, 2], [0, 0, 0, 0]])
def test_a_row_without_entries_sums_to_nothing(start: list[int]) -> None:
    p = np.array([0.25, 0.5])[: start[-1]]
    rows = Rows(np.array(start), np.arange(len(p)), p)
    dense = rows.dense(2)
    np.testing.assert_array_equal(rows.total(p), dense.sum(axis=1))
    np.testing.assert_array_equal(rows.most, dense.max(axis=1))
