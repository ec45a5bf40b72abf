"""The keys of a query: each is known and stands there once, as those of a body."""

from __future__ import annotations

from fastapi.dependencies.utils import get_flat_params
from starlette.requests import HTTPConnection

from orchestrator.parsing.spelling import nearest
from orchestrator.server.gate import OPEN_PATHS
from orchestrator.server.problems import Problem
from orchestrator.types.visible import visible


def known_query_keys(connection: HTTPConnection) -> None:
    """Hold the query of a request to what its route reads. A probe, and who opens a WebSocket, may
    add to theirs.

    Raises: Problem: a key is not known, or there twice.
    """
    given = [key for key, _ in connection.query_params.multi_items()]
    is_open = connection.url.path in OPEN_PATHS or connection.scope["type"] != "http"
    if not given or is_open:
        return
    dependant = connection.scope["route"].dependant
    fields = [one for one in get_flat_params(dependant) if one.field_info.in_.value == "query"]  # type: ignore[attr-defined]  # a Param
    known = sorted(one.alias for one in fields)
    for key in given:
        if key in known and given.count(key) == 1:
            continue
        near = nearest(key, known)
        hint = f"Did you mean {near!r}?" if near else f"Known: {', '.join(known) or 'none'}."
        says = "is there twice" if key in known else f"is not known. {hint}"
        at = visible(f"query/{key}"[:200])
        raise Problem(422, "argument", f"{at}: {says}", fields=[{"at": at, "says": says}])
