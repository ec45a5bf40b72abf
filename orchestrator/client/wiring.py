"""What an orchestrator is made of; each part is made when it is first needed."""

from __future__ import annotations

import asyncio
import functools
import os
from typing import TYPE_CHECKING, Any

from orchestrator.cache.accepted import AcceptedRuns, FailedRuns
from orchestrator.cache.cached_call import AnswerStore, CachingCompleter
from orchestrator.cache.cassette import Cassette
from orchestrator.cache.single_flight import SingleFlight
from orchestrator.cache.store import Store
from orchestrator.client.gmn_tasks import GMNTasks
from orchestrator.client.litellm_calls import LiteLLMCalls
from orchestrator.client.searches import Searches
from orchestrator.client.stores import failed_runs_of, locks_of, store_of
from orchestrator.client.structured import Structured
from orchestrator.config.paths import shipped
from orchestrator.config.settings import (
    Config,
    cache_directory,
    cassette_directory,
    ledger_directory,
)
from orchestrator.generation.evaluation.finetune import ACCEPTED, Accepted
from orchestrator.generation.loop import GenerationLoop
from orchestrator.generation.prompts import Prompts
from orchestrator.generation.request_building import load_library
from orchestrator.ledger.ledger import Ledger, days_ago
from orchestrator.models.secrets import secrets_of
from orchestrator.routing.complete import RouterCompleter
from orchestrator.types.blocking import Once
from orchestrator.types.cached import cached_property

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.routing.searching import Searcher
    from orchestrator.types.events import Hook


def _no_fingerprint(route: str) -> str:
    """A recording is the same under every configuration."""
    del route
    return ""


async def _no_fingerprint_known(model: str | None) -> str:
    return _no_fingerprint(str(model))


class Wiring:
    """Configuration, Router, ledger, prompts, store, and what runs over them."""

    def __init__(
        self,
        config: str | Path | Mapping[str, object] | Config | None,
        *,
        hook: Hook | None,
        environ: Mapping[str, str] | None,
        router: Any,
    ) -> None:
        """See `Orchestrator`."""
        self._environ = os.environ if environ is None else environ
        self.config = Config.load(config, self._environ)
        self._hook = hook
        settings = self.config.orchestrator
        private = secrets_of(self.config, self._environ)
        self._tape = Cassette(
            cassette_directory(settings.cache, self._environ),
            clean=lambda value: private.removed_from(value)[0],
        )
        self._router = RouterCompleter(
            self.config,
            environ=self._environ,
            router=router,
            recorded=self._tape.routes if settings.cache.mode == "replay" else None,
        )
        self._ledger = Ledger(
            ledger_directory(settings.ledger, self._environ),
            settings.budgets.usd_per_request,
            settings.budgets.tokens_per_request,
            must_write=settings.budgets.must_be_on_the_bill,
        )
        if self.config.is_searched:
            _ = self._searcher  # what is wrong with it is said now, not in the first search
        self._open = Once(self._load)  # an event loop must not wait for the disk

    async def aclose(self) -> None:
        """Close the Router, its HTTP clients and the cache."""
        await self._router.aclose()
        if "_searcher" in vars(self):
            await self._searcher.aclose()
        if self._open.is_done:
            await asyncio.to_thread(self._store.close)
            if self._flights.locks is not None:
                await asyncio.to_thread(self._flights.locks.close)

    def _load(self) -> None:
        self._prompts.load()
        load_library()
        _ = self._store
        if self._flights.locks is not None:
            self._flights.locks.sweep()
        if self._is_taped:
            self._tape.load()
        if self.config.orchestrator.cache.mode == "record":
            self._tape.note_routes(self._router.as_recorded())
        self._router.modes.load()
        if self.config.orchestrator.budgets.bound_a_day:
            self._router.remember(self._ledger.spent_today())
        self._router.monitor.record_lines(self._ledger.recent_lines(days_ago(1)))

    @cached_property
    def _prompts(self) -> Prompts:
        return Prompts(shipped("prompts", "templates"))

    @property
    def _is_taped(self) -> bool:
        """Whether answers come from recordings, and go there."""
        return self.config.orchestrator.cache.mode in ("record", "replay")

    @cached_property
    def _flights(self) -> SingleFlight:
        if self._is_taped:
            return SingleFlight()
        return SingleFlight(locks_of(self.config.orchestrator.cache, self._environ))

    @cached_property
    def _keeps(self) -> AnswerStore:
        return self._tape if self._is_taped else self._store

    @cached_property
    def _store(self) -> Store:
        return store_of(self.config.orchestrator.cache, self._environ)

    @cached_property
    def _searcher(self) -> Searcher:
        from orchestrator.routing.searching import (  # noqa: PLC0415  few requests are searched for
            Searcher,
        )

        return Searcher(
            self.config,
            self._environ,
            store=lambda: self._keeps,
            flights=lambda: self._flights,
            transport=self._router.transport,
        )

    @cached_property
    def _completer(self) -> CachingCompleter:
        return CachingCompleter(
            self._router,
            self._keeps,
            fingerprint=self._router.deployments.fingerprint
            if not self._is_taped
            else _no_fingerprint,
            max_age_s=self.config.orchestrator.cache.max_age_s,
            flights=self._flights,
        )

    @cached_property
    def _litellm_calls(self) -> LiteLLMCalls:
        settings = self.config.orchestrator
        known = self._router.fingerprint if not self._is_taped else _no_fingerprint_known
        return LiteLLMCalls(self._router, self._keeps, self._ledger, settings, known, self._flights)

    @cached_property
    def _loop(self) -> GenerationLoop:
        settings = self.config.orchestrator
        directory = cache_directory(settings.cache, self._environ)
        accepted = Accepted(directory / ACCEPTED if settings.cache.keep_accepted else None)
        runs, failed = None, None
        if not self._is_taped:  # a recording holds every answer, and each in a file of its own
            fingerprint = self._router.deployments.fingerprint
            runs = AcceptedRuns(self._store, fingerprint, settings.cache.max_age_s)
            if (ledger := self._ledger.directory) is not None:
                opened = functools.partial(failed_runs_of, ledger, settings.cache, self._environ)
                failed = FailedRuns(opened)
        return GenerationLoop(
            self._router, self._completer, settings, accepted, runs, self._hook, failed
        )

    @cached_property
    def _gmn_tasks(self) -> GMNTasks:
        return GMNTasks(self._loop, self._prompts, self._ledger)

    @cached_property
    def _searches(self) -> Searches:
        return Searches(self._loop, lambda: self._searcher, self._structured)

    @cached_property
    def _structured(self) -> Structured:
        return Structured(self._loop, self._ledger, self._prompts)
