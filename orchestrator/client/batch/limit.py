"""How many requests are in flight: more while it goes well, fewer as more of them are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_GROWTH, _MOST_GROWTH = 0.1, 0.8
_CUT = 0.3  # where all of a round were refused


#: Seconds before a request that was refused for its rate is asked again, the last one repeated.
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_MOST_REFUSALS = 40  # of one request: one that is too large for its rate is refused for ever


@dataclass(slots=True)
class Refusals:
    """Those of one request: it is given up where nothing else is answered either, or after many.

    Attributes:
        answered: how many other requests were answered when it was asked last.
    """

    answered: int
    _count: int = 0
    _idle: int = 0

    def pause_s(self, answered: int) -> float | None:
        """Seconds to wait after one more of them, None for an end; `answered` as above, by now."""
        self._count += 1
        self._idle = self._idle + 1 if answered == self.answered else 0
        self.answered = answered
        if self._idle > len(PAUSES_S) or self._count > _MOST_REFUSALS:
            return None
        return PAUSES_S[min(self._count, len(PAUSES_S)) - 1]


@dataclass(slots=True)
class Limit:
    """Follows the share of requests that had to wait for a rate limit, as DCTCP follows marks.

    After each round, as many requests as may be in flight, it grows where none of them waited, by a
    tenth and by twice as much with each further such round; else it is cut in proportion to those
    that did. A request that set out before the last change says nothing about it.
    `benchmarks/scale` shows what that yields.

    Source: Alizadeh et al., Data Center TCP (SIGCOMM 2010), with a gain of 1.

    Attributes:
        most: the most that may be in flight; it begins there.
        clock: seconds; any beginning.
        value: how many may be in flight now, at least 1.
    """

    most: int
    clock: Callable[[], float]
    value: float = 0.0
    _ended: int = 0
    _limited: int = 0
    _growth: float = _GROWTH
    _changed_at: float = field(default=float("-inf"))

    def __post_init__(self) -> None:
        self.value = self.value or float(self.most)

    def ended(self, began: float, *, was_limited: bool) -> None:
        """A request that set out at `began` is over; whether a rate limit made it wait or fail."""
        if began < self._changed_at:
            return
        self._ended += 1
        self._limited += was_limited
        if self._ended < int(self.value):
            return
        if self._limited:
            self.value = max(1.0, self.value * (1 - _CUT * self._limited / self._ended))
            self._growth = _GROWTH
        else:
            self.value = min(float(self.most), self.value + max(1.0, self._growth * self.value))
            self._growth = min(2 * self._growth, _MOST_GROWTH)
        self._ended = self._limited = 0
        self._changed_at = self.clock()
