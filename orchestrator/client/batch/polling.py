"""A provider that is asked until it says what is waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from orchestrator.routing.batches import REFUSALS
from orchestrator.types.errors import LLMError

if TYPE_CHECKING:
    from orchestrator.client.batch.runner import Stop

T = TypeVar("T")
_RATE_LIMIT = 429
_LONGEST_PAUSE_S = 300.0
_GROWTH = 1.5
_MOST_FAILURES = 10  # of one reading, one upload, one purchase


def is_rate_limit(error: LLMError) -> bool:
    """Whether the provider refused for now, and did nothing."""
    return error.status == _RATE_LIMIT


def may_pass(error: LLMError) -> bool:
    """Whether the same may be answered later."""
    return is_rate_limit(error) or error.status not in REFUSALS


@dataclass(frozen=True, slots=True)
class Polling:
    """How often a provider is asked.

    Attributes:
        pause_s: seconds before the second time; each later pause is longer.
    """

    stop: Stop
    sleep: Callable[[float], Awaitable[None]]
    pause_s: float

    async def result(
        self,
        ask: Callable[[], Awaitable[T]],
        ends: Callable[[T], bool] = lambda _: True,
        *,
        is_left: bool = False,
        repeated: Callable[[LLMError], bool] = may_pass,
    ) -> T:
        """What a provider says, once it `ends`; a failure that may be `repeated` is, with `is_left`
        until the batch is to stop.

        Raises: LLMError: it failed too often, or otherwise.
        """
        pause_s, failures = self.pause_s, 0
        while True:
            stated_s = 0.0
            try:
                if ends(found := await ask()):
                    return found
            except LLMError as error:
                failures += 1
                is_over = failures > _MOST_FAILURES or not repeated(error)
                if is_over or (is_left and self.stop.why):
                    raise
                stated_s = error.retry_after_s or 0.0
            pause = self.sleep(max(pause_s, stated_s))
            await (self.stop.pause(pause) if is_left else pause)
            pause_s = min(pause_s * _GROWTH, _LONGEST_PAUSE_S)
