"""`Orchestrator.probe_models`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from orchestrator.client.arguments import check_arguments
from orchestrator.config.settings import cache_directory
from orchestrator.routing.probe import is_probed, probe

if TYPE_CHECKING:
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.models.deployment import Deployment
    from orchestrator.routing.probe import ProbeReport


async def probe_models(
    self: Orchestrator, name: str = "", *, again: bool = False
) -> list[ProbeReport]:
    """Ask the deployments of a route, a group or a model, or all, what they can; each a few calls.

    What is found is kept and counts before LiteLLM's table, until the deployment changes. Without
    `name` only those are asked of which no probe is kept, or all `again`.
    `orchestrator.routing.probe.probe_bound` says what it can take.

    Raises: ConfigError: no deployment has that name; BudgetExceededError: it may not be spent.
    """
    check_arguments(locals())
    # Profiles of models, which no other request needs.
    from orchestrator.models.known import PROBES_FILE, ProbeResults  # noqa: PLC0415

    await self._open()
    cache = self.config.orchestrator.cache
    kept = ProbeResults(cache_directory(cache, self._environ) / PROBES_FILE)
    # Reading LiteLLM's table and what is kept takes a thread.
    every = await asyncio.to_thread(lambda: [
        one for one in self._router.routes.deployments(name)
        if is_probed(one) and (name or again or not kept.facts(one))
    ])  # fmt: skip
    with self._ledger.open("probe", route=name or "*") as entry:

        async def asked(one: Deployment) -> ProbeReport:
            report = await probe(self._router, one, entry.context)
            if report.is_reachable:  # kept at once: another may be interrupted
                await asyncio.to_thread(kept.keep, one, report.found, window=report.window)
            return report

        return list(await asyncio.gather(*map(asked, every)))
