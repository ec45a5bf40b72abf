"""Models that their provider has retired or soon will, and what to use in their place.

The configuration speaks first (``model_info: {deprecation_date, successor}``), then LiteLLM's
table. A successor is never guessed from its name.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.models.table import entry_of
from orchestrator.types.errors import ConfigError
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.models.deployment import Deployment

_log = logger_of(__name__)
#: Days before a retirement at which a process warns, once each.
WARNED_AT = (0, 30, 90)
SOON_DAYS = max(WARNED_AT)
_warned: set[tuple[str, int]] = set()


@dataclass(frozen=True, slots=True)
class Retirement:
    """When a model goes, and the model that is named in its place; empty for none."""

    on: datetime.date
    successor: str

    def is_past(self, today: datetime.date) -> bool:
        """Whether it is gone already."""
        return self.on <= today

    def words(self, today: datetime.date) -> str:
        """When it goes, and what to use instead."""
        when = f"{'retired on' if self.is_past(today) else 'will be retired on'} {self.on}"
        return f"{when}; use {self.successor} instead" if self.successor else when


def today_utc() -> datetime.date:
    """The date by which models are retired."""
    return datetime.datetime.now(datetime.UTC).date()


def retirement(
    one: Deployment, today: datetime.date, table: Mapping[str, Any]
) -> Retirement | None:
    """The retirement of a deployment's model; None when none is near or known.

    `table` is LiteLLM's of all models, by name.
    """
    found = retirement_of(one, today, table)
    near = today + datetime.timedelta(days=SOON_DAYS)
    return found if found is not None and found.on <= near else None


def retirement_of(
    one: Deployment, today: datetime.date, table: Mapping[str, Any]
) -> Retirement | None:
    """The same however far away it is; None when no date is known."""
    entry = one.entry_in(table)
    on = _date(one.model_info) or _date(entry)
    if on is None:
        return None
    stated = str(one.model_info.get("successor") or "")
    soon = today + datetime.timedelta(days=SOON_DAYS)
    successor = _staying(stated or str(entry.get("successor_model") or ""), soon, table)
    successor = successor or (stated if not _is_in(stated, table) else "")
    prefix, slash, _ = successor.partition("/")
    by = str(table.get(successor, {}).get("litellm_provider") or "")
    is_whole = bool(slash) and (prefix == one.provider or by.startswith(prefix))
    if not successor or is_whole or successor == stated:
        return Retirement(on, successor)
    return Retirement(on, f"{one.provider}/{successor}")


def warn_of_retirements(
    ready: Iterable[Deployment], today: datetime.date, table: Mapping[str, Any]
) -> None:
    """Log one warning for each model at 90 days, at 30 days and when it is gone."""
    for one in ready:
        if (found := retirement(one, today, table)) is None:
            continue
        left = (found.on - today).days
        mark = one.model, next(days for days in WARNED_AT if left <= days)
        if mark not in _warned:
            _warned.add(mark)
            _log.warning("%s (%s) %s", one.group, one.model, found.words(today))


def _staying(name: str, soon: datetime.date, table: Mapping[str, Any]) -> str:
    """The first model from `name` down the chain of successors that stays; empty for none.

    Some successors are retired themselves, and some are names that LiteLLM's table does not have.
    """
    seen = set()
    while _is_in(name, table) and name not in seen:
        entry = entry_of(name, table)
        if (gone := _date(entry)) is None or gone > soon:
            return name
        seen.add(name)
        name = str(entry.get("successor_model") or "")
    return ""


def _is_in(name: str, table: Mapping[str, Any]) -> bool:
    return name in table or bool(entry_of(name, table))


def _date(entry: Mapping[str, Any]) -> datetime.date | None:
    """The date, of a moment too; None for none."""
    try:
        return datetime.date.fromisoformat(str(entry.get("deprecation_date") or "")[:10])
    except ValueError:
        return None


def refuse_odd_date(place: str, model_info: Mapping[str, Any]) -> None:
    """Raises: ConfigError: what a configuration states is not a date; nobody would be warned."""
    if (stated := model_info.get("deprecation_date")) and _date(model_info) is None:
        fix = "Write YYYY-MM-DD."
        raise ConfigError(f"{place}.deprecation_date", f"{stated!r} is not a date", fix=fix)
