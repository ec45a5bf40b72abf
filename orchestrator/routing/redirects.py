"""Redirects of LiteLLM's HTTP clients: followed on the same origin, refused to any other.

The clients follow every redirect. To another origin they take along all keys but the one in
``Authorization``, and with 307 and 308 the prompt. Each client that LiteLLM makes passes through
its cache of clients; there it gets a hook of httpx's that sees every request before it is sent,
and one that sees every response before it is read.
"""

from __future__ import annotations

import contextvars
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.models.addresses import origin_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_ORIGIN = "orchestrator_origin"


@dataclass(slots=True)
class Seen:
    """What a call put on the wire, and got from it.

    Attributes:
        sent: how many requests left.
        most_bytes: of a body; what is longer is not read.
        response: the last one; httpx's.
        is_too_long: whether a body was longer.
        is_whole: whether the last one was read to its end.
    """

    most_bytes: int
    sent: int = 0
    response: Any = None
    is_too_long: bool = False
    is_whole: bool = False


#: Where the call under way wants to see that.
SEEN: contextvars.ContextVar[Seen | None] = contextvars.ContextVar("SEEN", default=None)


class RedirectRefusedError(Exception):
    """A server answered with the address of another origin; the message names both."""


def _watch(client: Any, hooks: dict[str, list[Any]]) -> None:
    """Let an asynchronous client show each call that wants it what it does."""
    if hasattr(client, "aclose"):
        hooks["request"].append(_note_request)
        hooks["response"].append(_note_response)


async def _note_request(request: Any) -> None:
    del request
    if (seen := SEEN.get()) is not None:
        seen.sent += 1


async def _note_response(response: Any) -> None:
    """Let the body end where it becomes too long."""
    if (seen := SEEN.get()) is not None:
        seen.response, seen.is_whole = response, False
        response.stream = _bounded(response.stream, seen)


def _bounded(inner: Any, seen: Seen) -> Any:
    import httpx  # noqa: PLC0415  loaded long before there is a response

    class Bounded(httpx.AsyncByteStream):
        """A body, up to what may be read of it."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = seen.most_bytes
            async for part in inner:
                left -= len(part)
                if left < 0:
                    seen.is_too_long = True
                    raise httpx.StreamError("the answer is too long")
                yield part
            seen.is_whole = True

        async def aclose(self) -> None:
            await inner.aclose()

    return Bounded()


def hold_redirects(litellm: Any, is_ours: Callable[[], bool]) -> None:
    """Refuse redirects to other origins in every client that LiteLLM makes from now on.

    Only calls for which `is_ours` says so are held.
    """

    def look(request: Any) -> None:
        # httpx hands the extensions of a request on to the one that follows a redirect.
        there = origin_of(request.url)
        here = request.extensions.setdefault(_ORIGIN, there)
        if here != there and is_ours():
            raise RedirectRefusedError(
                f"{here} redirects to {there or 'another place'}, and neither key nor prompt"
                " follows there; if that is the right address, write it as api_base"
            )

    async def alook(request: Any) -> None:
        look(request)

    def hold(holder: Any) -> None:
        """Of LiteLLM's handler, which may make its client again, or of openai's client."""
        client = getattr(holder, "client", None) or getattr(holder, "_client", None)
        hooks = getattr(client, "event_hooks", None)
        hook = alook if hasattr(client, "aclose") else look
        if isinstance(hooks, dict) and hook not in hooks["request"]:
            hooks["request"].append(hook)
            _watch(client, hooks)
            if hasattr(holder, "event_hooks"):
                holder.event_hooks = hooks

    class Clients(litellm.caching.llm_caching_handler.LLMClientCache):  # type: ignore[misc]
        """LiteLLM's cache of HTTP clients."""

        def set_cache(self, key: str, value: Any, **given: Any) -> Any:
            hold(value)
            return super().set_cache(key, value, **given)

    litellm.in_memory_llm_clients_cache = Clients()
    for name in ("module_level_aclient", "module_level_client"):
        hold(getattr(litellm, name))
