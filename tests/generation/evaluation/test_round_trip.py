"""An evaluation says how much of the prompts is in their models, and which models come back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client.orchestrator import Orchestrator
from orchestrator.generation.evaluation.evaluate import Case, CaseResult, evaluate, score, worse
from orchestrator.generation.evaluation.round_trip import acts_alike
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.types.requests import Usage
from tests.support.documents import GOOD, swapped
from tests.support.wire import WireServer, configured


def spec(text: str = GOOD) -> GMNSpec:
    found = validate(text).spec
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "is_alike"),
    [
        (GOOD, True),
        (swapped("agent walker", "agent other"), True),
        (swapped("values: [0, 1, 3]", "values: [3, 1, 0]"), False),
        (swapped("labels: [a, b, c]", "labels: [a, b, d]"), False),
    ],
)
def test_two_models_act_alike_when_they_do_the_same_in_the_same_world(
    text: str, is_alike: bool
) -> None:
    assert acts_alike(spec(), spec(text)) is is_alike


def result(fits: float | None, came_back: bool | None = None) -> CaseResult:
    return CaseResult(Case(prompt="x"), 1, 1, True, True, Usage(), 0.0, "", fits, came_back)


def test_fits_is_a_mean_over_the_prompts_that_commit_to_something() -> None:
    made = score([result(1.0, True), result(0.5, False), result(None)])
    assert (made.fits, made.round_trip) == (0.75, 0.5)
    assert score([result(None)]).fits is None
    assert worse(score([result(0.5)]), score([result(1.0)])) == ["fits: 50%, before 100%"]


def test_a_model_is_generated_again_from_its_explanation_on_demand(
    wire: WireServer, tmp_path: Path
) -> None:
    wire.plan("m", f"{GOOD}end\n", f"{GOOD}end\n")
    config = configured(
        wire.base, "m", generation={"mode": "prompt"}, cache={"mode": "off"},
        ledger={"directory": str(tmp_path)},
    )  # fmt: skip

    async def evaluated() -> tuple[CaseResult, ...]:
        async with Orchestrator(config) as orc:
            generate: Any = orc.generate_gmn
            cases = [Case(prompt="a walker who must reach c, with seven doors")]
            return await evaluate(generate, cases, is_round_trip=True)

    (one,) = asyncio.run(evaluated())
    assert (one.fits, one.round_trip) == (0.5, True)
    assert "It can choose go" in str(wire.requests[1])
    assert replace(one, round_trip=None) != one
