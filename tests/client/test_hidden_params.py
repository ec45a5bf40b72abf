"""A hit through LiteLLM's own calls carries what a live answer carries, with honest values."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.client.litellm_calls import _hidden
from tests.support.wire import Reply, WireServer, configured

ASK: list[dict[str, Any]] = [{"role": "user", "content": "Hello, are you there?"}]


async def asked(orc: Orchestrator, call: str) -> Any:
    if call == "aembedding":
        return await orc.aembedding(model="m", input=["a"])
    response = await orc.acompletion(model="m", messages=ASK, stream=call == "stream")
    if call == "stream":
        assert [part async for part in response]
    return response


@pytest.mark.parametrize("call", ["acompletion", "stream", "aembedding"])
@pytest.mark.parametrize("again", ["the same process", "another process"])
async def test_a_hit_has_the_keys_of_a_live_answer(
    call: str, again: str, wire: WireServer, tmp_path: Path
) -> None:
    wire.plan("m", "Yes, I am.", "Yes, again.")
    config = configured(wire.base, "m", cache={"directory": str(tmp_path)})
    async with Orchestrator(config) as orc:
        live = dict((await asked(orc, call))._hidden_params)
        if again == "the same process":
            hit = (await asked(orc, call))._hidden_params
    if again != "the same process":
        async with Orchestrator(config) as orc:
            hit = (await asked(orc, call))._hidden_params
    assert len(wire.requests) == 1
    assert live.keys() | {"cache_hit"} == set(hit)
    assert (hit["cache_hit"], hit["response_cost"]) == (True, 0.0)
    assert (live.get("cache_hit") or False) is False
    for name in ("model_id", "api_base", "litellm_model_name", "litellm_call_id"):
        assert hit[name] == live[name], name
    assert hit["_response_ms"] == hit["litellm_overhead_time_ms"] == 0.0
    assert hit["additional_headers"]["x-litellm-model-group"] == "m"
    assert not [name for name in hit["additional_headers"] if name.startswith("llm_provider-")]


async def test_one_who_waited_for_a_call_has_them_too(wire: WireServer) -> None:
    wire.plan("m", Reply("once", delay_s=0.3))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        both = await asyncio.gather(*(asked(orc, "acompletion") for _ in range(2)))
    live, shared = sorted(
        (one._hidden_params for one in both), key=lambda p: bool(p.get("cache_hit"))
    )
    assert live.keys() | {"cache_hit"} == set(shared)
    assert live["response_cost"] > 0
    assert shared["response_cost"] == 0.0


@pytest.mark.parametrize("spelled", ["//user:canary@host/v1", "//host/v1?key=canary#canary"])
def test_an_address_is_kept_without_its_password(spelled: str) -> None:
    response = SimpleNamespace(_hidden_params={"api_base": f"https:{spelled}"})
    assert _hidden(response) == {"api_base": "https://host/v1"}


@pytest.mark.parametrize("planted", [b"[3, 0.0, 5, 1]", b'[3, 0.0, {}, "x"]', b"[3, 0.0]", b"[3]"])
async def test_parts_of_another_shape_are_a_miss(
    planted: bytes, wire: WireServer, tmp_path: Path
) -> None:
    from tests.support.places import Directory

    wire.plan("m", "Yes, I am.", "Yes, again.")
    config = configured(wire.base, "m", cache={"directory": str(tmp_path)})
    async with Orchestrator(config) as orc:
        await asked(orc, "acompletion")
    await asyncio.to_thread(Directory({"directory": str(tmp_path)}).plant, planted)
    async with Orchestrator(config) as orc:
        await asked(orc, "acompletion")
    assert len(wire.requests) == 2
