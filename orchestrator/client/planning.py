"""`Orchestrator.plan`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from orchestrator.client.arguments import check_arguments
from orchestrator.routing.plan import plan as bounds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.client.search_choice import Searching
    from orchestrator.generation.images import Image
    from orchestrator.generation.request_building import Source
    from orchestrator.gmn.acting.expectations import Expectation
    from orchestrator.routing.plan import Plan
    from orchestrator.types.caching import Caching
    from orchestrator.types.requests import AgentType


async def plan(
    self: Orchestrator,
    prompt: str,
    agent_type: AgentType = "general",
    constraints: Mapping[str, int] | None = None,
    examples: Sequence[Source] | None = None,
    expectations: Sequence[str | Expectation] | None = None,
    *,
    model: str | None = None,
    provider: str | None = None,
    cache: Caching | None = None,
    tenant: str = "",
    seed: int | None = None,
    samples: int = 1,
    images: Sequence[Image] = (),
    infer_expectations: bool = False,
    search: Searching | None = None,
) -> Plan:
    """The most that `generate_gmn` with these arguments can take; nothing is asked.

    Raises: what `generate_gmn` raises before it asks.
    """
    check_arguments(locals())
    await self._open()
    choice = await self._searches.choice(search)
    task = await self._gmn_tasks.generation(
        prompt, agent_type, constraints, examples, expectations, model=model,
        provider=provider, cache=cache, tenant=tenant, seed=seed, samples=samples,
        images=images, infer_expectations=infer_expectations,
    )  # fmt: skip
    bounds = await asyncio.to_thread(
        bounds_of, self.config, self._router.deployments, task.first,
        self._loop.routes(task.first.route), samples=samples,
        questions=task.staging.most_calls if task.staging is not None else 0,
        is_staged=task.is_staged,
    )  # fmt: skip
    return self._searches.planned(bounds, choice)
