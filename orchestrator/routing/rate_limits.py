"""Rate limits of providers: when a deployment is free again, and whether a call waits for it.

LiteLLM has tried the siblings and the fallbacks by then; what is left is time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.routing.translate import is_rate_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.models.deployment import Deployment
    from orchestrator.routing.attempts import Trace

#: Most attempts of one call that follow a wait; each goes to the deployment that is free first.
MOST_WAITS = 5
_UNSTATED_S = (0.5, 1.0, 2.0)  # where the provider does not say how long
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_SPENT = ("insufficient_quota", "billing_hard_limit_reached", "exceeded your current quota")


@dataclass(slots=True)
class Patience:
    """The waits of one call, each for the deployment that is free first.

    Attributes:
        until: the moment (`time.monotonic`) at which the call must be over.
        left: attempts that may still follow a wait.
        siblings: gives the deployments of the group that was asked.
    """

    router: Any
    trace: Trace
    until: float
    left: int
    siblings: Callable[[], Sequence[Deployment]]
    pause_s: float = _FIRST_PAUSE_S
    unstated: int = 0

    async def after(
        self, error: Exception, sent_before: int
    ) -> tuple[float, Mapping[str, Any]] | None:
        """Seconds to wait after `error`, and the arguments that the next attempt changes.

        None where the error is final. `sent_before` is how many attempts had begun before the one
        that failed. A limit of the Router's own is waited for until the deadline: nothing has been
        sent.
        """
        found = await self._next(error, sent_before)
        bill = self.trace.cost.bill
        if bill is not None and found is not None and found[0] and is_rate_limit(error):
            bill.rate_limits += 1
        return found

    async def _next(
        self, error: Exception, sent_before: int
    ) -> tuple[float, Mapping[str, Any]] | None:
        if self.trace.count == sent_before:
            return await self._unsent(error)
        self.trace.close(error)
        status = int(getattr(error, "status_code", 0) or 0)
        if self.left <= 0 or not (is_rate_limit(error) or status == 408 or status >= 500):
            return None
        if (found := self.trace.free_first()) is None:
            return None
        deployment, seconds = found
        if free := await self._untried():
            deployment, seconds = free, 0.0
        if seconds is None:
            if self.unstated == len(_UNSTATED_S) or any(w in str(error).lower() for w in _SPENT):
                return None
            seconds = _UNSTATED_S[self.unstated]
            self.unstated += 1
        if not self._fits(seconds):
            return None
        self.left -= 1
        only = {"model": deployment, "num_retries": 0, "disable_fallbacks": True}
        return seconds, only if deployment else {}

    async def _untried(self) -> str:
        """A sibling that does not rest and was not asked: LiteLLM stops after a few."""
        asked = self.trace.deployments()
        others = [one.id for one in self.siblings() if one.id not in asked]
        resting = {deployment for deployment, _ in await self._resting(others)} if others else ()
        return next((one for one in others if one not in resting), "")

    async def _resting(self, deployments: Sequence[str]) -> Sequence[tuple[str, Any]]:
        cooldowns = self.router.health().cooldowns
        found: Sequence[tuple[str, Any]] = await cooldowns.async_get_active_cooldowns(
            model_ids=list(deployments), parent_otel_span=None
        )
        return found

    async def _unsent(self, error: Exception) -> tuple[float, Mapping[str, Any]] | None:
        """A limit of the Router's own, or all deployments rest after a provider's rate limit."""
        if is_rate_limit(error):
            seconds, self.pause_s = self.pause_s, min(self.pause_s * 1.5, _LONGEST_PAUSE_S)
            return seconds, {}
        ends = [
            float(state["timestamp"]) + float(state["cooldown_time"])
            for _, state in await self._resting(getattr(error, "cooldown_list", None) or ())
            if str(state["status_code"]) == "429"
        ]
        if not ends:
            return None
        self.trace.rest_s = seconds = max(min(ends) - time.time(), _FIRST_PAUSE_S)
        return (seconds, {}) if self._fits(seconds) else None

    def _fits(self, seconds: float) -> bool:
        return time.monotonic() + seconds < self.until
