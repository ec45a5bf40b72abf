"""Arguments of a wrong type are a TypeError with their name, before anything is asked."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from orchestrator import LLMRegistry, Orchestrator, acompletion, create_llm_interface
from orchestrator.client.arguments import _KINDS
from tests.support.documents import GOOD
from tests.support.wire import WireServer, configured

NOBODY = object()
#: What each method is called with where nothing is wrong.
RIGHT: dict[str, dict[str, Any]] = {
    "generate_gmn": {"prompt": "a walker"},
    "stream_gmn": {"prompt": "a walker"},
    "plan": {"prompt": "a walker"},
    "refine_gmn": {"spec": GOOD, "feedback": "horizon 1"},
    "validate_gmn": {"spec": GOOD},
    "batch": {"rows": ["a walker"]},
    "generate": {"messages": [{"role": "user", "content": "hi"}]},
    "generate_structured": {"messages": "hi", "contract": int},
    "stream_structured": {"messages": "hi", "contract": int},
    "acompletion": {"model": "m", "messages": []},
    "aembedding": {"model": "m", "input": "x"},
    "run_agent": {"agent": GOOD},
    "search": {"query": "x"},
    "health_check": {},
    "probe_models": {},
    "usage": {},
}
SPLIT = {"examples": "x", "expectations": "r=a within 3", "images": "x.png", "checks": "x"}
CASES = [
    (method, name)
    for method in RIGHT
    for name in inspect.signature(getattr(Orchestrator, method)).parameters
    if name in _KINDS
]


@pytest.fixture
async def orc(wire: WireServer) -> AsyncIterator[Orchestrator]:
    async with Orchestrator(configured(wire.base, "m")) as made:
        yield made


async def called(orc: Orchestrator, method: str, **arguments: Any) -> None:
    made = getattr(orc, method)(**{**RIGHT[method], **arguments})
    if inspect.isasyncgen(made):
        async for _ in made:
            pass
    else:
        await made


def test_every_public_method_is_among_the_cases() -> None:
    free = {"models", "cache_info", "cache_clear", "cache_evict", "warm_up", "bound_tenant"}
    free |= {"aclose", "from_config"}
    public = {
        name
        for kind in Orchestrator.__mro__[:-1]
        for name, value in vars(kind).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, classmethod))
    }
    assert public - free == set(RIGHT)


@pytest.mark.parametrize(("method", "name"), CASES)
async def test_a_wrong_type_is_named(
    orc: Orchestrator, wire: WireServer, method: str, name: str
) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be "):
        await called(orc, method, **{name: NOBODY})
    assert wire.requests == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("generate_gmn", {name: value}) for name, value in SPLIT.items() if name != "checks"]
    + [
        ("generate_structured", {"checks": "x"}),
        ("generate_gmn", {"prompt": 5}),
        ("generate_gmn", {"constraints": ["max_states"]}),
        ("generate_gmn", {"samples": "3"}),
        ("generate_gmn", {"samples": True}),
        ("generate_gmn", {"images": 5}),
        ("generate_gmn", {"cache": 5}),
        ("generate_gmn", {"expectations": [5]}),
        ("generate_gmn", {"examples": {"gmn": "1.0"}}),
        ("generate", {"messages": [5]}),
        ("acompletion", {"samples": "3", "refine": 1}),
        ("acompletion", {"cache": 5}),
        ("validate_gmn", {"expectations": "r=a within 3"}),
    ],
)
async def test_nothing_is_split_into_characters_or_converted(
    orc: Orchestrator, wire: WireServer, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=next(iter(arguments))):
        await called(orc, method, **arguments)
    assert wire.requests == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"samples": 0},
        {"samples": -1},
        {"constraints": {"max_stats": 3}},
        {"constraints": {"max_states": -3}},
        {"constraints": {"max_states": 2.5}},
        {"expectations": ["nonsense"]},
        {"agent_type": "wizard"},
        {"model": "nowhere"},
        {"provider": "acme"},
        {"images": ["no/such.png"]},
        {"images": [b"not an image"]},
        {"images": ["/dev/zero"]},
        {"cache": "sometimes"},
        {"prompt": "half \ud800"},
        {"expectations": ["r=\ud800 within 3"]},
    ],
)
@pytest.mark.parametrize("method", ["generate_gmn", "plan"])
async def test_wrong_values_are_refused_before_anything_is_asked_and_by_the_plan(
    orc: Orchestrator, wire: WireServer, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(Exception, match=r"\w") as caught:
        await called(orc, method, **arguments)
    assert not isinstance(caught.value, AttributeError | KeyError)
    assert wire.requests == []


@pytest.mark.parametrize("messages", ["", " \n", []])
async def test_messages_that_say_nothing_are_refused(
    orc: Orchestrator, wire: WireServer, messages: object
) -> None:
    for method in ("generate", "generate_structured"):
        with pytest.raises(ValueError, match="messages is empty"):
            await called(orc, method, messages=messages)
    assert wire.requests == []


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"messages": "half \ud800"}, "the user message holds '\\ud800' at 5"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "\udfff"}]}]},
            "udfff",
        ),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"max_tokens": math.inf}, "max_tokens is inf"),
    ],
)
async def test_what_no_provider_can_be_sent_is_the_fault_of_the_caller_not_of_a_provider(
    orc: Orchestrator, wire: WireServer, stated: dict[str, Any], words: str
) -> None:
    for method in ("generate", "generate_structured"):
        with pytest.raises(ValueError, match=re.escape(words)):
            await called(orc, method, **stated)
    assert wire.requests == []


async def test_one_string_is_one_message(orc: Orchestrator, wire: WireServer) -> None:
    wire.plan("m", "Hello")
    assert (await orc.generate("Hi")).text == "Hello"
    assert [turn["content"] for turn in wire.requests[0]["messages"]] == ["Hi"]


async def test_a_plan_takes_every_argument_of_the_request_and_knows_samples(
    orc: Orchestrator,
) -> None:
    generate = inspect.signature(Orchestrator.generate_gmn).parameters
    planned = inspect.signature(Orchestrator.plan).parameters
    assert [name for name in generate if name != "hook"] == list(planned)
    one, three = await orc.plan("a walker"), await orc.plan("a walker", samples=3)
    # Those of the loop, and the questions of staged mode for which 64 requests of 7 leave room.
    assert (one.max_calls, three.max_calls) == (4 + 5, 4 + 2 + 3)
    assert three.max_wire_attempts == one.max_wire_attempts == 9 * 7
    assert three.max_cost_usd == one.max_cost_usd
    assert any("at most 6 calls, 3 samples" in line for line in three.lines)
    more = await orc.plan("a walker", samples=5)
    assert (more.max_calls, more.max_wire_attempts) == (4 + 4, 8 * 7)
    assert one.max_cost_usd is not None
    assert more.max_cost_usd == pytest.approx(one.max_cost_usd * 8 / 9)
    example = await orc.plan("a walker", examples=[GOOD, GOOD, GOOD])
    assert example.max_cost_usd is not None
    assert example.max_cost_usd > one.max_cost_usd


def test_the_module_level_call_and_the_constructor_are_held_to_it_too() -> None:
    with pytest.raises(TypeError, match="config must be"):
        Orchestrator(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="hook must be"):
        Orchestrator(hook=5)  # type: ignore[arg-type]


async def test_a_tenant_of_a_module_level_call_is_text() -> None:
    with pytest.raises(TypeError, match="tenant must be a str"):
        await acompletion(model="m", messages=[], tenant=5)


MISTYPED = {
    "temprature": r"Did you mean temperature\? .*extra_body",
    "max_token": r"Did you mean max_tokens\?",
    "topp": r"Did you mean top_p\?",
    "deadline_s": r"configuration: orchestrator.generation.deadline_s$",
    "usd_per_request": r"configuration: orchestrator.budgets.usd_per_request$",
    "cache_tll": r"Did you mean cache_ttl\?",
}
ASKING = ("generate", "generate_structured", "stream_structured")


@pytest.mark.parametrize("method", ASKING)
@pytest.mark.parametrize("name", MISTYPED)
async def test_an_argument_that_is_mistyped_or_elsewhere_is_said_and_nothing_is_sent(
    orc: Orchestrator, wire: WireServer, method: str, name: str
) -> None:
    wire.plan("m", "1")
    words = rf"^{name} is not an argument of {method.replace('stream', 'generate')}; nothing was"
    with pytest.raises(TypeError, match=words + rf".*{MISTYPED[name]}"):
        await called(orc, method, **{name: 1})
    assert wire.requests == []


async def test_an_argument_of_another_operation_is_not_handed_on(
    orc: Orchestrator, wire: WireServer
) -> None:
    with pytest.raises(TypeError, match=r"^samples is not an argument of generate; nothing"):
        await orc.generate("x", samples=2)
    assert wire.requests == []


@pytest.mark.parametrize("method", ASKING)
async def test_what_the_provider_alone_knows_goes_through(
    orc: Orchestrator, wire: WireServer, method: str
) -> None:
    wire.plan("m", "1")
    own: dict[str, Any] = {"extra_body": {"beam_width": 4}, "top_k": 5, "num_ctx": 9, "min_p": 0.1}
    unknown = {"top_n": 3, "models": ["a", "b"], "search_domain_filter": ["x.org"], "user_id": "u"}
    allowed = {"allowed_openai_params": ["temprature"], "temprature": "x"}
    given = {**own, **unknown, **allowed}
    await called(orc, method, **given, litellm_session_id="s", metadata={"a": "b"})
    sent = wire.requests[0]
    wanted = {**unknown, "beam_width": 4, "top_k": 5, "num_ctx": 9, "min_p": 0.1, "temprature": "x"}
    assert {name: sent.get(name) for name in wanted} == wanted


async def test_the_drop_in_call_sends_what_litellm_would(
    orc: Orchestrator, wire: WireServer
) -> None:
    wire.plan("m", "1")
    await orc.acompletion(model="m", messages=[{"role": "user", "content": "x"}], beam_width=4)
    assert wire.requests[0]["beam_width"] == 4


async def test_a_model_of_a_registry_says_it_too(wire: WireServer) -> None:
    registry = LLMRegistry.from_config(configured(wire.base, "m"))
    async with await create_llm_interface("m", registry) as model:
        with pytest.raises(TypeError, match="Did you mean temperature"):
            await model.generate("x", temprature=0)
    assert wire.requests == []
