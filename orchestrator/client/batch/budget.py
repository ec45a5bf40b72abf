"""The budget of a batch: reserved before each call, settled after it, shared by all rows."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.types.bill import Taken
from orchestrator.types.errors import BudgetExceededError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.types.requests import WireAttempt

_FORM = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?(usd|tokens|calls)")


@dataclass(slots=True)
class JobBudget:
    """The most that all rows of a job may take together.

    Attributes:
        unit: ``usd``, ``tokens`` or ``calls``; what `most` is a number of.
        taken: what was taken so far, also by earlier runs of the job.
        is_spent: whether a call was refused.
    """

    most: float
    unit: str
    taken: Taken = field(default_factory=Taken)
    is_spent: bool = False
    _reserved: dict[int, float] = field(default_factory=dict)
    _set_aside: float = 0.0
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def reserve(self, expected: WireAttempt) -> None:
        """Set aside what a call may take; waits while calls in flight may give some of theirs back.

        Raises: BudgetExceededError: it does not fit, or its price is not known.
        """
        most = {"usd": expected.cost_usd, "tokens": expected.usage.total_tokens, "calls": 1}
        if (wanted := most[self.unit]) is None:
            self.is_spent = True
            raise BudgetExceededError(
                f"a budget in dollars is set and the price of {expected.model} is not known. State"
                " input_cost_per_token and output_cost_per_token in its litellm_params, or a"
                " budget in tokens or calls."
            )
        while wanted > (left := self.left - self._set_aside):
            if not self._reserved or self.is_spent:
                self.is_spent = True
                raise BudgetExceededError(
                    f"the next call may take {wanted:,.6g} {self.unit}, and {max(left, 0):,.6g} of"
                    f" {self.most:,.6g} are left for this batch"
                )
            self._settled.clear()
            await self._settled.wait()
        self._reserved[id(expected)] = wanted
        self._set_aside += wanted

    @property
    def left(self) -> float:
        """What is not taken yet; calls in flight may take of it."""
        return self.most - float(getattr(self.taken, self.unit))

    def settle(self, expected: WireAttempt | None, attempts: Sequence[WireAttempt]) -> None:
        """Give back what was set aside for a call that is over, and add what it took."""
        self.taken.add(attempts)
        self._set_aside -= self._reserved.pop(id(expected), 0.0)
        if not self._reserved:
            self._set_aside = 0.0  # what rounding left
        self._settled.set()


def job_budget(text: str) -> JobBudget:
    """The budget of ``5usd``, ``200000tokens`` or ``1000calls``.

    Raises: ValueError: it is written otherwise, or is 0.
    """
    found = _FORM.fullmatch(text.strip().lower())
    if found is None or not float(found[1]):
        words = f"{text!r} is not a budget; write for example 5usd, 200000tokens or 1000calls"
        raise ValueError(words)
    return JobBudget(float(found[1]), found[2])
