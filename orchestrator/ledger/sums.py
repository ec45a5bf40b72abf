"""Sums over lines of the ledger, by day and by each property of a line."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from orchestrator.ledger.usage import By, Sum

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The sums by day (ISO 8601), property and name; a day is the sum of any property but the model.
Days = dict[str, dict[str, dict[str, Sum]]]
_PROPERTIES: tuple[By, ...] = ("route", "agent_type", "tenant", "operation")
_NO_MODEL = ""
_MOST_FRESH = 30_000


class Sums:
    """Sums to which lines are added."""

    def __init__(self) -> None:
        """No lines yet."""
        self._days: Days = {}
        # What has the same day, properties and model, and whether that is all of its requests: a
        # line is added to one of these, as a rule, and they to those of each property once for many
        # lines.
        self._fresh: defaultdict[tuple[tuple[Any, ...], str, bool], Sum] = defaultdict(Sum)

    def add(self, line: Mapping[str, Any]) -> None:
        """Add a line of the ledger."""
        get, fresh = line.get, self._fresh
        operation, wire, hits = get("operation"), get("wire") or [], get("hits", 0)
        place = (get("at", "")[:10], get("route"), get("agent_type"), get("tenant"), operation)
        if len(wire) == 1 and not hits and operation != "late":
            entry = fresh[place, wire[0].get("model") or "?", True]
            entry.add_attempt(wire[0])
        else:
            for attempt in wire:
                fresh[place, attempt.get("model") or "?", False].add_attempt(attempt)
            if operation == "late":
                return
            for model in {attempt.get("model") or "?" for attempt in wire}:
                fresh[place, model, False].requests += 1
            entry = fresh[place, _NO_MODEL if wire else "(cache)", True]
            entry.hits += hits
        entry.requests += 1
        if len(fresh) > _MOST_FRESH:
            self._settle()

    def days(self) -> Days:
        """The sums."""
        self._settle()
        return self._days

    def by(self, by: By) -> dict[str, Sum]:
        """The sums by one property."""
        found: dict[str, Sum] = {}
        for day, properties in self.days().items():
            for name, entry in properties[counted(by)].items():
                place = (day or "(none)") if by == "day" else name
                found.setdefault(place, Sum()).add(entry)
        return found

    def add_day(self, day: str, by: By, names: Mapping[str, Sum]) -> None:
        """Add the sums by one property of a day."""
        add_names(self._day(day)[counted(by)], names)

    def _day(self, day: str) -> dict[str, dict[str, Sum]]:
        return self._days.setdefault(day, {name: {} for name in ("model", *_PROPERTIES)})

    def _settle(self) -> None:
        fresh, self._fresh = self._fresh, defaultdict(Sum)
        for ((day, *names), model, is_whole), entry in fresh.items():
            properties = self._day(day)
            if model != _NO_MODEL:
                properties["model"].setdefault(model, Sum()).add(entry)
            for by, name in zip(_PROPERTIES, names, strict=True):
                whole = properties[by].setdefault(name or "(none)", Sum())
                whole.add(entry, requests=is_whole)


def add_names(own: dict[str, Sum], others: Mapping[str, Sum]) -> None:
    """Add sums to those of the same names."""
    for name, entry in others.items():
        own.setdefault(name, Sum()).add(entry)


def counted(by: By) -> By:
    """The property whose names are added up; each line has one operation, so days are theirs."""
    return "operation" if by == "day" else by


def ranked(found: Mapping[str, Sum]) -> dict[str, Sum]:
    """By descending dollars, then by descending calls."""
    return dict(
        sorted(found.items(), key=lambda item: (-item[1].pico_usd, -item[1].calls, item[0]))
    )
