"""Plans that branch on what will be observed, against their definition and against the optimum."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.acting.walk import doubts
from orchestrator.gmn.compile import ActionUtility, Compiled
from orchestrator.gmn.engine import contingent, exact, sparse
from orchestrator.gmn.engine.choice import choose
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.parts import parts_of
from orchestrator.gmn.model import Variable
from orchestrator.gmn.rows import Rows
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError
from tests.gmn.test_exact import bayes, models, moved, prior, seen_chance
from tests.gmn.test_plans import lasting, outcomes, step_worth, whole_models
from tests.support.documents import swapped
from tests.support.examples import share_of

if TYPE_CHECKING:
    from tests.gmn.test_plans import Joint


def branching(model: Compiled, horizon: int) -> Compiled:
    """The model with contingent plans of that depth."""
    joint = np.unique(model.policies[:, -1:], axis=0)
    return dataclasses.replace(
        model,
        policies=joint,
        E=np.full(len(joint), 1 / len(joint)),
        horizon=horizon,
        selection="contingent",
    )


def best(model: Compiled, joint: Joint, horizon: int) -> list[float]:
    """Q of each first action, by recursion over every observation."""
    alive, joint = lasting(model, joint)
    values = []
    for action in model.policies[:, 0]:
        if not joint:
            values.append(0.0)
            continue
        value = sum(step_worth(model, joint, action))
        after = moved(model, joint, action)
        for seen in outcomes(model) if horizon > 1 else ():
            chance = sum(p * seen_chance(model, s, seen) for s, p in after.items())
            if chance > 1e-12:
                later = best(model, bayes(model, after, seen), horizon - 1)
                value += model.discount * chance * max(later)
        values.append(alive * value)
    return values


@settings(max_examples=share_of(30), deadline=None)
@given(whole_models().filter(lambda m: len(m.states) < 3), st.integers(1, 2))
def test_a_contingent_plan_is_worth_its_definition(model: Compiled, horizon: int) -> None:
    model = branching(model, horizon)
    engine = Engine(model)
    wanted = best(model, prior(model), horizon)
    found = engine.negative_expected_free_energy(engine.start())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "SPARSE", 1)
        thin = Engine(model)
        assert all(isinstance(tree, sparse.Sparse) for tree in thin._trees)
        same = thin.negative_expected_free_energy(engine.start())
    np.testing.assert_allclose(same, found, atol=1e-8)
    # Observations below NEGLIGIBLE are left out; nothing here is worth more than 50 nats.
    np.testing.assert_allclose(found, wanted, atol=50 * 27 * contingent.NEGLIGIBLE)


@settings(max_examples=share_of(15), deadline=None)
@given(whole_models().filter(lambda m: len(m.states) < 3 and len(m.observations) < 2))
def test_so_it_is_at_the_third_step(model: Compiled) -> None:
    model = branching(model, 3)
    found = Engine(model).negative_expected_free_energy(Engine(model).start())
    wanted = best(model, prior(model), 3)
    np.testing.assert_allclose(found, wanted, atol=50 * 27 * contingent.NEGLIGIBLE)


@settings(max_examples=share_of(20), deadline=None)
@given(models())
def test_to_branch_is_never_worth_less_than_a_fixed_plan(model: Compiled) -> None:
    engine = Engine(dataclasses.replace(model, info_gain=False))
    fixed = engine.negative_expected_free_energy(engine.start())
    branched = Engine(branching(engine.model, model.horizon))
    found = branched.negative_expected_free_energy(branched.start())
    assert np.all(found >= fixed.reshape(len(found), -1).max(axis=1) - 1e-3)


def tiger(horizon: int) -> Compiled:
    """Kaelbling, Littman and Cassandra 1998, section 5: one ear of 85 %, a tiger behind a door."""
    ear = np.zeros((3, 2, 2))  # hear, tiger, whether it listened
    ear[0, :, 0] = 1
    ear[1:, :, 1] = [[0.85, 0.15], [0.15, 0.85]]
    behind = np.full((2, 2, 3), 0.5)
    behind[:, :, 0] = np.eye(2)
    listened = np.zeros((2, 2, 3))
    listened[1, :, 0] = listened[0, :, 1:] = 1
    return Compiled(
        states=(Variable(name="tiger", size=2), Variable(name="listened", size=2)),
        observations=(Variable(name="hear", labels=("nothing", "left", "right")),),
        actions=(Variable(name="do", labels=("listen", "open_left", "open_right")),),
        A=(ear,),
        B=(behind, listened),
        C=(np.zeros(3),),
        D=(np.full(2, 0.5), np.array([1.0, 0.0])),
        V=(np.zeros(2), np.zeros(2)),
        E=np.full(3, 1 / 3),
        A_dependencies=((0, 1),),
        B_dependencies=((0,), (1,)),
        B_action_dependencies=((0,), (0,)),
        policies=np.arange(3).reshape(3, 1, 1),
        horizon=horizon,
        gamma=8.0,
        selection="contingent",
        info_gain=False,
        discount=0.95,
        action_utilities=(
            ActionUtility((0,), (0,), np.array([[-1.0, -100.0, 10.0], [-1.0, 10.0, -100.0]])),
        ),
    )


def discounted_return(model: Compiled) -> float:
    """What the agent's choices gain for ever, by walking all beliefs that it can come to hold."""
    engine, rng = Engine(model), np.random.default_rng(0)
    table = model.action_utilities[0].table

    @functools.cache
    def node(left: float) -> tuple[float, tuple[tuple[float, float], ...]]:
        beliefs = engine.from_marginals([np.array([left, 1 - left]), np.array([0.0, 1.0])])
        action = choose(engine, beliefs, rng).action
        after = engine.predict(beliefs, action)
        then = []
        for seen, chance in enumerate(engine.outcomes(after)[0]):
            if chance > 1e-12:
                q = engine.marginals(engine.observe(after, [seen]).beliefs)[0][0]
                then.append((float(chance), round(float(q), 9)))
        gained = left * table[0, action[0]] + (1 - left) * table[1, action[0]]
        return float(gained), tuple(then)

    values: dict[float, float] = {}
    queue = [0.5]
    while queue:
        if (one := queue.pop()) not in values:
            values[one] = 0.0
            queue += [after for _, after in node(one)[1]]
    for _ in range(500):
        values = {
            one: node(one)[0] + model.discount * sum(p * values[q] for p, q in node(one)[1])
            for one in values
        }
    return values[0.5]


@pytest.mark.parametrize("horizon", [4, 6, 10])
def test_the_tiger_is_at_least_95_per_cent_of_its_optimum(horizon: int) -> None:
    """19.37 is what value iteration over beliefs finds (discount 0.95, from the uniform belief)."""
    assert discounted_return(tiger(horizon)) >= 0.95 * 19.37


@settings(max_examples=share_of(20), deadline=None)
@given(whole_models().filter(lambda m: len(m.states) < 3), st.integers(1, 3), st.booleans())
def test_what_is_passed_over_changes_nothing(model: Compiled, horizon: int, curious: bool) -> None:
    model = dataclasses.replace(branching(model, horizon), info_gain=curious)
    engine, every = Engine(model), Engine(model)
    for tree in every._trees:
        tree.moves = None if type(tree) is contingent.Tree else tree.moves
    for part, all_of, belief in zip(engine._trees, every._trees, engine.start(), strict=True):
        level = part._level(part.front(belief), horizon)
        found, wanted = part.values(belief)[0], all_of.values(belief)[0]
        np.testing.assert_allclose(found, wanted, atol=1e-9)
        best = wanted[part._allowed].max()
        slack = part._slack()
        assert level.least[0] - slack <= best <= level.most[0] + slack
        np.testing.assert_allclose(part.ties(belief), all_of.ties(belief), atol=1e-7)


def test_factors_of_one_action_are_planned_together_and_all_where_something_ends() -> None:
    model = tiger(2)
    eye = (Variable(name="x", size=2), Variable(name="y", size=2))
    apart = dataclasses.replace(
        model,
        states=eye,
        A=(np.eye(2),),
        observations=(Variable(name="o", size=2),),
        C=(np.zeros(2),),
        A_dependencies=((0,),),
        B=(np.eye(2), np.eye(2)),
        B_action_dependencies=((), ()),
        action_utilities=(),
    )
    assert [part.factors for part in parts_of(apart)] == [(0,), (1,)]
    ends = (np.array([True, False]), np.array([False, False]))
    ending = dataclasses.replace(apart, terminal=ends)
    assert [part.factors for part in parts_of(ending)] == [(0, 1)]
    fixed = dataclasses.replace(ending, selection="deterministic")
    assert [part.factors for part in parts_of(fixed)] == [(0,), (1,)]
    assert [part.factors for part in parts_of(model)] == [(0, 1)]


def test_a_plan_that_would_branch_too_often_looks_less_far_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tiger(10)
    full = simulate(model, steps=3, seed=0)
    assert not list(doubts(full))
    assert {step.choice.depth for step in full.steps if step.choice} == {10}
    monkeypatch.setattr(contingent, "TREE_NUMBERS", 300)
    run = simulate(model, steps=3, seed=0)
    assert {step.choice.depth for step in run.steps if step.choice} < set(range(2, 8))
    assert "contingent plan did not look as far ahead" in next(iter(doubts(run)))
    # What it does not look into counts as by fixed plans: listening on costs 1 a step.
    found, whole = (one.steps[0].choice.neg_efe for one in (run, full))  # type: ignore[union-attr]
    assert np.all(found <= whole + 1e-9)
    assert found[0] > -sum(0.95**t for t in range(10))


@pytest.mark.parametrize("limit", [1, 10**9])
def test_many_observations_that_are_improbable_one_by_one_still_count(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sensors of 256 values say together whether there is danger: half of all pairs are below
    a millionth each. To act cheaply in danger costs 41; to insure costs 1 and keeps danger away."""
    monkeypatch.setattr(exact, "SPARSE", limit)
    count = 256
    base, uniform = tiger(2), np.full(count, 1 / count)
    ramp = np.linspace(0.5, 1.5, count - 1)
    safe = [np.concatenate([[0.9], 0.1 * r / r.sum()]) for r in (ramp, np.sqrt(ramp))]
    table = np.zeros((2, 2, 2))
    table[:, 0] = [[0.95, 1], [0.05, 0]]
    table[1, 1] = 1
    model = dataclasses.replace(
        base,
        states=(Variable(name="is", labels=("safe", "danger")),),
        observations=tuple(Variable(name=f"o{i}", size=count) for i in range(2)),
        actions=(Variable(name="do", labels=("cheap", "insure")),),
        A=tuple(np.stack([one, uniform], axis=1) for one in safe),
        B=(table,),
        C=(np.zeros(count),) * 2,
        D=(np.array([1.0, 0.0]),),
        V=(np.zeros(2),),
        E=np.full(2, 0.5),
        A_dependencies=((0,), (0,)),
        B_dependencies=((0,),),
        B_action_dependencies=((0,),),
        policies=np.arange(2).reshape(2, 1, 1),
        discount=1.0,
        action_utilities=(ActionUtility((0,), (0,), np.array([[0.0, -1.0], [-40.0, -41.0]])),),
    )
    # Cheap is the better second act whatever is seen, so the value is that of fixed plans.
    found = Engine(model).negative_expected_free_energy(Engine(model).start())
    np.testing.assert_allclose(found, [-0.05 * 40, -1.0], atol=41 * contingent.NEGLIGIBLE)


def test_what_cannot_be_planned_exactly_is_refused_with_a_way_out() -> None:
    model = tiger(2)
    with pytest.raises(GMNError, match="contingent plans need exact beliefs; write inference: aut"):
        Engine(model, inference="mean_field")
    wide = tuple(
        dataclasses.replace(model, A=(a,), observations=(Variable(name="hear", size=len(a)),))
        for a in (np.full((2**20 + 1, 2, 2), 2.0**-20),)
    )
    with pytest.raises(GMNError, match=r"joint observations, more than .*selection: deterministic"):
        Engine(wide[0])


def test_a_document_may_plan_far_where_its_plans_branch() -> None:
    text = swapped("horizon: 2 gamma: 8", "horizon: 12 selection: contingent")
    verdict = validate(text)
    assert verdict.compiled is not None, verdict.report.errors
    assert verdict.compiled.policies.shape == (3, 1, 1)
    run = simulate(verdict.compiled, steps=4, seed=0)
    assert run.steps[-1].choice is not None
    assert run.steps[-1].choice.depth == 12
    too_far = validate(text.replace("horizon: 12", "horizon: 33"))
    (said,) = too_far.report.repairs
    assert (said.code, said.got) == ("GMN705", "33")
    assert "horizon 33 is beyond 32" in said.message
    assert too_far.compiled is not None
    assert too_far.compiled.horizon == 32
    fixed = validate(text.replace("horizon: 12", "horizon: 12 habit: {go: [0, 1, 1]}")).compiled
    assert fixed is not None
    assert fixed.E.tolist() == [0.0, 0.5, 0.5]
    assert {s.action["go"] for s in simulate(fixed, steps=9, seed=0).steps} <= {"stay", "right"}


def test_what_is_observed_is_computed_for_few_beliefs_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = "{when: {a: 0}, then: {@stay: 1}}, {when: {a: 1}, then: {@+1: 0.7, @stay: 0.3}}"
    compiled = validate(
        "gmn 1.0\nagent x { type: general }\nnode state s { size: 64 }\n"
        "node observation o { size: 64 }\nnode action a { size: 3 }\n"
        "node emission A { from: [s] to: o identity noise: 30% }\n"
        f"node transition B {{ from: [s, a] to: s rules: [{rules}, {{then: {{@-1: 1}}}}] }}\n"
        "node belief D { about: s uniform }\n"
        'node preference p { on: o goals: {"3": 1} }\n'
        "node policy pi { horizon: 3 gamma: 8 selection: contingent }\nend\n",
        run_steps=0,
    ).compiled
    assert compiled is not None
    monkeypatch.setattr(contingent, "AT_ONCE", 2**16)
    held: list[int] = []
    chance = sparse.Sparse.chance

    def noted(self: sparse.Sparse, beliefs: Rows) -> object:
        held.append(len(beliefs.p) * self.likelihood.shape[1])
        return chance(self, beliefs)

    monkeypatch.setattr(sparse.Sparse, "chance", noted)
    engine = Engine(compiled)
    engine.plan(engine.observe(engine.start(), [3]).beliefs)
    assert len(held) > 4
    assert max(held) <= 2 * 2**16
