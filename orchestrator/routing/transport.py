"""One call through LiteLLM's Router: concurrency limit, budget, deadline, and its record."""

from __future__ import annotations

import asyncio
import functools
import time
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.ledger.usage import stamp
from orchestrator.routing import _litellm
from orchestrator.routing.attempts import Trace
from orchestrator.routing.budget import NOTHING, BudgetLimiter, Reserved
from orchestrator.routing.build import build_router, prepare, router_arguments
from orchestrator.routing.finish_reasons import corrected, reasons_in_text, unfinished
from orchestrator.routing.guard import guard_of
from orchestrator.routing.host import TRACE, HostedRouter
from orchestrator.routing.prices import expected_attempt, fallbacks_of, price_of, targets_of
from orchestrator.routing.rate_limits import MOST_WAITS, Patience
from orchestrator.routing.stream import tracked
from orchestrator.types.errors import BudgetExceededError
from orchestrator.types.own_process import OWN_LOOP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.config.settings import Config
    from orchestrator.models.deployment import Deployment
    from orchestrator.models.groups import Deployments
    from orchestrator.models.health import Monitor
    from orchestrator.types.requests import WireAttempt
    from orchestrator.types.run_context import RequestCost

_SIDE_BY_SIDE = 64  # calls that set out in one turn of a loop that does nothing else
_WRITTEN_TO = ("metadata", "litellm_metadata")


@dataclass(frozen=True, slots=True)
class _Gate:
    """What the calls of one event loop pass, and the token of its HTTP clients.

    Attributes:
        limit: how many may be under way.
        turn: held by a call that sets out, for one turn of the loop. Calls that came together
            would all take their first step, then all the second: the loop would do nothing else
            for seconds, and hold what LiteLLM makes for each of them. Side by side they take less
            CPU, which a loop without other work lets some of them.
    """

    limit: asyncio.Semaphore
    turn: asyncio.Semaphore
    token: str


@dataclass(slots=True)
class _Call:
    """What one call holds until it is over: a place under the limit, and reserved money."""

    transport: Transport
    router: Any
    trace: Trace
    gate: _Gate
    has_place: bool = False
    reserved: Reserved = NOTHING

    async def prepare(self, method: str, arguments: Mapping[str, Any]) -> None:
        """Wait for a place, reserve money, wait for a turn, and put the call on the bill: it is
        about to be sent.

        Raises: BudgetExceededError: it may cost too much, or cannot be put on the bill.
        """
        await self.gate.limit.acquire()
        self.has_place = True
        limiter, trace = self.transport.budget_limiter, self.trace
        self.reserved = await limiter.reserve(self.router, arguments, trace.cost)
        await self.gate.turn.acquire()
        asyncio.get_running_loop().call_soon(self.gate.turn.release)
        trace.asked, trace.cost.under_way = arguments, trace.so_far
        trace.expected = expected_attempt(limiter.deployments, method, arguments)
        if trace.cost.bill is not None:
            await trace.cost.bill.reserve(trace.expected)
        trace.cost.send(trace.expected)

    async def over(
        self,
        response: Any,
        arguments: Mapping[str, Any],
        until: float,
        translate: Callable[[Exception], Exception] | None,
    ) -> Any:
        """The response, with everything released; a stream does that once it has ended."""
        is_stream = bool(arguments.get("stream"))
        if is_stream and hasattr(response, "__anext__"):
            wants_usage = bool((arguments.get("stream_options") or {}).get("include_usage"))
            return tracked(
                response, self.trace, until=until, wants_usage=wants_usage, done=self.release,
                translate=translate,
            )  # fmt: skip
        if not is_stream:
            if (failure := self._unfinished(response)) is not None:
                await self.release(failure)
                raise failure
            self.trace.answered(response)
        await self.release()
        return response

    def _unfinished(self, response: Any) -> Exception | None:
        """The error for an answer that its provider did not finish, from a Router without our host;
        ours has looked at it."""
        last = self.trace.latest
        if self.transport.is_hosted or last is None:
            return None
        choices = getattr(response, "choices", None) or ()
        if not (why := corrected(choices, reasons_in_text(last.came))):
            return None
        last.heard, last.is_paid = (response,), True
        return unfinished(why, model=last.model, provider=last.provider)

    async def release(self, error: BaseException | None = None) -> None:
        """Release everything; what an interruption must not skip comes before any wait."""
        self.transport.record(self.trace, error)
        if self.has_place:
            self.has_place = False
            self.gate.limit.release()
        reserved, self.reserved = self.reserved, NOTHING
        limiter = self.transport.budget_limiter
        await limiter.settle(self.router, reserved, self.trace.ended)


class Transport:
    """Sends through one LiteLLM Router, built when first used."""

    def __init__(
        self,
        config: Config,
        deployments: Deployments,
        monitor: Monitor,
        router: Any = None,
        *,
        waits: int = MOST_WAITS,
    ) -> None:
        """Send through `router` if there is one; `waits` is what `send` takes by default."""
        self._waits = waits
        self._monitor = monitor
        self._config = config
        self._deployments = deployments
        #: Whether the Router has our host; a Router built elsewhere reports through `logger_fn`.
        self.is_hosted = router is None or isinstance(router, HostedRouter)
        self._router = router.router if isinstance(router, HostedRouter) else router
        self.guard = guard_of(config, deployments)
        if router is not None:
            self.guard.hold_router(self._router)
        self.budget_limiter = BudgetLimiter(config.orchestrator.budgets, deployments)
        # A semaphore belongs to the loop that first waited on it, as LiteLLM's HTTP clients do.
        self._gates: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Gate] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def built(self) -> Any:
        """LiteLLM's Router, None before its first use."""
        return self._router

    async def router(self) -> Any:
        """LiteLLM's Router; its import takes seconds and goes to a thread."""
        if self._router is None:
            await asyncio.to_thread(prepare, self._deployments)
        if self._router is None:  # no other task built it meanwhile
            self._router = build_router(self._config, self._deployments).router
        return self._router

    async def add_deployments(self, found: Sequence[Deployment]) -> None:
        """Let the Router call a group that the configuration does not list."""
        litellm, router = _litellm.load(), await self.router()
        # Nothing awaits from here on, so a second caller finds the deployments added.
        if found[0].group in self._deployments.groups():
            return
        self._deployments = replace(self._deployments, ready=(*self._deployments.ready, *found))
        self.budget_limiter.deployments = self._deployments
        known = router.registry().names(kind="ids")
        for one in found:
            if one.id in known:  # its owner added it
                continue
            deployment = litellm.types.router.Deployment(
                model_name=one.group,
                litellm_params=dict(one.params.value),
                model_info={"id": one.id},
            )
            router.apply(litellm.router_api.ChangeSet(upsert=(deployment,)))

    async def reserve(self, usd: float | None, cost: RequestCost) -> Reserved:
        """Set aside dollars for what is not sent through `send`; `usd` is None where not known.

        Raises: BudgetExceededError: they may not fit into what is left of the day.
        """
        limiter = self.budget_limiter
        if not limiter.is_bound(cost):
            return NOTHING
        if usd is None:
            words = "a budget is set and the price of a batch is not known. State"
            raise BudgetExceededError(
                f"{words} input_cost_per_token and output_cost_per_token in its litellm_params."
            )
        return await limiter.reserve_usd(await self.router(), usd, cost)

    async def settle(self, reserved: Reserved, attempts: Sequence[WireAttempt]) -> None:
        """Give back what `reserve` set aside and was not used."""
        await self.budget_limiter.settle(await self.router(), reserved, attempts)

    def record(self, trace: Trace, error: BaseException | None = None) -> None:
        """Add every attempt to its deployment's health and to its request's cost; once."""
        if trace.is_recorded:
            return
        trace.is_recorded = True
        trace.close(error)
        trace.estimate(self._price_of)
        ended, unsent = tuple(trace.ended), tuple(trace.unsent)
        if ended or unsent:
            self._monitor.record(stamp(), (*ended, *unsent))
        trace.cost.add(ended, instead_of=trace.expected, unsent=unsent)

    def _price_of(self, deployment: str) -> tuple[float, float] | None:
        ready = self._deployments.of_group(deployment)
        return price_of(ready[0]) if ready else None

    async def send(
        self,
        method: str,
        arguments: dict[str, Any],
        deadline_s: float,
        trace: Trace,
        translate: Callable[[Exception], Exception] | None = None,
        *,
        waits: int | None = None,
    ) -> Any:
        """Call a method of the Router with `arguments`.

        The wait for a place, every retry, every fallback and the whole of a stream together take
        at most `deadline_s`. Attempts are recorded in `trace` and in the cost of its request. A
        rate limit is waited for where that fits (`Patience`): a provider's at most `waits` times
        and not beyond `trace.until`. A stream raises what `translate` makes of
        the error that it met.

        Raises: TimeoutError: the deadline; BudgetExceededError; what LiteLLM raises; and what
            `Guard.check` does, before anything is sent.
        """
        until = time.monotonic() + deadline_s
        router = await self._ready(arguments, trace)
        self.guard.check(self._deployments, router, arguments)
        call = _Call(self, router, trace, self._gate())
        sent = self._sent(arguments, trace)
        patience = self._patience(router, arguments, trace, min(until, trace.until or until), waits)
        token = _litellm.OURS.set(True)
        try:
            # One timeout for everything: each costs as much as all the rest of this layer.
            async with asyncio.timeout(deadline_s):
                await call.prepare(method, arguments)
                while True:
                    begun = trace.count
                    try:
                        response = await getattr(router, method)(**sent)
                        break
                    except Exception as error:
                        if (found := await patience.after(error, begun)) is None:
                            raise
                    await asyncio.sleep(found[0])
                    sent |= found[1]
        except BaseException as error:
            await call.release(error)
            raise
        finally:
            _litellm.OURS.reset(token)
        return await call.over(response, arguments, until, translate)

    async def _ready(self, arguments: Mapping[str, Any], trace: Trace) -> Any:
        """The Router; LiteLLM is not loaded for a call that no budget can pay for."""
        if self._router is None:
            settings = router_arguments(self._config, self._deployments)
            enforce = self.budget_limiter.enforce_before  # it may read the table of prices
            await asyncio.to_thread(enforce, settings, arguments, trace.cost)
        await _litellm.loaded()
        return await self.router() if self._router is None else self._router

    def _sent(self, arguments: Mapping[str, Any], trace: Trace) -> dict[str, Any]:
        """The arguments as the Router gets them: with the trace, and with a stream's usage."""
        sent = {**arguments, **({TRACE: trace} if self.is_hosted else {"logger_fn": trace.log})}
        for name in _WRITTEN_TO:
            if sent.get(name):
                sent[name] = {**sent[name]}  # LiteLLM writes into the dicts that it is given
        if sent.get("stream"):
            # Otherwise tokens and dollars of a stream are 0 for most providers.
            sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
        return sent

    def _patience(
        self,
        router: Any,
        arguments: Mapping[str, Any],
        trace: Trace,
        until: float,
        waits: int | None,
    ) -> Patience:
        most = self._waits if waits is None else waits
        siblings = functools.partial(self._deployments.of_group, str(arguments.get("model")))
        related = functools.partial(self._related, router, arguments)
        return Patience(router, trace, until, most, siblings, related)

    def _related(self, router: Any, arguments: Mapping[str, Any]) -> list[Deployment]:
        """The deployments of the group that a call asks, and of those that it falls back to."""
        targets = targets_of(fallbacks_of(router, arguments), str(arguments.get("model")))
        return [one for group, _ in targets for one in self._deployments.of_group(group)]

    def _gate(self) -> _Gate:
        loop = asyncio.get_running_loop()
        if loop not in self._gates:
            limit = asyncio.Semaphore(self._config.orchestrator.limits.parallel)
            turn = asyncio.Semaphore(_SIDE_BY_SIDE if OWN_LOOP.get() else 1)
            self._gates[loop] = _Gate(limit, turn, _litellm.loop_token())
        return self._gates[loop]

    async def aclose(self) -> None:
        """Release what LiteLLM holds globally for this Router: callbacks and HTTP clients."""
        if self._router is not None:
            self._router.retire()
            self._router = None
            here = asyncio.get_running_loop()
            ended = [
                gate.token for loop, gate in self._gates.items() if loop is here or loop.is_closed()
            ]
            await _litellm.close_clients(ended)
