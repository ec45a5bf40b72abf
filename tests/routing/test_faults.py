"""Every provider and every fault: a typed error, in time, without a word of what was sent."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.types.errors import (
    AuthenticationError,
    BadRequestError,
    ContentPolicyError,
    ContextWindowExceededError,
    DeadlineExceededError,
    LLMError,
    RateLimitError,
    ServiceUnavailableError,
)
from tests.support.documents import GOOD
from tests.support.wire import PROVIDERS, SECRET, Reply, WireServer, configured, provider_config
from tests.wire.protocols import Asked, Said, openai

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

CANARY = "canary-words-that-must-not-leak"
LONG = "This model's maximum context length is 8192 tokens, however you requested 9000 tokens"
POLICY = "Your request was rejected by our safety system: content_policy_violation"
ASK = [{"role": "user", "content": CANARY}]

FAULTS: dict[str, tuple[Reply, type[LLMError]]] = {
    "401": (Reply(status=401, error_message=f"bad key {SECRET}"), AuthenticationError),
    "403": (Reply(status=403), AuthenticationError),
    "404": (Reply(status=404), BadRequestError),
    "408": (Reply(status=408), ServiceUnavailableError),
    "429": (Reply(status=429), RateLimitError),
    "429 with Retry-After": (Reply(status=429, headers={"Retry-After": "700"}), RateLimitError),
    "500": (Reply(status=500, error_message=f"cannot {CANARY}"), ServiceUnavailableError),
    "503": (Reply(status=503), ServiceUnavailableError),
    "529": (Reply(status=529), ServiceUnavailableError),
    "reset before the first byte": (Reply(drop=True), ServiceUnavailableError),
    "reset after the first byte": (Reply("text", cut_after=9), ServiceUnavailableError),
    "truncated JSON": (Reply(raw='{"id": "c", "choices": [{"ind'), ServiceUnavailableError),
    "wrong content type": (
        Reply(raw="<html>busy</html>", content_type="text/html"),
        ServiceUnavailableError,
    ),
    "empty body": (Reply(raw=""), ServiceUnavailableError),
    "context overflow": (Reply(status=400, error_message=LONG), ContextWindowExceededError),
    "content filter": (
        Reply(status=400, error_message=POLICY, error_code="content_policy_violation"),
        ContentPolicyError,
    ),
    "slow": (Reply("late", delay_s=5), ServiceUnavailableError),
}


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_every_fault_is_a_typed_error_without_what_was_sent(
    provider: str,
    fault: str,
    wire: WireServer,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    reply, kind = FAULTS[fault]
    wire.plan("m", reply)
    settings = {"generation": {"timeout_s": 0.5 if reply.delay_s else 30}}
    start = time.monotonic()
    with caplog.at_level(logging.DEBUG):
        async with Orchestrator(provider_config(wire, provider, **settings)) as orc:
            with pytest.raises(kind) as caught:
                await orc.generate(ASK, model="m")
    assert time.monotonic() - start < 20
    error = caught.value
    assert type(error) is kind
    if fault == "429 with Retry-After":
        assert error.retry_after_s == 700  # beyond the deadline, so it is not waited for
    seen = f"{error}{error!r}{vars(error)}{error.__cause__}{error.__context__}{capfd.readouterr()}"
    ours = "".join(r.getMessage() for r in caplog.records if r.name.startswith("orchestrator"))
    for private in (CANARY, SECRET):
        assert private not in seen
        assert private not in ours


async def test_a_good_answer_has_its_tokens_and_its_price(provider: str, wire: WireServer) -> None:
    wire.plan("m", "four words are enough")
    async with Orchestrator(provider_config(wire, provider)) as orc:
        answer = await orc.generate(ASK, model="m")
    assert answer.text == "four words are enough"
    (attempt,) = answer.wire
    assert (attempt.outcome, attempt.deployment) == ("answered", "m-id")
    assert answer.usage.prompt_tokens == wire.served.prompt_tokens
    assert answer.usage.completion_tokens == wire.served.completion_tokens
    paid = answer.usage.prompt_tokens * 1e-6 + answer.usage.completion_tokens * 2e-6
    assert answer.cost_usd == pytest.approx(paid)


async def streamed(stream: AsyncIterator[Any]) -> str:
    parts = [chunk async for chunk in stream]
    return "".join(p.choices[0].delta.content or "" for p in parts if p.choices)


async def test_a_stream_is_whole_and_on_the_bill(provider: str, wire: WireServer) -> None:
    wire.plan("m", "four words are enough")
    async with Orchestrator(provider_config(wire, provider)) as orc:
        stream = await orc.acompletion(model="m", messages=ASK, stream=True)
        assert (await streamed(stream)).strip() == "four words are enough"
        (line,) = await orc.usage()
    assert line["usage"]["completion_tokens"] == wire.served.completion_tokens
    assert line["usage"]["prompt_tokens"] == wire.served.prompt_tokens
    assert line["billed_usd"] > 0
    assert [one["provider"] for one in line["wire"]] == [PROVIDERS[provider][0]]


async def test_a_stream_that_ends_without_its_end_is_cut_off_and_is_not_kept(
    provider: str, wire: WireServer
) -> None:
    """The connection closes in good order, so that only the missing end shows it."""
    wire.plan("m", Reply("one two three four five", ends_after=5))
    async with Orchestrator(provider_config(wire, provider)) as orc:
        for count in (1, 2):
            ends: list[str | None] = []
            stream = await orc.acompletion(model="m", messages=ASK, stream=True)
            with pytest.raises(Exception) as caught:  # noqa: PT011  LiteLLM's class differs by provider
                ends += [part.choices[0].finish_reason async for part in stream if part.choices]
            assert "ended before a finish_reason" in str(caught.value)
            assert [end for end in ends if end] == []
            assert wire.served.requests == count
        lines = await orc.usage()
    assert {line["outcome"] for line in lines} == {type(caught.value).__name__}
    assert all(one["outcome"] != "answered" for line in lines for one in line["wire"])


async def test_a_stream_that_ends_before_its_first_part_goes_to_the_fallback(
    wire: WireServer,
) -> None:
    wire.plan("a", Reply("one two", ends_after=0))
    wire.plan("b", "whole")
    config = configured(wire.base, "a", "b", routes={"default": ["a", "b"]})
    async with Orchestrator(config) as orc:
        stream = await orc.acompletion(model="default", messages=ASK, stream=True)
        assert (await streamed(stream)).strip() == "whole"


@pytest.mark.parametrize(("reason", "calls"), [("stop", 1), (None, 2)])
async def test_block_text_whose_end_nobody_states_is_asked_for_again(
    reason: str | None, calls: int, wire: WireServer
) -> None:
    """LiteLLM calls an answer without a finish reason ``stop``."""
    asked = Asked("openai", "m", {"messages": []})
    unsure = openai(asked, Said(GOOD))
    unsure["choices"][0]["finish_reason"] = reason
    wire.plan("m", Reply(raw=json.dumps(unsure)), GOOD)
    whole = {"mode": "prompt", "timeout_s": 60}  # of a stream LiteLLM does not say it
    async with Orchestrator(provider_config(wire, "openai", generation=whole)) as orc:
        made = await orc.generate_gmn("a walker", model="m")
    assert [a.answer.finish for a in made.attempts] == [reason or "", "stop"][-calls:]
    assert len(made.attempts) == calls


async def test_a_stream_cut_in_the_middle_is_an_error_and_on_the_bill(
    provider: str, wire: WireServer
) -> None:
    wire.plan("m", Reply("one two three four five", cut_after=3))
    async with Orchestrator(provider_config(wire, provider)) as orc:
        stream = await orc.acompletion(model="m", messages=ASK, stream=True)
        with pytest.raises(Exception) as caught:  # noqa: PT011  LiteLLM's class differs by provider
            await streamed(stream)
        (line,) = await orc.usage()
    error = caught.value
    assert CANARY not in f"{error}{error!r}{vars(error)}{error.__cause__}{error.__context__}"
    assert (error.__cause__, error.__context__) == (None, None)  # LiteLLM chains what it had read
    assert line["outcome"] == type(error).__name__
    assert [attempt["outcome"] for attempt in line["wire"]] != ["answered"]


@pytest.mark.parametrize(
    "hanging",
    [Reply("x", delay_s=60), Reply("x" * 500, trickle_s=0.1)],
    ids=["hang", "trickle"],
)
async def test_one_deadline_holds_whatever_the_provider_does(
    provider: str, hanging: Reply, wire: WireServer
) -> None:
    wire.plan("m", hanging)
    settings = {"limits": {"deadline_s": 1.0}, "generation": {"timeout_s": 30}}
    async with Orchestrator(provider_config(wire, provider, **settings)) as orc:
        await orc.models()
        with pytest.raises(DeadlineExceededError, match="m-id"):
            await orc.generate(ASK, model="m")
        (line,) = await orc.usage()
    assert line["seconds"] < 4
    assert [attempt["outcome"] for attempt in line["wire"]] == ["TimeoutError"]


@pytest.mark.parametrize(
    "stalling",
    [Reply("one two three four", stall_after=2), Reply("word " * 400, trickle_s=0.05)],
    ids=["stall", "trickle"],
)
async def test_a_stream_ends_at_the_deadline_too(
    provider: str, stalling: Reply, wire: WireServer
) -> None:
    import litellm.exceptions

    wire.plan("m", stalling)
    settings = {"limits": {"deadline_s": 1.5}, "generation": {"timeout_s": 30}}
    async with Orchestrator(provider_config(wire, provider, **settings)) as orc:
        with pytest.raises(litellm.exceptions.Timeout):  # opening it may be what takes too long
            await streamed(await orc.acompletion(model="m", messages=ASK, stream=True))
        (line,) = await orc.usage()
    assert line["seconds"] < 5
    assert line["outcome"] == "Timeout"


async def test_a_server_that_is_not_there_is_named_as_such(provider: str, wire: WireServer) -> None:
    config: dict[str, Any] = provider_config(wire, provider)
    config["orchestrator"]["provider"] = provider  # else a local server that is off is left out
    params = config["model_list"][0]["litellm_params"]
    params["api_base"] = params["api_base"].replace(str(wire.port), "1")
    async with Orchestrator(config) as orc:
        with pytest.raises(ServiceUnavailableError, match="m-id failed") as caught:
            await orc.generate(ASK, model="m")
    assert type(caught.value) is ServiceUnavailableError
    assert CANARY not in str(caught.value)


async def test_nothing_stored_holds_a_key_or_a_prompt(
    provider: str, wire: WireServer, own_home: Path
) -> None:
    wire.plan("m", "fine", Reply(status=500, error_message=f"{CANARY} {SECRET}"))
    async with Orchestrator(provider_config(wire, provider)) as orc:
        await orc.generate(ASK, model="m")
        with pytest.raises(LLMError):
            await orc.generate([{"role": "user", "content": f"more {CANARY}"}], model="m")
        await asyncio.to_thread(hold_clean, own_home)


def hold_clean(directory: Path) -> None:
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert len(files) > 1
    for path in files:
        raw = path.read_bytes()
        assert CANARY.encode() not in raw, path
        assert SECRET.encode() not in raw, path
