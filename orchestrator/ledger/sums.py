"""Sums over lines of the ledger, by day and by each property of a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.ledger.usage import By, Sum

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The sums by day (ISO 8601), property and name; a day is the sum of any property but the model.
Days = dict[str, dict[str, dict[str, Sum]]]
_PROPERTIES: tuple[By, ...] = ("route", "agent_type", "tenant", "operation")
_NO_MODEL = ""
_MOST_FRESH = 10_000


class Sums:
    """Sums to which lines are added."""

    def __init__(self, days: Days | None = None) -> None:
        """Goes on from `days`, which is changed."""
        self._days: Days = {} if days is None else days
        # What has the same day and properties, by model: a line is added to two sums at once, and
        # these to those of each property once for many lines.
        self._fresh: dict[tuple[Any, ...], dict[str, Sum]] = {}

    def add(self, line: Mapping[str, Any]) -> None:
        """Add a line of the ledger."""
        get = line.get
        operation = get("operation")
        key = (get("at", "")[:10], get("route"), get("agent_type"), get("tenant"), operation)
        models = self._fresh.get(key)
        if models is None:
            if len(self._fresh) >= _MOST_FRESH:
                self._settle()
            models = self._fresh[key] = {_NO_MODEL: Sum()}
        touched = set()
        for attempt in get("wire", ()):
            model = attempt.get("model") or "?"
            touched.add(model)
            if model not in models:
                models[model] = Sum()
            models[model].add_attempt(attempt)
        if operation == "late":
            return
        hits = get("hits", 0)
        whole = models[_NO_MODEL]
        whole.requests += 1
        whole.hits += hits
        for model in touched or ("(cache)",):
            entry = models.get(model) or models.setdefault(model, Sum())
            entry.requests += 1
            entry.hits += 0 if touched else hits

    def days(self) -> Days:
        """The sums."""
        self._settle()
        return self._days

    def by(self, by: By) -> dict[str, Sum]:
        """The sums by one property."""
        found: dict[str, Sum] = {}
        for day, properties in self.days().items():
            for name, entry in properties[_counted(by)].items():
                place = (day or "(none)") if by == "day" else name
                found.setdefault(place, Sum()).add(entry)
        return found

    def add_days(self, days: Days, by: By, since: str) -> None:
        """Add the sums by one property of the days at or after one (ISO 8601)."""
        for day, properties in days.items():
            if day >= since:
                own = self._days.setdefault(day, {name: {} for name in properties})[_counted(by)]
                for name, entry in properties[_counted(by)].items():
                    own.setdefault(name, Sum()).add(entry)

    def _settle(self) -> None:
        fresh, self._fresh = self._fresh, {}
        for (day, *names), models in fresh.items():
            properties = self._days.get(day) or self._days.setdefault(
                day, {name: {} for name in ("model", *_PROPERTIES)}
            )
            for model, entry in models.items():
                if model != _NO_MODEL:
                    properties["model"].setdefault(model, Sum()).add(entry)
                for by, name in zip(_PROPERTIES, names, strict=True):
                    whole = properties[by].setdefault(name or "(none)", Sum())
                    whole.add(entry, requests=model == _NO_MODEL)


def _counted(by: By) -> str:
    """The property whose names are added up; each line has one operation, so days are theirs."""
    return "operation" if by == "day" else by


def ranked(found: Mapping[str, Sum]) -> dict[str, Sum]:
    """By descending dollars, then by descending calls."""
    return dict(
        sorted(found.items(), key=lambda item: (-item[1].pico_usd, -item[1].calls, item[0]))
    )


def sums(lines: Iterable[Mapping[str, Any]], by: By) -> dict[str, Sum]:
    """Sums by one property, by descending dollars, then by descending calls."""
    made = Sums()
    for line in lines:
        made.add(line)
    return ranked(made.by(by))
