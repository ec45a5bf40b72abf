"""`RunContext`: the cost of a request so far, its hook, and the reader of its streamed text.

Every call between the public operation and LiteLLM's Router takes it as an argument.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.types.bill import Bill, bill_of_row
from orchestrator.types.errors import BudgetExceededError
from orchestrator.types.requests import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.types.events import Event, Hook
    from orchestrator.types.requests import WireAttempt

_LAST_S = 2.1  # in which no call is begun


@dataclass(slots=True)
class RequestCost:
    """The running sums of one request.

    Attributes:
        tenant: whose budget it counts against; empty for none.
        limit_usd: most dollars it may cost; None for no bound.
        limit_tokens: most tokens it may take, of prompts and answers; None for no bound.
        wire: finished attempts, in order.
        cached_usd: dollars its cached answers cost when they were first made; None when one is
            not known.
        reserved_usd: reserved for calls in flight.
        pending: what each call in flight may take, until its attempts have ended.
        unsent: attempts that failed before anything was sent: they are on nobody's bill.
        announce: called before a call is sent, with what it may take.
        late: called with the attempts of a call that ends after the request did.
        under_way: says in words what the call that was sent last has done; empty for nothing.
        bill: what the row of a batch takes that the request is part of, if it is of one.
    """

    tenant: str = ""
    limit_usd: float | None = None
    limit_tokens: int | None = None
    wire: list[WireAttempt] = field(default_factory=list)
    hits: int = 0
    cached_usage: Usage = Usage()  # noqa: RUF009  frozen
    cached_usd: float | None = 0.0
    reserved_usd: float = 0.0
    pending: list[WireAttempt] = field(default_factory=list)
    unsent: list[WireAttempt] = field(default_factory=list)
    announce: Callable[[WireAttempt], None] | None = None
    late: Callable[[tuple[WireAttempt, ...]], None] | None = None
    under_way: Callable[[], str] = str
    bill: Bill | None = field(default_factory=bill_of_row)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def send(self, expected: WireAttempt) -> None:
        """Announce a call that is about to be sent, with what it may take.

        Raises: BudgetExceededError: it may take more tokens than are left, or it cannot be put on
            the bill and a budget is set.
        """
        with self._lock:
            if self.limit_tokens is not None:
                taken = (*self.wire, *self.pending)
                left = self.limit_tokens - sum(one.usage.total_tokens for one in taken)
                if (most := expected.usage.total_tokens) > left:
                    raise BudgetExceededError(
                        f"the next call may take {most:,} tokens and {max(left, 0):,} of"
                        f" {self.limit_tokens:,} are left for this request. Raise"
                        " budgets.tokens_per_request, or lower max_tokens."
                    )
            self.pending.append(expected)
        if self.announce is not None:
            self.announce(expected)

    def add(
        self,
        attempts: tuple[WireAttempt, ...],
        *,
        instead_of: WireAttempt | None = None,
        unsent: tuple[WireAttempt, ...] = (),
    ) -> None:
        """Add the finished attempts of a call, `instead_of` what was announced of it.

        After the end of the request `late` gets them too.
        """
        with self._lock:
            self.wire.extend(attempts)
            self.unsent.extend(unsent)
            # Equal ones are of equal calls, so any of them will do.
            if instead_of is not None and instead_of in self.pending:
                self.pending.remove(instead_of)
        if self.bill is not None:
            self.bill.settle(attempts, instead_of)
        if self.late is not None and (attempts or instead_of is not None):
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
        if len(self.wire) < 2:  # the usual case, without a sum
            return self.wire[0].usage if self.wire else Usage()
        return sum((one.usage for one in self.wire), Usage())

    @property
    def billed_usd(self) -> float | None:
        """Dollars of all attempts on the wire; None when the price of an answer is not known."""
        total = 0.0
        for one in self.wire:
            if one.cost_usd is not None:
                total += one.cost_usd
            elif one.outcome == "answered" or one.estimated:
                return None
        return total

    @property
    def spent_usd(self) -> float:
        """Known dollars of all attempts; unknown prices count as 0."""
        return sum(one.cost_usd or 0.0 for one in self.wire)


@dataclass(frozen=True, slots=True)
class RunContext:
    """One logical request in flight.

    Attributes:
        cost: its running sums; every attempt and every cached answer adds to them.
        hook: called with each event of the loop.
        on_text: called with each piece of a streamed answer; None for whole answers.
        until: when (`time.monotonic`) the request gives up; None for no bound of its own.
        waits: how many attempts of each call may follow a wait; None for as many as usual.
    """

    cost: RequestCost = field(default_factory=RequestCost)
    hook: Hook | None = None
    on_text: Callable[[str], None] | None = None
    until: float | None = None
    waits: int | None = None

    def within(self, seconds: float) -> RunContext:
        """The same request, which gives up in `seconds`."""
        return replace(self, until=time.monotonic() + seconds)

    @property
    def is_over(self) -> bool:
        """Whether it has no time for another call."""
        return self.until is not None and self.until - time.monotonic() < _LAST_S

    def emit(self, event: Event) -> None:
        """Call the hook with `event`, if there is a hook."""
        if self.hook is not None:
            self.hook(event)
