"""From a sentence to a model over real HTTP on loopback, with every kind of bad answer."""

from __future__ import annotations

import json
import logging
import pickle
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.gmn.formats import write_json
from orchestrator.gmn.formats.bounded import bounded_schema
from orchestrator.gmn.formats.schema import strict_schema
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    InvalidOutputError,
    LLMError,
    NoDeploymentError,
    RateLimitError,
    ServiceUnavailableError,
)
from tests.support.documents import GOOD, swapped
from tests.support.wire import SECRET, Reply, WireServer, configured

pytestmark = pytest.mark.filterwarnings(
    # LiteLLM's HTTP clients outlive a test's event loop; they are closed with the process.
    "ignore:unclosed:ResourceWarning"
)

PROMPT = "a-canary-prompt about a walker"
WRONG_ROW = swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[0.8, 0.1, 0.5], [0.1, 0.8")
MEND = json.dumps(
    [{"op": "replace", "path": "/likelihoods/place/table/rows",
      "value": [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]}]
)  # fmt: skip
NO_OP = json.dumps([{"op": "replace", "path": "/name", "value": "walker"}])
FAILING = json.dumps([{"op": "remove", "path": "/nowhere/at/all"}])


def orchestrated(wire: WireServer, *groups: str, **settings: Any) -> Orchestrator:
    return Orchestrator(configured(wire.base, *groups, **settings))


async def generated(wire: WireServer, *replies: Reply | str, strong: str = "") -> list[str]:
    """The purposes of the rounds that led to a valid model."""
    wire.plan("weak", *replies)
    groups, routes = ["weak"], {"default": ["weak"]}
    if strong:
        wire.plan("strong", strong)
        groups, routes = ["weak", "strong"], {"default": ["weak"], "strong": ["strong"]}
    async with orchestrated(wire, *groups, routes=routes) as orc:
        made = await orc.generate_gmn(PROMPT, "explorer")
    assert made.report.is_accepted
    assert made.spec.name == "walker"
    assert len(wire.requests) == len(made.attempts)
    return [attempt.purpose for attempt in made.attempts]


async def test_good_at_once_is_one_call_with_its_bill(wire: WireServer) -> None:
    wire.plan("m", GOOD)
    async with orchestrated(wire, "m") as orc:
        made = await orc.generate_gmn(PROMPT, "explorer")
    (body,) = wire.asked("m")
    assert body["_authorization"] == f"Bearer {SECRET}"
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"] == bounded_schema()
    usage = made.usage
    assert made.cost_usd == pytest.approx(
        usage.prompt_tokens * 1e-6 + usage.completion_tokens * 2e-6
    )
    (wire_attempt,) = made.attempts[0].answer.wire
    assert (wire_attempt.deployment, wire_attempt.outcome) == ("m-id", "answered")


@pytest.mark.parametrize(
    ("replies", "purposes"),
    [
        ([GOOD], ["generate"]),
        ([f"```gmn\n{GOOD}```"], ["generate"]),
        ([f"Here is your model.\n\n{GOOD}\n\nI hope it helps"], ["generate"]),
        ([write_json(validate(GOOD).spec)], ["generate"]),  # type: ignore[arg-type]  # it is valid
        ([Reply(GOOD[:200], finish="length"), GOOD], ["generate", "generate"]),
        ([Reply(refusal="I cannot do that"), GOOD], ["generate", "fresh"]),
        ([json.dumps(strict_schema()), GOOD], ["generate", "fresh"]),
        ([WRONG_ROW, MEND], ["generate", "patch"]),
        ([WRONG_ROW, FAILING, MEND], ["generate", "patch", "patch"]),
        ([WRONG_ROW, NO_OP, MEND], ["generate", "patch", "patch"]),
        ([WRONG_ROW, FAILING, NO_OP, GOOD], ["generate", "patch", "patch", "rewrite"]),
        (["I would rather talk about cats", GOOD], ["generate", "rewrite"]),
    ],
    ids=[
        "good at once", "fenced", "prose around", "json", "truncated", "refusal", "schema echo",
        "wrong rows", "patch failing", "patch no-op", "patches failing", "no document",
    ],
)  # fmt: skip
async def test_every_kind_of_answer_leads_to_a_valid_model(
    wire: WireServer, replies: list[Reply | str], purposes: list[str]
) -> None:
    assert await generated(wire, *replies) == purposes


async def test_good_only_on_the_strong_route(wire: WireServer) -> None:
    rounds = await generated(wire, Reply(refusal="no"), Reply(refusal="no"), strong=GOOD)
    assert rounds == ["generate", "fresh", "escalate"]


async def test_never_good_keeps_every_answer_and_withdraws_them_from_the_cache(
    wire: WireServer,
) -> None:
    wire.plan("m", WRONG_ROW, NO_OP, FAILING, WRONG_ROW)
    async with orchestrated(wire, "m") as orc:
        with pytest.raises(InvalidOutputError) as caught:
            await orc.generate_gmn(PROMPT)
        assert caught.value.attempts[0].answer.text == WRONG_ROW
        assert "sums to 1.4" in str(caught.value)
        assert (await orc.cache_info()).entries == 0
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.reason, copy.attempts) == (caught.value.reason, caught.value.attempts)
    assert "4 calls, the most allowed, gave no valid answer; then, asked in stages" in copy.reason
    purposes = ["generate", "patch", "patch", "rewrite", *["staged"] * 4]
    assert [one.purpose for one in copy.attempts] == purposes
    said = [one.answer.text for one in copy.attempts]
    assert said == [WRONG_ROW, NO_OP, FAILING, *([WRONG_ROW] * (len(wire.requests) - 3))]


async def test_the_same_question_twice_is_paid_once(wire: WireServer, own_home: Path) -> None:
    wire.plan("m", GOOD)
    for _ in range(2):
        async with orchestrated(wire, "m") as orc:
            made = await orc.generate_gmn(PROMPT)
    assert len(wire.requests) == 1
    assert (made.cached, made.cost_usd) == (True, 0.0)
    (path,) = (own_home / "cache" / "ledger").glob("*.jsonl")
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first["billed_usd"] > 0
    assert (second["billed_usd"], second["served_usd"]) == (0.0, first["billed_usd"])
    assert first["rounds"][0]["templates"].keys() == {"system", "generate"}
    assert PROMPT not in path.read_text()
    assert SECRET not in path.read_text()


async def test_refine_asks_for_a_patch_of_the_given_document(wire: WireServer) -> None:
    wire.plan("m", '[{"op": "add", "path": "/policy/horizon", "value": 3}]')
    async with orchestrated(wire, "m") as orc:
        made = await orc.refine_gmn(GOOD, "look further ahead")
    assert made.spec.policy.horizon == 3
    assert "look further ahead" in wire.requests[0]["messages"][-1]["content"]
    form = wire.requests[0]["response_format"]["json_schema"]
    assert (form["name"], form["strict"]) == ("json_patch", True)


async def test_a_refused_response_format_is_degraded_once_and_remembered(wire: WireServer) -> None:
    wire.plan("m", Reply(GOOD, only_without="response_format"))
    async with orchestrated(wire, "m") as orc:
        made = await orc.generate_gmn(PROMPT)
        assert len(made.attempts) == 1
        modes = [body.get("response_format", {}).get("type") for body in wire.requests]
        assert modes[0] == "json_schema"
        assert modes[-1] is None
        before = len(wire.requests)
        await orc.generate_gmn("another walker")
        assert len(wire.requests) == before + 1


@pytest.mark.parametrize(
    "failing",
    [Reply(status=500), Reply(status=429, headers={"Retry-After": "30"}), Reply(drop=True)],
    ids=["500", "429 with a long wait", "dropped"],
)
async def test_a_failing_provider_falls_back_soon_and_is_on_the_bill(
    wire: WireServer, failing: Reply
) -> None:
    wire.plan("first", failing)
    wire.plan("second", GOOD)
    async with orchestrated(wire, "first", "second") as orc:
        await orc.models()
        start = time.monotonic()
        made = await orc.generate_gmn(PROMPT)
        assert time.monotonic() - start < 15
    attempts = made.attempts[0].answer.wire
    assert attempts[-1].deployment == "second-id"
    assert len(attempts) == len(wire.requests)
    assert attempts[0].outcome != "answered"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=401), AuthenticationError),
        (Reply(status=403), AuthenticationError),
        (Reply(status=404), BadRequestError),
        (Reply(status=400), BadRequestError),
        (Reply(status=429, headers={"Retry-After": "700"}), RateLimitError),  # beyond the deadline
        (Reply(status=503), ServiceUnavailableError),
        (Reply(drop=True), ServiceUnavailableError),
        (Reply(GOOD, delay_s=3), ServiceUnavailableError),
    ],
    ids=["401", "403", "404", "400", "429", "503", "dropped", "slow"],
)
async def test_a_provider_that_fails_is_a_typed_error_without_prompt_or_key(
    wire: WireServer,
    reply: Reply,
    kind: type[LLMError],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    wire.plan("m", reply)
    generation = {"timeout_s": 0.5 if reply.delay_s else 30}
    with caplog.at_level(logging.DEBUG, logger="orchestrator"):
        async with orchestrated(wire, "m", generation=generation) as orc:
            with pytest.raises(kind) as caught:
                await orc.generate_gmn(PROMPT)
    error = caught.value
    printed = capfd.readouterr()
    everything = f"{error!r}{error}{vars(error)}{error.__cause__!r}{caplog.text}{printed}"
    assert PROMPT not in everything
    assert SECRET not in everything
    assert error.__cause__ is None
    assert str(error).endswith(".")
    if kind is RateLimitError:
        assert error.retry_after_s == 700


async def test_custom_messages_are_answered_and_cached(wire: WireServer) -> None:
    wire.plan("m", "four")
    async with orchestrated(wire, "m") as orc:
        ask = [{"role": "user", "content": "two and two?"}]
        first = await orc.generate(ask, temperature=0.5)
        second = await orc.generate(ask, temperature=0.5)
        third = await orc.generate(ask, temperature=0.5, cache="off")
    assert (first.text, second.cached, third.cached) == ("four", True, False)
    assert [body["temperature"] for body in wire.requests] == [0.5, 0.5]


async def test_acompletion_speaks_litellm_and_is_cached(wire: WireServer) -> None:
    import litellm

    wire.plan("m", "four")
    async with orchestrated(wire, "m") as orc:
        ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "2+2?"}]}
        first = await orc.acompletion(**ask)
        again = await orc.acompletion(**ask)
        fresh = await orc.acompletion(**ask, cache="refresh")
        stream = await orc.acompletion(**ask, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert isinstance(first, litellm.ModelResponse)
    assert isinstance(again, litellm.ModelResponse)
    assert first.choices[0].message.content == again.choices[0].message.content == "four"
    assert again._hidden_params["cache_hit"] is True
    assert fresh.usage.total_tokens == first.usage.total_tokens
    assert text.strip() == "four"
    assert len(wire.requests) == 3


async def test_acompletion_lets_litellms_own_errors_through(wire: WireServer) -> None:
    import litellm

    wire.plan("m", Reply(status=401))
    async with orchestrated(wire, "m") as orc:
        with pytest.raises(litellm.exceptions.AuthenticationError):
            await orc.acompletion(model="m", messages=[{"role": "user", "content": "hi"}])


async def test_tools_pass_through(wire: WireServer) -> None:
    wire.plan("m", "done")
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    async with orchestrated(wire, "m") as orc:
        await orc.acompletion(
            model="m", messages=[{"role": "user", "content": "hi"}], tools=[tool], cache="off"
        )
    assert wire.requests[0]["tools"] == [tool]


def test_the_blocking_twin_works_and_closes(wire: WireServer) -> None:
    wire.plan("m", GOOD)
    orc = orchestrated(wire, "m")
    made = orc.sync.generate_gmn(PROMPT, cache="off")
    is_valid, errors = orc.sync.validate_gmn(made.spec)
    assert (is_valid, errors) == (True, ())
    orc.sync.close()


async def test_names_are_resolved_by_us_and_never_guessed(wire: WireServer) -> None:
    async with orchestrated(wire, "m") as orc:
        with pytest.raises(ConfigError, match="Known: default, m"):
            await orc.generate_gmn(PROMPT, model="gpt-9")
        with pytest.raises(ConfigError, match="is not a provider"):
            await orc.generate_gmn(PROMPT, provider="acme")
        with pytest.raises(NoDeploymentError, match="anthropic cannot be called"):
            await orc.generate_gmn(PROMPT, provider="anthropic")
        with pytest.raises(ValueError, match="is not an agent type"):
            await orc.generate_gmn(PROMPT, "wizard")  # type: ignore[arg-type]
    assert wire.requests == []


async def test_a_route_a_group_a_model_and_a_deployment_all_mean_something(
    wire: WireServer,
) -> None:
    wire.plan("m", "hi")
    async with orchestrated(wire, "m") as orc:
        for name in ("default", "m", "openai/m", "m-id"):
            answer = await orc.generate([{"role": "user", "content": name}], model=name)
            assert answer.deployment == "m-id"
        answer = await orc.generate([{"role": "user", "content": "x"}], provider="openai")
        assert answer.deployment == "m-id"


async def test_closing_gives_back_what_is_global_in_litellm(wire: WireServer) -> None:
    import litellm

    wire.plan("m", GOOD)

    def listeners() -> int:
        names = ("callbacks", "_async_failure_callback", "_async_success_callback")
        return sum(len(getattr(litellm, name)) for name in names)

    async with orchestrated(wire, "m") as orc:
        await orc.generate_gmn(PROMPT, cache="off")
    before = listeners()
    for _ in range(3):
        async with orchestrated(wire, "m") as orc:
            await orc.generate_gmn(PROMPT, cache="off")
    assert listeners() == before


async def test_a_plan_names_every_bound_before_anything_is_spent(wire: WireServer) -> None:
    async with orchestrated(wire, "a", "b") as orc:
        found = await orc.plan(PROMPT, "explorer")
    # 4 calls of the loop, and as many questions of staged mode as 64 requests leave room for.
    assert found.lines[1].endswith(
        "at most 4 calls, where no whole document is valid,"
        " at most 3 closed questions (staged mode)"
    )
    assert (found.max_calls, found.max_wire_attempts) == (4 + 3, (4 + 3) * (4 + 5))
    assert found.max_cost_usd is not None
    assert found.max_cost_usd > 0
    assert wire.requests == []


def settings_of(**orchestrator: object) -> Mapping[str, object]:
    offline = {"model_name": "offline", "litellm_params": {"model": "offline/library"}}
    return {"model_list": [offline], "orchestrator": orchestrator}


async def test_the_embedded_provider_answers_through_the_router_and_costs_nothing() -> None:
    async with Orchestrator(settings_of()) as orc:
        made = await orc.generate_gmn("a cautious explorer for a 5x5 grid", "explorer")
        assert (made.provider, made.cost_usd) == ("offline", 0.0)
        assert made.usage.completion_tokens > 100
        stream = await orc.acompletion(
            model="offline", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
    assert len(chunks) > 3


async def test_the_embedded_provider_writes_json_when_asked_for_json() -> None:
    async with Orchestrator(settings_of()) as orc:
        for kind in ("json_object", "json_schema"):
            response = await orc.acompletion(
                model="offline",
                messages=[{"role": "user", "content": "a 3x3 grid"}],
                response_format={"type": kind, "json_schema": {"name": "x", "schema": {}}},
            )
            assert json.loads(response.choices[0].message.content)["gmn"] == "1.0"
