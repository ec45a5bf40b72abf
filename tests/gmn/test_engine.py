"""Compile and engine: layout, inference, planning, and episodes that repeat."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.compile import Compiled, compile_spec, joint_size
from orchestrator.gmn.engine.choice import choose
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.formats import coerce, read
from orchestrator.gmn.model import GMNSpec
from orchestrator.types.errors import GMNError
from tests.support.documents import GOOD, plus, swapped, without

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"


def spec_of(text: str) -> GMNSpec:
    tree = read(text).tree
    assert tree is not None
    spec = coerce(tree).spec
    assert spec is not None
    return spec


def model_of(text: str) -> Compiled:
    return compile_spec(spec_of(text))


def test_parents_are_laid_out_states_first_whatever_the_order_given() -> None:
    one = model_of(GOOD)
    other = model_of(swapped("from: [go, pos]", "from: [pos, go]"))
    assert one.B[0].shape == (3, 3, 3)
    np.testing.assert_array_equal(one.B[0], other.B[0])
    assert one.B[0][1, 0, 2] == 1.0  # next=b from a by going right


def test_a_state_that_ignores_its_past_gets_a_self_axis() -> None:
    text = swapped(
        "from: [go, pos] to: pos shift moves: {left: [-1], stay: [0], right: [1]}",
        "from: [go] to: pos map: [a, b, c]",
    )
    b = model_of(text).B[0]
    assert b.shape == (3, 3, 3)
    np.testing.assert_array_equal(b[:, 0], b[:, 2])


def test_missing_tables_mean_static_and_uniform() -> None:
    model = model_of(without("node belief", without("node transition")))
    np.testing.assert_array_equal(model.B[0], np.eye(3))
    np.testing.assert_allclose(model.D[0], 1 / 3)
    assert model.B_action_dependencies == ((),)


def test_a_model_without_actions_has_the_one_action_none() -> None:
    model = model_of(without("node action", without("node transition")))
    assert [a.name for a in model.actions] == ["none"]
    assert model.policies.shape == (1, 2, 1)
    assert simulate(model, steps=2, seed=0).steps[0].action == {"none": "none"}


def test_preferences_on_one_target_add_up_and_globs_reach_all() -> None:
    model = model_of(plus("node preference C2 { on: place goals: {*: 1, a: 2} }"))
    assert model.C[0].tolist() == [3.0, 2.0, 4.0]


def test_habits_weigh_policies_as_a_product_over_time() -> None:
    model = model_of(swapped("gamma: 8", "gamma: 8 habit: {go: [0, 1, 3]}"))
    weights = [(0.0, 0.25, 0.75)[i] * (0.0, 0.25, 0.75)[j] for i, j in model.policies[:, :, 0]]
    np.testing.assert_allclose(model.E, weights)
    posterior = Engine(model).policy_posterior(np.zeros(9))
    np.testing.assert_allclose(posterior, model.E, rtol=1e-12)


@pytest.mark.parametrize("selection", ["deterministic", "stochastic", "contingent"])
def test_a_habit_of_weight_0_forbids_an_action_whatever_it_would_gain(selection: str) -> None:
    text = swapped("gamma: 8", f"gamma: 8 selection: {selection} habit: {{go: [1, 1, 0]}}")
    model = model_of(text.replace("values: [0, 1, 3]", "values: [0, 1, 300]"))
    run = simulate(model, steps=9, seed=0)
    assert {step.action["go"] for step in run.steps} <= {"left", "stay"}
    right = 2 if selection == "contingent" else slice(6, 9)
    for number, step in enumerate(run.steps, start=1):
        assert step.choice is not None
        assert step.choice.first[2] == 0
        assert np.all(step.choice.posterior[right] == 0)
        assert "right" not in str(run.why(number)).split("It expects")[0]


def test_nor_does_a_contingent_plan_count_on_it_later() -> None:
    """To go left is worth nothing where `right` may never follow."""
    text = swapped("gamma: 8", "gamma: 8 selection: contingent info_gain: false")
    barred = text.replace("info_gain", "habit: {go: [1, 1, 0]} info_gain")
    place = (
        text.replace("rows: [[0.5, 0.3, 0.2]]", "map: [a]"),
        barred.replace("rows: [[0.5, 0.3, 0.2]]", "map: [a]"),
    )
    free, held = (Engine(model_of(one)) for one in place)
    assert free.negative_expected_free_energy(free.start())[1] > 0.5
    assert held.negative_expected_free_energy(held.start())[1] == pytest.approx(
        held.model.C[0] @ held.model.A[0][:, 0] * 2
    )


def test_a_small_weight_is_as_small_over_many_steps_and_forbids_nothing() -> None:
    model = model_of(swapped("horizon: 2 gamma: 8", "horizon: 6 habit: {go: [1e-4, 1, 1e-4]}"))
    posterior = Engine(model).policy_posterior(np.zeros(3**6))
    assert posterior[0] == pytest.approx(1e-24, rel=1e-2)
    tiny = model_of(swapped("horizon: 2 gamma: 8", "horizon: 2 habit: {go: [1e-300, 1, 0]}"))
    assert (tiny.E > 0).tolist() == [True, True, False, True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (without("node state"), "no state"),
        (without("node observation"), "no observation"),
        (without("node emission"), "no likelihood"),
        (swapped("from: [pos] to: place", "from: [go] to: place"), "depends on an action"),
        (plus("node belief D2 { about: pos uniform }"), "2 tables"),
        (swapped("about: pos rows: [[0.5, 0.3, 0.2]]", "about: pos from: [pos] identity"),
         "must not have parents"),
        (swapped("[0.5, 0.3, 0.2]", "[0.5, 0.3, 0.3]"), "not a distribution"),
        (swapped("values: [0, 1, 3]", "values: [0, 1]"), "2 utilities"),
        (swapped("values: [0, 1, 3]", "goals: {z: 1}"), "not a value of place"),
        (swapped("gamma: 8", "gamma: 8 habit: {go: [1]}"), "does not fit an action"),
        (swapped("gamma: 8", "gamma: 8 habit: {go: [0, 0, 0]}"), "not all 0"),
        (swapped("about: pos rows: [[0.5, 0.3, 0.2]]", "about: pos map: [q]"), "not in pos"),
        (swapped("from: [pos] to: place", "from: [place] to: place"), "neither state nor action"),
    ],
)  # fmt: skip
def test_what_cannot_be_compiled_says_why(text: str, why: str) -> None:
    with pytest.raises(GMNError, match=why):
        model_of(text)


def test_inference_is_bayes_rule_for_one_factor() -> None:
    model = model_of(GOOD)
    engine = Engine(model)
    (belief,) = engine.marginals(engine.observe(engine.start(), [1]).beliefs)
    expected = model.A[0][1] * model.D[0]
    np.testing.assert_allclose(belief, expected / expected.sum(), atol=1e-12)


def test_an_unobserved_modality_leaves_the_prior_alone() -> None:
    model = model_of(GOOD)
    engine = Engine(model)
    (belief,) = engine.marginals(engine.observe(engine.start(), [None]).beliefs)
    np.testing.assert_allclose(belief, model.D[0], atol=1e-12)


def test_an_impossible_observation_index_is_refused() -> None:
    model = model_of(GOOD)
    with pytest.raises(ValueError, match="GMN903"):
        Engine(model).observe(Engine(model).start(), [3])


def test_numbers_that_add_up_beyond_a_float_are_refused_before_they_run() -> None:
    with pytest.raises(GMNError, match="more than a float can hold"):
        model_of(swapped("gamma: 8", "gamma: 1e308"))
    model = model_of(swapped("gamma: 8", "gamma: 8 habit: {go: [1e308, 1e308, 0]}"))
    assert np.all(np.isfinite(model.E))
    assert model.E.sum() == pytest.approx(1)


def test_free_energy_over_policies_equals_the_sum_over_their_steps() -> None:
    engine = Engine(model_of((LIBRARY / "tmaze.gmn").read_text()))
    efe = engine.negative_expected_free_energy(engine.start())
    policies = engine.model.policies
    one = Engine(dataclasses.replace(engine.model, horizon=1, policies=policies[:4, -1:, :]))
    for index in (0, 5, 11, 15):
        beliefs, total = engine.start(), 0.0
        for action in policies[index]:
            total += one.negative_expected_free_energy(beliefs)[int(action[0])]
            beliefs = engine.predict(beliefs, action)
        assert efe[index] == pytest.approx(total, abs=1e-9)


def test_without_information_gain_only_utility_counts() -> None:
    model = dataclasses.replace(model_of((LIBRARY / "tmaze.gmn").read_text()), info_gain=False)
    engine = Engine(model)
    efe = engine.negative_expected_free_energy(engine.start())
    assert choose(engine, engine.start(), np.random.default_rng(0)).action.tolist() == [0]
    assert efe.max() == pytest.approx(0.0, abs=1e-9)


def test_equal_seeds_give_equal_episodes_and_other_seeds_others() -> None:
    model = model_of(GOOD)
    assert simulate(model, steps=8, seed=5) == simulate(model, steps=8, seed=5)
    assert simulate(model, steps=8, seed=5) != simulate(model, steps=8, seed=6)
    with pytest.raises(ValueError, match="at least 1"):
        simulate(model, steps=0, seed=0)


def test_stochastic_selection_samples_the_posterior() -> None:
    text = swapped("gamma: 8", "gamma: 0.1 selection: stochastic")
    actions = {simulate(model_of(text), steps=1, seed=s).steps[0].action["go"] for s in range(30)}
    assert len(actions) == 3


def test_the_t_maze_agent_looks_at_the_cue_and_then_takes_the_right_arm() -> None:
    model = model_of((LIBRARY / "tmaze.gmn").read_text())
    for seed in range(5):
        steps = simulate(model, steps=3, seed=seed).steps
        assert steps[0].action == {"go": "cue"}
        side = steps[1].observation["hint"].removeprefix("says_")
        assert steps[1].action == {"go": side}


def test_joint_sizes_are_products_in_whole_numbers() -> None:
    assert joint_size(model_of(GOOD).states) == 3
