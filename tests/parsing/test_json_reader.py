"""Every JSON value of an answer is found, none inside reasoning, and none is guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.parsing.json_reader import is_json, last_value, read_candidates

STRINGS = st.text(alphabet="ab{}[]\"'`<>/|\n", max_size=6)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    STRINGS, st.one_of(st.integers(), STRINGS, st.lists(st.integers(), max_size=3)), max_size=3
)
WORDS = st.text(alphabet="abc .,:\n", max_size=20)
REASONING = [
    ("<think>", "</think>"), ("<Thinking>", "</Thinking>"), ("[THINK]", "[/THINK]"),
    ("", "</think>"), ("◁think▷", "◁/think▷"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]  # fmt: skip


@given(st.lists(OBJECTS, min_size=1, max_size=4), st.lists(WORDS, min_size=5, max_size=5))
def test_each_object_is_found_whatever_its_strings_hold(
    objects: list[dict[str, Any]], words: list[str]
) -> None:
    text = words[0] + "".join(
        json.dumps(one) + between for one, between in zip(objects, words[1:], strict=False)
    )
    found = read_candidates(text)
    assert [one.value for one in found.values] == objects
    for one, value in zip(found.values, objects, strict=True):
        assert text[one.offset : one.end].strip() == json.dumps(value)


@pytest.mark.parametrize(("begin", "end"), REASONING)
@given(draft=OBJECTS, answer=OBJECTS, words=WORDS)
def test_an_object_inside_reasoning_is_not_a_candidate(
    begin: str, end: str, draft: dict[str, Any], answer: dict[str, Any], words: str
) -> None:
    thought = f"{begin}{words}{json.dumps(draft)}{words}"
    found = read_candidates(f"{thought}{end}{json.dumps(answer)}")
    assert [one.value for one in found.values] == [answer]
    if begin:
        assert last_value(thought) == ""
        with pytest.raises(ValueError, match="nothing but reasoning"):
            read_candidates(thought)


@given(OBJECTS, OBJECTS, st.text(alphabet="abcdeghjkmpqtuvxyz ,:\n", max_size=20))
def test_of_two_that_differ_none_is_chosen_unless_the_text_says_so(
    first: dict[str, Any], second: dict[str, Any], between: str
) -> None:
    fitting = {0: json.dumps(first), 1: json.dumps(second)}
    said = read_candidates(f"{json.dumps(first)} {between}. Final: {json.dumps(second)}")
    assert said.chosen(fitting) == 1
    unsaid = read_candidates(f"{json.dumps(first)} {json.dumps(second)}")
    assert unsaid.chosen(fitting) == (1 if first == second else None)


@given(st.text(alphabet="{}[]()\"'`<>|/\\,:;ab01.%“”\u2018\u2019&;\n# ", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    if is_json(text):
        assert read_candidates(text).values
    else:
        with pytest.raises(ValueError, match="not JSON"):
            read_candidates(text)


def test_a_key_that_stands_twice_is_noted_in_every_spelling() -> None:
    for text in ('{"a": 1, "a": 2}', "{'a': 1, 'a': 2}", "{a: 1, a: 2}", "{“a”: 1, “a”: 2}"):
        assert read_candidates(text).values[0].clashing == ("a",)
    for text in ('{"a": 1, "\\u0061": 2}', '{a: 1, "\\u0061": 2,}', "{'a': 1, '\\x61': 2}"):
        assert read_candidates(text).values[0].clashing == ("a",)
    same = read_candidates('{"a": 1, "a": 1}').values[0]
    assert (same.repeated, same.clashing) == (("a",), ())


def test_what_is_open_at_the_end_of_a_text_is_its_last_value() -> None:
    assert last_value('Draft: {"a": 1}. Final: {"a": 2, "b') == '{"a": 2, "b'
    assert last_value("No value yet [1") == "[1"
    assert last_value("<think>{") == ""


@pytest.mark.parametrize("text", ['{"n": #}', "{n: #}", "[1, -#]", 'so: {"n": #,} it is', "#"])
def test_a_number_of_too_many_digits_is_named_as_the_reason(text: str) -> None:
    reason = "^not JSON: a number of 10,000 digits; at most 4,300 digits are read$"
    with pytest.raises(ValueError, match=reason):
        read_candidates(text.replace("#", "9" * 10_000))


def test_digits_in_a_string_are_not_the_reason() -> None:
    with pytest.raises(ValueError, match=r"^not JSON at line 1, column 7"):
        read_candidates('{"n": "' + "9" * 10_000 + "}")
