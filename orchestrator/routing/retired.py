"""Models that their provider has retired or soon will, from LiteLLM's table."""

from __future__ import annotations

import datetime
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.routing.prices import known_about

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.routing.deployments import Ready

#: Days before a retirement from which on it is worth a word.
SOON_DAYS = 90


@dataclass(frozen=True, slots=True)
class Retirement:
    """When a model goes, and the nearest name of the same provider and kind that stays."""

    on: datetime.date
    successor: str

    def is_past(self, today: datetime.date) -> bool:
        """Whether it is gone already."""
        return self.on <= today


def retirement(one: Ready, today: datetime.date) -> Retirement | None:
    """The retirement of a deployment's model; None when none is near or known."""
    entry = known_about(one)
    on = _date(entry)
    if on is None or on > today + datetime.timedelta(days=SOON_DAYS):
        return None
    name = one.model.partition("/")[2] or one.model
    table = _litellm.load().model_cost
    stays = [
        other.removeprefix(f"{one.provider}/")
        for other, about in table.items()
        if about.get("litellm_provider") == entry.get("litellm_provider")
        and about.get("mode") == entry.get("mode")
        and other.removeprefix(f"{one.provider}/") != name
        and ((gone := _date(about)) is None or gone > today + datetime.timedelta(days=SOON_DAYS))
    ]
    near = difflib.get_close_matches(name, stays, n=1, cutoff=0.3)
    return Retirement(on, f"{one.provider}/{near[0]}" if near else "")


def _date(entry: Mapping[str, Any]) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(str(entry.get("deprecation_date", "")))
    except ValueError:
        return None


def takes_schema(one: Ready) -> bool | None:
    """LiteLLM's first guess whether a model takes a JSON schema; None when it has no entry."""
    entry = known_about(one)
    return bool(entry.get("supports_response_schema")) if entry else None
