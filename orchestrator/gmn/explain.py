"""What a model says, in plain English; deterministic."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.gmn.model import GMNSpec


def explain(spec: GMNSpec) -> str:
    """A few short paragraphs: what it senses, believes, can do, wants, and how it plans."""
    raise NotImplementedError
