"""What the routes stand on: the orchestrator, the agents of tenants, keys and figures."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from orchestrator.agents.agent import LLMAgent
from orchestrator.agents.audit import AuditLog
from orchestrator.agents.bus import EventBus
from orchestrator.agents.memory import Memory
from orchestrator.agents.personas import Personas
from orchestrator.config.settings import APP
from orchestrator.server.keys import Key, Keys

if TYPE_CHECKING:
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.config.serving import ServerSettings


@dataclass
class Service:
    """The parts of a running service, and who owns which."""

    orc: Orchestrator
    memory: Memory
    keys: Keys
    settings: ServerSettings
    bus: EventBus = field(default_factory=EventBus)
    is_ready: bool = False
    _agents: dict[str, LLMAgent] = field(default_factory=dict)
    _budgets: dict[str, float] = field(default_factory=dict)
    _bound: set[str] = field(default_factory=set)
    _ends_at: float = math.inf

    @classmethod
    def open(cls, orc: Orchestrator) -> Service:
        """Open the database; the orchestrator is closed by `aclose`.

        Raises: ConfigError, MissingExtraError: as `orchestrator.agents.database.open_database`.
        """
        settings = orc.config.orchestrator.server
        memory = Memory(database_url(settings))
        made = cls(orc, memory, Keys(memory.engine), settings)
        made._budgets = dict(orc.config.orchestrator.budgets.tenants)  # before keys change them
        directory = Path(settings.audit or Path(platformdirs.user_state_dir(APP)) / "audit")
        made.bus.subscribe(AuditLog(directory.expanduser(), days=settings.audit_days))
        made.agent("")  # a wrong persona is said before anything is served
        return made

    def agent(self, tenant: str) -> LLMAgent:
        """The agent with a tenant's personas.

        Raises: ConfigError: a file of a persona is wrong.
        """
        if tenant not in self._agents:
            settings = self.settings.personas
            root = Path(settings or Path(platformdirs.user_data_dir(APP)) / "personas")
            # No name of a tenant is one that Windows keeps for a device.
            own = root.expanduser() / (f"tenant-{tenant}" if tenant else "")
            self._agents[tenant] = LLMAgent(self.orc, self.memory, Personas(own), bus=self.bus)
        return self._agents[tenant]

    def know(self, key: Key) -> None:
        """Hold a key's tenant to the smaller one of its keys' budget and the configuration's."""
        stated = self._budgets.get(key.tenant, math.inf)
        most = min(stated, math.inf if key.usd_per_day is None else key.usd_per_day)
        if most < math.inf or key.tenant in self._bound:
            self._bound.add(key.tenant)
            self.orc.bound_tenant(key.tenant, most)

    def end(self) -> None:
        """From now on no more than `server.shutdown_s` is left; to be called once or more."""
        if self._ends_at == math.inf:
            self._ends_at = time.monotonic() + self.settings.shutdown_s
        self.is_ready = False

    async def recover(self) -> None:
        """Give turns of a dead process the answers that were paid for; then be ready."""
        await self.orc.warm_up()
        await self.agent("").recover()
        self.is_ready = True

    async def aclose(self) -> None:
        """Finish the turns in flight, as long as that may take, and close everything."""
        self.end()
        with contextlib.suppress(TimeoutError):  # what is left is asked again with its key
            async with asyncio.timeout(max(0.0, self._ends_at - time.monotonic())):
                await asyncio.gather(*(agent.aclose() for agent in self._agents.values()))
        await self.orc.aclose()
        await asyncio.to_thread(self.memory.close)


def database_url(settings: ServerSettings) -> str:
    """The database that is named, or the one in the user's data directory."""
    return settings.database or str(Path(platformdirs.user_data_dir(APP)) / "memory.db")
