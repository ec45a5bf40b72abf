"""A small server on loopback that speaks four providers' formats and follows a script."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.wire.protocols import ANSWERS, STREAMS, Asked, Said, error_body


@dataclass(frozen=True)
class Reply:
    """What one request gets.

    Attributes:
        status: anything but 200 becomes an error body.
        body: what stands in its place.
        drop: close the connection without an answer.
        only_without: refuse with 400 while the request carries this key.
        raw: a body sent as it is, in place of an answer.
        cut_after: close the connection after this many bytes of the body, or parts of a stream.
        trickle_s: pause before each byte of the body, or each part of a stream.
        stall_after: pause for good after this many parts of a stream.
        ends_after: close the connection in good order after this many parts of a stream.
        tokens: what the server says that the answer took; None: a quarter of its characters.
        until: what an answer waits for; a stream waits after its first part.
    """

    text: str = ""
    finish: str = "stop"
    refusal: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drop: bool = False
    only_without: str = ""
    error_code: str = ""
    error_message: str = ""
    body: Mapping[str, Any] | None = None
    raw: str | None = None
    content_type: str = "application/json"
    cut_after: int | None = None
    trickle_s: float = 0.0
    stall_after: int | None = None
    ends_after: int | None = None
    tokens: int | None = None
    until: threading.Event | None = None

    @property
    def said(self) -> Said:
        """The answer, before it is spelled; word by word where something happens between parts."""
        between = (self.cut_after, self.stall_after, self.ends_after, self.until)
        is_by_word = self.trickle_s > 0 or any(one is not None for one in between)
        return Said(self.text, self.finish, self.refusal, self.tokens, is_by_word)


@dataclass
class Served:
    """What the server gave away: requests that came, tokens of the answers that went out whole."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class WireServer:
    """Runs in a thread of its own; the last reply of a model's script is repeated."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[Reply]] = {}
        self.decide: Callable[[Asked], Reply] | None = None
        self.requests: list[dict[str, Any]] = []
        self.windows: dict[str, int] = {}
        self.running: dict[str, object] = {}
        self.served = Served()
        self.whole: list[tuple[Asked, Said]] = []
        self.cancelled = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._started.wait(10)

    def plan(self, model: str, *replies: Reply | str) -> None:
        """Say what the requests to `model` get, in order."""
        self.scripts[model] = [r if isinstance(r, Reply) else Reply(r) for r in replies]

    def clear(self) -> None:
        """Forget the script and everything that was asked."""
        self.scripts.clear()
        self.windows.clear()
        self.running.clear()
        self.requests.clear()
        self.decide = None
        self.served = Served()
        self.whole.clear()
        self.cancelled = 0

    def asked(self, model: str) -> list[dict[str, Any]]:
        """The bodies of the requests to `model`."""
        return [body for body in self.requests if body["model"] == model]

    def stop(self) -> None:
        """End the thread and close the port."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application(client_max_size=2**24)
        add = application.router.add_post
        add("/v1/chat/completions", self._openai)
        add("/openai/deployments/{model}/chat/completions", self._openai)
        add("/v1/embeddings", self._embeddings)
        add("/v1/messages", self._anthropic)
        add("/v1beta/models/{call}", self._gemini)
        add("/api/chat", self._ollama)
        add("/api/show", self._show)
        application.router.add_get("/v1/models", self._models)
        application.router.add_get("/api/tags", self._tags)
        for path in ("/props", "/api/v0/models", "/api/ps"):
            application.router.add_get(path, self._running)
        self._add_routes(application.router)
        # A client that goes away is noticed at once.
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self.root = f"http://127.0.0.1:{self.port}"
        self.base = f"{self.root}/v1"
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        """More endpoints, of a server that has them."""

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked = Asked("openai", body["model"], body, bool(body.get("stream")))
        return await self._answer(request, asked)

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked = Asked("anthropic", body["model"], body, bool(body.get("stream")))
        return await self._answer(request, asked)

    async def _gemini(self, request: web.Request) -> web.StreamResponse:
        model, _, call = request.match_info["call"].partition(":")
        body = {"model": model, **await request.json()}
        return await self._answer(request, Asked("gemini", model, body, call.startswith("stream")))

    async def _ollama(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked = Asked("ollama", body["model"], body, bool(body.get("stream")))
        return await self._answer(request, asked)

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        script = self.scripts.get(body["model"])
        if script and script[0].status != 200:  # refusals are scripted, answers are not
            return await self._answer(request, Asked("openai", body["model"], body, False))
        self.requests.append(body)
        planned = self.scripts.get(body["model"])
        if planned and planned[0].raw is not None:
            return web.Response(text=planned[0].raw, content_type="application/json")
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [
            {"object": "embedding", "index": i, "embedding": [0.1, 0.2]} for i in range(len(inputs))
        ]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        return web.json_response(
            {"object": "list", "data": data, "model": body["model"], "usage": usage}
        )

    async def _models(self, request: web.Request) -> web.Response:
        listed: list[dict[str, Any]] = [
            {"id": model} for model in self.scripts if model not in self.windows
        ]
        listed += [{"id": model, "max_model_len": n} for model, n in self.windows.items()]
        return web.json_response({"object": "list", "data": listed})

    async def _running(self, request: web.Request) -> web.Response:
        if request.path not in self.running:
            return web.Response(status=404)
        return web.json_response(self.running[request.path])

    async def _tags(self, request: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": m, "model": m} for m in self.scripts]})

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response({"model_info": {}, "details": {}, "capabilities": []})

    async def _answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        key = request.headers.get("Authorization") or request.headers.get("x-api-key") or ""
        self.requests.append({**asked.body, "_authorization": key, "_protocol": asked.protocol})
        self.served.requests += 1
        reply = self._reply(asked)
        try:
            return await self._spoken(request, asked, reply)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def _reply(self, asked: Asked) -> Reply:
        if self.decide is not None:
            return self.decide(asked)
        script = self.scripts.get(asked.model, [Reply(status=404)])
        return script.pop(0) if len(script) > 1 else script[0]

    async def _spoken(self, request: web.Request, asked: Asked, reply: Reply) -> web.StreamResponse:
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        if reply.drop:
            return _dropped(request)
        if reply.only_without and reply.only_without in asked.body:
            message = f"{reply.only_without} is not supported: json_schema"
            return web.json_response({"error": {"message": message}}, status=400)
        if reply.status != 200:
            words = reply.error_message or f"status {reply.status}"
            body = reply.body or error_body(asked.protocol, reply.status, words, reply.error_code)
            return web.json_response(body, status=reply.status, headers=reply.headers)
        if reply.raw is not None:
            return web.Response(text=reply.raw, content_type=reply.content_type)
        if asked.is_stream:
            parts = STREAMS[asked.protocol](asked, reply.said)
            kind = "application/x-ndjson" if asked.protocol == "ollama" else "text/event-stream"
            return await self._sent(request, asked, reply, parts, kind)
        whole = json.dumps(ANSWERS[asked.protocol](asked, reply.said))
        step = 1 if reply.trickle_s else len(whole)
        parts = (whole[i : i + step] for i in range(0, len(whole), step))
        if reply.cut_after is not None:
            parts = iter([whole[: reply.cut_after], whole[reply.cut_after :]])
            reply = Reply(**{**vars(reply), "cut_after": 1})
        return await self._sent(request, asked, reply, parts, reply.content_type)

    async def _sent(
        self, request: web.Request, asked: Asked, reply: Reply, parts: Iterable[str], kind: str
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        for index, part in enumerate(parts):
            if reply.cut_after is not None and index >= reply.cut_after:
                return _dropped(request)
            if reply.ends_after is not None and index >= reply.ends_after:
                return response
            if reply.stall_after is not None and index >= reply.stall_after:
                await asyncio.sleep(3600)
            if reply.trickle_s:
                await asyncio.sleep(reply.trickle_s)
            while reply.until is not None and index == asked.is_stream and not reply.until.is_set():
                await asyncio.sleep(0.01)
            await response.write(part.encode())
        self.served.prompt_tokens += asked.prompt_tokens
        self.served.completion_tokens += reply.said.tokens
        self.whole.append((asked, reply.said))
        return response


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
