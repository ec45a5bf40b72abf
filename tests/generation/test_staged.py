"""Staged mode: closed questions from which code writes a document that is valid and runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import InvalidOutputError, Orchestrator
from orchestrator.config.paths import shipped
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.loop import refine
from orchestrator.generation.prompts import Prompts
from orchestrator.generation.staged.question import ClosedQuestion
from orchestrator.generation.staged.sheet import read_sheet
from orchestrator.generation.staged.staging import Staging
from orchestrator.generation.state import Bounds
from orchestrator.gmn.model import GMNSpec
from orchestrator.types.errors import ContextWindowExceededError
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Description, Generation, OutputMode, Request
from orchestrator.types.run_context import RunContext
from tests.support.closed import Answering, at_random, by_key, is_closed, slots_of
from tests.support.commitments import sentences
from tests.support.documents import GOOD
from tests.support.examples import share_of
from tests.support.scripted import Scripted, said
from tests.support.wire import Reply, WireServer, configured

PROMPTS = Prompts(shipped("prompts", "templates"))
FRIDGE = (
    "A fridge with states: cold, warm, spoiled. It can cool, idle or alarm, and wants to stay cold."
)
VOLCANO = "The volcano is dormant, restless or erupting. Evacuate, watch or ignore."
KEY = {"cool": "cold", "alarm": "no_change"}
PARAMETERS = {"max_tokens": 4096, "seed": 1}


async def asked_in_stages(
    sentence: str, completer: Any, *, is_first: bool = True, most_calls: int = 12, calls: int = 2
) -> Generation[GMNSpec]:
    first = Request((LLMMessage(LLMRole.USER, sentence),), "default", parameters=PARAMETERS)
    return await refine(
        first,
        completer=completer,
        contract=GMNContract(asked=Description(sentence)),
        follow_ups=PROMPTS,
        context=RunContext(),
        bounds=Bounds(max_calls=calls),
        staging=Staging(
            sentence, PROMPTS, OutputMode.JSON_SCHEMA, most_calls, is_first=is_first
        ),
    )  # fmt: skip


@settings(max_examples=share_of(40), deadline=None)
@given(st.sampled_from(sentences()), st.integers(0, 2**32))
async def test_whatever_a_model_answers_within_its_grammar_is_valid_and_runs(
    sentence: Any, seed: int
) -> None:
    model = Answering(at_random(seed))
    made = await asked_in_stages(sentence.text, model)
    assert made.report.is_accepted
    assert made.report.runs
    assert not made.report.repairs
    assert sum(one.answer.usage.completion_tokens for one in made.attempts) <= 200
    assert len(made.attempts) == len(model.asked) <= 6
    assert made.attempts[-1].evaluation.text == made.text


async def test_a_model_that_answers_right_is_believed() -> None:
    made = await asked_in_stages(FRIDGE, Answering(by_key(KEY)))
    table = made.spec.transitions[0].table
    assert [(rule.when[0].values, rule.then[0].value) for rule in table.rules[:1]] == [
        (("cool",), "cold")
    ]
    assert str(made.report.fits) == "3 of 3"
    assert "effect:cool cold" in made.spec.meta("assumptions")


async def test_what_the_sentence_says_is_not_asked() -> None:
    model = Answering(by_key(KEY))
    await asked_in_stages(FRIDGE, model)
    (asked,) = model.asked  # idle changes nothing, cold is the goal, three lists say what they are
    assert slots_of(asked.schema or {}).keys() == {"cool", "alarm"}
    assert asked.purpose == "staged"
    assert asked.max_tokens is not None
    assert asked.max_tokens < 100


async def test_a_prior_that_the_sentence_says_is_the_prior() -> None:
    sentence = "An egg is good (95%) or bad (5%). It can keep or toss. Tossing a good one costs 1."
    made = await asked_in_stages(sentence, Answering(at_random(1)))
    assert made.spec.priors[0].table.rows == ((0.95, 0.05),)


async def test_prose_that_names_one_choice_is_an_answer() -> None:
    question = ClosedQuestion("kind", "Which?", {"kind": ("kind", ("changes", "hidden"))})
    assert question.read("I think it is *hidden*, since nobody sees it.") == {"kind": "hidden"}
    assert question.read("changes or hidden, hard to say") == {}
    assert question.read('```json\n{"Kind": "HIDDEN"}\n```') == {"kind": "hidden"}
    assert question.read('{"kind": "unknown"}') == {}
    document = GOOD + "# it moves"
    assert "{" in document
    assert ClosedQuestion("", "", {"kind": ("kind", ("hidden", "moves"))}).read(document) == {}


EFFECTS = ClosedQuestion(
    "effects",
    "What does each action lead to?",
    {
        "effect:cool": ("cool", ("cold", "warm", "no_change")),
        "effect:alarm": ("alarm", ("cold", "warm", "no_change")),
    },
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("- cool: **cold**\n- alarm: no change\n", {"cool": "cold", "alarm": "no_change"}),
        ("Cold for cool, and no_change for alarm.", {"cool": "cold", "alarm": "no_change"}),
        ("To cool leads to cold. The rest is hard to say.", {"cool": "cold"}),
        ("cool and alarm both lead to cold", {}),
        ("cool: cold or warm\nalarm: it does not lead to warm", {}),
        ("cool: cold\ncool: warm\nalarm: warm", {"alarm": "warm"}),
        ("cool: cold | warm | no_change\nalarm: cold | warm | no_change", {}),
        ("cool: {cold", {}),
    ],
)
def test_prose_fills_the_slots_whose_clause_names_one_choice(
    text: str, read: dict[str, str]
) -> None:
    assert EFFECTS.read(text) == {f"effect:{name}": choice for name, choice in read.items()}


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Der Roboter und die Tür: er öffnet das Schloss nicht.", "Roboter Tur offnet Schloss"),
        ("Le chat dort dans les jardins avec une souris.", "chat dort jardins souris"),
        ("El perro busca la pelota para los niños que juegan.", "perro busca pelota ninos juegan"),
        ("Il cane che dorme nella casa con gli amici.", "cane dorme casa amici"),
        ("Roll the die, wear a hat in the war.", "Roll die wear hat war"),
        ("Pour water from the car near my son.", "Pour water car near son"),
    ],
)
def test_articles_of_other_languages_are_no_choices(sentence: str, words: str) -> None:
    assert set(read_sheet(sentence).words) == set(words.split())


@settings(max_examples=share_of(60), deadline=None)
@given(st.text(max_size=80) | st.sampled_from(["[[[[", '{"kind": {"a": 1}}', '{"kind": null}']))
def test_no_answer_chooses_what_is_not_offered(text: str) -> None:
    question = ClosedQuestion("kind", "Which?", {"kind": ("kind", ("changes", "hidden"))})
    assert question.read(text).get("kind", "hidden") in ("changes", "hidden")


@pytest.mark.parametrize(
    "sentence",
    [
        "States: " + ", ".join(f"s{n}" for n in range(150)) + ". It can rest or go.",
        "A board of 1000 rows by 1000 columns",
        "states: ü, ß, 漢字, 日本; actions: a b, A-B",
        "goal: r99c99 on a 3x3 grid, start at r5c5",
        "states: none, no_change; actions: next, previous, none",
        "states: *, ?, @stay; actions: 1..3, @+1, #",
        "horizon 100, precision 100000, discount 0.0001; states: a, b; actions: c, d",
        "In or out, one in ten is wrong, a 5x5 lawn without noise; goal: row 4, column 4.",
    ],
)
async def test_a_hostile_sentence_becomes_a_document_that_is_valid(sentence: str) -> None:
    made = await asked_in_stages(sentence, Answering(at_random(1)))
    assert made.report.is_accepted


async def test_what_simulation_puts_in_the_place_of_an_answer_is_said() -> None:
    key = {"cool": "spoiled", "alarm": "no_change"}  # then nothing ever leads to what is wanted
    made = await asked_in_stages(FRIDGE, Answering(by_key(key)))
    said = made.spec.meta("assumptions")
    assert said.startswith("a model answered: effect:cool spoiled")
    assert said.endswith("Simulation settled: effect:cool cold")


async def test_a_faulty_answer_is_asked_for_again_then_assumed_and_reported() -> None:
    script = Scripted('{"cool": "cold", "alarm": "ring"}', '{"cool": "cold", "alarm": "bell"}')
    made = await asked_in_stages(FRIDGE, script)
    first, second = script.asked
    assert first.messages == second.messages
    assert first.sample != second.sample
    found = [d.message for d in made.report.warnings if d.code == "STAGED"]
    assert found == ["not answered, so assumed: effect:alarm"]


async def test_an_answer_that_is_cut_off_gets_room_to_think() -> None:
    script = Scripted(said("Let me see", finish="length"), json.dumps(KEY))
    await asked_in_stages(FRIDGE, script)
    first, second = (request.max_tokens or 0 for request in script.asked)
    assert second == 16 * first


async def test_a_model_that_answers_rubbish_gives_no_document() -> None:
    model = Answering(lambda _: "zorble")
    with pytest.raises(InvalidOutputError, match="2 closed questions got no answer") as caught:
        await asked_in_stages(VOLCANO, model)
    assert len(caught.value.attempts) == len(model.asked) == 4  # two questions, each twice


async def test_whole_documents_that_fail_are_followed_by_questions() -> None:
    model = Answering(by_key(KEY))
    made = await asked_in_stages(FRIDGE, model, is_first=False)
    assert [one.purpose for one in made.attempts] == ["generate", "rewrite", "staged"]
    assert made.attempts[-1].reason.startswith("2 calls, the most allowed, gave no valid answer")
    assert made.report.is_accepted


async def test_a_context_window_that_is_too_small_leads_to_questions() -> None:
    refusal = ContextWindowExceededError("too long")
    refusal.context_tokens = 128
    made = await asked_in_stages(FRIDGE, Scripted(refusal, json.dumps(KEY)), is_first=False)
    assert made.attempts[0].reason.startswith("the context window is too small")


async def test_when_both_ways_fail_the_error_says_so_for_both() -> None:
    with pytest.raises(InvalidOutputError, match=r"2 calls.*then, asked in stages, 2 closed"):
        await asked_in_stages(VOLCANO, Answering(lambda _: "?"), is_first=False)


def answering(wire: WireServer, model: Answering) -> None:
    """Let the server answer as the model does."""

    def decide(asked: Any) -> Reply:
        form = wire.requests[-1].get("response_format") or {}
        schema = form.get("json_schema", {}).get("schema")
        if not is_closed(schema):
            return Reply(model.whole)
        return Reply(model.answer(slots_of(schema)))

    wire.decide = decide


async def test_it_is_configured_and_costs_no_more_than_planned(wire: WireServer) -> None:
    answering(wire, Answering(by_key(KEY)))
    config = configured(wire.base, "m", generation={"mode": "staged"}, cache={"mode": "use"})
    async with Orchestrator(config) as orc:
        planned = await orc.plan(FRIDGE)
        made = await orc.generate_gmn(FRIDGE)
        again = await orc.generate_gmn(FRIDGE)
    assert planned.max_calls == 8
    assert "at most 8 closed questions (staged mode)" in planned.lines[1]
    assert [one.purpose for one in made.attempts] == ["staged"]
    assert (again.text, again.cached, len(wire.requests)) == (made.text, True, 1)


async def test_a_deployment_that_needs_it_is_remembered(wire: WireServer) -> None:
    answering(wire, Answering(by_key(KEY), whole='{"gmn": "1.0"}'))
    config = configured(wire.base, "m", cache={"mode": "off"}, generation={"max_calls": 2})
    async with Orchestrator(config) as orc:
        planned = await orc.plan(FRIDGE)
        made = await orc.generate_gmn(FRIDGE)
    assert [one.purpose for one in made.attempts] == ["generate", "patch", "staged"]
    assert planned.max_calls >= 5
    async with Orchestrator(config) as orc:
        made = await orc.generate_gmn(FRIDGE)
    assert [one.purpose for one in made.attempts] == ["staged"]


async def test_a_mode_that_is_forced_never_leads_to_questions(wire: WireServer) -> None:
    answering(wire, Answering(by_key(KEY)))
    generation = {"mode": "json_schema", "max_calls": 2}
    async with Orchestrator(configured(wire.base, "m", generation=generation)) as orc:
        with pytest.raises(InvalidOutputError) as caught:
            await orc.generate_gmn(FRIDGE)
    assert [one.purpose for one in caught.value.attempts] == ["generate", "rewrite"]
