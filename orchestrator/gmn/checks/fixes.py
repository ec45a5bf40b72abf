"""How checks spell a fix: RFC 6902 operations on the canonical JSON."""

from __future__ import annotations

from orchestrator.diagnostics import Fix, PatchOperation


def put(path: str, value: object) -> PatchOperation:
    """Replace the value at `path`."""
    return {"op": "replace", "path": path, "value": value}


def insert(path: str, value: object) -> PatchOperation:
    """Add a value at `path`; ``/…/-`` appends."""
    return {"op": "add", "path": path, "value": value}


def drop(path: str) -> PatchOperation:
    """Remove the value at `path`."""
    return {"op": "remove", "path": path}


def safe(says: str, *operations: PatchOperation) -> Fix:
    """A fix within its band: applied without asking, and reported."""
    return Fix("safe", says, operations)


def suggested(says: str, *operations: PatchOperation) -> Fix:
    """A fix that changes what was meant: applied on opt-in only."""
    return Fix("suggest", says, operations)
