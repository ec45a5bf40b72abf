"""A redirect to another origin takes along neither a key nor a prompt; on the same it is followed.

A redirect arrives after the key went to the server that sends it: what is kept from the other
origin is everything.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import litellm
import openai
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

from orchestrator import Orchestrator
from orchestrator.routing import _litellm
from orchestrator.routing.redirects import hold_redirects
from orchestrator.types.errors import BadRequestError
from tests.support.wire import PROVIDERS, Reply, WireServer, configured, provider_config

ASK = [{"role": "user", "content": "a private sentence"}]
STATUSES = (301, 302, 303, 307, 308)
#: By provider: where its chat requests go, below the root of a server.
PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
    "ollama": "/api/chat",
    "azure": "/openai/deployments/m/chat/completions",
}


@pytest.fixture(scope="module")
def recorder() -> Iterator[ThreadingHTTPServer]:
    """Takes whatever comes and remembers it."""
    seen: list[str] = []

    class Recorder(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.append(f"{self.command} {self.path}\n{self.headers}\n{body!r}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_HEAD = _any  # noqa: N815  http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.seen = seen  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def config_for(wire: WireServer, provider: str) -> dict[str, Any]:
    if provider in PROVIDERS:
        return provider_config(wire, provider, cache={"mode": "off"})
    config: dict[str, Any] = configured(wire.root, "m", cache={"mode": "off"})
    more = {"model": "azure/m", "api_version": "2024-06-01"}
    config["model_list"][0]["litellm_params"] |= more
    return config


async def asked_to_the_end(orc: Orchestrator, *, stream: bool) -> str:
    made = await orc.acompletion(model="m", messages=ASK, stream=stream)
    if stream:
        return "".join([part.choices[0].delta.content or "" async for part in made])
    return str(made.choices[0].message.content)


@pytest.mark.parametrize("provider", PATHS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_nothing_follows_to_another_origin(
    wire: WireServer, recorder: Any, provider: str, stream: bool
) -> None:
    recorder.seen.clear()
    there = f"http://127.0.0.1:{recorder.server_port}"
    async with Orchestrator(config_for(wire, provider)) as orc:
        for status in STATUSES:
            wire.plan("m", Reply(status=status, headers={"Location": there + PATHS[provider]}))
            asked = len(wire.requests)
            with pytest.raises(litellm.exceptions.BadRequestError) as caught:
                await asked_to_the_end(orc, stream=stream)
            assert there in str(caught.value)
            assert wire.root in str(caught.value)
            assert len(wire.requests) == asked + 1  # it is not asked again
            with pytest.raises(BadRequestError, match=rf"{wire.root} redirects to {there}"):
                await orc.generate(ASK, model="m")
        assert await orc.health_check(probe=True)
    assert recorder.seen == []


@pytest.mark.parametrize("provider", PATHS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_same_origin_is_followed(wire: WireServer, provider: str, stream: bool) -> None:
    moved = Reply(status=307, headers={"Location": PATHS[provider]})
    if stream and provider == "gemini":
        path = "/v1beta/models/m:streamGenerateContent?alt=sse"
        moved = Reply(status=307, headers={"Location": path})
    wire.plan("m", moved, "here it is")
    async with Orchestrator(config_for(wire, provider)) as orc:
        text = await asked_to_the_end(orc, stream=stream)
    assert text.strip() == "here it is"


@pytest.mark.parametrize("where", ["//127.0.0.1:{port}/x", "http://u:p@127.0.0.1:{port}",
                                   "https://{own}/", "http:\\\\127.0.0.1:{port}/"])  # fmt: skip
async def test_an_address_is_read_as_the_client_reads_it(
    wire: WireServer, recorder: Any, where: str
) -> None:
    recorder.seen.clear()
    own = wire.root.partition("//")[2]
    place = where.format(port=recorder.server_port, own=own)
    wire.plan("m", Reply(status=308, headers={"Location": place}))
    async with Orchestrator(config_for(wire, "openai")) as orc:
        with pytest.raises(openai.OpenAIError):
            await orc.acompletion(model="m", messages=ASK)
        with pytest.raises(openai.OpenAIError):
            await orc.aembedding(model="m", input=["a private sentence"])
    assert recorder.seen == []


async def test_a_client_that_was_closed_is_held_when_it_is_made_again(
    wire: WireServer, recorder: Any
) -> None:
    recorder.seen.clear()
    there = f"http://127.0.0.1:{recorder.server_port}/v1/messages"
    wire.plan("m", Reply(status=307, headers={"Location": there}))
    async with Orchestrator(config_for(wire, "anthropic")) as orc:
        for _ in range(2):
            with pytest.raises(litellm.exceptions.BadRequestError, match="redirects to"):
                await orc.acompletion(model="m", messages=ASK)
            for handler in list(litellm.in_memory_llm_clients_cache.cache_dict.values()):
                if isinstance(handler, AsyncHTTPHandler):
                    await handler.client.aclose()
    assert recorder.seen == []


async def test_a_proxys_own_calls_stay_its_owners(wire: WireServer, recorder: Any) -> None:
    """Inside LiteLLM's proxy only calls of this package are held."""
    recorder.seen.clear()
    module = _litellm.load()
    cache = module.in_memory_llm_clients_cache
    try:
        await asyncio.to_thread(hold_redirects, module, _litellm.OURS.get)
        there = f"http://127.0.0.1:{recorder.server_port}/v1/messages"
        wire.plan("m", Reply(status=307, headers={"Location": there}))
        with pytest.raises(openai.OpenAIError):  # what came back is not an answer
            await litellm.acompletion(
                model="anthropic/m", messages=ASK, api_base=wire.root, api_key="theirs"
            )
        assert len(recorder.seen) == 1
        async with Orchestrator(config_for(wire, "anthropic")) as orc:
            with pytest.raises(litellm.exceptions.BadRequestError, match="redirects to"):
                await orc.acompletion(model="m", messages=ASK)
        assert len(recorder.seen) == 1
    finally:
        module.in_memory_llm_clients_cache = cache
