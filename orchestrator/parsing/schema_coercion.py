"""Local repair of a JSON value after its schema: only unambiguous coercions, each reported.

A value that fulfils its schema is never changed. Codes: ``MEND1`` a number or truth value in a
string, ``MEND2`` a key in another case or spelling, ``MEND3`` a near miss of an enum, ``MEND4`` a
single value where a list is asked for, ``MEND5`` NaN or a word for null where null is allowed,
``MEND6`` JSON inside a string, ``MEND7`` an object inside an envelope or a list of one.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jsonpointer import JsonPointerException, resolve_pointer

from orchestrator.parsing.formats import LIKE
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.json_reader import read_candidates
from orchestrator.parsing.patterns import compiled
from orchestrator.parsing.scalars import is_null, number_in, share_in, truth_in
from orchestrator.parsing.spelling import SHORTEST_REPLACED, is_respelled, nearest, nearest_keys
from orchestrator.types.diagnostics import Diagnostic, Fix, Severity
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.parsing.schemas import Schema

_MOST_DEEP = 100
_LONGEST_SHOWN = 60

#: Words that say of what is beside them that it is not the answer.
_NO_ENVELOPE = pattern(
    r"err(?:or)?s?|draft|examples?|not?|wrong|rejected|discarded|old|previous|before|invalid|"
    r"properties|schema|input_schema|warnings?|hints?|notes?|comments?|thoughts?|thinking|"
    r"reasoning|explanation|refusal",
    re.IGNORECASE,
)
_BESIDE_ARGUMENTS = frozenset(
    {"name", "type", "id", "index", "tool", "tool_name", "function_name", "recipient_name"}
)
#: What parts several words, or says that there is none.
_LISTING = pattern(r"[\s,;|/&]|^\W*$")

#: Repairs that give a value another shape.
_RESHAPED = ("MEND4", "MEND7")
_CONTAINERS: Mapping[str, type] = {"object": dict, "array": list}


def strict_validator(schema: Schema) -> Any:
    """A validator that also checks dates, times and UUIDs.

    It takes no 1.0 for an integer, and for a number no integer beyond the range of a float.
    """
    # It imports jsonschema: 50 ms, for those alone who hold a value against a schema.
    from orchestrator.parsing.schemas import STRICT, validator  # noqa: PLC0415

    return validator(schema, kind=STRICT, formats=LIKE)


def coerced(value: object, schema: Schema) -> tuple[object, tuple[Diagnostic, ...]]:
    """`value` after its schema, and what was changed; the value itself when it is valid."""
    work = _Coercion(schema, strict_validator(schema))
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
            found = resolve_pointer(root, unquote(str(schema["$ref"]).removeprefix("#")))
        except JsonPointerException:
            return beside
        schema = {**found, **beside} if isinstance(found, Mapping) else found
    return {}


@dataclass
class _Coercion:
    root: Schema
    base: Any
    found: list[Diagnostic] = field(default_factory=list)

    def fulfils(self, value: object, schema: Schema) -> bool:
        self.base.format_checker.charge(len(value) if isinstance(value, Mapping | list) else 1)
        return is_finite(value) and self.base.evolve(schema=schema).is_valid(value)

    def walk(self, value: Any, schema: Schema, at: str, depth: int) -> Any:
        schema = resolved(schema, self.root)
        if not isinstance(schema, Mapping) or depth > _MOST_DEEP:
            return value
        if isinstance(value, float) and not math.isfinite(value):
            return self._null(value, f"{value} is not a JSON number", schema, at)
        if self.fulfils(value, schema) and not self._hides(value, schema, depth):
            return value
        for part in schema.get("allOf", ()):
            value = self.walk(value, part, at, depth + 1)
        made = self._branch(value, schema, at, depth)
        if made is not value and self.fulfils(made, schema):
            return made
        value = self._enveloped(self._unquoted(made, schema, at), schema, at)
        value = self._listed(value, schema, at)
        if isinstance(value, Mapping):
            return self._object(value, schema, at, depth)
        if isinstance(value, list):
            return self._array(value, schema, at, depth)
        if isinstance(value, str):
            return self._word(value, schema, at)
        return self._whole(value, schema, at) if isinstance(value, float) else value

    def _hides(self, value: Any, schema: Schema, depth: int) -> bool:
        """Whether a value fits only because unknown keys are ignored, with what fits inside one.

        Or one of them is a known key that is spelled otherwise.
        """
        schema = resolved(schema, self.root)
        if not isinstance(schema, Mapping) or depth > _MOST_DEEP:
            return False
        if isinstance(value, list):
            return any(self._hides(part, schema.get("items", True), depth + 1) for part in value)
        known: Mapping[str, Schema] = schema.get("properties") or {}
        if not isinstance(value, Mapping) or not known:
            return False
        is_open = "additionalProperties" not in schema
        if is_open and any(is_respelled(*pair) for pair in _near(value, schema).items()):
            return True
        key = _envelope(value, schema) if is_open else None
        if key is not None and (tried := self._tried(value[key], schema, "")) is not None:
            return isinstance(tried[0], Mapping) and not known.keys().isdisjoint(tried[0])
        return any(self._hides(value[k], known[k], depth + 1) for k in set(value) & set(known))

    def _tried(self, value: Any, schema: Schema, at: str) -> tuple[Any, list[Diagnostic]] | None:
        """`value` as far as a repair makes it valid, and the repairs; else None."""
        attempt = _Coercion(self.root, self.base)
        made = attempt.walk(value, schema, at, 1)
        return (made, attempt.found) if self.fulfils(made, schema) else None

    def _unquoted(self, value: Any, schema: Mapping[str, Any], at: str) -> Any:
        """The object or list that a string holds, where the schema wants one."""
        kind = _CONTAINERS.get(str(schema.get("type")))
        if kind is None or not isinstance(value, str):
            return value
        try:
            (found,) = read_candidates(value).values
        except ValueError:  # none, or more than one
            return value
        if isinstance(found.value, str) and found.value != value:
            return self._unquoted(found.value, schema, at)
        is_whole = value[: found.offset].strip() == value[found.end :].strip() == ""
        if not isinstance(found.value, kind) or found.clashing or not is_whole:
            return value
        self._say("MEND6", "the JSON inside a string is read", at, value, found.value)
        return found.value

    def _enveloped(self, value: Any, schema: Mapping[str, Any], at: str) -> Any:
        """What is inside ``{"Type": {…}}``, a tool call or a list of one object, where it fits."""
        kind = schema.get("type")
        if kind == "object" and isinstance(value, list) and len(value) == 1:
            inner = value[0]
        elif isinstance(value, Mapping) and (kind in ("object", "array") or not at):
            if (key := _envelope(value, schema)) is None:
                return value
            inner = value[key]
        else:
            return value
        is_nothing = inner is None or (kind in ("object", "array") and not inner)
        # A word inside of something is not the one word of a list.
        is_word = isinstance(inner, str) and kind == "array" and not inner.lstrip().startswith("[")
        if is_nothing or is_word:
            return value
        tried = self._tried(inner, schema, at)
        if tried is None or (kind == "array" and self.fulfils([value], schema)):
            return value
        self._say("MEND7", "what surrounds the value is left out", at, value, inner)
        self.found.extend(tried[1])
        return tried[0]

    def _branch(self, value: Any, schema: Mapping[str, Any], at: str, depth: int) -> Any:
        for word in ("anyOf", "oneOf"):
            if word in schema and not any(self.fulfils(value, s) for s in schema[word]):
                value = self._choice(value, schema[word], at, depth)
        return value

    def _choice(self, value: Any, options: Sequence[Schema], at: str, depth: int) -> Any:
        """The one option that a repair makes valid; with several or none nothing is done."""
        ways: list[tuple[Any, list[Diagnostic]]] = []
        for option in options:
            attempt = _Coercion(self.root, self.base)
            made = attempt.walk(value, option, at, depth + 1)
            if self.fulfils(made, option) and made not in [way for way, _ in ways]:
                ways.append((made, attempt.found))
        if len(ways) > 1:  # what keeps the shape of the value says more
            ways = [way for way in ways if all(d.code not in _RESHAPED for d in way[1])]
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
        near = _near(value, schema).items()
        names = {k: name for k, name in near if name in wanting or is_respelled(k, name)}
        for key, name in names.items():
            self._say("MEND2", f"the key {key!r} is read as {name!r}", at, key, name)
        return {
            name: self.walk(part, _under(name, schema), at + pointer_to(name), depth + 1)
            for key, part in value.items()
            for name in (names.get(key, key),)
        }

    def _array(self, value: list[Any], schema: Mapping[str, Any], at: str, depth: int) -> list[Any]:
        first: Sequence[Schema] = schema.get("prefixItems", ())
        rest: Schema = schema.get("items", True)
        made = []
        for n, part in enumerate(value):
            inner = resolved(first[n] if n < len(first) else rest, self.root)
            is_row = isinstance(inner, Mapping) and inner.get("type") == "array"
            # A list of numbers for a list of lists is one row or one column.
            is_clear = not is_row or isinstance(part, list | str)
            made.append(self.walk(part, inner, f"{at}/{n}", depth + 1) if is_clear else part)
        return made

    def _listed(self, value: Any, schema: Mapping[str, Any], at: str) -> Any:
        if schema.get("type") != "array" or isinstance(value, list) or value is None:
            return value
        items = resolved(schema.get("items", True), self.root)
        is_any_text = isinstance(value, str) and self.fulfils("\uffff", items)
        is_row = isinstance(items, Mapping) and items.get("type") == "array"
        if isinstance(value, Mapping) and len(value) == 1:
            is_row = is_row or isinstance(next(iter(value.values())), list)  # an envelope, or not
        if is_row or (is_any_text and (_LISTING.search(value) or is_null(value))):
            return value
        tried = self._tried(value, items, f"{at}/0")
        if tried is None or not self.fulfils([tried[0]], schema):
            return value
        self._say("MEND4", "a single value is read as a list of one", at, value, [tried[0]])
        self.found.extend(tried[1])
        return [tried[0]]

    def _word(self, value: str, schema: Mapping[str, Any], at: str) -> Any:
        options = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
        words = [option for option in options if isinstance(option, str)]
        import html  # noqa: PLC0415  2,231 names that few answers need

        near = nearest(html.unescape(value), words, replaced=SHORTEST_REPLACED)
        if near is not None and near != value:
            self._say("MEND3", f"{value!r} is read as {near!r}", at, value, near)
            return near
        if is_null(value):
            return self._null(value, f"the word {value!r} stands for no value", schema, at)
        types = schema.get("type", [])
        made = _read(value, [types] if isinstance(types, str) else types)
        if made is None and _is_probability(schema):
            made = share_in(value)
        if made is None or not self.fulfils(made, schema):
            return value
        self._say("MEND1", f"the string {value!r} is read as {json.dumps(made)}", at, value, made)
        return made

    def _whole(self, value: float, schema: Mapping[str, Any], at: str) -> Any:
        is_exact = value.is_integer() and abs(value) < 1 << sys.float_info.mant_dig
        if not is_exact or not self.fulfils(int(value), schema):
            return value
        self._say("MEND1", f"{value} is read as the integer {int(value)}", at, value, int(value))
        return int(value)

    def _null(self, value: object, why: str, schema: Mapping[str, Any], at: str) -> Any:
        if not self.fulfils(None, schema):
            return value
        self._say("MEND5", f"{why} and is read as null", at, value, None)
        return None

    def _say(self, code: str, words: str, at: str, got: object, expected: object) -> None:
        shown = [str(part)[:_LONGEST_SHOWN] for part in (got, expected)]
        self.found.append(
            Diagnostic(
                code, Severity.INFO, words, pointer=at, got=shown[0], expected=shown[1],
                fix=Fix("safe", words),
            )
        )  # fmt: skip


def _envelope(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """The one key that may be the name of what it holds, as the arguments of a tool call are."""
    known = set(schema.get("properties") or ())
    if set(value) & known and ("arguments" not in value or "arguments" in known):
        return None
    keys = [key for key in value if key not in _BESIDE_ARGUMENTS] or list(value)
    return keys[0] if len(keys) == 1 and not _NO_ENVELOPE.fullmatch(keys[0]) else None


def _near(value: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, str]:
    """The known key that each key means that the schema names neither itself nor by a pattern."""
    known: Mapping[str, Schema] = schema.get("properties") or {}
    near = nearest_keys(value, known, replaced=SHORTEST_REPLACED)
    return {key: name for key, name in near.items() if not list(_matching(key, schema))}


def _matching(key: str, schema: Mapping[str, Any]) -> Iterator[Schema]:
    for expression, part in (schema.get("patternProperties") or {}).items():
        with contextlib.suppress(ValueError):  # a pattern that the type alone can search with
            if compiled(expression)[0](key):
                yield part


def _under(name: str, schema: Mapping[str, Any]) -> Schema:
    """The schema of what stands under a key."""
    known: Mapping[str, Schema] = schema.get("properties") or {}
    further = next(_matching(name, schema), schema.get("additionalProperties", True))
    return known.get(name, further)


def _is_probability(schema: Mapping[str, Any]) -> bool:
    low = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
    high = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
    is_bounded = bool(low and high) and max(low) >= 0 and min(high) <= 1
    return is_bounded and schema.get("type") in ("number", ["number"], None)


def _read(text: str, types: Sequence[str]) -> Any:
    """A number or a truth value that is spelled out; None when it is neither."""
    if "boolean" in types and (truth := truth_in(text)) is not None:
        return truth
    return number_in(text) if {"number", "integer"} & set(types) else None
