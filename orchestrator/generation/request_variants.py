"""A question put another way: for a patch, for a whole document, for another sample."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from orchestrator.gmn.formats.bounded import grammar_of
from orchestrator.parsing.json_patch import PATCH_SCHEMA
from orchestrator.types.requests import OutputMode

if TYPE_CHECKING:
    from orchestrator.types.requests import Contract, Request

RESAMPLED_AT = 0.7  # temperature of a further sample where that of the first is 0
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
        grammar=grammar_of(PATCH_SCHEMA),
    )


def another_sample(request: Request, number: int = 1) -> Request:
    """The sample that comes `number` after that of `request`; with 0 the same.

    Its seed is as much higher, and a temperature of 0, which repeats itself, becomes
    `RESAMPLED_AT`; both are left out where a deployment refuses them.
    """
    if not number:
        return request
    seed, temperature = (request.parameters.get(name) for name in ("seed", "temperature"))
    varied: dict[str, object] = {"seed": (seed if isinstance(seed, int) else 0) + number}
    if temperature == 0:
        varied["temperature"] = RESAMPLED_AT
    return dataclasses.replace(
        request,
        parameters={**request.parameters, **varied},
        optional=request.optional | {"seed", "temperature"},
        sample=request.sample + number,
    )


def as_document(request: Request, contract: Contract[Any]) -> Request:
    """A request for a patch as one for a whole document of the contract."""
    schema = contract.schema if request.mode.sends_schema else None
    return dataclasses.replace(
        request, schema=schema, schema_name=contract.name, in_words="", grammar=grammar_of(schema)
    )
