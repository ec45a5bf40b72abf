"""Why an action was taken: the worth of its plan, the runner-up, ties, and what is expected."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.gmn.acting import simulate as simulation
from orchestrator.gmn.acting.episode import gained
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.model import Variable
from orchestrator.gmn.validate import validate
from orchestrator.gmn.words.drawing import beliefs, drawn, landmarks, legend, path
from tests.gmn.test_payoffs import TIGER
from tests.support.documents import GOOD, SHARED, swapped

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"


def model_of(text: str) -> Compiled:
    model = validate(text, run_steps=0).compiled
    assert model is not None
    return model


def curated(name: str) -> Compiled:
    return model_of((LIBRARY / f"{name}.gmn").read_text())


@pytest.mark.parametrize("name", ["tmaze", "coordinator", "foraging", "patrol"])
def test_the_worth_of_both_plans_is_what_the_engine_compared(name: str) -> None:
    run = simulate(curated(name), steps=4, seed=1)
    for number, (step, one) in enumerate(zip(run.steps, run.reasons(), strict=True), 1):
        assert run.why(number) == one
        assert step.choice is not None
        by_action = step.choice.neg_efe.reshape(len(step.choice.first), -1).max(axis=1)
        assert one.plan.actions[0] == step.action
        assert one.plan.worth == pytest.approx(by_action.max())
        assert one.runner_up is not None
        assert one.runner_up.actions[0] != one.plan.actions[0]
        assert one.runner_up.worth == pytest.approx(np.sort(by_action)[-2])
        for modality in one.expected.values():
            assert sum(modality.values()) == pytest.approx(1)


def test_it_looks_before_it_leaps_for_the_sake_of_information() -> None:
    run = simulate(curated("tmaze"), steps=3, seed=1)
    first, second, third = map(str, run.reasons())
    assert first.startswith("It does go=cue (then go=cue), 99% probable: worth +1.19 nats, ")
    assert "utility 0 and information +1.19." in first
    less = "worth 0.595 nats less, the same utility and information 0.595 less."
    assert f"Second best is go=centre, 1% probable: {less}" in first
    assert "hint=says_left 50% or says_right 50%." in first
    assert "utility 2.65 less and the same information." in second
    assert "over 99%" not in second  # 100% it is
    assert "Equally probable were go=centre, go=left, go=right, go=cue; it takes" in third
    assert "25% probable: worth the same." in third


def test_a_long_run_says_what_it_does_not_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(SHARED)
    whole = simulate(model, steps=5, seed=2)
    monkeypatch.setattr(simulation, "KEPT_NUMBERS", 200)
    run = simulate(model, steps=5, seed=2)
    assert run == whole
    kept = tuple(run.reasons())
    assert 0 < len(kept) < 5
    assert kept == tuple(whole.reasons())[: len(kept)]
    with pytest.raises(ValueError, match="step 5 is not kept: a run keeps at most"):
        run.why(5)
    said = run.as_dict()
    assert f"from step {len(kept) + 1} on the posterior" in str(said["warnings"])
    last = said["steps"][-1]  # type: ignore[index]
    assert last["why"] is last["posterior"] is last["neg_efe"] is None
    assert last["utility"] == whole.steps[-1].utility


def test_what_is_not_told_of_the_state_is_counted_as_believed() -> None:
    run = simulate(model_of(TIGER), steps=1, seed=3)
    (step,) = run.steps
    assert gained(run.model, step) == pytest.approx(-0.1)
    opened = replace(step, state={}, action={"act": "open_left"})
    left = step.marginals[0][0]
    assert gained(run.model, opened) == pytest.approx(-10 * left + (1 - left))
    assert gained(run.model, replace(opened, state={"tiger": "left"})) == -10
    assert gained(run.model, replace(opened, action={})) == 0


def test_a_contingent_plan_says_what_comes_at_once_and_what_later() -> None:
    model = model_of(TIGER.replace("gamma: 8", "gamma: 8 selection: contingent info_gain: false"))
    run = simulate(model, steps=6, seed=3)
    for step, one in zip(run.steps, run.reasons(), strict=True):
        assert step.choice is not None
        assert one.depth == 3
        assert one.plan.worth == pytest.approx(step.choice.neg_efe.max())
        assert len(one.plan.actions) == 1
        assert one.runner_up is not None
        assert one.runner_up.worth <= one.plan.worth
    first = run.why(1)
    assert first.plan.actions == ({"act": "listen"},)
    assert first.plan.utility == pytest.approx([-0.1])
    assert first.plan.later > 0
    assert "utility -0.1 and information 0 at once and +" in str(first)
    assert "later, by what it will have seen." in str(first)


def test_what_an_action_is_worth_counts_and_is_discounted() -> None:
    run = simulate(model_of(TIGER), steps=1, seed=3)
    plan, choice = run.why(1).plan, run.steps[0].choice
    assert choice is not None
    assert plan.utility == pytest.approx([-0.1, -0.095, -0.09025])
    assert plan.worth == pytest.approx(choice.neg_efe.max())
    assert run.steps[0].utility == pytest.approx(-0.1)


def test_a_reason_is_data() -> None:
    one = simulate(model_of(GOOD), steps=1, seed=0).why(1)
    assert pickle.loads(pickle.dumps(one)) == one
    assert json.loads(json.dumps(asdict(one)))["plan"]["probability"] == one.plan.probability


def test_a_drawn_action_is_said_to_be_drawn_and_may_be_worth_less() -> None:
    model = model_of(swapped("gamma: 8", "gamma: 0.1 selection: stochastic"))
    said = [str(simulate(model, steps=1, seed=seed).why(1)) for seed in range(8)]
    assert all("probable, drawn at random: worth" in one for one in said)
    assert any(" more, utility " in one for one in said)


def test_one_action_has_no_runner_up_and_an_ended_episode_no_reason() -> None:
    passive = swapped("labels: [left, stay, right]", "labels: [stay]")
    passive = swapped("moves: {left: [-1], stay: [0], right: [1]}", "moves: {stay: [0]}", passive)
    run = simulate(model_of(passive), steps=1, seed=0)
    assert run.why(1).runner_up is None
    assert "It has no other action." in str(run.why(1))
    for step in (0, 2):
        with pytest.raises(ValueError, match=f"step {step} is not one of the 1"):
            run.why(step)
    ends = replace(model_of(GOOD), terminal=(np.array([False, False, True]),))
    run = simulate(ends, steps=20, seed=0)
    assert len(run.steps) < 20
    assert len(tuple(run.reasons())) == len(run.steps) - 1
    with pytest.raises(ValueError, match="the episode ended there"):
        run.why(len(run.steps))


def test_a_drawing_has_one_character_per_value_and_says_what_they_mean() -> None:
    verdict = validate((LIBRARY / "explorer.gmn").read_text(), run_steps=0)
    assert verdict.spec is not None
    assert verdict.compiled is not None
    grid = verdict.compiled.states[0]
    marks = landmarks(verdict.spec, verdict.compiled, grid)
    assert marks == {24: "G"}
    assert landmarks(verdict.spec, verdict.compiled, verdict.compiled.observations[0]) == marks
    walked = path([0, 1, 6, 24], marks)
    assert drawn(grid, walked)[:2] == ["  S * . . .", "  . * . . ."]
    assert legend(walked) == "S start, @ where it is, * where it was"
    q = np.zeros(25)
    q[[0, 1, 2]] = 0.96, 0.04, 0.3
    believed = beliefs(grid, q, "r4c4", marks)
    assert drawn(grid, believed)[0] == "  9 . 3 . ."
    assert legend(believed).endswith("0 to 9 what it believes, in tenths")
    wide = Variable(name="w", shape=(2, 79))
    assert drawn(wide, {}, width=80) == []
    assert drawn(Variable(name="w", shape=(41, 2)), {}) == []


def test_what_is_worst_is_marked_and_what_is_everywhere_is_not() -> None:
    text = (LIBRARY / "explorer.gmn").read_text()
    start = text.index("  goal_gradient")
    text = text[:start] + "  goals: {r4c4: 4, r2c2: -3}\n" + text[text.index("\n", start) + 1 :]
    verdict = validate(text, run_steps=0)
    assert verdict.spec is not None
    assert verdict.compiled is not None
    grid = verdict.compiled.states[0]
    assert landmarks(verdict.spec, verdict.compiled, grid) == {24: "G", 12: "x"}
    flat = replace(verdict.compiled, C=(np.where(np.arange(25) < 9, 1.0, -1.0),))
    assert landmarks(verdict.spec, flat, grid) == {}


def test_what_the_runner_up_differs_in_is_a_difference() -> None:
    one = simulate(model_of(TIGER), steps=1, seed=3).why(1)
    assert one.runner_up is not None
    for name in ("utility", "information"):
        more = sum(getattr(one.runner_up, name)) - sum(getattr(one.plan, name))
        assert f"{name} {abs(more):.3g} {'more' if more > 0 else 'less'}" in str(one)
    branching = TIGER.replace("gamma: 8", "gamma: 8 selection: contingent")
    said = str(simulate(model_of(branching), steps=1, seed=3).why(1))
    assert re.search(r"at once and [\d.e-]+ (less|more) later, by what it will have seen", said)


def test_a_plan_stops_at_what_ends_for_sure() -> None:
    ending = swapped("labels: [a, b, c] }\nnode obs", "labels: [a, b, c] terminal: [c] }\nnode obs")
    sure = swapped("rows: [[0.5, 0.3, 0.2]]", "map: [b]", ending)
    sure = sure.replace("values: [0, 1, 3]", "values: [-3, -3, 3]")
    run = simulate(model_of(sure.replace("horizon: 2", "horizon: 3")), steps=2, seed=0)
    plan = run.why(1).plan
    assert plan.actions == ({"go": "right"},)
    assert len(plan.utility) == len(plan.information) == 1
    assert plan.worth == pytest.approx(run.steps[0].choice.neg_efe.max())  # type: ignore[union-attr]
    assert str(run.why(1)).startswith("It does go=right, ")
    perhaps = swapped("moves: {left", "noise: 0.1 noise_kind: stay moves: {left", sure)
    assert len(simulate(model_of(perhaps), steps=1, seed=0).why(1).plan.actions) == 2
