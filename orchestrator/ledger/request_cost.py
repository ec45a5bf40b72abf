"""Tokens and dollars of one logical request in flight: wire attempts and cache hits.

A context variable holds the `RequestCost`, so that transport and cache can add to it without an
argument in every function between.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.types.requests import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.types.requests import WireAttempt

_CURRENT: ContextVar[RequestCost | None] = ContextVar("orchestrator_tally", default=None)


@dataclass(slots=True)
class RequestCost:
    """The running sums of one request.

    Attributes:
        tenant: whose budget it counts against; empty for none.
        limit_usd: most dollars it may cost; None for no bound.
        wire: finished attempts, in order.
        cached_usd: dollars its cached answers cost when they were first made; None when one is
            not known.
        reserved_usd: reserved for calls in flight.
        late: called with attempts that end after the request did.
    """

    tenant: str = ""
    limit_usd: float | None = None
    wire: list[WireAttempt] = field(default_factory=list)
    hits: int = 0
    cached_usage: Usage = Usage()  # noqa: RUF009  frozen
    cached_usd: float | None = 0.0
    reserved_usd: float = 0.0
    late: Callable[[tuple[WireAttempt, ...]], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, attempts: tuple[WireAttempt, ...]) -> None:
        """Add finished attempts; after the end of the request `late` gets them too."""
        with self._lock:
            self.wire.extend(attempts)
        if self.late is not None and attempts:
            self.late(attempts)

    def add_cached(self, usage: Usage, usd: float | None) -> None:
        """Add an answer from the cache: the tokens and dollars that it took when it was made."""
        with self._lock:
            self.hits += 1
            self.cached_usage += usage
            known = self.cached_usd is not None and usd is not None
            self.cached_usd = (self.cached_usd or 0.0) + (usd or 0.0) if known else None

    @property
    def usage(self) -> Usage:
        """Tokens of all attempts on the wire."""
        if len(self.wire) == 1:  # the usual case, without a sum
            return self.wire[0].usage
        return sum((one.usage for one in self.wire), Usage())

    @property
    def billed_usd(self) -> float | None:
        """Dollars of all attempts on the wire; None when the price of an answer is not known."""
        total = 0.0
        for one in self.wire:
            if one.cost_usd is not None:
                total += one.cost_usd
            elif one.outcome == "answered":
                return None
        return total

    @property
    def spent_usd(self) -> float:
        """Known dollars of all attempts; unknown prices count as 0."""
        return sum(one.cost_usd or 0.0 for one in self.wire)


def current() -> RequestCost | None:
    """The cost of the request in flight in this context; None outside of a request."""
    return _CURRENT.get()


def begin(cost_so_far: RequestCost) -> Token[RequestCost | None]:
    """Make `cost_so_far` current in this context; returns the token for `end`."""
    return _CURRENT.set(cost_so_far)


def end(token: Token[RequestCost | None]) -> None:
    """Restore the cost that was current before `begin` returned `token`."""
    _CURRENT.reset(token)
