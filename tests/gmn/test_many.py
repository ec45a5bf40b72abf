"""Many agents and episodes as one batch: each as it would be alone, and in bounded memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

from orchestrator import Agent
from orchestrator.gmn.acting import many
from orchestrator.gmn.acting.many import Agents, simulate_many
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.acting.worlds import WORLDS
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.engine import choice
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError
from tests.gmn.test_exact import models
from tests.support.examples import share_of

ROOT = Path(__file__).parent.parent.parent
CURATED = sorted((ROOT / "prompts" / "library").glob("*.gmn"))
PROBLEMS = sorted((ROOT / "tests" / "gmn" / "pomdps").glob("*.gmn"))
LARGEST = ROOT / "tests" / "gmn" / "pomdps" / "rocksample_4x4.gmn"


def model_of(path: Path) -> Compiled:
    """The compiled model of a document."""
    found = validate(path.read_text(encoding="utf-8"), limits=HARD_LIMITS, run_steps=0).compiled
    assert found is not None
    return found


def assert_as_alone(
    model: Compiled, *, steps: int = 8, episodes: int = 6, world: Compiled | None = None
) -> None:
    """Every episode of a batch is the one that `simulate` makes with its seed."""
    runs = list(
        simulate_many(Engine(model), steps=steps, seeds=range(3, 3 + episodes), world=world)
    )
    assert [run.seed for run in runs] == list(range(3, 3 + episodes))
    for run in runs:
        alone = simulate(Engine(model), steps=steps, seed=run.seed, world=world, keep_choices=False)
        doubts = ("surprised", "unsettled", "shortened", "unasked")
        assert [getattr(run, d) for d in doubts] == [getattr(alone, d) for d in doubts]
        assert len(run.steps) == len(alone.steps)
        for one, other in zip(run.steps, alone.steps, strict=True):
            assert (one.observation, one.state, one.action, one.seen) == (
                other.observation,
                other.state,
                other.action,
                other.seen,
            )
            assert one.utility == pytest.approx(other.utility, abs=1e-9)
            believed = [p for _, p in one.belief.values()]
            assert_allclose(believed, [p for _, p in other.belief.values()], atol=1e-9)
            assert one.belief.keys() == other.belief.keys()


@pytest.mark.parametrize("path", CURATED, ids=lambda path: path.stem)
@pytest.mark.parametrize("change", ["", "stochastic", "mean_field", "contingent"])
def test_a_batch_is_as_its_episodes_alone(path: Path, change: str) -> None:
    model = model_of(path)
    if change == "mean_field":
        model = replace(model, inference="mean_field")
    elif change == "stochastic":
        model = replace(model, selection="stochastic", gamma=1.0)
    elif change == "contingent":
        first = np.unique(model.policies[:, 0, :], axis=0)[:, None, :]
        even = np.full(len(first), 1 / len(first))
        model = replace(model, selection="contingent", horizon=2, policies=first, E=even)
    few = 3 if change in ("mean_field", "contingent") else 6
    assert_as_alone(model, steps=few, episodes=few)


#: The largest problem takes a second and a half for each step of these episodes.
STEPS = [
    *[pytest.param(path, 2 if path == LARGEST else 12, id=path.stem) for path in PROBLEMS],
    pytest.param(LARGEST, 12, id=f"{LARGEST.stem}-long", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("path", "steps"), STEPS)
def test_a_batch_with_ends_and_utilities_of_acts_is_as_its_episodes_alone(
    path: Path, steps: int
) -> None:
    assert_as_alone(model_of(path), steps=steps, episodes=3)


@settings(max_examples=share_of(30), deadline=None)
@given(models())
def test_a_batch_of_any_model_is_as_its_episodes_alone(model: Compiled) -> None:
    assert_as_alone(model, steps=4, episodes=5)
    assert_as_alone(replace(model, selection="stochastic", gamma=1.0), steps=4, episodes=5)


def test_a_batch_acts_in_a_world_that_differs() -> None:
    model = model_of(ROOT / "prompts" / "library" / "explorer.gmn")
    assert_as_alone(model, world=WORLDS["windy-grid"](model))


def test_a_batch_in_a_world_whose_labels_are_ordered_otherwise_is_as_alone() -> None:
    model = model_of(ROOT / "prompts" / "library" / "umbrella.gmn")
    seen = model.observations[0]
    turned = seen.model_copy(update={"labels": seen.names[::-1], "size": 0, "shape": ()})
    world = replace(
        model,
        observations=(turned, *model.observations[1:]),
        A=(model.A[0][::-1], *model.A[1:]),
    )
    assert_as_alone(model, world=world)


def test_episodes_of_an_agent_that_learns_are_as_alone() -> None:
    text = (ROOT / "prompts" / "library" / "umbrella.gmn").read_text(encoding="utf-8")
    learns = text.replace(
        "node emission A_forecast {", "node emission A_forecast {\n  learn: true", 1
    )
    model = validate(learns, run_steps=0).compiled
    assert model is not None
    assert model.learned
    assert_as_alone(model)
    with pytest.raises(GMNError, match="learn: true"):
        Agents(model, 3)


def test_many_batches_are_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that does not fit is cut, and plans that do not fit are compared in turn."""
    monkeypatch.setattr(many, "BATCH_NUMBERS", 100)
    monkeypatch.setattr(choice, "BATCH_NUMBERS", 1)
    assert_as_alone(model_of(ROOT / "prompts" / "library" / "explorer.gmn"))


def test_the_memory_of_a_batch_is_bounded() -> None:
    """Plans are compared for as many agents at once as fit, whatever their number."""
    model = model_of(ROOT / "prompts" / "library" / "warehouse.gmn")
    engine, count = Engine(model), 2_000
    agents = Agents(engine, count)
    seen = {v.name: np.arange(count) % v.n for v in model.observations}
    tracemalloc.start()
    agents.step(seen)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 300e6  # whole, the tables that decide between equal plans would take 400 MB


def test_many_agents_do_what_each_would_do() -> None:
    for stem in ("tmaze", "foraging", "patrol"):
        model = model_of(ROOT / "prompts" / "library" / f"{stem}.gmn")
        model = replace(model, selection="stochastic", gamma=2.0)
        count, rng = 5, np.random.default_rng(0)
        together = Agents(model, count, seed=7)
        alone = [Agent(model, seed=7 + i) for i in range(count)]
        for _ in range(4):
            shown = {v.name: rng.integers(v.n, size=count) for v in model.observations[1:]}
            beliefs = together.observe(shown)
            done = together.act()
            for i, agent in enumerate(alone):
                agent.take({name: int(values[i]) for name, values in shown.items()})
                for name, q in agent.beliefs.items():
                    assert_allclose(beliefs[name][i], list(q.values()), atol=1e-9)
                assert bool(agent.surprised) == bool(together.surprised[i])
                chosen = agent.act()
                assert chosen == {v.name: v.names[done[v.name][i]] for v in model.actions}


def test_what_many_agents_are_told_has_the_right_form() -> None:
    agents = Agents(model_of(ROOT / "prompts" / "library" / "tmaze.gmn"), 3)
    name = agents.engine.model.observations[0].name
    with pytest.raises(RuntimeError, match="observe"):
        agents.act()
    with pytest.raises(TypeError, match="by name"):
        agents.observe([0, 0, 0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="did you mean"):
        agents.observe({name + "x": np.zeros(3, int)})
    with pytest.raises(TypeError, match=r"shape \(2,\)"):
        agents.observe({name: np.zeros(2, int)})
    with pytest.raises(TypeError, match="float64"):
        agents.observe({name: np.zeros(3)})
    for wrong in (-2, 99):
        with pytest.raises(ValueError, match="GMN903"):
            agents.observe({name: np.full(3, wrong)})
    agents.observe({name: np.array([0, -1, 0])})
    with pytest.raises(RuntimeError, match="observed already"):
        agents.observe({})
    with pytest.raises(ValueError, match="2 seeds"):
        agents.reset([1, 2])
    with pytest.raises(GMNError, match="make fewer"):
        Agents(agents.engine, 10**9)
