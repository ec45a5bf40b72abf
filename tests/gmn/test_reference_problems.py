"""Problems of the literature: what is known of them, and how much of it the engine reaches."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from orchestrator.gmn.engine.choice import choose
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.optimum.expected import expected_utility
from orchestrator.gmn.optimum.optimal import optimum
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs

    Array = NDArray[np.float64]

POMDPS = Path(__file__).parent / "pomdps"
NAMES = sorted(path.stem for path in POMDPS.glob("*.gmn"))


def model_of(name: str) -> Compiled:
    verdict = validate((POMDPS / f"{name}.gmn").read_text(), run_steps=0)
    assert verdict.compiled is not None, verdict.report.errors
    return verdict.compiled


class Definition:
    """The model as p(s', o | s, u) and utilities, written out value by value."""

    def __init__(self, model: Compiled) -> None:
        self.model = model
        self.states = list(itertools.product(*(range(s.n) for s in model.states)))
        self.kinds = list(itertools.product(*(range(o.n) for o in model.observations)))
        self.seen = np.array([[self._seen(s, o) for o in self.kinds] for s in self.states])
        self.start = np.array(
            [math.prod(float(d[i]) for d, i in zip(model.D, s, strict=True)) for s in self.states]
        )
        ends = model.terminal or [np.zeros(s.n, dtype=bool) for s in model.states]
        self.alive = np.array(
            [not any(e[i] for e, i in zip(ends, s, strict=True)) for s in self.states]
        )
        self.moves: dict[tuple[int, ...], Array] = {}

    def _seen(self, state: tuple[int, ...], kind: tuple[int, ...]) -> float:
        model = self.model
        return math.prod(
            float(a[(o, *(state[f] for f in d))])
            for a, o, d in zip(model.A, kind, model.A_dependencies, strict=True)
        )

    def moved(self, action: tuple[int, ...]) -> Array:
        """p(s' | s, u), shape [states, states]."""
        model = self.model
        if action not in self.moves:
            tables = list(
                zip(model.B, model.B_dependencies, model.B_action_dependencies, strict=True)
            )
            self.moves[action] = np.array(
                [
                    [
                        math.prod(
                            float(b[(v, *(s[g] for g in d), *(action[k] for k in c))])
                            for (b, d, c), v in zip(tables, after, strict=True)
                        )
                        for after in self.states
                    ]
                    for s in self.states
                ]
            )
        return self.moves[action]

    def paid(self, action: tuple[int, ...]) -> Array:
        """Expected utility of an act in each state."""
        model = self.model
        done = np.array(
            [
                sum(
                    float(u.table[(*(s[f] for f in u.states), *(action[k] for k in u.actions))])
                    for u in model.action_utilities
                )
                for s in self.states
            ]
        )
        kinds = [sum(float(c[i]) for c, i in zip(model.C, o, strict=True)) for o in self.kinds]
        entered = [sum(float(v[i]) for v, i in zip(model.V, s, strict=True)) for s in self.states]
        gained: Array = done + self.moved(action) @ (
            np.array(entered) + self.seen @ np.array(kinds)
        )
        return gained


class Agent:
    """What the engine's agent gains, exactly: its choices at every belief that it can have."""

    def __init__(self, model: Compiled) -> None:
        self.world, self.engine = Definition(model), Engine(model)
        self.choices: dict[bytes, tuple[int, ...]] = {}
        self.values: dict[tuple[bytes, int], float] = {}

    def expected(self, steps: int) -> float:
        return self._seeing(self.world.start, self.engine.start(), steps)

    def _seeing(self, state: Array, prior: Beliefs, left: int) -> float:
        """Over what can be seen, where `state` is the weight of each joint state that goes on."""
        total = 0.0
        for kind, chance in zip(self.world.kinds, self.world.seen.T, strict=True):
            weight = (state * chance * self.world.alive).sum()
            if weight > 1e-12 and left:
                after = state * chance * self.world.alive / weight
                total += weight * self._acting(after, prior, kind, left)
        return total

    def _acting(self, state: Array, prior: Beliefs, kind: tuple[int, ...], left: int) -> float:
        key = np.round(state, 9).tobytes()
        if (key, left) not in self.values:
            beliefs = self.engine.observe(prior, kind).beliefs
            if key not in self.choices:
                rng = np.random.default_rng(0)
                self.choices[key] = tuple(map(int, choose(self.engine, beliefs, rng).action))
            action = self.choices[key]
            later = self._seeing(
                state @ self.world.moved(action), self.engine.predict(beliefs, action), left - 1
            )
            gained = float(state @ self.world.paid(action))
            self.values[key, left] = gained + self.world.model.discount * later
        return self.values[key, left]


@pytest.mark.parametrize("name", NAMES)
def test_every_document_is_valid(name: str) -> None:
    verdict = validate((POMDPS / f"{name}.gmn").read_text(), run_steps=0)
    assert verdict.report.is_valid, verdict.report.errors
    assert verdict.report.repairs == ()


def test_the_tiger_document_is_worth_what_the_literature_says() -> None:
    endless = optimum(model_of("tiger"), steps=None)
    assert (endless.method, round(endless.value, 2)) == ("exact", 19.37)


#: Steps, the optimum and half the span in which it is known. Tiger and the first steps of the
#: others are exact; the rest is what the bounds say.
OPTIMA: dict[str, tuple[int, float | None, float]] = {
    "tiger": (20, 11.8796, 1e-4),
    "crying_baby": (20, -13.997, 1e-3),
    "machine_repair": (20, 7.0715, 1e-3),
    "maze_4x3": (6, None, 0.03),
    "rocksample_4x4": (4, 8.57375, 1e-5),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_bounds_are_close_where_they_are_not_equal(name: str) -> None:
    steps, known, span = OPTIMA[name]
    found = optimum(model_of(name), steps=steps)
    assert 0 <= found.upper - found.lower <= 2 * span
    if known is not None:
        assert found.value == pytest.approx(known, abs=span)


@pytest.mark.parametrize("name", ["crying_baby", "machine_repair", "maze_4x3"])
def test_bounds_hold_the_exact_value_of_a_short_episode(name: str) -> None:
    model = model_of(name)
    exact, bounds = optimum(model, steps=4), optimum(model, steps=4, beliefs=0)
    assert exact.method == "exact"
    assert bounds.lower - 1e-9 <= exact.value <= bounds.upper + 1e-9
    assert bounds.lower == pytest.approx(exact.value, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "steps"), [("tiger", 100), ("crying_baby", 20), ("machine_repair", 30)]
)
def test_a_contingent_agent_loses_less_than_a_twentieth_of_the_optimum(
    name: str, steps: int
) -> None:
    model = model_of(name)
    best = optimum(model, steps=steps)
    gained = Agent(model).expected(steps)
    assert gained <= best.upper + 1e-6
    assert gained >= best.upper - 0.05 * abs(best.upper)


@pytest.mark.parametrize(
    ("name", "steps"), [("tiger", 30), ("crying_baby", 20), ("machine_repair", 30), ("maze_4x3", 3)]
)
def test_what_an_agent_gains_is_its_definition(name: str, steps: int) -> None:
    model = model_of(name)
    assert expected_utility(model, steps=steps) == pytest.approx(Agent(model).expected(steps))


def test_what_is_sampled_counts_by_its_probability() -> None:
    model = model_of("crying_baby")
    one_step = model.policies[:, :1]
    model = dataclasses.replace(
        model, selection="stochastic", gamma=0.2, horizon=1, policies=one_step
    )
    world, engine = Definition(model), Engine(model)
    total = 0.0
    for kind, chance in zip(world.kinds, world.seen.T, strict=True):
        beliefs = engine.observe(engine.start(), kind).beliefs
        first = choose(engine, beliefs, np.random.default_rng(0)).first
        after = world.start * chance
        for action, p in zip(engine.joint_actions, first, strict=True):
            total += p * float(after @ world.paid(tuple(map(int, action))))
    assert first.min() > 0.01
    assert expected_utility(model, steps=1) == pytest.approx(total)


def test_rocks_are_planned_as_far_as_the_horizon_says_and_well() -> None:
    rover = dataclasses.replace(model_of("rocksample_4x4"), horizon=7)
    engine = Engine(rover)
    gained = expected_utility(engine, steps=20)
    assert engine.depth == 7
    assert gained is not None
    # Value iteration finds a policy worth 18.44 in 400 beliefs, and that 20.87 cannot be passed.
    assert 18.44 < gained < 20.87


def test_the_agent_of_a_short_look_ahead_falls_short() -> None:
    # So the test above can fail: two steps ahead the tiger is never listened for twice.
    short = dataclasses.replace(model_of("tiger"), horizon=2)
    assert Agent(short).expected(100) < 0.9 * optimum(short, steps=100).value
