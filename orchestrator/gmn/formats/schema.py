"""The JSON Schema of a document, in the strict form that providers take.

Every key required, nothing additional, no unions, references or bounds: bounds live in the checks.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from orchestrator.gmn.model import GMNSpec

_WORDS = {
    "gmn": "always 1.0",
    "labels": "one name per value; [] for default labels (0..n-1, or r{i}c{j} for a 2-D shape)",
    "size": "number of values; 0 when labels or shape say it",
    "shape": "sides of a grid, for example [5, 5]; [] for a plain list",
    "terminal": "labels of a state at which everything ends; [] where nothing does",
    "given": "parents, the first varies slowest; [] for a prior",
    "of": "the variable whose distribution the table gives",
    "learn": "whether experience changes the table",
    "concentration": "observations that each row is worth when it is learned; 1 unless asked",
    "kind": "which fields of the table count",
    "rows": "one distribution per context of given, each sums to 1",
    "map": "one label per context",
    "moves": "step of each action label along each axis",
    "boundary": "what happens at the edge",
    "blocked": "labels that cannot be entered",
    "rules": "first rule whose every condition holds; a table ends with one without conditions",
    "when": "all must hold; [] always holds",
    "values": "labels, * globs or n..m ranges in a condition; utilities in nats in a preference",
    "value": "a label, a glob, @stay, @+k, @-k or @(d1,d2)",
    "noise": "probability in [0, 1] taken from the table",
    "noise_kind": "where the noise goes: all values, the others, or staying",
    "utility": "nats; above 0 is wanted, below 0 avoided",
    "on": "an observation, a state or an action; rules are about states and actions only",
    "horizon": "steps looked ahead",
    "gamma": "precision over policies",
    "info_gain": "whether expected information gain counts",
    "discount": "what a nat is worth one step later, in (0, 1]; 1 unless asked otherwise",
    "inference": "auto unless asked otherwise",
    "agent_type": "explorer, trader, coordinator or general",
}


@functools.cache
def strict_schema() -> Mapping[str, object]:
    """The schema of `GMNSpec`; one object, which nobody may change."""
    return {"title": "GMN 1.0", **_object(GMNSpec, dict(_WORDS))}


def _object(kind: type[BaseModel], words: dict[str, str]) -> dict[str, object]:
    """The schema of a model; each of `words` is used once, since a model reads all of them."""
    properties: dict[str, object] = {}
    for name, field in kind.model_fields.items():
        said = {"description": words.pop(name)} if name in words else {}
        properties[name] = {**_typed(field.annotation, words), **said}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _typed(kind: Any, words: dict[str, str]) -> dict[str, object]:
    origin = typing.get_origin(kind)
    if origin is tuple:
        return {"type": "array", "items": _typed(typing.get_args(kind)[0], words)}
    if origin is Literal:
        return {"type": "string", "enum": list(typing.get_args(kind))}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _object(kind, words)
    names = {str: "string", int: "integer", float: "number", bool: "boolean"}
    return {"type": names[kind]}
