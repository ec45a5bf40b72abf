"""Keys go only to the origin that they were configured for, and private prompts to none."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import litellm
import pytest
from pydantic import BaseModel

import orchestrator
from orchestrator import Config, Orchestrator
from orchestrator.models.addresses import is_here, origin_of
from orchestrator.models.secrets import secrets_of
from orchestrator.types.errors import (
    AuthenticationError,
    ConfigError,
    NoDeploymentError,
    OrchestratorError,
)
from tests.support.wire import SECRET, Reply, WireServer, configured, for_commands

ASK = [{"role": "user", "content": "a private sentence"}]


class Answer(BaseModel):
    ok: bool


def elsewhere(stranger: WireServer) -> dict[str, dict[str, Any]]:
    """Arguments that send a call to a stranger, each by a way of its own."""
    base = stranger.base
    return {
        "api_base": {"api_base": base},
        "base_url": {"base_url": base},
        "both": {"api_base": base, "base_url": base},
        "userinfo": {"api_base": base.replace("127", "localhost:1@127")},
        "odd address": {"api_base": base.replace("/v1", "\\@localhost/v1")},
        "another scheme": {"api_base": base.replace("http:", "https:")},
        "a fallback": {"fallbacks": [{"model": "m", "api_base": base}]},
        "a fallback by group": {"fallbacks": [{"m": [{"model": "m", "base_url": base}]}]},
        "a long prompt": {"context_window_fallbacks": [{"m": [{"model": "m", "api_base": base}]}]},
        "a refused one": {"content_policy_fallbacks": [{"m": [{"model": "m", "api_base": base}]}]},
        "azure": {"azure_endpoint": base},
        "aws": {"aws_bedrock_runtime_endpoint": base},
        "a region": {"aws_region_name": f"x@127.0.0.1:{stranger.port}/"},
        "a place": {"vertex_location": f"127.0.0.1:{stranger.port}/"},
        "a provider": {"custom_llm_provider": "anthropic"},
        "a list": {"model_list": [{"model_name": "m", "litellm_params": {
            "model": "openai/m", "api_base": base}}]},
        "a header": {"extra_headers": {"Host": f"127.0.0.1:{stranger.port}"}},
        "a proxy": {"http_proxy": stranger.root},
    }  # fmt: skip


WAYS = [
    "api_base", "base_url", "both", "userinfo", "odd address", "another scheme", "a fallback",
    "a fallback by group", "a long prompt", "a refused one", "azure", "aws", "a region", "a place",
    "a provider", "a list", "a header", "a proxy",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_a_configured_key_goes_to_no_other_origin(
    wire: WireServer, stranger: WireServer, way: str
) -> None:
    wire.plan("m", '{"ok": true}')
    given = elsewhere(stranger)[way]
    async with Orchestrator(configured(wire.base, "m", cache={"mode": "off"})) as orc:
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: orc.acompletion(model="m", messages=ASK, **given),
            lambda: orc.acompletion(model="m", messages=ASK, stream=True, **given),
            lambda: orc.acompletion(
                model="m", messages=ASK, response_format=Answer, refine=1, **given
            ),
            lambda: orc.generate(ASK, model="m", **given),
            lambda: orc.generate_structured(ASK, Answer, model="m", **given),
        ]
        if "allbacks" not in str(given):
            calls.append(lambda: orc.aembedding(model="m", input=["a"], **given))
        for call in calls:
            with pytest.raises(AuthenticationError, match=r"belong to http://127.0.0.1.*Pass"):
                await call()
    assert stranger.requests == wire.requests == []


async def test_a_foreign_base_with_its_own_key_is_the_callers_wish(
    wire: WireServer, stranger: WireServer
) -> None:
    async with Orchestrator(configured(wire.base, "m", cache={"mode": "off"})) as orc:
        given = {"api_base": stranger.base, "api_key": "their-own"}
        answer = await orc.acompletion(model="m", messages=ASK, **given)
        assert answer.choices[0].message.content == "stolen"
        wire.plan("m", Reply(status=400))
        await orc.acompletion(model="m", messages=ASK, fallbacks=[{"model": "m", **given}])
    keys = {body["_authorization"] for body in stranger.requests}
    assert keys == {"Bearer their-own"}
    assert {body["_authorization"] for body in wire.requests} == {f"Bearer {SECRET}"}


async def test_other_keys_of_the_deployment_stay_at_home(
    wire: WireServer, stranger: WireServer
) -> None:
    config: dict[str, Any] = configured(wire.base, "m")
    config["model_list"][0]["litellm_params"]["extra_headers"] = {"X-Gateway": "gateway-secret"}
    async with Orchestrator(config) as orc:
        with pytest.raises(AuthenticationError, match="Pass extra_headers for that origin"):
            await orc.acompletion(
                model="m", messages=ASK, api_base=stranger.base, api_key="their-own"
            )
    assert stranger.requests == []


@pytest.mark.parametrize(
    "given", [{"api_key": "callers-own"}, {"extra_headers": {"Authorization": "Bearer callers"}}]
)
async def test_the_callers_own_key_goes_to_one_origin(
    wire: WireServer, stranger: WireServer, given: dict[str, Any]
) -> None:
    config: dict[str, Any] = configured(wire.base, "m", "other", routes={"default": ["m", "other"]})
    config["model_list"][1]["litellm_params"]["api_base"] = stranger.base
    wire.plan("m", "mine")
    async with Orchestrator(config) as orc:
        for more in ({"model": "default"}, {"model": "m", "fallbacks": ["other"]}):
            with pytest.raises(AuthenticationError, match="Name a model group of one origin"):
                await orc.acompletion(messages=ASK, **more, **given)
        mixed = {"model": "other", "api_base": stranger.base}
        with pytest.raises(AuthenticationError, match="would go to"):
            await orc.acompletion(model="m", messages=ASK, fallbacks=[mixed], **given)
        await orc.acompletion(model="m", messages=ASK, **given)
    assert stranger.requests == []
    assert len(wire.requests) == 1


async def test_the_same_origin_needs_no_key(wire: WireServer) -> None:
    wire.plan("m", "mine")
    async with Orchestrator(configured(wire.base, "m", cache={"mode": "off"})) as orc:
        for base in (wire.base, f"{wire.base}/", wire.base.replace("http", "HTTP")):
            await orc.acompletion(model="m", messages=ASK, api_base=base)
        await orc.acompletion(model="m", messages=ASK, fallbacks=[{"model": "m", "api_base": base}])
    assert len(wire.requests) == 4


@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4o"])
async def test_a_key_of_the_environment_is_a_configured_key(
    wire: WireServer, stranger: WireServer, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(AuthenticationError, match=r"belong to https://api.openai.com"):
            await orc.acompletion(model=model, messages=ASK, api_base=stranger.base)
    assert stranger.requests == []


async def test_a_local_server_without_any_key_needs_none(wire: WireServer) -> None:
    wire.plan("m", "local")
    async with Orchestrator(configured(wire.base, "x")) as orc:
        await orc.acompletion(model="ollama_chat/m", messages=ASK, api_base=wire.root)
    assert [body["_authorization"] for body in wire.requests] == [""]


async def test_the_configurations_own_fallbacks_are_held_too(
    wire: WireServer, stranger: WireServer
) -> None:
    config: dict[str, Any] = configured(wire.base, "m")
    config["router_settings"]["fallbacks"] = [{"m": [{"model": "m", "api_base": stranger.base}]}]
    async with Orchestrator(config) as orc:
        with pytest.raises(AuthenticationError, match="belong to"):
            await orc.acompletion(model="m", messages=ASK)
    assert wire.requests == stranger.requests == []


@pytest.mark.parametrize("place", ["litellm_params", "default_litellm_params", "Router"])
@pytest.mark.parametrize("privacy", ["any", "local_only"])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("fallbacks", lambda base: [{"model": "openai/x", "api_base": base}]),
        ("fallbacks", lambda base: ["openai/x"]),
        ("context_window_fallback_dict", lambda base: {"m": "gpt-4o"}),
        ("model_list", lambda base: [{"model_name": "m", "litellm_params": {"api_base": base}}]),
    ],
)
def test_a_deployment_has_no_fallbacks_past_the_router(
    stranger: WireServer, name: str, make: Callable[[str], Any], privacy: str, place: str
) -> None:
    config: dict[str, Any] = configured(stranger.base, "m", privacy=privacy)
    if place == "default_litellm_params":
        config["router_settings"][place] = {name: make(stranger.base)}
    else:
        config["model_list"][0]["litellm_params"][name] = make(stranger.base)
    make_one: Callable[[], object] = lambda: Orchestrator(config)  # noqa: E731
    if place == "Router":
        make_one = lambda: orchestrator.Router(model_list=config["model_list"])  # noqa: E731
    with pytest.raises(ConfigError, match=rf"litellm_params.{name}: .*router_settings.fallbacks"):
        make_one()


def private(base: str) -> dict[str, Any]:
    config: dict[str, Any] = configured(base, "m", privacy="local_only", cache={"mode": "off"})
    return config


#: What goes elsewhere, or may, with a key of its own.
FURTHER: Mapping[str, Any] = {
    "client": object(), "shared_session": object(), "success_callback": ["langfuse"],
    "web_search_options": {}, "vector_store_ids": ["v"], "prompt_id": "p", "guardrails": ["g"],
    "litellm_credential_name": "c", "organization": "o", "use_litellm_proxy": True,
    "tools": [{"type": "mcp", "server_url": "https://example.org"}], "deployment_id": "d",
    "fallbacks": ["openai/gpt-4o"], "context_window_fallbacks": [{"m": ["gpt-4o"]}],
    "context_window_fallback_dict": {"m": "gpt-4o"}, "azure": True, "proxies": {"all": "x"},
}  # fmt: skip


@pytest.mark.parametrize("way", [*WAYS, *FURTHER])
async def test_local_only_holds_for_every_argument(
    wire: WireServer, stranger: WireServer, way: str
) -> None:
    wire.plan("m", '{"ok": true}')
    given = {way: FURTHER[way]} if way in FURTHER else elsewhere(stranger)[way]
    given = {"api_key": "their-own", **given}
    for entry in given.get("fallbacks", ()):
        if isinstance(entry, dict) and "model" in entry:
            entry["api_key"] = "their-own"
    async with Orchestrator(private(wire.base)) as orc:
        for call in (
            lambda: orc.acompletion(model="m", messages=ASK, **given),
            lambda: orc.generate(ASK, model="m", **given),
            lambda: orc.generate_structured(ASK, Answer, model="m", **given),
        ):
            with pytest.raises(NoDeploymentError, match="privacy is local_only"):
                await call()
    assert stranger.requests == wire.requests == []


async def test_local_only_lets_what_stays_pass(wire: WireServer) -> None:
    wire.plan("m", '{"ok": true}')
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    async with Orchestrator(private(wire.base)) as orc:
        await orc.acompletion(
            model="m", messages=ASK, temperature=0.5, top_k=3, num_ctx=4096, stop=["x"],
            tools=[tool], extra_body={"guided_choice": ["a"]}, extra_headers={"X-Team": "a"},
            api_key="another", metadata={"tags": ["a"]}, fallbacks=["m"], seed=1, user="u",
        )  # fmt: skip
        await orc.generate_structured(ASK, Answer, model="m", temperature=0.1)
        await orc.aembedding(model="m", input=["a"])
    assert len(wire.requests) == 3


@pytest.mark.parametrize(
    "params",
    [
        {"base_url": "https://example.org/v1"},
        {"api_base": "http://localhost.example.org/v1"},
        {"api_base": "http://localhost@example.org/v1"},
        {"api_base": "http://example.org\\@localhost/v1"},
        {"api_base": "http://localhost:1#@example.org", "azure_endpoint": "http://example.org"},
        {"use_litellm_proxy": True},
        {"custom_llm_provider": "azure"},
        {"http_proxy": "http://example.org"},
        {"extra_headers": {"Host": "example.org"}},
        {"api_base": None, "model": "hosted_vllm/m"},
        {"api_base": None, "model": "lm_studio/m"},
        {"api_base": None, "model": "gpt-4o"},
    ],
)
def test_local_only_reads_every_parameter_of_a_deployment(params: dict[str, Any]) -> None:
    config = private("http://localhost:1/v1")
    config["model_list"][0]["litellm_params"] |= params
    with pytest.raises(ConfigError, match="privacy is local_only"):
        Orchestrator(config)


@pytest.mark.parametrize(
    "model",
    ["replicate/a/b", "bytez/m", "sagemaker/m", "sagemaker_chat/m", "watsonx/m", "gigachat/m",
     "huggingface/m", "oci/m", "text-completion-openai/m", "vertex_ai/m",
     "meta/llama-2-70b-chat", "gpt-4o"],
)  # fmt: skip
def test_local_only_takes_no_provider_that_may_ignore_its_address(model: str) -> None:
    config = private("http://localhost:1/v1")
    config["model_list"][0]["litellm_params"]["model"] = model
    with pytest.raises(ConfigError, match=r"not every call of .* goes to api_base; .*hosted_vllm"):
        Orchestrator(config)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OLLAMA_API_BASE", "http://192.0.2.1:11434"),
        ("USE_LITELLM_PROXY", "True"),
        ("HTTP_PROXY", "http://192.0.2.1:3128"),
        ("all_proxy", "http://192.0.2.1:3128"),
    ],
)
async def test_local_only_holds_for_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    config = private("http://localhost:1/v1")
    del config["model_list"][0]["litellm_params"]["api_base"]
    config["model_list"][0]["litellm_params"]["model"] = "ollama_chat/m"
    config["orchestrator"]["provider"] = "ollama"  # not probed
    async with Orchestrator(config) as orc:
        monkeypatch.setenv(variable, value)
        with pytest.raises(NoDeploymentError, match="privacy is local_only"):
            await orc.acompletion(model="m", messages=ASK)
    with pytest.raises(ConfigError, match="privacy is local_only: "):
        Orchestrator(config)
    monkeypatch.setenv("NO_PROXY", "localhost")
    if variable.lower().endswith("_proxy") and "LITELLM" not in variable:
        await Orchestrator(config).aclose()


async def test_local_only_holds_for_litellms_own_settings(
    wire: WireServer, stranger: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Orchestrator(private(wire.base)) as orc:
        monkeypatch.setattr(litellm, "api_base", "http://192.0.2.1/v1")
        with pytest.raises(NoDeploymentError, match=r"litellm.api_base"):
            await orc.acompletion(model="m", messages=ASK)
    assert wire.requests == []


async def test_local_only_holds_for_a_router_that_was_built_elsewhere(wire: WireServer) -> None:
    cloud = {"model_name": "m", "litellm_params": {"model": "openai/gpt-4o", "api_key": "k"}}
    ours = private(wire.base)
    theirs = litellm.router.Router(model_list=[*ours["model_list"], cloud])
    with pytest.raises(ConfigError, match="the Router asks openai/gpt-4o"):
        Orchestrator(ours, router=theirs)


@pytest.mark.may_block
async def test_the_routers_class_holds_keys_too(wire: WireServer, stranger: WireServer) -> None:
    config: dict[str, Any] = configured(wire.base, "m")
    router = orchestrator.Router(model_list=config["model_list"])
    with pytest.raises(AuthenticationError, match="belong to"):
        await router.acompletion(model="m", messages=ASK, api_base=stranger.base)
    await router.aclose()
    assert stranger.requests == []


#: Calls of LiteLLM's Router that it makes by itself, and what they take.
OTHERS: Mapping[str, Mapping[str, Any]] = {
    "atext_completion": {"prompt": "private"}, "text_completion": {"prompt": "private"},
    "aresponses": {"input": "private"}, "responses": {"input": "private"},
    "aimage_generation": {"prompt": "private"}, "image_generation": {"prompt": "private"},
    "aspeech": {"input": "private", "voice": "v"}, "amoderation": {"input": "private"},
    "arerank": {"query": "private", "documents": ["a"]},
    "aanthropic_messages": {"messages": ASK, "max_tokens": 5},
    "abatch_completion": {"models": ["m"], "messages": ASK},
    "schedule_acompletion": {"messages": ASK, "priority": 0},
}  # fmt: skip


async def called(method: Any, *given: Any, **arguments: Any) -> Any:
    made = method(*given, **arguments)
    return await made if inspect.isawaitable(made) else made


@pytest.mark.may_block  # LiteLLM reads files when it is loaded
@pytest.mark.parametrize("name", OTHERS)
async def test_the_routers_other_methods_take_no_address(
    wire: WireServer,
    stranger: WireServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    config: dict[str, Any] = configured(wire.base, "m")
    given = {"model": "m", **OTHERS[name]}
    router = orchestrator.Router(model_list=config["model_list"])
    for way in ({"api_base": stranger.base}, {"custom_llm_provider": "anthropic"},
                {"extra_headers": {"Host": "example.org"}}, {"model": f"oobabooga/{stranger.root}"},
                {"fallbacks": [{"model": "m", "api_base": stranger.base}]}):  # fmt: skip
        with pytest.raises(AuthenticationError, match=rf"of Router\.{name} may take"):
            await called(getattr(router, name), **{**given, **way})
        with pytest.raises(AuthenticationError, match=r"of Router\.call may take"):
            await called(router.call, name, {**given, **way})
    with pytest.raises(AuthenticationError, match="model of Router"):
        await called(getattr(router, name), f"oobabooga/{stranger.root}", "private")
    await router.aclose()
    for_commands(private(wire.base), tmp_path, monkeypatch)
    router = orchestrator.Router(model_list=config["model_list"])
    with pytest.raises(NoDeploymentError, match=r"local_only.*only completion, acompletion"):
        await called(getattr(router, name), **given)
    assert router.registry().names(kind="groups") == ["m"]
    await router.aclose()
    assert stranger.requests == wire.requests == []


@pytest.mark.may_block
async def test_the_routers_other_methods_still_ask_what_is_configured(wire: WireServer) -> None:
    config: dict[str, Any] = configured(wire.base, "m")
    wire.plan("m", "mine")
    router = orchestrator.Router(model_list=config["model_list"])
    made = await router.schedule_acompletion(model="m", messages=ASK, priority=0)
    assert made.choices[0].message.content == "mine"
    router.set_model_list(model_list=config["model_list"])
    assert router.registry().names(kind="groups") == ["m"]
    await router.aclose()


@pytest.mark.parametrize("privacy", ["any", "local_only"])
@pytest.mark.parametrize("provider", ["oobabooga", "huggingface"])
async def test_a_model_that_names_an_address_is_a_place(
    wire: WireServer,
    stranger: WireServer,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    privacy: str,
) -> None:
    for name in ("HUGGINGFACE_API_KEY", "HF_TOKEN", "OOBABOOGA_API_KEY"):
        monkeypatch.setenv(name, SECRET)
    config: dict[str, Any] = configured(wire.base, "m", "w", privacy=privacy)
    config["model_list"][1]["model_name"] = f"{provider}/*"
    if privacy == "any":  # local_only leaves it out as it stands
        config["model_list"][1]["litellm_params"]["model"] = f"{provider}/*"
    config["orchestrator"]["routes"] = {"default": ["m"]}
    model = f"{provider}/{stranger.root}"
    async with Orchestrator(config) as orc:
        for call in (
            lambda: orc.acompletion(model=model, messages=ASK),
            lambda: orc.acompletion(model="m", messages=ASK, fallbacks=[model]),
            lambda: orc.acompletion(model="m", messages=ASK, fallbacks=[{"m": [model]}]),
            lambda: orc.aembedding(model=model, input=["private"]),
            lambda: orc.generate(ASK, model=model),
        ):
            with pytest.raises(OrchestratorError, match=r"names an address|local_only|model group"):
                await call()
    config["router_settings"]["fallbacks"] = [{"m": [model]}]
    with pytest.raises(OrchestratorError):
        async with Orchestrator(config) as orc:
            await orc.acompletion(model="m", messages=ASK)
    assert stranger.requests == wire.requests == []


async def test_a_configured_model_that_names_an_address_belongs_there(
    wire: WireServer, stranger: WireServer
) -> None:
    config: dict[str, Any] = configured(wire.base, "m")
    params = config["model_list"][0]["litellm_params"]
    params["model"] = f"oobabooga/{stranger.root}"
    del params["api_base"]
    async with Orchestrator(config) as orc:
        with pytest.raises(AuthenticationError, match=rf"belong to {stranger.root}"):
            await orc.acompletion(model="m", messages=ASK, api_base=wire.base)
    assert stranger.requests == wire.requests == []
    params |= {"model": "oobabooga/http://example.org", "api_base": wire.base}
    config["orchestrator"]["privacy"] = "local_only"
    with pytest.raises(ConfigError, match="privacy is local_only"):
        Orchestrator(config)


def test_origins_are_read_in_one_way_or_not_at_all() -> None:
    same = ("https://a.example", "HTTPS://A.example:443/v1", "https://u:p@a.example/x@y")
    assert {origin_of(one) for one in same} == {"https://a.example:443"}
    odd = ("//a", "a.example", "file:///etc", "http://a\\@b/", "http://a b/", "http://a\tb",
           "http://é", "http://a:99x", "http://", "http://[::1", None, 7, " http://a",
           "http://a%2eb")  # fmt: skip
    assert {origin_of(one) for one in odd} == {""}
    assert is_here("http://[::1]:80/x")
    assert is_here("http://u@LOCALHOST")
    assert not is_here("http://localhost.evil")
    assert not is_here("http://127.0.0.1.evil")


def test_what_an_address_carries_of_a_secret_is_one() -> None:
    config = configured(
        "https://team:pass%2Dword-1@host/v1?api-key=query-key-1&v=2024-not-one", "m"
    )
    known = secrets_of(Config.load(config, {}), {})
    text, count = known.removed("pass%2Dword-1, pass-word-1, query-key-1 and 2024-not-one")
    assert (text, count) == ("[removed], [removed], [removed] and 2024-not-one", 3)
