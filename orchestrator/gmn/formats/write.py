"""The two canonical spellings: block text for people, JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.gmn.model import GMNSpec


def write_text(spec: GMNSpec) -> str:
    """Canonical block text, one property per line, ending in a newline; reads back equal."""
    raise NotImplementedError


def write_json(spec: GMNSpec, *, lean: bool = False, indent: int | None = 2) -> str:
    """Canonical JSON, ending in a newline: every key, or with `lean` only those that differ from
    their default."""
    raise NotImplementedError
