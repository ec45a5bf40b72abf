"""The loop: every kind of wrong answer gets its own next question, within every bound."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.paths import shipped
from orchestrator.generation.contract import JsonSchemaContract
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.loop import refine
from orchestrator.generation.policy import rank, step
from orchestrator.generation.prompts import Prompts
from orchestrator.generation.state import Ask, Bounds, Finished, GiveUp, State
from orchestrator.gmn.model import GMNSpec
from orchestrator.types.diagnostics import Diagnostic, Severity
from orchestrator.types.errors import (
    DeadlineExceededError,
    InvalidOutputError,
    ServiceUnavailableError,
)
from orchestrator.types.events import Answered, Asked, Evaluated, Event, Failed, Hook
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Answer, Attempt, Evaluation, Generation, OutputMode, Request
from orchestrator.types.run_context import RunContext
from tests.support.documents import GOOD, swapped
from tests.support.examples import share_of
from tests.support.scripted import Scripted, said

PROMPTS = Prompts(shipped("prompts", "templates"))
SCHEMA = {
    "type": "object",
    "properties": {"size": {"type": "integer"}, "goal": {"type": "string"}},
    "required": ["size", "goal"],
}
CONTRACT: JsonSchemaContract[object] = JsonSchemaContract(SCHEMA, "door")
FIRST = Request((LLMMessage(LLMRole.USER, "a door"),), "default", parameters={"max_tokens": 100})
GOOD_ANSWER = '{"size": 3, "goal": "open"}'
FAULTY = '{"size": 3}'
WORSE = '{"goal": 4}'  # as much is missing, and more is wrong
MEND = '[{"op": "add", "path": "/goal", "value": "open"}]'
NO_OP = '[{"op": "add", "path": "/size", "value": 3}]'
STRONG = Bounds(strong_route="strong")


async def run(
    script: Scripted, bounds: Bounds = STRONG, hook: Hook | None = None, **more: object
) -> Generation[object]:
    return await refine(
        FIRST,
        completer=script,
        contract=CONTRACT,
        follow_ups=PROMPTS,
        context=RunContext(hook=hook),
        bounds=bounds,
        **more,  # type: ignore[arg-type]
    )


def purposes(script: Scripted) -> list[str]:
    return [request.purpose for request in script.asked]


async def test_a_good_answer_is_one_call() -> None:
    script = Scripted(GOOD_ANSWER)
    made = await run(script)
    assert made.spec == {"size": 3, "goal": "open"}
    assert (made.cost_usd, made.usage.total_tokens, made.cached) == (0.01, 150, False)
    assert purposes(script) == [""]


@pytest.mark.parametrize(
    "answer", [f"```json\n{GOOD_ANSWER}\n```", f"Here you are: {GOOD_ANSWER} Enjoy."]
)
async def test_fences_and_prose_cost_no_second_call(answer: str) -> None:
    assert (await run(Scripted(answer))).spec == {"size": 3, "goal": "open"}


async def test_a_few_faults_are_patched_on_the_same_route() -> None:
    script = Scripted(FAULTY, MEND)
    made = await run(script)
    assert made.spec == {"size": 3, "goal": "open"}
    assert [a.purpose for a in made.attempts] == ["generate", "patch"]
    task, document, question = [turn.text for turn in script.asked[1].messages]
    assert task == "a door"
    assert '"size": 3' in document
    assert "'goal' is a required property" in question
    assert script.asked[1].route == "default"


async def test_an_answer_that_does_not_parse_is_written_anew_with_the_reason() -> None:
    script = Scripted("I would suggest a door", GOOD_ANSWER)
    made = await run(script)
    assert [a.purpose for a in made.attempts] == ["generate", "rewrite"]
    assert script.asked[1].messages[1].content == "I would suggest a door"
    assert "not JSON" in script.asked[1].messages[2].content


async def test_two_failing_patches_lead_to_a_rewrite() -> None:
    script = Scripted(FAULTY, '[{"op": "remove", "path": "/nothing"}]', NO_OP, GOOD_ANSWER)
    made = await run(script)
    assert [a.purpose for a in made.attempts] == ["generate", "patch", "patch", "rewrite"]
    codes = [[d.code for d in a.evaluation.report.errors] for a in made.attempts]
    assert codes[1][-1] == "PATCH1"
    assert codes[2][-1] == "PATCH2"
    assert script.asked[1] != script.asked[2]  # a cached answer would fail again


async def test_an_answer_that_is_no_patch_is_a_finding() -> None:
    script = Scripted(FAULTY, "no idea", '{"patch": ' + MEND + "}")
    made = await run(script)
    assert [d.code for d in made.attempts[1].evaluation.report.errors][-1] == "PATCH3"
    assert made.spec == {"size": 3, "goal": "open"}


async def test_the_same_faults_twice_call_for_a_fresh_sample_without_the_history() -> None:
    still = '[{"op": "add", "path": "/size", "value": 4}]'
    script = Scripted(FAULTY, still, GOOD_ANSWER)
    made = await run(script)
    assert made.attempts[-1].purpose == "fresh"
    assert script.asked[2].messages == FIRST.messages
    assert script.asked[2].sample == 1


async def test_the_stronger_route_gets_the_task_the_best_so_far_and_its_faults() -> None:
    still = '[{"op": "add", "path": "/size", "value": 4}]'
    script = Scripted(FAULTY, still, WORSE, MEND)
    made = await run(script)
    last = script.asked[3]
    assert (last.route, last.purpose) == ("strong", "escalate")
    assert [turn.text for turn in last.messages][:2] == ["a door", '```json\n{"size": 4}\n```']
    assert made.spec == {"size": 4, "goal": "open"}


async def test_more_faults_than_a_patch_can_mend_are_rewritten() -> None:
    wide = {"type": "object", "required": [f"k{i}" for i in range(12)]}
    contract: JsonSchemaContract[object] = JsonSchemaContract(wide)
    whole = json.dumps({f"k{i}": i for i in range(12)})
    script = Scripted("{}", whole)
    made = await refine(
        FIRST,
        completer=script,
        contract=contract,
        follow_ups=PROMPTS,
        context=RunContext(),
        bounds=Bounds(),
    )
    assert made.attempts[1].purpose == "rewrite"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (said("", refusal="I cannot help"), "refusal"),
        (said("I'm sorry, but I can't do that."), "refusal"),
        (said("half", finish="content_filter"), "refusal"),
        (said(json.dumps(SCHEMA)), "schema_echo"),
        (said("  \n"), "empty"),
    ],
)
async def test_answers_that_are_none_get_a_fresh_sample_then_the_stronger_route(
    answer: Answer, kind: str
) -> None:
    script = Scripted(answer, answer, GOOD_ANSWER)
    made = await run(script)
    assert [a.evaluation.kind for a in made.attempts] == [kind, kind, "accepted"]
    assert [r.route for r in script.asked] == ["default", "default", "strong"]


async def test_a_cut_off_answer_gets_more_room_then_the_compact_form_never_a_blind_repeat() -> None:
    cut = said('{"size": 3, "go', finish="length")
    first = Request(FIRST.messages, "default", {"max_tokens": 100}, mode=OutputMode.JSON_OBJECT)
    script = Scripted(cut, cut, GOOD_ANSWER)
    made = await refine(
        first,
        completer=script,
        contract=CONTRACT,
        follow_ups=PROMPTS,
        context=RunContext(),
        bounds=Bounds(),
    )
    assert [r.parameters["max_tokens"] for r in script.asked] == [100, 200, 400]
    assert [r.mode for r in script.asked] == ["json_object", "json_object", "prompt"]
    assert made.attempts[0].evaluation.kind == "truncated"


@pytest.mark.parametrize(
    ("answer", "finish", "kind"),
    [
        (GOOD_ANSWER, "length", "accepted"),  # closed and whole, whatever the reason
        (f"```json\n{GOOD_ANSWER}\n```\nThis door is", "length", "accepted"),
        (f'{GOOD_ANSWER} or rather {{"size": 4, "go', "length", "truncated"),
        (FAULTY, "length", "truncated"),
        (GOOD_ANSWER, "", "accepted"),
        (FAULTY, "", "faulty"),
        (GOOD_ANSWER[:-3], "", "truncated"),
        (GOOD_ANSWER[:-3], "unknown", "truncated"),
        (GOOD_ANSWER[:-3], "stop", "unparsed"),
        ("I would suggest a door", "", "unparsed"),
    ],
)
async def test_an_answer_is_whole_by_its_text_before_its_finish_reason(
    answer: str, finish: str, kind: str
) -> None:
    script = Scripted(said(answer, finish=finish), GOOD_ANSWER, GOOD_ANSWER)
    made = await run(script)
    assert made.attempts[0].evaluation.kind == kind
    assert (len(made.attempts) == 1) == (kind == "accepted")


async def test_block_text_is_whole_only_where_the_provider_says_so() -> None:
    """Cut between two nodes it is a smaller model, which can be valid."""
    cut = GOOD.removesuffix("end\n")
    for finish, kinds in (
        ("stop", ["accepted"]),
        ("", ["truncated", "accepted"]),
        ("length", ["truncated", "accepted"]),
    ):
        made = await refine(
            FIRST,
            completer=Scripted(said(cut, finish=finish), GOOD),
            contract=GMNContract(),
            follow_ups=PROMPTS,
            context=RunContext(),
            bounds=STRONG,
        )
        assert [a.evaluation.kind for a in made.attempts] == kinds


async def test_never_good_ends_after_four_calls_and_loses_nothing() -> None:
    script = Scripted(FAULTY, NO_OP, NO_OP, WORSE)
    with pytest.raises(InvalidOutputError) as caught:
        await run(script)
    error = caught.value
    assert len(error.attempts) == 4
    assert error.best is error.attempts[0]
    assert "'goal' is a required property" in str(error)


async def test_without_a_stronger_route_the_loop_says_that_it_gives_up() -> None:
    script = Scripted("", "")
    with pytest.raises(InvalidOutputError, match="no stronger route"):
        await run(script, Bounds())
    assert len(script.asked) == 2


async def test_a_provider_that_fails_later_still_carries_what_was_paid() -> None:
    script = Scripted(FAULTY, ServiceUnavailableError("down"))
    with pytest.raises(ServiceUnavailableError) as caught:
        await run(script)
    assert [a.answer.text for a in caught.value.attempts] == [FAULTY]


async def test_the_deadline_bounds_everything_and_keeps_the_best_so_far() -> None:
    class Slow(Scripted):
        async def complete(self, request: Request, context: RunContext) -> Answer:
            if self.asked:
                await asyncio.sleep(10)
            return await super().complete(request, context)

    with pytest.raises(DeadlineExceededError) as caught:
        await run(Slow(FAULTY), Bounds(deadline_s=0.3))
    assert len(caught.value.attempts) == 1


BASE = CONTRACT.evaluate(GOOD_ANSWER)
LARGER = '[{"op": "replace", "path": "/size", "value": 5}]'
FAILED_PATCHES = {
    "prose": "I have made the door larger.",
    "does not apply": '[{"op": "replace", "path": "/height", "value": 5}]',
    "changes nothing": '[{"op": "replace", "path": "/size", "value": 3}]',
    "the same document": GOOD_ANSWER,
    "a part of a document": '{"size": 5}',
}


async def test_a_document_is_changed_by_a_patch() -> None:
    made = await run(Scripted(LARGER), base_document=BASE)
    assert [a.purpose for a in made.attempts] == ["patch"]
    assert made.spec == {"size": 5, "goal": "open"}


async def test_a_faulty_document_is_changed_by_a_patch_too() -> None:
    made = await run(Scripted(MEND), base_document=CONTRACT.evaluate(FAULTY))
    assert [a.purpose for a in made.attempts] == ["patch"]


@pytest.mark.parametrize("failed", sorted(FAILED_PATCHES))
async def test_a_patch_of_a_good_document_that_fails_is_asked_for_again(failed: str) -> None:
    script = Scripted(FAILED_PATCHES[failed], LARGER)
    made = await run(script, base_document=BASE)
    assert made.spec == {"size": 5, "goal": "open"}
    assert [a.evaluation.is_accepted for a in made.attempts] == [False, True]
    asked = script.asked[1].messages
    assert asked[0] == FIRST.messages[0]  # what is wanted
    assert asked[1].text == FAILED_PATCHES[failed]
    assert "JSON Patch" in asked[2].text
    assert "PATCH" in asked[2].text


async def test_a_second_failed_patch_means_the_whole_document() -> None:
    script = Scripted("prose", "more prose", GOOD_ANSWER, '{"size": 9, "goal": "open"}')
    made = await run(script, base_document=BASE)
    assert [a.purpose for a in made.attempts] == ["patch", "patch", "rewrite", "rewrite"]
    assert made.spec == {"size": 9, "goal": "open"}


async def test_a_patch_in_place_of_the_whole_document_is_taken_too() -> None:
    script = Scripted("prose", "more prose", LARGER)
    made = await run(script, base_document=BASE)
    assert [a.purpose for a in made.attempts] == ["patch", "patch", "rewrite"]
    assert made.spec == {"size": 5, "goal": "open"}


async def test_a_whole_document_in_place_of_a_patch_is_taken_when_it_is_right() -> None:
    made = await run(Scripted(FAULTY, GOOD_ANSWER))
    assert [a.purpose for a in made.attempts] == ["generate", "patch"]
    assert made.spec == {"size": 3, "goal": "open"}
    again = await run(Scripted('{"size": 7, "goal": "shut"}'), base_document=BASE)
    assert again.spec == {"size": 7, "goal": "shut"}


async def test_a_faulty_document_in_place_of_a_patch_is_patched_in_its_turn() -> None:
    """Judged as a failed patch, each of them would be thrown away."""
    better = '{"size": "wide", "goal": "open"}'
    size = '[{"op": "replace", "path": "/size", "value": 3}]'
    made = await run(Scripted('{"size": "wide", "goal": 4}', better, size))
    assert [a.purpose for a in made.attempts] == ["generate", "patch", "patch"]
    assert made.spec == {"size": 3, "goal": "open"}
    script = Scripted(better, LARGER)
    again = await run(script, base_document=BASE)
    assert again.spec == {"size": 5, "goal": "open"}
    assert '"wide"' in str(script.asked[1].messages)


async def test_a_patch_in_answer_to_a_question_for_the_document_is_applied() -> None:
    wide = {f"k{n}": "x" for n in range(10)}
    schema = {"type": "object", "properties": {k: {"type": "integer"} for k in wide}}
    operations = [{"op": "replace", "path": f"/k{n}", "value": n} for n in range(10)]
    made = await refine(
        FIRST,
        completer=Scripted(json.dumps(wide), json.dumps(operations)),
        contract=JsonSchemaContract[object](schema),
        follow_ups=PROMPTS,
        context=RunContext(),
        bounds=STRONG,
    )
    assert [a.purpose for a in made.attempts] == ["generate", "rewrite"]
    assert made.spec == {f"k{n}": n for n in range(10)}


async def test_a_patch_of_nothing_is_not_a_document() -> None:
    script = Scripted(MEND, GOOD_ANSWER)
    made = await run(script)
    assert [a.purpose for a in made.attempts] == ["generate", "rewrite"]
    assert made.attempts[0].evaluation.kind == "unparsed"
    assert "no document yet" in script.asked[1].messages[-1].text


async def test_a_document_that_only_begins_is_written_again_and_not_patched() -> None:
    begun = "gmn 1.0\nagent walker { type: explorer }\n"
    misspelt = swapped("rows: [[0.5, 0.3, 0.2]]", "map: [nowhere]")
    patch = '[{"op": "replace", "path": "/priors/pos/table/map", "value": ["a"]}]'
    for answers, purposes in (
        ((begun, GOOD), ["generate", "rewrite"]),
        ((misspelt, begun, patch), ["generate", "patch", "patch"]),
    ):
        made = await refine(
            FIRST,
            completer=Scripted(*answers),
            contract=GMNContract(),
            follow_ups=PROMPTS,
            context=RunContext(),
            bounds=STRONG,
        )
        assert [a.purpose for a in made.attempts] == purposes


async def test_a_whole_answer_with_a_wrong_word_is_better_than_a_part_of_one() -> None:
    part, wrong = '{"goal": "open"}', '{"size": "wide", "goal": 4}'
    with pytest.raises(InvalidOutputError) as caught:
        await run(Scripted(part, wrong, part, part))
    assert caught.value.best is caught.value.attempts[1]


async def test_a_patch_that_leaves_faults_is_mended_and_not_begun_again() -> None:
    script = Scripted(
        '[{"op": "replace", "path": "/size", "value": "wide"}]',
        '[{"op": "replace", "path": "/size", "value": 8}]',
    )
    first = dataclasses.replace(FIRST, purpose="patch")
    made = await refine(
        first,
        completer=script,
        contract=CONTRACT,
        follow_ups=PROMPTS,
        context=RunContext(),
        bounds=STRONG,
        base_document=BASE,
    )
    assert made.spec == {"size": 8, "goal": "open"}
    assert script.asked[1].messages[0] == FIRST.messages[0]  # what is wanted is not forgotten
    assert '"wide"' in script.asked[1].messages[1].text


async def test_a_fresh_answer_to_a_question_for_a_patch_is_a_patch() -> None:
    script = Scripted("", LARGER)
    made = await run(script, base_document=BASE)
    assert [a.purpose for a in made.attempts] == ["patch", "patch"]
    assert script.asked[1].sample == 1


async def test_every_step_is_told_to_the_hook() -> None:
    told: list[Event] = []
    await run(Scripted(FAULTY, MEND), hook=told.append)
    assert [type(event) for event in told] == [Asked, Answered, Evaluated] * 2
    told.clear()
    with pytest.raises(ServiceUnavailableError):
        await run(Scripted(ServiceUnavailableError("down")), hook=told.append)
    assert isinstance(told[-1], Failed)


async def test_few_frames_lie_between_the_loop_and_the_completer() -> None:
    script = Scripted(FAULTY, MEND)
    await run(script)
    assert script.depth <= 5


ANSWERS = st.sampled_from(
    [GOOD_ANSWER, FAULTY, WORSE, MEND, NO_OP, "prose", "", "{}", "[]", "I'm sorry, I cannot."]
)


@settings(max_examples=share_of(150), deadline=None)
@given(
    st.lists(
        st.tuples(ANSWERS, st.sampled_from(["stop", "length", "content_filter"])),
        min_size=6,
        max_size=6,
    ),
    st.integers(1, 6),
    st.sampled_from(["", "strong"]),
)
def test_any_run_ends_within_its_calls_and_the_best_never_gets_worse(
    answers: list[tuple[str, str]], max_calls: int, strong: str
) -> None:
    bounds = Bounds(max_calls=max_calls, strong_route=strong)
    state: State[object] = State(FIRST, CONTRACT, PROMPTS, bounds, Ask(FIRST, "generate"))
    ranks: list[tuple[int, ...]] = []
    asked = [FIRST]
    for text, finish in answers:
        state, decision = step(state, said(text, finish=finish))
        if state.best is not None:
            ranks.append(rank(state.best))
        assert ranks == sorted(ranks, reverse=True)
        if not isinstance(decision, Ask):
            break
        assert decision.request not in asked, "a blind repeat"
        asked.append(decision.request)
    assert isinstance(decision, Finished | GiveUp) or max_calls == 6
    assert len(state.attempts) <= max_calls


def test_checks_in_code_are_part_of_a_contract() -> None:
    def no_threes(value: object) -> list[Diagnostic]:
        bad = isinstance(value, dict) and value.get("size") == 3
        return [Diagnostic("MINE", Severity.ERROR, "3 is not allowed", "/size")] if bad else []

    contract: JsonSchemaContract[object] = JsonSchemaContract(SCHEMA, checks=(no_threes,))
    evaluation = contract.evaluate(GOOD_ANSWER)
    assert not evaluation.is_accepted
    assert contract.explain(evaluation) == "- MINE error (at /size): 3 is not allowed"
    assert contract.version == CONTRACT.version


async def test_a_wrong_row_in_a_model_is_patched_through_names() -> None:
    wrong = swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[0.8, 0.1, 0.5], [0.1, 0.8")

    def patch(request: Request) -> str:
        assert "row (pos=a) sums to 1.4" in request.messages[-1].content
        rows = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
        return json.dumps(
            [{"op": "replace", "path": "/likelihoods/place/table/rows", "value": rows}]
        )

    made = await refine(
        FIRST,
        completer=Scripted(wrong, patch),
        contract=GMNContract(),
        follow_ups=PROMPTS,
        context=RunContext(),
        bounds=STRONG,
    )
    assert made.report.is_accepted
    assert made.spec.likelihoods[0].table.rows[0] == (0.8, 0.1, 0.1)


async def test_a_wrong_label_beyond_repair_is_named_to_the_model() -> None:
    wrong = swapped("rows: [[0.5, 0.3, 0.2]]", "map: [nowhere]")
    script = Scripted(wrong, '[{"op": "replace", "path": "/priors/pos/table/map", "value": ["a"]}]')
    made = await refine(
        FIRST,
        completer=script,
        contract=GMNContract(),
        follow_ups=PROMPTS,
        context=RunContext(),
        bounds=STRONG,
    )
    assert "'nowhere' is not in pos: a, b, c" in script.asked[1].messages[-1].content
    assert made.spec.priors[0].table.map == ("a",)


async def test_a_good_model_is_stored_in_canonical_text() -> None:
    made = await refine(
        FIRST,
        completer=Scripted(GOOD),
        contract=GMNContract(),
        follow_ups=PROMPTS,
        context=RunContext(),
        bounds=STRONG,
    )
    assert str(made) == made.text
    assert made.text.startswith("gmn 1.0\nagent walker {")


GMN_BASE = GMNContract().evaluate(GOOD)
GMN_ANSWERS = st.sampled_from(
    [
        *FAILED_PATCHES.values(),
        '[{"op": "replace", "path": "/policy/horizon", "value": 3}]',
        '[{"op": "replace", "path": "/policy/horizon", "value": -3}]',
        '[{"op": "replace", "path": "/policy/horizon", "value": 2}]',
        '[{"op": "remove", "path": "/transitions"}]',
        '[{"op": "add", "path": "/description", "value": "d"}]',
        GOOD,
        f"```gmn\n{GOOD}\n```",
        "agent x { horizon: 9 }",
        "",
        "I'm sorry, I cannot.",
    ]
)


@settings(max_examples=share_of(60), deadline=None)
@given(
    script=st.lists(
        st.tuples(GMN_ANSWERS, st.sampled_from(["stop", "stop", "length", "content_filter"])),
        min_size=4,
        max_size=4,
    ),
    is_change=st.booleans(),
)
def test_what_is_returned_has_no_error_whatever_is_answered(
    script: list[tuple[str, str]], is_change: bool
) -> None:
    base = GMN_BASE if is_change else None
    assert GMN_BASE.is_accepted
    attempts, made = outcome_of(script, base)
    accepted = [attempt.evaluation.is_accepted for attempt in attempts]
    assert accepted == [False] * (len(attempts) - 1) + [made is not None]
    if made is not None:
        assert made.report.errors == ()
        assert made.report.runs
        assert not is_change or made.text != GMN_BASE.text


def outcome_of(
    script: list[tuple[str, str]], base: Evaluation[GMNSpec] | None
) -> tuple[tuple[Attempt[GMNSpec], ...], Generation[GMNSpec] | None]:
    """Every attempt, and the result if there is one."""
    asked = refine(
        FIRST,
        completer=Scripted(*(said(text, finish=finish) for text, finish in script)),
        contract=GMNContract(),
        follow_ups=PROMPTS,
        context=RunContext(),
        bounds=STRONG,
        base_document=base,
    )
    try:
        made = asyncio.run(asked)
    except InvalidOutputError as error:
        return error.attempts, None
    return made.attempts, made
