"""The JSON Schema of a document, in the strict form that providers take.

Every key required, nothing additional, no unions, references or bounds: bounds live in the checks.
A section has only the fields that can mean something in it: a likelihood never moves anything.
What a field means stands in the prompt; the words here say how one that is not used is written.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from orchestrator.gmn.model import GMNSpec

#: Unused fields are empty, which the first of these words says for all of them.
_WORDS = {
    "gmn": 'always 1.0; fields not used are [], "" or 0',
    "labels": "[] for 0..n-1, or r{i}c{j} of a 2-D shape",
    "size": "0 where labels or shape say it",
    "shape": "sides of a grid",
    "terminal": "labels that end everything",
    "given": "parents, the first varies slowest",
    "learn": "whether experience changes it",
    "concentration": "observations that a row is worth; else 1",
    "rows": "per context of given, sums to 1",
    "map": "a label per context",
    "when": "all must hold; [] always holds",
    "values": "labels, globs, n..m; utilities in a preference",
    "discount": "of utility per step, in (0, 1]; else 1",
    "queries": "questions to a language model; [] unless asked for",
    "trigger_value": "the uncertainty, or n",
    "inputs": "variables that the prompt names in braces",
}

#: What means nothing in a section, by the way to it.
_UNUSED: Mapping[str, frozenset[str]] = {
    "observations": frozenset({"terminal"}),
    "actions": frozenset({"terminal"}),
    "priors": frozenset({"given"}),
    "priors/table/rules": frozenset({"when"}),
    **dict.fromkeys(
        ("likelihoods/table", "priors/table"), frozenset({"moves", "boundary", "blocked"})
    ),
}
_IMPOSSIBLE: Mapping[str, frozenset[str]] = {
    "likelihoods/table/kind": frozenset({"shift", "grid"}),
    "likelihoods/table/noise_kind": frozenset({"stay"}),
    "priors/table/kind": frozenset({"identity", "shift", "grid"}),
    "priors/table/noise_kind": frozenset({"stay"}),
}


@functools.cache
def strict_schema() -> Mapping[str, object]:
    """The schema of `GMNSpec`; one object, which nobody may change."""
    return {"title": "GMN 1.0", **_object(GMNSpec, "", dict(_WORDS))}


def as_schema_asks(spec: GMNSpec) -> dict[str, Any]:
    """The JSON form of a document with just the fields that the schema has; the same model."""
    kept: dict[str, Any] = _kept(spec.to_json(), strict_schema())
    return kept


def _kept(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_kept(item, schema["items"]) for item in value]
    if isinstance(value, dict):
        return {key: _kept(value[key], part) for key, part in schema["properties"].items()}
    return value


def _object(kind: type[BaseModel], way: str, words: dict[str, str]) -> dict[str, object]:
    """The schema of a model; each of `words` is used once, since a model reads all of them."""
    properties: dict[str, object] = {}
    for name, field in kind.model_fields.items():
        if name in _UNUSED.get(way, ()):
            continue
        said = {"description": words.pop(name)} if name in words else {}
        inner = f"{way}/{name}".removeprefix("/")
        properties[name] = {**_typed(field.annotation, inner, words), **said}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _typed(kind: Any, way: str, words: dict[str, str]) -> dict[str, object]:
    origin = typing.get_origin(kind)
    if origin is tuple:
        return {"type": "array", "items": _typed(typing.get_args(kind)[0], way, words)}
    if origin is Literal:
        impossible = _IMPOSSIBLE.get(way, frozenset())
        return {"type": "string", "enum": [o for o in typing.get_args(kind) if o not in impossible]}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _object(kind, way, words)
    names = {str: "string", int: "integer", float: "number", bool: "boolean"}
    return {"type": names[kind]}
