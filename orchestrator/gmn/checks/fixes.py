"""How checks spell a fix: RFC 6902 operations on the canonical JSON."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.types.diagnostics import Diagnostic, Fix, PatchOperation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def put(path: str, value: object) -> PatchOperation:
    """Replace the value at `path`."""
    return {"op": "replace", "path": path, "value": value}


def insert(path: str, value: object) -> PatchOperation:
    """Add a value at `path`; ``/…/-`` appends."""
    return {"op": "add", "path": path, "value": value}


def drop(path: str) -> PatchOperation:
    """Remove the value at `path`."""
    return {"op": "remove", "path": path}


def safe(description: str, *operations: PatchOperation) -> Fix:
    """A fix within its band: applied without asking, and reported."""
    return Fix("safe", description, operations)


def suggested(description: str, *operations: PatchOperation) -> Fix:
    """A fix that changes what was meant: applied on opt-in only."""
    return Fix("suggest", description, operations)


def capped(found: Sequence[Diagnostic], most: int, pointer: str) -> Iterator[Diagnostic]:
    """At most `most` findings of each code and kind of fix; the others counted at `pointer`.

    The changes of the others ride on the line that counts them, so that one round repairs them
    all, and those without a local repair do not hide those that have one.
    """
    alike: dict[tuple[str, str], list[Diagnostic]] = defaultdict(list)
    for diagnostic in found:
        alike[diagnostic.code, diagnostic.fix.kind if diagnostic.fix else ""].append(diagnostic)
    for (code, _), group in alike.items():
        yield from group[:most]
        rest = group[most:]
        if rest:
            words = f"{rest[0].variable}: +{len(rest)} more like this"
            yield finding(code, words, pointer=pointer, variable=rest[0].variable, fix=_all(rest))


def _all(found: Sequence[Diagnostic]) -> Fix | None:
    fixes = [diagnostic.fix for diagnostic in found if diagnostic.fix is not None]
    if not fixes:
        return None
    patch = tuple(operation for fix in fixes for operation in fix.patch)
    return Fix(fixes[0].kind, f"{fixes[0].description}, {len(fixes)} times", patch)
