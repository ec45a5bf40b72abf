"""`orchestrator client`: one message to a running service."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import httpx

from orchestrator.cli.output import GOOD, PROVIDER, UsageError, echo_result, echo_stderr

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Print the answer; exit 3 where the service has none."""
    path, body = _asked(arguments)
    headers = {"Idempotency-Key": arguments.idempotency_key} if arguments.idempotency_key else {}
    if key := os.environ.get("ORCHESTRATOR_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    url = arguments.url.rstrip("/")
    try:
        answer = httpx.post(f"{url}{path}", json=body, headers=headers, timeout=arguments.timeout)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UsageError(f"{url!r} is not an address: {error}") from None
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
        if arguments.persona_id or arguments.session_id:
            raise UsageError("--mode direct has no persona and no session; leave them out")
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
