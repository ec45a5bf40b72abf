"""From a JSON value to the typed one, without a conversion that nobody hears of."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.schema_coercion import strict_validator
from orchestrator.types.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as SchemaFault

T = TypeVar("T")

_OWN_RULES = ("function-before", "function-wrap", "function-plain")
_FIELDS = ("model-fields", "typed-dict", "dataclass-args", "named-tuple")
#: Keys of pydantic's core schema behind which the same value is validated.
_SAME_VALUE = ("schema", "json_schema", "lax_schema", "strict_schema", "steps", "choices")

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
    text = json.dumps(value)
    try:
        made: Any = adapter.validate_json(text, strict=True)
    except ValidationError as error:
        strict = error.errors(include_url=False, include_context=False)
    else:
        misread = [(tuple(e.absolute_path), e.message, "") for e in _misread(value, schema)]
        return (value if misread else made), misread, []
    core = adapter.core_schema
    lenient = [f for f in strict if _is_own_rule(core, f["loc"], core) and not _is_infinite(f)]
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


def _misread(value: object, schema: Mapping[str, Any]) -> Iterator[SchemaFault]:
    """Strings that pydantic reads as a time or a decimal although they spell none.

    It takes "5" for five seconds of 1970, and "1_000" for a thousand, when it is strict too.
    """
    for error in strict_validator(schema).iter_errors(value):
        leaves = list(_leaves(error))
        for leaf in leaves:
            is_time = leaf.validator == "format" and leaf.validator_value == "date-time"
            if is_time or (leaf.validator == "pattern" and "_" in str(leaf.instance)):
                yield leaf
                break


def _leaves(error: SchemaFault) -> Iterator[SchemaFault]:
    if not error.context:
        yield error
    for inner in error.context or ():
        yield from _leaves(inner)


def _is_own_rule(node: Any, loc: Sequence[Any], root: Any, deep: int = 0) -> bool:
    """Whether the author of a type has a say in how the part at `loc` is read."""
    if isinstance(node, list | tuple):
        return any(_is_own_rule(part, loc, root, deep) for part in node)
    if not isinstance(node, Mapping) or deep > 200:
        return False
    kind = str(node.get("type"))
    stated = node.get("strict", (node.get("config") or {}).get("strict"))
    if kind in _OWN_RULES or stated is False:
        return True
    if kind == "definition-ref":
        found = [d for d in root.get("definitions", ()) if d.get("ref") == node["schema_ref"]]
        return _is_own_rule(found, loc, root, deep + 1)
    if kind in _FIELDS:
        return bool(loc) and _is_own_rule(_field(node["fields"], loc[0]), loc[1:], root, deep + 1)
    for key in ("items_schema", "values_schema"):
        if key in node and loc and _is_own_rule(node[key], loc[1:], root, deep + 1):
            return True
    inner = [
        part
        for key in _SAME_VALUE
        if key in node
        for part in (node[key].values() if key == "choices" and kind == "tagged-union"
                     else [node[key]])
    ]  # fmt: skip
    if _is_own_rule(inner, loc, root, deep + 1):
        return True
    # In a union a step of the place names the branch.
    return kind.endswith("union") and bool(loc) and _is_own_rule(inner, loc[1:], root, deep + 1)


def _field(fields: Any, name: object) -> list[Any]:
    named = fields.items() if isinstance(fields, Mapping) else [(f["name"], f) for f in fields]
    return [f for key, f in named if name in (key, f.get("validation_alias"))]
