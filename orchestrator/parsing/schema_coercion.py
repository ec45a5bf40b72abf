"""Local repair of a JSON value after its schema: only unambiguous coercions, each reported.

A value that fulfils its schema is never changed. Codes: ``MEND1`` a number or truth value in a
string, ``MEND2`` a key in another case or spelling, ``MEND3`` a near miss of an enum, ``MEND4`` a
single value where a list is asked for, ``MEND5`` NaN where null is allowed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jsonpointer import JsonPointerException, resolve_pointer
from jsonschema import Draft202012Validator

from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.scalars import number_in, truth_in
from orchestrator.parsing.spelling import SHORTEST_REPLACED, nearest, nearest_keys
from orchestrator.types.diagnostics import Diagnostic, Fix, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_DEEP = 100
_LONGEST_SHOWN = 60

Schema = Mapping[str, Any] | bool


def coerced(value: object, schema: Schema) -> tuple[object, tuple[Diagnostic, ...]]:
    """`value` after its schema, and what was changed; the value itself when it is valid."""
    work = _Coercion(schema, Draft202012Validator(schema))
    return work.walk(value, schema, "", 0), tuple(work.found)


def is_finite(value: object) -> bool:
    """Whether every number in a value has a JSON form."""
    if isinstance(value, Mapping):
        return all(is_finite(part) for part in value.values())
    if isinstance(value, list):
        return all(is_finite(part) for part in value)
    return not isinstance(value, float) or math.isfinite(value)


def resolved(schema: Schema, root: Schema) -> Schema:
    """`schema` behind its local ``$ref``; an empty one for a reference that leads nowhere.

    Keywords beside a ``$ref`` hold too, and come along.
    """
    for _ in range(_MOST_DEEP):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        beside = {key: part for key, part in schema.items() if key != "$ref"}
        try:
            found = resolve_pointer(root, str(schema["$ref"]).removeprefix("#"))
        except JsonPointerException:
            return beside
        schema = {**found, **beside} if isinstance(found, Mapping) else found
    return {}


@dataclass
class _Coercion:
    root: Schema
    base: Draft202012Validator
    found: list[Diagnostic] = field(default_factory=list)

    def fulfils(self, value: object, schema: Schema) -> bool:
        return is_finite(value) and self.base.evolve(schema=schema).is_valid(value)

    def walk(self, value: Any, schema: Schema, at: str, depth: int) -> Any:
        schema = resolved(schema, self.root)
        if not isinstance(schema, Mapping) or depth > _MOST_DEEP:
            return value
        if isinstance(value, float) and not math.isfinite(value):
            return self._no_number(value, schema, at)
        if self.fulfils(value, schema):
            return value
        for part in schema.get("allOf", ()):
            value = self.walk(value, part, at, depth + 1)
        for word in ("anyOf", "oneOf"):
            if word in schema and not any(self.fulfils(value, s) for s in schema[word]):
                value = self._choice(value, schema[word], at, depth)
        value = self._listed(value, schema, at)
        if isinstance(value, Mapping):
            value = self._object(value, schema, at, depth)
        elif isinstance(value, list):
            value = self._array(value, schema, at, depth)
        elif isinstance(value, str):
            value = self._word(value, schema, at)
        return value

    def _choice(self, value: Any, options: Sequence[Schema], at: str, depth: int) -> Any:
        """The one option that a repair makes valid; with several or none nothing is done."""
        ways: list[tuple[Any, list[Diagnostic]]] = []
        for option in options:
            attempt = _Coercion(self.root, self.base)
            made = attempt.walk(value, option, at, depth + 1)
            if self.fulfils(made, option) and made not in [way for way, _ in ways]:
                ways.append((made, attempt.found))
        if len(ways) != 1:
            return value
        self.found.extend(ways[0][1])
        return ways[0][0]

    def _object(self, value: Mapping[str, Any], schema: Mapping[str, Any], at: str, depth: int
                ) -> dict[str, Any]:  # fmt: skip
        wanted: Mapping[str, Schema] = schema.get("properties") or {}
        extra = schema.get("additionalProperties", True)
        # An optional key of an open object may well be absent, and the unknown one be another.
        wanting = wanted if extra is False else schema.get("required", ())
        near = nearest_keys(value, wanted, replaced=SHORTEST_REPLACED)
        names = {key: name for key, name in near.items() if name in wanting}
        for key, name in names.items():
            self._say("MEND2", f"the key {key!r} is read as {name!r}", at, key, name)
        return {
            name: self.walk(part, wanted.get(name, extra), at + pointer_to(name), depth + 1)
            for key, part in value.items()
            for name in (names.get(key, key),)
        }

    def _array(self, value: list[Any], schema: Mapping[str, Any], at: str, depth: int) -> list[Any]:
        first: Sequence[Schema] = schema.get("prefixItems", ())
        rest: Schema = schema.get("items", True)
        return [
            self.walk(part, first[n] if n < len(first) else rest, f"{at}/{n}", depth + 1)
            for n, part in enumerate(value)
        ]

    def _listed(self, value: Any, schema: Mapping[str, Any], at: str) -> Any:
        if schema.get("type") != "array" or isinstance(value, list) or value is None:
            return value
        inner = _Coercion(self.root, self.base)
        made = [inner.walk(value, schema.get("items", True), f"{at}/0", 0)]
        if not self.fulfils(made, schema):
            return value
        self._say("MEND4", "a single value is read as a list of one", at, value, made)
        self.found.extend(inner.found)
        return made

    def _word(self, value: str, schema: Mapping[str, Any], at: str) -> Any:
        options = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
        words = [option for option in options if isinstance(option, str)]
        near = nearest(value, words, replaced=SHORTEST_REPLACED)
        if near is not None and near != value:
            self._say("MEND3", f"{value!r} is read as {near!r}", at, value, near)
            return near
        types = schema.get("type", [])
        made = _read(value, [types] if isinstance(types, str) else types)
        if made is None or not self.fulfils(made, schema):
            return value
        self._say("MEND1", f"the string {value!r} is read as {json.dumps(made)}", at, value, made)
        return made

    def _no_number(self, value: float, schema: Mapping[str, Any], at: str) -> Any:
        if not self.fulfils(None, schema):
            return value
        self._say("MEND5", f"{value} is not a JSON number and is read as null", at, value, None)
        return None

    def _say(self, code: str, words: str, at: str, got: object, expected: object) -> None:
        shown = [str(part)[:_LONGEST_SHOWN] for part in (got, expected)]
        self.found.append(
            Diagnostic(
                code, Severity.INFO, words, pointer=at, got=shown[0], expected=shown[1],
                fix=Fix("safe", words),
            )
        )  # fmt: skip


def _read(text: str, types: Sequence[str]) -> Any:
    """A number or a truth value that is spelled out; None when it is neither."""
    if "boolean" in types and (truth := truth_in(text)) is not None:
        return truth
    return number_in(text) if {"number", "integer"} & set(types) else None
