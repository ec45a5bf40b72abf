"""Search engines on loopback: the forms of five of them, and what goes wrong with them."""

from __future__ import annotations

import asyncio
import html
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

Page = tuple[str, str, str]  # title, address, snippet


@dataclass(frozen=True)
class Found:
    """What one search gets.

    Attributes:
        raw: a body in place of the pages, sent as it is.
        drop: close the connection without an answer.
        endless: go on sending after the body.
        cut_off: close the connection after the body, which is not all.
    """

    pages: tuple[Page, ...] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    raw: str | None = None
    content_type: str = "application/json"
    drop: bool = False
    endless: bool = False
    cut_off: bool = False


def pages(count: int, host: str = "site") -> tuple[Page, ...]:
    """So many pages, each on a host of its own."""
    return tuple(
        (f"Title {n}", f"https://{host}{n}.example/page", f"Snippet {n}") for n in range(count)
    )


def _dicts(found: Iterable[Page], *names: str) -> list[dict[str, str]]:
    return [dict(zip(names, page, strict=True)) for page in found]


def _html(found: Iterable[Page]) -> str:
    rows = (
        f'<div class="result body"><h2><a href="{html.escape(url)}">{html.escape(title)}</a></h2>'
        f'<a href="{html.escape(url)}">{html.escape(snippet)}</a></div>'
        for title, url, snippet in found
    )
    return f"<html><body>{''.join(rows)}</body></html>"


def _json(form: Callable[[tuple[Page, ...]], object]) -> Callable[[tuple[Page, ...]], str]:
    return lambda found: json.dumps(form(found))


#: By the first part of the path: how an engine spells pages.
FORMS: dict[str, Callable[[tuple[Page, ...]], str]] = {
    "searxng": _json(lambda f: {"query": "q", "results": _dicts(f, "title", "url", "content")}),
    "google": _json(
        lambda f: {"kind": "customsearch#search", "items": _dicts(f, "title", "link", "snippet")}
    ),
    "tavily": _json(lambda f: {"query": "q", "results": _dicts(f, "title", "url", "content")}),
    "brave": _json(
        lambda f: {"type": "search", "web": {"results": _dicts(f, "title", "url", "description")}}
    ),
    "duckduckgo": _html,
}


class SearchEngines:
    """Runs in a thread of its own; the last answer of an engine's script is repeated."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[Found]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait(10)
        return self

    def __exit__(self, *raised: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def plan(self, engine: str, *answers: Found) -> None:
        """Say what the searches of an engine get, in order."""
        self.scripts[engine] = list(answers)

    def times(self, engine: str) -> int:
        """How often an engine was asked."""
        return sum(name == engine for name, _ in self.asked)

    def tool(self, engine: str, **params: Any) -> dict[str, Any]:
        """An entry of ``search_tools`` for one of the engines, under its own name."""
        provider = "google_pse" if engine == "google" else engine
        base = f"{self.root}/{engine}"
        stated = {"search_provider": provider, "api_base": base, "api_key": "sk-search-canary-42"}
        return {"search_tool_name": engine, "litellm_params": {**stated, **params}}

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application()
        application.router.add_route("*", "/{engine}{rest:.*}", self._answer)
        # What still waits at the end of a test waits for nobody.
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        self._loop.run_until_complete(site.start())
        self.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        engine = request.match_info["engine"].partition("/")[0]
        sent: dict[str, Any] = dict(request.query)
        if request.method == "POST":
            form = request.content_type == "application/json"
            sent |= await request.json() if form else {**(await request.post())}
        self.asked.append((engine, sent))
        script = self.scripts.get(engine) or [Found()]
        found = script.pop(0) if len(script) > 1 else script[0]
        await asyncio.sleep(found.delay_s)
        if found.drop:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        text = FORMS[engine](found.pages) if found.raw is None else found.raw
        kind = "text/html" if engine == "duckduckgo" else found.content_type
        answer = web.StreamResponse(status=found.status, headers=found.headers)
        answer.content_type = kind
        await answer.prepare(request)
        await answer.write(text.encode(errors="surrogatepass"))
        if found.cut_off and request.transport is not None:
            await asyncio.sleep(0.05)
            request.transport.abort()
        while found.endless:
            await answer.write(b" " * 2**16)
        return answer
