"""Keys: two questions share an entry only when nothing differs that can shape the answer."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cache.keys import (
    _FORMAL,
    _TRANSPORT,
    as_kept,
    call_question,
    differences,
    digest,
    redacted,
    similarity,
    without_secrets,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
ARGUMENTS = st.dictionaries(st.text(min_size=1, max_size=6), JSON, max_size=5)
BASE: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def key(arguments: dict[str, Any], fingerprint: str = "f") -> str:
    return digest(call_question("acompletion", arguments, fingerprint=fingerprint))


def litellm_parameters() -> list[str]:
    """Every parameter that LiteLLM passes on to a provider."""
    from litellm.constants import DEFAULT_CHAT_COMPLETION_PARAM_VALUES

    names = set(DEFAULT_CHAT_COMPLETION_PARAM_VALUES) - {"model", "messages"}
    return sorted(names | {"extra_body", "api_base", "top_k", "num_ctx", "repetition_penalty"})


@pytest.mark.parametrize("name", litellm_parameters())
def test_every_parameter_that_goes_to_a_provider_is_part_of_the_key(name: str) -> None:
    plain, one, other = key(BASE), key({**BASE, name: {"a": 1}}), key({**BASE, name: {"a": 2}})
    if name in _TRANSPORT:
        assert plain == one == other
    else:
        assert len({plain, one, other}) == 3


@given(ARGUMENTS, st.randoms())
def test_neither_order_nor_the_spelling_of_numbers_counts(
    arguments: dict[str, Any], random: Any
) -> None:
    assert key(respelled(arguments, random)) == key(arguments)


def respelled(value: Any, random: Any) -> Any:
    """The same value in another order, whole numbers with a point."""
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {name: respelled(part, random) for name, part in items}
    if isinstance(value, list):
        return [respelled(part, random) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    return value


@given(ARGUMENTS, ARGUMENTS)
def test_keys_are_equal_exactly_when_nothing_differs(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    questions = [call_question("acompletion", a, fingerprint="f") for a in (one, other)]
    is_same = json.dumps(questions[0], sort_keys=True) == json.dumps(questions[1], sort_keys=True)
    assert (digest(questions[0]) == digest(questions[1])) is is_same
    kept = [as_kept(question) for question in questions]
    if kept[0] != kept[1]:
        assert list(differences(kept[0], kept[1]))
    assert not list(differences(kept[0], copy.deepcopy(kept[0])))
    assert similarity(kept[0], kept[0]) == 1.0


def test_a_long_text_counts_as_a_whole_and_nothing_else_can_stand_for_it() -> None:
    text = "y" * 5000
    stand_in = "\0" + hashlib.sha256(text.encode()).hexdigest()
    questions = [{"a": text}, {"a": text + "y"}, {"a": stand_in}, {"a": "\0" + stand_in},
                 {"a": stand_in[1:]}]  # fmt: skip
    assert len({key(question) for question in questions}) == len(questions)
    assert key({"a": text, "b": stand_in}) != key({"a": stand_in, "b": text})
    assert key({"a": "".join(["y"] * 5000)}) == key({"a": text})


def test_deployments_and_the_kind_of_call_are_part_of_the_key() -> None:
    assert key(BASE, "f") != key(BASE, "g")
    other = call_question("aembedding", BASE, fingerprint="f")
    assert digest(other) != key(BASE)


@given(st.text(min_size=1, max_size=30))
def test_a_kept_question_shows_no_secret_and_still_tells_two_apart(secret: str) -> None:
    question = {"api_key": secret, "extra_headers": {"Authorization": f"Bearer {secret}"},
                "max_tokens": 5, "prompt": "hi"}  # fmt: skip
    found = without_secrets(question)
    for name in ("api_key", "extra_headers"):
        assert re.fullmatch(r"\[removed, digest [0-9a-f]{8}\]", found[name])
    assert (found["max_tokens"], found["prompt"]) == (5, "hi")
    other = without_secrets({**question, "api_key": f"{secret}x"})
    assert other["api_key"] != found["api_key"]


@given(st.text(min_size=1, max_size=40).filter(lambda words: words not in _FORMAL))
def test_a_redacted_question_holds_no_words_however_few(words: str) -> None:
    messages = [{"role": "user", "content": words}]
    question = call_question("acompletion", {"messages": messages}, fingerprint="f")
    (turn,) = redacted(as_kept(question))["arguments"]["messages"]
    assert turn["role"] == "user"
    assert turn["content"].startswith(f"[{len(words)} characters, digest ")


def test_differences_point_at_the_place() -> None:
    one = {"messages": [["user", "find the exit"]], "parameters": {"temperature": 0}}
    other = {"messages": [["user", "find the entry"]], "parameters": {"temperature": 1, "seed": 3}}
    assert list(differences(one, other)) == [
        "messages[0][1]: 'find the exit' is 'find the entry'",
        "parameters.temperature: 0 is 1",
        "parameters.seed: absent is 3",
    ]
