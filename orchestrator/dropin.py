"""LiteLLM's own call, with the cache in front of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from orchestrator.cache import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.cache import Store
    from orchestrator.result import CacheMode
    from orchestrator.routing import RouterCompleter


class DropIn:
    """Takes LiteLLM's arguments and gives LiteLLM's responses."""

    def __init__(
        self, router: RouterCompleter, store: Callable[[], Store], *, mode: CacheMode
    ) -> None:
        self._router = router
        self._store = store
        self._mode = mode

    async def acompletion(self, **litellm_arguments: Any) -> Any:
        """Answer from the cache or through the Router; streams are always asked."""
        mode = litellm_arguments.pop("cache", None) or self._mode
        key = None if mode == "off" else self._key(litellm_arguments)
        if key is None:
            return await self._router.acompletion(**litellm_arguments)
        store = self._store()
        if mode == "use" and (stored := store.get(key)) is not None:
            return await self._router.revived(stored)
        response = await self._router.acompletion(**litellm_arguments)
        if response.choices[0].finish_reason in ("stop", "tool_calls"):
            await asyncio.to_thread(store.put, key, response.model_dump(mode="json"))
        return response

    def _key(self, arguments: Mapping[str, Any]) -> str | None:
        """What identifies a call; None when it cannot be cached."""
        if arguments.get("stream"):
            return None
        deployments = self._router.deployments
        name = self._router.resolve(arguments.get("model"))
        try:
            return digest(["acompletion", deployments.fingerprint(name), arguments])
        except TypeError:
            return None  # a class or a callable among the arguments
