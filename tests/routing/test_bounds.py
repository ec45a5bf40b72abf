"""Room, rates, money and cancellation: what waits, what is refused, what is given back."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections import Counter
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.types.errors import BudgetExceededError, DeadlineExceededError
from orchestrator.types.own_process import OWN_LOOP
from tests.support.wire import Reply, WireServer, configured

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ASK = [{"role": "user", "content": "hi"}]
MOST = 110 * 2e-6  # dollars of the longest answer in these tests, without its prompt


async def test_more_calls_than_there_is_room_for_wait_their_turn(wire: WireServer) -> None:
    wire.plan("m", Reply("good", delay_s=0.05))
    config = configured(wire.base, "m", limits={"parallel": 2}, cache={"mode": "off"})
    async with Orchestrator(config) as orc:
        await orc.generate(ASK)
        start = time.monotonic()
        answers = await asyncio.gather(*(orc.generate(ASK) for _ in range(8)))
    assert [answer.text for answer in answers] == ["good"] * 8
    assert time.monotonic() - start > 0.19


async def test_calls_that_come_together_leave_the_loop_to_others_between_any_two(
    wire: WireServer,
) -> None:
    assert max((await sent_by_turn(wire, 12)).values()) < 4


async def test_a_loop_without_other_work_lets_more_of_them_set_out_together(
    wire: WireServer,
) -> None:
    token = OWN_LOOP.set(True)
    try:
        together = max((await sent_by_turn(wire, 150)).values())
    finally:
        OWN_LOOP.reset(token)
    assert 20 < together < 150


async def sent_by_turn(wire: WireServer, calls: int) -> Counter[int]:
    """How many of so many calls that came together left in each turn of the loop."""
    wire.plan("m", Reply("good", delay_s=0.05))
    turn, sent_in = 0, Counter[int]()

    def leaves(details: dict[str, Any]) -> None:
        if details["log_event_type"] == "pre_api_call":
            sent_in[turn] += 1

    async with Orchestrator(configured(wire.base, "m", cache={"mode": "off"})) as orc:
        await orc.generate(ASK)
        made = asyncio.gather(
            *(orc.acompletion(model="m", messages=ASK, logger_fn=leaves) for _ in range(calls))
        )
        while not made.done():
            turn += 1
            await asyncio.sleep(0)
        await made
    assert sent_in.total() == calls
    return sent_in


async def test_a_call_that_is_given_up_before_its_turn_keeps_nobody_waiting(
    wire: WireServer,
) -> None:
    wire.plan("m", Reply("good", delay_s=0.05))
    config = configured(wire.base, "m", limits={"parallel": 3}, cache={"mode": "off"})
    async with Orchestrator(config) as orc:
        await orc.generate(ASK)
        for turns in range(8):
            tasks = [asyncio.create_task(orc.generate(ASK)) for _ in range(6)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks[1:5]:
                task.cancel()
            async with asyncio.timeout(5):
                made = await asyncio.gather(*tasks, return_exceptions=True)
            assert [getattr(made[at], "text", made[at]) for at in (0, 5)] == ["good"] * 2


@pytest.mark.parametrize("limit", [{"max_parallel_requests": 2}, {"rpm": 1000}])
async def test_a_limit_of_the_router_is_waited_for_too(
    wire: WireServer, limit: dict[str, int]
) -> None:
    wire.plan("m", Reply("good", delay_s=0.05))
    config: dict[str, Any] = configured(wire.base, "m", cache={"mode": "off"})
    config["model_list"][0]["litellm_params"] |= limit
    async with Orchestrator(config) as orc:
        answers = await asyncio.gather(*(orc.generate(ASK) for _ in range(8)))
    assert [answer.text for answer in answers] == ["good"] * 8


async def test_a_rate_that_is_used_up_is_waited_for_until_the_deadline(wire: WireServer) -> None:
    wire.plan("m", "good")
    config: dict[str, Any] = configured(
        wire.base, "m", cache={"mode": "off"}, limits={"deadline_s": 6.0}
    )
    config["model_list"][0]["litellm_params"]["rpm"] = 3
    async with Orchestrator(config) as orc:
        await at_the_start_of_a_minute()
        answered = await asyncio.gather(
            *(orc.generate(ASK) for _ in range(5)), return_exceptions=True
        )
    late = [one for one in answered if isinstance(one, BaseException)]
    assert [type(one) for one in late] == [DeadlineExceededError] * 2
    assert len(wire.requests) == 3


async def at_the_start_of_a_minute() -> None:
    """LiteLLM counts by the calendar's minute; twelve seconds of it must be left."""
    left = 60 - time.time() % 60
    if left < 12:
        await asyncio.sleep(left + 0.1)


async def test_a_deployment_with_room_is_preferred_to_waiting(wire: WireServer) -> None:
    for name in ("a", "b"):
        wire.plan(name, "good")
    config: dict[str, Any] = configured(wire.base, "a", "b", cache={"mode": "off"})
    config["model_list"][1]["model_name"] = "a"
    config["orchestrator"]["routes"] = {"default": ["a"]}
    for entry, rpm in zip(config["model_list"], (1, 5), strict=True):
        entry["litellm_params"]["rpm"] = rpm
    async with Orchestrator(config) as orc:
        await at_the_start_of_a_minute()
        for _ in range(6):
            await orc.generate(ASK)
    assert (len(wire.asked("a")), len(wire.asked("b"))) == (1, 5)


def budget_limiter(wire: WireServer, **budgets: object) -> dict[str, object]:
    return configured(wire.base, "m", budgets=budgets, cache={"mode": "off"})


async def test_money_is_reserved_before_and_settled_after(wire: WireServer) -> None:
    wire.plan("m", Reply("good", delay_s=0.02))
    async with Orchestrator(budget_limiter(wire, usd_per_day=40 * MOST)) as orc:
        ended = await asyncio.gather(
            *(orc.generate(ASK, max_tokens=100) for _ in range(200)), return_exceptions=True
        )
        lines = await orc.usage()
        spent = orc._router.transport.budget_limiter.spent
    refused = [one for one in ended if isinstance(one, BaseException)]
    assert {type(one) for one in refused} == {BudgetExceededError}
    assert 20 < 200 - len(refused) < 200
    assert f" of {40 * MOST:.6g} are left today" in str(refused[0])  # not 0.0000
    assert len(wire.requests) == 200 - len(refused)
    assert sum(line["billed_usd"] for line in lines) == pytest.approx(sum(spent.values()))
    assert len(lines) == 200


async def test_a_request_may_not_cost_more_than_its_own_budget(wire: WireServer) -> None:
    wire.plan("m", "good")
    async with Orchestrator(budget_limiter(wire, usd_per_request=MOST / 2)) as orc:
        with pytest.raises(BudgetExceededError, match="left for this request"):
            await orc.generate(ASK, max_tokens=100)
        assert (await orc.generate(ASK, max_tokens=10)).text == "good"
    assert len(wire.requests) == 1


async def test_tenants_have_budgets_of_their_own(wire: WireServer) -> None:
    wire.plan("m", "good")
    async with Orchestrator(budget_limiter(wire, tenants={"poor": MOST / 2})) as orc:
        with pytest.raises(BudgetExceededError, match="budget of poor"):
            await orc.generate(ASK, tenant="poor", max_tokens=100)
        await orc.generate(ASK, tenant="rich", max_tokens=100)
        await orc.acompletion(model="m", messages=ASK, max_tokens=100, tenant="rich")
        assert [line["tenant"] for line in await orc.usage()] == ["poor", "rich", "rich"]
    assert all("tenant" not in body for body in wire.requests)


async def test_todays_bill_counts_against_todays_budget(wire: WireServer) -> None:
    wire.plan("m", "word " * 100)
    async with Orchestrator(budget_limiter(wire)) as orc:
        await orc.generate(ASK, max_tokens=100)
    async with Orchestrator(budget_limiter(wire, usd_per_day=MOST * 1.05)) as orc:
        with pytest.raises(BudgetExceededError):
            await orc.generate(ASK, max_tokens=100)


async def test_a_price_that_is_not_known_is_refused_where_money_is_bounded(
    wire: WireServer,
) -> None:
    config: dict[str, Any] = budget_limiter(wire, usd_per_day=1.0)
    params = config["model_list"][0]["litellm_params"]
    params |= {"api_base": "http://192.0.2.1:1/v1"}
    for key in ("input_cost_per_token", "output_cost_per_token"):
        params.pop(key)
    async with Orchestrator(config) as orc:
        with pytest.raises(BudgetExceededError, match="State input_cost_per_token"):
            await orc.generate(ASK)


async def test_a_cancelled_call_closes_its_connection_and_is_recorded(wire: WireServer) -> None:
    wire.plan("m", Reply("good", delay_s=30))
    async with Orchestrator(budget_limiter(wire, usd_per_day=1.0)) as orc:
        await orc.cache_info()
        task = asyncio.create_task(orc.generate(ASK))
        while not wire.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await until(lambda: wire.cancelled == 1)
        (line,) = await orc.usage()
        assert (line["outcome"], [a["outcome"] for a in line["wire"]]) == (
            "cancelled",
            ["cancelled"],
        )
        # The provider had the prompt, and says nothing of what it took.
        (attempt,) = line["wire"]
        assert attempt["estimated"]
        assert attempt["usage"]["prompt_tokens"] > 0
        spent = sum(orc._router.transport.budget_limiter.spent.values())
        assert 0 < spent == pytest.approx(attempt["cost_usd"])
        assert line["billed_usd"] == attempt["cost_usd"]


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_a_stream_that_is_left_closes_its_connection_and_is_recorded(
    wire: WireServer, way: str
) -> None:
    wire.plan("m", Reply("one two three four", stall_after=2))
    async with Orchestrator(budget_limiter(wire)) as orc:
        stream = await orc.acompletion(model="m", messages=ASK, stream=True)
        assert (await anext(stream)).choices[0].delta.content == "one "
        if way == "close":
            await stream.aclose()
        else:
            task = asyncio.create_task(drained(stream))
            await asyncio.sleep(0.1)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await until(lambda: wire.cancelled == 1)
        (line,) = await orc.usage()
    assert line["outcome"] == "cancelled"


async def test_a_dropped_stream_releases_its_place(wire: WireServer) -> None:
    wire.plan("m", Reply("one two three", stall_after=1))
    config = configured(wire.base, "m", limits={"parallel": 1, "deadline_s": 5.0})
    async with Orchestrator(config) as orc:
        stream = await orc.acompletion(model="m", messages=ASK, stream=True)
        await anext(stream)
        del stream
        gc.collect()
        wire.plan("m", "good")
        assert (await orc.generate(ASK)).text == "good"
        lines = await orc.usage()
    assert [line["outcome"] for line in lines] == ["cancelled", "answered"]


async def drained(stream: Any) -> None:
    async for _ in stream:
        pass


async def until(happened: Any) -> None:
    for _ in range(200):
        if happened():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen within 4 s")


async def test_a_long_retry_after_goes_to_the_fallback_at_once(wire: WireServer) -> None:
    wire.plan("first", Reply(status=429, headers={"Retry-After": "30"}))
    wire.plan("second", "good")
    config: dict[str, Any] = configured(wire.base, "first", "second")
    config.pop("router_settings")  # nothing is said: our own settings must do
    async with Orchestrator(config) as orc:
        await orc.generate(ASK, model="second")
        start = time.monotonic()
        answer = await orc.generate(ASK)
        assert time.monotonic() - start < 2
    assert [attempt.outcome for attempt in answer.wire] == ["RateLimitError", "answered"]


async def test_attempts_never_exceed_the_plan(wire: WireServer) -> None:
    for name in ("a", "b", "c"):
        wire.plan(name, Reply(status=500))
    async with Orchestrator(configured(wire.base, "a", "b", "c")) as orc:
        planned = await orc.plan("x")
        with pytest.raises(Exception, match="failed"):
            await orc.generate(ASK)
    # Five more are planned for rate limits that are waited for.
    assert len(wire.requests) == planned.max_wire_attempts // planned.max_calls - 5 == 6


async def test_no_attempt_is_lost_when_litellms_lists_are_replaced(wire: WireServer) -> None:
    import litellm

    wire.plan("m", "one", Reply(status=500), "two")
    async with Orchestrator(configured(wire.base, "m", cache={"mode": "off"})) as orc:
        await orc.generate(ASK)
        litellm.input_callback, litellm._async_failure_callback = [], []
        await orc.generate(ASK)
        _, line = await orc.usage()
    assert [one["outcome"] for one in line["wire"]] == ["InternalServerError", "answered"]
    assert litellm.input_callback == litellm._async_failure_callback == []


async def test_a_wrong_constraint_is_refused_before_anything_is_asked(wire: WireServer) -> None:
    wire.plan("m", "never")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(ValueError, match="no_such_bound"):
            await orc.generate_gmn("a door", constraints={"no_such_bound": 3})
    assert wire.requests == []
