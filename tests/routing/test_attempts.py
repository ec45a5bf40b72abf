"""Every attempt ends in time and is booked as what it was, whoever was asked and however."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.routing.attempts import Trace
from orchestrator.types.run_context import RequestCost
from tests.support.wire import (
    PROVIDERS,
    SECRET,
    Reply,
    WireServer,
    configured,
    provider_config,
    with_providers,
)

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

WORDS = "a-canary-question"
ASK = [{"role": "user", "content": WORDS}]
REFUSALS = {
    "500": Reply(status=500), "503": Reply(status=503), "429": Reply(status=429),
    "400": Reply(status=400), "401": Reply(status=401), "408": Reply(status=408),
    "dropped": Reply(drop=True), "slow": Reply("late", delay_s=60),
}  # fmt: skip


async def asked(orc: Orchestrator, **arguments: Any) -> str:
    """The text of an answer, whole or in parts; the class of what was raised in place of one."""
    try:
        answer = await orc.acompletion(messages=ASK, **arguments)
        if not arguments.get("stream"):
            return str(answer.choices[0].message.content)
        parts = [chunk async for chunk in answer]
    except Exception as error:  # noqa: BLE001  its class is what is looked at
        return type(error).__name__
    return "".join(p.choices[0].delta.content or "" for p in parts if p.choices).strip()


@pytest.mark.parametrize("refusal", sorted(REFUSALS))
@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_a_stream_that_is_refused_is_booked_and_judged_as_a_whole_answer_is(
    provider: str, refusal: str, wire: WireServer, tmp_path: Path
) -> None:
    generation = {"timeout_s": 0.5 if REFUSALS[refusal].delay_s else 30}
    config: dict[str, Any] = provider_config(
        wire, provider, cache={"mode": "off"}, generation=generation
    )
    found = []
    for stream in (False, True):
        wire.plan("m", REFUSALS[refusal], "good")
        config["orchestrator"]["ledger"] = {"directory": str(tmp_path / str(stream))}
        async with Orchestrator(config) as orc:
            await orc.models()
            end = await asked(orc, model="m", stream=stream)
            (line,) = await orc.usage()
            (health,) = (await orc.health_check()).deployments
        attempts = [(one["outcome"], one["status"]) for one in line["wire"]]
        assert sum(one["seconds"] for one in line["wire"]) <= line["seconds"]
        found.append((end, attempts, health.attempts, health.success_rate, health.last_error))
    whole, streamed = found
    assert streamed == whole
    assert streamed[1][0][0] not in ("answered", "cancelled", "failed")


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
@pytest.mark.parametrize(
    "fault", [Reply(status=429, headers={"Retry-After": "30"}), Reply("late", delay_s=60)],
    ids=["429", "slow"],
)  # fmt: skip
async def test_a_stream_reaches_its_fallback_at_once(
    provider: str, fault: Reply, wire: WireServer
) -> None:
    other = next(name for name in PROVIDERS if name != provider)
    wire.plan(provider, fault)
    wire.plan(other, "good")
    timeout_s = 2 if fault.delay_s else 30  # the fallback must be in time on a busy machine too
    bounds = {"generation": {"timeout_s": timeout_s}, "limits": {"deadline_s": 60}}
    async with Orchestrator(with_providers(wire, provider, other, **bounds)) as orc:
        assert await asked(orc, model=other, stream=True) == "good"
        start = time.monotonic()
        assert await asked(orc, model="default", stream=True) == "good"
        assert time.monotonic() - start < 20  # neither the Retry-After nor the deadline
        line = (await orc.usage())[-1]
    assert [one["deployment"] for one in line["wire"]] == [f"{provider}-id", f"{other}-id"]


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_a_stream_that_breaks_before_its_first_part_is_tried_again_and_passed_on(
    provider: str, wire: WireServer
) -> None:
    other = next(name for name in PROVIDERS if name != provider)
    wire.plan(provider, Reply("one two", cut_after=0))
    wire.plan(other, "good")
    async with Orchestrator(with_providers(wire, provider, other)) as orc:
        assert await asked(orc, model="default", stream=True) == "good"
        (line,) = await orc.usage()
    named = [(one["deployment"], one["provider"], one["outcome"]) for one in line["wire"]]
    assert named == [
        (f"{provider}-id", PROVIDERS[provider][0], "APIConnectionError"),
        (f"{provider}-id", PROVIDERS[provider][0], "APIConnectionError"),
        (f"{other}-id", PROVIDERS[other][0], "answered"),
    ]


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_a_stream_is_retried_as_often_as_its_deployment_says(
    provider: str, wire: WireServer
) -> None:
    wire.plan("m", Reply(status=500))
    config: dict[str, Any] = provider_config(wire, provider)
    config["router_settings"]["num_retries"] = 0
    config["model_list"][0]["litellm_params"]["num_retries"] = 2
    async with Orchestrator(config) as orc:
        assert await asked(orc, model="m", stream=True) == "InternalServerError"
        (line,) = await orc.usage()
    assert len(wire.requests) == len(line["wire"]) == 3


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_a_deployment_whose_streams_fail_rests(provider: str, wire: WireServer) -> None:
    wire.plan("m", Reply(status=401))
    config: dict[str, Any] = provider_config(wire, provider)
    allowed = {"AuthenticationErrorAllowedFails": 0}
    config["router_settings"] |= {"allowed_fails_policy": allowed, "cooldown_time": 60}
    async with Orchestrator(config) as orc:
        assert await asked(orc, model="m", stream=True) == "AuthenticationError"
        (health,) = (await orc.health_check()).deployments
        assert health.reason.startswith("resting until")
        assert await asked(orc, model="m", stream=True) != "AuthenticationError"
    assert len(wire.requests) == 1


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_a_connection_that_breaks_is_litellms_error_and_shows_neither_key_nor_prompt(
    provider: str, wire: WireServer
) -> None:
    import openai

    wire.plan("m", Reply(drop=True))
    async with Orchestrator(provider_config(wire, provider)) as orc:
        with pytest.raises(openai.APIError) as caught:
            [part async for part in await orc.acompletion(model="m", messages=ASK, stream=True)]
    error: Any = caught.value
    assert type(error).__module__ == "litellm.exceptions"
    seen = f"{error!r}{vars(error)}{error.__cause__!r}{error.__context__!r}"
    assert WORDS not in seen
    assert SECRET not in seen
    assert (error.__cause__, error.__context__) == (None, None)


async def test_an_answer_withheld_for_a_fallback_is_on_the_bill(wire: WireServer) -> None:
    wire.plan("first", Reply("not for you", finish="content_filter"))
    wire.plan("second", "good")
    config: dict[str, Any] = configured(wire.base, "first", "second", cache={"mode": "off"})
    config["router_settings"]["content_policy_fallbacks"] = [{"first": ["second"]}]
    async with Orchestrator(config) as orc:
        assert await asked(orc, model="first") == "good"
        (line,) = await orc.usage()
    assert [one["deployment"] for one in line["wire"]] == ["first-id", "second-id"]
    assert line["usage"]["prompt_tokens"] == wire.served.prompt_tokens
    assert line["usage"]["completion_tokens"] == wire.served.completion_tokens
    assert line["billed_usd"] == pytest.approx(sum(one["cost_usd"] for one in line["wire"]))


async def test_a_router_of_ones_own_is_asked_too_and_what_it_keeps_to_itself_has_failed(
    wire: WireServer,
) -> None:
    import litellm.router

    wire.plan("m", Reply(status=500), "good")
    config: dict[str, Any] = provider_config(wire, "gemini")
    router = litellm.router.Router(model_list=config["model_list"], num_retries=1)
    async with Orchestrator(config, router=router) as orc:
        assert await asked(orc, model="m", stream=True) == "good"
        (line,) = await orc.usage()
    assert [one["outcome"] for one in line["wire"]] == ["failed", "answered"]


def prior_attempts(trace: Trace, deployment: str) -> Any:
    """The attempt that LiteLLM begins on a deployment."""
    return trace.begin({"model": "openai/m", "model_info": {"id": deployment}})


def outcomes(trace: Trace) -> list[tuple[str, str]]:
    """Deployment and outcome of each attempt."""
    return [(one.deployment, one.outcome) for one in trace.ended]


def answer() -> Any:
    """A response as LiteLLM gives it."""
    import litellm

    return litellm.ModelResponse()


def test_attempts_end_each_in_its_own_way_whatever_the_order() -> None:
    trace = Trace(RequestCost())
    first, second = prior_attempts(trace, "first"), prior_attempts(trace, "second")
    second.answered(answer())
    assert outcomes(trace) == [("second", "answered")]
    first.failed(ValueError())
    trace.close()
    assert outcomes(trace) == [("first", "ValueError"), ("second", "answered")]


def test_a_cancelled_attempt_ends_for_the_reason_of_its_call() -> None:
    for error, outcome in ((TimeoutError(), "TimeoutError"), (None, "cancelled")):
        trace = Trace(RequestCost())
        prior_attempts(trace, "m").cancelled()
        assert outcomes(trace) == []
        trace.close(error)
        assert outcomes(trace) == [("m", outcome)]


def test_an_attempt_that_was_cancelled_took_no_longer_than_until_then() -> None:
    trace = Trace(RequestCost())
    prior_attempts(trace, "m").cancelled()
    time.sleep(0.05)
    trace.close()
    assert trace.ended[0].seconds < 0.05


def left(trace: Trace, deployment: str) -> dict[str, Any]:
    """LiteLLM's record of an attempt that leaves through a Router that was built elsewhere."""
    info = {"model_info": {"id": deployment}}
    details = {"log_event_type": "pre_api_call", "litellm_params": {"metadata": info}}
    trace.heard(details)
    return details


def test_what_a_router_built_elsewhere_says_of_its_attempts_is_recorded() -> None:
    trace = Trace(RequestCost())
    first = left(trace, "first")
    trace.heard({**first, "log_event_type": "post_api_call"})
    first["exception"] = ValueError()
    left(trace, "second")
    left(trace, "third")
    trace.answered(answer())
    assert outcomes(trace) == [
        ("first", "ValueError"), ("second", "failed"), ("third", "answered"),
    ]  # fmt: skip


def test_models_are_named_without_their_provider() -> None:
    trace = Trace(RequestCost())
    for model in ("openai/a/b", "gpt-5.5", "nobodys/c"):
        trace.begin({"model": model}).failed(ValueError())
    named = [(one.provider, one.model) for one in trace.ended]
    assert named == [("openai", "a/b"), ("openai", "gpt-5.5"), ("nobodys", "c")]
