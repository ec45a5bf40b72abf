"""Gymnasium both ways; skipped where the extra is not installed."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator import Agent
from orchestrator.gmn.acting.simulate import run
from orchestrator.gmn.validate import validate

pytest.importorskip("gymnasium", reason="needs the extra 'gym'")

import gymnasium
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from orchestrator.gmn.acting.gym import GymEnvironment, GymWorld

LIBRARY = Path(__file__).resolve().parents[2] / "prompts" / "library"


def compiled(name: str) -> Any:
    return validate((LIBRARY / f"{name}.gmn").read_text(), run_steps=0).compiled


@pytest.mark.parametrize("name", sorted(path.stem for path in LIBRARY.glob("*.gmn")))
def test_every_curated_model_is_an_env_that_passes_gymnasiums_check(name: str) -> None:
    check_env(GymWorld(compiled(name)), skip_render_check=True)


def test_a_world_of_several_actions_takes_a_multi_discrete() -> None:
    env = GymWorld(compiled("coordinator"))
    assert isinstance(env.action_space, spaces.MultiDiscrete | spaces.Discrete)
    env.reset(seed=1)
    observation, reward, _, _, known = env.step(env.action_space.sample())
    assert env.observation_space.contains(observation)
    assert np.isfinite(reward)
    assert known["state"]


def test_equal_seeds_give_equal_episodes_and_a_pickled_env_goes_on() -> None:
    def rest(env: GymWorld) -> list[Any]:
        return [env.step(a % 4)[:2] for a in range(12)]

    one, other = GymWorld(compiled("bandit")), GymWorld(compiled("bandit"))
    assert one.reset(seed=4) == other.reset(seed=4)
    other = pickle.loads(pickle.dumps(other))
    assert rest(one) == rest(other)
    one.reset()
    other.reset()
    assert rest(one) == rest(other)


def labels(space: Any) -> dict[str, list[str]]:
    return {name: [str(i) for i in range(int(one.n))] for name, one in space.items()}


def test_an_agent_acts_in_its_world_through_gymnasium_as_it_does_directly() -> None:
    model = compiled("tmaze")
    environment = GymEnvironment(
        GymWorld(model),
        observations={v.name: v.names for v in model.observations},
        actions={v.name: v.names for v in model.actions},
    )
    episode = run(Agent(model), environment, 3, seed=2)
    assert dict(episode.steps[0].action) == {"go": "cue"}
    assert episode.steps[2].observation["reward"] == "cheese"
    assert episode.steps[2].state["loc"] in ("left", "right")


class Parts(gymnasium.Env[Any, Any]):  # type: ignore[misc, unused-ignore]
    """An Env with given spaces that shows what it was given."""

    def __init__(self, observed: Any, acted: Any) -> None:
        self.observation_space, self.action_space = observed, acted
        self.given: Any = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {"state": 3}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.given = action
        return self.observation_space.sample(), 1, False, True, {}


TWO = {"a": ["x", "y"], "b": ["p", "q"]}


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([2, 2]),
        spaces.MultiBinary(2),
        spaces.Tuple([spaces.Discrete(2, start=3), spaces.Discrete(2)]),
        spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Discrete(2, start=-1)}),
    ],
)
def test_every_discrete_space_is_read_and_written(space: Any) -> None:
    environment = GymEnvironment(Parts(space, space), observations=TWO, actions=TWO)
    observation, _ = environment.reset(seed=0)
    assert observation.keys() == TWO.keys()
    assert all(observation[name] in TWO[name] for name in TWO)
    after = environment.step({"a": "y", "b": "p"})
    assert after[1:4] == (1.0, False, True)
    with pytest.raises(ValueError, match="action b cannot be 'r'; it is not one of p, q"):
        environment.step({"a": "y", "b": "r"})


@pytest.mark.parametrize(
    ("space", "names", "words"),
    [
        (spaces.Box(0, 1), {"a": ["x"]}, "is not discrete"),
        (spaces.Discrete(3), {"a": ["x", "y"]}, "has 2 different labels.*has 3 values"),
        (spaces.Discrete(2), {"a": ["x", "x"]}, "has 1 different labels"),
        (spaces.Discrete(2), TWO, "name a, b; the observation space .* needs 1 names"),
        (
            spaces.Dict({"c": spaces.Discrete(2)}),
            {"a": ["x", "y"]},
            "needs the names c",
        ),
    ],
)
def test_labels_that_do_not_fit_a_space_are_refused(space: Any, names: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GymEnvironment(Parts(space, spaces.Discrete(2)), observations=names, actions={})


LAKE = """
gmn 1.0
agent skater {}
node state cell { shape: [4, 4] }
node observation seen { shape: [4, 4] }
node action move { labels: [left, down, right, up] }
node emission A { from: [cell] to: seen identity }
node transition B {
  from: [cell, move]
  to: cell
  grid
  moves: {left: [0, -1], down: [1, 0], right: [0, 1], up: [-1, 0]}
}
node belief D { about: cell map: [r0c0] }
node preference C { on: seen goals: {r3c3: 6, r1c1: -6, r1c3: -6, r2c3: -6, r3c0: -6} }
node policy pi { horizon: 6 }
end
"""


def test_an_agent_crosses_gymnasiums_frozen_lake() -> None:
    pytest.importorskip("gymnasium.envs.toy_text.frozen_lake")
    agent = Agent(LAKE)
    environment = GymEnvironment(
        gymnasium.make("FrozenLake-v1", is_slippery=False),
        observations={"seen": agent.model.observations[0].names},
        actions={"move": agent.model.actions[0].names},
    )
    episode = run(agent, environment, 12)
    assert episode.steps[-1].observation == {"seen": "r3c3"}
    assert episode.steps[-1].action == {}


def test_without_the_extra_the_error_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "from orchestrator import MissingExtraError\n"
        "try:\n    import orchestrator.gmn.acting.gym\n"
        "except MissingExtraError as error:\n    print(error.extra, error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.startswith("gym "), ran.stderr
    assert "pip install" in ran.stdout
