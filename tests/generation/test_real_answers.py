"""What a real small model wrote, word by word: the loop reads it or refuses it with a reason, ends,
and asks for no more room than it is worth.

Recorded from SmolLM2-135M by `tests/local_llm/record.py`; the last eleven, which are longer, are
from an earlier run. By kind: ``text`` was asked for block text, ``json`` under a grammar of any
JSON, ``strict`` under that of the schema without bounds, ``bounded`` with them, ``tool`` as a call
under the same, ``patch`` under that of a JSON Patch; ``choice`` and ``shape`` under small schemas;
``…_in_words`` without a grammar; ``circle`` at length where nothing counts against repetition.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from orchestrator.config.paths import shipped
from orchestrator.generation.answers import evaluate_answer
from orchestrator.generation.contract import contract_of
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.loop import refine
from orchestrator.generation.prompts import Prompts
from orchestrator.generation.staged.question import ClosedQuestion
from orchestrator.generation.state import Bounds
from orchestrator.gmn.formats.bounded import bounded_patch, bounded_schema
from orchestrator.gmn.validate import validate
from orchestrator.parsing.endings import is_getting_on, is_looping
from orchestrator.parsing.json_reader import is_json
from orchestrator.routing.offline.litellm_adapter import estimated_tokens
from orchestrator.routing.prices import written_tokens
from orchestrator.types.errors import InvalidOutputError
from orchestrator.types.requests import Answer, Description, OutputMode, Request, Usage
from orchestrator.types.run_context import RunContext
from tests.local_llm.record import BROKEN, RECORDED
from tests.support.scripted import Scripted, said
from tests.support.shapes import SHAPES

pytestmark = pytest.mark.may_block  # templates are read from disk
ANSWERS: list[dict[str, Any]] = [
    json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()
]
PROMPTS = Prompts(shipped("prompts", "templates"))
SCHEMAS = {"bounded": bounded_schema(), "tool": bounded_schema(), "patch": bounded_patch()}
NO_DOCUMENT = ("unparsed", "truncated", "faulty", "empty", "schema_echo", "refusal")
AT_LEAST = 40  # tokens, of which an estimate says something


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    found = [one for one in ANSWERS if one["kind"] in kinds]
    assert {one["kind"] for one in found} == set(kinds)
    return found


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


DOCUMENTS = of_kind("text", "bounded", "strict", "json", "tool", "circle", "talk")


def test_there_are_answers_of_every_kind() -> None:
    assert len(ANSWERS) >= 110
    assert RECORDED.stat().st_size < 200_000


@pytest.mark.parametrize("one", DOCUMENTS, ids=name_of)
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
    # What the caller reads says why it ended, and of every answer what is wrong with it and where.
    assert caught.value.reason in str(caught.value)
    for attempt in caught.value.attempts:
        assert attempt.evaluation.kind in NO_DOCUMENT
        assert not attempt.evaluation.is_accepted
        errors = attempt.evaluation.report.errors
        is_of_all = {found.code for found in errors} & {"ANSWER", "GMN009", "GMN806"}
        assert is_of_all or any(found.place or found.pointer for found in errors)
        assert all(found.message for found in errors)


@pytest.mark.parametrize("one", of_kind("bounded", "tool", "patch"), ids=name_of)
def test_a_whole_answer_under_a_bounded_grammar_fulfils_the_bounds(one: dict[str, Any]) -> None:
    if not is_json(one["text"]):
        # This server says of a call that it is whole, also where it was cut off.
        assert one["finish"] == ("tool_calls" if one["kind"] == "tool" else "length")
        assert evaluate_answer(GMNContract(), answer_of(one)).kind == "truncated"
        return
    jsonschema.validate(json.loads(one["text"]), SCHEMAS[one["kind"]])


@pytest.mark.parametrize("one", of_kind("tool"), ids=name_of)
async def test_a_call_that_was_cut_off_gets_more_room(one: dict[str, Any]) -> None:
    script = Scripted(answer_of(one), answer_of(one))
    with pytest.raises(InvalidOutputError):
        await refine(
            first_request(one), completer=script, contract=GMNContract(), follow_ups=PROMPTS,
            bounds=Bounds(2), context=RunContext(),
        )  # fmt: skip
    assert [asked.max_tokens for asked in script.asked] == [one["most"], 2 * one["most"]]


@pytest.mark.parametrize("one", of_kind("patch", "patch_in_words"), ids=name_of)
async def test_what_answers_a_fault_mends_it_or_leaves_the_document_as_it_was(
    one: dict[str, Any],
) -> None:
    broken = BROKEN[one.get("of", "row")]
    script = Scripted(said(broken), *[answer_of(one)] * 3)
    request = first_request({**one, "kind": "text"})
    try:
        made = await refine(
            request, completer=script, contract=GMNContract(), follow_ups=PROMPTS,
            bounds=Bounds(4), context=RunContext(),
        )  # fmt: skip
    except InvalidOutputError as error:
        best, text = error.best, ""
    else:
        best, text = made.attempts[-1], made.text
    assert best is not None
    assert validate(text).report.is_valid is best.evaluation.is_accepted is bool(text)
    assert bool(best.evaluation.report.errors) is not bool(text)


@pytest.mark.parametrize("one", of_kind("choice", "choice_in_words"), ids=name_of)
def test_a_choice_is_among_those_offered_and_was_said(one: dict[str, Any]) -> None:
    slots = {key: (name, tuple(choices)) for key, (name, choices) in one["slots"].items()}
    question = ClosedQuestion("", one["asked"], slots)
    found = question.read(one["text"])
    assert found.keys() <= slots.keys()
    assert all(choice in slots[key][1] and choice in one["text"] for key, choice in found.items())
    if one["kind"] == "choice":  # under a grammar every slot has one, in little room
        assert json.loads(one["text"]) == {name: found[key] for key, (name, _) in slots.items()}
        assert one["completion_tokens"] < question.most_tokens


def test_what_a_model_repeats_of_a_question_is_not_its_choice() -> None:
    repeating = [
        one for one in of_kind("choice_in_words") if "what it does changes" in one["text"].lower()
    ]
    assert len(repeating) == 2
    for one in repeating:
        (key,) = one["slots"]
        question = ClosedQuestion("", one["asked"], {key: tuple(one["slots"][key])})
        assert question.read(one["text"]) == {}


@pytest.mark.parametrize("one", of_kind("shape", "shape_tool", "shape_in_words"), ids=name_of)
def test_a_small_object_is_accepted_where_it_is_whole_and_fits(one: dict[str, Any]) -> None:
    shape = SHAPES[one["sentence"]]
    evaluation = evaluate_answer(contract_of(shape), answer_of(one))
    try:
        value = json.loads(one["text"], strict=False)  # with line breaks in its strings
        wanted = shape.model_validate(value, strict=True)
    except ValueError:
        wanted = None
    assert evaluation.value == wanted
    assert evaluation.is_accepted is (wanted is not None)
    assert all(found.message for found in evaluation.report.errors)
    assert bool(evaluation.report.errors) is (wanted is None)


def test_what_goes_round_in_circles_is_recognised_and_nothing_else_is() -> None:
    for one in of_kind("circle"):
        is_lost = is_looping(one["text"], is_cut_off=True) or not is_getting_on(one["text"])
        assert is_lost, one["sentence"]
    others = [one for one in ANSWERS if one["kind"] != "circle"]
    assert [name_of(one) for one in others if is_looping(one["text"], is_cut_off=True)] == []
    assert [name_of(one) for one in others if not is_getting_on(one["text"])] == []


def test_estimates_of_tokens_are_near_the_servers_own_count() -> None:
    pairs = [
        (estimated_tokens(one["text"]), one["completion_tokens"])
        for one in ANSWERS
        if one["completion_tokens"] >= AT_LEAST and one["text"].isascii()
    ]
    near = [0.8 <= estimated / counted <= 1.2 for estimated, counted in pairs]
    assert sum(near) / len(near) >= 0.8
    together = sum(estimated for estimated, _ in pairs) / sum(counted for _, counted in pairs)
    assert 0.9 <= together <= 1.1


def streamed(pieces: list[str]) -> list[Any]:
    """The parts of a call as llama-cpp-python streams them: each with its id and its name."""
    parts = []
    for piece in pieces:
        function = SimpleNamespace(name="answer", arguments=piece)
        call = SimpleNamespace(index=0, id="call__0_answer_cmpl-1", type="function")
        call.function = function
        delta = SimpleNamespace(content=None, tool_calls=[call])
        parts.append(SimpleNamespace(choices=[SimpleNamespace(index=0, delta=delta)]))
    return parts


def test_a_streamed_call_is_estimated_by_its_arguments_alone() -> None:
    calls = of_kind("tool", "shape_tool")
    estimated = [written_tokens(streamed(one["pieces"])) for one in calls]
    assert all(
        abs(guess - len(one["pieces"])) <= 0.2 * len(one["pieces"]) + 4
        for guess, one in zip(estimated, calls, strict=True)
    )
    assert 0.8 <= sum(estimated) / sum(len(one["pieces"]) for one in calls) <= 1.2
