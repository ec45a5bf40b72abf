"""What pydantic would convert silently is refused, or reported where its author asked for it."""

from __future__ import annotations

import json
import math
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, model_validator

from orchestrator.generation.contract import contract_of


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(strict=False)]
    weight: float = 1.0


class Dog(BaseModel):
    kind: Literal["dog"]
    age: int


class Node(BaseModel):
    n: int
    lenient: Annotated[int, Field(strict=False)] = 0
    inside: list[Node] = []


class Pets(BaseModel):
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]]
    by_name: dict[str, Cat] = {}


class Infinite(BaseModel):
    model_config = ConfigDict(allow_inf_nan=True)
    f: float


class Lenient(BaseModel):
    model_config = ConfigDict(strict=False)
    n: int


class Before(BaseModel):
    n: int
    f: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def unpacked(cls, given: Any) -> Any:
        return given[0] if isinstance(given, list) else given


Words = Annotated[list[str], BeforeValidator(lambda v: v.split(", ") if isinstance(v, str) else v)]


class Tagged(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    tags: Words = Field(alias="Labels")


class Shelves(BaseModel):
    by_number: dict[int, dict[int, str]]


NAME = "abcdef78-1234-5678-1234-567812345678"
CAT = '{"kind": "cat", "lives": "0%d"}'


@pytest.mark.parametrize(
    ("wanted", "text", "pointers"),
    [
        (Pets, '{"pets": [{"kind": "dog", "age": 3}, %s]}' % (CAT % 9), ["/pets/1/cat/lives"]),
        (Pets, '{"pets": [], "by_name": {"tom": %s}}' % (CAT % 9), ["/by_name/tom/lives"]),
        (Node, '{"n": 1, "inside": [{"n": 2, "lenient": "007"}]}', ["/inside/0/lenient"]),
        (Lenient, '{"n": "007"}', ["/n"]),
        (Before, '{"n": "007"}', ["/n"]),
    ],
)
def test_what_an_author_reads_leniently_is_read_and_reported(
    wanted: Any, text: str, pointers: list[str]
) -> None:
    evaluation = contract_of(wanted).evaluate(text)
    assert evaluation.is_accepted
    assert [(d.code, d.pointer) for d in evaluation.report.repairs] == [
        ("MEND8", pointer) for pointer in pointers
    ]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Pets, '{"pets": [{"kind": "dog", "age": "03"}]}'),
        (Pets, '{"pets": [{"kind": "cat", "lives": 9, "weight": "inf"}]}'),
        (Node, '{"n": 1, "inside": [{"n": "02", "lenient": "007"}]}'),
        (Before, '{"n": 1, "f": "inf"}'),
        (Before, '{"n": 1, "f": "nan"}'),
        (Lenient, '{"n": "seven"}'),
    ],
)
def test_what_no_author_asked_for_is_a_finding(wanted: Any, text: str) -> None:
    assert not contract_of(wanted).evaluate(text).is_accepted


def test_rules_of_an_author_that_convert_nothing_silently_are_not_mentioned() -> None:
    for text in ('{"Labels": "a, b"}', '{"Labels": ["a", "b"]}', '{"tags": ["a", "b"]}'):
        evaluation = contract_of(Tagged).evaluate(text)
        assert evaluation.value == Tagged(Labels=["a", "b"])
        assert evaluation.report.repairs == ()


def test_an_infinity_is_a_number_where_the_type_says_so() -> None:
    assert contract_of(Infinite).evaluate('{"f": Infinity}').value == Infinite(f=math.inf)
    assert (
        not contract_of(Cat).evaluate('{"kind": "cat", "lives": 1, "weight": Infinity}').is_accepted
    )


@given(st.text(alphabet="0123456789._-+eEinfa% ,", min_size=1, max_size=8))
def test_a_string_for_a_number_is_refused_or_reported(text: str) -> None:
    evaluation = contract_of(list[float]).evaluate(f'["{text}"]')
    if evaluation.is_accepted:
        assert math.isfinite(evaluation.value[0])
        assert [d.code for d in evaluation.report.repairs] == ["MEND1"]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (dict[int, str], '{"1": "a", "1.0": "b"}'),
        (dict[int, str], '{"1": "a", " 1": "b"}'),
        (dict[int, str], '{"1.0": "a"}'),
        (dict[float, str], '{"0.5": "a", ".5": "b"}'),
        (dict[Decimal, int], '{"1": 1, "1.0": 2}'),
        (dict[bool, int], '{"true": 1, "yes": 2}'),
        (dict[bool, int], '{"1": 1}'),
        (dict[UUID, int], json.dumps({NAME: 1, NAME.replace("-", ""): 2})),
        (dict[date, int], '{"0": 1}'),
        (date, '"0"'),
        (set[Decimal], '["1", "1.0"]'),
        (list[frozenset[UUID]], json.dumps([[NAME, NAME.upper()]])),
        (Shelves, '{"by_number": {"7": {"1": "a", "+1": "b"}}}'),
    ],
)
def test_of_two_spellings_of_one_key_or_member_none_is_left_out(wanted: Any, text: str) -> None:
    evaluation = contract_of(wanted).evaluate(text)
    assert not evaluation.is_accepted
    assert evaluation.report.errors


def test_keys_and_members_in_their_own_spelling_are_read() -> None:
    kept = contract_of(Shelves).evaluate('{"by_number": {"7": {"1": "a", "-2": "b"}}}')
    assert (kept.value, kept.report.repairs) == (Shelves(by_number={7: {1: "a", -2: "b"}}), ())
    assert contract_of(dict[bool, int]).evaluate('{"true": 1, "False": 2}').value == {
        True: 1, False: 2,
    }  # fmt: skip


class Parts(RootModel["dict[str, Parts] | list[Parts] | int | None"]):
    pass


class Listed(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    name: str
    discount: float = 0.0
    unit_price: Decimal | None = Field(default=None, alias="unitPrice")
    inside: Listed | None = None


@pytest.mark.parametrize(
    ("text", "made", "codes"),
    [
        ('{"name": "a", "Discount": 5}', Listed(name="a", discount=5), ["MEND2"]),
        ('{"name": "a", "colour": "red"}', Listed(name="a"), ["EXTRA"]),
        ('{"name": "a", "discount": 1, "DISCOUNT": 2}', Listed(name="a", discount=1), ["EXTRA"]),
        (
            '{"name": "a", "unitPrice": 1, "unit_price": 2}',
            Listed(name="a", unitPrice=Decimal(1)),
            ["EXTRA"],
        ),
        (
            '{"name": "a", "inside": {"name": "b", "tint": 1}}',
            Listed(name="a", inside=Listed(name="b")),
            ["EXTRA"],
        ),
        (
            '{"name": "a", "unitPrice": 12345678901234567.89}',
            Listed(name="a", unitPrice=Decimal("12345678901234567.89")),
            [],
        ),
        ('{"name": "a", "unitPrice": 0.1}', Listed(name="a", unitPrice=Decimal("0.1")), []),
    ],
)
def test_what_a_type_would_leave_out_is_read_or_reported(
    text: str, made: Listed, codes: list[str]
) -> None:
    evaluation = contract_of(Listed).evaluate(text)
    assert (evaluation.value, evaluation.report.errors) == (made, ())
    report = evaluation.report
    assert [d.code for d in (*report.diagnostics, *report.repairs)] == codes


def test_digits_of_decimals_are_kept_in_every_place_and_of_no_other_number() -> None:
    read = contract_of(list[Decimal]).evaluate("[1.1, 99999999999999999999.99]")
    assert read.value == [Decimal("1.1"), Decimal("99999999999999999999.99")]
    mixed = contract_of(dict[str, Decimal | list[str]])
    assert not mixed.evaluate('{"a": [0.12345678901234567890123]}').is_accepted


def test_a_union_keeps_the_shape_of_a_value_that_needs_a_repair() -> None:
    read = contract_of(Parts).evaluate('{"a": [1, NaN]}')
    assert read.value.model_dump() == {"a": [1, None]}
    assert [d.code for d in read.report.repairs] == ["MEND5"]
    assert contract_of(int | list[int]).evaluate('"3"').value == 3


PATTERNS = {
    "type": "object",
    "properties": {"price_a": {"type": "integer"}, "n": {"type": "integer"}},
    "patternProperties": {"^P": {"type": "integer"}},
    "additionalProperties": False,
}


def test_a_key_that_a_pattern_names_is_not_read_as_another() -> None:
    read = contract_of(PATTERNS).evaluate('{"Price_a": "3", "n": "4"}')
    assert read.value == {"Price_a": 3, "n": 4}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2024-02-29T10:00:00Z", "2024-02-29T25:00:00Z"),
        ("time", "10:30:00", "25:61"),
        ("duration", "P1DT2H", "P"),
        ("uuid", NAME, NAME[:-1]),
        ("email", "a@b.example", "a at b"),
        ("ipv4", "127.0.0.1", "999.1.1.1"),
        ("ipv6", "::1", ":::1"),
        ("uri", "https://a.example/b", "no address"),
        ("colour", "anything", None),
    ],
)
def test_a_format_of_a_schema_is_held_to(name: str, good: str, bad: str | None) -> None:
    contract = contract_of({"type": "object", "properties": {"x": {"format": name}}})
    assert contract.evaluate(json.dumps({"x": good})).is_accepted
    assert bad is None or not contract.evaluate(json.dumps({"x": bad})).is_accepted


@pytest.mark.parametrize("text", ['{"a": "\\ud83d"}', '{"\\ud83d": 1}'])
def test_half_of_a_surrogate_pair_is_a_finding(text: str) -> None:
    (error,) = contract_of({"type": "object"}).evaluate(text).report.errors
    assert "surrogate" in error.message
    assert contract_of({"type": "object"}).evaluate('{"a": "\\ud83d\\ude00"}').is_accepted
