"""Every attempt ends in time and is booked as what it was, whoever was asked and however."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.models.health import Monitor
from orchestrator.routing.account import Book, Trace
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
        assert await asked(orc, model=provider, stream=True) == "good"
        assert time.monotonic() - start < 20  # neither the Retry-After nor the deadline
        line = (await orc.usage())[-1]
    assert [one["deployment"] for one in line["wire"]] == [f"{provider}-id", f"{other}-id"]


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_a_stream_that_breaks_before_its_first_part_names_who_went_on(
    provider: str, wire: WireServer
) -> None:
    other = next(name for name in PROVIDERS if name != provider)
    wire.plan(provider, Reply("one two", cut_after=0))
    wire.plan(other, "good")
    async with Orchestrator(with_providers(wire, provider, other)) as orc:
        assert await asked(orc, model=provider, stream=True) == "good"
        (line,) = await orc.usage()
    named = [(one["deployment"], one["provider"], one["outcome"]) for one in line["wire"]]
    assert named == [
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
    config["router_settings"] |= {"allowed_fails": 0, "cooldown_time": 60}
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


class Told:
    """What LiteLLM says of an attempt."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def sent(self, call: str) -> None:
        """It leaves."""
        info = {"model_info": {"id": f"{call}-id"}}
        self.trace.sent({"litellm_call_id": call, "litellm_params": {"metadata": info}})

    def failed(self, call: str) -> None:
        """It failed."""
        self.trace.failed({"litellm_call_id": call, "exception": ValueError()})

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Deployment and outcome of each."""
        return [(one.deployment, one.outcome) for one in self.trace.ended]


def answer_of(call: str) -> Any:
    """A response as LiteLLM gives it."""
    import litellm

    response = litellm.ModelResponse()
    response._hidden_params = {"litellm_call_id": call}
    return response


def test_what_is_told_late_is_told_of_the_right_one() -> None:
    told = Told(Trace())
    told.sent("first")
    told.sent("second")
    told.failed("first")
    assert told.outcomes == [("first-id", "ValueError")]
    told.failed("first")
    told.trace.answered(answer_of("second"))
    told.failed("second")
    assert told.outcomes == [("first-id", "ValueError"), ("second-id", "answered")]


def test_an_answer_belongs_to_the_attempt_that_it_names() -> None:
    told = Told(Trace())
    told.sent("asked")
    told.sent("mirrored")
    told.trace.answered(answer_of("asked"))
    told.trace.left()
    assert told.outcomes == [("asked-id", "answered"), ("mirrored-id", "cancelled")]


def test_who_was_overtaken_has_failed_and_who_was_left_was_left() -> None:
    told = Told(Trace())
    told.sent("first")
    told.sent("second")
    told.trace.left()
    assert told.outcomes == [("first-id", "failed"), ("second-id", "cancelled")]
    first, second = told.trace.ended
    assert 0 <= first.seconds <= second.seconds + first.seconds


async def test_one_orchestrator_that_closes_does_not_deafen_another() -> None:
    import litellm

    def listening() -> bool:
        every = [*litellm.input_callback, *litellm._async_failure_callback]
        return any("orchestrator" in type(one).__module__ for one in every)

    one, other = Book(Monitor()), Book(Monitor())
    trace = one.open()
    other.close(other.open())
    other.discard()
    assert listening()
    one.close(trace)
    one.discard()
    assert not listening()
