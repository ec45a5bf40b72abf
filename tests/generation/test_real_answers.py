"""What a real small model wrote, word by word: the loop judges it, ends, and asks for no more room
than it is worth.

Recorded from SmolLM2-135M behind llama-cpp-python's server. By kind: ``text`` asked for block text,
``json`` under a grammar of any JSON, ``strict`` under that of the schema without bounds,
``bounded`` with them, ``patch`` under that of a JSON Patch with bounds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.config.paths import shipped
from orchestrator.generation.answers import evaluate_answer
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.loop import refine
from orchestrator.generation.prompts import Prompts
from orchestrator.generation.state import Bounds
from orchestrator.gmn.formats.bounded import bounded_patch, bounded_schema
from orchestrator.parsing.endings import is_getting_on
from orchestrator.parsing.json_reader import is_json
from orchestrator.types.errors import InvalidOutputError
from orchestrator.types.requests import Answer, Description, OutputMode, Request, Usage
from orchestrator.types.run_context import RunContext
from tests.support.scripted import Scripted

pytestmark = pytest.mark.may_block  # templates are read from disk
RECORDED = Path(__file__).parents[1] / "support" / "smollm2.jsonl"
ANSWERS: list[dict[str, Any]] = [
    json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()
]
PROMPTS = Prompts(shipped("prompts", "templates"))
SCHEMAS = {"bounded": bounded_schema(), "patch": bounded_patch()}


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [one for one in ANSWERS if one["kind"] in kinds]


def name_of(one: dict[str, Any]) -> str:
    return f"{one['kind']}-{one['sentence'][:24]}"


def answer_of(one: dict[str, Any]) -> Answer:
    usage = Usage(one["prompt_tokens"], one["completion_tokens"])
    return Answer(one["text"], one["finish"], usage=usage, cost_usd=0.0, billed_usd=0.0)


def first_request(one: dict[str, Any]) -> Request:
    mode = OutputMode.PROMPT if one["kind"] == "text" else OutputMode.JSON_SCHEMA
    rendered = PROMPTS.generate(one["sentence"], agent_type="general", mode=mode)
    return Request(
        rendered.messages, "small", {"max_tokens": one["most"]}, mode=mode,
        description=Description(one["sentence"]),
    )  # fmt: skip


@pytest.mark.parametrize("one", ANSWERS, ids=name_of)
async def test_a_model_that_says_the_same_again_ends_the_loop(one: dict[str, Any]) -> None:
    script = Scripted(*[answer_of(one)] * 4)
    contract = GMNContract(asked=Description(one["sentence"]))
    with pytest.raises(InvalidOutputError) as caught:
        await refine(
            first_request(one), completer=script, contract=contract, follow_ups=PROMPTS,
            bounds=Bounds(4), context=RunContext(),
        )  # fmt: skip
    assert 2 <= len(script.asked) <= 4
    assert [a.answer.text for a in caught.value.attempts] == [one["text"]] * len(script.asked)
    rooms = [asked.max_tokens or 0 for asked in script.asked]
    assert max(rooms) <= one["most"] * (4 if is_getting_on(one["text"]) else 1)


@pytest.mark.parametrize("one", of_kind("bounded", "patch"), ids=name_of)
def test_a_whole_answer_under_a_bounded_grammar_fulfils_the_bounds(one: dict[str, Any]) -> None:
    if one["finish"] != "stop":
        assert not is_json(one["text"])
        return
    jsonschema.validate(json.loads(one["text"]), SCHEMAS[one["kind"]])


@pytest.mark.parametrize("one", ANSWERS, ids=name_of)
def test_its_verdict_is_one_of_those_that_have_an_answer(one: dict[str, Any]) -> None:
    evaluation = evaluate_answer(GMNContract(), answer_of(one))
    assert evaluation.kind in ("unparsed", "truncated", "faulty", "empty", "schema_echo", "refusal")
    assert evaluation.report.errors or evaluation.kind == "truncated"
