"""One table of calls, through bare LiteLLM and through ours, compared field by field."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import litellm.router
import pytest
import yaml

from orchestrator import Orchestrator
from orchestrator.types.errors import ConfigError, NoDeploymentError
from tests.support.wire import PROVIDERS, Reply, WireServer, configured, provider_config

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ASK = [{"role": "user", "content": "two and two?"}]
LOOK = {"type": "text", "text": "what is it?"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sampling": {"temperature": 0.3, "top_p": 0.9, "seed": 7, "stop": ["x"], "max_tokens": 9},
    "several": {"n": 3},
    "tools": {"tools": [TOOL], "tool_choice": "auto"},
    "json": {"response_format": {"type": "json_object"}},
    "schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True},
        }
    },
    "picture": {
        "messages": [{"role": "user", "content": [PICTURE, {"type": "text", "text": "?"}]}]
    },
    "extra body": {"extra_body": {"guided_choice": ["a"]}, "extra_headers": {"X-Mine": "1"}},
    "unknown parameter": {"repetition_penalty": 1.2},
    "metadata": {"metadata": {"tags": ["mine"]}, "user": "u"},
    "no retries": {"num_retries": 0, "timeout": 5},
    "system and history": {
        "messages": [
            {"role": "system", "content": "s"},
            *ASK,
            {"role": "assistant", "content": "4"},
            {"role": "user", "content": "sure?"},
        ]
    },
}


@pytest.fixture
async def bare(wire: WireServer) -> AsyncIterator[Any]:
    config: dict[str, Any] = configured(wire.base, "m")
    router = litellm.router.Router(model_list=config["model_list"], num_retries=0)
    yield router
    router.retire()


def clean(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "stream_options"}


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize("cache", ["off", "refresh"])
async def test_the_same_goes_out_and_the_same_comes_back(
    wire: WireServer, bare: Any, call: str, cache: str
) -> None:
    wire.plan("m", "four")
    arguments = {"model": "m", "messages": ASK, **CALLS[call]}
    before = copy.deepcopy(arguments)
    theirs = await bare.acompletion(**copy.deepcopy(arguments))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        ours = await orc.acompletion(**arguments, cache=cache)
    assert arguments == before
    first, second = wire.requests
    assert first == second
    assert type(ours) is type(theirs)
    assert ours.model_dump(exclude={"id"}) == theirs.model_dump(exclude={"id"})
    for name in ("model_id", "api_base", "custom_llm_provider", "response_cost"):
        assert ours._hidden_params[name] == theirs._hidden_params[name]


@pytest.mark.parametrize("options", [None, {"include_usage": True}])
async def test_a_stream_has_the_same_parts(
    wire: WireServer, bare: Any, options: dict[str, bool] | None
) -> None:
    wire.plan("m", "four or so")
    arguments: dict[str, Any] = {"model": "m", "messages": ASK, "stream": True}
    if options:
        arguments["stream_options"] = options
    theirs = await bare.acompletion(**arguments)
    expected = [chunk async for chunk in theirs]
    async with Orchestrator(configured(wire.base, "m")) as orc:
        stream = await orc.acompletion(**arguments)
        assert isinstance(stream, litellm.CustomStreamWrapper)
        found = [chunk async for chunk in stream]
        assert stream._hidden_params["model_id"] == "m-id"
    kept = {"id", "created", "usage"} if options is None else {"id", "created"}
    expected = [chunk for chunk in expected if options or not says_nothing(chunk)]
    assert [c.model_dump(exclude=kept) for c in found] == [
        c.model_dump(exclude=kept) for c in expected
    ]
    assert clean(wire.requests[0]) == clean(wire.requests[1])


def says_nothing(chunk: Any) -> bool:
    return not chunk.choices or (
        chunk.choices[0].finish_reason is None and not chunk.choices[0].delta.content
    )


async def test_embeddings_are_the_same_and_cached(wire: WireServer, bare: Any) -> None:
    arguments = {"model": "m", "input": ["a", "b"]}
    theirs = await bare.aembedding(**arguments)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        ours = await orc.aembedding(**arguments)
        again = await orc.aembedding(**arguments)
        lines = await orc.usage()
    assert ours.model_dump() == theirs.model_dump()
    assert type(again) is type(theirs)
    assert again.data == theirs.data
    assert len(wire.requests) == 2
    assert [(line["operation"], line["hits"]) for line in lines] == [
        ("aembedding", 0),
        ("aembedding", 1),
    ]
    assert lines[0]["usage"]["prompt_tokens"] == 3
    assert lines[1]["served"]["prompt_tokens"] == 3
    assert lines[1]["billed_usd"] == 0
    assert lines[1]["served_usd"] == lines[0]["billed_usd"] > 0


@pytest.mark.parametrize("status", [401, 429, 400, 500])
async def test_errors_are_litellms_own_without_what_was_sent(
    wire: WireServer, bare: Any, status: int
) -> None:
    words = "a-canary-question"
    wire.plan("m", Reply(status=status, error_message=f"cannot answer {words}"))
    ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": words}]}
    with pytest.raises(Exception) as theirs:  # noqa: PT011  it is what is compared
        await bare.acompletion(**ask)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(type(theirs.value)) as ours:
            await orc.acompletion(**ask)
    error: Any = ours.value
    assert error.status_code == theirs.value.status_code  # type: ignore[attr-defined]
    assert words not in f"{error!r}{vars(error)}{error.__context__!r}{error.__cause__!r}"


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_a_stream_that_fails_at_once_fails_as_a_call_does(
    wire: WireServer, provider: str
) -> None:
    import openai

    words = "a-canary-question"
    ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": words}]}
    async with Orchestrator(provider_config(wire, provider, cache={"mode": "off"})) as orc:
        for status, kind in (
            (400, openai.BadRequestError), (401, openai.AuthenticationError),
            (429, openai.RateLimitError), (500, openai.InternalServerError),
        ):  # fmt: skip
            wire.plan("m", Reply(status=status, error_message=f"cannot answer {words}"))
            with pytest.raises(kind) as caught:
                [part async for part in await orc.acompletion(**ask, stream=True)]
            error: Any = caught.value
            assert type(error).__module__ == "litellm.exceptions"
            assert words not in f"{error!r}{vars(error)}{error.__context__!r}{error.__cause__!r}"


async def test_litellms_cache_argument_is_understood(wire: WireServer) -> None:
    wire.plan("m", "four")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        for cache in (None, {"ttl": 5}, {"no-cache": True}, {"no-store": True, "no-cache": True}):
            await orc.acompletion(model="m", messages=ASK, cache=cache)
    assert len(wire.requests) == 3


async def test_a_model_that_only_litellm_knows_is_called_as_litellm_would(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.plan("gpt-4o", "hello")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    monkeypatch.setenv("OPENAI_API_BASE", wire.base)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        for model in ("gpt-4o", "openai/gpt-4o", "gpt-4o"):
            answer = await orc.acompletion(
                model=model, messages=ASK, api_base=wire.base, cache="off"
            )
            assert answer.choices[0].message.content == "hello"
        (line, *_) = await orc.usage()
        with pytest.raises(ConfigError, match="'gpt-9000' is not configured"):
            await orc.acompletion(model="gpt-9000", messages=ASK)
    assert wire.requests[0]["_authorization"] == "Bearer sk-from-the-environment"
    assert line["wire"][0]["model"] == "gpt-4o"
    private: dict[str, Any] = configured(wire.base, "m", privacy="local_only")
    async with Orchestrator(private) as orc:
        with pytest.raises(NoDeploymentError, match="local_only"):
            await orc.acompletion(model="gpt-4o", messages=ASK)


def test_a_blocking_stream_is_an_iterator(wire: WireServer) -> None:
    wire.plan("m", "four or so")
    orc = Orchestrator(configured(wire.base, "m"))
    stream = orc.sync.completion(model="m", messages=ASK, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text.strip() == "four or so"
    (line,) = orc.sync.usage()
    assert line["outcome"] == "answered"
    assert line["usage"]["completion_tokens"] == wire.served.completion_tokens
    orc.sync.close()


def test_the_module_level_calls_take_litellms_arguments(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import orchestrator
    from orchestrator.client import module_level as default

    wire.plan("m", "four")
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(configured(wire.base, "m")))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))
    default.shared.cache_clear()
    try:
        answer = orchestrator.completion("m", ASK, temperature=0)
        assert answer.choices[0].message.content == "four"
        assert len(orchestrator.embedding("m", ["a"]).data) == 1
        with pytest.raises(TypeError, match="by position"):
            orchestrator.completion("m", ASK, 0.5)
    finally:
        default.shared().sync.close()
        default.shared.cache_clear()


async def test_a_router_of_ones_own_is_litellms_with_ours_around_it(wire: WireServer) -> None:
    from orchestrator import Router

    wire.plan("m", "four")
    config: dict[str, Any] = configured(wire.base, "m")
    router = Router(model_list=config["model_list"], num_retries=0)
    first = await router.acompletion(model="m", messages=ASK)
    again = await router.acompletion("m", ASK)
    assert first.choices[0].message.content == again.choices[0].message.content == "four"
    assert again._hidden_params["cache_hit"] is True
    assert len((await router.aembedding(model="m", input=["a"])).data) == 1
    assert router.registry().names(kind="groups") == ["m"]  # LiteLLM's own
    assert (await asyncio.to_thread(router.embedding, "m", ["b"])).data
    with pytest.raises(TypeError, match="no_such_argument"):
        Router(no_such_argument=1)
    with pytest.raises(AttributeError, match="no_such_attribute"):
        _ = router.no_such_attribute
    assert len(wire.requests) == 3
    await router.aclose()


async def test_a_router_of_ones_own_books_every_attempt_as_what_it_was(wire: WireServer) -> None:
    from orchestrator import Router

    wire.plan("m", Reply(status=500), "good")
    config: dict[str, Any] = provider_config(wire, "gemini")
    router = Router(model_list=config["model_list"], num_retries=1)
    stream = await router.acompletion(model="m", messages=ASK, stream=True)
    assert "good" in "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
    (line,) = await router._orchestrator.usage()
    assert [one["outcome"] for one in line["wire"]] == ["InternalServerError", "answered"]
    await router.aclose()


async def test_a_stream_is_kept_whole_and_comes_back_as_the_same_stream(wire: WireServer) -> None:
    wire.plan("m", "one two three")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        ask: dict[str, Any] = {"model": "m", "messages": ASK, "stream": True}
        left = await orc.acompletion(**ask)
        await anext(left)
        await left.aclose()  # not to its end: not kept
        first = [chunk async for chunk in await orc.acompletion(**ask)]
        again = [chunk async for chunk in await orc.acompletion(**ask)]
        lines = await orc.usage()
    assert len(wire.requests) == 2
    assert [c.model_dump() for c in again] == [c.model_dump() for c in first]
    assert type(again[0]) is type(first[0])
    assert [(line["outcome"], line["hits"]) for line in lines] == [
        ("cancelled", 0), ("answered", 0), ("answered", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("limit", [{"cache_ttl": 0.2}, {"cache": {"ttl": 0.2}}])
async def test_an_answer_is_kept_no_longer_than_the_call_says(
    wire: WireServer, limit: dict[str, Any]
) -> None:
    wire.plan("m", "good")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        for pause in (0.0, 0.0, 0.3):
            await asyncio.sleep(pause)
            await orc.acompletion(model="m", messages=ASK, **limit)
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    ("stated", "kind"),
    [({"input": []}, ValueError), ({"input": ()}, ValueError), ({"input": None}, TypeError),
     ({}, TypeError)],
)  # fmt: skip
async def test_an_embedding_of_nothing_is_refused_before_anything_is_asked(
    wire: WireServer, stated: dict[str, Any], kind: type[Exception]
) -> None:
    config: dict[str, Any] = configured(wire.base, "e-m")
    config["model_list"][0]["model_info"]["mode"] = "embedding"
    async with Orchestrator(config) as orc:
        with pytest.raises(kind, match=r"^input is "):
            await orc.aembedding(model="e-m", **stated)
        assert list(await orc.usage()) == []
    assert wire.requests == []
