"""The best achievable utility, against its definition and against what is known of problems."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from orchestrator.gmn.compile import ActionUtility, Compiled
from orchestrator.gmn.optimum import optimal
from orchestrator.gmn.optimum.optimal import by_chance, optimum
from orchestrator.types.errors import GMNError
from orchestrator.types.work import TooMuchWork, allowance
from tests.support.examples import share_of
from tests.support.models import Sizes, compiled, table, tiny

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    State = tuple[int, ...]
    History = tuple[tuple[int, ...], ...]
    Policy = Callable[[History], tuple[int, ...]]

# -- the definition, over states and histories, without beliefs


def every(sizes: list[int]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, sizes))


def seen(model: Compiled, state: State) -> Iterator[tuple[tuple[int, ...], float]]:
    for observation in every([o.n for o in model.observations]):
        yield (
            observation,
            math.prod(
                a[(o, *(state[f] for f in d))]
                for a, o, d in zip(model.A, observation, model.A_dependencies, strict=True)
            ),
        )


def moved(model: Compiled, state: State, action: tuple[int, ...]) -> Iterator[tuple[State, float]]:
    for after in every([s.n for s in model.states]):
        yield (
            after,
            math.prod(
                b[(v, *(state[g] for g in d), *(action[k] for k in c))]
                for b, v, d, c in zip(
                    model.B, after, model.B_dependencies, model.B_action_dependencies, strict=True
                )
            ),
        )


def is_over(model: Compiled, state: State) -> bool:
    return any(ends[i] for ends, i in zip(model.terminal, state, strict=False))


def worth(model: Compiled, policy: Policy, state: State, history: History, left: int) -> float:
    """Expected utility from here on, when the state is known to us and not to the agent."""
    if not left or is_over(model, state):
        return 0.0
    total = 0.0
    for observation, p in seen(model, state):
        known = (*history, observation)
        action = policy(known)
        gained = sum(
            float(u.table[(*(state[f] for f in u.states), *(action[k] for k in u.actions))])
            for u in model.action_utilities
        )
        for after, q in moved(model, state, action):
            if q == 0:
                continue
            entered = sum(float(v[i]) for v, i in zip(model.V, after, strict=True))
            entered += sum(
                r * sum(float(c[o]) for c, o in zip(model.C, one, strict=True))
                for one, r in seen(model, after)
            )
            later = worth(model, policy, after, (*known, action), left - 1)
            gained += q * (entered + model.discount * later)
        total += p * gained
    return total


def from_start(model: Compiled, policy: Policy, steps: int) -> float:
    return sum(
        math.prod(float(d[i]) for d, i in zip(model.D, state, strict=True))
        * worth(model, policy, state, (), steps)
        for state in every([s.n for s in model.states])
    )


def best_of_all_policies(model: Compiled, steps: int) -> float:
    """Every policy tree is tried: an action for each history of observations."""
    kinds = list(every([o.n for o in model.observations]))
    actions = list(every([u.n for u in model.actions]))
    # What was done follows from what was seen before.
    histories = [h for n in range(1, steps + 1) for h in itertools.product(kinds, repeat=n)]
    best = -math.inf
    for chosen in itertools.product(actions, repeat=len(histories)):
        plan = dict(zip(histories, chosen, strict=True))
        best = max(best, from_start(model, lambda known, plan=plan: plan[known[::2]], steps))  # type: ignore[misc]
    return best


def few_trees(model: Compiled, steps: int) -> bool:
    kinds = math.prod(o.n for o in model.observations)
    actions = math.prod(u.n for u in model.actions)
    return bool(actions ** sum(kinds**n for n in range(1, steps + 1)) <= 100)


@settings(max_examples=share_of(30), deadline=None)
@given(tiny(), st.integers(1, 2))
def test_no_policy_tree_is_better_and_one_is_as_good(model: Compiled, steps: int) -> None:
    steps = steps if few_trees(model, steps) else 1
    found = optimum(model, steps=steps)
    assert found.method == "exact"
    if few_trees(model, steps):
        assert found.value == pytest.approx(best_of_all_policies(model, steps), abs=1e-9)


@settings(max_examples=share_of(20), deadline=None)
@given(tiny(), st.integers(1, 6))
def test_where_the_tree_is_too_large_the_value_lies_between_the_bounds(
    model: Compiled, steps: int
) -> None:
    exact, bounds = optimum(model, steps=steps), optimum(model, steps=steps, beliefs=0)
    assert bounds.lower - 1e-9 <= exact.value <= bounds.upper + 1e-9
    assert bounds.value == bounds.lower


@settings(max_examples=share_of(20), deadline=None)
@given(tiny(), st.integers(1, 2))
def test_chance_is_the_mean_over_all_choices(model: Compiled, steps: int) -> None:
    actions = list(every([u.n for u in model.actions]))
    sequences = list(itertools.product(actions, repeat=steps))
    mean = sum(
        from_start(model, lambda known, plan=plan: plan[len(known) // 2], steps)  # type: ignore[misc]
        for plan in sequences
    ) / len(sequences)
    assert by_chance(model, steps=steps) == pytest.approx(mean, abs=1e-9)
    assert by_chance(model, steps=steps) <= optimum(model, steps=steps).upper + 1e-9


# -- what is known


@given(st.integers(0, 10**6), st.sampled_from([0.95, 0.5]), st.integers(1, 12))
@settings(max_examples=share_of(30), deadline=None)
def test_a_fully_observed_model_is_worth_what_value_iteration_says(
    seed: int, discount: float, steps: int
) -> None:
    rng = np.random.default_rng(seed)
    n, choices = 4, 3
    move, reward = table(rng, n, n, choices), rng.normal(size=(n, choices))
    sizes = Sizes((n,), (n,), (choices,), ((0,),), ((0,),), ((0,),))
    paid = [ActionUtility((0,), (0,), reward)]
    model = compiled(sizes, [np.eye(n)], [move], discount=discount, action_utilities=paid)
    value = np.zeros(n)
    for _ in range(steps):
        value = (reward + discount * np.einsum("tsu,t->su", move, value)).max(axis=1)
    found = optimum(model, steps=steps)
    assert found.value == pytest.approx(value.mean())
    assert found.nodes == n
    for _ in range(1000):
        value = (reward + discount * np.einsum("tsu,t->su", move, value)).max(axis=1)
    endless = optimum(model, steps=None)
    assert endless.lower - 1e-9 <= value.mean() <= endless.upper + 1e-9  # rounding
    assert endless.upper - endless.lower < 1e-5


def tiger() -> Compiled:
    """Kaelbling, Littman and Cassandra (1998): listen, open left, open right; it starts again."""
    hear = np.zeros((3, 2, 2))  # nothing, left, right | tiger, whether it listened
    hear[0, :, 0] = 1
    hear[1:, :, 1] = [[0.85, 0.15], [0.15, 0.85]]
    place = np.full((2, 2, 3), 0.5)
    place[:, :, 0] = np.eye(2)
    ear = np.zeros((2, 2, 3))
    ear[1, :, 0] = ear[0, :, 1:] = 1
    sizes = Sizes((2, 2), (3,), (3,), ((0, 1),), ((0,), (1,)), ((0,), (0,)))
    paid = [ActionUtility((0,), (0,), np.array([[-1.0, -100, 10], [-1, 10, -100]]))]
    start = [np.full(2, 0.5), np.array([1.0, 0.0])]
    return compiled(sizes, [hear], [place, ear], D=start, discount=0.95, action_utilities=paid)


def test_the_tiger_is_worth_what_the_literature_says() -> None:
    found = optimum(tiger(), steps=None)
    assert found.method == "exact"
    assert found.value == pytest.approx(19.3714, abs=1e-4)
    bounds = optimum(tiger(), steps=20, beliefs=0)
    exact = optimum(tiger(), steps=20).value
    assert bounds.method == "point-based"
    assert bounds.lower == pytest.approx(exact, abs=1e-6)
    assert exact <= bounds.upper


def test_what_has_nothing_to_do_with_a_utility_costs_nothing() -> None:
    # 200 x 200 joint states, of which one factor of two values is paid for.
    sizes = Sizes((2, 200, 200), (2, 200), (2, 2), ((0,), (1, 2)), ((0,), (1,), (2,)),
                  ((0,), (1,), ()))  # fmt: skip
    rng = np.random.default_rng(0)
    likelihoods = [np.eye(2), table(rng, 200, 200, 200)]
    transitions = [np.full((2, 2, 2), 0.5), table(rng, 200, 200, 2), np.eye(200)]
    transitions[0][:, :, 0] = np.eye(2)
    model = compiled(
        sizes, likelihoods, transitions, V=[np.array([0.0, 1.0]), np.zeros(200), np.zeros(200)]
    )
    assert optimum(model, steps=5).nodes == 2


def test_the_end_of_one_factor_ends_the_utility_of_another() -> None:
    sizes = Sizes((2, 2), (2,), (2, 2), ((0, 1),), ((0,), (1,)), ((0,), (1,)))
    clock = np.zeros((2, 2, 2))
    clock[0, 0, 0] = clock[1, 0, 1] = clock[1, 1] = (
        1  # ends when the first action says so, and never goes back
    )
    wages = np.zeros((2, 2, 2))
    wages[0, :, 0] = wages[1, :, 1] = 1
    start = [np.array([1.0, 0.0]), np.array([1.0, 0.0])]
    paid = [ActionUtility((), (0,), np.array([0.0, 1.5]))]
    model = compiled(
        sizes,
        [np.full((2, 2, 2), 0.5)],
        [clock, wages],
        V=[np.zeros(2), np.array([0.0, 1.0])],
        D=start,
        terminal=[np.array([False, True]), np.array([False, False])],
        action_utilities=paid,
    )
    # The wages of all four steps, and the 1.5 for ending at the last of them.
    assert optimum(model, steps=4).value == pytest.approx(5.5)


def test_a_model_without_any_utility_is_worth_nothing() -> None:
    sizes = Sizes((2,), (2,), (2,), ((0,),), ((0,),), ((0,),))
    model = compiled(sizes, [np.eye(2)], [table(np.random.default_rng(0), 2, 2, 2)])
    assert optimum(model, steps=5).value == 0 == by_chance(model, steps=5)


def test_one_that_is_too_large_is_refused_before_a_table_is_made() -> None:
    n = 1500
    sizes = Sizes((n,), (2,), (2,), ((0,),), ((0,),), ((0,),))
    move = np.broadcast_to(np.eye(n)[:, :, None], (n, n, 2))
    model = compiled(sizes, [np.full((2, n), 0.5)], [move], V=[np.ones(n)])
    with pytest.raises(GMNError, match=r"s0 have 1,500 joint states.*4,500,000 numbers, more than"):
        optimum(model, steps=5)


def wide(states: int, outcomes: int, actions: int, **more: object) -> Compiled:
    """A model of one factor in which nearly everything can follow, and one state is liked."""
    rng = np.random.default_rng(0)
    sizes = Sizes((states,), (outcomes,), (actions,), ((0,),), ((0,),), ((0,),))
    likelihood, move = rng.random((outcomes, states)), rng.random((states, states, actions)) ** 4
    return compiled(
        sizes,
        [likelihood / likelihood.sum(axis=0)],
        [move / move.sum(axis=0)],
        V=[np.eye(states)[0]],
        **more,
    )


def test_a_start_that_is_nearly_always_the_end_has_bounds_as_well() -> None:
    start = np.full(12, 0.001 / 11)
    start[3] = 0.999
    model = wide(12, 12, 4, D=[start], terminal=[np.arange(12) == 3])
    found = optimum(model, steps=8)
    assert found.method == "point-based"
    assert 0 < found.lower <= found.upper < 0.008


def test_many_steps_look_at_no_more_beliefs_than_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = wide(8, 8, 3)
    monkeypatch.setattr(optimal, "_SPENT", 2**30)
    with allowance(20_000_000):
        found = optimum(model, steps=500)
    assert found.nodes <= optimal.POINTS
    assert found.lower <= found.upper
    assert found.upper - found.lower < 0.2 * found.upper
    # With less to spend the bounds are wider, and they are bounds.
    monkeypatch.setattr(optimal, "_SPENT", 2**26)
    less = optimum(model, steps=500)
    assert less.nodes < found.nodes
    assert less.lower <= found.upper
    assert found.lower <= less.upper


def test_the_work_is_counted() -> None:
    with pytest.raises(TooMuchWork), allowance(1000):
        optimum(tiger(), steps=20)


@pytest.mark.parametrize(("steps", "words"), [(0, "at least 1"), (None, "discount below 1")])
def test_an_episode_needs_a_length(steps: int | None, words: str) -> None:
    sizes = Sizes((2,), (2,), (2,), ((0,),), ((0,),), ((0,),))
    rng = np.random.default_rng(0)
    model = compiled(sizes, [np.eye(2)], [table(rng, 2, 2, 2)], V=[np.ones(2)])
    for compute in (optimum, by_chance):
        with pytest.raises(ValueError, match=words):
            compute(model, steps=steps)
