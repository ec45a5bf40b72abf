"""Learned tables against their definitions, and against the world that made the log."""

from __future__ import annotations

import dataclasses
import itertools
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings
from numpy.testing import assert_allclose

from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.acting.world import World
from orchestrator.gmn.compile import Compiled, Learned
from orchestrator.gmn.engine.learning import Learner, with_tables
from orchestrator.gmn.learning.learn import _chi_square_tail, _p_value, learn
from orchestrator.gmn.learning.smoothing import Log, fit, smooth
from orchestrator.gmn.validate import validate
from tests.gmn.test_exact import every, models, moved_chance, prior, seen_chance
from tests.support.examples import share_of


def played(
    model: Compiled, steps: int, seed: int, *, states: bool = False, blank: float = 0.1
) -> Log:
    """A log of random actions in the model's own world, so many of the sensors blank."""
    rng = np.random.default_rng(seed)
    world = World(model, rng)
    seen, done, true = [], [], []
    for _ in range(steps):
        seen.append([o if rng.random() >= blank else -1 for o in world.observe()])
        true.append(list(world.state) if states else [-1] * len(model.states))
        done.append(model.policies[int(rng.integers(len(model.policies))), 0])
        world.act(done[-1])
    starts = np.zeros(steps, dtype=bool)
    starts[0] = True
    return Log(np.array(seen), np.array(done), np.array(true), starts, np.arange(2, steps + 2))


def all_tables(model: Compiled, concentration: float = 1.0) -> list[Learned]:
    arrays = [("A", model.A), ("B", model.B), ("D", model.D)]
    return [Learned(kind, i, concentration) for kind, of in arrays for i in range(len(of))]  # type: ignore[arg-type]


@st.composite
def ending(draw: st.DrawFn) -> Compiled:
    """Models, most of them with labels at which an episode ends."""
    model = draw(models())
    ends = [np.array([draw(st.sampled_from([False, False, True])) for _ in d]) for d in model.D]
    return dataclasses.replace(model, terminal=tuple(ends) if draw(st.booleans()) else ())


def goes_on(model: Compiled, state: tuple[int, ...]) -> bool:
    return not any(ends[label] for ends, label in zip(model.terminal, state, strict=False))


@settings(max_examples=share_of(40), deadline=None)
@given(ending(), st.integers(0, 1000))
def test_a_log_is_explained_as_the_sum_over_every_path_says(model: Compiled, seed: int) -> None:
    log = played(model, 3, seed)
    total = 0.0
    expected = {
        one: np.zeros_like(getattr(model, one.kind)[one.index]) for one in all_tables(model)
    }
    for path in itertools.product(every(model), repeat=3):
        p = prior(model)[path[0]]
        for t, state in enumerate(path):
            p *= seen_chance(model, state, [None if o < 0 else o for o in log.observations[t]])
            p *= moved_chance(model, path[t - 1], state, log.actions[t - 1]) if t else 1.0
            # What is done after it says that nothing had ended.
            p *= goes_on(model, state) or t == 2
        total += p
        for t, state in enumerate(path if p else ()):
            for m, deps in enumerate(model.A_dependencies):
                if log.observations[t, m] >= 0:
                    at = (log.observations[t, m], *(state[f] for f in deps))
                    expected[Learned("A", m)][at] += p
            for f, deps in enumerate(model.B_dependencies):
                if not t:
                    expected[Learned("D", f)][state[f]] += p
                    continue
                controls = [log.actions[t - 1, k] for k in model.B_action_dependencies[f]]
                at = (state[f], *(path[t - 1][g] for g in deps), *controls)
                expected[Learned("B", f)][at] += p
    assume(total > 0)
    found = smooth(model, log)
    assert found.log_likelihood == pytest.approx(math.log(total), abs=1e-9)
    assert not found.left_out
    assert not found.broken
    for one, counts in expected.items():
        assert_allclose(found.counts[one], counts / total, atol=1e-9)


@settings(max_examples=share_of(20), deadline=None)
@given(models(), st.integers(0, 1000), st.sampled_from([0.1, 1.0, 20.0]))
def test_no_pass_over_a_log_lowers_its_penalised_likelihood(
    model: Compiled, seed: int, concentration: float
) -> None:
    log = played(model, 12, seed)
    shuffled = played(model, 12, seed + 1)
    log = dataclasses.replace(log, observations=shuffled.observations)
    made = fit(model, log, all_tables(model, concentration))
    rises = np.diff(made.objectives)
    assert np.all(rises >= -1e-8)
    for one in all_tables(model):
        before, after = (getattr(m, one.kind)[one.index] for m in (model, made.model))
        assert np.all(after[before == 0] == 0)
        assert_allclose(after.sum(axis=0), 1.0)


@settings(max_examples=share_of(40), deadline=None)
@given(ending(), st.integers(0, 1000))
def test_an_agent_counts_what_the_filtering_posterior_expects(model: Compiled, seed: int) -> None:
    log = played(model, 2, seed)
    learner = Learner(model, all_tables(model))
    engine = learner.engine
    rows = [[None if o < 0 else int(o) for o in row] for row in log.observations]
    first = engine.observe(engine.start(), rows[0]).beliefs
    start = learner.counts(Learned("D", 0))
    learner.update(rows[0], first)
    grown = learner.counts(Learned("D", 0)) - start
    assert_allclose(grown, engine.marginals(first)[0] * (start > 0), atol=1e-9)

    # The joint q(s, s' | o, u) from its definition, under the tables as they are now.
    now, model = learner.engine, learner.engine.model
    before = {s: p * seen_chance(model, s, rows[0]) for s, p in prior(model).items()}
    held = now.observe(now.start(), rows[0]).beliefs
    pairs = {
        (a, b): p * moved_chance(model, a, b, log.actions[0]) * seen_chance(model, b, rows[1])
        for a, p in before.items()
        for b in every(model)
        if goes_on(model, a)
    }
    total = sum(pairs.values())
    assume(total > 0)
    expected = {f: np.zeros_like(b) for f, b in enumerate(model.B)}
    for (a, b), p in pairs.items():
        for f, deps in enumerate(model.B_dependencies):
            controls = [log.actions[0, k] for k in model.B_action_dependencies[f]]
            expected[f][(b[f], *(a[g] for g in deps), *controls)] += p / total
    counted = {f: learner.counts(Learned("B", f)) for f in expected}
    after = now.observe(now.predict(held, log.actions[0]), rows[1]).beliefs
    learner.update(rows[1], after, held, log.actions[0])
    for f, counts in expected.items():
        assert_allclose(learner.counts(Learned("B", f)) - counted[f], counts, atol=1e-9)


DOCUMENT = """gmn 1.0
agent walker {}
node state room { labels: [left, middle, right] }
node observation sight { labels: [left, middle, right] }
node action push { labels: [back, forth] }
node emission A { from: [room], to: sight, identity, noise: NOISE }
node transition B {
  from: [room, push]
  to: room
  rows: [
    [0.6, 0.3, 0.1], [0.4, 0.5, 0.1], [0.6, 0.3, 0.1], [0.1, 0.4, 0.5], [0.2, 0.6, 0.2],
    [0.1, 0.3, 0.6],
  ]
}
node preference C { on: sight, goals: {right: 1} }
node policy pi { horizon: 1 }
end
"""
#: What the world does instead of the document: its pushes succeed.
TRUE_ROWS = [
    [0.9, 0.05, 0.05], [0.1, 0.85, 0.05], [0.9, 0.05, 0.05], [0.05, 0.1, 0.85], [0.1, 0.85, 0.05],
    [0.05, 0.05, 0.9],
]  # fmt: skip


def walker(noise: float) -> tuple[Compiled, Compiled]:
    """The model of the document, and the world that differs from it."""
    model = validate(DOCUMENT.replace("NOISE", str(noise))).compiled
    assert model is not None
    true = np.array(TRUE_ROWS).reshape(3, 2, 3).transpose(2, 0, 1)
    return model, with_tables(model, {Learned("B", 0): true})


def missed(noise: float, seed: int) -> float:
    """The largest error of an entry after 2,000 steps of random actions."""
    model, world = walker(noise)
    made = fit(model, played(world, 2000, seed, blank=0.0), [Learned("B", 0)])
    assert made.is_settled
    assert made.after.log_likelihood > made.before.log_likelihood
    assert np.all(made.after.counts[Learned("B", 0)].sum(axis=0) > 150)  # visits of each row
    return float(np.abs(made.model.B[0] - world.B[0]).max())


@pytest.mark.parametrize("noise", [0.0, 0.05], ids=["known", "hidden"])
def test_a_perturbed_transition_is_recovered_within_a_twentieth(noise: float) -> None:
    model, world = walker(noise)
    assert np.abs(model.B[0] - world.B[0]).max() >= 0.3
    # The median: in some logs of that length chance alone moves one of 18 entries farther.
    assert np.median([missed(noise, seed) for seed in range(5)]) <= 0.05


def test_an_agent_in_a_world_that_differs_recovers_it_as_it_goes() -> None:
    model, world_model = walker(0.0)
    rng = np.random.default_rng(0)
    world = World(world_model, rng)
    learner = Learner(model, [Learned("B", 0)])
    seen: list[int | None] = list(world.observe())
    held = learner.engine.observe(learner.engine.start(), seen).beliefs
    learner.update(seen, held)
    for _ in range(2000):
        action = model.policies[int(rng.integers(2)), 0]
        world.act(action)
        seen = list(world.observe())
        engine = learner.engine
        after = engine.observe(engine.predict(held, action), seen).beliefs
        learner.update(seen, after, held, action)
        held = after
    assert np.abs(learner.engine.model.B[0] - world_model.B[0]).max() <= 0.05


def test_mean_field_counts_the_product_of_the_marginals() -> None:
    model, _ = walker(0.15)
    learner = Learner(dataclasses.replace(model, inference="mean_field"), all_tables(model))
    engine = learner.engine
    held = engine.observe(engine.start(), [0]).beliefs
    learner.update([0], held)
    after = learner.engine.observe(learner.engine.predict(held, [1]), [1]).beliefs
    counted = learner.counts(Learned("B", 0))
    learner.update([1], after, held, [1])
    grown = learner.counts(Learned("B", 0)) - counted
    assert_allclose(grown[:, :, 1], np.outer(after[0][0], held[0][0]), atol=1e-12)
    assert not grown[:, :, 0].any()


def test_mean_field_counts_no_move_out_of_an_end() -> None:
    model, _ = walker(0.15)
    ends = dataclasses.replace(model, terminal=(np.array([True, False, False]),))
    learner = Learner(dataclasses.replace(ends, inference="mean_field"), all_tables(model))
    engine = learner.engine
    held = engine.observe(engine.start(), [0]).beliefs
    after = engine.observe(engine.predict(held, [1]), [1]).beliefs
    counted = learner.counts(Learned("B", 0))
    learner.update([1], after, held, [1])
    grown = learner.counts(Learned("B", 0)) - counted
    assert grown.sum() == pytest.approx(1.0)
    assert not grown[:, 0].any()


def test_what_a_log_does_after_an_end_is_reported() -> None:
    spec = validate(
        DOCUMENT.replace("NOISE", "0").replace(
            "right] }\nnode obs", "right] terminal: [right] }\nnode obs"
        )
    ).spec
    assert spec is not None
    seen, nothing = np.array([[1], [2], [2], [1]]), np.full((4, 1), -1)
    log = Log(seen, np.ones((4, 1), int), nothing, np.arange(4) == 0, np.arange(2, 6))
    (said,) = [d.message for d in learn(spec, log).findings if "impossible after" in d.message]
    assert "2 rows are impossible after those before them, the first at line 4" in said
    assert "nothing follows a terminal label: begin another episode after it" in said


def test_copies_of_one_row_of_the_document_stay_equal() -> None:
    model, world = walker(0.0)
    rows = np.repeat(model.B[0][:, :1, :], 3, axis=1)
    model = with_tables(model, {Learned("B", 0): rows})
    one = Learned("B", 0, is_repeated=True)
    log = played(world, 200, 1)
    made = fit(model, log, [one])
    assert np.all(np.diff(made.objectives) >= -1e-9)
    table = made.model.B[0]
    assert_allclose(table, np.repeat(table[:, :1], 3, axis=1))
    counts = rows[:, 0] + made.after.counts[Learned("B", 0)].sum(axis=1)
    assert_allclose(table[:, 0], counts / counts.sum(axis=0), atol=1e-4)


def test_what_the_document_rules_out_is_reported_and_not_learned() -> None:
    model, world = walker(0.0)
    rows = world.B[0].copy()
    rows[:, 0, 0] = [0.5, 0.5, 0.0]
    sure = with_tables(model, {Learned("B", 0): rows})
    log = played(world, 400, 3, states=True)
    made = fit(sure, log, [Learned("B", 0)])
    left = (log.states[:-1, 0] == 0) & (log.actions[:-1, 0] == 0) & (log.states[1:, 0] == 2)
    assert list(made.before.broken) == (1 + np.flatnonzero(left)).tolist()
    assert made.model.B[0][2, 0, 0] == 0
    assert np.isfinite(made.after.log_likelihood)


@pytest.mark.parametrize(
    ("value", "freedom"), [(3.8415, 1), (5.9915, 2), (7.8147, 3), (18.307, 10), (19.6751, 11)]
)
def test_the_tail_of_chi_square_is_that_of_the_tables(value: float, freedom: int) -> None:
    assert _chi_square_tail(value, freedom) == pytest.approx(0.05, abs=1e-5)
    assert _chi_square_tail(0.0, freedom) == 1.0
    assert _chi_square_tail(5000.0, freedom) == 0.0


def differing(noise: float, world: Compiled, steps: int, names: list[str], seed: int) -> list[str]:
    """Which rows a log of that world is said to contradict."""
    spec = validate(DOCUMENT.replace("NOISE", str(noise))).spec
    assert spec is not None
    lesson = learn(spec, played(world, steps, seed, blank=0.0), names)
    return [d.message for d in lesson.findings if "likelihood ratio" in d.message]


@pytest.mark.parametrize("names", [["room"], ["sight"], []], ids=["moves", "sensor", "nothing"])
@pytest.mark.parametrize("noise", [0.0, 0.15, 0.45], ids=["known", "0.9", "0.7"])
def test_a_log_drawn_from_the_document_does_not_contradict_it(
    noise: float, names: list[str]
) -> None:
    model, _ = walker(noise)
    # At the level of 0.01 one alarm in these four logs has a probability of 0.04 at most.
    assert [
        found for seed in range(4) if (found := differing(noise, model, 300, names, seed))
    ] == []


@pytest.mark.parametrize("others", [1, 2, 9, 29])
@pytest.mark.parametrize("p", [0.01, 0.02, 0.03])
def test_the_fewest_observations_of_a_row_keep_the_level(others: int, p: float) -> None:
    row = np.array([1 - others * p, *[p] * others])
    rng = np.random.default_rng(7)
    drawn = rng.multinomial(5 * len(row), row, size=4000).astype(float)
    found = [_p_value(row, seen) for seen in drawn]
    assert np.mean([one is not None and one < 0.01 for one in found]) < 0.016


@pytest.mark.parametrize("noise", [0.0, 0.15, 0.3])
def test_rows_that_are_off_by_a_third_are_found_in_two_thousand_steps(noise: float) -> None:
    _, world = walker(noise)
    for names in (["room"], []):
        found = differing(noise, world, 2000, names, 0)
        assert any(words.startswith("transition of room: row (room=left") for words in found)


def test_an_agent_in_simulate_learns_what_its_document_marks() -> None:
    model, _ = walker(0.15)
    learns = dataclasses.replace(model, learned=(Learned("B", 0, 0.5),))
    plain, learned = (simulate(m, steps=30, seed=4) for m in (model, learns))
    # Both meet the same first step; later the learner's beliefs follow what it has counted.
    assert plain.steps[0] == learned.steps[0]
    assert plain.steps != learned.steps
    assert learned == simulate(learns, steps=30, seed=4)
    assert np.array_equal(learns.B[0], model.B[0])
