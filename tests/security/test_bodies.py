"""Odd bodies of chat requests are a 400 that names the field, never a fault of this side."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.server.chat_request import OPTIONS, UnservedRequestError, check_body, read_request
from orchestrator.server.litellm_proxy import body_check, custom_llm

TURN = {"role": "user", "content": "a cautious explorer"}
DEEP: Any = []
for _ in range(150):
    DEEP = [DEEP]
ODD: dict[str, Any] = {
    "true": True, "negative": -1, "large": 10**9, "huge": 10**400, "fraction": 1.5,
    "nan": float("nan"), "text": "yes", "empty": "", "numbers": [1], "nothing": [None],
    "objects": [{"a": 1}], "object": {"a": {"b": [None]}}, "deep": DEEP,
    "control characters": "a\x1b]52;c;x\x07\ud800",
}  # fmt: skip
FIELDS = (
    "messages", "metadata", "litellm_metadata", "tools", "functions", "tool_choice", "n", "stop",
    "response_format", "timeout", "stream", "stream_options", "temperature", "top_p", "user",
    "max_tokens", "logit_bias", "modalities", "extra_body", "extra_headers", "fallbacks",
    "num_retries", "max_retries", *OPTIONS,
)  # fmt: skip


class Answers:
    """In place of `generate_gmn`."""

    async def __call__(self, prompt: str, route: str, options: dict[str, Any]) -> Any:
        usage = SimpleNamespace(prompt_tokens=1, completion_tokens=2, total_tokens=3)
        return SimpleNamespace(text="agent {}", spec=SimpleNamespace(), usage=usage)


async def status_of(body: dict[str, Any], *, stream: bool = False) -> tuple[int, str]:
    """What LiteLLM is given by the handler: 200, or the status and the words of the refusal."""
    handler = custom_llm(Answers())
    params = {k: v for k, v in body.items() if k not in ("messages", "metadata")}
    given_to = {"litellm_params": {"metadata": body.get("metadata")}}
    try:
        if stream:
            parts = handler.astreaming("default", body["messages"], params, **given_to)
            _ = [part async for part in parts]
        else:
            await handler.acompletion(
                "default", body["messages"], litellm.ModelResponse(), params, **given_to
            )
    except litellm.llms.custom_llm.CustomLLMError as error:
        return error.status_code, error.message
    return 200, ""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", FIELDS)
async def test_an_odd_field_is_honoured_or_refused_by_its_name(name: str, stream: bool) -> None:
    for value in ODD.values():
        for body in (
            {"messages": [TURN], name: value},
            {"messages": [TURN], "extra_body": {name: value}},
        ):
            status, words = await status_of(body, stream=stream)
            assert status in (200, 400), words
            is_named = name in words
            is_named = is_named or words.startswith("a:")  # the name inside of extra_body
            assert status == 200 or is_named or "message" in words, (words, value)


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
async def test_odd_turns_are_refused_by_their_place(value: Any) -> None:
    turns: list[dict[str, Any]] = [
        {"role": value, "content": "x"}, {"content": "x"}, {"role": "user", "content": [value]},
        {"role": "user", "content": [{"type": value, "text": "x"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": value}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": value}}]},
    ]  # fmt: skip
    for turn in turns:
        status, words = await status_of({"messages": [TURN, turn]})
        assert (status, "messages[1]" in words) == (400, True), words
    for content in ({"role": "user", "content": [{"type": "text", "text": value}]},
                    {"role": "user", "content": value}):  # fmt: skip
        status, words = await status_of({"messages": [TURN, content]})
        is_text = isinstance(value, str) and value.isprintable()
        assert status == 200 if is_text else "messages" in words, words


async def test_a_picture_that_is_not_even_ascii_is_refused_by_its_place() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,\u00e9"}}
    turn = {"role": "user", "content": [{"type": "text", "text": "x"}, part]}
    status, words = await status_of({"messages": [turn]})
    assert (status, "messages[0]: image_url" in words) == (400, True), words


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS), anything, max_size=4))
def test_no_body_is_a_fault_of_this_side(body: dict[str, Any]) -> None:
    said: list[str] = []
    for check in (check_body, lambda b: read_request(b.pop("messages", [TURN]), b)):
        try:
            check(dict(body))
        except UnservedRequestError as error:
            said.append(str(error))
    assert all(said)


@pytest.mark.parametrize(("model", "is_ours"), [("gmn", True), ("other", False), ([1], False)])
def test_the_proxy_asks_before_litellm_reads_the_body(
    model: Any, is_ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = {"gmn": "gmn/default", "other": "openai/gpt"}

    def get_model_list(model_name: Any) -> list[Any]:
        known = [name for name in served if name == model_name]
        return [{"litellm_params": {"model": served[name]}} for name in known]

    proxy = SimpleNamespace(llm_router=SimpleNamespace(get_model_list=get_model_list))
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", proxy)
    ask = body_check().async_pre_call_hook
    for name in ("messages", "tools", "response_format", "timeout"):
        body = {"model": model, "messages": [TURN], name: True}
        if is_ours:
            with pytest.raises(litellm.llms.custom_llm.CustomLLMError, match=name) as caught:
                asyncio.run(ask(None, None, body, "acompletion"))
            assert caught.value.status_code == 400
        else:
            asyncio.run(ask(None, None, body, "acompletion"))
    asyncio.run(ask(None, None, {"model": model, "messages": [TURN]}, "acompletion"))
