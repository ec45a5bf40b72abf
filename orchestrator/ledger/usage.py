"""Sums over the ledger: requests, calls, tokens, dollars, seconds by model, route, tenant…"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

By = Literal["model", "route", "agent_type", "tenant", "operation", "day"]
BYS: tuple[By, ...] = get_args(By)


@dataclass(slots=True)
class Sum:
    """The sums of one model, route, agent type, tenant, operation or day.

    Attributes:
        requests: logical requests in which it occurs.
        calls: attempts on the wire; `failed` of them did not answer.
        usd: known dollars; `unpriced` counts the answers without a known price, and `estimated`
            the calls whose tokens and dollars are an estimate.
        seconds: of every attempt on the wire.
    """

    requests: int = 0
    calls: int = 0
    failed: int = 0
    hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    estimated: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def p50_s(self) -> float:
        """Median seconds of an attempt, 0 without one."""
        return sorted(self.seconds)[len(self.seconds) // 2] if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        names = ("requests", "calls", "failed", "hits", "prompt_tokens", "completion_tokens")
        counts = {name: getattr(self, name) for name in names}
        marks = {"unpriced": self.unpriced, "estimated": self.estimated}
        return {**counts, "usd": self.usd, **marks, "p50_s": self.p50_s}


def sums(lines: Iterable[Mapping[str, Any]], by: By) -> dict[str, Sum]:
    """Sums by one property, by descending dollars, then by descending calls."""
    found: dict[str, Sum] = {}
    for line in lines:
        touched = set()
        for attempt in line.get("wire", ()):
            name = str(attempt.get("model") or "?") if by == "model" else _name(line, by)
            touched.add(name)
            _add(found.setdefault(name, Sum()), attempt)
        if line.get("operation") == "late":
            continue
        for name in touched or {"(cache)" if by == "model" else _name(line, by)}:
            entry = found.setdefault(name, Sum())
            entry.requests += 1
            entry.hits += 0 if by == "model" and touched else int(line.get("hits", 0))
    return dict(sorted(found.items(), key=lambda item: (-item[1].usd, -item[1].calls, item[0])))


def _name(line: Mapping[str, Any], by: By) -> str:
    found = line.get("at", "")[:10] if by == "day" else line.get(by, "")
    return str(found or "(none)")


def _add(entry: Sum, attempt: Mapping[str, Any]) -> None:
    usage = attempt.get("usage") or {}
    entry.calls += 1
    entry.failed += attempt.get("outcome") not in ("answered", "unfinished")
    entry.estimated += bool(attempt.get("estimated"))
    entry.prompt_tokens += int(usage.get("prompt_tokens", 0))
    entry.completion_tokens += int(usage.get("completion_tokens", 0))
    entry.seconds.append(float(attempt.get("seconds", 0.0)))
    if attempt.get("cost_usd") is not None:
        entry.usd += float(attempt["cost_usd"])
    elif attempt.get("outcome") == "answered" or attempt.get("estimated"):
        entry.unpriced += 1


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
        moment = now - datetime.timedelta(**{unit: int(match[1])})
        return stamp(moment)
    try:
        return datetime.datetime.fromisoformat(text).isoformat(timespec="milliseconds")
    except ValueError:
        raise ValueError(f"--since {text!r} is not a time; write 7d, 12h or 2026-11-01") from None


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
