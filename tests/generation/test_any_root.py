"""Any type is asked for inside an object and given back bare, by the whole way through."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from typing_extensions import TypedDict

from orchestrator import Orchestrator
from orchestrator.generation.contract import contract_of
from orchestrator.types.events import Partial
from tests.support.wire import WireServer, configured


class Bird(BaseModel):
    name: str
    grams: float = 1.0


class Nest(BaseModel):
    owner: str
    inside: list[Nest] = []


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Spot:
    x: int


class Row(TypedDict):
    n: int


@pytest.mark.parametrize(
    ("wanted", "text", "value"),
    [
        (list[Bird], '[{"name": "owl"}]', [Bird(name="owl")]),
        (dict[str, Bird], '{"a": {"name": "owl"}}', {"a": Bird(name="owl")}),
        (bool, "true", True),
        (Literal["wet", "dry"], '"wet"', "wet"),
        (Bird | None, "null", None),
        (Bird | Nest, '{"owner": "owl"}', Nest(owner="owl")),
        (int | str, '"ten"', "ten"),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (set[int], "[1, 2]", {1, 2}),
        (datetime.date, '"2024-05-01"', datetime.date(2024, 5, 1)),
        (Colour, '"red"', Colour.RED),
        (Spot, '{"x": 1}', Spot(1)),
        (Row, '{"n": 1}', {"n": 1}),
        (list[Nest], '[{"owner": "a", "inside": [{"owner": "b"}]}]',
         [Nest(owner="a", inside=[Nest(owner="b")])]),
        ({"type": "array", "items": {"type": "integer"}}, "[1]", [1]),
        ({"enum": ["a", 1]}, "1", 1),
    ],
)  # fmt: skip
async def test_any_root_is_asked_for_in_an_object_and_read_with_and_without_it(
    wire: WireServer, wanted: Any, text: str, value: object
) -> None:
    contract = contract_of(wanted)
    is_bare = contract.bare is None
    wire.plan("m", text, text if is_bare else f'{{"value": {text}}}')
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = [await orc.generate_structured(ask, wanted) for ask in ("one", "another")]
    assert [one.value for one in made] == [value, value]
    assert [one.report.repairs for one in made] == [(), ()]
    assert json.loads(made[1].text) == json.loads(text)
    for request in wire.requests:
        sent = request["response_format"]["json_schema"]["schema"]
        inner = json.loads(text)
        assert sent["type"] == "object"
        assert Draft202012Validator(sent).is_valid(inner if is_bare else {"value": inner})


def test_references_to_the_old_root_lead_to_where_it_stands_now() -> None:
    whole = {"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "integer"}]}
    contract = contract_of(whole)
    assert Draft202012Validator(contract.schema).is_valid({"value": [1, [2]]})
    assert not Draft202012Validator(contract.schema).is_valid({"value": [1, ["a"]]})
    assert contract.evaluate("[1, [2]]").value == [1, [2]]


async def test_a_fault_in_a_list_is_patched_where_the_model_sees_it(wire: WireServer) -> None:
    patch = [{"op": "replace", "path": "/value/owl/grams", "value": 300}]
    wire.plan("m", '[{"name": "owl", "grams": "heavy"}]', json.dumps(patch))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured("birds", list[Bird])
    assert made.value == [Bird(name="owl", grams=300)]
    assert "(at /value/owl/grams)" in wire.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize("text", ['{"value": [{"name": "owl"}, {"na', '[{"name": "owl"}, {"na'])
def test_a_list_that_is_arriving_closes_part_by_part(text: str) -> None:
    found = contract_of(list[Bird]).read_partial(text)
    assert found is not None
    assert (found.value, found.closed) == ([{"name": "owl"}, {}], ("/0/name", "/0"))


async def test_a_stream_shows_no_part_of_the_reasoning_and_all_of_the_answer(
    wire: WireServer,
) -> None:
    draft, final = '{ "name": "crow", "grams": 2 }', '{ "name": "owl", "grams": 3 }'
    wire.plan("m", f"<think>{draft}</think>{final}", f"{draft} No, rather: {final}")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        for ask, shown in (("a bird", ["owl"]), ("another", ["crow", "owl"])):
            found = [e async for e in orc.stream_structured(ask, Bird) if isinstance(e, Partial)]
            values: list[Any] = [e.value for e in found if "/name" in e.complete_paths]
            assert list(dict.fromkeys(value["name"] for value in values)) == shown


@pytest.mark.parametrize("wanted", [Orchestrator, type(len)])
def test_what_pydantic_does_not_understand_is_a_type_error(wanted: Any) -> None:
    with pytest.raises(TypeError, match="JSON Schema"):
        contract_of(wanted)
