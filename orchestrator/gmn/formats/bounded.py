"""The strict schema with bounds, for servers that turn a schema into a grammar.

A small model that loops writes until something stops it: an unbounded string takes all the tokens
that there are. llama.cpp (and with it Ollama and LM Studio), vLLM and SGLang enforce ``enum``,
``maxLength``, ``maxItems`` and anchored patterns; a pattern outranks a length there, so it holds
its own. llama.cpp refuses a grammar that repeats a piece 2,000 times or more, and nests what it
repeats, so bounds are small: what a document by a model needs, and no more. The schema for other
providers has none, because some refuse these words.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, get_args

from orchestrator.gmn.formats.schema import strict_schema
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.model import VERSION
from orchestrator.parsing.json_patch import PATCH_SCHEMA
from orchestrator.types.requests import AgentType

#: A name without quotes, blanks and escapes: letters of any alphabet, digits, and what joins them.
_NAME = "^[A-Za-z0-9_.\u00c0-\ud7ff-]{1,32}$"
#: The same with blanks and what else a label may hold: no quotes, brackets or escapes.
_LABEL = "^[A-Za-z0-9_.,:;+*/()%<>=!?' \u00c0-\ud7ff-]{1,48}$"
_ITEMS = {
    "states": DEFAULT_LIMITS.states, "observations": DEFAULT_LIMITS.observations,
    "actions": DEFAULT_LIMITS.actions, "likelihoods": DEFAULT_LIMITS.observations,
    "transitions": DEFAULT_LIMITS.states, "priors": DEFAULT_LIMITS.states,
    "preferences": DEFAULT_LIMITS.observations, "habits": DEFAULT_LIMITS.actions,
    "given": DEFAULT_LIMITS.parents, "queries": 4, "metadata": 4, "shape": 3, "delta": 3,
    "when": DEFAULT_LIMITS.parents, "then": 16, "moves": 16, "rules": 32, "operations": 16,
}  # fmt: skip
_MOST_ITEMS = 64
_LENGTHS = {"description": 160, "reason": 80, "prompt": 600, "path": 120, "from": 120}
_IN_METADATA, _IN_PATCH = 160, 600  # characters of a value
_LABEL_LENGTH = DEFAULT_LIMITS.label_length
#: Fields that name a variable, an action's label aside.
_NAMES = frozenset({"name", "of", "on", "given", "var", "inputs", "key"})
_KNOWN = {"gmn": [VERSION], "agent_type": list(get_args(AgentType))}
_INTEGERS = {
    "size": (0, DEFAULT_LIMITS.variable_size), "shape": (0, DEFAULT_LIMITS.variable_size),
    "horizon": (1, DEFAULT_LIMITS.contingent_horizon),
}  # fmt: skip


@functools.cache
def bounded_schema() -> Mapping[str, object]:
    """The strict schema with bounds; one object, which nobody may change."""
    made: Mapping[str, object] = _bounded(strict_schema(), "", "")
    return made


@functools.cache
def bounded_patch() -> Mapping[str, object]:
    """The schema of a JSON Patch with bounds; one object, which nobody may change."""
    made: Mapping[str, object] = _bounded(PATCH_SCHEMA, "", "patch")
    return made


def grammar_of(schema: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """The same schema with bounds, where it is one of these two; None for any other."""
    if schema is strict_schema():
        return bounded_schema()
    return bounded_patch() if schema is PATCH_SCHEMA else None


def _bounded(part: Any, field: str, section: str) -> Any:
    """A part of a schema, the value of `field` somewhere in `section`."""
    kind = part.get("type")
    if kind == "object":
        inner = {name: _bounded(p, name, section or name) for name, p in part["properties"].items()}
        return {**part, "properties": inner}
    if kind == "array":
        items = _bounded(part["items"], field, section)
        return {**part, "items": items, "maxItems": _ITEMS.get(field, _MOST_ITEMS)}
    if kind == "integer" and field in _INTEGERS:
        least, most = _INTEGERS[field]
        return {**part, "minimum": least, "maximum": most}
    return part if kind != "string" or "enum" in part else {**part, **_text(field, section)}


def _text(field: str, section: str) -> dict[str, object]:
    if field in _KNOWN:
        return {"enum": _KNOWN[field]}
    if field in _NAMES:
        return {"pattern": _NAME}
    if field == "labels":
        return {"pattern": _LABEL}
    if field == "value" and section in ("metadata", "patch"):
        return {"maxLength": _IN_METADATA if section == "metadata" else _IN_PATCH}
    return {"maxLength": _LENGTHS.get(field, _LABEL_LENGTH)}
