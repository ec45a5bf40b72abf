"""The scripted model: the faults of its answers by mix, and its corrections.

It sends a whole document, a JSON Patch or a tool call, as requested. The number of tokens is a
quarter of the characters on the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from benchmarks.structured.clients.task import LABELS

Json = dict[str, Any]


def _row(n: int, value: object) -> Json:
    return {"op": "replace", "path": f"/transitions/{LABELS[n]}/row", "value": value}


_GOAL: Json = {"op": "add", "path": "/goal", "value": "s6"}


def good() -> Json:
    """The valid answer."""
    rows = []
    for n in range(12):
        row = [0.0] * 12
        row[(n + 1) % 12], row[n], row[(n - 1) % 12] = 0.7, 0.2, 0.1
        rows.append({"name": LABELS[n], "row": row})
    return {"labels": LABELS, "goal": "s6", "transitions": rows}


def _without_goal(doc: Json) -> list[Json]:
    doc.pop("goal")
    return [_GOAL]


def _wrong_label(doc: Json) -> list[Json]:
    doc["goal"] = "room 99"
    return [_GOAL]


def _row_of_words(doc: Json) -> list[Json]:
    right = doc["transitions"][3]["row"]
    doc["transitions"][3]["row"] = "mostly s4"
    return [_row(3, right)]


def _row_too_heavy(doc: Json) -> list[Json]:
    right = list(doc["transitions"][5]["row"])
    doc["transitions"][5]["row"][5] = 0.5
    return [_row(5, right)]


Fault = Callable[[Json], list[Json]]
#: By mix: the faults of the first answer, of the second, and so on; strings are faults of syntax.
MIXES: dict[str, list[Fault | str]] = {
    "none": [],
    "schema-once": [_without_goal],
    "schema-twice": [_without_goal, _row_of_words],
    "invalid-json": ["spelling"],
    "wrong-row": [_row_too_heavy],
    "wrong-label": [_wrong_label],
    "truncated": ["cut"],
}


@dataclass
class Counted:
    """Calls and tokens of one run."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass
class ScriptedModel:
    """An OpenAI-shaped server whose model is named after the mix that it follows.

    Attributes:
        patches: whether it answers with a JSON Patch when it is asked for one; else it sends the
            whole document whatever it is asked.
    """

    patches: bool = True
    counted: dict[str, Counted] = field(default_factory=dict)
    base: str = ""

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Serve on a thread of its own."""
        ready, loop = threading.Event(), asyncio.new_event_loop()

        def serve() -> None:
            runner = loop.run_until_complete(self._listen())
            ready.set()
            loop.run_forever()
            loop.run_until_complete(runner.cleanup())
            loop.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        ready.wait(10)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)

    async def _listen(self) -> web.AppRunner:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}/v1"
        return runner

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        mix = body["model"]
        counted = self.counted.setdefault(mix, Counted())
        text, finish = _content(mix, counted.calls, body, patches=self.patches)
        asked = {key: body.get(key) for key in ("messages", "tools", "response_format")}
        counted.calls += 1
        counted.prompt_tokens += len(json.dumps(asked)) // 4
        counted.completion_tokens += len(text) // 4
        message: Json = {"role": "assistant", "content": text}
        if body.get("tools") and not body.get("response_format"):
            name = body["tools"][0]["function"]["name"]
            call = {"id": "t", "type": "function", "function": {"name": name, "arguments": text}}
            message, finish = (
                {"role": "assistant", "content": None, "tool_calls": [call]},
                "tool_calls",
            )
        choice = {"index": 0, "message": message, "finish_reason": finish}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return web.json_response(
            {"id": "c", "object": "chat.completion", "created": 1, "model": mix,
             "choices": [choice], "usage": usage}
        )  # fmt: skip


def _content(mix: str, call: int, body: Json, *, patches: bool) -> tuple[str, str]:
    faults = MIXES[mix]
    fault = faults[call] if call < len(faults) else None
    doc, patch = good(), []
    if callable(fault):
        fault(doc)
    # A patch corrects the fault of the answer before it, and may add a fault of its own.
    wants_patch = patches and "JSON Patch" in json.dumps(body["messages"][-1])
    if wants_patch and call:
        before = faults[call - 1]
        patch = before(good()) if callable(before) else []
        if callable(fault):
            patch += [_faulty_row(fault)]
        return json.dumps(patch), "stop"
    wrapped = _wraps(body, doc)
    text = json.dumps(wrapped)
    if fault == "spelling":
        return f"Here it is:\n{text[:-1]},}}".replace('"', "'"), "stop"
    if fault == "cut":
        return text[: len(text) // 2], "length"
    return text, "stop"


def _faulty_row(fault: Fault) -> Json:
    doc = good()
    fault(doc)
    if fault is _row_of_words:
        return _row(3, doc["transitions"][3]["row"])
    raise ValueError(f"{fault!r} cannot be part of a patch; use _row_of_words")


def _wraps(body: Json, doc: Json) -> Json:
    """The answer inside DSPy's output field, if the request asks for that field."""
    form = body.get("response_format") or {}
    wanted = (form.get("json_schema") or {}).get("schema") or {}
    if "answer" in wanted.get("properties", {}) or "`answer`" in json.dumps(body["messages"]):
        return {"answer": doc}
    return doc
