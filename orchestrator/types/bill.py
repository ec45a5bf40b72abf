"""What the calls of one row of a batch take, and where their budget hears of it."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from orchestrator.types.requests import Answer, Request, WireAttempt
    from orchestrator.types.run_context import RunContext


@dataclass(slots=True)
class Taken:
    """Dollars, tokens and calls on the wire; unknown prices count as 0."""

    usd: float = 0.0
    tokens: int = 0
    calls: int = 0

    def add(self, attempts: Sequence[WireAttempt]) -> None:
        """Add finished attempts."""
        for one in attempts:
            self.usd += one.cost_usd or 0.0
            self.tokens += one.usage.total_tokens
            self.calls += 1

    def __iadd__(self, other: Taken) -> Self:
        self.usd += other.usd
        self.tokens += other.tokens
        self.calls += other.calls
        return self


class Budget(Protocol):
    """A budget that the calls of several rows share."""

    async def reserve(self, expected: WireAttempt) -> None:
        """Set aside what a call may take.

        Raises: BudgetExceededError: it does not fit.
        """

    def settle(self, expected: WireAttempt | None, attempts: Sequence[WireAttempt]) -> None:
        """Give back what was set aside for a call that is over, and add what it took."""


@dataclass(slots=True)
class Bill:
    """What the calls of one row took.

    Attributes:
        rate_limits: how often a call of it had to wait since every deployment refused its rate.
        first: answers a question that would be sent, in place of a model, where it can; it may
            raise `NotAsked`.
    """

    budget: Budget | None = None
    first: Callable[[Request, RunContext], Awaitable[Answer | None]] | None = None
    taken: Taken = field(default_factory=Taken)
    rate_limits: int = 0

    async def reserve(self, expected: WireAttempt) -> None:
        """Set aside what a call may take.

        Raises: BudgetExceededError: it does not fit.
        """
        if self.budget is not None:
            await self.budget.reserve(expected)

    def settle(self, attempts: tuple[WireAttempt, ...], expected: WireAttempt | None) -> None:
        """Add the finished attempts of a call, in place of what was `expected` of it."""
        self.taken.add(attempts)
        if self.budget is not None:
            self.budget.settle(expected, attempts)


class NotAsked(Exception):
    """Ends an operation at its first question, which is not sent; no line of the ledger says so."""


_bill: contextvars.ContextVar[Bill | None] = contextvars.ContextVar("bill", default=None)
#: The bill of the row that is worked on here, None outside of a batch; and how to set it.
bill_of_row: Callable[[], Bill | None] = _bill.get
set_bill = _bill.set
