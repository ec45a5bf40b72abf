"""`orchestrator client`: one message to a running service."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import httpx

from orchestrator.cli.output import GOOD, PROVIDER, UsageError, echo_result, echo_stderr
from orchestrator.cli.values import is_loopback

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Print the answer; exit 3 where the service has none."""
    path, body = _asked(arguments)
    url, headers = arguments.url.rstrip("/"), _headers(arguments)
    try:
        is_near = is_loopback(httpx.URL(url).host)  # no proxy leads there, nor learns the key
        answer = httpx.post(f"{url}{path}", json=body, headers=headers, timeout=arguments.timeout,
                            trust_env=not is_near)  # fmt: skip
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UsageError(f"{url!r} is not an address: {error}") from None
    except (httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError) as error:
        raise UsageError(_lost(arguments, url, error, headers)) from None
    except httpx.HTTPError as error:
        words = f"{url} does not answer ({type(error).__name__}). Is it running? orchestrator serve"
        raise UsageError(words) from None
    found = _read(answer, url)
    if answer.status_code != 200:
        echo_stderr(f"orchestrator: {found.get('detail') or answer.reason_phrase}", "red")
        if arguments.json:
            echo_result(arguments, found, ())
        return PROVIDER if answer.status_code >= 500 else 2
    echo_result(arguments, found, str(found["response"]).split("\n"))
    if session := found.get("session_id"):
        echo_stderr(f"session {session}, {found['persona']}, {found['model']}", "dim")
    return GOOD


def _headers(arguments: argparse.Namespace) -> dict[str, str]:
    """The headers of a request. Raises: UsageError: one cannot be sent."""
    headers = {}
    if arguments.mode == "interact":  # else what is sent again after a broken connection is new
        headers["Idempotency-Key"] = arguments.idempotency_key or str(uuid.uuid4())
    if key := os.environ.get("ORCHESTRATOR_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            place = "ORCHESTRATOR_KEY" if name == "Authorization" else "--idempotency-key"
            raise UsageError(f"{place} holds what no header can: write it in ASCII, in one line")
    return headers


def _lost(
    arguments: argparse.Namespace, url: str, error: httpx.HTTPError, headers: dict[str, str]
) -> str:
    """What to say where the message was sent, and its answer did not come."""
    words = f"{url} got the message and gave no answer"
    if isinstance(error, httpx.ReadTimeout):
        words = f"{words} within {arguments.timeout:g} s (--timeout)"
    if key := headers.get("Idempotency-Key"):
        again = "It may go on there: to get its answer and pay once, send it again with"
        return f"{words}. {again} --idempotency-key {key}"
    return f"{words}. Sent again, it may be paid twice"


def _read(answer: httpx.Response, url: str) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict) or (answer.status_code == 200 and "response" not in found):
        words = f"{url} is another service: {answer.status_code}, and no answer as this one gives"
        raise UsageError(f"{words}. Name the right one with --url")
    return found


def _asked(arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    if arguments.mode == "direct":
        if arguments.persona_id or arguments.session_id or arguments.idempotency_key:
            words = "--mode direct has no persona, no session and no turn to be sent twice"
            raise UsageError(f"{words}; leave out what names one")
        system = [{"role": "system", "content": arguments.system}] if arguments.system else []
        messages = [*system, {"role": "user", "content": arguments.message}]
        return "/api/llm/direct", _stated({"messages": messages, "model": arguments.model})
    if arguments.system:
        raise UsageError("--system goes with --mode direct; a persona has its own")
    body = {
        "message": arguments.message, "user_id": arguments.user_id,
        "persona_id": arguments.persona_id, "session_id": arguments.session_id,
        "model": arguments.model,
    }  # fmt: skip
    return "/api/llm/interact", _stated(body)


def _stated(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
