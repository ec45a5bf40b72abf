"""Plans by tables that are made once are worth what going step by step gives."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from unittest.mock import patch

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

from benchmarks.bench_engine import factors, grid, model_of
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.engine import ahead
from orchestrator.gmn.engine.arrays import Means, product
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.exact import OFTEN
from orchestrator.types.work import allowance
from tests.gmn.test_plans import whole_models
from tests.support.examples import share_of

LIBRARY = sorted((Path(__file__).parents[2] / "prompts" / "library").glob("*.gmn"))


def looking(model: Compiled, steps: int) -> Compiled:
    """The model, which looks so many steps ahead."""
    joint = list(itertools.product(*(range(v.n) for v in model.actions)))
    plans = np.array(list(itertools.product(joint, repeat=steps)), dtype=np.int64)
    habits = np.full(len(plans), 1 / len(plans))
    return dataclasses.replace(model, horizon=steps, policies=plans, E=habits)


def beliefs_of(engine: Engine, count: int, seed: int = 0) -> tuple[object, ...]:
    """A batch of so many random beliefs."""
    rng = np.random.default_rng(seed)
    sizes = [v.n for v in engine.model.states]
    return engine.from_marginals([rng.dirichlet(np.ones(n), count) for n in sizes])


def agree(model: Compiled, most: int) -> None:
    """Tables of at most so many numbers serve no, some or all of the steps."""
    whole = Engine(model)
    batch = beliefs_of(whole, OFTEN + 1)
    with patch.object(ahead, "NUMBERS", most):
        assert_allclose(Engine(model).plan_many(batch)[0], whole.plan_many(batch)[0], atol=1e-9)


@settings(max_examples=share_of(40), deadline=None)
@given(whole_models(), st.integers(1, 3), st.sampled_from([0, 30, 100]))
def test_plans_by_tables_are_those_step_by_step(model: Compiled, steps: int, most: int) -> None:
    agree(looking(model, steps), most)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_plans_of_curated_models_are_those_step_by_step(path: Path) -> None:
    model = model_of(path.read_text(encoding="utf-8"))
    for most in (0, 2000):
        agree(model, most)


@pytest.mark.parametrize("text", [grid(20), factors(4)], ids=["400 cells", "4 factors"])
def test_a_thousand_plans_are_bounded_in_work(text: str) -> None:
    engine = Engine(model_of(text))
    batch = beliefs_of(engine, 1000)
    with allowance(4_000_000):
        engine.plan_many(batch)


def test_few_plans_make_no_tables_and_are_worth_the_same() -> None:
    model = model_of(grid(3))
    often, seldom = Engine(model), Engine(model)
    batch = beliefs_of(often, OFTEN + 1)
    each = [seldom.plan_many(seldom.some(batch, slice(i, i + 1)))[0] for i in range(OFTEN + 1)]
    assert_allclose(often.plan_many(batch)[0], np.concatenate(each), atol=1e-12)


def test_without_information_nothing_is_left_of_what_was_made_with_it() -> None:
    model = model_of(grid(3))
    engine = Engine(model)
    batch = beliefs_of(engine, OFTEN + 1)
    engine.plan_many(batch)
    quiet = Engine(dataclasses.replace(model, info_gain=False))
    found = engine.without_information().plan_many(batch)[0]
    assert_allclose(found, quiet.plan_many(batch)[0], atol=1e-12)


@settings(max_examples=share_of(30), deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_a_product_in_tiles_is_the_product(rows: int, states: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    left, right = rng.random((rows, states)), rng.random((states, columns))
    assert_allclose(product(left, right), left @ right, rtol=1e-12)


@settings(deadline=None)
@given(st.integers(64, 200), st.sampled_from([-2.0, 0.0, 1e-300, 0.25]), st.integers(0, 9))
def test_means_of_what_is_nearly_the_same_everywhere_are_exact(
    size: int, common: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    table = np.full((size, size), common) * (1 + 1e-16 * rng.random((size, size)))
    table[np.arange(size), rng.permutation(size)] += rng.random(size)
    beliefs = rng.dirichlet(np.ones(size), 3)
    means = Means(table)
    assert means.numbers < table.size
    assert_allclose(means(beliefs), beliefs @ table, atol=1e-13)
