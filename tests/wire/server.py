"""A small server on loopback that speaks OpenAI's chat completions and follows a script."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Reply:
    """What one request gets.

    Attributes:
        status: anything but 200 becomes an error body.
        drop: close the connection without an answer.
        only_without: refuse with 400 while the request carries this key.
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


class WireServer:
    """Runs in a thread of its own; the last reply of a model's script is repeated."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[Reply]] = {}
        self.requests: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._started.wait(10)

    def plan(self, model: str, *replies: Reply | str) -> None:
        """Say what the requests to `model` get, in order."""
        self.scripts[model] = [r if isinstance(r, Reply) else Reply(r) for r in replies]

    def asked(self, model: str) -> list[dict[str, Any]]:
        """The bodies of the requests to `model`."""
        return [body for body in self.requests if body["model"] == model]

    def stop(self) -> None:
        """End the thread and close the port."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(application)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        port = runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}/v1"
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append({**body, "_authorization": request.headers.get("Authorization", "")})
        script = self.scripts.get(body["model"], [Reply(status=404)])
        reply = script.pop(0) if len(script) > 1 else script[0]
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        if reply.drop and request.transport is not None:
            request.transport.close()
            return web.Response()
        if reply.only_without and reply.only_without in body:
            message = f"{reply.only_without} is not supported: json_schema"
            return web.json_response({"error": {"message": message}}, status=400)
        if reply.status != 200:
            error = {"message": f"status {reply.status}", "code": reply.error_code}
            return web.json_response({"error": error}, status=reply.status, headers=reply.headers)
        if body.get("stream"):
            return await self._stream(request, body, reply)
        return web.json_response(_completion(body, reply))

    async def _stream(
        self, request: web.Request, body: dict[str, Any], reply: Reply
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in [*reply.text.split(" "), None]:
            delta = {} if word is None else {"role": "assistant", "content": f"{word} "}
            chunk = {
                "id": "c", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
                "choices": [{"index": 0, "delta": delta,
                             "finish_reason": reply.finish if word is None else None}],
            }  # fmt: skip
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response


def _completion(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    prompt = sum(len(str(turn.get("content"))) for turn in body["messages"]) // 4
    answer = max(len(reply.text) // 4, 1)
    message = {"role": "assistant", "content": reply.text or None}
    if reply.refusal:
        message["refusal"] = reply.refusal
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
        },
    }
