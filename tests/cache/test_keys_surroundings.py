"""What shapes a request beside its deployments, and who may be given an answer."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.models.deployment import ad_hoc_deployment
from orchestrator.models.deployments import deployments_of
from orchestrator.models.surroundings import surroundings, without_secrets
from tests.support.wire import Reply, WireServer, configured

ASK = [{"role": "user", "content": "two and two?"}]
CANARY = "sk-canary-88-do-not-show"


def fingerprint(model: str, **more: Any) -> str:
    params = {"model": model, **more.pop("params", {})}
    tree = {"model_list": [{"model_name": "m", "litellm_params": params}], **more}
    return deployments_of(Config.load(tree, {}), {}).fingerprint("m")


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai/x", "OPENAI_API_BASE"), ("openai/x", "OPENAI_BASE_URL"),
        ("openai/x", "OPENAI_ORGANIZATION"), ("azure/x", "AZURE_API_BASE"),
        ("azure/x", "AZURE_API_VERSION"), ("azure_ai/x", "AZURE_AI_API_BASE"),
        ("ollama/x", "OLLAMA_API_BASE"), ("ollama_chat/x", "OLLAMA_API_BASE"),
        ("anthropic/x", "ANTHROPIC_BASE_URL"), ("anthropic/x", "ANTHROPIC_API_BASE"),
        ("gemini/x", "GEMINI_API_BASE"), ("vertex_ai/x", "VERTEXAI_LOCATION"),
        ("vertex_ai/x", "VERTEX_PROJECT"), ("huggingface/x", "HF_API_BASE"),
        ("hosted_vllm/x", "HOSTED_VLLM_API_BASE"), ("lm_studio/x", "LM_STUDIO_API_BASE"),
        ("groq/x", "GROQ_API_BASE"), ("mistral/x", "MISTRAL_API_BASE"),
        ("together_ai/x", "TOGETHER_AI_API_BASE"), ("bedrock/x", "AWS_REGION_NAME"),
        ("bedrock/x", "AWS_BEDROCK_RUNTIME_ENDPOINT"), ("watsonx/x", "WX_URL"),
        ("databricks/x", "DATABRICKS_HOST"), ("text-completion-openai/x", "OPENAI_API_BASE"),
        ("xai/x", "XAI_API_BASE"), ("dashscope/x", "DASHSCOPE_API_BASE"),
        ("openai/x", "LITELLM_DROP_PARAMS"),
        ("gemini/x", "LITELLM_MODIFY_PARAMS"), ("openai/x", "USE_LITELLM_PROXY"),
    ],
)  # fmt: skip
def test_a_variable_that_litellm_reads_changes_the_key(
    monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    one = ad_hoc_deployment(model, model.partition("/")[0])
    monkeypatch.delitem(sys.modules, "litellm", raising=False)  # it reads flags when it is loaded
    assert surroundings().added_to("f", [one]) == "f"
    monkeypatch.setenv(variable, "http://127.0.0.1:1/a")
    found = surroundings().added_to("f", [one])
    monkeypatch.setenv("SHELL_OF_NO_CONCERN", "x")
    assert surroundings().added_to("f", [one]) == found != "f"


def test_what_is_no_part_of_a_request_leaves_the_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    without = fingerprint("openai/x")
    stated = fingerprint("openai/x", params={"api_base": "http://127.0.0.1:1"})
    for name in ("OLLAMA_API_BASE", "OPENAI_API_KEY", "OPENAI_LOG", "AZURE_API_VERSION"):
        monkeypatch.setenv(name, "http://127.0.0.1:2")
    assert fingerprint("openai/x") == without
    short = fingerprint("gpt-4o")
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:2")
    assert fingerprint("openai/x") != without
    assert fingerprint("gpt-4o") != short
    assert fingerprint("openai/x", params={"api_base": "http://127.0.0.1:1"}) == stated


def test_settings_of_the_file_that_shape_requests_change_the_key() -> None:
    plain = fingerprint("openai/x")
    made = {
        plain,
        fingerprint("openai/x", litellm_settings={"drop_params": True}),
        fingerprint("openai/x", litellm_settings={"modify_params": True}),
        fingerprint("openai/x", router_settings={"default_litellm_params": {"temperature": 0}}),
    }
    assert len(made) == 4
    assert fingerprint("openai/x", litellm_settings={"num_retries": 3}) == plain


def test_settings_of_the_module_change_the_key_also_in_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import litellm

    found = [fingerprint("openai/x")]
    for name, value in (("drop_params", True), ("api_base", "http://127.0.0.1:1"), ("headers", {})):
        monkeypatch.setattr(litellm, name, value)
        found.append(fingerprint("openai/x"))
    assert found[2] == found[3]  # no header at all
    headers: Any = litellm.headers
    headers["X-Project"] = "a"
    with_header = fingerprint("openai/x")
    assert len({*found, with_header}) == 4
    then = surroundings()
    headers["Authorization"] = CANARY
    assert surroundings() is not then
    assert fingerprint("openai/x") == with_header


def test_a_secret_is_not_part_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_of(secret: str) -> str:
        monkeypatch.setenv("OPENAI_API_BASE", f"https://me:{secret}@gate.test/v1?sig={secret}&a=1")
        params = {
            "api_key": secret, "aws_secret_access_key": secret, "azure_ad_token": secret,
            "vertex_credentials": secret, "extra_headers": {"Authorization": secret, "X-Team": "a"},
        }  # fmt: skip
        return fingerprint("openai/x", params=params)

    assert all_of("one") == all_of("two")
    others = {"extra_headers": {"X-Team": "b"}}
    assert fingerprint("openai/x", params=others) != fingerprint("openai/x")


@given(st.from_regex(r"[a-zA-Z0-9]{8,16}", fullmatch=True), st.integers(0, 4))
def test_no_secret_survives_in_what_a_key_is_made_of(secret: str, place: int) -> None:
    secret = f"{secret}-canary"
    values: list[object] = [
        {"api_key": secret}, {"a": [{"X-Auth-Token": secret}]}, f"http://u:{secret}@h.test/v1",
        f"http://h.test/v1?access_token={secret}", {"headers": {"Cookie": secret}},
    ]  # fmt: skip
    assert secret not in str(without_secrets(values[place]))
    kept = {"max_tokens": 5, "top_p": 1, "input_cost_per_token": 1e-6}
    assert set(without_secrets(kept)) == set(kept)


async def test_another_server_behind_the_same_name_is_asked_for_itself(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    config: dict[str, Any] = configured(wire.base, "m")
    del config["model_list"][0]["litellm_params"]["api_base"]
    wire.plan("m", "from the first", "from the second")
    async with Orchestrator(config) as orc:
        said = []
        for base in (wire.base, f"{wire.base}/", wire.base):
            monkeypatch.setenv("OPENAI_API_BASE", base)
            answer = await orc.acompletion(model="m", messages=ASK)
            said.append(answer.choices[0].message.content)
    assert said == ["from the first", "from the second", "from the first"]
    assert len(wire.requests) == 2


#: Every door that may be answered from the cache.
DOORS: dict[str, dict[str, Any]] = {
    "acompletion": {"model": "m", "messages": ASK},
    "acompletion stream": {"model": "m", "messages": ASK, "stream": True},
    "acompletion refine": {"model": "m", "messages": ASK, "refine": 0},
    "aembedding": {"model": "m", "input": ["a"]},
    "generate": {"messages": ASK},
    "generate_structured": {"messages": "two?", "contract": {"type": "object"}},
    "generate_structured samples": {
        "messages": "two?", "contract": {"type": "object"}, "samples": 2,
    },
    "generate_gmn": {"prompt": "a thermostat"},
}  # fmt: skip


async def through(orc: Orchestrator, door: str, tenant: str) -> None:
    method, _, how = door.partition(" ")
    found = await getattr(orc, method)(**DOORS[door], tenant=tenant)
    if how == "stream":
        [part async for part in found]


@pytest.mark.parametrize("door", sorted(DOORS))
async def test_an_answer_is_given_only_to_the_tenant_that_paid(wire: WireServer, door: str) -> None:
    from orchestrator.generation.request_building import load_library
    from orchestrator.gmn.formats import write_text

    document = write_text(next(iter(await asyncio.to_thread(load_library))).spec)
    wire.plan("m", document if door == "generate_gmn" else "{}")
    counts = {}
    for share in ("all", "tenant"):
        wire.requests.clear()
        cache = {"share": share}
        generation = {"mode": "prompt", "examples": 0}
        async with Orchestrator(
            configured(wire.base, "m", cache=cache, generation=generation)
        ) as orc:
            for tenant in ("a", "a", "b", ""):
                await through(orc, door, tenant)
                await through(orc, door, tenant)
        counts[share] = len(wire.requests)
    each = counts["all"]
    assert counts["tenant"] == 3 * each > 0


async def test_a_call_under_way_is_shared_within_a_tenant_only(wire: WireServer) -> None:
    wire.plan("m", Reply("four", delay_s=0.3))
    config = configured(wire.base, "m", cache={"share": "tenant"})
    async with Orchestrator(config) as orc:
        calls = (orc.acompletion(model="m", messages=ASK, tenant=one) for one in "aabb")
        await asyncio.gather(*calls)
        lines = await orc.usage()
    assert len(wire.requests) == 2
    assert sorted((line["tenant"], line["hits"]) for line in lines) == [
        ("a", 0), ("a", 1), ("b", 0), ("b", 1),
    ]  # fmt: skip
