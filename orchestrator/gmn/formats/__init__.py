"""Every known spelling in, one canonical spelling out."""

from __future__ import annotations

from orchestrator.gmn.formats.comments import comments_of
from orchestrator.gmn.formats.conform import Conformed, Gradient, conform
from orchestrator.gmn.formats.places import Places
from orchestrator.gmn.formats.read import Reading, read
from orchestrator.gmn.formats.write import write_json, write_text

__all__ = [
    "Conformed",
    "Gradient",
    "Places",
    "Reading",
    "comments_of",
    "conform",
    "read",
    "write_json",
    "write_text",
]
