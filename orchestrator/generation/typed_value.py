"""From a JSON value to the typed one, without a conversion that nobody hears of."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, core_schema

from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.scalars import number_in
from orchestrator.parsing.schema_coercion import strict_validator
from orchestrator.types.diagnostics import Diagnostic, Severity
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as SchemaFault

T = TypeVar("T")

_OWN_RULES = ("function-before", "function-wrap", "function-plain")
_FIELDS = ("model-fields", "typed-dict", "dataclass-args", "named-tuple")
#: Keys of pydantic's core schema behind which the same value is validated.
_SAME_VALUE = ("schema", "json_schema", "lax_schema", "strict_schema", "steps", "choices")

_LIKE_A_NUMBER = pattern(r"\s*[-+]?(?:[\d_.,]+|nan|inf(?:inity)?)(?:e[-+]?\d+)?\s*", re.IGNORECASE)
#: Keywords that pydantic holds a value to in its own way, and what is infinite as a float.
_LOOSELY_READ = ('"date-time"', '"date"', '"enum"', '"const"', '"uniqueItems"')
_HUGE = pattern(r"\d{309}")
_NUMBERS = ("float", "decimal")
_CONTAINERS = frozenset({"dict", "set", "frozenset"})
_MOST_DEEP = 200

#: What is wrong with a part of a value: where, in words, and pydantic's name for it, if any.
Fault = tuple[tuple[Any, ...], str, str]


def typed(
    adapter: TypeAdapter[T], value: object, schema: Mapping[str, Any]
) -> tuple[Any, list[Fault], list[Diagnostic]]:
    """The typed value, or the plain one with its faults; and conversions by the type's own rules.

    Validation is strict, so that ``"nan"``, ``"010"`` and ``true`` are not numbers. What the
    author of the type wrote to be lenient (``strict=False``, a validator that runs before) stays
    so; what it converts is reported as ``MEND8``.
    """
    text, core = json.dumps(value), adapter.core_schema
    try:
        made: Any = adapter.validate_json(text, strict=True)
    except ValidationError as error:
        strict = error.errors(include_url=False, include_context=False)
    else:
        misread = [f for f in _misread(value, schema, core) if not _is_own_rule(core, f[0])]
        return (value if misread else made), misread, []
    lenient = [f for f in strict if _is_own_rule(core, f["loc"]) and not _is_infinite(f)]
    faults = [(f["loc"], f["msg"], f["type"]) for f in strict if f not in lenient]
    try:
        made = adapter.validate_json(text)
    except ValidationError as error:
        more = error.errors(include_url=False, include_context=False, include_input=False)
        known = {loc for loc, *_ in faults}
        faults += [(f["loc"], f["msg"], f["type"]) for f in more if f["loc"] not in known]
    if faults:
        return value, faults, []
    return made, [], [_own_rule(f["loc"], f["input"]) for f in lenient]


def exact(value: object, text: str, core: Any) -> object:
    """`value`, the JSON of `text`, with the digits of numbers that are decimals of the type.

    A float has 17 of them; a number with more stands as a string.
    """
    try:
        whole = json.loads(text, parse_float=_exactly)
    except (ValueError, RecursionError):  # it was read leniently
        return value
    return _with_digits(value, whole, core, ())


def _exactly(digits: str) -> float | str:
    number = float(digits)
    is_same = math.isfinite(number) and Decimal(digits) == Decimal(repr(number))
    return number if is_same else digits


def _with_digits(value: object, whole: Any, core: Any, at: tuple[Any, ...]) -> object:
    if isinstance(value, Mapping):
        return {k: _with_digits(part, whole[k], core, (*at, k)) for k, part in value.items()}
    if isinstance(value, list):
        return [_with_digits(part, whole[n], core, (*at, n)) for n, part in enumerate(value)]
    if not isinstance(value, float) or isinstance(whole, float):
        return value
    # One step may be the object around the value.
    kinds = {node["type"] for loc in (at, at[1:]) for node in _route(core, loc, core)}
    return whole if "decimal" in kinds and not kinds & {"str", "any"} else value


def reads_decimals(core: Any) -> bool:
    """Whether a core schema of pydantic has a decimal anywhere."""
    return "decimal" in _kinds_in(core)


def allows_infinity(schema: Any) -> bool:
    """Whether a core schema of pydantic says anywhere that NaN and infinities are allowed."""
    if isinstance(schema, Mapping):
        return schema.get("allow_inf_nan") is True or any(map(allows_infinity, schema.values()))
    return isinstance(schema, list | tuple) and any(map(allows_infinity, schema))


def _own_rule(loc: Sequence[Any], given: object) -> Diagnostic:
    words = f"{json.dumps(given, default=str)[:60]} is read by the type's own rules"
    return Diagnostic("MEND8", Severity.INFO, words, pointer=pointer_to(*loc))


def _is_infinite(fault: Mapping[str, Any]) -> bool:
    """Whether a string that spells no finite number was given for a number."""
    if fault["type"] != "float_type" or not isinstance(fault["input"], str):
        return False
    try:
        return not math.isfinite(float(fault["input"]))
    except ValueError:
        return False


def _misread(value: object, schema: Mapping[str, Any], core: Any) -> Iterator[Fault]:
    """What pydantic converts even when it is strict.

    It takes "5" for five seconds of 1970, "0" for its first day, "1_000" for a decimal or the key
    of a number, "on" for the key true, true for a literal 1, a number of 400 digits for infinity,
    and keeps one of two keys, or members of a set, that are one to the type.
    """
    has_word = any(word in json.dumps(schema) for word in _LOOSELY_READ)
    is_suspect = has_word or _HUGE.search(json.dumps(value)) is not None
    for error in strict_validator(schema).iter_errors(value) if is_suspect else ():
        for leaf in _leaves(error):
            word, given = leaf.validator, leaf.instance
            is_time = word == "format" and leaf.validator_value in ("date-time", "date")
            is_huge = word == "type" and type(given) is int
            is_truth = word in ("enum", "const") and isinstance(given, bool)
            if is_time or is_huge or is_truth or word == "uniqueItems":
                yield tuple(error.absolute_path), leaf.message, ""
                break
    for loc, text in _unclear_numbers(value, ()):
        if "decimal" in {node["type"] for node in _route(core, loc, core)}:
            yield loc, f"{text!r} does not spell a number", ""
    if _kinds_in(core) & _CONTAINERS:
        yield from _merged(value, core, (), core)


def _unclear_numbers(value: object, at: tuple[Any, ...]) -> Iterator[tuple[Any, str]]:
    """Where a string looks like a number and has no reading, or more than one."""
    if isinstance(value, Mapping | list):
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        for step, part in parts:
            yield from _unclear_numbers(part, (*at, step))
    elif isinstance(value, str) and _LIKE_A_NUMBER.fullmatch(value) and number_in(value) is None:
        yield at, value


def _kinds_in(core: Any) -> set[str]:
    """The kinds of all nodes of a core schema."""
    kinds, left = set(), [core]
    while left:
        node = left.pop()
        if isinstance(node, Mapping):
            kinds |= {node["type"]} if isinstance(node.get("type"), str) else set()
            left += node.values()
        elif isinstance(node, list | tuple):
            left += node
    return kinds


def _merged(value: object, core: Any, at: tuple[Any, ...], root: Any) -> Iterator[Fault]:
    """Keys that a type reads otherwise than they are spelled, and members that it reads as one."""
    if not isinstance(value, Mapping | list):
        return
    nodes = [node for node in _route(core, at, root) if node["type"] in _CONTAINERS]
    for node in nodes:
        if isinstance(value, Mapping) and (keys := node.get("keys_schema")):
            yield from _unclear_keys(value, keys, at)
            yield from _equal(list(value), keys, at, root)
        elif isinstance(value, list) and node["type"] != "dict":
            yield from _equal(value, node.get("items_schema"), at, root)
    for step, part in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield from _merged(part, core, (*at, step), root)


def _unclear_keys(keys: Iterable[str], wanted: Any, at: tuple[Any, ...]) -> Iterator[Fault]:
    """Keys that are not the one spelling of what they mean."""
    for key in keys:
        number = number_in(key)
        is_like = _LIKE_A_NUMBER.fullmatch(key) is not None
        kind = wanted["type"]
        is_whole = isinstance(number, int) and str(number) == key
        if is_like and ((kind == "int" and not is_whole) or (kind in _NUMBERS and number is None)):
            yield at, f"{key!r} does not spell a number", ""
        elif kind == "bool" and key.lower() not in ("true", "false"):
            yield at, f"{key!r} is neither 'true' nor 'false'", ""
        elif kind in ("date", "datetime") and is_like:
            yield at, f"{key!r} does not spell a time", ""


def _equal(given: list[Any], wanted: Any, at: tuple[Any, ...], root: Any) -> Iterator[Fault]:
    """Two that are spelled differently and are one to the type, which keeps the last."""
    if len(given) < 2 or wanted is None or wanted["type"] in ("str", "any"):
        return
    known = root.get("definitions")
    reader = SchemaValidator(core_schema.definitions_schema(wanted, known) if known else wanted)
    seen: dict[Any, Any] = {}
    for one in given:
        try:
            made = reader.validate_json(json.dumps(one))
            if made in seen:
                yield at, f"{seen[made]!r} and {one!r} mean the same, and only one is kept", ""
                return
            seen[made] = one
        except (ValidationError, TypeError):  # what is wrong with it is a fault of its own
            continue


def _leaves(error: SchemaFault) -> Iterator[SchemaFault]:
    if not error.context:
        yield error
    for inner in error.context or ():
        yield from _leaves(inner)


def _is_own_rule(core: Any, loc: Sequence[Any]) -> bool:
    """Whether the author of a type has a say in how the part at `loc` is read."""
    return any(
        node["type"] in _OWN_RULES
        or (node["type"] != "tagged-union" and _stated_strict(node) is False)
        for node in _route(core, loc, core)
    )


def _stated_strict(node: Mapping[str, Any]) -> object:
    return node.get("strict", (node.get("config") or {}).get("strict"))


def _route(node: Any, loc: Sequence[Any], root: Any, deep: int = 0) -> Iterator[Mapping[str, Any]]:
    """The nodes of a core schema that have a say in how the part at `loc` is read."""
    if isinstance(node, list | tuple):
        for part in node:
            yield from _route(part, loc, root, deep)
    if not isinstance(node, Mapping) or "type" not in node or deep > _MOST_DEEP:
        return
    yield node
    kind, inner, deep = node["type"], [node[key] for key in _SAME_VALUE if key in node], deep + 1
    if kind == "tagged-union":
        inner = list(node["choices"].values())
    elif kind == "definition-ref":
        inner = [d for d in root.get("definitions", ()) if d.get("ref") == node["schema_ref"]]
    elif kind in _FIELDS:
        yield from _route(_field(node["fields"], loc[0]) if loc else [], loc[1:], root, deep)
        return
    if loc:
        parts = [node[key] for key in ("items_schema", "values_schema") if key in node]
        # In a union a step of the place names the branch.
        yield from _route(inner if kind.endswith("union") else parts, loc[1:], root, deep)
    yield from _route(inner, loc, root, deep)


def _field(fields: Any, name: object) -> list[Any]:
    named = fields.items() if isinstance(fields, Mapping) else [(f["name"], f) for f in fields]
    return [f for key, f in named if name in (key, f.get("validation_alias"))]
