"""LiteLLM's own calls, with the cache in front of them and a line in the ledger behind."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.cache.cached_call import CacheEntry, cached_call
from orchestrator.cache.keys import call_question, digest
from orchestrator.generation.request_building import cache_use
from orchestrator.routing.attempts import cost_of
from orchestrator.routing.counts import usage_of
from orchestrator.routing.stream import is_whole, recorded
from orchestrator.routing.unlisted import as_we_say
from orchestrator.types.errors import CacheMissError
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.cache.cached_call import AnswerStore
    from orchestrator.cache.single_flight import SingleFlight
    from orchestrator.config.settings import Settings
    from orchestrator.ledger.ledger import Ledger, LedgerEntry
    from orchestrator.routing.complete import RouterCompleter
    from orchestrator.types.caching import CacheMode, CachePolicy
    from orchestrator.types.run_context import RunContext

_SAID_OTHERWISE = frozenset({"custom_llm_provider", "caching"})
_PARTS = (dict | list, float | int | None, dict)
#: What an address may carry of a secret.
_ACCESS = pattern(r"(?<=//)[^/@]*@|[?#].*")
#: LiteLLM's class of the answer, by call.
_ANSWERS = {"acompletion": "ModelResponse", "aembedding": "EmbeddingResponse"}


@dataclass(frozen=True)
class LiteLLMCalls:
    """Takes LiteLLM's arguments and gives LiteLLM's responses."""

    router: RouterCompleter
    store: AnswerStore
    ledger: Ledger
    settings: Settings
    fingerprint: Callable[[str | None], Awaitable[str]]
    flights: SingleFlight

    async def call(
        self,
        method: str,
        arguments: dict[str, Any],
        before: Callable[[RunContext], Awaitable[None]] | None = None,
    ) -> Any:
        """Answer from the cache, from a call already under way, or through the Router.

        `before` may change the arguments, on the same bill.

        Raises:
            TypeError: `messages` is not a list, or an embedding has no input.
            ValueError: the input of an embedding is an empty list. LiteLLM would find these out on
                the wire, and ask twice.
        """
        tenant = str(arguments.get("tenant") or "")
        _check_arguments(method, arguments)
        if not _SAID_OTHERWISE.isdisjoint(arguments):
            arguments = as_we_say(arguments, self.router.resolve)
        mode, keep = cache_use(arguments.get("cache"), self.settings.cache, tenant)
        if ttl := arguments.pop("cache_ttl", None):
            keep = replace(keep, ttl_s=float(ttl))
        route = str(arguments.get("model") or "default")
        with self.ledger.open(method, route=route, tenant=tenant) as entry:
            if before is not None:
                await before(entry.context)
            for name in ("cache", "tenant"):
                arguments.pop(name, None)
            kept = None if mode == "off" else await self._kept(method, arguments, mode, keep)
            ask = functools.partial(self.router.forward, method, arguments, entry.context)
            if kept is None:
                if mode == "replay":
                    raise CacheMissError("a call with classes or callables cannot be replayed")
                return self._detached(await ask(), entry)
            flights = None if arguments.get("stream") else self.flights
            result = await cached_call(kept, flights, ask=ask, encode=_encoded)
            made = result.value
            if result.is_mine and flights is None:
                hidden = _hidden(made)
                made = recorded(made, lambda *parts: kept.keep([*parts, hidden]))
                return self._detached(made, entry)
            if result.is_mine:
                return made
            # A follower gets a response of its own, and is billed 0.
            stored = made if result.is_hit else _Stored(*_parts(made))
            return await self._revived(method, stored, entry.context)

    @staticmethod
    def _detached(response: Any, entry: LedgerEntry) -> Any:
        """The response; the ledger entry of a stream is closed when the stream ends."""
        if hasattr(response, "when_over"):
            entry.is_detached = True
            response.when_over(entry.close)
        return response

    async def _revived(self, method: str, stored: _Stored, context: RunContext) -> Any:
        """The response that was kept."""
        if isinstance(stored.body, list):
            return await self.router.replayed(stored.body, stored.cost, context, stored.hidden)
        response = await self.router.revived(_ANSWERS[method], stored.body, stored.hidden)
        context.cost.add_cached(usage_of(response), stored.cost)
        return response

    async def _kept(
        self, method: str, arguments: Mapping[str, Any], mode: CacheMode, policy: CachePolicy
    ) -> CacheEntry[Any] | None:
        """Where the response is kept; None for arguments that have no JSON form."""
        fingerprint = await self.fingerprint(arguments.get("model"))
        if self.router.deployments.router_settings.value.get("enable_tag_filtering"):
            fingerprint += _tags(arguments)  # they choose among the deployments
        question = call_question(method, arguments, fingerprint=fingerprint, policy=policy)
        try:
            key = digest(question)
        except TypeError:
            return None
        max_age_s = self.settings.cache.max_age_s
        return CacheEntry(self.store, key, question, mode, policy, max_age_s, _stored)


def _check_arguments(method: str, arguments: Mapping[str, Any]) -> None:
    if not isinstance(messages := arguments.get("messages", ()), list | tuple):
        raise TypeError(f"messages must be a list of messages, not {type(messages).__name__}")
    if method != "aembedding":
        return
    if (stated := arguments.get("input")) is None:
        raise TypeError("input is missing: a text, or a list of texts, to make vectors of")
    if isinstance(stated, list | tuple) and not stated:
        raise ValueError("input is an empty list: there is nothing to make vectors of")


def _tags(arguments: Mapping[str, Any]) -> str:
    stated = [(arguments.get(name) or {}).get("tags") for name in ("metadata", "litellm_metadata")]
    return f" {stated}" if any(stated) else ""


class _Stored(NamedTuple):
    """What is kept of a response: its JSON form or its parts', its cost, its hidden parameters."""

    body: Any
    cost: float | None
    hidden: Mapping[str, Any] = MappingProxyType({})  # none in the entries of earlier versions


def _stored(parts: list[Any]) -> _Stored | None:
    if len(parts) not in (2, 3) or not all(map(isinstance, parts, _PARTS)):
        return None
    return _Stored(*parts)


def _encoded(response: Any) -> list[object] | None:
    """The parts of a whole response; None of one that was cut off, declined, or says nothing."""
    choices = getattr(response, "choices", None) or ()
    return _parts(response) if all(map(is_whole, choices)) else None


def _parts(response: Any) -> list[Any]:
    return [response.model_dump(mode="json"), cost_of(response), _hidden(response)]


def _hidden(response: Any) -> dict[str, Any]:
    """The hidden parameters as a hit will have them: what was measured or sent once is empty."""
    found = getattr(response, "_hidden_params", None) or {}
    hidden: dict[str, Any] = {
        name: value if isinstance(value, str | int | float) else None
        for name, value in found.items()
    }
    hidden |= {name: 0.0 for name in hidden if name.endswith("_ms")}
    if base := hidden.get("api_base"):
        hidden["api_base"] = _ACCESS.sub("", str(base))
    for name in ("headers", "additional_headers"):
        if isinstance(headers := found.get(name), Mapping):
            # The Router's own count nothing secret; a provider's may, and speak of that moment.
            hidden[name] = {k: v for k, v in headers.items() if k.startswith("x-litellm-")}
    return hidden
