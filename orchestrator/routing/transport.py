"""One call through LiteLLM's Router: concurrency limit, budget, deadline, and its record."""

from __future__ import annotations

import asyncio
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.ledger.usage import stamp
from orchestrator.routing import _litellm
from orchestrator.routing.attempts import Trace
from orchestrator.routing.budget import NOTHING, BudgetLimiter
from orchestrator.routing.build import build_router, prepare
from orchestrator.routing.host import TRACE, HostedRouter
from orchestrator.routing.stream import tracked
from orchestrator.routing.translate import is_rate_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.config.settings import Config
    from orchestrator.models.deployments import Deployment, Deployments
    from orchestrator.models.health import Monitor

_WRITTEN_TO = ("metadata", "litellm_metadata")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0


class _Call:
    """One call: its place in the room, the money set aside for it, its trace."""

    def __init__(
        self,
        router: Any,
        trace: Trace,
        record: Callable[[Trace, BaseException | None], None],
        budget_limiter: BudgetLimiter,
        room: asyncio.Semaphore,
    ) -> None:
        self.router = router
        self.trace = trace
        self._record = record
        self._purse = budget_limiter
        self._concurrency_limit = room
        self._reserved = NOTHING
        self._is_inside = False

    async def acquire(self, arguments: dict[str, Any]) -> None:
        """Wait for room and set the money aside."""
        await self._concurrency_limit.acquire()
        self._is_inside = True
        self._reserved = await self._purse.reserve(self.router, arguments, self.trace.cost_so_far)

    async def release(self, error: BaseException | None = None) -> None:
        """Give everything back; what an interruption must not skip comes before any wait."""
        self._record(self.trace, error)
        if self._is_inside:
            self._is_inside = False
            self._concurrency_limit.release()
        reserved, self._reserved = self._reserved, NOTHING
        await self._purse.settle(self.router, reserved, self.trace.ended)


class Transport:
    """Sends through one LiteLLM Router, built when first used."""

    def __init__(
        self, config: Config, deployments: Deployments, monitor: Monitor, router: Any = None
    ) -> None:
        self._monitor = monitor
        self._config = config
        self._deployments = deployments
        #: Whether the Router has our host; one built elsewhere reports through `logger_fn`.
        self._is_hosted = router is None or isinstance(router, HostedRouter)
        self._router = router.router if isinstance(router, HostedRouter) else router
        self.budget_limiter = BudgetLimiter(config.orchestrator.budgets, deployments)
        # A semaphore belongs to the loop that first waited on it, as LiteLLM's HTTP clients do.
        self._loops: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[asyncio.Semaphore, str]
        ] = weakref.WeakKeyDictionary()

    @property
    def built(self) -> Any:
        """LiteLLM's Router, None before its first use."""
        return self._router

    async def router(self) -> Any:
        """LiteLLM's Router; its import takes seconds and goes to a thread."""
        if self._router is None:
            await asyncio.to_thread(prepare, self._deployments)
        if self._router is None:  # nobody else built it meanwhile
            self._router = build_router(self._config, self._deployments).router
        return self._router

    async def add_deployment(self, one: Deployment) -> None:
        """Let the Router call a deployment that the configuration does not list."""
        litellm, router = _litellm.load(), await self.router()
        # Nothing waits from here on, so whoever adopts the same meanwhile finds it done.
        if one.group in self._deployments.groups():
            return
        self._deployments = replace(self._deployments, ready=(*self._deployments.ready, one))
        self.budget_limiter.deployments = self._deployments
        deployment = litellm.types.router.Deployment(
            model_name=one.group,
            litellm_params=dict(one.params.value),
            model_info={"id": one.id},
        )
        router.apply(litellm.router_api.ChangeSet(upsert=(deployment,)))

    def record(self, trace: Trace, error: BaseException | None = None) -> None:
        """Add every attempt to its deployment's health and to its request's cost; once."""
        if trace.is_recorded:
            return
        trace.is_recorded = True
        trace.close(error)
        ended = tuple(trace.ended)
        if ended:
            self._monitor.record(stamp(), ended)
        trace.cost_so_far.add(ended)

    async def send(
        self,
        method: str,
        arguments: dict[str, Any],
        deadline_s: float,
        trace: Trace,
        mend: Callable[[Exception], Exception] | None = None,
    ) -> Any:
        """Call a method of the Router with `arguments`.

        The wait for room, every retry, every fallback and the whole of a stream together take at
        most `deadline_s`. Attempts are recorded in `trace` and in the tally of the request under
        way. A rate limit of our own is waited for: nothing has been sent yet. `mend` makes the
        error that a stream raises out of the one that it met.

        Raises: TimeoutError: the deadline; BudgetExceededError; and what LiteLLM raises.
        """
        until = time.monotonic() + deadline_s
        call = _Call(
            await self.router(), trace, self.record, self.budget_limiter, self._concurrency_limit()
        )
        try:
            # One timeout for both: each costs as much as all the rest of this layer.
            async with asyncio.timeout(deadline_s):
                await call.acquire(arguments)
                response = await self._send(call, method, arguments)
        except BaseException as error:
            await call.release(error)
            raise
        if arguments.get("stream") and hasattr(response, "__anext__"):
            wants = bool((arguments.get("stream_options") or {}).get("include_usage"))
            return tracked(
                response, trace, until=until, wants_usage=wants, done=call.release, mend=mend
            )
        await call.release()
        return response

    async def _send(self, call: _Call, method: str, arguments: dict[str, Any]) -> Any:
        trace = call.trace
        sent = {**arguments, **({TRACE: trace} if self._is_hosted else {"logger_fn": trace.heard})}
        # LiteLLM writes into the dicts that it is given.
        sent |= {name: {**sent[name]} for name in _WRITTEN_TO if sent.get(name)}
        if sent.get("stream"):
            # Otherwise tokens and dollars of a stream are 0 for most providers.
            sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
        pause = _FIRST_WAIT_S
        while True:
            try:
                response = await getattr(call.router, method)(**sent)
            except Exception as error:
                if trace.count or not is_rate_limit(error):
                    raise
            else:
                if not sent.get("stream"):
                    trace.answered(response)
                return response
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_WAIT_S)

    def _concurrency_limit(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            room = asyncio.Semaphore(self._config.orchestrator.limits.parallel)
            self._loops[loop] = room, _litellm.loop_token()
        return self._loops[loop][0]

    async def aclose(self) -> None:
        """Give back what LiteLLM holds globally for this Router: callbacks and HTTP clients."""
        if self._router is not None:
            self._router.retire()
            self._router = None
            here = asyncio.get_running_loop()
            ended = [
                token
                for loop, (_, token) in self._loops.items()
                if loop is here or loop.is_closed()
            ]
            await _litellm.close_clients(ended)
