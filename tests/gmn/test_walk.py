"""The episode that checks and the run share is the one that `simulate` gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.acting.walk import Walk
from orchestrator.gmn.checks import Subject, reach, run_checks
from orchestrator.gmn.checks.reach import Reach
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from tests.support.documents import SHARED
from tests.support.specimens import RULED_OUT

LIBRARY = sorted((Path(__file__).parents[2] / "prompts" / "library").glob("*.gmn"))
ENDING = """gmn 1.0
node state s { labels: [a, b, c] terminal: [c] }
node observation o { labels: [a, b, c] }
node action u { labels: [stay, on] }
node emission A { from: [s] to: o identity noise: 0.1 }
node transition B { from: [u, s] to: s shift moves: {stay: [0], on: [1]} noise: 0.1 }
node belief D { about: s map: [a] }
node preference C { on: o goals: {c: 2} }
node policy pi { horizon: 2 }
"""
TEXTS = [*(path.read_text() for path in LIBRARY), SHARED, RULED_OUT, ENDING]


def spec_of(text: str, **policy: object) -> GMNSpec:
    spec = validate(text, run_steps=0).spec
    assert spec is not None
    return spec.model_copy(update={"policy": spec.policy.model_copy(update=policy)})


@pytest.mark.parametrize("policy", [{}, {"selection": "stochastic", "gamma": 0.5}])
@pytest.mark.parametrize("text", TEXTS)
def test_a_walk_is_the_episode_of_simulate(text: str, policy: dict[str, object]) -> None:
    subject = Subject(spec_of(text, **policy))
    model = subject.engine.model
    for seed in (0, 2):
        run = simulate(Engine(model), steps=5, seed=seed, keep_choices=False)
        walk = Walk(subject.engine, seed)
        walk.goes_on(2)  # as far as somebody looks
        walked = walk.first(5)
        moved = [
            {v.name: v.names[i] for v, i in zip(model.states, state, strict=True)}
            for state in walk.states[: len(walked.steps)]
        ]
        assert moved == [step.state for step in run.steps]
        assert walked[1:] == (run.surprised, run.unsettled, run.shortened)


def test_an_episode_that_was_interrupted_begins_again() -> None:
    spec = spec_of(LIBRARY[0].read_text(), selection="stochastic", gamma=0.2)
    whole = Subject(spec).walk(0)
    whole.goes_on(5)
    left_out = set()
    for steps in range(0, 1500, 20):
        limits = dataclasses.replace(DEFAULT_LIMITS, work=20 * steps)
        subject = Subject(spec, limits)
        found = run_checks(subject)
        left_out.add(sum(d.code == "GMN515" for d in found))
        subject.walk(0).goes_on(5)
        assert subject.walk(0).states == whole.states, steps
    assert len(left_out) > 2


@pytest.mark.parametrize("text", TEXTS)
def test_distances_by_a_matrix_are_those_by_what_is_possible(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Subject(spec_of(text)).engine.model
    ways = (0.0, 0.02, 0.2)
    by_matrix = [Reach(model).distances(likely) for likely in ways]
    monkeypatch.setattr(reach, "_MATRIX_NUMBERS", 0)
    for likely, found in zip(ways, by_matrix, strict=True):
        assert np.array_equal(Reach(model).distances(likely), found)
