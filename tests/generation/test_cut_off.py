"""Answers that were cut off, on the wire: what ended them decides how the model is asked again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.config.paths import shipped
from orchestrator.generation.prompts import Prompts
from orchestrator.gmn.formats import write_text
from orchestrator.gmn.validate import validate
from orchestrator.routing.context_window import window_in
from orchestrator.types.errors import ContextWindowExceededError, InvalidOutputError
from orchestrator.types.events import Asked as AskedEvent
from orchestrator.types.requests import OutputMode
from tests.support.documents import GOOD
from tests.support.wire import Reply, WireServer, configured
from tests.wire.protocols import Asked

SENTENCE = "a walker that finds the right place"
DOOR = {"type": "object", "properties": {"goal": {"type": "string"}}, "required": ["goal"],
        "additionalProperties": False}  # fmt: skip
TEXT = {"mode": "prompt"}
LOOP = GOOD[:60] + "node state s { labels: [a, b] }\n" * 3_000


def said(body: dict[str, Any]) -> str:
    """Everything that a request says."""
    return "\n".join(str(turn["content"]) for turn in body["messages"])


class Window:
    """A server whose model reads and writes `size` tokens; what is beyond is cut off or refused."""

    def __init__(self, wire: WireServer, beyond_first: int, *, refuse: str = "") -> None:
        self.size = 0
        self._beyond, self._refuse = beyond_first, refuse
        self._wire = wire
        wire.decide = self._reply

    def _reply(self, asked: Asked) -> Reply:
        read, most = asked.prompt_tokens, asked.body["max_tokens"]
        self.size = self.size or read + self._beyond
        self._wire.windows["m"] = self.size
        if self._refuse and read + most > self.size:
            words = self._refuse.format(size=self.size, read=read, most=most, all=read + most)
            return Reply(status=400, error_message=words)
        left = self.size - read
        if left < len(GOOD) // 4:
            text = GOOD[: max(4 * left, 4)]
            return Reply(text, finish="length", tokens=max(left, 1))
        return Reply(GOOD)


VLLM = (
    "This model's maximum context length is {size} tokens. However, you requested {all} tokens"
    " ({read} in the messages, {most} in the completion). Please reduce the length."
)


@pytest.mark.parametrize("refuse", ["", VLLM, "prompt is too long: please shorten it"])
async def test_a_full_window_costs_the_examples_first(wire: WireServer, refuse: str) -> None:
    window = Window(wire, 250 if refuse else 20, refuse=refuse)
    events: list[Any] = []
    async with Orchestrator(configured(wire.base, "m", generation=TEXT)) as orc:
        await orc.generate_gmn(SENTENCE, hook=events.append)
    first, *_, last = wire.requests
    assert "Examples of good models" in said(first)
    assert "Examples of good models" not in said(last)
    assert SENTENCE in said(last)
    assert last["messages"][0] == first["messages"][0]  # the system prompt, which is cached
    assert last["max_tokens"] <= first["max_tokens"]  # more room would not help
    reason = [event.reason for event in events if isinstance(event, AskedEvent)][1]
    assert str(window.size) in reason
    assert "shorter" in reason


@pytest.mark.parametrize("refuse", ["", VLLM])
async def test_a_smaller_window_costs_the_system_prompt_too(wire: WireServer, refuse: str) -> None:
    Window(wire, -200, refuse=refuse)
    async with Orchestrator(configured(wire.base, "m", generation=TEXT)) as orc:
        await orc.generate_gmn(SENTENCE, constraints={"max_states": 9})
    first, last = wire.requests[0], wire.requests[-1]
    system = last["messages"][0]["content"]
    assert len(system) < len(first["messages"][0]["content"])
    assert "# Block text" in system
    assert "# JSON form" not in system
    assert "max_states=9" in said(last)


async def test_a_limit_that_does_not_fit_beside_the_prompt_is_lowered(wire: WireServer) -> None:
    Window(wire, 2_000, refuse=VLLM)
    async with Orchestrator(configured(wire.base, "m", generation=TEXT)) as orc:
        await orc.generate_gmn(SENTENCE)
        (line,) = await orc.usage()
    first, second = wire.requests
    assert second["messages"] == first["messages"]
    assert 1_024 <= second["max_tokens"] < 2_000
    assert [one["outcome"] for one in line["wire"]][-1] == "answered"


@pytest.mark.parametrize("refuse", [VLLM, "the prompt is too long"])
async def test_a_question_that_cannot_be_shorter_fails_with_the_numbers(
    wire: WireServer, refuse: str
) -> None:
    window = Window(wire, -2, refuse=refuse)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(ContextWindowExceededError) as caught:
            await orc.generate_structured("a door " * 50, DOOR)
    assert caught.value.context_tokens == window.size
    assert str(window.size) in str(caught.value)
    if refuse == VLLM:
        assert str(caught.value.prompt_tokens) in str(caught.value)
    assert len(wire.requests) == 1


async def test_a_window_that_no_shorter_question_fits_ends_with_the_numbers(
    wire: WireServer,
) -> None:
    wire.windows["m"] = 60
    wire.plan("m", Reply('{"goal": ', finish="length", tokens=40))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(InvalidOutputError, match="fill the context window of 60"):
            await orc.generate_structured("a door " * 12, DOOR)
    assert len(wire.requests) == 1


async def test_our_own_limit_gets_more_room_and_an_uncounted_answer_too(wire: WireServer) -> None:
    for tokens in (4096, 1):
        wire.clear()
        wire.plan("m", Reply(GOOD[:300], finish="length", tokens=tokens), GOOD)
        config = configured(wire.base, "m", generation=TEXT, cache={"mode": "off"})
        async with Orchestrator(config) as orc:
            await orc.generate_gmn(SENTENCE)
        assert [body["max_tokens"] for body in wire.requests] == [4096, 8192]
        assert wire.requests[0]["messages"] == wire.requests[1]["messages"]


async def test_a_loop_is_stopped_while_it_streams_and_asked_in_another_form(
    wire: WireServer,
) -> None:
    wire.plan("m", Reply(LOOP, trickle_s=0.0002), GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        _ = [event async for event in orc.stream_gmn(SENTENCE)]
        await orc.generate_gmn("another sentence")
    assert wire.cancelled == 1
    first, second, third = wire.requests
    assert first["response_format"]["json_schema"]["name"] == "gmn"
    assert "response_format" not in second
    assert "as block text" in said(second)
    assert "node state" in second["messages"][1]["content"]  # an example in the form asked for
    assert second["max_tokens"] == first["max_tokens"]
    # What never comes to its end in a mode is not asked for in it again.
    assert third.get("response_format") is None


async def test_a_loop_in_text_gets_another_sample_and_no_more_room(wire: WireServer) -> None:
    wire.plan("m", Reply(LOOP[:16_000], finish="length"), GOOD)
    async with Orchestrator(configured(wire.base, "m", generation=TEXT)) as orc:
        made = await orc.generate_gmn(SENTENCE)
    assert [a.purpose for a in made.attempts] == ["generate", "fresh"]
    assert [body["max_tokens"] for body in wire.requests] == [4096, 4096]
    assert wire.requests[0]["seed"] != wire.requests[1]["seed"]


async def test_two_cut_off_answers_speak_against_an_output_mode(wire: WireServer) -> None:
    cut = Reply('{"gmn": "1.0"', finish="length", tokens=4096)
    longer = Reply('{"gmn": "1.0"', finish="length", tokens=8192)
    wire.plan("m", cut, longer, GOOD)
    async with Orchestrator(configured(wire.base, "m", cache={"mode": "off"})) as orc:
        await orc.generate_gmn(SENTENCE)
        await orc.generate_gmn(SENTENCE)
    asked = [body.get("response_format", {}).get("type") for body in wire.requests]
    assert asked == ["json_schema", "json_schema", None, None]


@pytest.mark.parametrize("mode", list(OutputMode))
def test_an_example_has_the_form_that_is_asked_for(mode: OutputMode) -> None:
    prompts = Prompts(shipped("prompts", "templates"))
    text = prompts.generate("x", agent_type="general", mode=mode, examples=[GOOD]).messages[1].text
    if mode is OutputMode.PROMPT:
        assert GOOD in text
        return
    (line,) = [line for line in text.splitlines() if line.startswith("{")]
    shown = validate(json.dumps(json.loads(line))).spec
    wanted = validate(GOOD).spec
    assert shown is not None
    assert wanted is not None
    assert write_text(shown) == write_text(wanted)
    assert ('"habits":[]' in line) is mode.sends_schema  # a schema wants every field


@pytest.mark.parametrize(
    ("words", "window", "prompt"),
    [
        (VLLM.format(size=4096, read=904, most=4096, all=5000), 4096, 904),
        ("This model's maximum context length is 8192 tokens. However, your messages resulted in"
         " 9001 tokens.", 8192, 9001),
        ("'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context"
         " length is 4096 tokens and your request has 1000 input tokens", 4096, 1000),
        ("You passed 3500 input tokens and requested 1000 output tokens. However, the model's"
         " context length is only 4096 tokens", 4096, 3500),
        ("input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000", 200000,
         188240),
        ("prompt is too long: 210,000 tokens > 200,000 maximum", 200000, 210000),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
         1048576, 1200000),
        ('the request exceeds the available context size. {"n_prompt_tokens":5000,"n_ctx":4096}',
         4096, 5000),
        ("Trying to keep the first 5000 tokens when context the overflows. However, the model is"
         " loaded with context length of only 4096 tokens", 4096, 5000),
        ("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum"
         " context length", 32768, 40000),
        ("`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens", 4096,
         5000),
        ("This endpoint's maximum context length is 131072 tokens. However, you requested about"
         " 140000 tokens (120000 of text input, 20000 in the output).", 131072, 120000),
        ("the prompt is too long", 0, 0),
        ("status 400", 0, 0),
    ],
)  # fmt: skip
def test_the_numbers_of_an_error_are_read(words: str, window: int, prompt: int) -> None:
    assert window_in(words) == (window, prompt)
