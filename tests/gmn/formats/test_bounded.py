"""The schema with bounds: every good document fulfils it, and servers can make a grammar of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from orchestrator.generation.request_building import load_library
from orchestrator.gmn.examples import Example
from orchestrator.gmn.formats.bounded import bounded_patch, bounded_schema, grammar_of
from orchestrator.gmn.formats.schema import as_schema_asks, strict_schema
from orchestrator.gmn.validate import validate
from orchestrator.parsing.json_patch import PATCH_SCHEMA
from tests.support.documents import GOOD

#: llama.cpp refuses what repeats a piece as often; a piece with its comma counts as several.
TOO_OFTEN = 2000
PER_ITEM = 8


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    yield schema
    inner = list(schema.get("properties", {}).values())
    for part in [*inner, schema["items"]] if "items" in schema else inner:
        yield from parts(part)


@pytest.mark.parametrize("example", load_library(), ids=lambda e: e.name)
def test_a_curated_model_fulfils_it(example: Example) -> None:
    jsonschema.validate(as_schema_asks(example.spec), bounded_schema())


def test_names_of_any_alphabet_fulfil_it() -> None:
    spec = validate(GOOD.replace("place", "\u4f4d\u7f6e"), run_steps=0).spec
    assert spec is not None
    jsonschema.validate(as_schema_asks(spec), bounded_schema())


@pytest.mark.parametrize("schema", [bounded_schema(), bounded_patch()], ids=["document", "patch"])
def test_every_text_list_and_size_has_a_bound_that_a_grammar_takes(
    schema: dict[str, Any],
) -> None:
    for part in parts(schema):
        if part["type"] == "string":
            assert {"enum", "maxLength", "pattern"} & set(part), part
            assert part.get("maxLength", 0) < TOO_OFTEN
        if part["type"] == "array":
            assert part["maxItems"] * PER_ITEM < TOO_OFTEN
        if pattern := part.get("pattern"):
            assert re.fullmatch(r"\^\[[^\]\\^]+\]\{1,\d+\}\$", pattern), "anchored, one class"


def test_it_is_the_strict_schema_apart_from_its_bounds() -> None:
    bounds = {"maxLength", "maxItems", "pattern", "minimum", "maximum", "enum"}

    def without(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        kept = {key: value for key, value in part.items() if key not in bounds}
        if "properties" in part:
            kept["properties"] = {k: without(v) for k, v in part["properties"].items()}
        return {**kept, **({"items": without(part["items"])} if "items" in part else {})}

    assert without(bounded_schema()) == without(strict_schema())


def test_only_the_two_schemas_of_documents_have_a_grammar() -> None:
    assert grammar_of(strict_schema()) is bounded_schema()
    assert grammar_of(PATCH_SCHEMA) is bounded_patch()
    assert grammar_of({"type": "object"}) is None
    assert grammar_of(None) is None
    assert len(json.dumps(bounded_schema())) < 16_000
