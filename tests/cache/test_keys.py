"""What identifies a question of the loop, and what does not."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cache.keys import digest, question_of
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import OutputMode, Request

QUESTION = Request(messages=(LLMMessage(LLMRole.USER, "a cautious explorer"),), route="default")


def cache_key(request: Request, *, fingerprint: str) -> str:
    return digest(question_of(request, fingerprint=fingerprint))


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (LLMMessage(LLMRole.SYSTEM, "a cautious explorer"),)},
        {"messages": (LLMMessage(LLMRole.USER, "a cautious explorer "),)},
        {"route": "strong"},
        {"parameters": {"temperature": 0.5}},
        {"parameters": {"extra_body": {"top_k": 3}}},
        {"mode": OutputMode.JSON_OBJECT},
        {"templates": {"generate": "abc"}},
        {"sample": 1},
    ],
)
def test_whatever_shapes_the_answer_changes_the_key(change: dict[str, object]) -> None:
    changed = dataclasses.replace(QUESTION, **change)  # type: ignore[arg-type]
    assert cache_key(changed, fingerprint="f") != cache_key(QUESTION, fingerprint="f")


@pytest.mark.parametrize(
    "change", [{"timeout_s": 1.0}, {"cache": "refresh"}, {"purpose": "patch"}, {"schema": {"a": 1}}]
)
def test_what_does_not_shape_the_answer_leaves_the_key_alone(change: dict[str, object]) -> None:
    changed = dataclasses.replace(QUESTION, **change)  # type: ignore[arg-type]
    assert cache_key(changed, fingerprint="f") == cache_key(QUESTION, fingerprint="f")


def test_other_deployments_or_another_schema_are_another_question() -> None:
    assert cache_key(QUESTION, fingerprint="f") != cache_key(QUESTION, fingerprint="g")
    strict = dataclasses.replace(QUESTION, mode=OutputMode.JSON_SCHEMA, schema={"type": "object"})
    other = dataclasses.replace(strict, schema={"type": "array"})
    assert cache_key(strict, fingerprint="f") != cache_key(other, fingerprint="f")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=6), json_values, min_size=2, max_size=5))
def test_the_order_of_parameters_does_not_count(parameters: dict[str, object]) -> None:
    backwards = dict(reversed(parameters.items()))
    one = dataclasses.replace(QUESTION, parameters=parameters)
    two = dataclasses.replace(QUESTION, parameters=backwards)
    assert cache_key(one, fingerprint="f") == cache_key(two, fingerprint="f")


@given(json_values, json_values)
def test_digests_are_equal_only_for_equal_values(one: object, two: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (digest(one) == digest(two)) is same


def test_a_whole_number_means_the_same_with_and_without_a_point() -> None:
    keys = {
        cache_key(
            dataclasses.replace(QUESTION, parameters={"temperature": value, "stop": [value]}),
            fingerprint="f",
        )
        for value in (1, 1.0)
    }
    assert len(keys) == 1
