"""Schemas of strangers: what cannot be bounded is refused before a call, the rest is bounded."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, StringConstraints

import orchestrator
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.generation.contract import contract_of
from orchestrator.parsing import schemas
from orchestrator.parsing.schemas import check_schema, validator
from orchestrator.types.work import TooMuchWork
from tests.support.wire import WireServer, configured

Schema = dict[str, Any]
DRAFT = Draft202012Validator.META_SCHEMA["$id"]


def nested(levels: int) -> Schema:
    made: Schema = {"type": "string"}
    for _ in range(levels):
        made = {"type": "object", "properties": {"a": made}}
    return made


def twice(word: str, levels: int) -> Schema:
    """Each definition holds the next one twice."""
    defs: Schema = {f"d{levels}": {"type": "string"}}
    for n in range(levels):
        defs[f"d{n}"] = {word: [{"$ref": f"#/$defs/d{n + 1}"}] * 2}
    return {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs}


BY_ITSELF = "leads back to itself without a step into the value"
REFUSED: dict[str, tuple[Any, str]] = {
    "itself": ({"$ref": "#"}, BY_ITSELF),
    "a definition of itself": (
        {"$defs": {"a": {"$ref": "#/$defs/a"}}, "properties": {"x": {"$ref": "#/$defs/a"}}},
        r"at /\$defs/a leads back",
    ),
    "two of each other": (
        {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]},
                   "b": {"if": True, "then": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
         "properties": {"x": {"$ref": "#/$defs/a"}}},
        BY_ITSELF,
    ),
    "by a place that no keyword names": (
        {"properties": {"x": {"$ref": "#/x/y"}}, "x": {"y": {"not": {"$ref": "#/x/y"}}}},
        BY_ITSELF,
    ),
    "by its pointer in other letters": (
        {"$defs": {"a b": {"$ref": "#/$defs/a%20b"}}, "$ref": "#/$defs/a%20b"}, BY_ITSELF,
    ),
    "through a dependency": ({"dependentSchemas": {"x": {"$ref": "#"}}}, BY_ITSELF),
    "dynamic": ({"$dynamicAnchor": "n", "$dynamicRef": "#n"}, r"\$dynamicRef, which no provider"),
    "recursive": ({"properties": {"a": {"$recursiveRef": "#"}}}, r"at /properties/a has \$recurs"),
    "nowhere": ({"properties": {"a": {"$ref": "#/$defs/a"}}}, "there is nothing"),
    "an anchor": ({"$anchor": "n", "properties": {"a": {"$ref": "#n"}}}, "there is nothing"),
    "to a number": ({"properties": {"a": {"$ref": "#/x"}}, "x": 3}, "wrong at /x"),
    "to what is not a schema": (
        {"properties": {"a": {"$ref": "#/x"}}, "x": {"minimum": "1"}}, "wrong at /x/minimum"
    ),
    "an inner base": ({"properties": {"a": {"$id": "http://x.test/"}}}, r"has \$id"),
    "deep": (nested(330), "nested in more than 100 levels"),
    "very deep": (nested(450), "nested in more than 100 levels"),
    "branches of branches": (twice("anyOf", 30), "against too many others"),
    "all of all": (twice("allOf", 40), "against too many others"),
    "a chain": (
        {"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(60)} | {"d60": {}},
         "properties": {"x": {"$ref": "#/$defs/d0"}}},
        "against too many others",
    ),
    "large": ({"enum": ["x" * 100] * 10_000}, "more than 500000"),
    "many keywords": ({f"x-{n}": 1 for n in range(200)}, "more than 100 keywords"),
    "looking ahead": ({"pattern": "^(?=a)"}, "cannot be searched in bounded time"),
    "looking back": ({"patternProperties": {r"(a)\1": {}}}, "cannot be searched in bounded time"),
    "not a pattern": ({"properties": {"a": {"pattern": "["}}}, "at /properties/a: the pattern"),
    "repeated repetitions": ({"pattern": "((((a?){90}){90}){9})x"}, "is too large"),
    "a long pattern": ({"pattern": "a" * 2000}, "is too large"),
    "not an object": ([1], "the schema is a list"),
    "wrong far inside": ({"items": {"items": {"minimum": "x"}}}, "wrong at /items/items/minimum"),
    "names of many kinds": (
        {"required": [x for n in range(5000) for x in (n, str(n))]}, "wrong at /required"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "words"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_bound_is_refused(schema: Any, words: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    with pytest.raises(ValueError, match=words):
        contract_of(form)


def reached_one_by_one(levels: int, names: int) -> Schema:
    """Each level of a part that no keyword names is referred to, the deepest first."""
    part: Schema = {"properties": {f"p{n}": {"type": "string"} for n in range(names)}}
    for _ in range(levels):
        part = {"items": part}
    ways = {f"r{n}": {"$ref": "#/x" + "/items" * n} for n in reversed(range(levels))}
    return {"type": "object", "x": part, "properties": ways}


async def test_a_schema_is_checked_within_one_count_and_off_the_loop(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[bool] = set()

    def counted(steps: int = 1) -> None:
        seen.add(threading.current_thread() is threading.main_thread())
        total.append(steps)

    total: list[int] = []
    monkeypatch.setattr(schemas, "look", counted)
    monkeypatch.setattr(schemas, "_STEPS_OF_A_CHECK", 20_000)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(ValueError, match=r"at /x.*more than 20,000 steps; make it smaller"):
            await orc.generate_structured("a door", reached_one_by_one(10, 60))
    assert (seen, wire.served.requests) == ({False}, 0)
    assert sum(total) < 30_000


@pytest.mark.parametrize(
    ("pattern", "count"), [(r"\w{190}", 1), (r"[\w-]{190}", 1), (r"\w{90}", 9), (r"\p{L}{90}", 9)]
)
def test_patterns_are_bounded_as_they_are_compiled(pattern: str, count: int) -> None:
    parts = {f"p{n}": {"pattern": f"{pattern}{n}"} for n in range(count)}
    with pytest.raises(ValueError, match=r"at /properties/p\d: the patterns? .*too large"):
        contract_of({"type": "object", "properties": parts})
    assert contract_of({"type": "object", "properties": {"a": {"pattern": r"^\w{1,64}$"}}})


async def test_nothing_is_paid_for_a_schema_that_is_refused(wire: WireServer) -> None:
    async with Orchestrator(configured(wire.base, "m")) as orc:
        for schema, words in REFUSED.values():
            if isinstance(schema, dict):
                with pytest.raises(ValueError, match=words):
                    await orc.generate_structured("a door", schema)
    assert wire.served.requests == 0


TREE = {
    "type": "object", "properties": {"parts": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["parts"],
}  # fmt: skip
ANY: Schema = {
    "$defs": {"any": {"anyOf": [
        {"type": ["string", "null"]}, {"type": "array", "items": {"$ref": "#/$defs/any"}},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/any"}},
    ]}},
    "$ref": "#/$defs/any",
}  # fmt: skip


@pytest.mark.parametrize("schema", [TREE, ANY, {**TREE, "$schema": DRAFT}])
def test_a_schema_that_steps_into_the_value_is_taken(schema: Schema) -> None:
    contract = contract_of(schema)
    assert contract.evaluate('{"parts": [{"parts": []}]}').is_accepted
    assert not contract.evaluate('{"parts": [{"parts": [3]}]}').is_accepted


def hostile_values() -> dict[str, tuple[Any, Any]]:
    deep: Any = 1
    for _ in range(45):
        deep = {"a": deep}
    branch = {"type": "object", "properties": {"a": {"$ref": "#/$defs/t"}}}
    needs = [{**branch, "required": [name]} for name in "bcd"]
    mixed = [x for n in range(4000) for x in (n, str(n), {"a": n}, [n])]
    text = "a" * 20_000
    return {
        "branches at every level": (
            {"$defs": {"t": {"anyOf": needs}}, "properties": {"a": {"$ref": "#/$defs/t"}}}, deep,
        ),
        "one of, at every level": (
            {"$defs": {"t": {"oneOf": needs}}, "properties": {"a": {"$ref": "#/$defs/t"}}}, deep,
        ),
        "unique items of many kinds": (
            {"properties": {"a": {"uniqueItems": True}}}, {"a": [*mixed, 1, 1.0]},
        ),
        "a pattern that backtracks": (
            {"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 50 + "!"},
        ),
        "a pattern, by way of a named draft": (
            {"$schema": DRAFT, "properties": {"a": {"items": {"$ref": "#"}, "pattern": "^(a+)+$"}}},
            {"a": [{"a": "a" * 50 + "!"}]},
        ),
        "patterns of names": (
            {"patternProperties": {"^(a+)+$": False}, "additionalProperties": False},
            {"a" * 50 + "!": 1},
        ),
        "a pattern of a large size": (
            {"properties": {"a": {"pattern": "(?:.{0,60}){30}x"}}}, {"a": text},
        ),
        "names of names": ({"propertyNames": {"pattern": "^(a|a)*$"}}, {"a" * 50 + "!": 1}),
        "what is left over": (
            {"unevaluatedProperties": False, "properties": {"x": {}}},
            {f"k{n}": 1 for n in range(3000)},
        ),
        "words that are lists": (
            {"properties": {"a": {"items": {"enum": [[0] * 999 + [n] for n in range(1, 99)]}}}},
            {"a": [[0] * 1000] * 200},
        ),
        "a long list shown for each branch": (
            {"properties": {"a": {"anyOf": [{"type": "string"}] * 900}}}, {"a": [1] * 9000},
        ),
        "names that each name needs": (
            {"properties": {"a": {"items": {
                "dependentRequired": {"a": [str(n) for n in range(20_000)]}}}}},
            {"a": [{"a": 1}] * 100},
        ),
        "words of a list": (
            {"properties": {"a": {"items": {"enum": list(range(3000))}}}}, {"a": [-1] * 3000},
        ),
    }  # fmt: skip


@pytest.mark.parametrize(("schema", "value"), hostile_values().values(), ids=hostile_values())
def test_a_value_against_a_hostile_schema_is_a_finding(
    schema: Schema, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A tenth of what is allowed is enough to see that all of it is counted.
    monkeypatch.setitem(schemas.validator.__kwdefaults__, "steps", schemas.MOST_STEPS // 10)  # type: ignore[arg-type]
    contract = contract_of({"type": "object", **schema})
    said = json.dumps(value)
    made = contract.evaluate(said)
    assert made.report.errors
    contract.read_partial(said)


def test_what_a_value_costs_is_counted_before_it_is_done() -> None:
    for name in ("a long list shown for each branch", "names that each name needs"):
        schema, value = hostile_values()[name]
        faults: list[Any] = []
        found = validator(schema, steps=100_000).iter_errors(value)
        with pytest.raises(TooMuchWork):
            faults.extend(found)
        shown = [*faults, *(inner for fault in faults for inner in fault.context)]
        assert len(shown) < 4000
        assert all(len(fault.message) < 1000 for fault in shown)


def test_a_long_plain_list_is_taken() -> None:
    wanted = {"type": "object", "properties": {"a": {"items": {"type": "integer"}}}}
    assert contract_of(wanted).evaluate(json.dumps({"a": [1] * 100_000})).is_accepted


async def test_an_answer_that_was_paid_for_is_an_attempt(wire: WireServer) -> None:
    # Each level differs, so that it does not count as a loop, which is stopped.
    deep = "".join(f'{{"n": {n}, "parts": [' for n in range(330)) + "]}" * 330
    wire.plan("m", deep, '{"parts": []}')
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured("a tree", TREE)
    assert [a.evaluation.kind for a in made.attempts] == ["unparsed", "accepted"]


class Named(BaseModel):
    name: Annotated[str, StringConstraints(pattern="^[a-z]+$")]
    tags: dict[Annotated[str, Field(pattern="^(a+)+$")], int] = {}


def test_patterns_of_types_are_held_to() -> None:
    contract = contract_of(Named)
    assert contract.evaluate('{"name": "abc", "tags": {"aaa": 1}}').is_accepted
    assert not contract.evaluate('{"name": "Abc"}').is_accepted
    assert not contract.evaluate(json.dumps({"name": "a", "tags": {"a" * 60 + "!": 1}})).is_accepted


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^[a-z]+$"}, "abc"), ({"pattern": "^[a-z]+$"}, "aBc"),
        ({"pattern": "b"}, "abc"), ({"pattern": r"^\d{4}-\d\d$"}, "2024-01"),
        ({"pattern": r"^\/\w+"}, "/é"),
        ({"patternProperties": {"^x-": {"type": "integer"}}}, {"x-a": "b"}),
        ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, {"x-a": 1, "y": 2}),
        ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, {"x-a": 1}),
        ({"uniqueItems": True}, [1, True, "1", None, 0, False]), ({"uniqueItems": True}, [1, 1.0]),
        ({"uniqueItems": True}, [{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
        ({"uniqueItems": False}, [1, 1]),
        ({"enum": [[1, {"a": 2}], 3]}, [1.0, {"a": 2}]), ({"enum": [[1], True]}, [True]),
        ({"const": {"a": [1]}}, {"a": [1]}), ({"const": {"a": 1}}, {"a": True}),
        ({"const": 1}, True), ({"const": 1}, 1.0), ({"enum": ["a", None]}, "b"),
        ({"unevaluatedProperties": False, "properties": {"a": {}}}, {"a": 1, "b": 2}),
    ],
)  # fmt: skip
def test_bounded_keywords_judge_as_the_draft_says(schema: Schema, value: Any) -> None:
    faults = [(e.validator, list(e.absolute_path)) for e in validator(schema).iter_errors(value)]
    plain = Draft202012Validator(schema).iter_errors(value)
    assert faults == [(e.validator, list(e.absolute_path)) for e in plain]


def test_one_file_makes_validators() -> None:
    package = Path(orchestrator.__file__).parent
    makes = re.compile(
        r"\bDraft\w*Validator\b|\bjsonschema\.validate\b|validator_for|import Registry"
    )
    found = {p.name for p in package.rglob("*.py") if makes.search(p.read_text(encoding="utf-8"))}
    assert found == {"schemas.py"}


def test_every_schema_of_the_package_is_taken() -> None:
    for path in (Path(orchestrator.__file__).parents[1] / "schemas").glob("*.json"):
        check_schema(json.loads(path.read_text(encoding="utf-8")))
