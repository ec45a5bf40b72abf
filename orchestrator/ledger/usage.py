"""Sums over the ledger: requests, calls, tokens, dollars, seconds by model, route, tenant…"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

By = Literal["model", "route", "agent_type", "tenant", "operation", "day"]
BYS: tuple[By, ...] = get_args(By)


_SHOWN = ("requests", "calls", "failed", "hits", "prompt_tokens", "completion_tokens", "usd",
          "unpriced", "estimated", "p50_s")  # fmt: skip
#: Dollars are added as whole millionths of a millionth: floats would depend on the order.
_PICO = 10**12


@dataclass(slots=True)
class Sum:
    """The sums of one model, route, agent type, tenant, operation or day.

    Attributes:
        requests: logical requests in which it occurs.
        calls: attempts on the wire; `failed` of them did not answer.
        pico_usd: known dollars, times 10 to the 12; `unpriced` counts the answers without a known
            price, and `estimated` the calls whose tokens and dollars are an estimate.
        seconds: how many attempts on the wire took so long, by seconds with two digits.
    """

    requests: int = 0
    calls: int = 0
    failed: int = 0
    hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    pico_usd: int = 0
    unpriced: int = 0
    estimated: int = 0
    seconds: dict[str, int] = field(default_factory=dict)

    @property
    def usd(self) -> float:
        """Known dollars."""
        return self.pico_usd / _PICO

    @property
    def p50_s(self) -> float:
        """Median seconds of an attempt, with two digits; 0 without one."""
        left = sum(self.seconds.values()) // 2
        for seconds in sorted(self.seconds, key=float):
            left -= self.seconds[seconds]
            if left < 0:
                return float(seconds)
        return 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {name: getattr(self, name) for name in _SHOWN}

    def add_attempt(self, attempt: Mapping[str, Any]) -> None:
        """Add an attempt on the wire."""
        get = attempt.get
        self.calls += 1
        outcome, is_estimate, cost = get("outcome"), get("estimated"), get("cost_usd")
        if outcome not in ("answered", "unfinished"):
            self.failed += 1
        if is_estimate:
            self.estimated += 1
        if usage := get("usage"):
            self.prompt_tokens += usage.get("prompt_tokens", 0)
            self.completion_tokens += usage.get("completion_tokens", 0)
        if cost is not None:
            self.pico_usd += round(cost * _PICO)
        elif outcome == "answered" or is_estimate:
            self.unpriced += 1
        seconds = f"{get('seconds', 0.0):.2g}"
        self.seconds[seconds] = self.seconds.get(seconds, 0) + 1

    def add(self, other: Sum, *, requests: bool = True) -> None:
        """Add another sum: its attempts on the wire, and its requests with their hits."""
        if requests:
            self.requests += other.requests
            self.hits += other.hits
        self.calls += other.calls
        self.failed += other.failed
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.pico_usd += other.pico_usd
        self.unpriced += other.unpriced
        self.estimated += other.estimated
        for seconds, count in other.seconds.items():
            self.seconds[seconds] = self.seconds.get(seconds, 0) + count


def stamp(moment: datetime.datetime | None = None) -> str:
    """`moment`, by default now, in the format of the ledger: ISO 8601, UTC, milliseconds."""
    utc = moment.astimezone(datetime.UTC) if moment else datetime.datetime.now(datetime.UTC)
    return utc.isoformat(timespec="milliseconds")


def since_of(text: str, now: datetime.datetime) -> str:
    """``7d``, ``12h`` or a date in the ISO 8601 format of `lines_of`; empty stays empty.

    Raises: ValueError: `text` has another form.
    """
    if not text:
        return ""
    if match := re.fullmatch(r"(\d+)([dh])", text):
        unit = {"d": "days", "h": "hours"}[match[2]]
        try:
            return stamp(now - datetime.timedelta(**{unit: int(match[1])}))
        except OverflowError:  # before the year 1
            return ""
    try:
        moment = datetime.datetime.fromisoformat(text)
        return stamp(moment) if moment.tzinfo else moment.isoformat(timespec="milliseconds")
    except ValueError:
        raise ValueError(f"since is {text!r}, not a time; write 7d, 12h or 2026-11-01") from None


def bars(values: Mapping[str, float], *, width: int = 40) -> list[str]:
    """A bar chart of non-negative values, one line each; the longest bar has `width` cells."""
    most = max(values.values(), default=0.0)
    longest = max((len(name) for name in values), default=0)
    eighths = " ▏▎▍▌▋▊▉█"
    lines = []
    for name, value in values.items():
        cells = round(value / most * width * 8) if most else 0
        bar = "█" * (cells // 8) + eighths[cells % 8].strip()
        lines.append(f"{name:<{longest}}  {bar}".rstrip())
    return lines
