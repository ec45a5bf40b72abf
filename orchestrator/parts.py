"""What an orchestrator is made of; each part is made when it is first needed."""

from __future__ import annotations

import asyncio
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestrator.asking import load_library
from orchestrator.cache import Cached, Store
from orchestrator.config import Config, cache_directory, ledger_directory
from orchestrator.dropin import DropIn
from orchestrator.finetune import ACCEPTED, Accepted
from orchestrator.ledger import Ledger, days_ago
from orchestrator.prompts import Prompts
from orchestrator.routing import RouterCompleter
from orchestrator.runs import Runs
from orchestrator.shipped import shipped
from orchestrator.structured import Structured
from orchestrator.sync import Once

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.events import Hook


class Parts:
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
        self._router = RouterCompleter(self.config, environ=self._environ, router=router)
        settings = self.config.orchestrator
        self._ledger = Ledger(
            ledger_directory(settings.ledger, self._environ), settings.budgets.usd_per_request
        )
        self._open = Once(self._load)  # an event loop must not wait for the disk

    async def aclose(self) -> None:
        """Close the Router, its HTTP clients and the cache."""
        await self._router.aclose()
        if self._open.is_done:
            await asyncio.to_thread(self._store.close)

    def _load(self) -> None:
        self._prompts.load()
        load_library()
        _ = self._store
        self._router.modes.load()
        if self.config.orchestrator.budgets.bound_a_day:
            self._router.remember(self._ledger.spent_today())
        self._router.monitor.note_lines(self._ledger.lines(since=days_ago(1)))

    @cached_property
    def _prompts(self) -> Prompts:
        return Prompts(shipped("prompts", "templates"))

    @cached_property
    def _store(self) -> Store:
        settings = self.config.orchestrator.cache
        directory = cache_directory(settings, self._environ)
        return Store(directory, size_limit_mb=settings.size_limit_mb)

    @cached_property
    def _completer(self) -> Cached:
        return Cached(
            self._router,
            self._store,
            fingerprint=self._router.deployments.fingerprint,
            max_age_s=self.config.orchestrator.cache.max_age_s,
        )

    @cached_property
    def _drop_in(self) -> DropIn:
        settings = self.config.orchestrator
        return DropIn(self._router, lambda: self._store, self._ledger, settings)

    @cached_property
    def _runs(self) -> Runs:
        settings = self.config.orchestrator
        directory = cache_directory(settings.cache, self._environ)
        accepted = Accepted(directory / ACCEPTED if settings.cache.keep_accepted else None)
        return Runs(self._router, self._completer, settings, accepted, self._hook)

    @cached_property
    def _structured(self) -> Structured:
        return Structured(self._runs, self._ledger, self._prompts)
