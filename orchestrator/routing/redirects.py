"""Redirects of LiteLLM's HTTP clients: followed on the same origin, refused to any other.

The clients follow every redirect. To another origin they take along all keys but the one in
``Authorization``, and with 307 and 308 the prompt. Each client that LiteLLM makes passes through
its cache of clients; there it gets a hook of httpx's that sees every request before it is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.models.origins import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

_ORIGIN = "orchestrator_origin"


class RedirectRefusedError(Exception):
    """A server answered with the address of another origin; the message names both."""


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
