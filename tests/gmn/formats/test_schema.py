"""The shipped schema is the one that the model says."""

from __future__ import annotations

import json
from collections.abc import Iterator

from orchestrator.config.paths import shipped
from orchestrator.gmn.formats.schema import strict_schema


def test_the_shipped_schema_is_generated_from_the_model() -> None:
    assert json.loads(shipped("schemas", "gmn.schema.json").read_text()) == strict_schema()


def objects(schema: object) -> Iterator[dict[str, object]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_every_object_is_strict_and_nothing_is_used_that_a_provider_refuses() -> None:
    for schema in objects(strict_schema()):
        properties = schema["properties"]
        assert isinstance(properties, dict)
        assert schema["required"] == list(properties)
        assert schema["additionalProperties"] is False
    text = json.dumps(strict_schema())
    for word in ('"anyOf"', '"$ref"', '"minimum"', '"maxItems"', '"null"', '"$schema"'):
        assert word not in text


def test_every_description_is_said_once() -> None:
    found = [
        part["description"]
        for schema in objects(strict_schema())
        for part in schema["properties"].values()  # type: ignore[attr-defined]
        if "description" in part
    ]
    assert len(found) == len(set(found)) > 12
