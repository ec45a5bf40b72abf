"""Every known spelling in, one canonical spelling out."""

from __future__ import annotations

from orchestrator.gmn.formats.coercion import Coerced, coerce
from orchestrator.gmn.formats.comments import comments_of, moved
from orchestrator.gmn.formats.read import Reading, read
from orchestrator.gmn.formats.shares import with_shares
from orchestrator.gmn.formats.source_map import SourceMap
from orchestrator.gmn.formats.write import write_json, write_text

__all__ = [
    "Coerced",
    "Reading",
    "SourceMap",
    "coerce",
    "comments_of",
    "moved",
    "read",
    "with_shares",
    "write_json",
    "write_text",
]
