"""Auto mode: what listens on the port of a local server says who it is before it gets a prompt."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator import Config, Orchestrator
from orchestrator.models import local_servers
from orchestrator.models.deployments import deployments_of
from orchestrator.types.errors import ConfigError


class Listener:
    """Answers each request with `reply`; keeps what came."""

    def __init__(self) -> None:
        self.reply: Any = b""
        self.came: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link: socket.socket) -> None:
        with link:
            try:
                asked = link.recv(65536)
                self.came.append(asked)
                reply = self.reply(asked) if callable(self.reply) else [self.reply]
                for part in reply:
                    link.sendall(part)
            except OSError:
                return

    def stop(self) -> None:
        self._socket.close()


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setattr(local_servers, "_said", set())
    made = Listener()
    yield made
    made.stop()


def http(body: object, status: str = "200 OK", *headers: str) -> bytes:
    text = body if isinstance(body, str) else json.dumps(body)
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(text)}", *headers, "", text]
    return "\r\n".join(lines).encode()


def config_of(port: int, kind: str = "ollama", **settings: Any) -> dict[str, Any]:
    model, path = {"ollama": ("ollama_chat/m", ""), "lmstudio": ("lm_studio/m", "/v1"),
                   "vllm": ("hosted_vllm/m", "/v1")}[kind]  # fmt: skip
    params = {"model": model, "api_base": f"http://127.0.0.1:{port}{path}"}
    return {
        "model_list": [
            {"model_name": "local", "litellm_params": params},
            {"model_name": "offline", "litellm_params": {"model": "offline/library"}},
        ],
        "orchestrator": settings,
    }


def groups(config: dict[str, Any]) -> tuple[str, ...]:
    return deployments_of(Config.load(config, {}), {}).groups()


OLLAMA = http({"version": "0.9.6"})
MODELS = http({"object": "list", "data": [{"id": "qwen3-4b", "object": "model"}]})


@pytest.mark.parametrize(
    ("kind", "reply", "name"),
    [
        ("ollama", OLLAMA, "Ollama 0.9.6"),
        ("ollama", lambda asked: [http({"models": [{"name": "llama3.1"}]})
                                  if b"/api/tags" in asked else http("", "404 Not Found")],
         "a server like Ollama of llama3.1"),
        ("lmstudio", MODELS, "a server of qwen3-4b"),
        ("vllm", MODELS, "a server of qwen3-4b"),
        ("lmstudio", http({"data": [{"id": "\x1b]52;c;eA==\x07" + "x" * 999}]}),
         "a server of ??52?c?eA???xxx"),
    ],
)  # fmt: skip
def test_who_answers_is_said_once(
    listener: Listener, caplog: pytest.LogCaptureFixture, kind: str, reply: Any, name: str
) -> None:
    listener.reply = reply
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert groups(config_of(listener.port, kind)) == ("local",)
    (said,) = caplog.messages
    assert f"prompts go to {name}" in said
    assert f"http://127.0.0.1:{listener.port}" in said
    assert "LLM_PROVIDER=offline" in said
    assert said.isprintable()
    assert len(said) < 300


def trickled(asked: bytes) -> Iterator[bytes]:
    del asked
    for byte in OLLAMA * 100:
        time.sleep(0.05)
        yield bytes([byte])


def endless(asked: bytes) -> Iterator[bytes]:
    del asked
    yield b'HTTP/1.1 200 OK\r\n\r\n{"version": "'
    while True:
        yield b"9" * 65536


def silent(asked: bytes) -> Iterator[bytes]:
    del asked
    time.sleep(5)
    yield OLLAMA


@pytest.mark.parametrize("kind", ["ollama", "lmstudio"])
@pytest.mark.parametrize(
    "reply",
    [
        b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00" * 4096, http("<html>hello</html>"), http("{}"),
        http([]), http("null"), http({"version": 1, "data": {}, "models": "x"}),
        http({"version": "\x1b[31m", "data": "x"}), http("[" * 100_000), http("9" * 100_000),
        http({"version": "0.9.6", "data": []}, "500 Oops"),
        http({"version": "0.9.6", "data": []}, "302 Found", "Location: http://127.0.0.1:1/"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffffffff\r\n{}",
        trickled, endless, silent,
    ],
    ids=lambda reply: getattr(reply, "__name__", str(reply)[:60]),
)  # fmt: skip
def test_what_is_something_else_gets_no_prompt(
    listener: Listener, caplog: pytest.LogCaptureFixture, kind: str, reply: Any
) -> None:
    listener.reply = reply
    with caplog.at_level(logging.WARNING):
        found = deployments_of(Config.load(config_of(listener.port, kind), {}), {})
    assert found.groups() == ("offline",)
    assert "no server of its kind answers" in found.skipped[0].reason
    assert caplog.messages == []


def test_an_address_that_is_none_is_no_server() -> None:
    config = config_of(1)
    del config["model_list"][0]["litellm_params"]["api_base"]
    environ = {"OLLAMA_API_BASE": "http://[1.2]:3"}
    assert deployments_of(Config.load(config, environ), environ).groups() == ("offline",)


def test_nobody_listens(unused_port: int) -> None:
    assert groups(config_of(unused_port)) == ("offline",)


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


async def test_no_prompt_before_it_said_who_it_is(listener: Listener) -> None:
    listener.reply = http("hello")
    async with Orchestrator(config_of(listener.port, cache={"mode": "off"})) as orc:
        made = await orc.generate_gmn("a secret walker on a 3x3 grid")
    assert made.provider == "offline"
    assert listener.came
    assert all(asked.startswith(b"GET /api/") for asked in listener.came)
    assert b"secret" not in b"".join(listener.came)


def test_a_server_elsewhere_is_not_even_looked_for(listener: Listener) -> None:
    config = config_of(listener.port, privacy="local_only")
    params = config["model_list"][0]["litellm_params"]
    params["api_base"] = params["api_base"].replace("127.0.0.1", "127.0.0.2")
    assert groups(config) == ("offline",)
    del config["model_list"][1]
    with pytest.raises(ConfigError, match="privacy is local_only"):
        groups(config)
    assert listener.came == []


def test_a_provider_with_a_key_comes_first_and_nothing_is_looked_for(listener: Listener) -> None:
    config = config_of(listener.port)
    cloud = {"model_name": "cloud", "litellm_params": {"model": "openai/x", "api_key": "k"}}
    config["model_list"].append(cloud)
    assert groups(config) == ("cloud",)
    assert listener.came == []
