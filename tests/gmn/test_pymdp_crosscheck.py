"""Beliefs and expected free energy, step by step, against pymdp 1.0.4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.errors import GMNError, MissingExtraError
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.pymdp import to_pymdp
from orchestrator.gmn.simulate import (
    World,
    choose,
    infer_states,
    negative_expected_free_energy,
    policy_posterior,
    predicted_prior,
)
from orchestrator.gmn.validate import validate

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"
NAMES = sorted(path.stem for path in LIBRARY.glob("*.gmn"))
STEPS = 5

SHARED = """gmn 1.0
agent shared { type: explorer }
node state pos { labels: [a, b, c] }
node state energy { labels: [low, high] }
node state weather { labels: [dry, wet] }
node observation place { labels: [a, b, c] }
node observation gauge { labels: [low, high] }
node action go { labels: [left, rest, right] }
node emission A1 { from: [pos, weather] to: place rules: [
  {when: {weather: wet}, then: {a: 0.4, b: 0.3, c: 0.3}}, {when: {pos: a}, then: {a: 0.9, b: 0.1}},
  {when: {pos: b}, then: {b: 0.8, c: 0.2}}, {then: {c: 1}} ] }
node emission A2 { from: [energy] to: gauge identity noise: 0.2 noise_kind: others }
node transition B1 { from: [go, pos] to: pos shift
  moves: {left: [-1], rest: [0], right: [1]} noise: 0.1 noise_kind: stay }
node transition B2 { from: [go, energy, weather] to: energy rules: [
  {when: {go: rest, weather: dry}, then: {high: 0.9, low: 0.1}},
  {when: {go: rest}, then: {high: 0.5, low: 0.5}}, {then: {low: 0.6, @stay: 0.4}} ] }
node transition B3 { from: [weather] to: weather identity noise: 0.2 noise_kind: others }
node belief D1 { about: pos map: [b] }
node preference C1 { on: place goals: {c: 2} }
node preference C2 { on: gauge values: [-1, 1] }
node policy pi { horizon: 3 gamma: 8 habit: {go: [1, 2, 1]} }
"""

TWO_CONTROLS = """gmn 1.0
agent two { type: general }
node state x { labels: [0, 1] }
node state y { labels: [p, q, r] }
node observation seen { labels: [no, yes] }
node action ux { labels: [keep, flip] }
node action uy { labels: [back, on] }
node emission A { from: [x, y] to: seen rules: [
  {when: {x: 1, y: r}, then: {yes: 0.9, no: 0.1}}, {then: {no: 0.8, yes: 0.2}} ] }
node transition Bx { from: [ux, x] to: x rules: [
  {when: {ux: flip, x: 0}, then: {1: 0.9, @stay: 0.1}},
  {when: {ux: flip}, then: {0: 0.9, @stay: 0.1}}, {then: {@stay: 1}} ] }
node transition By { from: [uy, y] to: y shift moves: {back: [-1], on: [1]} boundary: wrap }
node preference C { on: seen goals: {yes: 3} }
node policy pi { horizon: 2 gamma: 4 }
"""

STATE_UTILITY = SHARED.replace("node preference C1 { on: place goals: {c: 2} }",
                               "node preference C1 { on: pos goals: {c: 2} }")  # fmt: skip


def compiled(text: str) -> Compiled:
    verdict = validate(text)
    assert verdict.compiled is not None, verdict.report.errors
    return verdict.compiled


def sources() -> dict[str, str]:
    curated = {name: (LIBRARY / f"{name}.gmn").read_text() for name in NAMES}
    return {**curated, "shared": SHARED, "two_controls": TWO_CONTROLS}


def test_without_the_extra_the_error_names_it() -> None:
    try:
        import pymdp  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(MissingExtraError, match=r"orchestrator\[pymdp\]"):
            to_pymdp(compiled(SHARED))


def test_a_preferred_hidden_state_is_refused_rather_than_approximated() -> None:
    with pytest.raises(GMNError, match="hidden state"):
        to_pymdp(compiled(STATE_UTILITY))


@pytest.mark.pymdp
@pytest.mark.filterwarnings("ignore")  # JAX and equinox warn about their own deprecations
@pytest.mark.parametrize("name", sorted(sources()))
def test_beliefs_and_free_energy_agree_with_pymdp(name: str) -> None:
    pytest.importorskip("pymdp", reason="the extra 'pymdp' is not installed: make test-pymdp")
    compare(compiled(sources()[name]))


@pytest.mark.pymdp
@pytest.mark.filterwarnings("ignore")  # JAX and equinox warn about their own deprecations
def test_state_utility_adds_exactly_its_expected_value() -> None:
    pytest.importorskip("pymdp", reason="the extra 'pymdp' is not installed: make test-pymdp")
    import dataclasses

    model = compiled(STATE_UTILITY)
    without = dataclasses.replace(model, V=tuple(np.zeros_like(v) for v in model.V))
    compare(without)
    total = negative_expected_free_energy(model, model.D)
    base = negative_expected_free_energy(without, model.D)
    for index, policy in enumerate(model.policies):
        beliefs, gained = model.D, 0.0
        for action in policy:
            beliefs = predicted_prior(model, beliefs, action)
            gained += sum(float(q @ v) for q, v in zip(beliefs, model.V, strict=True))
        assert total[index] - base[index] == pytest.approx(gained, abs=1e-9)


def compare(model: Compiled) -> None:
    """Walk a few steps with both engines on the same observations and actions."""
    import equinox
    import jax.numpy as jnp

    agent = to_pymdp(model)
    infer = equinox.filter_jit(lambda a, o, p: a.infer_states(o, p))
    plan = equinox.filter_jit(lambda a, q: a.infer_policies(q))
    rng = np.random.default_rng(3)
    world = World(model, rng)
    prior, theirs = model.D, agent.D
    for _ in range(STEPS):
        seen = world.observe()
        beliefs = infer_states(model, seen, prior)
        reference = infer(agent, [jnp.array([index]) for index in seen], theirs)
        for ours, other in zip(beliefs, reference, strict=True):
            np.testing.assert_allclose(ours, np.asarray(other)[0, 0], atol=1e-6)
        neg_efe = negative_expected_free_energy(model, beliefs)
        posterior, other_efe = plan(agent, reference)
        np.testing.assert_allclose(neg_efe, np.asarray(other_efe)[0], atol=2e-5)
        np.testing.assert_allclose(
            policy_posterior(model, neg_efe), np.asarray(posterior)[0], atol=1e-4
        )
        action = choose(model, beliefs, rng)
        world.act(action)
        prior = predicted_prior(model, beliefs, action)
        theirs = [jnp.asarray(p, jnp.float32)[None] for p in prior]
