"""A real LiteLLM proxy in a process of its own, asked by the official OpenAI client."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from orchestrator.gmn.validate import validate

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-only-for-this-test-7719"
CONFIG = f"""
model_list:
  - {{model_name: gmn, litellm_params: {{model: gmn/default}}}}
  - {{model_name: nowhere, litellm_params: {{model: gmn/nowhere}}}}
litellm_settings:
  custom_provider_map:
    - {{provider: gmn, custom_handler: orchestrator.server.litellm_proxy.handler}}
general_settings: {{master_key: {KEY}}}
"""

pytestmark = [
    pytest.mark.proxy,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        importlib.util.find_spec("fastapi") is None,
        reason="LiteLLM's proxy is not installed: make test-proxy",
    ),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proxy")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[openai.OpenAI]:
    (home / "config.yaml").write_text(CONFIG)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    environ = {
        **os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT), "LLM_PROVIDER": "offline",
        "ORCHESTRATOR_CACHE_DIR": str(home / "cache"), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }  # fmt: skip
    command = [str(Path(sys.executable).parent / "litellm"), "--config", str(home / "config.yaml"),
               "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    with (home / "log").open("w") as log:
        proxy = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=home)
        try:
            await_liveness(base, proxy, home / "log")
            yield openai.OpenAI(base_url=base, api_key=KEY, max_retries=0)
        finally:
            proxy.terminate()
            proxy.wait(20)


def await_liveness(base: str, proxy: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        assert proxy.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(f"{base}/health/liveliness", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


def ask(client: openai.OpenAI, **more: Any) -> Any:
    turn = {"role": "user", "content": "a cautious explorer for a 4x6 grid"}
    return client.chat.completions.create(**{"model": "gmn", "messages": [turn], **more})


def test_a_chat_gives_a_valid_document(client: openai.OpenAI) -> None:
    extra = {"agent_type": "explorer", "constraints": {"max_states": 24}}
    answer = ask(client, extra_body=extra)
    verdict = validate(answer.choices[0].message.content)
    assert verdict.report.is_accepted
    assert verdict.spec is not None
    assert verdict.spec.states[0].shape == (4, 6)
    assert answer.usage.completion_tokens > 100
    assert answer.choices[0].finish_reason == "stop"


def test_a_stream_adds_up_to_a_valid_document(client: openai.OpenAI) -> None:
    parts = [
        chunk.choices[0].delta.content or "" for chunk in ask(client, stream=True) if chunk.choices
    ]
    assert len(parts) > 5
    assert validate("".join(parts)).report.is_accepted


def test_json_is_given_where_json_is_asked_for(client: openai.OpenAI) -> None:
    answer = ask(client, response_format={"type": "json_object"})
    text = answer.choices[0].message.content
    assert text.startswith("{")
    assert validate(text).report.is_accepted


def test_what_cannot_be_done_is_an_error_with_its_reason(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="nowhere") as caught:
        ask(client, model="nowhere")
    assert caught.value.status_code == 400
    with pytest.raises(openai.APIStatusError, match="is not an agent type"):
        ask(client, extra_body={"agent_type": "wizard"})


@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_honoured_is_refused_by_its_name(
    client: openai.OpenAI, stream: bool
) -> None:
    turn = {"role": "user", "content": "a cautious explorer"}
    picture = {"type": "image_url", "image_url": {"url": "https://maps.test/a.png"}}
    for more, words in (
        ({"messages": [{"role": "system", "content": "s"}, turn]}, r"messages\[0\]"),
        ({"messages": [turn, {"role": "assistant", "content": "a"}, turn]}, r"messages\[1\]"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, picture]}]},
         "reads pictures"),
        ({"n": 2}, "n: this model"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"extra_body": {"tenant": "victim"}}, "tenant"),
        ({"extra_body": {"constraint": {}, "agent_tipe": "explorer"}}, "agent_type"),
    ):  # fmt: skip
        with pytest.raises(openai.APIStatusError, match=words) as caught:
            for _ in ask(client, stream=stream, **more):
                pass
        assert caught.value.status_code == 400


def test_the_tenant_is_that_of_the_key_whatever_the_body_says(
    client: openai.OpenAI, home: Path
) -> None:
    claims = {
        "user_api_key_team_id": "victim", "user_api_key_auth": {"team_id": "victim"},
        "user_api_key_metadata": {"tenant": "victim"}, "tenant": "victim",
    }  # fmt: skip
    ask(client, user="victim", extra_body={"metadata": claims, "litellm_metadata": claims})
    lines = [
        json.loads(line)
        for path in (home / "cache" / "ledger").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert {line["tenant"] for line in lines} == {"litellm_proxy_master_key"}


#: Values that no field below can have, beside those that it can.
ODD: tuple[Any, ...] = (
    True,
    -1,
    10**9,
    10**400,
    1.5,
    "yes\x1b]52;c;x\x07",
    [1],
    [[[]]],
    [{"a": 1}],
)
FIELDS = (
    "messages", "metadata", "litellm_metadata", "tools", "response_format", "n", "timeout",
    "stream_options", "temperature", "stop", "seed", "cache", "agent_type", "constraints",
    "expectations", "tool_choice", "functions", "extra_body", "logit_bias", "max_tokens",
)  # fmt: skip


def test_an_odd_body_is_a_400_with_the_name_of_its_field(client: openai.OpenAI) -> None:
    turn = {"role": "user", "content": "a cautious explorer for a 4x6 grid"}
    url, headers = (
        f"{str(client.base_url).rstrip('/')}/chat/completions",
        {"Authorization": f"Bearer {KEY}"},
    )
    faults: list[str] = []
    with httpx.Client(timeout=60) as http:
        for name in FIELDS:
            for value in ODD:
                body = {"model": "gmn", "messages": [turn], name: value}
                got = http.post(url, headers=headers, json=body)
                if got.status_code != 200 and not (got.status_code == 400 and name in got.text):
                    faults.append(f"{name}={value!r:.30}: {got.status_code} {got.text[:200]}")
    assert faults == []
