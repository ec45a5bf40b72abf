"""The `Orchestrator` behind the agents: one at a time, so that one budget and one limit hold."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from orchestrator.client.orchestrator import Orchestrator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orchestrator.agents.tasks.registry import AgentRegistry


class AgentCalls:
    """Lends the orchestrator over the agents that are registered now."""

    def __init__(self, registry: AgentRegistry) -> None:
        self._registry = registry
        self._made: Orchestrator | None = None
        self._version = -1
        self._under_way = 0
        self._turn = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.asynccontextmanager
    async def orchestrator(self) -> AsyncIterator[Orchestrator]:
        """The orchestrator, for one call. Where agents were registered since it was made, calls
        that are under way end first, so that what they may cost is counted.

        Raises: ConfigError: no agent can be called.
        """
        async with self._turn:
            if self._made is None or self._version != self._registry.version:
                await self._idle.wait()
                await self._close()
                self._version = self._registry.version
                config, environ = self._registry.config, self._registry.environ()
                self._made = await asyncio.to_thread(Orchestrator, config, environ=environ)
            self._under_way += 1
            self._idle.clear()
            made = self._made
        try:
            yield made
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def aclose(self) -> None:
        """Close the Router, its HTTP clients and the cache, after the calls that are under way."""
        async with self._turn:
            await self._idle.wait()
            await self._close()

    async def _close(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()
