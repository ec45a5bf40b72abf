"""The embedded provider answers what a request describes, however the templates word it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.paths import shipped
from orchestrator.config.settings import Config
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.loop import refine
from orchestrator.generation.prompts import Prompts
from orchestrator.generation.request_building import initial_request
from orchestrator.generation.state import Bounds
from orchestrator.gmn.examples import load
from orchestrator.gmn.model import GMNSpec
from orchestrator.models.deployments import deployments_of
from orchestrator.routing.attempts import Trace
from orchestrator.routing.offline.completer import EmbeddedCompleter
from orchestrator.routing.offline.litellm_adapter import completed
from orchestrator.types.requests import Description, Generation, OutputMode, Request
from orchestrator.types.run_context import RunContext
from tests.support.documents import GOOD, swapped
from tests.support.scripted import Scripted

WRONG_ROW = swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[0.8, 0.1, 0.5], [0.1, 0.8")
GRID = Description("a careful walker on a 3x4 grid", "explorer", {"max_horizon": 2})
CONTRACT = GMNContract()
CONFIG = Config.load(None, {})
load(shipped("prompts", "library"))  # now, so that no answer reads the disk


@pytest.fixture(params=["as shipped", "every heading renamed"])
def prompts(request: pytest.FixtureRequest, tmp_path: Path) -> Prompts:
    for path in shipped("prompts", "templates").glob("*.j2"):
        text = path.read_text(encoding="utf-8")
        if request.param != "as shipped":
            text = re.sub(r"^[A-Z][\w ]*:", "Something else:", text, flags=re.MULTILINE)
            text = text.replace('"""', "~~~").replace("```", "~~~").replace("JSON Patch", "list")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    made = Prompts(tmp_path)
    made.load()
    return made


def question(prompts: Prompts, description: Description) -> Request:
    """The initial request, rendered as the client renders it."""
    rendered = (
        prompts.feedback(description.document, description.feedback)
        if description.document
        else prompts.generate(
            description.sentence, agent_type=description.agent_type, mode=OutputMode.PROMPT,
            constraints=description.constraints, examples=[GOOD],
        )
    )  # fmt: skip
    return initial_request(
        rendered, "default", CONTRACT, settings=CONFIG.orchestrator, cache=None,
        description=description,
    )  # fmt: skip


async def refined(
    prompts: Prompts, first: Request, *wrong: str, changes: bool = False
) -> Generation[GMNSpec]:
    """The loop over `wrong` answers first, and the embedded provider's afterwards."""
    script = Scripted(*wrong, *[lambda request: completed(request)[0]] * (4 - len(wrong)))
    return await refine(
        first, completer=script, contract=CONTRACT, follow_ups=prompts, context=RunContext(),
        bounds=Bounds(),
        base_document=CONTRACT.evaluate_source(GOOD) if changes else None,
    )  # fmt: skip


async def test_a_description_is_answered_whatever_the_templates_say(prompts: Prompts) -> None:
    records: list[Trace] = []
    (one,) = deployments_of(CONFIG, {}).ready
    answer = await EmbeddedCompleter(one, records.append).complete(
        question(prompts, GRID), RunContext()
    )
    spec = CONTRACT.evaluate(answer.text).value
    assert spec is not None
    assert (spec.states[0].shape, spec.agent_type, spec.policy.horizon) == ((3, 4), "explorer", 2)
    assert spec.meta("prompt") == GRID.sentence
    assert (answer.provider, answer.cost_usd, len(records)) == ("offline", 0.0, 1)


async def test_rewrites_and_fresh_samples_are_answered_with_the_document(prompts: Prompts) -> None:
    made = await refined(prompts, question(prompts, GRID), "I would rather talk about cats")
    assert [attempt.purpose for attempt in made.attempts] == ["generate", "rewrite"]
    assert made.spec.states[0].shape == (3, 4)


async def test_a_faulty_document_gets_a_patch_of_itself(prompts: Prompts) -> None:
    made = await refined(prompts, question(prompts, GRID), WRONG_ROW)
    purposes = [attempt.purpose for attempt in made.attempts]
    assert purposes == ["generate", "patch", "patch", "rewrite"]  # notes alone change nothing
    patched = made.attempts[1]
    assert "/metadata" in patched.answer.text
    assert patched.request.description is not None
    assert "place" in patched.request.description.feedback


@pytest.mark.parametrize("wrong", [[], ["no patch at all"], ['[{"op": "remove", "path": "/no"}]']])
async def test_feedback_is_followed_also_when_it_is_asked_again(
    prompts: Prompts, wrong: list[str]
) -> None:
    document = CONTRACT.name_keyed(CONTRACT.evaluate_source(GOOD))
    first = question(prompts, Description(document=document, feedback="horizon 3"))
    made = await refined(prompts, replace(first, purpose="patch"), *wrong, changes=True)
    assert made.spec.policy.horizon == 3
    assert len(made.attempts) == 1 + len(wrong)
