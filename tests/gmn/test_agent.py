"""A document as an agent: what it takes, what it refuses, and that its future is settled."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import orchestrator
from orchestrator import Agent, GMNError
from orchestrator.gmn.acting.episode import Run
from orchestrator.gmn.acting.expectations import Expectation, measure
from orchestrator.gmn.acting.queries import with_preference
from orchestrator.gmn.acting.simulate import run, simulate
from orchestrator.gmn.acting.world import World
from orchestrator.gmn.acting.worlds import WORLDS
from orchestrator.gmn.validate import validate
from tests.support.documents import swapped

LIBRARY = Path(__file__).resolve().parents[2] / "prompts" / "library"
TMAZE = (LIBRARY / "tmaze.gmn").read_text()
CENTRE = {"place": "centre", "reward": "none", "hint": "none"}
AT_CUE = {"place": "cue", "reward": "none", "hint": "says_right"}


def stochastic(name: str = "tmaze") -> Any:
    made = validate((LIBRARY / f"{name}.gmn").read_text(), run_steps=0).compiled
    assert made is not None
    return replace(made, selection="stochastic", gamma=0.3)


def labels(episode: Run) -> list[tuple[dict[str, str], dict[str, str], dict[str, str]]]:
    return [(dict(s.observation), dict(s.state), dict(s.action)) for s in episode.steps]


def test_it_looks_at_the_cue_and_then_goes_where_the_cheese_is() -> None:
    agent = Agent(TMAZE)
    assert agent.beliefs["ctx"] == {"cheese_left": 0.5, "cheese_right": 0.5}
    agent.observe(CENTRE)
    assert agent.act() == {"go": "cue"}
    beliefs = agent.observe(AT_CUE)
    assert beliefs["ctx"]["cheese_right"] == pytest.approx(0.98)
    assert agent.act() == {"go": "right"}
    assert agent.beliefs["loc"]["right"] == 1.0  # what it predicts


def test_indices_and_labels_mean_the_same() -> None:
    by_label, by_index = Agent(TMAZE), Agent(TMAZE)
    assert by_label.step(CENTRE) == by_index.step({"place": 0, "reward": 0, "hint": 0})
    wanted = by_label.observe(AT_CUE)
    assert by_index.observe({"place": np.int64(3), "reward": 0, "hint": 2}) == wanted


def test_what_is_left_out_or_none_was_not_observed() -> None:
    agent, other = Agent(TMAZE), Agent(TMAZE)
    before = agent.beliefs
    assert agent.observe({}) == other.observe({"hint": None}) == before


@pytest.mark.parametrize(
    "source",
    [
        lambda text: text,
        lambda text: text.encode(),
        lambda text: validate(text).spec,
        lambda text: validate(text).spec.to_json(),  # type: ignore[union-attr]
        lambda text: validate(text),
        lambda text: validate(text).compiled,
    ],
)
def test_it_takes_a_document_in_any_form(source: Callable[[str], Any]) -> None:
    assert Agent(source(TMAZE)).step(CENTRE) == {"go": "cue"}


def test_it_takes_what_generate_gmn_gave() -> None:
    with orchestrator.Orchestrator() as orc:
        made = orc.sync.generate_gmn("a thermostat for a cold room", provider="offline")
    assert list(Agent(made).step({})) == [action.name for action in made.spec.actions]


def test_a_document_that_is_not_valid_is_refused_with_its_report() -> None:
    with pytest.raises(GMNError, match="GMN") as refused:
        Agent("node state s { size: 2 }  node observation o { size: 3 }")
    report: Any = refused.value.report
    assert report.errors


@pytest.mark.parametrize("wrong", [Path("tmaze.gmn"), None, 3, ["a"]])
def test_what_is_not_a_document_is_refused_by_its_type(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"spec is .*path\.read_text"):
        Agent(wrong)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"plaice": "cue"}, "'plaice' is not one of place, reward, hint; did you mean 'place'"),
        ({"place": "middle"}, "place cannot be 'middle'; it is not one of centre, left"),
        ({"hint": "says_rigth"}, "did you mean 'says_right'"),
        ({"place": 4}, "cannot be 4; an index is from 0 to 3"),
        ({"place": -1}, "cannot be -1"),
    ],
)
def test_unknown_names_and_values_are_refused_with_what_is_possible(
    seen: dict[str, Any], words: str
) -> None:
    agent = Agent(TMAZE)
    with pytest.raises(ValueError, match="GMN903") as refused:
        agent.observe(seen)
    assert words in str(refused.value)
    agent.observe(CENTRE)  # what was refused has changed nothing
    assert agent.act() == {"go": "cue"}


@pytest.mark.parametrize("seen", ["cue", ["cue"], {"place": True}, {"place": 1.0}, {"place": b"x"}])
def test_values_of_another_type_are_refused(seen: Any) -> None:
    with pytest.raises(TypeError, match="expected"):
        Agent(TMAZE).observe(seen)


def test_calls_in_the_wrong_order_say_what_to_call() -> None:
    agent = Agent(TMAZE)
    with pytest.raises(RuntimeError, match=r"call observe\(\) first"):
        agent.act()
    agent.observe(CENTRE)
    with pytest.raises(RuntimeError, match=r"step 1 is observed already.*act\(\)"):
        agent.observe(CENTRE)
    agent.act()
    with pytest.raises(RuntimeError, match=r"call observe\(\) first"):
        agent.act()
    agent.reset()
    assert agent.step(CENTRE) == {"go": "cue"}


def test_an_impossible_observation_warns_and_is_left_out() -> None:
    agent = Agent(TMAZE)
    agent.step(CENTRE)
    with pytest.warns(RuntimeWarning, match="GMN904 at step 2"):
        agent.observe({"place": "left", "hint": "none"})
    assert agent.surprised
    agent.act()
    agent.observe({})
    assert not agent.surprised


COPIES: list[Callable[[Any], Any]] = [
    lambda agent: pickle.loads(pickle.dumps(agent)),
    copy.copy,
    copy.deepcopy,
]


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("is_observed", [False, True])
def test_a_copy_in_the_middle_of_an_episode_has_the_same_future(
    copied: Callable[[Any], Any], is_observed: bool
) -> None:
    agent = Agent(stochastic(), seed=5)
    for _ in range(3):
        agent.step({})
    if is_observed:
        agent.observe({})
    other = copied(agent)
    futures = []
    for one in (agent, other):
        acts = [one.act()] if is_observed else []
        futures.append([*acts, *(one.step({}) for _ in range(12))])
    assert futures[0] == futures[1]
    assert len({str(act) for act in futures[0]}) > 1


def test_equal_seeds_give_equal_actions_and_reset_goes_on_without_one() -> None:
    def acts(agent: Agent) -> list[dict[str, str]]:
        return [agent.step({}) for _ in range(15)]

    agent, other = Agent(stochastic(), seed=3), Agent(stochastic(), seed=3)
    first = acts(agent)
    assert acts(other) == first
    agent.reset()
    assert acts(agent) != first
    agent.reset(seed=3)
    assert acts(agent) == first


@pytest.mark.parametrize("name", ["tmaze", "bandit", "thermostat"])
def test_a_run_in_a_world_of_the_model_is_its_simulation(name: str) -> None:
    model = stochastic(name)
    for seed in (0, 7):
        made = run(Agent(model), World(model), 6, seed=seed)
        assert labels(made) == labels(simulate(model, steps=6, seed=seed))


class Corridor:
    """Somebody's own environment: three rooms, the last ends it."""

    def __init__(self) -> None:
        self.at = 0

    def reset(self, *, seed: int | None = None) -> Any:
        del seed
        self.at = 0
        return {"room": self.at}, {}

    def step(self, action: dict[str, str]) -> Any:
        self.at += action["go"] == "on"
        return {"room": self.at}, 0.0, self.at == 2, False, {"state": {"place": str(self.at)}}


CORRIDOR = """
gmn 1.0
agent walker {}
node state place { size: 3 }
node observation room { size: 3 }
node action go { labels: [wait, on] }
node emission A { from: [place] to: room identity }
node transition B { from: [place, go] to: place
  rules: [{when: {go: wait}, then: {@stay: 1}}, {then: {@+1: 1}}] }
node belief D { about: place map: [0] }
node preference C { on: room values: [0, 1, 5] }
end
"""


def test_it_runs_in_an_environment_of_your_own_until_that_ends() -> None:
    made = run(Agent(CORRIDOR), Corridor(), 10)
    assert [dict(s.observation) for s in made.steps] == [
        {"room": "0"},
        {"room": "1"},
        {"room": "2"},
    ]
    assert [dict(s.action) for s in made.steps] == [{"go": "on"}, {"go": "on"}, {}]
    assert [dict(s.state) for s in made.steps] == [{}, {"place": "1"}, {"place": "2"}]


@pytest.mark.parametrize(
    ("call", "given"),
    [("reset", {"room": 0}), ("step", ({"room": 0}, {})), ("step", ({"room": 0}, 0, False, {}))],
)
def test_an_environment_of_another_shape_is_refused_in_words(call: str, given: Any) -> None:
    environment = Corridor()
    setattr(environment, call, lambda *_, **__: given)
    with pytest.raises(TypeError, match=rf"Corridor\.{call} gave .*\(observation, "):
        run(Agent(CORRIDOR), environment, 3)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"place": "moon"}, "cannot be 'moon'; it is not one of 0, 1, 2"),
        ({"place": 0}, "place is 0, expected a label: 0, 1, 2"),
        ({"plaice": "1"}, "'plaice' is not one of place; did you mean 'place'"),
        ("x", "is str, expected a mapping"),
        ([1], "is list, expected a mapping"),
        (5, "is int, expected a mapping"),
    ],
)
@pytest.mark.parametrize("call", ["reset", "step"])
def test_a_true_state_that_the_model_does_not_have_is_refused(
    call: str, state: Any, words: str
) -> None:
    environment = Corridor()
    info = {"state": state}
    given = ({"room": 0}, info) if call == "reset" else ({"room": 0}, 0.0, False, False, info)
    setattr(environment, call, lambda *_, **__: given)
    with pytest.raises((TypeError, ValueError)) as refused:
        run(Agent(CORRIDOR), environment, 3)
    assert str(refused.value).startswith(f"Corridor.{call} gave info['state']")
    assert words in str(refused.value)


@pytest.mark.parametrize("place", [2, 3])
@pytest.mark.parametrize("ended", ["False", None, 0, 1.0])
def test_an_end_is_a_bool(place: int, ended: Any) -> None:
    environment = Corridor()
    given: list[Any] = [{"room": 1}, 0.0, np.bool_(False), False, {"state": None}]
    environment.step = lambda action: tuple(given)  # type: ignore[method-assign]
    assert len(run(Agent(CORRIDOR), environment, 3).steps) == 3
    given[place] = ended
    name = {2: "terminated", 3: "truncated"}[place]
    with pytest.raises(TypeError, match=rf"Corridor\.step gave {name} = .*expected a bool"):
        run(Agent(CORRIDOR), environment, 3)


@pytest.mark.parametrize("seed", [1.5, True, -1, "3", (0, -1), [1]])
def test_a_seed_is_a_whole_number_from_0(seed: Any) -> None:
    agent = Agent(CORRIDOR)
    world = World(agent.model)
    doors: list[Callable[[], object]] = [
        lambda: Agent(CORRIDOR, seed=seed),
        lambda: agent.reset(seed),
        lambda: World(agent.model, seed),
        lambda: world.reset(seed=seed),
        lambda: run(agent, world, 2, seed=seed),
        lambda: simulate(agent.model, steps=2, seed=seed),
    ]
    for door in doors:
        with pytest.raises((TypeError, ValueError), match=r"seed must be (a whole|at least 0)"):
            door()


def test_numbers_of_numpy_are_numbers() -> None:
    agent = Agent(CORRIDOR, seed=np.int64(3))  # type: ignore[arg-type]
    made = run(agent, World(agent.model), np.int64(2), seed=np.int32(3))  # type: ignore[arg-type]
    assert json.loads(json.dumps(made.as_dict()))["seed"] == 3
    assert made == run(agent, World(agent.model), 2, seed=3)
    assert made.why(np.int8(1)) == made.why(1)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", ["3", 1.5, True, None])
def test_counts_are_whole_numbers(number: Any) -> None:
    agent = Agent(CORRIDOR)
    with pytest.raises(TypeError, match="steps must be a whole number, got"):
        run(agent, World(agent.model), number)
    with pytest.raises(TypeError, match="step must be a whole number, got"):
        run(agent, World(agent.model), 2).why(number)
    (expected,) = [Expectation.parse("room=2 within 3")]
    with pytest.raises(TypeError, match="episodes must be a whole number, got"):
        measure(agent.model, [expected], episodes=number)
    with pytest.raises(ValueError, match="episodes must be at least 1, got 0"):
        measure(agent.model, [expected], episodes=0)


@pytest.mark.parametrize(
    ("agent", "environment", "words"),
    [
        (CORRIDOR, Corridor(), r"agent is str, expected an agent: Agent\(spec\)"),
        (Agent(CORRIDOR), None, r"environment is NoneType, which has no reset\(\)"),
    ],
)
def test_a_run_of_something_else_is_refused(agent: Any, environment: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        run(agent, environment, 3)
    with pytest.raises(TypeError, match=r"model is str, expected arrays: Agent\(spec\)\.model"):
        World(CORRIDOR)  # type: ignore[arg-type]


def test_an_error_quotes_only_the_beginning_of_what_is_long() -> None:
    for seen in ({"place": "x" * 10_000}, {"x" * 10_000: 1}, {"place": 10**3_000}):
        with pytest.raises(ValueError, match="GMN903") as refused:
            Agent(TMAZE).observe(seen)
        assert len(str(refused.value)) < 300


def test_a_world_ends_where_the_model_does_and_then_takes_no_action() -> None:
    model = validate(CORRIDOR, run_steps=0).compiled
    assert model is not None
    world = World(replace(model, terminal=(np.array([False, False, True]),)))
    world.reset(seed=0)
    assert world.step({"go": "on"})[1:3] == (1.0, False)
    assert world.step({"go": 1})[1:3] == (5.0, True)
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        world.step({"go": "on"})


@pytest.mark.parametrize(
    ("action", "words"),
    [({}, "go is missing; it is one of wait, on"), ({"go": "wiat"}, "did you mean 'wait'")],
)
def test_a_world_refuses_what_is_not_an_action(action: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        World(validate(CORRIDOR).compiled).step(action)  # type: ignore[arg-type]


# -- worlds that the model does not know


def shares(name: str, world: str | None, variable: str, label: str, steps: int = 6) -> float:
    model = validate((LIBRARY / f"{name}.gmn").read_text(), run_steps=0).compiled
    assert model is not None
    made = [
        simulate(model, steps=steps, seed=seed, world=WORLDS[world](model) if world else None)
        for seed in range(60)
    ]
    return sum(
        any(step.observation.get(variable) == label for step in one.steps) for one in made
    ) / len(made)


def test_every_world_is_a_proper_generative_process_and_differs_from_the_model() -> None:
    for name, changed in WORLDS.items():
        tried = 0
        for path in sorted(LIBRARY.glob("*.gmn")):
            model = validate(path.read_text(), run_steps=0).compiled
            assert model is not None
            try:
                world = changed(model)
            except ValueError:
                continue
            tried += 1
            pairs = [*zip(model.A, world.A, strict=True), *zip(model.B, world.B, strict=True)]
            assert any(not np.array_equal(a, b) for a, b in pairs)
            for before, after in pairs:
                assert after.shape == before.shape
                assert np.allclose(after.sum(axis=0), 1)
                assert after.min() >= 0
        assert tried, name


def test_a_cue_that_is_less_reliable_than_believed_leads_to_the_shock() -> None:
    believed = shares("tmaze", None, "reward", "shock", 3)
    met = shares("tmaze", "unreliable-cue", "reward", "shock", 3)
    assert believed < 0.1 < met


def test_wind_and_slips_keep_an_agent_that_does_not_know_them_from_its_goal() -> None:
    assert shares("explorer", "windy-grid", "cell", "r4c4", 9) < shares(
        "explorer", None, "cell", "r4c4", 9
    )


def test_wind_leads_nowhere_that_the_model_cannot_go() -> None:
    model = validate((LIBRARY / "warehouse.gmn").read_text(), run_steps=0).compiled
    assert model is not None
    windy = WORLDS["windy-grid"](model)
    for before, after in zip(model.B, windy.B, strict=True):
        never = before.max(axis=tuple(range(1, before.ndim))) == 0
        assert not after[never].any()


def test_a_world_says_what_it_needs_and_what_the_model_has() -> None:
    model = validate(CORRIDOR, run_steps=0).compiled
    assert model is not None
    for name, words in (
        ("windy-grid", "a state with a shape of two sides"),
        ("drifting-context", "that no action drives"),
        ("unreliable-cue", "an observation without preferences"),
    ):
        with pytest.raises(ValueError, match=words) as refused:
            WORLDS[name](model)
        assert "place (shape [3], driven by go)" in str(refused.value)


def test_a_preference_that_is_set_weighs_as_much_as_any_payoff() -> None:
    text = swapped(
        "on: place values: [0, 1, 3]", "on: [pos, go] rules: [{when: {go: left}, utility: -50}]"
    )
    model = validate(text).compiled
    assert model is not None
    assert with_preference(model, "place", "b").C[0].tolist() == [0.0, 50.0, 0.0]
    assert with_preference(model, "pos", "a").V[0].tolist() == [50.0, 0.0, 0.0]
