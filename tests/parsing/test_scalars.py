"""What stands in a string is read where it has one reading."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.formats import coerce
from orchestrator.parsing.scalars import number_in, share_in, truth_in
from orchestrator.parsing.schema_coercion import coerced


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_in_a_string_is_that_number(number: float) -> None:
    read = number_in(f" {number} ")
    assert read == number
    assert type(read) is type(number)
    assert share_in(str(number)) == number
    assert share_in(f"{number}%") == number / 100


@pytest.mark.parametrize(
    ("text", "number"), [("+5", 5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-0", 0)]
)
def test_a_sign_and_a_bare_point_are_read(text: str, number: float) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "nan",
        "inf",
        "-Infinity",
        "1e400",
        "1_000",
        "1,000",
        "010",
        "0x10",
        "1/3",
        "three",
        "",
        "-",
        ".",
    ],
)
def test_what_has_no_reading_or_two_is_left_alone(text: str) -> None:
    assert number_in(text) is None
    assert coerced(text, {"type": "number"}) == (text, ())
    assert coerce({"policy": {"gamma": text}}).spec is None


def test_percentages_are_shares_where_the_reader_says_so() -> None:
    assert share_in("20 %") == 0.2
    assert share_in("1 / 4") == 0.25
    assert share_in("1/0") is None
    assert number_in("20%") is None
    assert coerced("20%", {"type": "number"}) == ("20%", ())


@pytest.mark.parametrize(
    ("text", "truth"), [("True", True), ("no", False), (" YES", True), ("1", None), ("on", None)]
)
def test_truth_values_are_true_yes_false_and_no(text: str, truth: bool | None) -> None:
    assert truth_in(text) is truth
    made, found = coerced(text, {"type": "boolean"})
    assert made == (text if truth is None else truth)
    assert [d.code for d in found] == ([] if truth is None else ["MEND1"])


def test_a_number_too_long_for_an_int_is_read_as_a_float_or_not_at_all() -> None:
    assert number_in("9" * 5000) is None
    assert math.isclose(number_in("9" * 300) or 0, 1e300)
