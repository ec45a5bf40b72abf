"""The health of every deployment: from what was seen, and if asked for, from a probe."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING, Any

from orchestrator.routing.attempts import Trace
from orchestrator.routing.resting import resting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.models.deployment import Deployment
    from orchestrator.models.health import HealthReport
    from orchestrator.routing.complete import RouterCompleter
    from orchestrator.types.run_context import RunContext

_PROBE_S = 10.0
_PING = [{"role": "user", "content": "ping"}]


async def health_check(
    router: RouterCompleter, context: RunContext, *, probe: bool = False
) -> HealthReport:
    """Every deployment and provider; `probe` asks each deployment for one token, once."""
    ready = router.deployments.ready
    if probe:
        await asyncio.gather(*(_probe(router, one, context) for one in ready))
    return router.monitor.report(router.deployments, await _resting(router))


async def _probe(router: RouterCompleter, one: Deployment, context: RunContext) -> None:
    arguments: dict[str, Any] = {
        "model": one.id,  # this deployment and no other, resting or not
        "messages": _PING,
        "max_tokens": 1,
        "num_retries": 0,
        "disable_fallbacks": True,
        "timeout": _PROBE_S,
    }
    try:
        trace = Trace(context.cost)
        await router.transport.send("acompletion", arguments, _PROBE_S, trace, waits=0)
    except Exception:  # noqa: BLE001  the trace has noted what it was; a probe reports, never raises
        return


async def _resting(router: RouterCompleter) -> Mapping[str, str]:
    """When each resting deployment wakes, ISO 8601, by id; nothing rests before the first call."""
    built = router.transport.built
    if built is None:
        return {}
    wakes: dict[str, str] = {}
    for one in await resting(built, [one.id for one in router.deployments.ready]):
        moment = datetime.datetime.fromtimestamp(one.until, datetime.UTC)
        wakes[one.deployment] = moment.isoformat(timespec="seconds")
    return wakes
