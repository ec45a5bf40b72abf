"""Where a call goes: a group by its name only where its owner said, a route along its groups."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.routing.prices import chain_of, fallbacks_of
from orchestrator.types.errors import LLMError, NoDeploymentError
from tests.support.wire import SECRET, Reply, WireServer, configured

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ASK = [{"role": "user", "content": "q"}]


def plain(wire: WireServer, *groups: str, **router_settings: Any) -> dict[str, Any]:
    """A LiteLLM configuration without a section of ours."""
    config: dict[str, Any] = configured(wire.base, *groups)
    del config["orchestrator"]
    config["router_settings"] = router_settings
    return config


def mixed(wire: WireServer) -> dict[str, Any]:
    """One group of two deployments: the first fails, the second must not be asked."""
    wire.plan("private", Reply(status=500))
    wire.plan("cloud", "never")
    config = plain(wire, "private", "cloud", num_retries=0)
    for entry in config["model_list"]:
        entry["model_name"] = "mixed"
    return config


def falling_back(wire: WireServer, **routes: list[str]) -> dict[str, Any]:
    """Two groups, ``a`` that fails and ``b`` that answers, without settings of the Router."""
    wire.plan("a", Reply(status=500))
    wire.plan("b", "from b")
    config: dict[str, Any] = configured(wire.base, "a", "b", routes=routes)
    config["router_settings"] = {}
    return config


async def answer(orc: Orchestrator, **arguments: Any) -> str:
    """The text of an answer, or the class of the error."""
    try:
        given = {"messages": ASK, "cache": "off", **arguments}
        return str((await orc.acompletion(**given)).choices[0].message.content)
    except LLMError as error:
        return type(error).__name__
    except Exception as error:  # noqa: BLE001  LiteLLM's own
        return type(error).__name__


def asked(wire: WireServer) -> list[str]:
    return [body["model"] for body in wire.requests]


async def test_a_group_of_an_unchanged_file_goes_nowhere_else(wire: WireServer) -> None:
    wire.plan("private-local", Reply(status=500))
    wire.plan("cloud", "never")
    config = plain(wire, "private-local", "cloud", "text-embedding-3-small", num_retries=0)
    async with Orchestrator(config) as orc:
        assert await answer(orc, model="private-local") == "InternalServerError"
        assert await answer(orc, model="private-local", stream=True) == "InternalServerError"
        assert await answer(orc) == "InternalServerError"  # the first group, and nothing after it
        with pytest.raises(LLMError):
            await orc.generate(ASK, model="private-local")
    assert set(asked(wire)) == {"private-local"}


async def test_the_fallbacks_of_the_file_are_those_of_its_groups(wire: WireServer) -> None:
    wire.plan("a", Reply(status=500))
    wire.plan("b", "from b")
    config = plain(wire, "a", "b", "c", num_retries=0, fallbacks=[{"a": ["b"]}])
    async with Orchestrator(config) as orc:
        assert await answer(orc, model="a") == "from b"
        wire.plan("b", Reply(status=500))
        assert await answer(orc, model="a") == "InternalServerError"
    assert asked(wire) == ["a", "b", "a", "b"]


async def test_a_route_goes_along_its_groups_and_its_first_group_by_name_does_not(
    wire: WireServer,
) -> None:
    async with Orchestrator(falling_back(wire, fast=["a", "b"])) as orc:
        assert await answer(orc, model="fast") == "from b"
        assert asked(wire) == ["a", "b"]  # neither retried: there is a fallback
        assert (await orc.generate(ASK, model="fast")).text == "from b"
        wire.requests.clear()
        assert await answer(orc, model="a") == "InternalServerError"
    assert asked(wire) == ["a", "a"]  # once more: there is none


async def test_a_stated_number_of_retries_holds_on_a_route_too(wire: WireServer) -> None:
    config = falling_back(wire, default=["a", "b"])
    config["router_settings"] = {"num_retries": 1}
    async with Orchestrator(config) as orc:
        assert await answer(orc, model="default") == "from b"
    assert asked(wire) == ["a", "a", "b"]


async def test_a_file_with_fallbacks_and_routes_follows_the_file_for_its_groups(
    wire: WireServer,
) -> None:
    wire.plan("a", Reply(status=500))
    wire.plan("b", Reply(status=500))
    wire.plan("c", "from c")
    config: dict[str, Any] = configured(wire.base, "a", "b", "c", routes={"default": ["a", "b"]})
    config["router_settings"] = {"num_retries": 0, "fallbacks": [{"b": ["c"]}]}
    async with Orchestrator(config) as orc:
        assert await answer(orc) == "from c"
        assert asked(wire) == ["a", "b", "c"]
        plan = await orc.plan("a door")
    assert "over 3 model groups" in " ".join(plan.lines)


async def test_a_model_of_another_kind_is_never_asked_on_a_route(wire: WireServer) -> None:
    wire.plan("a", Reply(status=500))
    wire.plan("painter", "never")
    config: dict[str, Any] = configured(wire.base, "a", "painter", "text-embedding-3-small")
    # LiteLLM adds what a deployment states to the table of the process, so the name is its own.
    config["model_list"][1]["model_info"]["mode"] = "image_generation"
    config["router_settings"] = {"num_retries": 0}
    async with Orchestrator(config) as orc:
        assert await answer(orc) == "InternalServerError"
        assert len((await orc.aembedding(model="default", input=["x"])).data) == 1
    assert asked(wire) == ["a", "text-embedding-3-small"]


async def test_the_first_chat_model_answers_where_no_route_is_stated(wire: WireServer) -> None:
    for name in ("text-embedding-3-small", "chat", "other"):
        wire.plan(name, f"from {name}")
    config = plain(wire, "text-embedding-3-small", "chat", "other", num_retries=0)
    async with Orchestrator(config) as orc:
        assert await answer(orc) == "from chat"


async def test_a_route_of_no_chat_model_says_so(wire: WireServer) -> None:
    config: dict[str, Any] = configured(wire.base, "text-embedding-3-small")
    async with Orchestrator(config) as orc:
        with pytest.raises(NoDeploymentError, match="no model group of the route default takes"):
            await orc.generate(ASK)


def test_money_is_reserved_for_every_group_that_a_call_may_lead_to() -> None:
    settings = SimpleNamespace(
        fallbacks=[{"a": ["b"]}], context_window_fallbacks=None, content_policy_fallbacks=None
    )
    router = SimpleNamespace(settings=lambda: settings)
    for stated, chain in (
        (None, ("a", "b")),
        (["c"], ("a", "c")),
        ([{"model": "c", "messages": []}], ("a", "c")),
        ([{"a": ["c"]}, {"c": ["d"]}], ("a", "c", "d")),
    ):
        found = chain_of(fallbacks_of(router, {"model": "a", "fallbacks": stated}), "a")
        assert found == chain


async def test_an_alias_and_a_wildcard_of_the_file_lead_where_it_says(wire: WireServer) -> None:
    wire.plan("a", "from a")
    for name in ("x", "y"):
        wire.plan(name, f"from {name}")
    config = plain(wire, "a", "any/*", num_retries=0, model_group_alias={"nick": "a"})
    config["model_list"][1]["litellm_params"]["model"] = "openai/*"
    async with Orchestrator(config) as orc:
        assert await answer(orc, model="nick") == "from a"
        assert await answer(orc, model="any/x", cache="use") == "from x"
        assert await answer(orc, model="any/y", cache="use") == "from y"  # not the cached x
        assert (await orc.generate(ASK, model="any/y")).text == "from y"
        assert (await orc.generate(ASK, model="nick")).text == "from a"
    assert {body["_authorization"] for body in wire.requests} == {f"Bearer {SECRET}"}


async def test_a_deployment_of_a_mixed_group_is_asked_alone_by_its_id_or_model(
    wire: WireServer,
) -> None:
    async with Orchestrator(mixed(wire)) as orc:
        assert await answer(orc, model="private-id") == "InternalServerError"
        assert await answer(orc, model="openai/private") == "InternalServerError"
        with pytest.raises(LLMError):
            await orc.generate(ASK, model="private-id")
    assert set(asked(wire)) == {"private"}


async def test_a_forced_provider_is_asked_alone_in_a_mixed_group(wire: WireServer) -> None:
    config = mixed(wire)
    config["model_list"][1]["litellm_params"]["model"] = "groq/cloud"
    async with Orchestrator(config) as orc:
        with pytest.raises(LLMError):
            await orc.generate(ASK, provider="openai")
    assert set(asked(wire)) == {"private"}


async def test_a_group_that_is_named_like_a_role_is_asked_by_its_name(wire: WireServer) -> None:
    for name in ("a", "default", "fast"):
        wire.plan(name, f"from {name}")
    async with Orchestrator(plain(wire, "a", "default", "fast", num_retries=0)) as orc:
        for name in ("a", "default", "fast"):
            assert await answer(orc, model=name) == f"from {name}"


@pytest.mark.parametrize("settings", [{"default_fallbacks": ["c"]}, {"fallbacks": [{"*": ["c"]}]}])
async def test_what_every_group_may_fall_back_to_ends_a_route_too(
    wire: WireServer, settings: dict[str, Any]
) -> None:
    for name in ("a", "b"):
        wire.plan(name, Reply(status=500))
    wire.plan("c", "from c")
    config: dict[str, Any] = configured(wire.base, "a", "b", "c", routes={"default": ["a", "b"]})
    config["router_settings"] = settings
    async with Orchestrator(config) as orc:
        assert await answer(orc) == "from c"
        assert asked(wire) == ["a", "b", "c"]
        wire.requests.clear()
        assert await answer(orc, model="a") == "from c"
    assert asked(wire) == ["a", "c"]


@pytest.mark.parametrize("raw", ["", "data: [DONE]\n\n", "<html>busy</html>"])
async def test_a_stream_that_says_nothing_is_passed_on(wire: WireServer, raw: str) -> None:
    wire.plan("a", Reply(raw=raw, content_type="text/event-stream"))
    wire.plan("b", "from b")
    async with Orchestrator(configured(wire.base, "a", "b", cache={"mode": "off"})) as orc:
        stream = await orc.acompletion(model="default", messages=ASK, stream=True)
        said = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
        (line,) = await orc.usage()
    assert said.strip() == "from b"
    assert [one["outcome"] for one in line["wire"]][-2:] == ["APIConnectionError", "answered"]
