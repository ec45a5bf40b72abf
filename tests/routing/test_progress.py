"""Servers of the user's own are held to their progress; what they wrote before a stop is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.gmn.formats.bounded import bounded_schema
from orchestrator.models.deployment import Deployment, Secret
from orchestrator.types.errors import (
    ContextWindowExceededError,
    DeadlineExceededError,
    InvalidOutputError,
    ServiceUnavailableError,
)
from orchestrator.types.events import Delta
from tests.local_llm.record import RECORDED
from tests.support.documents import GOOD
from tests.support.wire import Reply, WireServer, configured, provider_config
from tests.wire.protocols import Asked, Said, openai

PROMPT = "a walker on a 2x2 grid"
IN_TEXT = {"mode": "prompt"}


def own(wire: WireServer, **generation: Any) -> Orchestrator:
    return Orchestrator(configured(wire.base, "m", generation={**IN_TEXT, **generation}))


def deployment(**params: str) -> Deployment:
    return Deployment("m", params["model"], "m", Secret(params), {})


@pytest.mark.parametrize(
    ("model", "base", "is_own"),
    [
        ("openai/x", "http://127.0.0.1:8080/v1", True),
        ("openai/x", "http://10.1.2.3:8000/v1", True),
        ("hosted_vllm/x", "http://172.20.0.9:8000", True),
        ("openai/x", "http://[fd12:3456::1]:8000/v1", True),
        ("openai/x", "http://ollama:11434/v1", True),
        ("openai/x", "http://gpu.local:8000/v1", True),
        ("ollama_chat/x", "", True),
        ("openai/x", "", False),
        ("openai/x", "http://172.32.0.9:8000", False),
        ("openai/x", "https://api.example.com/v1", False),
        ("anthropic/x", "http://127.0.0.1:8080", False),
        ("offline/x", "", False),
    ],
)
def test_a_server_near_by_is_the_users_own(model: str, base: str, is_own: bool) -> None:
    params = {"model": model, **({"api_base": base} if base else {})}
    assert deployment(**params).is_own_server is is_own


async def test_a_whole_answer_is_asked_for_as_a_stream_with_a_bounded_schema(
    wire: WireServer,
) -> None:
    wire.plan("m", GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_gmn(PROMPT)
    asked = wire.asked("m")[0]
    assert (asked["stream"], asked["stream_options"]) == (True, {"include_usage": True})
    assert asked["response_format"]["json_schema"]["schema"] == bounded_schema()
    assert made.attempts[0].answer.wire[0].estimated is False
    assert made.usage.completion_tokens == wire.served.completion_tokens


async def test_a_provider_elsewhere_gets_the_schema_without_bounds(wire: WireServer) -> None:
    wire.plan("m", GOOD)
    async with Orchestrator(provider_config(wire, "anthropic")) as orc:
        await orc.generate_gmn(PROMPT)
    asked = wire.asked("m")[0]
    assert not asked.get("stream")
    assert "additionalProperties" in str(asked)
    assert "maxLength" not in str(asked)


async def test_a_stated_timeout_bounds_a_whole_answer_and_the_schema_has_bounds(
    wire: WireServer,
) -> None:
    wire.plan("m", Reply(GOOD, delay_s=30))
    async with Orchestrator(configured(wire.base, "m", generation={"timeout_s": 0.5})) as orc:
        with pytest.raises(ServiceUnavailableError, match=r"Timeout.*generation\.timeout_s"):
            await orc.generate_gmn(PROMPT)
    asked = wire.asked("m")[0]
    assert not asked.get("stream")
    assert asked["response_format"]["json_schema"]["schema"] == bounded_schema()


async def test_a_form_refused_by_a_server_that_calls_it_500_is_asked_for_in_the_next(
    wire: WireServer,
) -> None:
    words = "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type')}]"
    refusal = Reply(status=500, error_message=words)
    wire.plan("m", refusal, refusal, GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        await orc.generate_gmn(PROMPT)
    function = wire.asked("m")[-1]["tools"][0]["function"]
    assert function["parameters"] == bounded_schema()


async def test_an_answer_that_takes_longer_than_any_pause_is_whole(wire: WireServer) -> None:
    wire.plan("m", Reply(GOOD, trickle_s=0.01))
    async with own(wire, first_token_s=5, between_tokens_s=0.5) as orc:
        made = await orc.generate_gmn(PROMPT)
    assert len(made.attempts) == 1


async def test_a_server_that_begins_nothing_is_told_by_its_setting(wire: WireServer) -> None:
    wire.plan("m", Reply(GOOD, delay_s=30))
    async with own(wire, first_token_s=0.3) as orc:
        with pytest.raises(
            ServiceUnavailableError, match=r"no token in 0\.3 s.*first_token_s"
        ) as caught:
            await orc.generate_gmn(PROMPT)
    assert caught.value.attempts == ()


async def test_what_a_server_wrote_before_it_stood_still_is_kept_and_on_the_bill(
    wire: WireServer,
) -> None:
    wire.plan("m", Reply(GOOD, stall_after=20))
    async with own(wire, between_tokens_s=0.3) as orc:
        with pytest.raises(
            ServiceUnavailableError, match=r"no token for 0\.3 s after about \d+.*between_tokens_s"
        ) as caught:
            await orc.generate_gmn(PROMPT)
    (attempt,) = caught.value.attempts
    assert attempt.answer.stopped == "failure"
    assert GOOD.startswith(attempt.answer.text.rstrip())
    (sent,) = attempt.answer.wire
    assert sent.estimated
    assert sent.usage.completion_tokens > 0


async def test_a_whole_document_before_a_server_stood_still_is_the_result(
    wire: WireServer,
) -> None:
    whole = f"{GOOD}end\n"
    wire.plan("m", Reply(whole, stall_after=len(whole.split(" "))))
    async with own(wire, between_tokens_s=0.5) as orc:
        made = await orc.generate_gmn(PROMPT)
    assert made.spec is not None
    assert made.attempts[-1].answer.stopped == "failure"


async def test_a_server_that_stood_still_passes_the_call_on(wire: WireServer) -> None:
    wire.plan("m", Reply(GOOD, stall_after=20))
    wire.plan("n", GOOD)
    config = configured(wire.base, "m", "n", generation={**IN_TEXT, "between_tokens_s": 0.3})
    async with Orchestrator(config) as orc:
        made = await orc.generate_gmn(PROMPT)
    assert [one.outcome for one in made.attempts[0].answer.wire] == ["Timeout", "answered"]
    assert made.attempts[0].answer.wire[0].estimated


async def test_a_deadline_keeps_what_was_written_and_says_what_was_slow(wire: WireServer) -> None:
    wire.plan("m", "yes", Reply(GOOD, stall_after=20))
    async with own(wire, deadline_s=4) as orc:
        await orc.generate([{"role": "user", "content": "are you there?"}])  # loads LiteLLM
        with pytest.raises(
            DeadlineExceededError, match=r"m-id had written about \d+ tokens.*deadline_s"
        ) as caught:
            await orc.generate_gmn(PROMPT)
    (attempt,) = caught.value.attempts
    assert (attempt.answer.stopped, attempt.answer.wire[0].estimated) == ("deadline", True)
    assert len(wire.asked("m")) == 2


async def test_a_deadline_before_any_token_says_who_was_silent(wire: WireServer) -> None:
    wire.plan("m", Reply(GOOD, delay_s=30))
    async with own(wire, deadline_s=0.7) as orc:
        with pytest.raises(DeadlineExceededError, match="m-id had answered nothing in"):
            await orc.generate_gmn(PROMPT)


async def test_a_server_without_streams_is_asked_for_whole_answers(wire: WireServer) -> None:
    wire.plan("m", Reply(only_without="stream"), GOOD)
    async with own(wire) as orc:
        await orc.generate_gmn(PROMPT)
        await orc.generate_gmn(f"{PROMPT}, again")
    assert [bool(asked.get("stream")) for asked in wire.asked("m")] == [True, False, False]


async def test_a_body_that_is_no_stream_is_asked_for_whole(wire: WireServer) -> None:
    whole = openai(Asked("openai", "m", {"messages": []}), Said(GOOD))
    wire.plan("m", Reply(raw=json.dumps(whole)))
    async with own(wire) as orc:
        made = await orc.generate_gmn(PROMPT)
    assert [bool(asked.get("stream")) for asked in wire.asked("m")] == [True, False]
    assert made.attempts[0].answer.usage.completion_tokens == len(GOOD) // 4


async def test_a_stream_that_breaks_off_before_its_first_part_is_asked_for_whole_once(
    wire: WireServer,
) -> None:
    """llama-cpp-python's server says only there that a question is too long."""
    wire.plan("m", Reply(GOOD, cut_after=0), Reply(status=400, error_message=TOO_LONG), GOOD)
    async with own(wire) as orc:
        made = await orc.generate_gmn(PROMPT)
    assert [bool(asked.get("stream")) for asked in wire.asked("m")] == [True, False, True]
    assert "a shorter question" in made.attempts[0].reason


TOO_LONG = "maximum context length is 2560 tokens (9000 in the messages, 20 in the completion)"


async def test_a_stream_that_the_caller_hears_is_asked_for_whole_where_it_breaks_off(
    wire: WireServer,
) -> None:
    cut, refused = Reply(GOOD, cut_after=0), Reply(status=400, error_message=TOO_LONG)
    wire.plan("m", cut, cut, cut, refused, GOOD)  # the Router tries a stream once more
    heard: dict[int, str] = {}
    async with own(wire) as orc:
        async for event in orc.stream_gmn(PROMPT):
            if isinstance(event, Delta):
                heard[event.attempt] = heard.get(event.attempt, "") + event.text
    streams = [bool(asked.get("stream")) for asked in wire.asked("m")]
    assert streams == [True, True, True, False, True]
    assert heard == {1: GOOD}


async def test_a_whole_answer_in_place_of_a_stream_is_heard_in_one_piece(wire: WireServer) -> None:
    cut = Reply(GOOD, cut_after=0)
    wire.plan("m", cut, cut, cut, GOOD)
    heard = []
    async with own(wire) as orc:
        async for event in orc.stream_gmn(PROMPT):
            heard += [event.text] if isinstance(event, Delta) else []
    assert heard == [GOOD]


async def test_samples_of_a_question_that_is_too_long_are_asked_in_shorter_words(
    wire: WireServer,
) -> None:
    refused = Reply(status=400, error_message=TOO_LONG)
    wire.plan("m", refused, refused, GOOD, GOOD)
    async with own(wire) as orc:
        made = await orc.generate_gmn(PROMPT, samples=2)
    sizes = [len(str(asked["messages"])) for asked in wire.asked("m")]
    assert len(sizes) == 4
    assert max(sizes[2:]) < min(sizes[:2])
    assert all(attempt.reason.startswith("sample") for attempt in made.attempts)


async def test_samples_that_are_too_long_in_any_words_end_in_the_refusal(wire: WireServer) -> None:
    wire.plan("m", *[Reply(status=400, error_message=TOO_LONG)] * 12)
    async with own(wire) as orc:
        with pytest.raises(ContextWindowExceededError, match="2560"):
            await orc.generate_gmn(PROMPT, samples=2)


async def test_a_question_leaves_room_in_the_window_that_the_server_names(
    wire: WireServer,
) -> None:
    wire.plan("m", GOOD)
    wire.windows["m"] = 2560
    said: list[Any] = []
    async with own(wire) as orc:
        made = await orc.generate_gmn(PROMPT, hook=said.append)
    assert "window holds 2560 tokens" in made.attempts[0].reason
    assert "without examples" in made.attempts[0].reason
    assert wire.asked("m")[0]["max_tokens"] < 2560
    assert said[0].reason == made.attempts[0].reason


async def test_a_window_that_holds_it_all_changes_nothing(wire: WireServer) -> None:
    wire.plan("m", GOOD)
    wire.windows["m"] = 32_768
    async with own(wire) as orc:
        made = await orc.generate_gmn(PROMPT)
    assert (made.attempts[0].reason, wire.asked("m")[0]["max_tokens"]) == ("", 4096)


@pytest.mark.parametrize("provider", ["openai", "ollama"])
async def test_a_loop_is_stopped_after_less_than_a_thousand_characters(
    provider: str, wire: WireServer
) -> None:
    loop = Reply('{"gmn": "1.0", "name": "' + "thermo stat " * 4000, trickle_s=0.0005)
    wire.plan("m", loop, GOOD)
    async with Orchestrator(provider_config(wire, provider)) as orc:
        made = await orc.generate_gmn(PROMPT)
    first = made.attempts[0].answer
    assert (first.stopped, first.finish) == ("loop", "length")
    assert len(first.text) < 2_000


async def test_a_call_that_a_small_model_was_cut_off_in_is_estimated_and_gets_more_room(
    wire: WireServer,
) -> None:
    """llama-cpp-python's server repeats the id and name of a call, and says that it is whole."""
    recorded = map(json.loads, RECORDED.read_text("utf-8").splitlines())
    one = next(line for line in recorded if line["kind"] == "tool")
    wire.plan("m", *[Reply(raw=streamed_call(one["pieces"]), content_type="text/event-stream")] * 2)
    config = {"mode": "tool_call", "max_calls": 2, "max_tokens": one["most"], "max_questions": 0}
    async with Orchestrator(configured(wire.base, "m", generation=config)) as orc:
        with pytest.raises(InvalidOutputError, match="cut off") as caught:
            await orc.generate_gmn(one["sentence"])
    assert [asked["max_tokens"] for asked in wire.asked("m")] == [one["most"], 2 * one["most"]]
    for attempt in caught.value.attempts:
        answer = attempt.answer
        assert (answer.text, answer.wire[0].estimated) == (one["text"], True)
        assert answer.usage.completion_tokens == pytest.approx(len(one["pieces"]), rel=0.2)


def streamed_call(pieces: list[str]) -> str:
    """A stream of a call as that server sends it, without any count of tokens."""
    sent: list[dict[str, Any]] = [
        {"content": None, "tool_calls": [
            {"index": 0, "id": "call__0_gmn_cmpl-1", "type": "function",
             "function": {"name": "gmn", "arguments": piece}}
        ]} for piece in pieces
    ]  # fmt: skip
    ends = [None] * len(sent) + ["tool_calls"]
    chunks = [
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
         "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}]}
        for delta, end in zip([*sent, {}], ends, strict=True)
    ]  # fmt: skip
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
