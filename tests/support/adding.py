"""Sums over lines of the ledger that are at hand, without anything kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.ledger.sums import Sums, ranked
from orchestrator.ledger.usage import By, Sum


def sums(lines: Iterable[Mapping[str, Any]], by: By) -> dict[str, Sum]:
    """Sums by one property, by descending dollars, then by descending calls."""
    made = Sums()
    for line in lines:
        made.add(line)
    return ranked(made.by(by))
