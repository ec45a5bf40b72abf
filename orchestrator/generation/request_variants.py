"""A question put another way: asking for a patch, or for a whole document in place of one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from orchestrator.parsing.json_patch import PATCH_SCHEMA
from orchestrator.types.requests import OutputMode

if TYPE_CHECKING:
    from orchestrator.types.requests import Contract, Request

_PATCH_IN_WORDS = (
    "Write the patch as a JSON list of operations: each has op and path, and value or from where"
    " its op takes one."
)


def as_patch(request: Request) -> Request:
    """The request for a JSON Patch: with the schema of its operations where the mode sends one."""
    return dataclasses.replace(
        request,
        mode=request.mode if request.mode.sends_schema else OutputMode.PROMPT,
        schema=PATCH_SCHEMA,
        schema_name="json_patch",
        in_words=_PATCH_IN_WORDS,
    )


def as_document(request: Request, contract: Contract[Any]) -> Request:
    """A request for a patch as one for a whole document of the contract."""
    schema = contract.schema if request.mode.sends_schema else None
    return dataclasses.replace(request, schema=schema, schema_name=contract.name, in_words="")
