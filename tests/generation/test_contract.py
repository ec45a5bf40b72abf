"""Contracts for any schema and type: what is read, coerced, found, and refused at definition."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

import pytest
from pydantic import BaseModel, field_validator

from orchestrator.generation.contract import contract_of
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.parsing.json_reader import read_json
from orchestrator.parsing.schema_coercion import coerced
from orchestrator.types.diagnostics import Diagnostic, Severity
from orchestrator.types.requests import Contract


class Part(BaseModel):
    name: str
    grams: float


class Door(BaseModel):
    size: int
    colour: Literal["dark red", "white"]
    parts: list[Part] = []

    @field_validator("size")
    @classmethod
    def even(cls, size: int) -> int:
        if size % 2:
            raise ValueError(f"size must be even, {size} is not")
        return size


GOOD = {"size": 4, "colour": "white", "parts": [{"name": "hinge", "grams": 2.5}]}


@pytest.mark.parametrize(
    ("text", "value", "how"),
    [
        ('{"a": [1, 2,],}', {"a": [1, 2]}, "trailing commas"),
        ("{'a': 'say \"x\"'}", {"a": 'say "x"'}, "quotes"),
        ('{"a": 1, // one\n "b": /* two */ 2}', {"a": 1, "b": 2}, "comments"),
        ("{a: 1}", {"a": 1}, "bare keys"),
        ("{'a': (1, 2), 'b': None, 'c': True}", {"a": [1, 2], "b": None, "c": True}, "Python"),
        ('{"a": "x\ny"}', {"a": "x\ny"}, "line breaks"),
        ('Sure, {here}: {"a": 1} Enjoy {it}.', {"a": 1}, "text around"),
        ("Sure:\n```json\n{'a': 1,}\n```\nEnjoy.", {"a": 1}, "text around"),
        ('{"url": "http://x//y"}', {"url": "http://x//y"}, ""),
        ("```\n[1]\n```", [1], ""),
    ],
)
def test_what_has_one_reading_is_read(text: str, value: object, how: str) -> None:
    read = read_json(text)
    assert read.value == value
    assert how in "; ".join(read.fixes)
    assert bool(read.fixes) == bool(how)


@pytest.mark.parametrize(
    "text", ["", "no json", '{"a": {"b": 1} "c": 2}', '{"a": [1, 2', "{'a': 'it''s'}", "[" * 10_000]
)
def test_nothing_is_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        read_json(text)


def test_an_end_that_was_cut_off_is_completed_only_on_demand() -> None:
    cut = '{"a": 1, "b": [1, {"c": "hal'
    assert read_json(cut, complete=True).value == {"a": 1, "b": [1, {}]}
    with pytest.raises(ValueError, match="not JSON"):
        read_json('{"a": 1 "b": 2}', complete=True)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "size": {"type": "integer"},
        "goal": {"enum": ["open door", "shut door"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "weight": {"type": ["number", "null"]},
        "who": {"$ref": "#/$defs/who"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "required": ["size", "goal"],
    "additionalProperties": False,
    "$defs": {"who": {"type": "object", "properties": {"firstName": {"type": "string"}},
                      "required": ["firstName"]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "made", "codes"),
    [
        ({"size": "3", "goal": "open door"}, {"size": 3, "goal": "open door"}, ["MEND1"]),
        ({"Size": 3, "goal": "open door"}, {"size": 3, "goal": "open door"}, ["MEND2"]),
        ({"size": 3, "gaol": "open door"}, None, []),  # as near to "goal" as nothing is
        ({"size": 3, "goal": "Open_Door"}, {"size": 3, "goal": "open door"}, ["MEND3"]),
        ({"size": 3, "goal": "opn door"}, {"size": 3, "goal": "open door"}, ["MEND3"]),
        ({"size": 3, "goal": "door"}, None, []),
        (
            {"size": 3, "goal": "open door", "tags": "x"},
            {"size": 3, "goal": "open door", "tags": ["x"]},
            ["MEND4"],
        ),
        (
            {"size": 3, "goal": "open door", "weight": math.nan},
            {"size": 3, "goal": "open door", "weight": None},
            ["MEND5"],
        ),
        (
            {"size": 3, "goal": "open door", "who": {"first_name": "a"}, "either": "12"},
            {"size": 3, "goal": "open door", "who": {"firstName": "a"}, "either": 12},
            ["MEND2", "MEND1"],
        ),
        ({"size": "3.5", "goal": "open door"}, None, []),
        ({"size": "0x10", "goal": "open door"}, None, []),
    ],
)
def test_a_value_is_mended_after_its_schema_or_left_alone(
    given: dict[str, Any], made: dict[str, Any] | None, codes: list[str]
) -> None:
    value, found = coerced(given, SCHEMA)
    assert value == (given if made is None else made)
    assert [d.code for d in found] == codes


def test_a_number_without_json_form_is_a_fault_where_null_is_not_allowed() -> None:
    contract = contract_of({"type": "object", "properties": {"x": {"type": "number"}}})
    (error,) = contract.evaluate('{"x": NaN}').report.errors
    assert "NaN" in error.message


def test_a_model_gives_the_typed_value_and_its_own_rules_are_findings() -> None:
    contract = contract_of(Door)
    evaluation = contract.evaluate(json.dumps({"Size": "4", "Colour": "Dark-Red"}))
    assert evaluation.value == Door(size=4, colour="dark red")
    assert [d.code for d in evaluation.report.repairs] == ["MEND2", "MEND2", "MEND1", "MEND3"]
    faulty = contract.evaluate('{"size": 3, "colour": "white"}')
    assert [(d.pointer, d.message) for d in faulty.report.errors] == [
        ("/size", "Value error, size must be even, 3 is not")
    ]


def test_checks_see_the_typed_value_and_answer_in_sentences_or_findings() -> None:
    seen: list[object] = []

    def check(door: Door) -> list[str | Diagnostic]:
        seen.append(door)
        return ["too big", Diagnostic("MINE1", Severity.WARNING, "well")]

    contract = contract_of(Door, checks=[check, lambda _: None, lambda _: "no hinge"])
    evaluation = contract.evaluate(json.dumps(GOOD))
    assert seen == [Door.model_validate(GOOD)]
    assert [(d.code, d.message) for d in evaluation.report.diagnostics] == [
        ("CHECK", "too big"),
        ("MINE1", "well"),
        ("CHECK", "no hinge"),
    ]
    contract.evaluate('{"size": 3}')
    assert len(seen) == 1


def test_items_with_a_name_are_patched_by_it() -> None:
    contract = contract_of(Door)
    faulty = contract.evaluate(json.dumps({**GOOD, "size": 3}))
    assert json.loads(contract.name_keyed(faulty))["parts"]["hinge"]["grams"] == 2.5
    patch = [
        {"op": "replace", "path": "/size", "value": 2},
        {"op": "add", "path": "/parts/lock", "value": {"grams": 7}},
    ]
    evaluation = contract.apply_patch(faulty, json.dumps(patch))
    assert evaluation.value == Door(
        size=2, colour="white", parts=[Part(name="hinge", grams=2.5), Part(name="lock", grams=7)]
    )


def test_a_wrong_choice_is_explained_by_the_branch_that_was_meant() -> None:
    choice = {"anyOf": [{"type": "object", "required": ["a"]}, {"type": "integer"}]}
    contract = contract_of({"type": "object", "properties": {"x": choice}})
    (error,) = contract.evaluate('{"x": {}}').report.errors
    assert error.message in ("'a' is a required property", "{} is not of type 'integer'")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"type": "objct"}, "wrong at /type"),
        ({"type": "object", "properties": {"a": {"$ref": "https://x/y"}}}, "no provider can look"),
    ],
)
def test_a_schema_that_no_provider_takes_is_refused_at_definition(wanted: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        contract_of(wanted)


def test_litellms_response_formats_are_contracts() -> None:
    inner = {"name": "door", "schema": SCHEMA, "strict": True}
    contract = contract_of({"type": "json_schema", "json_schema": inner})
    assert (contract.name, contract.schema) == ("door", SCHEMA)
    assert contract_of({"type": "json_object"}).evaluate('{"a": 1}').value == {"a": 1}
    assert contract_of(contract) is contract
    with pytest.raises(ValueError, match="its own checks"):
        contract_of(contract, checks=[lambda _: None])


def test_what_is_well_and_long_is_left_out_of_the_view_and_stays() -> None:
    contract = contract_of(Door)
    parts = [{"name": f"part{n}", "grams": n} for n in range(9)]
    faulty = contract.evaluate(json.dumps({"size": 4, "colour": "white", "parts": [
        *parts, {"name": "lock", "grams": "heavy"}]}))  # fmt: skip
    view = json.loads(contract.name_keyed(faulty))
    assert view["parts"]["lock"] == {"name": "lock", "grams": "heavy"}
    assert view["size"] == 4
    assert "(at /parts/lock/grams)" in contract.explain(faulty)
    wrong = contract.evaluate(json.dumps({"size": 3, "colour": "white", "parts": parts}))
    view = json.loads(contract.name_keyed(wrong))
    assert view["parts"] == {f"part{n}": "…" for n in range(9)}
    mended = contract.apply_patch(wrong, '[{"op": "replace", "path": "/size", "value": 4}]')
    assert mended.is_accepted
    assert len(mended.value.parts) == 9
    copied = json.dumps([{"op": "replace", "path": "/parts", "value": view["parts"]}])
    assert [d.code for d in contract.apply_patch(wrong, copied).report.errors] == [
        "SCHEMA",
        "PATCH2",
    ]


def test_a_finding_about_the_whole_shows_the_whole() -> None:
    contract = contract_of(Door, checks=[lambda _: "too heavy together"])
    parts = [{"name": f"part{n}", "grams": n} for n in range(9)]
    evaluation = contract.evaluate(json.dumps({"size": 4, "colour": "white", "parts": parts}))
    assert "…" not in contract.name_keyed(evaluation)


@pytest.mark.parametrize("contract", [contract_of(Door), GMNContract()])
def test_every_contract_says_all_that_the_loop_needs_and_is_its_own_contract(
    contract: Contract[Any],
) -> None:
    assert isinstance(contract, Contract)
    assert contract_of(contract) is contract
    assert contract.accepts_cut_off is False
    reading = contract.read_partial('{"size": 2, "colour": "wh')
    assert reading is not None
    assert reading.closed == ("/size",)


def test_a_contract_of_ones_own_is_taken_whole_or_says_what_it_lacks() -> None:
    whole = contract_of({"type": "object"})
    assert contract_of(whole) is whole

    class Half:
        name, version, schema = "half", "1", {"type": "string"}

        def evaluate(self, text: str) -> None:
            """Nothing."""

    with pytest.raises(TypeError, match="accepts_cut_off, name_keyed, apply_patch"):
        contract_of(Half())
