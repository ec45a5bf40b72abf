"""What plans are worth where time is discounted, things end and actions cost; by definition."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

from orchestrator.gmn.compile import ActionUtility, Compiled
from orchestrator.gmn.engine.account import account
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.model import Variable
from tests.gmn.test_exact import distributions, every, models, moved, prior, seen_chance
from tests.support.examples import share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Joint = dict[tuple[int, ...], float]


@st.composite
def whole_models(draw: st.DrawFn) -> Compiled:
    """A model with any of discount, terminal labels and utilities of actions."""
    model = draw(models())
    changed: dict[str, object] = {"discount": draw(st.sampled_from([1.0, 0.9, 0.4]))}
    if draw(st.booleans()):
        ends = st.sampled_from([False, False, True])
        changed["terminal"] = tuple(
            np.array([draw(ends) for _ in range(v.n)], dtype=bool) for v in model.states
        )
    found = []
    for _ in range(draw(st.integers(0, 2))):
        states = draw(st.lists(st.sampled_from(range(len(model.states))), unique=True, max_size=2))
        actions = draw(
            st.lists(st.sampled_from(range(len(model.actions))), unique=True, min_size=1)
        )
        shape = [*(model.states[f].n for f in states), *(model.actions[k].n for k in actions)]
        values = st.lists(
            st.sampled_from([-3.0, 0.0, 0.5, 2.0]),
            min_size=math.prod(shape),
            max_size=math.prod(shape),
        )
        table = np.array(draw(values)).reshape(shape)
        found.append(ActionUtility(tuple(states), tuple(actions), table))
    changed["action_utilities"] = tuple(found)
    return dataclasses.replace(model, **changed)  # type: ignore[arg-type]  # fields by name


def ended(model: Compiled, state: tuple[int, ...]) -> bool:
    return any(bool(t[i]) for t, i in zip(model.terminal, state, strict=False))


def doing(model: Compiled, state: tuple[int, ...], action: NDArray[np.int64]) -> float:
    return sum(
        float(u.table[(*(state[f] for f in u.states), *(int(action[k]) for k in u.actions))])
        for u in model.action_utilities
    )


def entering(model: Compiled, state: tuple[int, ...], seen: Sequence[int]) -> float:
    return sum(float(v[i]) for v, i in zip(model.V, state, strict=True)) + sum(
        float(c[o]) for c, o in zip(model.C, seen, strict=True)
    )


def outcomes(model: Compiled) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(v.n) for v in model.observations)))


def lasting(model: Compiled, joint: Joint) -> tuple[float, Joint]:
    """How probable it is that nothing has ended, and the beliefs given that."""
    kept = {s: p for s, p in joint.items() if p and not ended(model, s)}
    total = sum(kept.values())
    return total, {s: p / total for s, p in kept.items()} if total else {}


def gain(model: Compiled, joint: Joint) -> float:
    """Mutual information of the joint state and all that is observed."""
    together = {
        (s, o): p * seen_chance(model, s, o) for s, p in joint.items() for o in outcomes(model)
    }
    seen: dict[tuple[int, ...], float] = {}
    for (_, o), p in together.items():
        seen[o] = seen.get(o, 0.0) + p
    return sum(p * math.log(p / joint[s] / seen[o]) for (s, o), p in together.items() if p > 0)


def step_worth(model: Compiled, joint: Joint, action: NDArray[np.int64]) -> tuple[float, float]:
    """Expected utility and information gain of one step, given that nothing has ended."""
    after = moved(model, joint, action)
    utility = sum(p * doing(model, s, action) for s, p in joint.items()) + sum(
        p * seen_chance(model, s, o) * entering(model, s, o)
        for s, p in after.items()
        for o in outcomes(model)
    )
    return utility, gain(model, after) if model.info_gain else 0.0


def worths(model: Compiled, policy: NDArray[np.int64]) -> list[tuple[float, float]]:
    """Utility and information gain of every step of a plan, discounted, while it goes on."""
    joint, weight, made = prior(model), 1.0, []
    for action in policy:
        alive, joint = lasting(model, joint)
        weight *= alive
        if not joint:
            made.append((0.0, 0.0))
            continue
        utility, information = step_worth(model, joint, action)
        made.append((weight * utility, weight * information))
        joint, weight = moved(model, joint, action), weight * model.discount
    return made


@settings(max_examples=share_of(60), deadline=None)
@given(whole_models())
def test_a_plan_is_worth_its_definition_step_by_step(model: Compiled) -> None:
    engine = Engine(model)
    neg_efe = engine.negative_expected_free_energy(engine.start())
    for index, policy in enumerate(model.policies):
        wanted = worths(model, policy)
        found = account(engine, engine.start(), index)
        assert_allclose(found.utility, [u for u, _ in wanted], atol=1e-8)
        assert_allclose(found.information, [i for _, i in wanted], atol=1e-8)
        assert neg_efe[index] == pytest.approx(sum(map(sum, wanted)), abs=1e-8)


@st.composite
def ending_apart(draw: st.DrawFn) -> Compiled:
    """Two factors that never meet, each with its own action, observation and end."""
    table = distributions(4, 2)
    model = draw(models().filter(lambda m: len(m.actions) == 2))
    two = (Variable(name="x", size=2), Variable(name="y", size=2))
    seen = tuple(Variable(name=f"o{f}", size=2) for f in (0, 1))
    joint = list(itertools.product((0, 1), repeat=2))
    policies = np.array(list(itertools.product(joint, repeat=2)), dtype=np.int64)
    return dataclasses.replace(
        model,
        states=two,
        observations=seen,
        actions=tuple(Variable(name=f"u{f}", size=2) for f in (0, 1)),
        A=tuple(draw(distributions(2, 2)) for _ in two),
        B=tuple(draw(table).reshape(2, 2, 2) for _ in two),
        C=(np.array([0.0, 1.0]), np.array([-2.0, 0.5])),
        D=(np.array([0.7, 0.3]), np.array([0.4, 0.6])),
        V=(np.zeros(2), np.array([1.0, 0.0])),
        E=np.full(16, 1 / 16),
        A_dependencies=((0,), (1,)),
        B_dependencies=((0,), (1,)),
        B_action_dependencies=((0,), (1,)),
        policies=policies,
        horizon=2,
        terminal=(np.array([True, False]), np.array([False, True])),
        discount=0.9,
    )


@settings(max_examples=share_of(15), deadline=None)
@given(ending_apart())
def test_an_end_of_one_part_ends_the_other(model: Compiled) -> None:
    engine = Engine(model)
    assert len(engine.parts) == 2
    found = engine.negative_expected_free_energy(engine.start())
    for value, policy in zip(found, model.policies, strict=True):
        assert value == pytest.approx(sum(map(sum, worths(model, policy))), abs=1e-8)


@settings(max_examples=share_of(30), deadline=None)
@given(whole_models())
def test_by_mean_field_a_plan_is_worth_the_sum_of_its_account(model: Compiled) -> None:
    engine = Engine(model, inference="mean_field")
    neg_efe = engine.negative_expected_free_energy(engine.start())
    for index in range(len(model.policies)):
        found = account(engine, engine.start(), index)
        total = found.utility.sum() + found.information.sum()
        assert neg_efe[index] == pytest.approx(total, abs=1e-8)


@settings(max_examples=share_of(30), deadline=None)
@given(whole_models())
def test_an_account_says_what_is_expected_to_be_seen(model: Compiled) -> None:
    engine = Engine(model)
    found = account(engine, engine.start(), 0)
    for expected, beliefs in zip(found.expected, found.beliefs, strict=True):
        assert len(expected) == len(model.observations)
        marginals = engine.marginals(beliefs)
        for q, a, parents in zip(expected, model.A, model.A_dependencies, strict=True):
            assert q.sum() == pytest.approx(1)
            if len(parents) == 1:
                assert_allclose(q, a @ marginals[parents[0]], atol=1e-12)
    assert len(every(model)) == math.prod(v.n for v in model.states)
