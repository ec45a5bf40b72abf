"""Beliefs and plans against their definitions, written out here over the whole joint."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.acting.world import World
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.engine import mean_field
from orchestrator.gmn.engine.choice import choose
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.exact import ExactPart
from orchestrator.gmn.engine.mean_field import MeanFieldPart, ascend, clipped_log, free_energy
from orchestrator.gmn.engine.parts import elimination, parts_of
from orchestrator.gmn.formats.write import write_text
from orchestrator.gmn.model import Variable
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError
from tests.support.examples import share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"
NAMES = sorted(path.stem for path in LIBRARY.glob("*.gmn"))


def model_of(name: str) -> Compiled:
    compiled = validate((LIBRARY / f"{name}.gmn").read_text()).compiled
    assert compiled is not None
    return compiled


def every(model: Compiled) -> list[tuple[int, ...]]:
    """Every joint state."""
    return list(itertools.product(*(range(v.n) for v in model.states)))


def chance(table: Array, value: int, parents: Sequence[int]) -> float:
    return float(table[(value, *parents)])


def seen_chance(model: Compiled, state: tuple[int, ...], seen: Sequence[int | None]) -> float:
    """p(o | s): the product over what was observed."""
    return math.prod(
        chance(a, o, [state[f] for f in deps])
        for a, o, deps in zip(model.A, seen, model.A_dependencies, strict=True)
        if o is not None
    )


def moved_chance(
    model: Compiled,
    before: tuple[int, ...],
    after: tuple[int, ...],
    action: Sequence[int] | NDArray[np.int64],
) -> float:
    """p(s' | s, u): the product over factors."""
    return math.prod(
        chance(b, after[f], [*(before[g] for g in deps), *(int(action[k]) for k in controls)])
        for f, (b, deps, controls) in enumerate(
            zip(model.B, model.B_dependencies, model.B_action_dependencies, strict=True)
        )
    )


def bayes(
    model: Compiled, joint: dict[tuple[int, ...], float], seen: Sequence[int | None]
) -> dict[tuple[int, ...], float]:
    weighed = {s: p * seen_chance(model, s, seen) for s, p in joint.items()}
    total = sum(weighed.values())
    return {s: p / total for s, p in weighed.items()}


def moved(
    model: Compiled, joint: dict[tuple[int, ...], float], action: Sequence[int] | NDArray[np.int64]
) -> dict[tuple[int, ...], float]:
    return {
        after: sum(p * moved_chance(model, s, after, action) for s, p in joint.items() if p)
        for after in every(model)
    }


def prior(model: Compiled) -> dict[tuple[int, ...], float]:
    return {
        s: math.prod(float(d[i]) for d, i in zip(model.D, s, strict=True)) for s in every(model)
    }


def marginal(model: Compiled, joint: dict[tuple[int, ...], float], factor: int) -> Array:
    total = np.zeros(model.states[factor].n)
    for state, p in joint.items():
        total[state[factor]] += p
    return total


def efe(model: Compiled, joint: dict[tuple[int, ...], float], policy: Array) -> float:
    """-G: expected utility and the mutual information of state and observation, step by step."""
    total = 0.0
    for action in policy:
        joint = moved(model, joint, action)
        outcomes: dict[tuple[int, ...], float] = {}
        known = 0.0
        for state, p in joint.items():
            total += p * sum(float(v[i]) for v, i in zip(model.V, state, strict=True))
            for o in itertools.product(*(range(v.n) for v in model.observations)):
                q = seen_chance(model, state, o)
                outcomes[o] = outcomes.get(o, 0.0) + p * q
                known += p * q * math.log(q) if q > 0 else 0.0
        total += sum(
            p * sum(float(c[i]) for c, i in zip(model.C, o, strict=True))
            for o, p in outcomes.items()
        )
        if model.info_gain:
            total += known - sum(p * math.log(p) for p in outcomes.values() if p > 0)
    return total


@st.composite
def distributions(draw: st.DrawFn, count: int, size: int) -> Array:
    """Columns that sum to 1, many of their entries 0 or close to it."""
    weights = st.sampled_from([0.0, 0.0, 1e-9, 0.3, 1.0, 1.0, 5.0])
    table = np.array(draw(st.lists(weights, min_size=count * size, max_size=count * size)))
    table = table.reshape(size, count)
    table[0, table.sum(axis=0) == 0] = 1.0
    made: Array = table / table.sum(axis=0)
    return made


@st.composite
def models(draw: st.DrawFn) -> Compiled:
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    controls = draw(st.lists(st.integers(1, 2), min_size=1, max_size=2))
    horizon = draw(st.integers(1, 2))
    factors, actions = range(len(sizes)), range(len(controls))
    subset = st.lists(st.sampled_from(factors), min_size=1, unique=True).map(sorted)
    a_deps = draw(st.lists(subset.map(tuple), min_size=1, max_size=3))
    b_deps = [tuple(sorted({f, *draw(subset)})) for f in factors]
    b_controls = [
        tuple(sorted(draw(st.lists(st.sampled_from(actions), unique=True)))) for _ in factors
    ]
    seen = [draw(st.integers(1, 3)) for _ in a_deps]

    def table(size: int, shape: list[int]) -> Array:
        return draw(distributions(math.prod(shape), size)).reshape([size, *shape])

    utility = st.sampled_from([-4.0, 0.0, 0.5, 3.0])
    joint = list(itertools.product(*map(range, controls)))
    policies = np.array(list(itertools.product(joint, repeat=horizon)), dtype=np.int64)
    return Compiled(
        states=tuple(Variable(name=f"s{f}", size=n) for f, n in enumerate(sizes)),
        observations=tuple(Variable(name=f"o{m}", size=n) for m, n in enumerate(seen)),
        actions=tuple(Variable(name=f"u{k}", size=n) for k, n in enumerate(controls)),
        A=tuple(table(n, [sizes[f] for f in deps]) for n, deps in zip(seen, a_deps, strict=True)),
        B=tuple(
            table(sizes[f], [*(sizes[g] for g in b_deps[f]), *(controls[k] for k in b_controls[f])])
            for f in factors
        ),
        C=tuple(np.array([draw(utility) for _ in range(n)]) for n in seen),
        D=tuple(table(n, [1]).reshape(-1) for n in sizes),
        V=tuple(np.array([draw(utility) for _ in range(n)]) for n in sizes),
        E=np.full(len(policies), 1 / len(policies)),
        A_dependencies=tuple(a_deps),
        B_dependencies=tuple(b_deps),
        B_action_dependencies=tuple(b_controls),
        policies=policies.reshape(len(policies), horizon, len(controls)),
        horizon=horizon,
        gamma=4.0,
        selection="deterministic",
        info_gain=draw(st.booleans()),
    )


@settings(max_examples=share_of(60), deadline=None)
@given(models(), st.integers(0, 1000))
def test_filtering_is_bayes_rule_on_the_whole_joint(model: Compiled, seed: int) -> None:
    engine, rng = Engine(model), np.random.default_rng(seed)
    world, beliefs, joint = World(model, rng), engine.start(), prior(model)
    for _ in range(3):
        seen: list[int | None] = [o if rng.random() < 0.8 else None for o in world.observe()]
        found = engine.observe(beliefs, seen)
        assert found.impossible == 0
        joint = bayes(model, joint, seen)
        for f, q in enumerate(engine.marginals(found.beliefs)):
            assert_allclose(q, marginal(model, joint, f), atol=1e-9)
        action = model.policies[int(rng.integers(len(model.policies))), 0]
        world.act(action)
        beliefs, joint = engine.predict(found.beliefs, action), moved(model, joint, action)


@settings(max_examples=share_of(60), deadline=None)
@given(models())
def test_expected_free_energy_is_its_definition_on_the_whole_joint(model: Compiled) -> None:
    engine = Engine(model)
    found = engine.negative_expected_free_energy(engine.start())
    for value, policy in zip(found, model.policies, strict=True):
        assert value == pytest.approx(efe(model, prior(model), policy), abs=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_every_curated_model_believes_what_bayes_rule_says(name: str) -> None:
    model = model_of(name)
    engine, rng = Engine(model), np.random.default_rng(1)
    world, beliefs, joint = World(model, rng), engine.start(), prior(model)
    for _ in range(6):
        seen = world.observe()
        held, joint = engine.observe(beliefs, seen).beliefs, bayes(model, joint, seen)
        for f, q in enumerate(engine.marginals(held)):
            assert_allclose(q, marginal(model, joint, f), atol=1e-9)
        action = choose(engine, held, rng).action
        world.act(action)
        beliefs, joint = engine.predict(held, action), moved(model, joint, action)


@settings(max_examples=share_of(60), deadline=None)
@given(models())
def test_moving_factor_by_factor_is_moving_the_joint(model: Compiled) -> None:
    for part in parts_of(model):
        exact = ExactPart(model, part)
        start = exact.start()
        for place, action in enumerate(exact.actions):
            dense = exact.predict_many(start[None], np.array([place]))[0]
            assert_allclose(exact._moved(start[None], list(action))[0], dense, atol=1e-12)


@settings(max_examples=share_of(60), deadline=None)
@given(models())
def test_factors_that_never_meet_are_apart(model: Compiled) -> None:
    parts = parts_of(model)
    assert sorted(f for part in parts for f in part.factors) == list(range(len(model.states)))
    for meeting in (*model.A_dependencies, *model.B_dependencies):
        assert sum(bool(set(meeting) & set(part.factors)) for part in parts) == 1
    for part in parts:
        order = elimination(model, part.factors)
        assert sorted(f for f, _ in order) == sorted(part.factors)
        assert part.numbers >= part.states


@settings(max_examples=share_of(40), deadline=None)
@given(models(), st.integers(0, 1000))
def test_each_sweep_lowers_the_free_energy_until_nothing_moves(model: Compiled, seed: int) -> None:
    seen = World(model, np.random.default_rng(seed)).observe()
    evidence = [
        (clipped_log(a[o]), deps)
        for a, o, deps in zip(model.A, seen, model.A_dependencies, strict=True)
    ]
    priors = [clipped_log(d) for d in model.D]
    energies: list[float] = []
    beliefs = list(model.D)
    for _ in range(6):
        _, beliefs = ascend(priors, beliefs, evidence, sweeps=1)
        energies.append(free_energy(priors, beliefs, evidence))
    assert all(b <= a + 1e-7 for a, b in itertools.pairwise(energies))
    converged, settled = ascend(priors, list(model.D), evidence)
    assert converged
    again = ascend(priors, settled, evidence, sweeps=1)[1]
    for q, p in zip(settled, again, strict=True):
        assert_allclose(q, p, atol=1e-6)


SENSORS = ("camera", "radar", "lidar")
LANES = """
node state lane { labels: [left, middle, right] }
node state weather { labels: [clear, fog] }
node action wait { labels: [wait] }
node preference C { on: camera values: [1, 0, 0] }
""" + "\n".join(
    f"node observation {name} {{ labels: [left, middle, right] }}\n"
    f"node emission A_{name} {{ from: [lane, weather] to: {name} rules: [\n"
    "  {when: {weather: clear, lane: left}, then: {left: 0.998, middle: 0.001, right: 0.001}},\n"
    "  {when: {weather: clear, lane: middle}, then: {left: 0.001, middle: 0.998, right: 0.001}},\n"
    "  {when: {weather: clear}, then: {left: 0.001, middle: 0.001, right: 0.998}},\n"
    "  {when: {lane: middle}, then: {left: 0.998, middle: 0.001, right: 0.001}},\n"
    "  {when: {lane: left}, then: {left: 0.001, middle: 0.998, right: 0.001}},\n"
    "  {then: {left: 0.001, middle: 0.001, right: 0.998}} ] }"
    for name in SENSORS
)


def test_an_iteration_that_swings_for_ever_is_not_what_is_believed() -> None:
    """Three sensors say left: in clear weather that is so, in fog left and middle are swapped."""
    verdict = validate(LANES)
    model = verdict.compiled
    assert model is not None, verdict.report.errors
    engine = Engine(model)
    found = engine.observe(engine.start(), [0, 0, 0])
    joint = bayes(model, prior(model), [0, 0, 0])
    assert_allclose(engine.marginals(found.beliefs)[0], marginal(model, joint, 0), atol=1e-12)
    assert_allclose(engine.marginals(found.beliefs)[0], [0.5, 0.5, 0], atol=1e-6)
    apart = Engine(model, inference="mean_field")
    settled = apart.observe(apart.start(), [0, 0, 0])
    assert settled.converged


def test_what_was_ruled_out_is_reported_and_left_out() -> None:
    model = model_of("tmaze")
    ways: tuple[Literal["exact", "mean_field"], ...] = ("exact", "mean_field")
    for inference in ways:
        engine = Engine(model, inference=inference)
        certain = engine.from_marginals([np.eye(v.n)[0] for v in model.states])
        columns = [a.reshape(len(a), -1)[:, 0] for a in model.A]
        seen = [int(np.argmin(column)) for column in columns]
        found = engine.observe(certain, seen)
        assert found.impossible == sum(c[o] == 0 for c, o in zip(columns, seen, strict=True)) > 0
        for q in engine.marginals(found.beliefs):
            assert np.all(np.isfinite(q))
            assert q.sum() == pytest.approx(1)


def test_a_tiny_probability_is_not_zero() -> None:
    """Logarithms keep what products of probabilities lose."""
    model = model_of("umbrella")
    engine = Engine(model)
    prior = [np.array([1e-300, 1.0]) if v.name == "weather" else d
             for v, d in zip(model.states, model.D, strict=True)]  # fmt: skip
    tables = tuple(
        np.array([[1.0, 1e-300], [0.0, 1.0]]) if o.name == "forecast" else a
        for o, a in zip(model.observations, model.A, strict=True)
    )
    engine = Engine(dataclasses.replace(model, A=tables))
    found = engine.observe(engine.from_marginals(prior), [0, None])
    assert engine.marginals(found.beliefs)[0][0] == pytest.approx(0.5)
    assert found.impossible == 0


def big(inference: str) -> str:
    return f"""
node state x {{ size: 70 }}
node state y {{ size: 70 }}
node state z {{ size: 3 }}
node observation o {{ size: 2 }}
node observation p {{ size: 3 }}
node action u {{ labels: [on, off] }}
node emission A {{ from: [x, y] to: o rules: [
  {{when: {{x: 3, y: 3}}, then: {{1: 0.9, 0: 0.1}}}}, {{then: {{0: 1}}}}] }}
node emission P {{ from: [z] to: p identity noise: 0.1 }}
node transition Z {{ from: [u, z] to: z shift moves: {{on: [1], off: [0]}} boundary: wrap }}
node preference C {{ on: p values: [0, 0, 2] }}
node policy pi {{ horizon: 2 inference: {inference} }}
"""


def test_only_the_part_that_is_too_large_is_not_exact_and_that_is_said() -> None:
    verdict = validate(big("auto"))
    assert verdict.compiled is not None
    engine = Engine(verdict.compiled)
    assert [type(part) for part in engine.parts] == [MeanFieldPart, ExactPart]
    assert not engine.is_exact
    (said,) = (d for d in verdict.report.diagnostics if d.code == "GMN506")
    assert "x, y" in said.message
    assert "4900 joint states" in said.message


def test_exact_inference_that_is_too_large_is_refused_before_it_is_allocated() -> None:
    verdict = validate(big("exact"))
    (error,) = verdict.report.errors
    assert error.code == "GMN901"
    assert "x, y have 4900 joint states, more than 4096; write inference: auto" in error.message
    model = validate(big("auto")).compiled
    assert model is not None
    with pytest.raises(GMNError, match="x, y have 4900 joint states"):
        Engine(model, inference="exact")


def test_beliefs_that_do_not_settle_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mean_field, "SWEEPS", 1)
    verdict = validate(LANES + "node policy pi { inference: mean_field }")
    assert "did not converge" in next(
        d.message for d in verdict.report.diagnostics if d.code == "GMN904"
    )


def test_the_way_beliefs_are_inferred_survives_writing() -> None:
    for inference in ("exact", "mean_field"):
        spec = validate(LANES + f"node policy pi {{ inference: {inference} }}").spec
        assert spec is not None
        assert f"inference: {inference}" in write_text(spec)
        assert validate(write_text(spec)).spec == spec
    assert simulate(model_of("tmaze"), steps=2, seed=0).unsettled == 0
