"""What answers on the port of a local server: it says who it is before it gets a prompt."""

from __future__ import annotations

import io
import json
import re
import selectors
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestrator.models.addresses import base_of, origin_of
from orchestrator.models.surroundings import addresses_for, surroundings, without_secrets
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from orchestrator.models.deployment import Deployment

_log = logger_of(__name__)
_CONNECT_S = 0.3
_ANSWER_S = 1.0
_MOST_BYTES = 2**18
_DEFAULT = "http://localhost:11434"  # LiteLLM's, of Ollama
_VERSION = re.compile(r"\d[\w.+-]{0,31}", re.ASCII)
_ODD = re.compile(r"[^\w./:@+-]", re.ASCII)
_said: set[str] = set()


@dataclass(slots=True)
class _Said:
    """An answer's bytes, as `http.client` reads them."""

    raw: bytes

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.raw)


def address_of(one: Deployment) -> str:
    """The address of a deployment's server, without a slash at its end; empty for the provider's
    own."""
    stated = base_of(one.params.value) or next(iter(addresses_for(one, surroundings())), "")
    return (stated or (_DEFAULT if one.provider.startswith("ollama") else "")).rstrip("/")


def why_not_taken(one: Deployment, known: dict[str, str]) -> str:
    """Why the server of a deployment is not asked; empty for one that said who it is.

    That is said once in the log, because nobody chose it by name. `known` holds what was found
    before, by kind and address.
    """
    is_ollama = one.provider.startswith("ollama")
    base = address_of(one)
    place = f"{is_ollama} {base}"
    if place not in known:
        known[place] = _name_of(base, is_ollama=is_ollama)
    if not known[place]:
        return f"no server of its kind answers at {without_secrets(base) or 'any address'}"
    words = f"prompts go to {known[place]}, which answers at {without_secrets(base)}"
    if words not in _said:
        _said.add(words)
        _log.warning("no provider has a key: %s; LLM_PROVIDER=offline asks no server", words)
    return ""


def _name_of(base: str, *, is_ollama: bool) -> str:
    """What a server calls itself; empty where none answers, or another kind does."""
    if not origin_of(base).startswith("http:"):  # https: choose it by LLM_PROVIDER
        return ""
    if not is_ollama:
        listed = _got(f"{base}/models").get("data")
        return f"a server of {_names(listed, 'id')}" if isinstance(listed, list) else ""
    version = _got(f"{base}/api/version").get("version")
    if isinstance(version, str) and _VERSION.fullmatch(version):
        return f"Ollama {version}"
    listed = _got(f"{base}/api/tags").get("models")
    return f"a server like Ollama of {_names(listed, 'name')}" if isinstance(listed, list) else ""


def _names(listed: list[Any], key: str) -> str:
    found = [str(one.get(key)) for one in listed[:3] if isinstance(one, dict)]
    return ", ".join(_ODD.sub("?", name)[:60] for name in found) or "no model yet"


def _got(address: str) -> dict[str, Any]:
    """The JSON object at an address; empty for anything else, a redirect, or what takes long."""
    import http.client  # noqa: PLC0415  25 ms, for those alone who have no key

    try:
        parts = urlsplit(address)
        host = origin_of(address).partition("://")[2]
        asked = f"GET {parts.path} HTTP/1.1\r\nHost: {host}\r\n"
        raw = _exchanged(
            parts.hostname or "", parts.port or 80, asked + "Connection: close\r\n\r\n"
        )
        response = http.client.HTTPResponse(_Said(raw))  # type: ignore[arg-type]  # all it asks
        response.begin()
        made = json.loads(response.read()) if response.status == http.client.OK else {}
    except (OSError, ValueError, OverflowError, RecursionError, http.client.HTTPException):
        return {}
    return made if isinstance(made, dict) else {}


def _exchanged(host: str, port: int, asked: str) -> bytes:
    """What comes back within a second, and not more than fits."""
    until = time.monotonic() + _ANSWER_S
    got = bytearray()
    with (
        socket.create_connection((host, port), timeout=_CONNECT_S) as link,
        selectors.DefaultSelector() as ready,
    ):
        link.setblocking(False)
        link.send(asked.encode())
        ready.register(link, selectors.EVENT_READ)
        while len(got) <= _MOST_BYTES and (left := until - time.monotonic()) > 0:
            if ready.select(left):
                part = link.recv(2**16)
                if not part:
                    break
                got += part
    return bytes(got)
