"""What stands before every route: host, origin, key, size, number and time of requests.

A WebSocket passes the same checks as a request; afterwards its messages are bounded by uvicorn.

It is plain ASGI, so that nothing of a refused request is read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.server.problems import Problem, problem_of, problem_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from orchestrator.config.serving import ServerSettings
    from orchestrator.server.keys import Key, Keys

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: Paths that say nothing of anybody, for the probes of those who run the service.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
#: Files of the page, which hold nothing of anybody: it asks for a key itself, and sends it.
PAGE_PATHS = frozenset({"/", "/page/page.js", "/page/page.css", "/page/icon.svg"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_POLICY = b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_MOST_CLIENTS = 10_000
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:@/]+))(?::\d{1,5})?")
#: Twice in a request they would say two things, and who reads which is not known.
_ONCE = (
    b"host", b"authorization", b"x-api-key", b"origin", b"content-type", b"content-length",
    b"idempotency-key", b"last-event-id",
)  # fmt: skip
_STREAM = b"text/event-stream"
#: They stay open, so they are counted apart from requests.
MOST_SOCKETS = 64
#: A reader has so many seconds for what it was sent before more is sent.
_READ_S = 60.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request; without keys there is one tenant, whose name is empty."""

    tenant: str = ""
    key_id: str = ""


@dataclass
class Rates:
    """Requests of the last minute, by key."""

    seen: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def wait_s(self, name: str, most: int) -> float:
        """0 where one more may come now, else in how many seconds."""
        now = time.monotonic()
        times = self.seen.setdefault(name, deque())
        self.seen.move_to_end(name)
        while times and now - times[0] >= 60:
            times.popleft()
        if len(times) >= most:
            return 60 - (now - times[0])
        times.append(now)
        if len(self.seen) > _MOST_CLIENTS:
            self.seen.popitem(last=False)
        return 0.0


class Gate:
    """The ASGI application around the one with the routes."""

    def __init__(
        self, app: Any, settings: ServerSettings, *, keys: Keys | None, bound_to: str,
        on_key: Callable[[Key], None] = lambda _: None, on_end: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`keys` is None where everybody on this machine may call; `on_key` hears of each key,
        `on_end` that the server ends."""
        self._on_end, self.is_ending = on_end, False
        self._app, self._settings, self.keys, self._on_key = app, settings, keys, on_key
        self._hosts = {bound_to.lower(), *(name.lower() for name in settings.hosts)}
        self._rates = Rates()
        self._running = self._sockets = 0

    @property
    def demands_keys(self) -> bool:
        """Whether every request needs one."""
        return self.keys is not None

    def end(self) -> None:
        """Requests that are cut off from now on are so because the server ends."""
        self.is_ending = True
        self._on_end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        sent, is_socket = _Sent(send), scope["type"] == "websocket"
        try:
            headers = _headers(scope["headers"])
            self._check_host(headers)
            is_page = scope["path"] in PAGE_PATHS and scope.get("method") in ("GET", "HEAD")
            if not is_page:  # to which a link of another site may lead
                self._check_origin(headers)
            is_open = is_page or scope["path"] in OPEN_PATHS
            if not is_open and not self._is_preflight(scope, headers):
                scope.setdefault("state", {})["caller"] = await self._caller(headers)
            _check_kind(headers)
            self._check_size(headers)
            self._check_number(is_socket=is_socket)
        except Problem as problem:
            await problem_response(problem, scope["path"])(scope, receive, sent)
            return
        if is_socket:
            await self._connected(scope, receive, sent)
            return
        self._running += 1
        try:
            await self._served(scope, receive, sent)
        finally:
            self._running -= 1

    async def _connected(self, scope: Scope, receive: Receive, sent: _Sent) -> None:
        """A WebSocket, which may stay as long as it answers pings."""
        self._sockets += 1
        try:
            await self._app(scope, receive, sent)
        finally:
            self._sockets -= 1

    async def _served(self, scope: Scope, receive: Receive, sent: _Sent) -> None:
        bounded = _Bounded(receive, self._settings.body_kb * 1024)
        if scope["method"] == "HEAD":  # the server leaves the body out
            scope = {**scope, "method": "GET"}
        try:
            # A stream takes as long as it takes; its parts have bounds of their own.
            async with asyncio.timeout(self._settings.deadline_s) as timeout:
                sent.on_stream = lambda: timeout.reschedule(None)
                await self._app(scope, bounded, sent)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError):
                if not self.is_ending:
                    raise
                if sent.has_begun:  # its reader asks for the rest
                    return
                words = "the service ends; send it again, with its key if it had one"
                error = Problem(503, "ending", words)
            if sent.has_ended:  # said already, and the log has the rest
                return
            if sent.has_begun:
                raise
            if isinstance(error, TimeoutError):
                words = f"it took longer than {self._settings.deadline_s:g} seconds"
                error = Problem(504, "late", words)
            await problem_response(problem_of(error), scope["path"])(scope, receive, sent)

    def _check_host(self, headers: dict[bytes, bytes]) -> None:
        """A page of a stranger's, whose name leads here, sends its own name (DNS rebinding).

        Such a page has no key; so with keys a service on all addresses need not list its names.
        """
        if self.demands_keys and not self._settings.hosts:
            return
        said = headers.get(b"host", b"").decode("latin-1")
        host = _name(said)
        if host not in self._hosts and not _is_loopback(host):
            words = f"{said!r} is not a name of this service; name it under server.hosts"
            raise Problem(421, "host", words)

    def _check_origin(self, headers: dict[bytes, bytes]) -> None:
        """A browser sends what a page of another site says, and hides the answer alone from it."""
        if self.demands_keys:  # which no page has that was not given one
            return
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if origin in self._settings.origins:
            return
        site = headers.get(b"sec-fetch-site", b"none")
        own = (f"http://{host}", f"https://{host}")
        if (origin and origin not in own) or site not in (b"none", b"same-origin"):
            words = f"a page of {origin or 'another site'!r} may not call; name it: server.origins"
            raise Problem(403, "origin", words)

    def _is_preflight(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Whether a browser asks what a page of a named origin may send; it asks without key."""
        return (
            scope.get("method") == "OPTIONS"
            and b"access-control-request-method" in headers
            and headers.get(b"origin", b"").decode("latin-1") in self._settings.origins
        )

    async def _caller(self, headers: dict[bytes, bytes]) -> Caller:
        if self.keys is None:
            return Caller()
        scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not text:
            text = headers.get(b"x-api-key", b"").decode("latin-1")
        text = text or _key_of_page(headers)
        key = await asyncio.to_thread(self._checked, text.strip()) if text else None
        if key is None:
            words = "send a key that is valid: Authorization: Bearer gmn_…"
            raise Problem(401, "key", words)
        if key.rpm is not None and (wait := self._rates.wait_s(key.id, key.rpm)):
            words = f"more than {key.rpm} requests in a minute with this key"
            raise Problem(429, "rate", words, retry_after_s=wait)
        return Caller(key.tenant, key.id)

    def _checked(self, text: str) -> Key | None:
        assert self.keys is not None
        if (key := self.keys.check(text)) is not None:
            self._on_key(key)
        return key

    def _check_number(self, *, is_socket: bool) -> None:
        if self._sockets >= MOST_SOCKETS if is_socket else self._running >= self._settings.parallel:
            words = "too many WebSockets at once" if is_socket else "too many requests at once"
            raise Problem(503, "busy", words, retry_after_s=1)

    def _check_size(self, headers: dict[bytes, bytes]) -> None:
        stated = headers.get(b"content-length", b"0")
        if not stated.isdigit():
            raise Problem(400, "length", "Content-Length is not a number")
        if int(stated) > self._settings.body_kb * 1024:
            raise _too_large(self._settings.body_kb)


class _Sent:
    """Adds headers to an answer, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = self.has_ended = False
        self.on_stream: Callable[[], None] = lambda: None

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"].removeprefix("websocket.") == "http.response.start":
            self.has_begun = True
            have = {name.lower(): value for name, value in message.get("headers", ())}
            added = [(name, value) for name, value in _HEADERS if name not in have]
            if b"content-security-policy" not in have:
                added.append((b"content-security-policy", _POLICY))
            message = {**message, "headers": [*message.get("headers", ()), *added]}
            if have.get(b"content-type", b"").startswith(_STREAM):
                self.on_stream()
        # A reader that takes nothing holds a place among the requests.
        async with asyncio.timeout(_READ_S):
            await self._send(message)
        self.has_ended = message["type"] == "http.response.body" and not message.get("more_body")


class _Bounded:
    """A body that does not say its length, or lies about it, is cut off at the bound."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most, self._read = receive, most, 0

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self._most:
                raise _too_large(self._most // 1024)
        return message


def _too_large(most_kb: int) -> Problem:
    return Problem(413, "size", f"the body is larger than {most_kb} KiB (server.body_kb)")


def _headers(sent: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in sent:
        if name in _ONCE and name in found:
            raise Problem(400, "header", f"{name.decode()} is there twice")
        found[name] = value
    return found


def _check_kind(headers: dict[bytes, bytes]) -> None:
    """A page can have a browser send any other type unasked, and no body is unpacked."""
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise Problem(415, "encoding", "send the body as it is, without Content-Encoding")
    if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
        return
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Problem(415, "type", "send JSON, with Content-Type: application/json")


def _key_of_page(headers: dict[bytes, bytes]) -> str:
    """The key that a page's WebSocket names among its protocols, as it can set no header."""
    offered = headers.get(b"sec-websocket-protocol", b"").decode("latin-1").split(",")
    keys = (one.strip().removeprefix("bearer.") for one in offered if one.strip()[:7] == "bearer.")
    return next(keys, "")


def _name(host: str) -> str:
    """The name in a Host header, without its port; empty where it is none."""
    found = _HOST.fullmatch(host.lower())
    return (found[1] or found[2]) if found else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
