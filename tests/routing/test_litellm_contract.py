"""What we rely on in LiteLLM, fact by fact: an upgrade that changes one turns this red."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import litellm
import litellm.exceptions
import litellm.router
import openai
import pytest
from litellm.integrations.custom_logger import CustomLogger

from tests.support.wire import Reply, WireServer, configured, provider_config

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ASK = [{"role": "user", "content": "a-canary-question"}]
Build = Callable[..., Any]


@pytest.fixture
async def build(wire: WireServer) -> AsyncIterator[Build]:
    """Routers over deployments ``a`` and ``b`` of the loopback server, discarded afterwards."""
    made: list[Any] = []

    def router(*, params: dict[str, Any] | None = None, **settings: Any) -> Any:
        config: dict[str, Any] = configured(wire.base, "a", "b")
        for entry in config["model_list"]:
            entry["litellm_params"] |= {"max_retries": 0, **(params or {})}
        made.append(litellm.router.Router(model_list=config["model_list"], **settings))
        return made[-1]

    yield router
    for one in made:
        one.discard()


class Listener(CustomLogger):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.timeouts: list[Any] = []

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        self._note("sent", kwargs)
        self.timeouts.append(kwargs["litellm_params"]["timeout"])

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        self._note("failed", kwargs)

    def _note(self, event: str, kwargs: Any) -> None:
        mine = (kwargs["litellm_params"].get("metadata") or {}).get("mine")
        self.events.append((event, mine))
        self.calls.append((event, kwargs["litellm_call_id"]))


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Told as ours is."""
    one, lists = Listener(), (litellm.input_callback, litellm._async_failure_callback)
    for listed in lists:
        listed.append(one)
    yield one
    for listed in lists:
        listed.remove(one)


async def failure(call: Any) -> Any:
    try:
        await call
    except Exception as error:  # noqa: BLE001  its class is what is looked at
        return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize(
    ("status", "retries", "attempts"),
    [(500, 0, 1), (500, 2, 3), (503, 1, 2), (400, 2, 1), (404, 2, 1), (422, 2, 1), (401, 2, 1)],
)
async def test_a_group_is_tried_once_and_retried_as_often_as_said(
    build: Build, wire: WireServer, status: int, retries: int, attempts: int
) -> None:
    wire.plan("a", Reply(status=status))
    await failure(build(num_retries=retries).acompletion(model="a", messages=ASK))
    assert len(wire.requests) == attempts


async def test_fallbacks_chain_and_each_group_has_its_retries(
    build: Build, wire: WireServer
) -> None:
    wire.plan("a", Reply(status=500))
    wire.plan("b", Reply(status=500))
    router = build(num_retries=1, fallbacks=[{"a": ["b"]}, {"b": ["a"]}])
    await failure(router.acompletion(model="a", messages=ASK))
    assert [body["model"] for body in wire.requests] == ["a", "a", "b", "b"]


async def test_without_rate_limit_retries_a_429_falls_back_at_once(
    build: Build, wire: WireServer
) -> None:
    wire.plan("a", Reply(status=429, headers={"Retry-After": "20"}))
    wire.plan("b", "good")
    router = build(
        num_retries=1, retry_policy={"RateLimitErrorRetries": 0}, fallbacks=[{"a": ["b"]}]
    )
    await router.acompletion(model="b", messages=ASK)
    start = time.monotonic()
    await router.acompletion(model="a", messages=ASK)
    assert time.monotonic() - start < 10
    assert len(wire.requests) == 3


async def test_every_attempt_is_announced_and_every_failure_told_before_the_call_returns(
    build: Build, wire: WireServer, listener: Listener
) -> None:
    wire.plan("a", Reply(status=500))
    wire.plan("b", "good")
    router = build(num_retries=1, fallbacks=[{"a": ["b"]}])
    answer = await router.acompletion(model="a", messages=ASK, metadata={"mine": 7}, timeout=9)
    assert listener.events == [("sent", 7), ("failed", 7), ("sent", 7), ("failed", 7),
                               ("sent", 7)]  # fmt: skip
    first, failed_first, second, failed_second, third = (call for _, call in listener.calls)
    assert (first, second) == (failed_first, failed_second)
    assert len({first, second, third}) == 3
    assert answer._hidden_params["litellm_call_id"] == third
    assert listener.timeouts == [9, 9, 9]
    assert listener not in litellm._async_success_callback  # nothing is told there for nothing


async def test_every_attempt_is_a_make_call_also_of_a_fallback(
    build: Build, wire: WireServer
) -> None:
    wire.plan("a", Reply(status=500))
    wire.plan("b", "good")
    router = build(num_retries=1, fallbacks=[{"a": ["b"]}])
    made, make_call = [], router.make_call

    async def counted(*args: Any, **kwargs: Any) -> Any:
        made.append((kwargs["model"], kwargs["metadata"]["mine"]))
        return await make_call(*args, **kwargs)

    router.make_call = counted
    await router.acompletion(model="a", messages=ASK, metadata={"mine": 7})
    assert made == [("a", 7), ("a", 7), ("b", 7)]


async def test_a_client_says_whether_it_is_in_use(build: Build, wire: WireServer) -> None:
    from litellm.caching.evicted_client_closer import _has_connection_in_flight

    wire.plan("a", Reply("x", delay_s=0.3))
    call = asyncio.create_task(build(num_retries=0).acompletion(model="a", messages=ASK))
    while not wire.requests:
        await asyncio.sleep(0.01)
    end = f"-{id(asyncio.get_running_loop())}"  # of the keys of this loop's clients
    clients = litellm.in_memory_llm_clients_cache.cache_dict
    (client,) = (one for key, one in clients.items() if key.endswith(end))
    assert _has_connection_in_flight(client)
    await call
    assert not _has_connection_in_flight(client)


@contextmanager
def opening_late(wire: WireServer) -> Iterator[Any]:
    """A Router over a provider whose streams it opens itself."""
    config: dict[str, Any] = provider_config(wire, "gemini")
    router: Any = litellm.router.Router(model_list=config["model_list"], num_retries=0)
    yield router
    router.discard()


@pytest.mark.parametrize("fault", [Reply(status=429), Reply(drop=True)], ids=["429", "drop"])
async def test_what_a_late_opened_stream_meets_is_told_to_nobody_and_comes_raw(
    wire: WireServer, listener: Listener, fault: Reply
) -> None:
    """Once this is red, `routing.router` has less to mend."""
    wire.plan("m", fault)
    with opening_late(wire) as router:
        error = await failure(router.acompletion(model="m", messages=ASK, stream=True))
    assert [event for event, _ in listener.calls] == ["sent"]
    assert not isinstance(error, openai.APIError)


async def test_a_stream_opened_late_forgets_its_timeout(wire: WireServer) -> None:
    """Once this is red, `routing.router` has less to mend."""
    wire.plan("m", Reply("x", delay_s=1.5))
    start = time.monotonic()
    with opening_late(wire) as router:
        await router.acompletion(model="m", messages=ASK, stream=True, timeout=0.2)
    assert time.monotonic() - start > 1


async def test_an_answer_is_withheld_for_a_fallback_where_we_look(
    build: Build, wire: WireServer
) -> None:
    wire.plan("a", Reply("no", finish="content_filter"))
    wire.plan("b", "good")
    router = build(num_retries=0, content_policy_fallbacks=[{"a": ["b"]}])
    seen, decide = [], router._should_raise_content_policy_error

    def watched(model: Any, response: Any, kwargs: Any) -> Any:
        is_withheld = decide(model=model, response=response, kwargs=kwargs)
        seen.append((is_withheld, response.usage.completion_tokens, kwargs["metadata"]["mine"]))
        return is_withheld

    router._should_raise_content_policy_error = watched
    await router.acompletion(model="a", messages=ASK, metadata={"mine": 7})
    assert seen == [(True, 1, 7), (False, 1, 7)]


async def test_the_answer_says_who_gave_it_and_what_it_cost(build: Build, wire: WireServer) -> None:
    wire.plan("a", "good")
    answer = await build().acompletion(model="a", messages=ASK)
    hidden = answer._hidden_params
    assert (hidden["model_id"], hidden["custom_llm_provider"]) == ("a-id", "openai")
    paid = answer.usage.prompt_tokens * 1e-6 + answer.usage.completion_tokens * 2e-6
    assert hidden["response_cost"] == pytest.approx(paid)


async def test_a_timeout_of_litellms_bounds_a_read_and_not_a_call(
    build: Build, wire: WireServer
) -> None:
    wire.plan("a", Reply("x" * 40, trickle_s=0.005))
    start = time.monotonic()
    await build(num_retries=0).acompletion(model="a", messages=ASK, timeout=0.5)
    assert time.monotonic() - start > 0.5


async def test_a_cancelled_call_closes_its_connection(build: Build, wire: WireServer) -> None:
    wire.plan("a", Reply("x", delay_s=30))
    task = asyncio.create_task(build().acompletion(model="a", messages=ASK))
    while not wire.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    for _ in range(100):
        if wire.cancelled:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the server never heard of it")


async def test_a_rate_of_the_routers_own_is_told_apart_from_a_providers(
    build: Build, wire: WireServer
) -> None:
    wire.plan("a", Reply("good", delay_s=0.2))
    router = build(params={"max_parallel_requests": 1}, num_retries=0)
    await router.acompletion(model="a", messages=ASK)
    ended = await asyncio.gather(
        *(router.acompletion(model="a", messages=ASK) for _ in range(3)), return_exceptions=True
    )
    refused = [one for one in ended if isinstance(one, Exception)]
    assert refused
    assert all("max_parallel_requests" in str(one) for one in refused)
    limited = build(params={"rpm": 1, "max_parallel_requests": 99}, enable_pre_call_checks=True)
    await limited.acompletion(model="a", messages=ASK)
    error = await failure(limited.acompletion(model="a", messages=ASK))
    assert type(error).__name__ == "RouterRateLimitErrorBasic"


async def test_cooldowns_can_be_read(build: Build, wire: WireServer) -> None:
    wire.plan("a", Reply(status=500))
    router = build(num_retries=1, allowed_fails=1, cooldown_time=40)
    await failure(router.acompletion(model="a", messages=ASK))
    ((name, state),) = await router.cooldown_cache.async_get_active_cooldowns(
        model_ids=["a-id", "b-id"], parent_otel_span=None
    )
    assert name == "a-id"
    assert state["cooldown_time"] == 40
    assert abs(state["timestamp"] - time.time()) < 20


async def test_exceptions_carry_the_prompt_and_so_must_not_travel(
    build: Build, wire: WireServer
) -> None:
    wire.plan("a", Reply(status=500, error_message="cannot a-canary-question"))
    error = await failure(build(num_retries=0).acompletion(model="a", messages=ASK))
    assert "a-canary-question" in str(vars(error))


async def test_a_stream_says_what_it_took_only_if_asked(build: Build, wire: WireServer) -> None:
    wire.plan("a", "one two")
    ask: dict[str, Any] = {"model": "a", "messages": ASK, "stream": True}
    silent = [chunk async for chunk in await build().acompletion(**ask)]
    assert all(getattr(chunk, "usage", None) is None for chunk in silent)
    options = {"include_usage": True}
    told = [c async for c in await build().acompletion(**ask, stream_options=options)]
    assert told[-1].usage.completion_tokens == wire.whole[-1][1].tokens


async def test_what_is_no_stream_becomes_an_empty_answer(build: Build, wire: WireServer) -> None:
    wire.plan("a", Reply(raw="<html>busy</html>"))
    stream = await build(num_retries=0).acompletion(model="a", messages=ASK, stream=True)
    said = [c.choices[0].delta.content or "" async for c in stream if c.choices]
    assert "".join(said) == ""


async def test_tools_need_a_word_in_the_base_installation(build: Build, wire: WireServer) -> None:
    wire.plan("a", "x")
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    answer = await build().acompletion(
        model="a", messages=ASK, tools=[tool], _skip_mcp_handler=True
    )
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_a_discarded_router_takes_its_listeners_along(build: Build) -> None:
    def listeners() -> int:
        names = ("callbacks", "_async_failure_callback", "_async_success_callback",
                 "success_callback", "failure_callback")  # fmt: skip
        return sum(len(getattr(litellm, name)) for name in names)

    litellm.router.Router(model_list=[]).discard()  # type: ignore[no-untyped-call]
    before = listeners()
    for _ in range(3):
        build().discard()
    assert listeners() == before


async def test_the_call_wins_over_the_deployment(build: Build, wire: WireServer) -> None:
    wire.plan("a", "x")
    router = build(params={"api_base": "http://127.0.0.1:1/v1"}, num_retries=0)
    await router.acompletion(model="a", messages=ASK, api_base=wire.base, api_key="another")
    assert wire.requests[0]["_authorization"] == "Bearer another"


def test_the_price_list_has_what_we_read() -> None:
    chat = [m for m in litellm.model_cost.values() if m.get("mode") == "chat"]
    for key in ("input_cost_per_token", "output_cost_per_token", "max_output_tokens",
                "supports_response_schema", "deprecation_date", "litellm_provider"):  # fmt: skip
        assert sum(key in model for model in chat) > 100, key


def test_the_router_names_its_arguments() -> None:
    valid = set(litellm.router.Router.get_valid_args())
    assert {"model_list", "num_retries", "retry_policy", "fallbacks", "enable_pre_call_checks",
            "optional_pre_call_checks", "redis_url", "allowed_fails"} <= valid  # fmt: skip
    assert "deployment" in inspect.signature(litellm.router.Router.add_deployment).parameters
