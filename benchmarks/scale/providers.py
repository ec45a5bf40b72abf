"""Providers as a client sees them: token buckets, latencies, faults, outages."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field


class LimitedError(Exception):
    """A 429; `after_s` is what its Retry-After says."""

    def __init__(self, after_s: float) -> None:
        super().__init__(after_s)
        self.after_s = after_s


class FaultError(Exception):
    """A 5xx."""


@dataclass(slots=True)
class Bucket:
    """Refills steadily and holds what `burst_s` seconds bring."""

    per_minute: float
    burst_s: float
    clock: Callable[[], float]
    level: float = 0.0
    _at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.full
        self._at = self.clock()

    @property
    def full(self) -> float:
        """The most it holds."""
        return self.per_minute / 60 * self.burst_s

    def missing_s(self, amount: float) -> float:
        """Seconds until it holds so much; 0 where it does now."""
        now = self.clock()
        self.level = min(self.full, self.level + (now - self._at) * self.per_minute / 60)
        self._at = now
        return max(0.0, (amount - self.level) / (self.per_minute / 60))

    def most_by(self, seconds: float) -> float:
        """The most that it can have given after so long."""
        return self.full + seconds * self.per_minute / 60


@dataclass(slots=True)
class Provider:
    """One deployment behind its limits.

    Attributes:
        rpm, tpm: requests and tokens a minute.
        median_s, spread: of the log-normal latency.
        faults: share of requests that end in a 5xx.
        hangs: share that takes `hang_s`.
        outages: (from, to) in virtual seconds: everything is a 5xx.
        asked: requests that reached it; `limited` of them were refused.
        lost: answers that were paid for and that nobody waited for any more.
    """

    name: str
    rpm: float
    tpm: float
    clock: Callable[[], float]
    rng: random.Random
    median_s: float = 2.0
    spread: float = 0.5
    faults: float = 0.0
    hangs: float = 0.0
    hang_s: float = 60.0
    outages: tuple[tuple[float, float], ...] = ()
    burst_s: float = 10.0
    asked: int = 0
    limited: int = 0
    lost: int = 0
    requests: Bucket = field(init=False)
    tokens: Bucket = field(init=False)

    def __post_init__(self) -> None:
        self.requests = Bucket(self.rpm, self.burst_s, self.clock)
        self.tokens = Bucket(self.tpm, self.burst_s, self.clock)

    async def ask(self, tokens: int) -> None:
        """One request of so many tokens.

        Raises: LimitedError, FaultError.
        """
        self.asked += 1
        missing = max(self.requests.missing_s(1), self.tokens.missing_s(tokens))
        if missing > 0:
            self.limited += 1
            await asyncio.sleep(0.05)
            raise LimitedError(missing)
        self.requests.level -= 1
        self.tokens.level -= tokens
        now = self.clock()
        if any(began <= now < ended for began, ended in self.outages):
            await asyncio.sleep(0.2)
            raise FaultError
        seconds = self.median_s * self.rng.lognormvariate(0.0, self.spread)
        if self.rng.random() < self.hangs:
            seconds = self.hang_s
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.lost += 1
            raise
        if self.rng.random() < self.faults:
            raise FaultError

    def rows_by(self, seconds: float, tokens_a_row: float) -> float:
        """The most rows that it can have answered after so long."""
        up = seconds - sum(max(0.0, min(e, seconds) - b) for b, e in self.outages)
        asked = min(self.requests.most_by(up), self.tokens.most_by(up) / tokens_a_row)
        return asked * (1 - self.faults)
