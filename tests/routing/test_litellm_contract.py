"""What we rely on in LiteLLM, fact by fact: an upgrade that changes one turns this red."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import litellm
import litellm.exceptions
import litellm.router
import litellm.router_api
import litellm.router_config
import litellm.router_python_host
import openai
import pytest

from tests.support.wire import PROVIDERS, Reply, WireServer, configured, provider_config

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
        one.retire()


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


def test_the_router_refuses_to_be_subclassed() -> None:
    """Why attempts are recorded by a host."""
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Ours", (litellm.router.Router,), {})


class Host(litellm.router_python_host.PythonHost):
    """Notes every attempt: what it was given, and the class of what came of it."""

    __slots__ = ("attempts",)

    def __init__(self) -> None:
        self.attempts: list[tuple[dict[str, Any], str]] = []

    def invoke(self, op: str) -> Any:
        endpoint: Any = super().invoke(op)
        if op != "acompletion":
            return endpoint

        async def attempt(*, mine: object = None, **arguments: Any) -> Any:
            try:
                made = await endpoint(**arguments)
            except BaseException as error:
                self.attempts.append(({**arguments, "mine": mine}, type(error).__name__))
                raise
            self.attempts.append(({**arguments, "mine": mine}, type(made).__name__))
            return made

        return attempt


@pytest.fixture
def host() -> Host:
    return Host()


def hosted(wire: WireServer, host: Host, *, provider: str = "", **settings: Any) -> Any:
    """A Router with a host over deployments ``a`` and ``b``, or ``m`` of a provider."""
    config: dict[str, Any] = (
        provider_config(wire, provider) if provider else configured(wire.base, "a", "b")
    )
    arguments = litellm.router.router_arguments(model_list=config["model_list"], **settings)
    return litellm.router.Router.from_config(
        litellm.router_config.build_router_config(arguments), host
    )


async def test_every_attempt_is_the_hosts_also_of_a_fallback(wire: WireServer, host: Host) -> None:
    wire.plan("a", Reply(status=500))
    wire.plan("b", "good")
    router, mine = hosted(wire, host, num_retries=1, fallbacks=[{"a": ["b"]}]), object()
    await router.acompletion(model="a", messages=ASK, mine=mine, timeout=9)
    made = [(given["model_info"]["id"], ended) for given, ended in host.attempts]
    assert made == [
        ("a-id", "InternalServerError"), ("a-id", "InternalServerError"), ("b-id", "ModelResponse"),
    ]  # fmt: skip
    assert all(given["mine"] is mine and given["timeout"] == 9 for given, _ in host.attempts)
    assert all("mine" not in body for body in wire.requests)


async def test_an_answer_that_is_withheld_for_a_fallback_passes_the_host(
    wire: WireServer, host: Host
) -> None:
    wire.plan("a", Reply("no", finish="content_filter"))
    wire.plan("b", "good")
    router = hosted(wire, host, num_retries=0, content_policy_fallbacks=[{"a": ["b"]}])
    await router.acompletion(model="a", messages=ASK)
    assert [ended for _, ended in host.attempts] == ["ModelResponse", "ModelResponse"]


async def test_a_cancelled_call_is_cancelled_in_the_host(wire: WireServer, host: Host) -> None:
    wire.plan("a", Reply("x", delay_s=30))
    task = asyncio.create_task(hosted(wire, host).acompletion(model="a", messages=ASK))
    while not wire.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert [ended for _, ended in host.attempts] == ["CancelledError"]


class Refusing(Host):
    """Raises in place of asking."""

    def invoke(self, op: str) -> Any:
        async def refused(**arguments: Any) -> Any:
            raise litellm.exceptions.RateLimitError("no", "openai", "a")

        return refused if op == "acompletion" else super().invoke(op)


async def test_what_the_host_raises_is_the_failure_that_is_cooled(wire: WireServer) -> None:
    wire.plan("a", "good")
    host = Refusing()
    allowed = {"RateLimitErrorAllowedFails": 0}
    router = hosted(
        wire, host, num_retries=1, retry_policy={"RateLimitErrorRetries": 0},
        allowed_fails_policy=allowed,
    )  # fmt: skip

    error = await failure(router.acompletion(model="a", messages=ASK))
    assert isinstance(error, litellm.exceptions.RateLimitError)
    active = await router.health().cooldowns.async_get_active_cooldowns(
        model_ids=["a-id"], parent_otel_span=None
    )
    assert [name for name, _ in active] == ["a-id"]


async def test_a_stream_comes_back_to_the_host_before_gemini_has_sent_anything(
    wire: WireServer, host: Host
) -> None:
    wire.plan("m", Reply(status=429))
    router = hosted(wire, host, provider="gemini", num_retries=0)
    error = await failure(router.acompletion(model="m", messages=ASK, stream=True))
    assert [ended for _, ended in host.attempts] == ["CustomStreamWrapper"]
    assert not isinstance(error, openai.APIError)  # raw, which no retry policy knows


async def test_geminis_opening_keeps_its_timeout(wire: WireServer, host: Host) -> None:
    wire.plan("m", Reply("x", delay_s=5))
    router, start = hosted(wire, host, provider="gemini", num_retries=0), time.monotonic()
    await failure(router.acompletion(model="m", messages=ASK, stream=True, timeout=0.3))
    assert time.monotonic() - start < 4


async def test_a_stream_that_breaks_before_its_first_part_fails_its_attempt(
    wire: WireServer, host: Host
) -> None:
    wire.plan("a", Reply("one two", cut_after=0), "good")
    router = hosted(wire, host, num_retries=1)
    stream = await router.acompletion(model="a", messages=ASK, stream=True)
    said = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
    assert said.strip() == "good"
    assert len(host.attempts) == 2


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_logger_fn_says_when_an_attempt_leaves_and_how_it_failed(
    wire: WireServer, provider: str, stream: bool
) -> None:
    wire.plan("m", Reply(status=500), "good")
    config: dict[str, Any] = provider_config(wire, provider)
    router: Any = litellm.router.Router(model_list=config["model_list"], num_retries=1)
    left: list[Any] = []

    def heard(details: Any) -> None:
        if details.get("log_event_type") == "pre_api_call":
            left.append(details)

    answer = await router.acompletion(model="m", messages=ASK, stream=stream, logger_fn=heard)
    if stream:
        [part async for part in answer]
    router.retire()
    assert [d["litellm_params"]["metadata"]["model_info"]["id"] for d in left] == ["m-id"] * 2
    if (provider, stream) != ("gemini", True):  # a refused opening is not told
        assert isinstance(left[0].get("exception"), Exception)


async def test_a_client_says_whether_it_is_in_use(build: Build, wire: WireServer) -> None:
    from litellm.caching.evicted_client_closer import _has_connection_in_flight, running_loop_token

    wire.plan("a", Reply("x", delay_s=0.3))
    call = asyncio.create_task(build(num_retries=0).acompletion(model="a", messages=ASK))
    while not wire.requests:
        await asyncio.sleep(0.01)
    end = f"-{running_loop_token()}"  # of the keys of this loop's clients
    clients = litellm.in_memory_llm_clients_cache.cache_dict
    (client,) = (one for key, one in clients.items() if key.endswith(end))
    assert _has_connection_in_flight(client)
    await call
    assert not _has_connection_in_flight(client)


def test_openais_client_has_a_transport_of_its_own() -> None:
    """Why more than httpx's errors are put into LiteLLM's class."""
    import httpx
    import httpx2

    assert not issubclass(httpx2.HTTPError, httpx.HTTPError)


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


async def test_a_limit_of_the_router_is_reached_before_the_host_is_asked(
    wire: WireServer, host: Host
) -> None:
    wire.plan("a", Reply("good", delay_s=0.2))
    checks = ["enforce_model_rate_limits"]
    for limit in ({"rpm": 1}, {"max_parallel_requests": 1}):
        config: dict[str, Any] = configured(wire.base, "a")
        config["model_list"][0]["litellm_params"] |= limit
        config["model_list"][0]["model_info"]["id"] = str(limit)
        arguments = litellm.router.router_arguments(
            model_list=config["model_list"], num_retries=0, optional_pre_call_checks=checks
        )
        router: Any = litellm.router.Router.from_config(
            litellm.router_config.build_router_config(arguments), host
        )
        host.attempts.clear()
        calls = (router.acompletion(model="a", messages=ASK) for _ in range(3))
        ended = await asyncio.gather(*calls, return_exceptions=True)
        refused = [one for one in ended if isinstance(one, Exception)]
        assert {type(one) for one in refused} == {litellm.exceptions.RateLimitError}
        assert len(host.attempts) == 3 - len(refused) < 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Reply(status=500), "InternalServerError"), (Reply(status=503), "ServiceUnavailableError"),
     (Reply(status=429), "RateLimitError"), (Reply(drop=True), "InternalServerError")],
)  # fmt: skip
async def test_a_group_of_one_rests_by_allowed_fails_policy_only(
    build: Build, wire: WireServer, fault: Reply, kind: str
) -> None:
    wire.plan("a", fault)
    for settings, resting in (
        ({"allowed_fails": 0}, []),
        ({"allowed_fails_policy": {f"{kind}AllowedFails": 0}}, ["a-id"]),
    ):
        router = build(num_retries=0, cooldown_time=40, **settings)
        await failure(router.acompletion(model="a", messages=ASK))
        active = await router.health().cooldowns.async_get_active_cooldowns(
            model_ids=["a-id", "b-id"], parent_otel_span=None
        )
        assert [name for name, _ in active] == resting
        for _, state in active:
            assert state["cooldown_time"] == 40
            assert abs(state["timestamp"] - time.time()) < 20


class Patient(Host):
    """Notes how long the Router wants to sleep, and does not."""

    __slots__ = ("slept",)

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> Awaitable[None]:
        self.slept.append(seconds)
        return asyncio.sleep(0)


async def test_a_group_with_a_policy_of_zero_falls_back_without_sleeping(wire: WireServer) -> None:
    wire.plan("a", Reply(status=500))
    wire.plan("b", "good")
    fallbacks, host = [{"a": ["b"]}], Patient()
    router = hosted(wire, host, num_retries=1, fallbacks=fallbacks)
    await router.acompletion(model="a", messages=ASK)
    assert len(host.slept) == 2  # before the retry, and once more before the fallback
    policy = {"a": {"DefaultRetries": 0}}
    router = hosted(wire, host, num_retries=1, fallbacks=fallbacks, model_group_retry_policy=policy)
    await router.acompletion(model="a", messages=ASK)
    assert len(host.slept) == 2


@pytest.mark.parametrize("status", [429, 500, 401, 400])
async def test_weighted_failover_tries_every_sibling_and_no_more_than_said(
    wire: WireServer, host: Host, status: int
) -> None:
    config: dict[str, Any] = configured(wire.base, "a", "b", "c")
    for entry in config["model_list"]:
        wire.plan(entry["model_name"], Reply(status=status))
        entry["model_name"] = "group"
    arguments = litellm.router.router_arguments(
        model_list=config["model_list"], num_retries=0, enable_weighted_failover=True,
        disable_cooldowns=True,
    )  # fmt: skip
    router: Any = litellm.router.Router.from_config(
        litellm.router_config.build_router_config(arguments), host
    )
    await failure(router.acompletion(model="group", messages=ASK))
    assert sorted(body["model"] for body in wire.requests) == ["a", "b", "c"]


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


async def test_a_refusal_in_a_stream_is_dropped(build: Build, wire: WireServer) -> None:
    # Where this fails, LiteLLM hands it on: `routing/refusals.py` can go.
    wire.plan("a", Reply(refusal="I may not"))
    parts = await build().acompletion(model="a", messages=ASK, stream=True)
    deltas = [choice.delta async for part in parts for choice in part.choices]
    assert deltas
    assert not any(getattr(delta, "refusal", None) for delta in deltas)


async def test_what_is_no_stream_becomes_an_empty_answer(build: Build, wire: WireServer) -> None:
    wire.plan("a", Reply(raw="<html>busy</html>"))
    stream = await build(num_retries=0).acompletion(model="a", messages=ASK, stream=True)
    said = [c.choices[0].delta.content or "" async for c in stream if c.choices]
    assert "".join(said) == ""


async def test_tools_work_in_the_base_installation(build: Build, wire: WireServer) -> None:
    wire.plan("a", "x")
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    answer = await build().acompletion(model="a", messages=ASK, tools=[tool])
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_a_discarded_router_takes_its_listeners_along(build: Build) -> None:
    def listeners() -> int:
        names = ("callbacks", "_async_failure_callback", "_async_success_callback",
                 "success_callback", "failure_callback")  # fmt: skip
        return sum(len(getattr(litellm, name)) for name in names)

    litellm.router.Router(model_list=[]).retire()
    before = listeners()
    for _ in range(3):
        build().retire()
    assert listeners() == before


async def test_the_call_wins_over_the_deployment(build: Build, wire: WireServer) -> None:
    wire.plan("a", "x")
    router = build(params={"api_base": "http://127.0.0.1:1/v1"}, num_retries=0)
    await router.acompletion(model="a", messages=ASK, api_base=wire.base, api_key="another")
    assert wire.requests[0]["_authorization"] == "Bearer another"


def test_the_price_list_has_what_we_read() -> None:
    chat = [m for m in litellm.model_cost.values() if m.get("mode") == "chat"]
    for key in ("input_cost_per_token", "output_cost_per_token", "max_output_tokens",
                "supports_response_schema", "deprecation_date", "successor_model",
                "litellm_provider"):  # fmt: skip
        assert sum(key in model for model in chat) > 100, key


def test_the_router_names_its_arguments() -> None:
    valid = set(litellm.router_api.router_init_args())
    assert {"model_list", "num_retries", "retry_policy", "fallbacks", "enable_pre_call_checks",
            "optional_pre_call_checks", "redis_url", "allowed_fails_policy",
            "model_group_retry_policy", "enable_weighted_failover"} <= valid  # fmt: skip
