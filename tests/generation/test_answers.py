"""An answer is judged by what it is: a patch, several of them, a whole document, a part of one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from orchestrator.generation.contract import contract_of
from orchestrator.generation.gmn_contract import GMNContract, to_name_keyed_model
from orchestrator.generation.policy import rank
from orchestrator.types.requests import Evaluation
from tests.support.documents import GOOD, swapped, without
from tests.support.examples import share_of


class Room(BaseModel):
    name: str
    row: list[float]


class House(BaseModel):
    size: int
    goal: str
    note: str = ""
    rooms: list[Room] = []


HOUSE: Any = contract_of(House)
ROOMS = [{"name": f"room{n}", "row": [0.25, 0.25, 0.25, 0.25]} for n in range(5)]
WHOLE = {"size": 3, "goal": "room1", "note": "words that are long enough to be left out of a view",
         "rooms": ROOMS}  # fmt: skip
#: The goal is missing, the size is wrong.
FAULTY: Evaluation[House] = HOUSE.evaluate(
    json.dumps({**{k: v for k, v in WHOLE.items() if k != "goal"}, "size": "wide"})
)
FINE: Evaluation[House] = HOUSE.evaluate(json.dumps(WHOLE))
GOAL = '{"op": "add", "path": "/goal", "value": "room1"}'
SIZE = '{"op": "replace", "path": "/size", "value": 3}'
PATCH = f"[{GOAL}, {SIZE}]"

#: By name: an answer that means WHOLE, and a word of what is reported.
READ = {
    "one list": (PATCH, ""),
    "two lists": (f"[{GOAL}]\n\n[{SIZE}]", "2 patches"),
    "two fences": (f"First\n```json\n[{GOAL}]\n```\nthen\n```json\n[{SIZE}]\n```", "2 patches"),
    "one operation per line": (f"{GOAL}\n{SIZE}", ""),
    "a list and a longer one": (f"[{GOAL}]\nWith the size: {PATCH}", "2 patches"),
    "the same list twice": (f"{PATCH}\nOnce more: {PATCH}", ""),
    "a draft and the final list": (
        f"Draft: {PATCH.replace('3', '9')} Final: {PATCH}",
        "only the last of 2",
    ),
    "wrapped": (f'{{"operations": {PATCH}}}', ""),
    "wrapped with a reason": (f'{{"why": "it was wrong", "patch": {PATCH}}}', "'why'"),
    "a tool call": (
        json.dumps({"name": "apply", "arguments": json.dumps({"patch": json.loads(PATCH)})}),
        "'name'",
    ),
    "a remark in an operation": (PATCH.replace("3}", '3, "comment": "a number"}'), "'comment'"),
    "single quotes and a comma": (PATCH.replace('"', "'").replace("}]", "},]"), ""),
    "the whole document": (json.dumps(WHOLE), ""),
    "the whole document in a fence": (f"Here:\n```json\n{json.dumps(WHOLE)}\n```\nDone.", ""),
    "the form that is shown": (
        json.dumps({**WHOLE, "note": "…", "rooms": {f"room{n}": "…" for n in range(5)}}),
        "",
    ),
    "what stays is left out": (json.dumps({**WHOLE, "note": "…", "rooms": "…"}), ""),
    "a patch that repeats what stays": (
        f'[{GOAL}, {SIZE}, {{"op": "replace", "path": "/rooms", "value": {{"room0": "…",'
        ' "room1": "…", "room2": "…", "room3": "…", "room4": "…"}}]',
        "",
    ),
    "a patch and what it makes": (f"{PATCH}\nThat gives:\n{json.dumps(WHOLE)}", ""),
}


@pytest.mark.parametrize("kind", sorted(READ))
def test_what_has_one_meaning_is_read_and_reported(kind: str) -> None:
    answer, reported = READ[kind]
    made = HOUSE.apply_patch(FAULTY, answer)
    assert made.report.errors == ()
    assert made.value == FINE.value
    said = " ".join(str(repair) for repair in made.report.repairs)
    assert reported in said
    assert bool(reported) == ("PATCH0" in said)


#: By name: an answer that is not applied, its finding, and a word of that.
REFUSED = {
    "two lists that differ": (f"{PATCH} or {PATCH.replace('3', '4')}", "PATCH3", "'/size'"),
    "a list that is cut off": (f"[{GOAL}]\n[{SIZE[:-5]}", "PATCH3", "cannot be read"),
    "a value twice": (
        PATCH.replace('"value": 3', '"value": 3, "value": 4'), "PATCH3", "'value' stands twice",
    ),
    "a place beside an operation": (
        PATCH.replace('"value": 3', '"value": 3, "/note": ""'), "PATCH3", "'/note'",
    ),
    "a part beside the patch": (f'{{"patch": [{GOAL}], "size": 3}}', "PATCH3", "'size'"),
    "a part with words beside it": (f'{{"patch": {PATCH}, "note": "n"}}', "PATCH3", "'note'"),
    "a list beside the patch": (f'{{"patch": {PATCH}, "todo": [1]}}', "PATCH3", "'/todo'"),
    "a name that nothing has": (
        PATCH.replace("]", ', {"op": "add", "path": "/colour", "value": "red"}]'),
        "PATCH5", "/colour",
    ),
    "a patch and another document": (
        f"{PATCH}\n{json.dumps({**WHOLE, 'size': 7})}", "PATCH3", "differ",
    ),
    "a part of a document": ('{"goal": "room1"}', "PATCH3", "lacks parts"),
    "a part that would be valid": ('{"goal": "room1", "size": 3}', "PATCH3", "lacks parts"),
    "a mark where nothing stood": (
        f'[{GOAL}, {SIZE}, {{"op": "add", "path": "/rooms/room9", "value": "…"}}]', "PATCH4", "…",
    ),
    "prose with brackets": ("I have done it [1].", "PATCH3", "list of operations"),
    "a key twice in the whole": (
        json.dumps(WHOLE)[:-1] + ', "size": 7}', "PATCH3", "'size' stands twice",
    ),
    "no operation": ("[]", "PATCH2", "nothing"),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_could_mean_two_things_is_a_finding_and_changes_nothing(kind: str) -> None:
    answer, code, word = REFUSED[kind]
    made = HOUSE.apply_patch(FAULTY, answer)
    assert made.value == FAULTY.value
    finding = made.report.errors[-1]
    assert (finding.code, word in finding.message) == (code, True), finding


def test_a_better_document_with_a_fault_left_is_a_rewrite() -> None:
    made = HOUSE.apply_patch(FAULTY, json.dumps({**WHOLE, "size": "tall"}))
    assert [d.pointer for d in made.report.errors] == ["/size"]
    assert json.loads(made.text)["goal"] == "room1"


def test_true_in_place_of_one_is_a_change() -> None:
    schema = {"type": "object", "properties": {"on": {"type": "boolean"}}}
    contract: Any = contract_of(schema, repair=False)
    patch = '[{"op": "replace", "path": "/on", "value": true}]'
    assert contract.apply_patch(contract.evaluate('{"on": 1}'), patch).is_accepted


GMN = GMNContract()
WALKER = GMN.evaluate(GOOD)
HORIZON = '{"op": "replace", "path": "/policy/horizon", "value": 3}'


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ('[{"op": "add", "path": "/metadata/note", "value": "n"}]', "PATCH2"),
        (f'{GOOD}node metadata m {{ author: "me" }}\n', "PATCH2"),
        (f'[{HORIZON}, {{"op": "add", "path": "/sttes", "value": {{}}}}]', "PATCH5"),
        (f'[{HORIZON}, {{"op": "add", "path": "/states/pos/colour", "value": "red"}}]', "PATCH5"),
        (f"[{HORIZON}] or [{HORIZON.replace('3', '4')}]", "PATCH3"),
        ("agent walker { type: explorer }", "PATCH3"),
    ],
)
def test_a_patch_of_a_model_that_cannot_be_carried_out_is_a_finding(answer: str, code: str) -> None:
    made = GMN.apply_patch(WALKER, answer)
    assert made.text == WALKER.text
    assert [d.code for d in made.report.errors] == [code]


def test_a_model_is_rewritten_in_any_of_its_forms() -> None:
    wanted = swapped("horizon: 2", "horizon: 3")
    assert WALKER.value is not None
    view = json.loads(json.dumps(to_name_keyed_model(WALKER.value)))
    view["policy"]["horizon"] = 3
    two = f'[{HORIZON}]\n[{{"op": "replace", "path": "/policy/gamma", "value": 8.5}}]'
    for answer in (wanted, f"```gmn\n{wanted}\n```", json.dumps(view)):
        assert GMN.apply_patch(WALKER, answer).text == GMN.evaluate(wanted).text
    assert "gamma: 8.5" in GMN.apply_patch(WALKER, two).text


def test_what_is_missing_ranks_below_what_is_wrong() -> None:
    begun = GMN.evaluate("gmn 1.0\nagent walker { type: explorer }\n")
    misspelt = GMN.evaluate(
        swapped("labels: [left, stay, right]", "labels: [wst, mid, est]").replace(
            "values: [0, 1, 3]", "goals: {aa1: 1, bb1: 2, cc1: 3, dd1: 4, ee1: 5}"
        )
    )
    no_likelihood = GMN.evaluate(without("node emission"))
    assert len(begun.report.errors) < len(misspelt.report.errors)
    assert rank(misspelt) < rank(no_likelihood) < rank(begun)
    wrong, less = ({**WHOLE, "size": "x", "rooms": [{"name": "a", "row": ["b", "c"]}]}, {"size": 3})
    assert rank(HOUSE.evaluate(json.dumps(wrong))) < rank(HOUSE.evaluate(json.dumps(less)))
    plain: Any = contract_of(House.model_json_schema())
    assert rank(plain.evaluate(json.dumps(wrong))) < rank(plain.evaluate(json.dumps(less)))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["…", "room1", "/size", "["]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["op", "path", "value", "patch", "size", "a"]), inner)
    ),
    max_leaves=6,
)
OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "set", 3]),
        "path": st.sampled_from(
            ["/size", "/goal", "/rooms/room1/row/0", "/rooms/-", "", "/", "x", 5, "/size/x"]
        ),
    },
    optional={"value": VALUES, "from": st.sampled_from(["/size", "/rooms", 1]), "why": VALUES},
)


@pytest.mark.no_cover  # thousands of documents
@settings(max_examples=share_of(100), deadline=None)
@given(st.lists(st.lists(OPERATIONS, max_size=3) | VALUES, min_size=1, max_size=3),
       st.sampled_from(["\n", " Final: ", " or ", "```\n", "{"]))  # fmt: skip
def test_no_answer_raises_and_what_fails_leaves_the_document(
    parts: list[object], between: str
) -> None:
    made = HOUSE.apply_patch(FINE, between.join(json.dumps(part) for part in parts))
    if any(d.code.startswith("PATCH") for d in made.report.errors):
        assert made.text == FINE.text
    elif made.is_accepted:
        assert made.text != FINE.text
    assert GMN.apply_patch(WALKER, json.dumps(parts)) is not None
