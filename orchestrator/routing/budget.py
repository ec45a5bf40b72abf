"""Money: reserved before a call, settled after it, shared between processes through Redis."""

from __future__ import annotations

import datetime
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.routing.prices import are_as_shipped, chain_of, fallbacks_of, most_usd
from orchestrator.types.errors import BudgetExceededError
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.config.settings import Budgets
    from orchestrator.models.groups import Deployments
    from orchestrator.types.requests import WireAttempt
    from orchestrator.types.run_context import RequestCost

_log = logger_of(__name__)
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Reserved:
    """What is set aside for one call: dollars, and the accounts that hold them."""

    usd: float = 0.0
    accounts: tuple[str, ...] = ()
    cost_so_far: RequestCost | None = None


NOTHING = Reserved()


class _AwayError(BudgetExceededError):
    """Where an account is counted cannot be reached."""


@dataclass(slots=True)
class BudgetLimiter:
    """The budgets of a day and of a request.

    Without Redis the accounts live in this process; with it every process that shares the Redis
    of the Router shares them, and each change is one atomic step there. While it cannot be reached
    nothing is reserved, and what earlier calls give back waits here.
    """

    budgets: Budgets
    deployments: Deployments
    spent: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _due: dict[str, float] = field(default_factory=dict)

    def enforce_before(
        self, settings: Mapping[str, Any], arguments: Mapping[str, Any], cost_so_far: RequestCost
    ) -> None:
        """Refuse a call that does not fit before LiteLLM is loaded for it, which takes seconds.

        `settings` are the Router's arguments. Where its prices, or what others spend, are not
        known yet, nothing is refused: `reserve` decides.

        Raises: as `reserve`.
        """
        limit, limits = cost_so_far.limit_usd, self._limits(cost_so_far.tenant)
        if (limit is None and not limits) or any(name.startswith("redis") for name in settings):
            return
        if not are_as_shipped(self.deployments):
            return
        chain = chain_of({**settings, **arguments}, str(arguments.get("model")))
        usd = most_usd(self.deployments, chain, arguments)
        if usd is None:
            return
        if limit is not None:
            _enforce_request(cost_so_far, usd, limit)
        for account, most in limits.items():
            _enforce(account, self.spent.get(account, 0.0) + usd, usd, most)

    async def reserve(
        self, router: Any, arguments: Mapping[str, Any], cost_so_far: RequestCost
    ) -> Reserved:
        """Set aside the most that a call can cost.

        Raises: BudgetExceededError: it may not fit into what is left, or its price is not known.
        """
        limits = (cost_so_far.limit_usd, self.budgets.usd_per_day)
        if limits == (None, None) and cost_so_far.tenant not in self.budgets.tenants:
            return NOTHING
        model = str(arguments.get("model"))
        chain = chain_of(fallbacks_of(router, arguments), model)
        usd = most_usd(self.deployments, chain, arguments)
        if usd is None:
            raise BudgetExceededError(
                f"a budget is set and the price of {model} is not known. State"
                " input_cost_per_token and output_cost_per_token in its litellm_params."
            )
        return await self.reserve_usd(router, usd, cost_so_far)

    def is_bound(self, cost_so_far: RequestCost) -> bool:
        """Whether dollars of a request are bounded, by itself or by a day."""
        if cost_so_far.limit_usd is not None or self.budgets.usd_per_day is not None:
            return True
        return cost_so_far.tenant in self.budgets.tenants

    async def reserve_usd(self, router: Any, usd: float, cost_so_far: RequestCost) -> Reserved:
        """Set aside so many dollars.

        Raises: BudgetExceededError: they may not fit into what is left.
        """
        limit, limits = cost_so_far.limit_usd, self._limits(cost_so_far.tenant)
        if limit is not None:
            _enforce_request(cost_so_far, usd, limit)
            cost_so_far.reserved_usd += usd
        kept: list[str] = []
        try:
            for account, most in limits.items():
                kept.append(account)
                _enforce(account, await self._add(router, account, usd), usd, most)
        except BaseException as error:
            for account in kept[:-1] if isinstance(error, _AwayError) else kept:
                await self._give_back(router, account, usd)
            if limit is not None:
                cost_so_far.reserved_usd -= usd
            raise
        return Reserved(usd, tuple(limits), cost_so_far if limit is not None else None)

    async def settle(
        self, router: Any, reserved: Reserved, attempts: Sequence[WireAttempt]
    ) -> None:
        """Give back what was not used."""
        if reserved is NOTHING:
            return
        spent = sum(attempt.cost_usd or 0.0 for attempt in attempts)
        if reserved.cost_so_far is not None:
            reserved.cost_so_far.reserved_usd -= reserved.usd
        for account in reserved.accounts:
            await self._give_back(router, account, reserved.usd - spent)

    def remember(self, spent: Mapping[str, float]) -> None:
        """Count what was spent today, by tenant; with Redis the accounts know already."""
        day = _today()
        with self._lock:
            self.spent[f"budget:{day}"] = sum(spent.values())
            self.spent |= {f"budget of {tenant}:{day}": usd for tenant, usd in spent.items()}

    def bound_tenant(
        self, tenant: str, usd_per_day: float, spent_today: Callable[[], Mapping[str, float]]
    ) -> None:
        """Bound a tenant from now on; where it was not, `spent_today` says what is gone already."""
        if self.budgets.tenants.get(tenant) == usd_per_day:
            return
        account = f"budget of {tenant}:{_today()}"
        if tenant not in self.budgets.tenants and account not in self.spent:
            gone = spent_today().get(tenant, 0.0)
            with self._lock:
                self.spent.setdefault(account, gone)
        self.budgets.tenants[tenant] = usd_per_day

    def _limits(self, tenant: str) -> dict[str, float]:
        limits = {}
        if self.budgets.usd_per_day is not None:
            limits[f"budget:{_today()}"] = self.budgets.usd_per_day
        if tenant in self.budgets.tenants:
            limits[f"budget of {tenant}:{_today()}"] = self.budgets.tenants[tenant]
        return limits

    async def _give_back(self, router: Any, account: str, usd: float) -> None:
        """What was paid is not lost where the account is away: it is added with the next sum."""
        try:
            await self._add(router, account, -usd)
        except _AwayError:
            with self._lock:
                self._due[account] = self._due.get(account, 0.0) - usd
            words = "Redis (router_settings) cannot be reached: what was paid is added to %s later"
            _log.warning(words, account)

    async def _add(self, router: Any, account: str, usd: float) -> float:
        redis = router.health().store.redis_cache
        if redis is not None:
            return await self._added_elsewhere(redis, account, usd)
        with self._lock:
            self.spent[account] = self.spent.get(account, 0.0) + usd
            return self.spent[account]

    async def _added_elsewhere(self, redis: Any, account: str, usd: float) -> float:
        with self._lock:
            due = self._due.pop(account, 0.0)
        try:
            key, value = f"orchestrator:{account}", usd + due
            return float(await redis.async_increment(key=key, value=value, ttl=2 * _DAY_S))
        except BaseException as error:
            with self._lock:
                self._due[account] = self._due.get(account, 0.0) + due
            if not isinstance(error, Exception):
                raise
            why = type(error).__name__  # LiteLLM's, redis's, the system's
        raise _AwayError(
            f"the {account.rpartition(':')[0]} of today is counted in Redis (router_settings), and"
            f" that cannot be reached ({why}): nothing is asked. Start it, or leave out the budget."
        )


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _enforce(account: str, total: float, usd: float, most: float) -> None:
    if total > most and usd > 0:  # what costs nothing may be asked when all is spent
        left = max(most - total + usd, 0.0)
        raise BudgetExceededError(
            f"the next call may cost {usd:.6g} USD and {left:.6g} of {most:.6g} are left today"
            f" ({account.rpartition(':')[0]})"
        )


def _enforce_request(cost_so_far: RequestCost, usd: float, limit: float) -> None:
    left = limit - cost_so_far.spent_usd - cost_so_far.reserved_usd
    if usd > left and usd > 0:
        raise BudgetExceededError(
            f"the next call may cost {usd:.6g} USD and {max(left, 0):.6g} of {limit:.6g} are left"
            " for this request"
        )
