"""OpenAI's batch endpoints on loopback: files, batches, their results, and what was paid."""

from __future__ import annotations

import collections
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.wire.protocols import ANSWERS, Asked
from tests.wire.server import WireServer


class BatchServer(WireServer):
    """A server that also answers files of requests.

    Attributes:
        paid: how often each line (``custom_id``) was answered in a batch; that is what is billed,
            whether anybody ever asks for it.
        polls: after how many polls a batch is over.
        ends: how each batch ends, in order; the last is repeated. ``completed``, ``failed``,
            ``expired``, ``cancelled``; of the last two every second line is answered.
        spoil: changes the lines of the results, once they are paid.
        faults: a status for the next requests, by method and path: 500 comes after the work, and
            so does 0, a connection that is reset.
        refused: a status for every batch request.
    """

    def __init__(self) -> None:
        self.reset()
        super().__init__()

    def reset(self) -> None:
        """Forget files, batches and faults."""
        self.paid: collections.Counter[str] = collections.Counter()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.calls: collections.Counter[str] = collections.Counter()
        self.polls, self.ends, self.refused = 1, ["completed"], 0
        self.spoil: Callable[[list[str]], list[str]] = list
        self.faults: dict[str, list[int]] = {}
        self.asks: Callable[[str], None] = lambda _: None
        self._numbers = itertools.count(1)

    def clear(self) -> None:
        """Also what the base forgets."""
        super().clear()
        self.reset()

    def end_batches(self) -> None:
        """Let the next poll of each batch be the one that finds it over."""
        for batch in self.batches.values():
            batch["_left"] = 1

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        for method, path, answer in (
            ("POST", "/v1/files", self._upload),
            ("GET", "/v1/files/{id}/content", self._content),
            ("POST", "/v1/batches", self._create),
            ("GET", "/v1/batches", self._list),
            ("GET", "/v1/batches/{id}", self._poll),
        ):
            router.add_route(method, path, self._faulty(f"{method} {path[3:]}", answer))

    def _faulty(self, name: str, answer: Any) -> Any:
        async def answered(request: web.Request) -> web.Response:
            self.calls[name] += 1
            if self.refused:
                return _error(self.refused)
            planned = self.faults.get(name) or [200]
            status = planned.pop(0)
            if status in (0, 200, 500):
                made: web.Response = await answer(request)
                self.asks(name)
            if status == 0 and request.transport is not None:
                request.transport.abort()
            return made if status == 200 else _error(status)

        return answered

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        content = form["file"]
        assert isinstance(content, web.FileField)
        name = f"file-{next(self._numbers)}"
        self.files[name] = content.file.read()
        return web.json_response(self._file(name))

    def _file(self, name: str) -> dict[str, Any]:
        size = len(self.files[name])
        return {"id": name, "object": "file", "bytes": size, "created_at": int(time.time()),
                "filename": "rows.jsonl", "purpose": "batch", "status": "processed"}  # fmt: skip

    async def _content(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        return web.Response(body=self.files[name]) if name in self.files else _error(404)

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        name, lines = f"batch_{next(self._numbers)}", self.files[asked["input_file_id"]]
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        made = {
            "id": name, "object": "batch", "endpoint": asked["endpoint"], "status": "validating",
            "input_file_id": asked["input_file_id"], "completion_window": "24h",
            "created_at": int(time.time()), "metadata": asked.get("metadata"),
            "output_file_id": None, "error_file_id": None, "errors": None,
            "request_counts": {"total": lines.count(b"\n"), "completed": 0, "failed": 0},
            "_left": self.polls, "_end": end,
        }  # fmt: skip
        self.batches[name] = made
        made["_over"] = self._results(made)
        return web.json_response(_shown(made))

    async def _list(self, request: web.Request) -> web.Response:
        names = list(reversed(self.batches))
        if after := request.query.get("after"):
            names = names[names.index(after) + 1 :]
        limit = int(request.query.get("limit", "20"))
        page = names[:limit]
        return web.json_response({
            "object": "list", "data": [_shown(self.batches[name]) for name in page],
            "has_more": len(names) > limit,
            **({"first_id": page[0], "last_id": page[-1]} if page else {}),
        })  # fmt: skip

    async def _poll(self, request: web.Request) -> web.Response:
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return _error(404)
        batch["_left"] -= 1
        if batch["_left"] <= 0:
            batch |= batch["_over"]
        elif batch["_left"] > 0:
            batch["status"] = "in_progress"
        return web.json_response(_shown(batch))

    def _results(self, batch: dict[str, Any]) -> dict[str, Any]:
        """How a batch ends: what is different then."""
        end, over = batch["_end"], {"status": batch["_end"]}
        if end == "failed":
            said = {"code": "invalid", "message": "the file is not valid", "line": 1, "param": None}
            return {**over, "errors": {"object": "list", "data": [said]}}
        lines = self.files[batch["input_file_id"]].decode().splitlines()
        good: list[str] = []
        bad: list[str] = []
        for number, line in enumerate(lines):
            asked = json.loads(line)
            name, body = asked["custom_id"], asked["body"]
            if end in ("expired", "cancelled") and number % 2:
                said = {"code": "batch_expired", "message": "not in time"}
                bad.append(json.dumps({"custom_id": name, "response": None, "error": said}))
                continue
            reply = self._reply(Asked("openai", body["model"], body, False))
            if reply.status != 200:
                answer: dict[str, Any] = {"error": {"message": f"status {reply.status}"}}
            else:
                self.paid[name] += 1
                asked_for = Asked("openai", body["model"], body, False)
                answer = ANSWERS["openai"](asked_for, reply.said)
            response = {"status_code": reply.status, "request_id": "r", "body": answer}
            made = {"id": f"r{number}", "custom_id": name, "response": response, "error": None}
            (good if reply.status == 200 else bad).append(json.dumps(made))
        for kind, found in (("output_file_id", self.spoil(good)), ("error_file_id", bad)):
            if found:
                over[kind] = f"file-{next(self._numbers)}"
                self.files[over[kind]] = ("\n".join(found) + "\n").encode()
        return over


def _shown(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if not name.startswith("_")}


def _error(status: int) -> web.Response:
    return web.json_response({"error": {"message": f"status {status}"}}, status=status)
