"""Samples on the wire: temperature and seed are sent, another sample is another request."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import Orchestrator
from orchestrator.generation.request_variants import RESAMPLED_AT, another_sample
from orchestrator.types.errors import BadRequestError
from orchestrator.types.requests import Request
from tests.support.wire import Reply, WireServer, configured, provider_config
from tests.wire.protocols import Asked

ASK = "a door"
DOOR = {
    "type": "object", "properties": {"goal": {"type": "string"}}, "required": ["goal"],
    "additionalProperties": False,
}  # fmt: skip
GOOD = '{"goal": "open"}'


def sampling(body: dict[str, Any]) -> tuple[Any, Any]:
    """Temperature and seed of a request."""
    return body.get("temperature"), body.get("seed")


def refuses(*names: str) -> Any:
    """A server that takes none of these parameters, and says so as OpenAI does."""

    def decide(asked: Asked) -> Reply:
        for name in names:
            if name in asked.body:
                words = f"Unsupported value: '{name}' does not support this with this model."
                return Reply(status=400, error_message=words)
        return Reply(GOOD)

    return decide


@pytest.mark.parametrize(
    ("generation", "sent"),
    [({}, (0.2, 1)), ({"temperature": 0, "seed": 7}, (0, 7)),
     ({"temperature": None, "seed": None}, (None, None))],
)  # fmt: skip
async def test_what_is_configured_is_sent(
    wire: WireServer, generation: dict[str, Any], sent: tuple[Any, Any]
) -> None:
    wire.plan("m", GOOD)
    async with Orchestrator(configured(wire.base, "m", generation=generation)) as orc:
        await orc.generate_structured(ASK, DOOR)
    assert sampling(wire.requests[0]) == sent


async def test_a_call_and_a_deployment_outrank_the_configuration(wire: WireServer) -> None:
    wire.plan("m", "", GOOD, GOOD)
    config: dict[str, Any] = configured(wire.base, "m", cache={"mode": "off"})
    config["model_list"][0]["litellm_params"]["temperature"] = 1
    async with Orchestrator(config) as orc:
        await orc.generate_structured(ASK, DOOR)
        await orc.generate_structured(ASK, DOOR, temperature=0.5, seed=3)
    assert [sampling(body) for body in wire.requests] == [(1, 1), (0.2, 2), (0.5, 3)]


async def test_a_fresh_sample_is_another_request_at_temperature_zero_too(wire: WireServer) -> None:
    wire.plan("m", "", GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured(ASK, DOOR, temperature=0, seed=5)
        again = await orc.generate_structured(ASK, DOOR, temperature=0, seed=5)
    assert [a.purpose for a in made.attempts] == ["generate", "fresh"]
    first, second = wire.requests
    assert (sampling(first), sampling(second)) == ((0, 5), (RESAMPLED_AT, 6))
    assert first["messages"] == second["messages"]
    assert again.cached  # under the key of what was asked first
    assert len(wire.requests) == 2


async def test_each_of_several_samples_has_a_seed_of_its_own(wire: WireServer) -> None:
    wire.plan("m", Reply("{}"))
    config = configured(wire.base, "m", generation={"temperature": 0, "max_calls": 1})
    async with Orchestrator(config) as orc:
        await asyncio.gather(
            orc.generate_structured(ASK, DOOR, samples=3, refine=0), return_exceptions=True
        )
    found = sorted(sampling(body) for body in wire.requests)
    assert found[:3] == [(0, 1), (RESAMPLED_AT, 2), (RESAMPLED_AT, 3)]


async def test_the_key_of_an_answer_holds_temperature_and_seed(wire: WireServer) -> None:
    wire.plan("m", GOOD)
    for generation in ({}, {"seed": 2}, {"temperature": 0.9}, {}):
        async with Orchestrator(configured(wire.base, "m", generation=generation)) as orc:
            await orc.generate_structured(ASK, DOOR)
    assert [sampling(body) for body in wire.requests] == [(0.2, 1), (0.2, 2), (0.9, 1)]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_parameter_that_a_server_refuses_is_left_out_from_then_on(
    wire: WireServer, *, stream: bool
) -> None:
    wire.decide = refuses("temperature", "seed")
    config = configured(wire.base, "m", "other", cache={"mode": "off"})
    async with Orchestrator(config) as orc:
        for _ in range(2):
            if stream:
                _ = [event async for event in orc.stream_structured(ASK, DOOR)]
            else:
                await orc.generate_structured(ASK, DOOR)
        lines = await orc.usage()
    assert {body["model"] for body in wire.requests} == {"m"}  # no fallback was needed
    assert [len(line["wire"]) for line in lines] == [3, 1]
    assert sampling(wire.requests[-1]) == (None, None)


@pytest.mark.parametrize("model", ["o3-mini", "gpt-5-mini"])
async def test_a_reasoning_model_is_asked_without_a_temperature_and_without_a_second_attempt(
    wire: WireServer, model: str
) -> None:
    wire.plan(model, GOOD)
    async with Orchestrator(configured(wire.base, model)) as orc:
        made = await orc.generate_structured(ASK, DOOR)
        (line,) = await orc.usage()
    assert (len(made.attempts), len(line["wire"]), len(wire.requests)) == (1, 1, 1)
    assert "temperature" not in wire.requests[0]


@pytest.mark.parametrize("provider", ["anthropic", "gemini", "ollama"])
async def test_every_provider_answers_whatever_of_them_it_takes(
    wire: WireServer, provider: str
) -> None:
    wire.plan("m", GOOD)
    config = provider_config(wire, provider, generation={"mode": "prompt"})
    async with Orchestrator(config) as orc:
        await orc.generate_structured(ASK, DOOR)
        (line,) = await orc.usage()
    assert [one["outcome"] for one in line["wire"]] == ["answered"]
    assert "0.2" in str(wire.requests[0])  # each spells temperature in its own way


async def test_what_the_caller_states_is_never_left_out(wire: WireServer) -> None:
    wire.decide = refuses("temperature")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(BadRequestError):
            await orc.generate_structured(ASK, DOOR, temperature=0.5)
    assert all(body["temperature"] == 0.5 for body in wire.requests)


async def test_a_router_built_elsewhere_keeps_working(wire: WireServer) -> None:
    wire.decide = refuses("temperature")
    config: dict[str, Any] = configured(wire.base, "m")
    router = litellm.router.Router(model_list=config["model_list"])
    async with Orchestrator(config, router=router) as orc:
        made = await orc.generate_structured(ASK, DOOR)
    assert made.value == {"goal": "open"}
    assert sampling(wire.requests[-1]) == (None, 1)


@given(
    st.fixed_dictionaries(
        {}, optional={"seed": st.integers(0, 99), "temperature": st.sampled_from([0, 0.0, 0.4])}
    ),
    st.integers(0, 5),
)
def test_samples_differ_in_their_seed_and_none_stays_at_temperature_zero(
    parameters: dict[str, Any], most: int
) -> None:
    first = Request((), "m", parameters=parameters)
    assert another_sample(first, 0) is first
    samples = [another_sample(first, number) for number in range(1, most + 1)]
    assert len({one.parameters["seed"] for one in samples}) == most
    assert [one.sample for one in samples] == list(range(1, most + 1))
    assert all(one.parameters.get("temperature", 1) > 0 for one in samples)  # type: ignore[operator]
    for one, following in itertools.pairwise(samples):
        assert another_sample(one) == following
