"""Names that the configuration does not list: where they lead, through ours as through LiteLLM."""

from __future__ import annotations

import asyncio
from typing import Any

import litellm.types.router
import pytest

from orchestrator import Orchestrator, Router
from orchestrator.types.errors import ConfigError
from tests.support.wire import SECRET, WireServer, configured

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ASK = [{"role": "user", "content": "two and two?"}]


def entry(wire: WireServer, name: str, model: str, **params: Any) -> dict[str, Any]:
    given = {"model": model, "api_base": wire.base, "api_key": SECRET, **params}
    return {"model_name": name, "litellm_params": given}


async def test_a_wildcard_takes_a_bare_name_of_its_provider_and_nothing_goes_elsewhere(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    wire.plan("gpt-4o", "hello")
    listed = entry(wire, "openai/*", "openai/*")
    router = await asyncio.to_thread(Router, model_list=[listed], num_retries=0)
    async with Orchestrator({"model_list": [listed]}) as orc:
        for call in (orc.acompletion, router.acompletion):
            for model in ("gpt-4o", "openai/gpt-4o"):
                answer = await call(model=model, messages=ASK, cache="off")
                assert answer.choices[0].message.content == "hello"
    assert {one["_authorization"] for one in wire.requests} == {f"Bearer {SECRET}"}
    await router.aclose()


async def test_two_wildcards_that_send_different_names_do_not_share_answers(
    wire: WireServer,
) -> None:
    wire.plan("gpt-4o", "four")
    wire.plan("openai/gpt-4o", "five")
    for group in ("openai/*", "*"):
        async with Orchestrator({"model_list": [entry(wire, group, "openai/*")]}) as orc:
            await orc.acompletion(model="openai/gpt-4o", messages=ASK)
    assert [one["model"] for one in wire.requests] == ["gpt-4o", "openai/gpt-4o"]


async def test_a_router_of_ones_own_calls_what_it_has_and_nobody_else(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    wire.plan("m", "four")
    wire.plan("later", "five")
    listed, aliases = [entry(wire, "m", "openai/m")], {"mine": "m"}
    router = await asyncio.to_thread(
        Router, model_list=listed, model_group_alias=aliases, num_retries=0
    )
    answer = await router.acompletion(model="mine", messages=ASK)
    assert answer.choices[0].message.content == "four"
    with pytest.raises(ConfigError, match="'gpt-4o' is not configured"):
        await router.acompletion(model="gpt-4o", messages=ASK)
    router.add_deployment(litellm.types.router.Deployment(**entry(wire, "gpt-4o", "openai/later")))
    for _ in range(2):
        answer = await router.acompletion(model="gpt-4o", messages=ASK)
        assert answer.choices[0].message.content == "five"
    assert [one["model_name"] for one in router.registry().all()] == ["m", "gpt-4o"]
    assert [one["model"] for one in wire.requests] == ["m", "later"]
    await router.aclose()


async def test_the_provider_may_stand_beside_the_model(wire: WireServer) -> None:
    wire.plan("theirs", "four")
    place = {"api_base": wire.base, "api_key": SECRET, "custom_llm_provider": "openai"}
    async with Orchestrator(configured(wire.base, "m")) as orc:
        for model in ("theirs", "openai/theirs"):
            answer = await orc.acompletion(model=model, messages=ASK, cache="off", **place)
            assert answer.choices[0].message.content == "four"
    assert [one["model"] for one in wire.requests] == ["theirs", "theirs"]


async def test_caching_false_asks_again(wire: WireServer) -> None:
    wire.plan("m", "four")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        for _ in range(2):
            await orc.acompletion(model="m", messages=ASK, caching=False)
        await orc.acompletion(model="m", messages=ASK, caching=True)
        await orc.acompletion(model="m", messages=ASK)
    assert len(wire.requests) == 3


@pytest.mark.parametrize("messages", ["hi", None, {"role": "user"}])
async def test_messages_that_are_not_a_list_are_refused_before_anything_is_sent(
    wire: WireServer, messages: object
) -> None:
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(TypeError, match="messages must be a list of messages"):
            await orc.acompletion(model="m", messages=messages)
        assert await orc.usage() == []
    assert wire.requests == []


async def test_tags_that_choose_a_deployment_are_part_of_the_question(wire: WireServer) -> None:
    wire.plan("free", "cheap words")
    wire.plan("paid", "good words")
    config = {
        "model_list": [
            entry(wire, "m", "openai/free", tags=["free"]),
            entry(wire, "m", "openai/paid", tags=["paid"]),
        ],
        "router_settings": {"enable_tag_filtering": True},
    }
    async with Orchestrator(config) as orc:
        for tag, words in (
            ("free", "cheap words"),
            ("paid", "good words"),
            ("free", "cheap words"),
        ):
            answer = await orc.acompletion(model="m", messages=ASK, metadata={"tags": [tag]})
            assert answer.choices[0].message.content == words
    assert len(wire.requests) == 2
