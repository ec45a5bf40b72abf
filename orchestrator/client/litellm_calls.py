"""LiteLLM's own calls, with the cache in front of them and a line in the ledger behind."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.cache.cached_call import dated, missing, parts_of, read
from orchestrator.cache.keys import call_question, key_of
from orchestrator.cache.single_flight import Flights
from orchestrator.generation.request_building import cache_use
from orchestrator.routing.attempts import cost_of, usage_of
from orchestrator.routing.stream import recorded
from orchestrator.types.errors import CacheMissError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.cache.cached_call import AnswerStore
    from orchestrator.cache.gate import Gate
    from orchestrator.config.settings import Settings
    from orchestrator.ledger.ledger import Ledger, LedgerEntry
    from orchestrator.routing.complete import RouterCompleter
    from orchestrator.types.requests import CacheMode, CachePolicy
    from orchestrator.types.run_context import RunContext

#: LiteLLM's class of the answer, by call.
_ANSWERS = {"acompletion": "ModelResponse", "aembedding": "EmbeddingResponse"}
_READING = ("use", "replay", "record")


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where an answer is kept and how."""

    key: str
    mode: CacheMode
    keep: CachePolicy


class LiteLLMCalls:
    """Takes LiteLLM's arguments and gives LiteLLM's responses."""

    def __init__(
        self,
        router: RouterCompleter,
        store: Callable[[], AnswerStore],
        ledger: Ledger,
        settings: Settings,
        *,
        fingerprint: Callable[[str | None], Awaitable[str]],
        gate: Gate | None = None,
    ) -> None:
        self._router = router
        self._store = store
        self._ledger = ledger
        self._settings = settings
        self._fingerprint = fingerprint
        self._flights = Flights(gate)

    async def call(self, method: str, arguments: dict[str, Any]) -> Any:
        """Answer from the cache, from a call already under way, or through the Router."""
        mode, keep = cache_use(arguments.pop("cache", None), self._settings.cache.mode)
        if ttl := arguments.pop("cache_ttl", None):
            keep = replace(keep, ttl_s=float(ttl))
        opened = self._ledger.open(
            method,
            route=str(arguments.get("model") or "default"),
            tenant=str(arguments.pop("tenant", "") or ""),
        )
        with opened as entry:
            context = entry.context
            known = None if mode == "off" else await self._known(method, arguments)
            if known is None:
                if mode == "replay":
                    raise CacheMissError("a call with classes or callables cannot be replayed")
                return self._detached(await self._router.forward(method, arguments, context), entry)
            key, question = known
            kept = _Kept(key, mode, keep)
            found = await self._found(kept) if mode in _READING else None
            if found is not None:
                return await self._revived(method, *found, context)
            if mode == "replay":
                raise await asyncio.to_thread(missing, self._store(), question)
            put = functools.partial(self._put, kept, question)
            if arguments.get("stream"):
                stream = await self._router.forward(method, arguments, context)
                return self._detached(recorded(stream, put), entry)
            return await self._asked(method, arguments, kept, put, context)

    async def _asked(
        self,
        method: str,
        arguments: dict[str, Any],
        kept: _Kept,
        put: Callable[[object, float | None], None],
        context: RunContext,
    ) -> Any:
        async def ask() -> Any:
            response = await self._router.forward(method, arguments, context)
            if _is_whole(response):
                await asyncio.to_thread(put, response.model_dump(mode="json"), cost_of(response))
            return response

        landed = await self._flights.once(
            kept.key, kept.mode, kept.keep, found=lambda: self._found(kept), ask=ask
        )
        made = landed.value
        if not landed.is_new:
            return await self._revived(method, made[0], made[1], context)
        if landed.is_mine:
            return made
        # Whoever waited gets a response of their own, and owes nothing.
        return await self._revived(method, made.model_dump(mode="json"), cost_of(made), context)

    async def _found(self, kept: _Kept) -> tuple[Any, float | None] | None:
        """The body and the price that are kept; None for none, or for one that is not taken."""
        parts = parts_of(await read(self._store(), kept.key), 2, kept.mode, kept.keep)
        return None if parts is None else (parts[0], parts[1])

    def _put(self, kept: _Kept, question: dict[str, Any], body: object, cost: float | None) -> None:
        age = kept.keep.ttl_s or self._settings.cache.max_age_s
        value = dated(kept.mode, body, cost)
        self._store().put(kept.key, value, question=question, max_age_s=age, tag=kept.keep.tag)

    @staticmethod
    def _detached(response: Any, entry: LedgerEntry) -> Any:
        """A stream is booked when it ends."""
        if hasattr(response, "when_over"):
            entry.is_detached = True
            response.when_over(entry.close)
        return response

    async def _revived(
        self, method: str, body: Any, cost: float | None, context: RunContext
    ) -> Any:
        """The response that was kept."""
        if isinstance(body, list):
            return await self._router.replayed(body, cost, context)
        response = await self._router.revived(_ANSWERS[method], body)
        context.cost.add_cached(usage_of(response), cost)
        return response

    async def _known(
        self, method: str, arguments: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]] | None:
        """The question of a call and its key; None when it has no JSON form."""
        fingerprint = await self._fingerprint(arguments.get("model"))
        question = call_question(method, arguments, fingerprint=fingerprint)
        try:
            return key_of(question), question
        except TypeError:
            return None


def _is_whole(response: Any) -> bool:
    choices = getattr(response, "choices", None)
    return choices is None or all(c.finish_reason in ("stop", "tool_calls") for c in choices)
