"""Models that their provider has retired or soon will, from LiteLLM's table."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.models.deployments import Deployment

#: Days before a retirement from which on it is worth a word.
SOON_DAYS = 90


@dataclass(frozen=True, slots=True)
class Retirement:
    """When a model goes, and the model that its provider names in its place; empty for none."""

    on: datetime.date
    successor: str

    def is_past(self, today: datetime.date) -> bool:
        """Whether it is gone already."""
        return self.on <= today


def retirement(
    one: Deployment, today: datetime.date, table: Mapping[str, Any]
) -> Retirement | None:
    """The retirement of a deployment's model; None when none is near or known.

    `table` is LiteLLM's of all models, by name.
    """
    entry = one.entry_in(table)
    soon = today + datetime.timedelta(days=SOON_DAYS)
    on = _date(entry)
    if on is None or on > soon:
        return None
    successor = _successor(entry, soon, table)
    prefixed = successor.startswith(f"{one.provider}/")
    return Retirement(on, successor if prefixed or not successor else f"{one.provider}/{successor}")


def _successor(entry: Mapping[str, Any], soon: datetime.date, table: Mapping[str, Any]) -> str:
    """The first model down the chain of successors that stays; empty when there is none.

    Some successors are retired themselves, and some are names that LiteLLM's table does not have.
    """
    seen = set()
    while (name := str(entry.get("successor_model") or "")) in table and name not in seen:
        entry = table[name]
        if (gone := _date(entry)) is None or gone > soon:
            return name
        seen.add(name)
    return ""


def _date(entry: Mapping[str, Any]) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(str(entry.get("deprecation_date", "")))
    except ValueError:
        return None
