"""How each deployment is asked: in which output mode, and whether in stages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.config.settings import output_modes
from orchestrator.models.refused_modes import ENDLESS
from orchestrator.routing.offline.completer import are_embedded
from orchestrator.types.requests import OutputMode

if TYPE_CHECKING:
    from orchestrator.config.settings import Config
    from orchestrator.models.groups import Deployments
    from orchestrator.models.refused_modes import RefusedModes
    from orchestrator.models.routes import RouteTable


@dataclass(frozen=True)
class ModeChoice:
    """The modes of a configuration's deployments, as configured and learned; or as `recorded`."""

    config: Config
    deployments: Deployments
    routes: RouteTable
    modes: RefusedModes
    recorded: Mapping[str, Any] | None = None

    def mode_for(self, route: str, *, is_small: bool = False) -> OutputMode:
        """The strictest output mode that no deployment of the route's first group has refused.

        With `is_small` for answers too short to run on: only what a server does not take counts.
        """
        if self.recorded is not None and route in self.recorded.get("modes", {}):
            return OutputMode(self.recorded["modes"][route])
        deployments = self.routes.first_group(route)
        if are_embedded(deployments):
            return OutputMode.PROMPT
        modes = output_modes(self.config.orchestrator.generation.mode)
        refused = {
            mode
            for one in deployments
            for mode, said in self.modes.refused(one).items()
            if not (is_small and said.get("why") == ENDLESS)
        }
        return next((mode for mode in modes if mode not in refused), modes[-1])

    def is_staged(self, route: str) -> bool:
        """Whether a document is asked for in stages from the beginning: it is configured, or all
        deployments of the route's first group were learned to need it."""
        if self.recorded is not None:
            return route in self.recorded.get("staged", ())
        mode, deployments = self.config.orchestrator.generation.mode, self.routes.first_group(route)
        if are_embedded(deployments) or mode not in ("auto", "staged"):
            return False
        return mode == "staged" or all(map(self.modes.is_staged, deployments))

    def as_recorded(self) -> dict[str, Any]:
        """Who serves which route, and how each is asked: what a replay has to know."""
        known = self.deployments
        names = (*known.routes, *known.groups())
        staged = [name for name in names if self.is_staged(name)]
        return {
            "routes": {role: list(groups) for role, groups in known.routes.items()},
            "modes": {name: self.mode_for(name) for name in names},
            **({"staged": staged} if staged else {}),
        }

    async def ignored(
        self, deployment: str, mode: OutputMode, why: str = "took it and ignored it"
    ) -> None:
        """Degrade a deployment that refused a mode, or gave no answer in it, for the reason `why`;
        an empty one, of a probe that saw it honoured, takes that back.

        Only a provider that enforces nothing ignores it; one that does may never come to an end.
        """
        for one in self.deployments.ready:
            if one.id == deployment and (mode in self.modes.refused(one)) != bool(why):
                await asyncio.to_thread(self.modes.note, one, mode, why)

    async def staged(self, deployment: str, why: str) -> None:
        """From now on a deployment is asked in stages, for the reason `why`."""
        for one in self.deployments.ready:
            if one.id == deployment and not self.modes.is_staged(one):
                await asyncio.to_thread(self.modes.stage, one, why)
