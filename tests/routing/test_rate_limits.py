"""A rate limit goes to a sibling, then to the fallback, then it is waited for."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import Orchestrator, Router
from orchestrator.routing.translate import retry_after
from orchestrator.types.bill import Bill, set_bill
from orchestrator.types.errors import RateLimitError
from tests.support.wire import PROVIDERS, Reply, WireServer, configured, provider_config

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ASK = [{"role": "user", "content": "hi"}]
FULL = Reply(status=429)
SOON = Reply(status=429, headers={"retry-after-ms": "200"})
FAR = Reply(status=429, headers={"Retry-After": "3600"})
#: Each way to ask a route or a group, and the argument that makes it a stream.
DOORS: dict[str, dict[str, Any]] = {
    "acompletion": {"messages": ASK},
    "stream": {"messages": ASK, "stream": True},
    "aembedding": {"input": ["hi"]},
    "generate": {"messages": ASK},
}


async def through(orc: Any, door: str, model: str) -> None:
    method = "acompletion" if door == "stream" else door
    found = await getattr(orc, method)(model=model, **DOORS[door])
    if door == "stream":
        [part async for part in found]


def grouped(wire: WireServer, *groups: tuple[str, ...], **settings: Any) -> dict[str, Any]:
    """A config with a group for each tuple, called after its first model; the cache is off."""
    models = [model for group in groups for model in group]
    config: dict[str, Any] = configured(wire.base, *models, cache={"mode": "off"}, **settings)
    names = {model: group[0] for group in groups for model in group}
    for entry, model in zip(config["model_list"], models, strict=True):
        entry["model_name"] = names[model]
        if model.startswith("e-"):
            entry["model_info"]["mode"] = "embedding"
    config["orchestrator"]["routes"] = {"default": [group[0] for group in groups]}
    return config


@pytest.mark.parametrize("retries", [None, 0, 2])
@pytest.mark.parametrize("door", sorted(DOORS))
async def test_a_free_sibling_answers(wire: WireServer, door: str, retries: int | None) -> None:
    wire.plan("a", FAR)
    wire.plan("b", FULL)
    wire.plan("c", "good")
    config = grouped(wire, ("a", "b", "c"))
    del config["router_settings"]
    if retries is not None:
        config["router_settings"] = {"num_retries": retries}
    async with Orchestrator(config) as orc:
        await orc.models()
        for _ in range(4):
            await through(orc, door, "a")
        outcomes = [one["outcome"] for line in await orc.usage() for one in line["wire"]]
    assert outcomes.count("answered") == 4
    assert len(outcomes) == len(wire.requests)  # none is made where nobody sees it


@pytest.mark.parametrize(("sibling", "waits"), [("good", 0), (SOON, 1)])
async def test_a_row_of_a_batch_knows_whether_it_had_to_wait(
    wire: WireServer, sibling: Any, waits: int
) -> None:
    wire.plan("a", SOON, "good")
    wire.plan("b", sibling, "good")
    bill = Bill()
    set_bill(bill)
    async with Orchestrator(grouped(wire, ("a", "b"))) as orc:
        while not any(one["model"] == "a" for one in wire.requests):  # LiteLLM takes either first
            await orc.generate(ASK, model="a")
    assert bill.rate_limits == waits


@pytest.mark.parametrize("door", ["acompletion", "stream", "aembedding"])
async def test_the_last_of_many_siblings_is_asked_too(wire: WireServer, door: str) -> None:
    full = [f"full-{number}" for number in range(9)]
    for name in full:
        wire.plan(name, FAR)
    wire.plan("free", "good")
    async with Orchestrator(grouped(wire, (*full, "free"))) as orc:
        for _ in range(3):
            await through(orc, door, full[0])


@pytest.mark.parametrize("door", ["acompletion", "stream", "generate"])
async def test_the_fallback_answers_where_every_sibling_is_full(
    wire: WireServer, door: str
) -> None:
    for name in ("a", "b", "c"):
        wire.plan(name, FAR)
    wire.plan("d", "good")
    async with Orchestrator(grouped(wire, ("a", "b"), ("c", "d"))) as orc:
        await through(orc, door, "default")


STATED: dict[str, Callable[[], dict[str, str]]] = {
    "seconds": lambda: {"Retry-After": "1"},
    "fraction": lambda: {"Retry-After": "0.2"},
    "date": lambda: {"Retry-After": email.utils.formatdate(time.time() + 2, usegmt=True)},
    "milliseconds": lambda: {"retry-after-ms": "300"},
    "nothing": dict,
    "nonsense": lambda: {"Retry-After": "soon"},
}


@pytest.mark.parametrize("stated", sorted(STATED))
@pytest.mark.parametrize("door", sorted(DOORS))
async def test_a_group_alone_is_waited_for(wire: WireServer, door: str, stated: str) -> None:
    wire.plan("a", Reply(status=429, headers=STATED[stated]()), "good")
    async with Orchestrator(grouped(wire, ("a",))) as orc:
        await through(orc, door, "a")
        (line,) = await orc.usage()
    assert [one["outcome"] for one in line["wire"]] == ["RateLimitError", "answered"]


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
@pytest.mark.parametrize("door", ["acompletion", "stream"])
async def test_the_wait_of_every_provider_is_understood(
    wire: WireServer, provider: str, door: str
) -> None:
    wire.plan("m", Reply(status=429, headers={"Retry-After": "1"}), "good")
    config = provider_config(wire, provider, cache={"mode": "off"})
    async with Orchestrator(config) as orc:
        await orc.models()
        await through(orc, "generate", "m")
        wire.plan("m", FAR)
        with pytest.raises(Exception, match="can be asked again in 3600 s"):
            await through(orc, door, "m")


async def test_several_callers_wait_and_all_are_answered(wire: WireServer) -> None:
    wire.plan("a", *[SOON] * 6, "good")
    wire.plan("b", *[SOON] * 3, "good")
    async with Orchestrator(grouped(wire, ("a", "b"))) as orc:
        await asyncio.gather(*(through(orc, "generate", "a") for _ in range(6)))
        # Now one that finds every deployment resting, before it has sent anything.
        wire.plan("a", Reply(status=429, headers={"Retry-After": "1"}), "good")
        wire.plan("b", Reply(status=429, headers={"Retry-After": "1"}), "good")
        await asyncio.gather(*(through(orc, "acompletion", "a") for _ in range(4)))


@pytest.mark.parametrize("door", sorted(DOORS))
async def test_a_wait_beyond_the_deadline_is_an_error_at_once(wire: WireServer, door: str) -> None:
    import openai

    wire.plan("a", FAR)
    wire.plan("b", FAR)
    async with Orchestrator(grouped(wire, ("a",))) as orc:
        with pytest.raises((RateLimitError, openai.RateLimitError), match="again in 3600 s"):
            await through(orc, door, "a")
    assert len(wire.requests) == 1
    async with Orchestrator(grouped(wire, ("a", "b"))) as orc:
        for _ in range(4):  # the later ones find both at rest
            with pytest.raises(RateLimitError, match=r"again in (3600|3599|359\d) s"):
                await orc.generate(ASK, model="a")


@pytest.mark.parametrize("samples", [1, 2])
async def test_the_loop_waits_within_its_own_deadline(wire: WireServer, samples: int) -> None:
    wire.plan("a", Reply(status=429, headers={"Retry-After": "500"}))  # the Router's is 600
    async with Orchestrator(grouped(wire, ("a",), generation={"deadline_s": 100})) as orc:
        with pytest.raises(RateLimitError, match="again in 500 s") as caught:
            await orc.generate_structured("hi", {"type": "object"}, samples=samples)
        assert caught.value.retry_after_s == 500
        wire.plan("a", SOON, SOON, "{}")
        made = await orc.generate_structured("hi", {"type": "object"}, samples=samples)
    assert made.value == {}


async def test_a_limit_that_stays_is_an_error_within_the_plan(wire: WireServer) -> None:
    wire.plan("a", Reply(status=429, headers={"retry-after-ms": "10"}))
    config = grouped(wire, ("a",))
    async with Orchestrator(config) as orc:
        planned = await orc.plan("x")
        with pytest.raises(RateLimitError):
            await orc.generate(ASK)
        assert 1 < len(wire.requests) <= planned.max_wire_attempts // planned.max_calls
    config["orchestrator"]["limits"] = {"wire_attempts": 8}  # two a call, and nothing left
    wire.requests.clear()
    async with Orchestrator(config) as orc:
        assert (await orc.plan("x")).max_wire_attempts == 8
        with pytest.raises(RateLimitError):
            await orc.generate(ASK)
    assert len(wire.requests) == 1


async def test_samples_share_the_waits_that_the_limit_leaves(wire: WireServer) -> None:
    wire.plan("a", Reply(status=429, headers={"retry-after-ms": "10"}))
    config = grouped(wire, ("a",), generation={"max_calls": 2, "mode": "json_object"})
    config["router_settings"] = {"num_retries": 0}
    config["orchestrator"]["limits"] = {"wire_attempts": 8}
    async with Orchestrator(config) as orc:
        planned = await orc.plan("x", samples=3)
        assert planned.max_wire_attempts == 8
        with pytest.raises(RateLimitError):
            await orc.generate_structured("hi", {"type": "object"}, samples=3)
    assert 3 < len(wire.requests) <= 8


async def test_a_quota_that_is_spent_is_not_waited_for(wire: WireServer) -> None:
    spent = "You exceeded your current quota, please check your plan and billing details."
    wire.plan("a", Reply(status=429, error_message=spent, error_code="insufficient_quota"))
    async with Orchestrator(grouped(wire, ("a",))) as orc:
        with pytest.raises(RateLimitError):
            await orc.generate(ASK)
    assert len(wire.requests) == 1


async def test_a_caller_that_leaves_while_waiting_leaves_at_once(wire: WireServer) -> None:
    wire.plan("a", Reply(status=429, headers={"Retry-After": "60"}))
    async with Orchestrator(grouped(wire, ("a",))) as orc:
        call = asyncio.create_task(through(orc, "acompletion", "a"))
        while not wire.requests:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(call, 20)
        (line,) = await orc.usage()
    assert [one["outcome"] for one in line["wire"]] == ["RateLimitError"]


async def test_routers_of_ones_own_wait_too(wire: WireServer) -> None:
    import litellm.router

    config = grouped(wire, ("a", "b"))
    for name in ("a", "b"):
        wire.plan(name, SOON, "good")
    router = Router(model_list=config["model_list"])
    await router.acompletion(model="a", messages=ASK, cache="off")
    await router.aembedding(model="a", input=["hi"], cache="off")
    await router.aclose()
    for name in ("a", "b"):
        wire.plan(name, SOON, "good")
    theirs = litellm.router.Router(model_list=config["model_list"], num_retries=0)
    async with Orchestrator(config, router=theirs) as orc:
        await through(orc, "acompletion", "a")


@given(st.one_of(st.text(), st.floats().map(str), st.datetimes().map(str)), st.text())
def test_no_header_makes_a_wait_that_is_not_one(value: str, date: str) -> None:
    headers = {"Retry-After": value, "Date": date}
    found = retry_after(SimpleNamespace(response=SimpleNamespace(headers=headers)))
    assert found is None or 0 <= found < float("inf")


def test_a_date_is_read_by_the_clock_of_the_server() -> None:
    headers = {
        "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT",
        "date": "Wed, 21 Oct 2015 07:28:00 GMT",
    }
    assert retry_after(SimpleNamespace(litellm_response_headers=headers)) == 30
    del headers["date"]
    assert retry_after(SimpleNamespace(litellm_response_headers=headers)) == 0
