"""Local repair of any JSON value: what is valid stays as it is, what has one reading is read."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.parsing.json_patch import from_name_keyed, to_name_keyed
from orchestrator.parsing.json_reader import read_json
from orchestrator.parsing.schema_coercion import coerced

Pair = tuple[dict[str, Any], Any]
NAMES = ("size", "goal", "owner", "first_name", "weight")
WORDS = ("north east", "south", "unknown place")


def pairs() -> st.SearchStrategy[Pair]:
    """A schema and a value that fulfils it."""
    leaves: st.SearchStrategy[Pair] = st.one_of(
        st.integers(-1000, 1000).map(lambda n: ({"type": "integer"}, n)),
        st.floats(allow_nan=False, allow_infinity=False).map(lambda x: ({"type": "number"}, x)),
        st.booleans().map(lambda b: ({"type": "boolean"}, b)),
        st.text(max_size=8).map(lambda t: ({"type": "string"}, t)),
        st.sampled_from(WORDS).map(lambda w: ({"enum": list(WORDS)}, w)),
        st.none().map(lambda _: ({"type": ["integer", "null"]}, None)),
        st.integers(0, 9).map(lambda n: ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, n)),
    )

    def nested(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
        objects = st.dictionaries(st.sampled_from(NAMES), inner, max_size=4).map(
            lambda parts: (
                {
                    "type": "object",
                    "properties": {name: schema for name, (schema, _) in parts.items()},
                    "required": list(parts),
                    "additionalProperties": False,
                },
                {name: value for name, (_, value) in parts.items()},
            )
        )
        lists = inner.flatmap(
            lambda pair: st.integers(0, 3).map(
                lambda n: ({"type": "array", "items": pair[0]}, [copy.deepcopy(pair[1])] * n)
            )
        )
        return st.one_of(objects, lists)

    return st.recursive(leaves, nested, max_leaves=12)


@given(pairs())
def test_a_valid_value_is_never_changed(pair: Pair) -> None:
    schema, value = pair
    assert coerced(value, schema) == (value, ())


@given(pairs())
def test_valid_json_reads_as_itself(pair: Pair) -> None:
    read = read_json(json.dumps(pair[1]))
    assert (read.value, read.fixes) == (pair[1], ())


@given(pairs())
def test_words_for_numbers_and_keys_in_another_case_are_read_as_what_they_say(pair: Pair) -> None:
    schema, value = pair
    damaged = spoiled(value)
    made, found = coerced(damaged, schema)
    assert bool(found) == (made != damaged)
    if Draft202012Validator(schema).is_valid(made):
        assert coerced(made, schema) == (made, ())
    if "anyOf" not in json.dumps(schema) and "string" not in json.dumps(schema):
        assert made == value


def spoiled(value: Any) -> Any:
    """The same in a model's careless spelling."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, dict):
        return {name.title().replace("_", ""): spoiled(part) for name, part in value.items()}
    if isinstance(value, list):
        return [spoiled(part) for part in value]
    if value in WORDS:
        return value.upper().replace(" ", "-")
    return value


ITEM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["name"],
}
LISTS = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": ITEM}, "b": {"type": "array"}},
    "$defs": {"deep": ITEM},
}


@given(
    st.lists(
        st.fixed_dictionaries({"name": st.text(max_size=3)}, optional={"n": st.integers()}),
        max_size=4,
    ),
    st.lists(st.integers(), max_size=3),
)
def test_a_view_by_names_leads_back_to_its_value(a: list[Any], b: list[int]) -> None:
    value = {"a": a, "b": b}
    assert from_name_keyed(to_name_keyed(value, LISTS, LISTS), LISTS, LISTS) == value


def test_a_schema_may_say_what_names_an_item_and_a_name_may_stand_twice() -> None:
    schema = {"properties": {"tables": {"type": "array", "items": {"x-key": "of"}}}}
    value = {"tables": [{"of": "C#2", "n": 1}, {"of": "b", "n": 2}, {"of": "b", "n": 3}]}
    view = to_name_keyed(value, schema, schema)
    assert list(view["tables"]) == ["C#2", "b", "b#2"]
    assert from_name_keyed(view, schema, schema) == value
    added = {"tables": {"C#2": {"n": 1}, "b": {"n": 2}, "b#2": {"n": 3}}}
    assert from_name_keyed(added, schema, schema) == value
