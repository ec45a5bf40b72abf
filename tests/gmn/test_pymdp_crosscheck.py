"""Beliefs and expected free energy, step by step, against pymdp 1.0.4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.pymdp import cross_check, to_pymdp
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError, MissingExtraError
from tests.support.documents import SHARED

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"
NAMES = sorted(path.stem for path in LIBRARY.glob("*.gmn"))

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
        with pytest.raises(MissingExtraError, match=r"GMN902.*pip install .*\[pymdp\]"):
            to_pymdp(compiled(SHARED))


def test_a_preferred_hidden_state_is_refused_rather_than_approximated() -> None:
    with pytest.raises(GMNError, match="hidden state"):
        to_pymdp(compiled(STATE_UTILITY))


@pytest.mark.pymdp
@pytest.mark.filterwarnings("ignore")  # JAX and equinox warn about their own deprecations
@pytest.mark.parametrize("name", sorted(sources()))
def test_beliefs_and_free_energy_agree_with_pymdp(name: str) -> None:
    pytest.importorskip("pymdp", reason="the extra 'pymdp' is not installed: make test-pymdp")
    assert cross_check(compiled(sources()[name])) == ()


@pytest.mark.pymdp
@pytest.mark.filterwarnings("ignore")  # JAX and equinox warn about their own deprecations
def test_state_utility_adds_exactly_its_expected_value() -> None:
    pytest.importorskip("pymdp", reason="the extra 'pymdp' is not installed: make test-pymdp")
    import dataclasses

    model = compiled(STATE_UTILITY)
    without = dataclasses.replace(model, V=tuple(np.zeros_like(v) for v in model.V))
    assert cross_check(without) == ()
    engine, other = Engine(model), Engine(without)
    total = engine.negative_expected_free_energy(engine.start())
    base = other.negative_expected_free_energy(other.start())
    for index, policy in enumerate(model.policies):
        beliefs, gained = engine.start(), 0.0
        for action in policy:
            beliefs = engine.predict(beliefs, action)
            gained += sum(
                float(q @ v) for q, v in zip(engine.marginals(beliefs), model.V, strict=True)
            )
        assert total[index] - base[index] == pytest.approx(gained, abs=1e-9)


@pytest.mark.pymdp
@pytest.mark.filterwarnings("ignore")  # JAX and equinox warn about their own deprecations
def test_a_difference_is_told_with_its_step_and_its_size() -> None:
    pytest.importorskip("pymdp", reason="the extra 'pymdp' is not installed: make test-pymdp")
    told = cross_check(compiled(SHARED), steps=1, scale=0.0)
    assert {d.code for d in told} == {"GMN905"}
    assert "step 1: belief differs from pymdp by" in told[0].message
