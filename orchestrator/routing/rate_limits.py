"""Rate limits of providers: when a deployment is free again, and whether a call waits for it.

LiteLLM has tried the siblings and the fallbacks by then; what is left is time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.routing.resting import is_spent, resting
from orchestrator.routing.translate import is_rate_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.models.deployment import Deployment
    from orchestrator.routing.attempts import Trace

#: Most attempts of one call that follow a wait; each goes to the deployment that is free first.
MOST_WAITS = 5
_UNSTATED_S = (0.5, 1.0, 2.0)  # where the provider does not say how long
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


@dataclass(slots=True)
class Patience:
    """The waits of one call, each for the deployment that is free first.

    Attributes:
        until: the moment (`time.monotonic`) at which the call must be over.
        left: attempts that may still follow a wait.
        siblings: gives the deployments of the group that was asked.
        related: gives those, and the deployments of the groups that it falls back to.
    """

    router: Any
    trace: Trace
    until: float
    left: int
    siblings: Callable[[], Sequence[Deployment]]
    related: Callable[[], Sequence[Deployment]]
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
        if type(error).__name__ == "RouterRateLimitError":
            at_rest = getattr(error, "cooldown_list", None) or ()  # of every group of the Router
            named = self.router.registry().names(getattr(error, "model", ""), kind="ids")
            asked = dict.fromkeys([*(one.id for one in self.related()), *named])
            self.trace.rests = await resting(self.router, [one for one in asked if one in at_rest])
        found = await self._next(error, sent_before)
        bill = self.trace.cost.bill
        if bill is not None and found is not None and found[0] and is_rate_limit(error):
            bill.rate_limits += 1
        return found

    async def _next(
        self, error: Exception, sent_before: int
    ) -> tuple[float, Mapping[str, Any]] | None:
        if self.trace.count == sent_before:
            return self._unsent(error)
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
            if self.unstated == len(_UNSTATED_S) or is_spent(error):
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
        at_rest = {one.deployment for one in await resting(self.router, others)} if others else ()
        return next((one for one in others if one not in at_rest), "")

    def _unsent(self, error: Exception) -> tuple[float, Mapping[str, Any]] | None:
        """A limit of the Router's own, or all deployments rest after a provider's rate limit."""
        if is_rate_limit(error):
            seconds, self.pause_s = self.pause_s, min(self.pause_s * 1.5, _LONGEST_PAUSE_S)
            return seconds, {}
        ends = [one.seconds for one in self.trace.rests if one.status == 429]
        if not ends:
            return None
        self.trace.rest_s = seconds = max(min(ends), _FIRST_PAUSE_S)
        return (seconds, {}) if self._fits(seconds) else None

    def _fits(self, seconds: float) -> bool:
        return time.monotonic() + seconds < self.until
