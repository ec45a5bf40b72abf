"""How deployments fare, read from the attempts that were made anyway."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.models.groups import Deployments
    from orchestrator.types.requests import WireAttempt

#: Attempts that a deployment is judged by: its latest.
MOST_ATTEMPTS = 200
#: Failures in a row after which a deployment counts as unavailable.
MOST_FAILURES = 3
#: The caller left, its own deadline came, or its process ended.
_NO_VERDICT = ("cancelled", "TimeoutError", "unfinished")


class AttemptSample(NamedTuple):
    """One attempt: when it ended (ISO 8601), how, and how long it took."""

    at: str
    outcome: str
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether it was answered."""
        return self.outcome == "answered"


@dataclass(frozen=True, slots=True)
class Health:
    """How one deployment, or all those of one provider, fare.

    Attributes:
        name: id of the deployment, or name of the provider.
        available: whether a call sent now would be tried and may well succeed.
        reason: why not; empty when available.
        attempts: how many the figures are made of; 0 means that nothing is known yet.
        success_rate: percent of the attempts that were answered; None without attempts.
        average_s, p95_s: seconds of the answered ones; None without any.
        consecutive_failures: failures since the last answer.
        last_success, last_failure: ISO 8601; empty for never.
        last_error: name of the last failure.
        cooldown_until: ISO 8601; empty when it is not resting.
    """

    name: str
    provider: str
    model: str
    available: bool
    reason: str
    attempts: int
    success_rate: float | None
    average_s: float | None
    p95_s: float | None
    consecutive_failures: int
    last_success: str
    last_failure: str
    last_error: str
    cooldown_until: str


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Every provider and every deployment, those that were left out included."""

    providers: tuple[Health, ...]
    deployments: tuple[Health, ...]

    @property
    def available(self) -> bool:
        """Whether anything can be called."""
        return any(one.available for one in self.deployments)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "available": self.available,
            "providers": [asdict(one) for one in self.providers],
            "deployments": [asdict(one) for one in self.deployments],
        }


@dataclass(slots=True)
class Monitor:
    """Remembers the latest attempts of every deployment; safe to feed from any thread.

    `listener` hears of each attempt of this process.
    """

    seen: dict[str, deque[AttemptSample]] = field(default_factory=dict)
    listener: Callable[[WireAttempt], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, at: str, attempts: Iterable[WireAttempt]) -> None:
        """Remember attempts that ended at about `at`."""
        for one in attempts:
            self._record(one.deployment, AttemptSample(at, one.outcome, one.seconds))
            if self.listener is not None:
                self.listener(one)

    def record_lines(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Remember what the ledger's lines say, oldest first."""
        for line in lines:
            for one in (*line.get("wire", ()), *line.get("unsent", ())):
                seen = AttemptSample(str(line["at"]), str(one["outcome"]), float(one["seconds"]))
                self._record(str(one["deployment"]), seen)

    def _record(self, deployment: str, seen: AttemptSample) -> None:
        if seen.outcome in _NO_VERDICT:
            return
        with self._lock:
            self.seen.setdefault(deployment, deque(maxlen=MOST_ATTEMPTS)).append(seen)

    def of(
        self,
        name: str,
        *,
        provider: str,
        model: str,
        deployments: Sequence[str],
        cooldown_until: str = "",
        skipped: str = "",
    ) -> Health:
        """The health of some deployments taken together."""
        with self._lock:
            every = [one for d in deployments for one in self.seen.get(d, ())]
        every.sort(key=lambda one: one.at)
        good = sorted(one.seconds for one in every if one.is_good)
        failures = _in_a_row(every)
        bad = [one for one in every if not one.is_good]
        why = f" after {bad[-1].outcome}" if bad else ""
        reason = skipped or (f"resting until {cooldown_until}{why}" if cooldown_until else "")
        if not reason and failures >= MOST_FAILURES:
            reason = f"the last {failures} attempts failed ({bad[-1].outcome})"
        return Health(
            name,
            provider,
            model,
            available=not reason,
            reason=reason,
            attempts=len(every),
            success_rate=round(100.0 * len(good) / len(every), 1) if every else None,
            average_s=round(sum(good) / len(good), 4) if good else None,
            p95_s=round(good[math.ceil(0.95 * len(good)) - 1], 4) if good else None,
            consecutive_failures=failures,
            last_success=max((one.at for one in every if one.is_good), default=""),
            last_failure=bad[-1].at if bad else "",
            last_error=bad[-1].outcome if bad else "",
            cooldown_until=cooldown_until,
        )

    def report(self, known: Deployments, resting: Mapping[str, str]) -> HealthReport:
        """Every deployment and provider; `resting` says until when (ISO 8601) which id rests."""
        ready = [
            self.of(
                one.id, provider=one.provider, model=one.model, deployments=[one.id],
                cooldown_until=resting.get(one.id, ""),
            )
            for one in known.ready
        ]  # fmt: skip
        skipped = [
            self.of(
                one.group, provider=one.provider, model=one.model, deployments=(),
                skipped=one.reason,
            )
            for one in known.skipped
        ]  # fmt: skip
        providers = dict.fromkeys(one.provider for one in ready)
        together = [self._together([o for o in ready if o.provider == p]) for p in providers]
        return HealthReport(tuple(together), (*ready, *skipped))

    def _together(self, found: Sequence[Health]) -> Health:
        """The health of a provider from that of its deployments; one available one suffices."""
        reasons = "; ".join(dict.fromkeys(one.reason for one in found if one.reason))
        return self.of(
            found[0].provider,
            provider=found[0].provider,
            model=", ".join(dict.fromkeys(one.model for one in found)),
            deployments=[one.name for one in found],
            skipped="" if any(one.available for one in found) else reasons,
        )


def _in_a_row(every: Sequence[AttemptSample]) -> int:
    """Failures at the end."""
    count = 0
    for one in reversed(every):
        if one.is_good:
            break
        count += 1
    return count
