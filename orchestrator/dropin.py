"""LiteLLM's own calls, with the cache in front of them and a line in the ledger behind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.cache import LAYOUT, digest
from orchestrator.routing import cost_of, usage_of
from orchestrator.tally import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.cache import Store
    from orchestrator.config import Settings
    from orchestrator.ledger import Ledger
    from orchestrator.result import CacheMode
    from orchestrator.routing import RouterCompleter

#: LiteLLM's class of the answer, by call.
_ANSWERS = {"acompletion": "ModelResponse", "aembedding": "EmbeddingResponse"}


class DropIn:
    """Takes LiteLLM's arguments and gives LiteLLM's responses."""

    def __init__(
        self,
        router: RouterCompleter,
        store: Callable[[], Store],
        ledger: Ledger,
        settings: Settings,
    ) -> None:
        self._router = router
        self._store = store
        self._ledger = ledger
        self._settings = settings

    async def call(self, method: str, arguments: dict[str, Any]) -> Any:
        """Answer from the cache or through the Router; streams are always asked."""
        mode = self._mode(arguments.pop("cache", None))
        opened = self._ledger.open(
            method,
            route=str(arguments.get("model") or "default"),
            tenant=str(arguments.pop("tenant", "") or ""),
        )
        with opened as entry:
            key = None if mode == "off" else await self._key(method, arguments)
            if key is not None:
                return await self._cached(method, arguments, key, mode)
            response = await self._router.forward(method, arguments)
            if arguments.get("stream") and hasattr(response, "when_over"):
                entry.is_detached = True
                response.when_over(entry.close)
            return response

    async def _cached(
        self, method: str, arguments: dict[str, Any], key: str, mode: CacheMode
    ) -> Any:
        store = self._store()
        if mode == "use" and (stored := _stored(store.get(key))) is not None:
            body, cost = stored
            response = await self._router.revived(_ANSWERS[method], body)
            if (tally := current()) is not None:
                tally.served(usage_of(response), cost)
            return response
        response = await self._router.forward(method, arguments)
        if _is_whole(response):
            kept = [LAYOUT, response.model_dump(mode="json"), cost_of(response)]
            await asyncio.to_thread(store.put, key, kept)
        return response

    def _mode(self, given: CacheMode | Mapping[str, object] | None) -> CacheMode:
        """Ours, or LiteLLM's ``{"no-cache": True, "no-store": True}``."""
        if isinstance(given, Mapping):
            if given.get("no-store"):
                return "off"
            return "refresh" if given.get("no-cache") else self._settings.cache.mode
        return given or self._settings.cache.mode

    async def _key(self, method: str, arguments: Mapping[str, Any]) -> str | None:
        """What identifies a call; None when it cannot be cached."""
        if arguments.get("stream"):
            return None
        fingerprint = await self._router.fingerprint(arguments.get("model"))
        try:
            return digest([method, fingerprint, arguments])
        except TypeError:
            return None  # a class or a callable among the arguments


def _stored(found: object) -> tuple[dict[str, Any], float | None] | None:
    if not isinstance(found, list) or len(found) != 3 or found[0] != LAYOUT:
        return None
    return found[1], found[2]


def _is_whole(response: Any) -> bool:
    choices = getattr(response, "choices", None)
    return choices is None or all(c.finish_reason in ("stop", "tool_calls") for c in choices)
