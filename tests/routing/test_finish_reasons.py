"""Answers that their provider did not finish: said as what they are, passed on, and not kept."""

from __future__ import annotations

import json
from typing import Any

import litellm
import openai
import pytest

from orchestrator import Orchestrator, RateLimitError
from orchestrator.routing.finish_reasons import reasons_in
from tests.support.wire import Reply, WireServer, configured
from tests.wire.protocols import Asked

ASK = [{"role": "user", "content": "describe the corridor"}]
PATHS = {"gemini": "/v1beta", "anthropic": ""}


def asking(wire: WireServer, *models: str, **settings: Any) -> dict[str, Any]:
    """A group ``a`` with one deployment for each of LiteLLM's names of a model, asked in turn."""
    config: dict[str, Any] = configured(wire.base, *models, routes={"default": ["a"]}, **settings)
    config["router_settings"]["num_retries"] = 0
    for place, (entry, model) in enumerate(zip(config["model_list"], models, strict=True)):
        path = PATHS.get(model.partition("/")[0], "/v1")
        entry["model_name"] = "a"
        entry["litellm_params"] |= {
            "model": model, "api_base": wire.root + path, "order": place + 1,
        }  # fmt: skip
    return config


async def said(orc: Orchestrator, *, stream: bool, **more: Any) -> tuple[str, str]:
    """Text and finish reason of an answer."""
    made = await orc.acompletion(model="a", messages=ASK, stream=stream, **more)
    if not stream:
        return made.choices[0].message.content or "", made.choices[0].finish_reason
    text, end = "", ""
    async for part in made:
        for choice in part.choices:
            text += choice.delta.content or ""
            end = choice.finish_reason or end
    return text, end


def parts(*data: dict[str, Any]) -> str:
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    lines = [{**base, **one} if "choices" in one else one for one in data]
    return "".join(f"data: {json.dumps(one)}\n\n" for one in lines) + "data: [DONE]\n\n"


def delta(text: str, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, **more}]}


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        ({"choices": 5}, {}),
        ({"choices": {"finish_reason": "error"}, "candidates": "abc"}, {}),
        ({"choices": [7, {"index": "x", "finish_reason": "abort"}]}, {1: "abort"}),
        ({"choices": [{"index": 2, "finish_reason": ["error"]}]}, {}),
        ([{"finish_reason": "error"}], {}),
        ({"done_reason": "load"}, {0: "load"}),
    ],
)
def test_reasons_are_read_of_any_shape(answer: Any, reasons: dict[int, str]) -> None:
    assert reasons_in(answer) == reasons


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reason", ["model_length", "max_length", "ERROR_LIMIT"])
async def test_an_answer_that_ran_into_a_limit_says_so_and_is_not_kept(
    reason: str, stream: bool, wire: WireServer
) -> None:
    wire.plan("m", Reply("The corridor is", finish=reason))
    async with Orchestrator(asking(wire, "mistral/m")) as orc:
        for _ in range(2):
            assert await said(orc, stream=stream) == ("The corridor is", "length")
    assert wire.served.requests == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("openrouter/x/m", "error"),
        ("mistral/m", "error"),
        ("deepseek/m", "insufficient_system_resource"),
        ("hosted_vllm/m", "abort"),
        ("lm_studio/m", "failed"),
    ],
)
async def test_an_answer_that_was_not_finished_is_an_error_on_the_bill(
    model: str, reason: str, stream: bool, wire: WireServer
) -> None:
    wire.plan(model.partition("/")[2], Reply("The corridor is", finish=reason, tokens=30))
    async with Orchestrator(asking(wire, model)) as orc:
        for _ in range(2):
            with pytest.raises(openai.InternalServerError, match=reason):
                await said(orc, stream=stream)
        line = (await orc.usage())[0]
    assert wire.served.requests == 2
    assert line["wire"][0]["outcome"] == "InternalServerError"
    assert line["billed_usd"] > 0


async def test_a_sibling_gives_the_answer_that_another_did_not_finish(wire: WireServer) -> None:
    wire.plan("x/m", Reply("", finish="error"))
    wire.plan("spare", "whole")
    config = asking(wire, "openrouter/x/m", "openai/spare")
    async with Orchestrator(config) as orc:
        assert await said(orc, stream=False) == ("whole", "stop")
        assert await said(orc, stream=True) == ("whole", "stop")


async def test_a_call_that_gemini_could_not_write_is_an_error(wire: WireServer) -> None:
    part = {"content": {"role": "model", "parts": [{"text": "x"}]}, "index": 0}
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
    ended = {**part, "finishReason": "MALFORMED_FUNCTION_CALL"}
    body = {"candidates": [ended], "usageMetadata": usage}
    wire.plan("m", Reply(raw=json.dumps(body)))
    async with Orchestrator(asking(wire, "gemini/m")) as orc:
        with pytest.raises(openai.InternalServerError, match="MALFORMED_FUNCTION_CALL"):
            await said(orc, stream=False)


@pytest.mark.parametrize("model", ["hosted_vllm/m", "mistral/m", "groq/m", "deepseek/m"])
@pytest.mark.parametrize(
    "error",
    [
        {"object": "error", "message": "CUDA out of memory", "code": 500},
        {"error": {"message": "CUDA out of memory", "code": "server_error"}},
    ],
)
async def test_an_error_in_the_middle_of_a_stream_is_no_end(
    error: dict[str, Any], model: str, wire: WireServer
) -> None:
    wire.plan("m", Reply(raw=parts(delta("one "), error), content_type="text/event-stream"))
    async with Orchestrator(asking(wire, model)) as orc:
        for _ in range(2):
            with pytest.raises(openai.APIError):
                await said(orc, stream=True)
    assert wire.served.requests == 2


async def test_an_error_whose_code_is_a_word_is_litellms_error(wire: WireServer) -> None:
    # LiteLLM reads the code of OpenRouter's as a number, and its ValueError reached the caller.
    failed = {**delta("", finish_reason="error"), "error": {"code": "server_error", "message": "x"}}
    wire.plan("x/m", Reply(raw=parts(delta("one "), failed), content_type="text/event-stream"))
    async with Orchestrator(asking(wire, "openrouter/x/m")) as orc:
        with pytest.raises(openai.APIError):
            await said(orc, stream=True)


@pytest.mark.parametrize("text", [None, ""])
async def test_an_answer_that_says_nothing_is_not_kept(text: str | None, wire: WireServer) -> None:
    message = {"role": "assistant", "content": text, "reasoning_content": "hm"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    wire.plan("m", Reply(raw=json.dumps(body)), "now it does")
    async with Orchestrator(asking(wire, "openai/m")) as orc:
        assert await said(orc, stream=False) == ("", "stop")
        assert await said(orc, stream=False) == ("now it does", "stop")


async def test_a_stream_that_only_thinks_is_not_kept(wire: WireServer) -> None:
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}
    body = parts(thought, delta("", finish_reason="stop"))
    wire.plan("m", Reply(raw=body, content_type="text/event-stream"))
    async with Orchestrator(asking(wire, "deepseek/m")) as orc:
        for _ in range(2):
            assert await said(orc, stream=True) == ("", "stop")
    assert wire.served.requests == 2


async def test_a_call_of_a_function_in_the_old_form_is_kept(wire: WireServer) -> None:
    message = {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "f", "arguments": "{}"},
    }
    choice = {"index": 0, "message": message, "finish_reason": "function_call"}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    wire.plan("m", Reply(raw=json.dumps(body)))
    async with Orchestrator(asking(wire, "openai/m")) as orc:
        for _ in range(2):
            assert await said(orc, stream=False) == ("", "function_call")
    assert wire.served.requests == 1


async def test_a_router_that_was_built_elsewhere_is_read_too(wire: WireServer) -> None:
    wire.plan("m", Reply("The corridor is", finish="model_length"), Reply("It", finish="error"))
    config = asking(wire, "mistral/m")
    router = litellm.router.Router(model_list=config["model_list"], num_retries=0)
    async with Orchestrator(config, router=router) as orc:
        assert await said(orc, stream=False) == ("The corridor is", "length")
        with pytest.raises(openai.InternalServerError, match="error"):
            await said(orc, stream=False)
        line = (await orc.usage())[-1]
    assert line["billed_usd"] > 0


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("mistral/m", {"message": "too large for model with 32768 maximum context length"}),
        ("lm_studio/m", {"error": "The number of tokens is greater than the context length."}),
    ],
)
async def test_a_prompt_that_is_too_long_goes_to_its_fallback(
    model: str, error: dict[str, str], wire: WireServer
) -> None:
    def decide(asked: Asked) -> Reply:
        return Reply("read it") if asked.model == "large" else Reply(status=400, body=error)

    wire.decide = decide
    config = asking(wire, model, "openai/large")
    config["model_list"][1]["model_name"] = "b"
    config["router_settings"]["context_window_fallbacks"] = [{"a": ["b"]}]
    async with Orchestrator(config) as orc:
        assert await said(orc, stream=False) == ("read it", "stop")


async def test_a_quota_that_is_used_up_is_said_where_only_the_code_says_it(
    wire: WireServer,
) -> None:
    words = "You exceeded your current quota."
    error = {"message": words, "type": "insufficient_quota", "code": "insufficient_quota"}
    wire.plan("m", Reply(status=429, body={"error": error}))
    async with Orchestrator(asking(wire, "openai/m")) as orc:
        with pytest.raises(RateLimitError, match=r"no credit\. Top up"):
            await orc.generate("x", model="a")
    assert wire.served.requests == 1


async def test_a_request_that_is_larger_than_a_minute_allows_is_not_repeated(
    wire: WireServer,
) -> None:
    error = {"message": "Request too large for model", "code": "rate_limit_exceeded"}
    wire.plan("m", Reply(status=413, body={"error": error}))
    async with Orchestrator(asking(wire, "groq/m")) as orc:
        with pytest.raises(openai.RateLimitError):
            await said(orc, stream=False)
        with pytest.raises(RateLimitError, match="shorten the prompt"):
            await orc.generate("x", model="a")
    assert wire.served.requests == 2


async def test_no_stream_is_the_same_question_as_none_stated(wire: WireServer) -> None:
    wire.plan("m", "whole")
    async with Orchestrator(asking(wire, "openai/m")) as orc:
        await said(orc, stream=False)
        await orc.acompletion(model="a", messages=ASK)
    assert wire.served.requests == 1
