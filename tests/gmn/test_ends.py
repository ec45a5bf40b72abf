"""An episode is over where the world enters a terminal state, and expectations know it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from orchestrator.gmn.acting.expectations import Expectation, measure
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.compile import ActionUtility, Compiled
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD


def ending(**changed: object) -> Compiled:
    """Three places in a row, from `a` to the goal `c`, at which everything ends."""
    model = validate(GOOD).compiled
    assert model is not None
    base: dict[str, object] = {
        "terminal": (np.array([False, False, True]),),
        "A": (np.eye(3),),
        "C": (np.array([0.0, 0.0, 3.0]),),
        "D": (np.eye(3)[0],),
    }
    return dataclasses.replace(model, **base | changed)  # type: ignore[arg-type]  # fields by name


def test_an_episode_ends_where_its_end_is_observed() -> None:
    run = simulate(ending(), steps=9, seed=0)
    assert [step.state["pos"] for step in run.steps] == ["a", "b", "c"]
    assert [step.action for step in run.steps] == [{"go": "right"}, {"go": "right"}, {}]
    assert run.steps[-1].choice is None
    assert len(simulate(ending(D=(np.eye(3)[2],)), steps=9, seed=0).steps) == 1


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("pos=c within 9", True),
        ("pos=c at 3", True),
        ("pos=c at 9", False),
        ("pos=a|b|c at 4", False),
        ("always pos=a|b|c within 9", True),
        ("always pos=a|b within 9", False),
        ("always go=right within 9", True),
        ("always go=right and pos=a|b within 9", True),
        ("always go=left within 9", False),
        ("never go=left within 9", True),
        ("never pos=c within 9", False),
        ("go=right at 3", False),
    ],
)
def test_expectations_count_what_happened_until_the_end(text: str, holds: bool) -> None:
    (measured,) = measure(ending(), [Expectation.parse(text)], episodes=3)
    assert measured.held is holds
    assert holds or text == "always go=left within 9" or "the episode ends" in measured.trace[-1]


def test_to_act_is_to_know_that_nothing_has_ended() -> None:
    """A belief that holds the end possible is not carried on past an action."""
    engine = Engine(ending())
    before = engine.from_marginals([np.array([0.25, 0.25, 0.5])])
    stay = engine.model.actions[0].names.index("stay")
    (after,) = engine.marginals(engine.predict(before, [stay]))
    assert after.tolist() == [0.5, 0.5, 0.0]
    (certain,) = engine.marginals(engine.predict(engine.from_marginals([np.eye(3)[2]]), [stay]))
    assert certain.tolist() == [0.0, 0.0, 1.0]


def test_what_comes_after_the_end_is_worth_nothing_and_a_price_is_weighed() -> None:
    """Staying in the goal would gain at each step; and a way that costs more is not gone."""
    engine = Engine(dataclasses.replace(ending(), info_gain=False))
    values = engine.negative_expected_free_energy(engine.from_marginals([np.eye(3)[1]]))
    names = engine.model.actions[0].names
    of = {
        tuple(names[i] for i in policy[:, 0]): float(value)
        for policy, value in zip(engine.model.policies, values, strict=True)
    }
    assert of["right", "stay"] == of["right", "left"] == pytest.approx(of["right", "right"])
    dear = ActionUtility((), (0,), np.where(np.array(names) == "right", -50.0, 0.0))
    model = dataclasses.replace(engine.model, action_utilities=(dear,))
    assert {s.action.get("go") for s in simulate(model, steps=4, seed=0).steps} <= {"stay", "left"}
