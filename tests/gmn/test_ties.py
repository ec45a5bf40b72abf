"""Of equal actions the one that gains earlier is taken, then the one that does less."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.engine.choice import choose
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.validate import validate

LINE = """
node state at {{ labels: [{labels}] }}
node observation seen {{ labels: [{labels}] }}
node action go {{ labels: [{actions}] }}
node emission A {{ from: [at] to: seen identity }}
node transition B {{ from: [go, at] to: at rules: [{rules} {{then: {{@stay: 1}}}}] }}
node belief D {{ about: at map: [{first}] }}
node preference C {{ on: at goals: {{{goals}}} }}
node policy pi {{ horizon: {horizon} }}
"""


def engine_of(**parts: object) -> Engine:
    verdict = validate(LINE.format(**parts))
    assert verdict.compiled is not None, verdict.report.errors
    return Engine(verdict.compiled)


def chosen(engine: Engine) -> tuple[str, tuple[str, ...], str]:
    beliefs = engine.start()
    found = choose(engine, beliefs, np.random.default_rng(0))
    names = engine.model.actions[0].names
    assert (engine.model.policies[found.policy, 0] == found.action).all()
    return names[int(found.action[0])], tuple(names[i] for i in found.tied), found.broken_by


def test_of_equal_plans_the_one_that_gains_earlier_is_taken() -> None:
    """Both ways gain 2 once and then nothing; `later` is declared first."""
    engine = engine_of(
        labels="start, road, inn, spent, hut",
        actions="later, sooner",
        rules="{when: {at: road}, then: {inn: 1}}, {when: {at: inn}, then: {spent: 1}},"
        " {when: {at: hut}, then: {spent: 1}}, {when: {at: spent}, then: {spent: 1}},"
        " {when: {go: later}, then: {road: 1}}, {then: {hut: 1}},",
        first="start",
        goals="inn: 2, hut: 2",
        horizon=2,
    )
    assert chosen(engine) == ("sooner", ("later", "sooner"), "utility")


def test_of_equal_plans_the_one_that_changes_less_is_taken_so_nobody_paces() -> None:
    """Nothing can be gained on either side of the road; walking is declared first."""
    engine = engine_of(
        labels="left, right, far",
        actions="cross, wait",
        rules="{when: {go: cross, at: left}, then: {right: 1}},"
        " {when: {go: cross, at: right}, then: {left: 1}},",
        first="left",
        goals="far: 3",
        horizon=3,
    )
    assert chosen(engine) == ("wait", ("cross", "wait"), "steps")
    run = simulate(engine, steps=6, seed=0)
    assert {step.action["go"] for step in run.steps} == {"wait"}
    assert all(step.choice and step.choice.broken_by == "steps" for step in run.steps)


def test_where_nothing_else_decides_the_first_declared_is_taken() -> None:
    engine = engine_of(
        labels="here, there", actions="a, b", rules="", first="here", goals="here: 1", horizon=2
    )
    assert chosen(engine) == ("a", ("a", "b"), "order")


def test_an_action_that_more_plans_agree_on_is_not_a_tie() -> None:
    """The best plan begins either way; the goal is reached by more plans that begin with `go`."""
    engine = engine_of(
        labels="start, goal",
        actions="stay, go",
        rules="{when: {go: go, at: start}, then: {goal: 1}},",
        first="start",
        goals="goal: 1",
        horizon=2,
    )
    assert chosen(engine) == ("go", (), "")
    sampled = dataclasses.replace(engine.model, selection="stochastic")
    found = choose(Engine(sampled), engine.start(), np.random.default_rng(3))
    assert (found.tied, found.broken_by) == ((), "")
    assert found.first.sum() == pytest.approx(1)


def test_a_run_keeps_what_was_chosen_from_and_not_more_than_it_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = engine_of(
        labels="here, there", actions="a, b", rules="", first="here", goals="here: 1", horizon=2
    )
    for step in (run := simulate(engine, steps=4, seed=0)).steps:
        assert step.choice is not None
        assert step.seen == (0,)
        assert [q.tolist() for q in step.marginals] == [[1.0, 0.0]]
        assert step.choice.posterior.sum() == pytest.approx(1)
    monkeypatch.setattr("orchestrator.gmn.acting.simulate.KEPT_NUMBERS", 28)
    short = simulate(engine, steps=4, seed=0)
    assert [step.choice is None for step in short.steps] == [False, False, True, True]
    assert short == run
    bare = simulate(engine, steps=4, seed=0, keep_choices=False)
    assert all(step.choice is None and step.marginals == () for step in bare.steps)


def test_equal_beliefs_are_planned_once_and_what_is_known_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = engine_of(
        labels="here, there", actions="a, b", rules="", first="here", goals="here: 1", horizon=2
    )
    runs = [simulate(engine, steps=5, seed=seed) for seed in range(3)]
    assert len(engine.known) == 1
    assert len({id(step.choice) for run in runs for step in run.steps}) == 1
    monkeypatch.setattr("orchestrator.gmn.engine.choice.KNOWN_NUMBERS", 30)
    for p in (0.1, 0.2, 0.3, 0.4, 0.5):
        choose(engine, engine.from_marginals([np.array([p, 1 - p])]), np.random.default_rng(0))
        assert len(engine.known) <= 3


#: Three steps to a goal that ends the episode.
CORRIDOR = """
node state at { labels: [a, b, c, goal] terminal: [goal] }
node observation seen { labels: [a, b, c, goal] }
node action go { labels: [wait, go] }
node emission A { from: [at] to: seen identity }
node transition B { from: [go, at] to: at rules: [
  {when: {go: go, at: a}, then: {b: 1}}, {when: {go: go, at: b}, then: {c: 1}},
  {when: {go: go, at: c}, then: {goal: 1}}, {then: {@stay: 1}} ] }
node belief D { about: at map: [a] }
node preference C { on: at goals: {goal: 3, b: COST, c: COST} }
node policy pi { horizon: HORIZON selection: contingent }
"""

#: A lamp shows on which of two sides something is, which nothing else depends on.
LAMP = """
node state side { labels: [left, right] }
node state at { labels: [dark, lit] }
node observation seen { labels: [nothing, left, right] }
node action go { labels: [wait, light] }
node emission A { from: [side, at] to: seen rules: [
  {when: {at: dark}, then: {nothing: 1}},
  {when: {side: left}, then: {left: 1}}, {then: {right: 1}} ] }
node transition B { from: [side] to: side identity }
node transition B2 { from: [go, at] to: at rules: [
  {when: {go: light}, then: {lit: 1}}, {then: {@stay: 1}} ] }
node belief D { about: side uniform }
node belief D2 { about: at map: [dark] }
node policy pi { horizon: 4 selection: contingent }
"""


def compiled_engine(text: str) -> Engine:
    verdict = validate(text)
    assert verdict.compiled is not None, verdict.report.errors
    return Engine(verdict.compiled)


@pytest.mark.parametrize("horizon", [3, 5, 9])
@pytest.mark.parametrize("cost", ["0", "-0.5"])
@pytest.mark.parametrize("sparse", [1, 10**9])
def test_what_a_contingent_plan_can_put_off_is_done_at_once(
    horizon: int, cost: str, sparse: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan that waits first reaches the goal as well, so the agent would wait for ever."""
    monkeypatch.setattr("orchestrator.gmn.engine.exact.SPARSE", sparse)
    engine = compiled_engine(CORRIDOR.replace("HORIZON", str(horizon)).replace("COST", cost))
    run = simulate(engine, steps=9, seed=0)
    assert [step.action.get("go") for step in run.steps] == ["go", "go", "go", None]
    expected = ("go", ("wait", "go"), "utility") if horizon > 3 else ("go", (), "")
    assert chosen(engine) == expected


@pytest.mark.parametrize("sparse", [1, 10**9])
def test_nor_is_learning_put_off_and_nothing_is_done_in_vain(
    sparse: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.gmn.engine.exact.SPARSE", sparse)
    engine = compiled_engine(LAMP)
    assert chosen(engine) == ("light", ("wait", "light"), "information")
    run = simulate(engine, steps=4, seed=0)
    assert "learns earlier" in str(run.why(1))
    assert run.steps[1].choice is not None
    assert (run.steps[1].action["go"], run.steps[1].choice.broken_by) == ("wait", "order")
    idle = compiled_engine(LAMP.replace("contingent", "contingent info_gain: false"))
    assert chosen(idle) == ("wait", ("wait", "light"), "steps")
