"""Times two functions alternately in one run, so that noise affects both equally."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much longer A takes than B.

    Attributes:
        a_s, b_s: median seconds of one call of A and of B.
        low, median, high: quartiles and median of the ratios pair by pair.
    """

    a_s: float
    b_s: float
    low: float
    median: float
    high: float

    def line(self, name: str, a: str, b: str) -> str:
        """The line that a benchmark prints."""
        return (
            f"{name}: {a} {spell(self.a_s)}, {b} {spell(self.b_s)}, "
            f"ratio {self.median:.3g} (quartiles {self.low:.3g} to {self.high:.3g})"
        )


def spell(seconds: float) -> str:
    """Seconds with three digits, in s, ms, µs or ns."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def seconds_of(
    work: Callable[[], object], *, calls: int = 1, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds of one call, as the mean over `calls` of them."""
    start = clock()
    for _ in range(calls):
        work()
    return (clock() - start) / calls


def interleaved(
    a: Callable[[], object],
    b: Callable[[], object],
    *,
    rounds: int = 15,
    calls: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Ratio:
    """Time A and B alternately, after one warm-up of each."""
    a(), b()
    both = [[seconds_of(one, calls=calls, clock=clock) for one in (a, b)] for _ in range(rounds)]
    return ratio_of([(one, other) for one, other in both])


def ratio_of(pairs: list[tuple[float, float]]) -> Ratio:
    """Medians and quartiles over pairs measured in turn; at least four pairs."""
    ratios = [a / b for a, b in pairs]
    low, median, high = statistics.quantiles(ratios, n=4)
    return Ratio(
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        low,
        median,
        high,
    )
