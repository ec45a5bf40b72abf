"""LiteLLM's HTTP clients are the process's: closed by the last loop that used them."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from orchestrator import Orchestrator
from tests.support.sockets import sockets_to
from tests.support.wire import PROVIDERS, Reply, WireServer, provider_config

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ASK = [{"role": "user", "content": "hi"}]


async def text_of(answer: Any) -> str:
    """The text of an answer, whole or in parts."""
    if not hasattr(answer, "__aiter__"):
        return str(answer.choices[0].message.content)
    return "".join(
        [c.choices[0].delta.content or "" async for c in answer if c.choices]
    ).strip()  # fmt: skip


def config_of(wire: WireServer, provider: str) -> dict[str, Any]:
    """Whatever is cut shows: nothing is tried twice."""
    config: dict[str, Any] = provider_config(wire, provider, cache={"mode": "off"})
    config["router_settings"]["num_retries"] = 0
    return config


def begun() -> tuple[Reply, threading.Event]:
    """An answer that waits, a stream after its first part, and what lets it go on."""
    goes_on = threading.Event()
    return Reply("one two three", until=goes_on), goes_on


async def closed_meanwhile(
    wire: WireServer, provider: str, call: asyncio.Task[str], goes_on: threading.Event
) -> None:
    """An orchestrator that is used and closed while `call` is on the wire."""
    while not wire.requests:
        await asyncio.sleep(0.01)
    wire.plan("m", "good")
    async with Orchestrator(config_of(wire, provider)) as other:
        await other.generate(ASK)
    assert not call.done()
    goes_on.set()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_closing_one_orchestrator_cuts_no_call_of_another(
    provider: str, stream: bool, wire: WireServer
) -> None:
    reply, goes_on = begun()
    wire.plan("m", reply)
    async with Orchestrator(config_of(wire, provider)) as orc:

        async def asked() -> str:
            return await text_of(await orc.acompletion(model="m", messages=ASK, stream=stream))

        call = asyncio.create_task(asked())
        await closed_meanwhile(wire, provider, call, goes_on)
        assert await call == "one two three"
        assert await asked() == "good"


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_closing_an_orchestrator_cuts_no_call_of_litellms_own(
    provider: str, wire: WireServer
) -> None:
    import litellm

    reply, goes_on = begun()
    wire.plan("m", reply)
    (entry,) = config_of(wire, provider)["model_list"]

    async def asked() -> str:
        call: Any = litellm.acompletion
        answer = await call(messages=ASK, stream=True, **entry["litellm_params"])
        return await text_of(answer)

    call = asyncio.create_task(asked())
    await closed_meanwhile(wire, provider, call, goes_on)
    assert await call == "one two three"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_the_last_to_close_leaves_no_connection_open(
    provider: str, stream: bool, wire: WireServer
) -> None:
    wire.plan("m", "good")
    held = await asyncio.to_thread(sockets_to, wire.port)  # by tests before this one
    for _ in range(3):  # LiteLLM's cache knows a client of its own only the first time
        async with Orchestrator(config_of(wire, provider)) as orc:
            await text_of(await orc.acompletion(model="m", messages=ASK, stream=stream))
            assert await asyncio.to_thread(sockets_to, wire.port) - held
        assert not await asyncio.to_thread(sockets_to, wire.port) - held


def test_what_a_loop_that_is_gone_had_open_is_let_go_of(wire: WireServer) -> None:
    wire.plan("m", "good")
    held = sockets_to(wire.port)
    orc = Orchestrator(config_of(wire, "openai"))

    async def asked() -> None:
        await orc.acompletion(model="m", messages=ASK)

    asyncio.run(asked())
    asyncio.run(asked())
    asyncio.run(orc.aclose())
    gc.collect()  # nothing can be closed on a loop that is gone, only let go of
    assert not sockets_to(wire.port) - held
