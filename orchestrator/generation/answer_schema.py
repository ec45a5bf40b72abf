"""The schema of an answer as providers take it: an object at its root, nothing to look up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PydanticUserError, TypeAdapter

from orchestrator.parsing.schema_coercion import resolved

#: The key of the object around a value that is not an object, or not always one.
VALUE = "value"
_LONGEST_FINDING = 240


def stated(given: Mapping[str, Any]) -> tuple[Any, str]:
    """The schema that a JSON Schema or LiteLLM's ``response_format`` states, and its name."""
    if given.get("type") == "json_schema" and isinstance(given.get("json_schema"), Mapping):
        inner = given["json_schema"]
        return _given(inner.get("schema"), {}), str(inner.get("name") or "")
    if given.get("type") == "json_object" and "properties" not in given:
        return _given(given.get("response_schema"), {"type": "object"}), ""
    return dict(given), str(given.get("title") or "")


def _given(schema: Any, otherwise: Mapping[str, Any]) -> Any:
    return otherwise if schema is None else schema


def schema_of(wanted: Any) -> tuple[TypeAdapter[Any] | None, dict[str, Any], str, bool]:
    """What a schema or a type means: its adapter, schema and name, and whether it is an object.

    Raises:
        ValueError: it is not a JSON Schema, or refers to what no provider can look up.
        TypeError: pydantic does not understand the type, or has no JSON Schema for it.
    """
    from orchestrator.parsing.schemas import check_schema  # noqa: PLC0415  it imports jsonschema

    adapter: TypeAdapter[Any] | None = None
    if isinstance(wanted, Mapping):
        schema, name = stated(wanted)
    else:
        try:
            adapter = TypeAdapter(wanted)
            schema, name = adapter.json_schema(), getattr(wanted, "__name__", "")
        except PydanticUserError as error:
            why = error.message.partition("\n")[0]
            raise TypeError(f"{wanted!r} is not a type with a JSON Schema: {why}") from error
    check_schema(schema, has_own_patterns=adapter is not None)
    root = resolved(schema, schema)
    return adapter, schema, name, isinstance(root, Mapping) and root.get("type") == "object"


def wrapped(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An object with `schema` as its one property, for providers that take an object only."""
    inner = {key: part for key, part in schema.items() if key not in ("$defs", "$schema")}
    made: dict[str, Any] = {
        "type": "object",
        "properties": {VALUE: inner},
        "required": [VALUE],
        "additionalProperties": False,
    }
    if "$defs" in schema:
        made["$defs"] = schema["$defs"]
    rebased: dict[str, Any] = _rebased(made)
    return rebased


def _rebased(part: Any) -> Any:
    """`part` with references to the old root that lead to where it stands now."""
    if isinstance(part, list):
        return [_rebased(inner) for inner in part]
    if not isinstance(part, Mapping):
        return part
    made = {key: _rebased(inner) for key, inner in part.items()}
    reference = part.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#/$defs/"):
        made["$ref"] = f"#/properties/{VALUE}{reference[1:]}"
    return made


def shortened_words(message: str) -> str:
    """A message without its middle, where it is long."""
    if len(message) <= _LONGEST_FINDING:
        return message
    return f"{message[: _LONGEST_FINDING // 2]} … {message[-_LONGEST_FINDING // 2 :]}"


def identifier(name: str) -> str:
    """A name as providers take it: at most 64 letters, digits, ``_`` and ``-``."""
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in name)[:64] or "answer"
