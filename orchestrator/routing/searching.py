"""Searches: engines in order, within a deadline and a budget, through the cache."""

from __future__ import annotations

import asyncio
import functools
import time
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.cache.cached_call import CacheEntry, cached_call
from orchestrator.cache.keys import LAYOUT, digest
from orchestrator.routing import _litellm
from orchestrator.routing.budget import NOTHING
from orchestrator.routing.engines import DDGS, Engines, engines_of, report
from orchestrator.routing.search_calls import EngineCalls, EngineError
from orchestrator.routing.search_record import Search, SearchAttempt
from orchestrator.types.cached import cached_property
from orchestrator.types.caching import AS_CONFIGURED, CachePolicy
from orchestrator.types.errors import BudgetExceededError
from orchestrator.types.requests import Usage
from orchestrator.types.searching import MOST_RESULTS, SearchHit, SearchResults

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from orchestrator.cache.cached_call import AnswerStore
    from orchestrator.cache.single_flight import SingleFlight
    from orchestrator.config.settings import Config
    from orchestrator.routing.engines import SearchEngine
    from orchestrator.routing.transport import Transport
    from orchestrator.types.caching import CacheMode
    from orchestrator.types.run_context import RunContext

_LONGEST_S = 300
_MOST_TRIES = 3  # of one engine
_JITTER_S = 0.5
_RESULTS = (str, float | int | None, str, list)  # the parts of a stored value
_GRACE_S = 0.2  # for what an engine's own deadline leaves to write down


class Searcher:
    """Asks the engines of a configuration, the next where one fails or finds nothing."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        *,
        store: Callable[[], AnswerStore],
        flights: Callable[[], SingleFlight],
        transport: Transport,
    ) -> None:
        """Results are kept in what `store` gives; `transport` has the budgets.

        Raises: ConfigError, MissingExtraError: requests are searched for, and nothing can be asked.
        """
        self._config = config
        self._settings = config.orchestrator.search
        self._environ = environ
        self._store = store
        self._flights = flights
        self._transport = transport
        self._calls = EngineCalls(self._settings.region, environ.get("DDGS_PROXY", ""))
        self._named: dict[str, Engines] = {}
        cache = config.orchestrator.cache
        self._is_taped = cache.mode in ("record", "replay")
        if cache.mode != "replay":
            report(config, self.engines)
            if self._settings.mode != "off":
                self.engines.require()

    @cached_property
    def engines(self) -> Engines:
        """What can be asked, in order, and what cannot.

        Raises: ConfigError: a name is not an engine.
        """
        return engines_of(self._config, self._environ)

    async def search(
        self,
        query: str,
        *,
        context: RunContext,
        max_results: int | None = None,
        within_s: float | None = None,
        engine: str = "",
        cache: CacheMode | None = None,
        keep: CachePolicy = AS_CONFIGURED,
    ) -> SearchResults:
        """What the first engine finds that finds anything; `engine` asks that one alone.

        Takes at most `within_s` (`search.timeout_s`), and where LiteLLM is needed and not loaded
        yet the seconds of its import. Each call is added to the cost of `context`. An engine that
        fails is listed in the results; so is a deadline.

        Raises:
            BudgetExceededError: the next call could cost more than what is left; nothing is sent.
            ConfigError, MissingExtraError: no engine can be asked.
            CacheMissError: in the mode replay, where nothing is recorded.
            ValueError: the query is blank, or `max_results` or `within_s` is out of range.
        """
        query = unicodedata.normalize("NFC", " ".join(query.split()))
        most = self._settings.max_results if max_results is None else max_results
        seconds = self._settings.timeout_s if within_s is None else within_s
        if not query or query != query.encode(errors="replace").decode():
            raise ValueError("the query is blank or not UTF-8; say what to search for")
        if not 1 <= most <= MOST_RESULTS or not 0 < seconds <= _LONGEST_S:
            raise ValueError(
                f"max_results must be in 1 to 20, and within_s above 0 and at most {_LONGEST_S}"
            )
        mode = self._mode(cache)
        chain = () if mode == "replay" else await asyncio.to_thread(self._chain, engine)
        asked = Search(query, most, seconds, context)
        ask = functools.partial(self._ask_all, chain, asked)
        entry = self._entry(self._question(chain, query, most, engine), mode, keep, context)
        if any(one.provider != DDGS for one in chain) and not await _is_there(entry):
            await _litellm.loaded()  # takes seconds once, which are not the engine's
        try:
            async with asyncio.timeout(seconds + _GRACE_S):
                return await (ask() if mode == "off" else self._cached(entry, asked, ask))
        except TimeoutError:
            return SearchResults(query, failures=(f"nobody answered within {seconds:g} s",))

    async def _cached(
        self,
        entry: CacheEntry[SearchResults],
        asked: Search,
        ask: Callable[[], Coroutine[Any, Any, SearchResults]],
    ) -> SearchResults:
        try:
            result = await cached_call(entry, self._flights(), ask=ask, encode=_encoded)
        except BudgetExceededError:
            if asked.has_begun:
                raise
            return await ask()  # it was the budget of another search
        found = result.value
        if result.is_mine:
            return found
        if not found.engine:
            return await ask()  # another search failed, which may have had less time
        asked.context.cost.add_cached(Usage(), found.cost_usd)
        return replace(found, query=asked.query, cached=True, cost_usd=0.0)

    def _mode(self, asked: CacheMode | None) -> CacheMode:
        configured = self._config.orchestrator.cache.mode
        return configured if self._is_taped or asked is None else asked

    def engines_named(self, engine: str) -> Engines:
        """The configured engines, or the one that is asked alone where `engine` names it.

        Raises: ConfigError: it is not an engine.
        """
        if engine and engine not in self._named:
            self._named[engine] = engines_of(self._config, self._environ, (engine,))
        return self._named[engine] if engine else self.engines

    def _chain(self, engine: str) -> tuple[SearchEngine, ...]:
        return self.engines_named(engine).require()

    def _question(
        self, chain: tuple[SearchEngine, ...], query: str, most: int, engine: str
    ) -> dict[str, object]:
        return {
            "layout": LAYOUT,
            "route": "search",
            "messages": [["user", query]],
            # A recording is the same under every configuration.
            "engines": engine if self._is_taped else [one.identity for one in chain],
            "max_results": most,
            "region": self._settings.region,
        }

    def _entry(
        self, question: dict[str, object], mode: CacheMode, keep: CachePolicy, context: RunContext
    ) -> CacheEntry[SearchResults]:
        ttl_s, store = self._settings.ttl_s, self._store()
        if self._config.orchestrator.cache.share == "tenant":
            question["tenant"] = context.cost.tenant
        policy = replace(keep, ttl_s=keep.ttl_s or ttl_s, oldest_s=keep.oldest_s or ttl_s)
        return CacheEntry(store, digest(question), question, mode, policy, ttl_s, _decoded)

    async def _ask_all(self, chain: tuple[SearchEngine, ...], asked: Search) -> SearchResults:
        """Ask one engine after the other until one finds something.

        One that others follow gets half of the time that is left.
        """
        asked.has_begun = True
        until, failures, empty = time.monotonic() + asked.seconds, [], ""
        for place, one in enumerate(chain):
            left = until - time.monotonic()
            if left <= 0:
                failures.append(f"{one.name}: not asked, the {asked.seconds:g} s were over")
                continue
            try:
                hits = await self._ask(one, asked, left if one is chain[-1] else left / 2)
            except EngineError as failure:
                failures.append(f"{one.name}: {failure}")
                continue
            if hits:
                return asked.results(hits, one.name, failures)
            empty = empty or one.name
            if place < len(chain) - 1:
                failures.append(f"{one.name}: it found nothing")
        return asked.results((), empty, failures)

    async def _ask(self, one: SearchEngine, asked: Search, seconds: float) -> tuple[SearchHit, ...]:
        """The results of one engine; a fault that may pass is asked again where time is left.

        Raises: EngineError: it gave none; BudgetExceededError.
        """
        import tenacity  # noqa: PLC0415  needed by searches alone

        until = time.monotonic() + seconds
        jitter = tenacity.wait_random_exponential(multiplier=_JITTER_S, max=4 * _JITTER_S)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            stated = getattr(error, "retry_after_s", None)
            return jitter(state) if stated is None else stated + jitter(state) / 4

        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda e: getattr(e, "is_transient", False)),
            wait=wait,
            stop=tenacity.stop_after_attempt(_MOST_TRIES) | tenacity.stop_before_delay(seconds),
            reraise=True,
        )
        return await tries(self._call, one, asked, until)

    async def _call(self, one: SearchEngine, asked: Search, until: float) -> tuple[SearchHit, ...]:
        """One call: reserved and announced before it is sent, on the bill however it ends."""
        limiter, cost = self._transport.budget_limiter, asked.context.cost
        price = await asyncio.to_thread(one.price_usd, asked.most)  # the first reads a table
        router, reserved = None, NOTHING
        if price != 0.0 and limiter.is_bound(cost):
            if price is None:
                raise BudgetExceededError(
                    f"a budget is set and the price of a search by {one.name} is not known. State"
                    " input_cost_per_query in the litellm_params of a search tool."
                )
            router = await self._transport.router()  # its Redis, where there is one
            reserved = await limiter.reserve_usd(router, price, cost)
        call = SearchAttempt(one, price)
        try:
            cost.send(call.expected)
            return await self._recorded(call, asked, until - time.monotonic())
        finally:
            await limiter.settle(router, reserved, call.ended)

    async def _recorded(
        self, call: SearchAttempt, asked: Search, seconds: float
    ) -> tuple[SearchHit, ...]:
        try:
            hits, usd = await self._calls.hits(
                call.engine, asked.query, asked.most, seconds, call.seen
            )
            call.end("answered", 200, usd=call.price if usd is None else usd)
        except EngineError as error:
            call.end(error.outcome, error.status, was_sent=error.was_sent)
            raise
        except TimeoutError:
            call.give_up("Timeout")
            raise EngineError(f"no answer within {seconds:.3g} s", "Timeout") from None
        except BaseException:
            call.give_up("cancelled")
            raise
        finally:
            cost = asked.context.cost
            cost.add(call.ended, instead_of=call.expected, unsent=call.unsent)
            asked.billed.add(call.ended)
        return hits

    async def aclose(self) -> None:
        """Close the Router of the searches, and its HTTP clients."""
        await self._calls.aclose()


async def _is_there(entry: CacheEntry[SearchResults]) -> bool:
    """Whether the cache is going to answer, or nothing is to be loaded any more."""
    if _litellm.load.cache_info().currsize:
        return True
    return entry.mode in ("use", "record") and await entry.find() is not None


def _encoded(found: SearchResults) -> list[object] | None:
    """Results as JSON; `_decoded` reads it. None where nothing was found: that may pass."""
    if not found.hits:
        return None
    hits = [[hit.title, hit.url, hit.snippet, hit.date] for hit in found.hits]
    return [found.engine, found.cost_usd, found.retrieved_at, hits]


def _decoded(parts: list[Any]) -> SearchResults | None:
    """The results that `_encoded` made a value of; None for anything else."""
    if len(parts) != 4 or not all(map(isinstance, parts, _RESULTS)):
        return None
    engine, usd, moment, hits = parts
    if not all(isinstance(hit, list) and list(map(type, hit)) == [str] * 4 for hit in hits):
        return None
    found = tuple(SearchHit(*hit) for hit in hits)
    return SearchResults("", found, engine, cost_usd=usd, retrieved_at=moment)
