"""What an answer of a model is worth as a GMN document: cut off, several of them, reasoning."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from orchestrator.client.orchestrator import Orchestrator
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.request_building import load_library
from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.model import GMNSpec
from orchestrator.routing.offline.answer import answer
from orchestrator.types.requests import Description, Evaluation, Generation, OutputMode
from tests.support.documents import GOOD, swapped, without
from tests.support.wire import Reply, WireServer, configured

WHOLE = f"{GOOD}end\n"
OTHER = swapped("gamma: 8", "gamma: 4", WHOLE)
FAULTY = swapped("about: pos", "about: nowhere", WHOLE)
CONTRACT = GMNContract()


def codes(evaluation: Evaluation[object]) -> list[str]:
    return [d.code for d in evaluation.report.errors]


def gamma(evaluation: Evaluation[object]) -> float:
    assert evaluation.is_accepted, evaluation.report.errors
    return evaluation.value.policy.gamma  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("example", load_library(), ids=lambda example: example.name)
def test_no_cut_of_a_document_passes_for_a_whole_one(example: object) -> None:
    text = write_text(example.spec)  # type: ignore[attr-defined]
    nodes = [match.end() for match in re.finditer(r"^\}\n", text, re.MULTILINE)]
    for at in sorted({*nodes, *range(61, len(text) - 4, 61)}):
        made = CONTRACT.evaluate(text[:at])
        assert made.may_be_cut, text[:at]
        # With an explicit "stop" only one that lacks nothing but the line end is taken.
        assert not made.is_accepted or at >= nodes[-1] - 1


def test_a_cut_before_the_preference_is_refused_in_words_that_say_so() -> None:
    made = CONTRACT.evaluate(GOOD[: GOOD.index("node preference")])
    assert codes(made) == ["GMN015"]
    assert "lacks a preference and a policy" in made.report.errors[0].message


def test_a_document_with_its_end_may_do_without_a_preference() -> None:
    made = CONTRACT.evaluate(without("node preference", WHOLE))
    assert (made.is_accepted, made.may_be_cut) == (True, False)


def test_a_document_without_its_end_that_lacks_nothing_is_left_to_the_transport() -> None:
    made = CONTRACT.evaluate(GOOD)
    assert (made.is_accepted, made.may_be_cut) == (True, True)


def test_json_that_only_our_own_brackets_close_is_cut_off() -> None:
    text = write_json(CONTRACT.evaluate(WHOLE).value)  # type: ignore[arg-type]
    assert not CONTRACT.evaluate(text).may_be_cut
    made = CONTRACT.evaluate(text[: text.index('"policy"')])
    assert made.may_be_cut
    assert codes(made) == ["GMN015"]


def test_of_two_documents_the_one_that_holds_is_taken_and_reported() -> None:
    for text in (f"{FAULTY}Better:\n{OTHER}", f"{OTHER}Or:\n```\n{FAULTY}```\n"):
        made = CONTRACT.evaluate(text)
        assert gamma(made) == 4
        assert "GMN014" in [d.code for d in made.report.repairs]


def test_two_documents_that_differ_are_a_finding_where_nothing_says_which_is_final() -> None:
    between = ("", "Or:\n", "Not the final one:\n", "The final answer was above. Another:\n")
    for words in between:
        for second in (OTHER, f"```gmn\n{OTHER}```\n"):
            assert codes(CONTRACT.evaluate(f"{WHOLE}{words}{second}")) == ["GMN014"], words
    behind = f"```\n{WHOLE}```\nThe final one:\n```\n{OTHER}```\nI meant the first one.\n"
    assert codes(CONTRACT.evaluate(behind)) == ["GMN014"]


@pytest.mark.parametrize(
    "words", ["Here is the final version:", "**Final**", "That misses b, so the answer is:"]
)
def test_the_last_document_is_taken_where_the_text_says_that_it_is_final(words: str) -> None:
    for first, second in ((WHOLE, OTHER), (f"```\n{WHOLE}```\n", f"```\n{OTHER}```\n")):
        assert gamma(CONTRACT.evaluate(f"{first}{words}\n{second}")) == 4


def test_documents_of_one_model_are_one_answer() -> None:
    renamed = swapped("agent walker", "agent runner", WHOLE)
    assert CONTRACT.evaluate(f"{WHOLE}Or:\n{renamed}").is_accepted


def test_two_json_documents_are_told_apart() -> None:
    one, two = (write_json(CONTRACT.evaluate(text).value) for text in (WHOLE, OTHER))  # type: ignore[arg-type]
    assert codes(CONTRACT.evaluate(f"{one}\n{two}")) == ["GMN014"]
    assert gamma(CONTRACT.evaluate(f"A draft: {one}\nThe final answer: {two}")) == 4
    assert gamma(CONTRACT.evaluate(f'Like {{"name": "x"}}: {two}')) == 4


def test_a_draft_in_json_and_the_answer_in_text_are_two_documents() -> None:
    draft = write_json(CONTRACT.evaluate(WHOLE).value)  # type: ignore[arg-type]
    assert codes(CONTRACT.evaluate(f"{draft}\n{OTHER}")) == ["GMN014"]


@pytest.mark.parametrize(
    "answer",
    [
        f"<think>\n{WHOLE}</think>\n{OTHER}",
        f"Let me see.\n{WHOLE}</think>\n\n{OTHER}",
        f"<|channel|>analysis<|message|>{WHOLE}<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{OTHER}<|return|>",
        f"[THINK]{WHOLE}[/THINK]{OTHER}",
    ],
)
def test_a_draft_in_the_reasoning_is_not_an_answer(answer: str) -> None:
    made = CONTRACT.evaluate(answer)
    assert gamma(made) == 4
    assert "GMN012" in [d.code for d in made.report.repairs]


@pytest.mark.parametrize("opened", ["<think>\n", "<|channel|>analysis<|message|>"])
def test_reasoning_that_never_ends_holds_no_answer(opened: str) -> None:
    assert CONTRACT.evaluate(f"{opened}{WHOLE}").kind == "unparsed"


def test_a_draft_does_not_show_that_the_document_behind_it_is_whole() -> None:
    made = CONTRACT.evaluate(f"```\n{WHOLE}```\nThe final one:\n```\n{OTHER[:400]}")
    assert made.may_be_cut


def test_a_text_of_very_many_values_is_read_in_one_go() -> None:
    assert CONTRACT.evaluate('{"a": {}}\n' * 20_000 + OTHER).kind == "accepted"


SHOWN = {example.name: write_text(example.spec) for example in load_library()}
ASKED = Description("a robot that vacuums three rooms")
FRESH = GMNContract(shown=(SHOWN["thermostat"],), asked=ASKED)


def _renamed(text: str) -> str:
    text = re.sub(r'description: "[^"]*"', 'description: "Vacuums."', text)
    return text.replace("agent thermostat", "agent robot")


@pytest.mark.parametrize("copy", [SHOWN["thermostat"], _renamed(SHOWN["thermostat"])])
def test_a_copy_of_an_example_is_not_an_answer(copy: str) -> None:
    made = FRESH.evaluate(copy)
    assert codes(made) == ["GMN907"]
    assert "'thermostat'" in made.report.errors[0].message


def test_a_patch_that_only_renames_a_copy_leaves_it_a_copy() -> None:
    made = FRESH.evaluate(SHOWN["thermostat"])
    patch = '[{"op": "replace", "path": "/name", "value": "robot"}]'
    assert "GMN907" in codes(FRESH.apply_patch(made, patch))


def test_an_example_echoed_before_the_answer_is_passed_over() -> None:
    assert gamma(FRESH.evaluate(f"{SHOWN['thermostat']}\n{OTHER}")) == 4


def test_one_changed_number_makes_another_model() -> None:
    assert FRESH.evaluate(SHOWN["thermostat"].replace("gamma: 8", "gamma: 7")).is_accepted


def test_a_copy_is_right_where_the_example_answers_that_very_sentence() -> None:
    (prompt,) = (e.prompt for e in load_library() if e.name == "thermostat")
    asked = Description(f"{prompt.upper()}.")
    assert GMNContract(shown=FRESH.shown, asked=asked).evaluate(FRESH.shown[0]).is_accepted
    assert GMNContract(shown=FRESH.shown).evaluate(FRESH.shown[0]).is_accepted


@pytest.mark.parametrize("sentence", ["a thermostat in a cold room", "a vacuum", "a rat in a maze"])
@pytest.mark.parametrize("mode", [OutputMode.PROMPT, OutputMode.JSON_SCHEMA])
def test_the_embedded_provider_never_fails_for_showing_its_examples(
    sentence: str, mode: OutputMode
) -> None:
    asked = Description(sentence)
    contract = GMNContract(shown=tuple(SHOWN.values()), asked=asked)
    made = contract.evaluate(answer(asked, mode, load_library()))
    assert codes(made) == ([] if "thermostat" in sentence else ["GMN611"])


def test_a_model_that_copies_the_example_is_asked_again(wire: WireServer) -> None:
    answers = [SHOWN["thermostat"], OTHER]
    wire.decide = lambda _: Reply(answers.pop(0))
    config = configured(wire.base, "any", ledger={"enabled": False})

    async def generated() -> Generation[GMNSpec]:
        async with Orchestrator(config) as orc:
            return await orc.generate_gmn("a thermostat of a fridge on a boat", cache="off")

    first, second = asyncio.run(generated()).attempts
    assert codes(first.evaluation) == ["GMN907"]
    assert gamma(second.evaluation) == 4


RULES = [{"when": [{"var": "go", "values": ["left"]}], "utility": -1}]


@pytest.mark.parametrize(
    ("path", "value", "written"),
    [
        ("/states/pos/terminal", ["c"], "terminal: [c]"),
        ("/policy/discount", 0.9, "discount: 0.9"),
        ("/policy/selection", "contingent", "selection: contingent"),
        ("/transitions/pos/learn", True, "learn: true"),
        ("/likelihoods/place/concentration", 4, "concentration: 4"),
        ("/preferences/payoff", {"on": ["pos", "go"], "rules": RULES}, "on: [pos, go]"),
        ("/preferences/payoff", {"on": "pos", "given": ["go"], "rules": RULES}, "on: [pos, go]"),
        ("/preferences/pos", {"given": ["go"], "rules": RULES}, "on: [pos, go]"),
        ("/preferences/go", {"rules": RULES}, "on: go"),
        ("/preferences/go", {"on": "go", "goals": {"left": -1}}, "goals: {left: -1}"),
        ("/preferences/place#2", {"on": "place", "goals": {"b": 1}}, "goals: {b: 1}"),
    ],
)
def test_a_patch_reaches_all_that_can_be_said(path: str, value: object, written: str) -> None:
    before = CONTRACT.evaluate(WHOLE)
    learn = [{"op": "add", "path": "/likelihoods/place/learn", "value": True}]
    operations = [{"op": "add", "path": path, "value": value}]
    made = CONTRACT.apply_patch(before, json.dumps([*operations, *learn]))
    assert made.is_accepted, made.report.errors
    assert f"  {written}\n" in made.text
    assert "values: [0, 1, 3]" in made.text  # and nothing else has changed


def test_a_rule_is_patched_by_its_place_and_a_fault_is_shown_where_the_patch_can_reach_it() -> None:
    rules = json.dumps(RULES).replace("-1", '"low"')
    preference = f'{{"on": ["pos", "go"], "rules": {rules}}}'
    patch = f'[{{"op": "add", "path": "/preferences/payoff", "value": {preference}}}]'
    good = CONTRACT.apply_patch(CONTRACT.evaluate(WHOLE), patch.replace('"low"', "-1"))
    change = [{"op": "replace", "path": "/preferences/pos/rules/0/utility", "value": -3}]
    made = CONTRACT.apply_patch(good, json.dumps(change))
    assert "utility: -3" in made.text
    change[0]["value"] = "low"
    assert codes(CONTRACT.apply_patch(good, json.dumps(change))) != []
    wrong = [{"op": "add", "path": "/preferences/pos/rules/0/when/-",
              "value": {"var": "place", "values": ["a"]}}]  # fmt: skip
    made = CONTRACT.apply_patch(good, json.dumps(wrong))
    assert codes(made) == ["GMN403"]
    assert "/preferences/pos/rules/0/when/1/var" in CONTRACT.explain(made)
