"""What travels beside a request: its cost so far, who watches it, who reads its answer as it comes.

It is an argument of every call between the public operation and LiteLLM's Router.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.types.requests import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.types.events import Event, Hook
    from orchestrator.types.requests import WireAttempt


@dataclass(slots=True)
class RequestCost:
    """The running sums of one request.

    Attributes:
        tenant: on whose behalf it is asked; empty for nobody in particular.
        limit_usd: most that it may cost, None for no bound.
        wire: attempts that ended, in order.
        cached_usd: what its cached answers cost when they were bought; None as soon as one is
            not known.
        reserved_usd: set aside for calls under way.
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
        """Note attempts that ended."""
        with self._lock:
            self.wire.extend(attempts)
        if self.late is not None and attempts:
            self.late(attempts)

    def add_cached(self, usage: Usage, usd: float | None) -> None:
        """Note an answer that nothing was paid for, and what it took when it was bought."""
        with self._lock:
            self.hits += 1
            self.cached_usage += usage
            known = self.cached_usd is not None and usd is not None
            self.cached_usd = (self.cached_usd or 0.0) + (usd or 0.0) if known else None

    @property
    def usage(self) -> Usage:
        """Tokens of the wire."""
        if len(self.wire) == 1:  # nearly always
            return self.wire[0].usage
        return sum((one.usage for one in self.wire), Usage())

    @property
    def billed_usd(self) -> float | None:
        """Dollars of the wire; None as soon as the price of an answer is not known."""
        total = 0.0
        for one in self.wire:
            if one.cost_usd is not None:
                total += one.cost_usd
            elif one.outcome == "answered":
                return None
        return total

    @property
    def spent_usd(self) -> float:
        """What is known to be spent."""
        return sum(one.cost_usd or 0.0 for one in self.wire)


@dataclass(frozen=True, slots=True)
class RunContext:
    """One logical request while it is under way.

    Attributes:
        cost: its running sums; every attempt and every cached answer is added to them.
        hook: called with each event of the loop.
        on_text: called with each piece of an answer as it comes; None asks for whole answers.
    """

    cost: RequestCost = field(default_factory=RequestCost)
    hook: Hook | None = None
    on_text: Callable[[str], None] | None = None

    def emit(self, event: Event) -> None:
        """Call the hook, if there is one."""
        if self.hook is not None:
            self.hook(event)
