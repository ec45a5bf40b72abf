"""How long one attempt may take: the one number that the user states nearest to it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.types.errors import LLMError
from tests.support.wire import Reply, WireServer, configured

SHORT, LONG = 0.3, 30.0
ASK = [{"role": "user", "content": "hi"}]


def config(wire: WireServer, place: str, seconds: float, *, of_loop: float | None) -> Any:
    wire.plan("m", Reply("good", delay_s=1.0))
    generation = {} if of_loop is None else {"generation": {"timeout_s": of_loop}}
    made: Any = configured(wire.base, "m", cache={"mode": "off"}, **generation)
    if place == "deployment":
        made["model_list"][0]["litellm_params"]["timeout"] = seconds
    elif place == "router":
        made["router_settings"]["timeout"] = seconds
    elif place == "litellm":
        made["litellm_settings"] = {"request_timeout": seconds}
    return made


@pytest.mark.parametrize("place", ["deployment", "router", "litellm"])
async def test_a_stated_timeout_bounds_the_attempts_of_a_loop_too(
    wire: WireServer, place: str
) -> None:
    async with Orchestrator(config(wire, place, SHORT, of_loop=None)) as orc:
        with pytest.raises(LLMError, match="Allow more time"):
            await orc.generate(ASK)


@pytest.mark.parametrize(
    ("place", "is_answered"), [("deployment", True), ("router", False), ("litellm", False)]
)
async def test_the_nearest_of_two_stated_timeouts_holds(
    wire: WireServer, place: str, *, is_answered: bool
) -> None:
    """That of a deployment before the loop's, the loop's before the Router's."""
    async with Orchestrator(config(wire, place, LONG, of_loop=SHORT)) as orc:
        if is_answered:
            assert (await orc.generate(ASK)).text == "good"
        else:
            with pytest.raises(LLMError, match="Allow more time"):
                await orc.generate(ASK)


async def test_the_timeout_of_a_router_that_is_given_holds(wire: WireServer) -> None:
    from litellm.router import Router

    made = config(wire, "", 0.0, of_loop=None)
    for seconds, is_answered in ((SHORT, False), (LONG, True)):
        router = Router(model_list=made["model_list"], timeout=seconds, num_retries=0)
        async with Orchestrator(made, router=router) as orc:
            if is_answered:
                assert (await orc.generate(ASK)).text == "good"
            else:
                with pytest.raises(LLMError):
                    await orc.generate(ASK)
