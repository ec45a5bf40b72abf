"""Output modes on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.types.requests import OutputMode

if TYPE_CHECKING:
    from orchestrator.types.requests import Request

_STRICT_WORDS = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf",
    "$ref", "$defs", "description", "title", "pattern", "format", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems",
})  # fmt: skip
#: Keywords that say nothing about a value, or that providers refuse.
_IDLE = ("$schema", "title", "default", "examples")


def messages_of(request: Request) -> list[dict[str, Any]]:
    """The conversation, with the schema in words where the provider is not given it."""
    turns = [turn.as_dict() for turn in request.messages]
    if not request.in_words or request.mode.sends_schema:
        return turns
    last = turns[-1]
    if last["role"] == "user" and isinstance(last["content"], str):
        return [*turns[:-1], {**last, "content": f"{last['content']}\n\n{request.in_words}"}]
    return [*turns, {"role": "user", "content": request.in_words}]


def response_format_arguments(request: Request) -> dict[str, Any]:
    """LiteLLM's arguments that ask for the shape of the answer in the request's mode."""
    if request.mode is OutputMode.JSON_OBJECT:
        return {"response_format": {"type": "json_object"}}
    if request.schema is None or not request.mode.sends_schema:
        return {}
    name, schema = request.schema_name or "answer", tightened(request.schema)
    if request.mode is OutputMode.JSON_SCHEMA:
        form = {"name": name, "schema": schema, "strict": takes_strictly(schema)}
        return {"response_format": {"type": "json_schema", "json_schema": form}}
    return {
        "tools": [{"type": "function", "function": {"name": name, "parameters": schema}}],
        "tool_choice": {"type": "function", "function": {"name": name}},
    }


def tightened(schema: Any) -> Any:
    """A schema without idle words, closed where every property is required anyway.

    Whatever fulfils it fulfils the original too, and providers enforce it in more cases.
    """
    if not isinstance(schema, Mapping):
        return schema
    made = {key: part for key, part in schema.items() if key not in _IDLE}
    for key in ("properties", "$defs"):
        if key in made:
            made[key] = {name: tightened(part) for name, part in made[key].items()}
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in made:
            made[key] = [tightened(part) for part in made[key]]
    if "items" in made:
        made["items"] = tightened(made["items"])
    if "properties" in made and set(made["properties"]) == set(made.get("required", ())):
        made.setdefault("additionalProperties", False)
    return made


def takes_strictly(schema: object) -> bool:
    """Whether a schema is in the subset that providers enforce word by word.

    There every object is closed and every property required; with anything else providers refuse
    ``strict`` and only try their best.
    """
    if not isinstance(schema, Mapping):
        return isinstance(schema, bool)
    if not set(schema) <= _STRICT_WORDS:
        return False
    wanted = schema.get("properties", {})
    is_object = schema.get("type") == "object" or "properties" in schema
    is_closed = schema.get("additionalProperties") is False
    if is_object and not (is_closed and set(wanted) == set(schema.get("required", ()))):
        return False
    parts = [*wanted.values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    return all(map(takes_strictly, [*parts, *([schema["items"]] if "items" in schema else [])]))
