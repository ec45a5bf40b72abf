"""A value in the form that a model patches, and the way back.

Lists whose items have a name become objects keyed by it, because models go wrong with indices;
large parts without a fault are left out, because every word is paid for.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jsonpatch import JsonPatch
from jsonpointer import resolve_pointer

from orchestrator.parsing.bounds import MOST_NESTED, measured
from orchestrator.parsing.json_pointer import pointer_to, steps_of
from orchestrator.parsing.json_reader import read_json
from orchestrator.parsing.schema_coercion import resolved
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.parsing.schemas import Schema

#: Stands for a part that is well and stays as it is.
LEFT_OUT = "…"
_TEXT: Mapping[str, Any] = {"type": "string"}
_USED = {
    "add": ("value",), "replace": ("value",), "test": ("value",), "remove": (), "move": ("from",),
    "copy": ("from",),
}  # fmt: skip
_VALUE = {**_TEXT, "description": "the value as JSON text; empty where op takes none"}
_FROM = {**_TEXT, "description": "of move and copy; else empty"}
_FIELDS = {"op": {**_TEXT, "enum": list(_USED)}, "path": _TEXT, "from": _FROM, "value": _VALUE}
_OPERATION = {
    "type": "object", "properties": _FIELDS, "required": list(_FIELDS),
    "additionalProperties": False,
}  # fmt: skip
#: A JSON Patch in the subset of JSON Schema that providers enforce word by word, where no value
#: may be of any type: it is JSON text, which `plain_operation` reads.
PATCH_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"operations": {"type": "array", "items": _OPERATION}},
    "required": ["operations"],
    "additionalProperties": False,
}
#: Characters and parts that the operations of one patch may set, copy and move in all.
MOST_WRITTEN = 1_000_000
_WORTH_SHOWING = 48  # characters; what is shorter costs less than the reader's doubt


def to_name_keyed(value: Any, schema: Schema, root: Schema) -> Any:
    """`value` with every list of named items as an object; `from_name_keyed` is the way back."""
    schema = resolved(schema, root)
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, Mapping):
        wanted: Mapping[str, Schema] = schema.get("properties") or {}
        extra: Schema = schema.get("additionalProperties", True)
        return {k: to_name_keyed(part, wanted.get(k, extra), root) for k, part in value.items()}
    if isinstance(value, list):
        items = resolved(schema.get("items", True), root)
        made = [to_name_keyed(part, items, root) for part in value]
        key = natural_key(items)
        names = [part.get(key) if isinstance(part, Mapping) else None for part in made]
        words = [name for name in names if isinstance(name, str) and name]
        return _by_name(words, made) if key and made and len(words) == len(made) else made
    return value


def _by_name(names: Sequence[str], parts: Sequence[Any]) -> dict[str, Any]:
    """The parts by their names; the second one of a name is ``name#2``."""
    made: dict[str, Any] = {}
    numbers: dict[str, int] = {}  # the last one that was tried for each name
    for name, part in zip(names, parts, strict=True):
        unique = name
        while unique in made:
            look()
            numbers[name] = numbers.get(name, 1) + 1
            unique = f"{name}#{numbers[name]}"
        made[unique] = part
    return made


def from_name_keyed(view: Any, schema: Schema, root: Schema) -> Any:
    """The value behind a name-keyed form; an item without its own name takes its key."""
    schema = resolved(schema, root)
    if not isinstance(schema, Mapping):
        return view
    if isinstance(view, Mapping) and schema.get("type") == "array":
        items = resolved(schema.get("items", True), root)
        key = natural_key(items)
        if not key:
            return view
        return [
            from_name_keyed(
                {key: _name_of(name, view), **part} if isinstance(part, Mapping) else part,
                items,
                root,
            )
            for name, part in view.items()
        ]
    if isinstance(view, Mapping):
        wanted: Mapping[str, Schema] = schema.get("properties") or {}
        extra: Schema = schema.get("additionalProperties", True)
        return {k: from_name_keyed(part, wanted.get(k, extra), root) for k, part in view.items()}
    if isinstance(view, list):
        return [from_name_keyed(part, schema.get("items", True), root) for part in view]
    return view


def apply_patch(document: Any, operations: Sequence[Any]) -> Any:
    """A document after a JSON Patch; the document itself stays as it is.

    What an operation sets, copies or moves is measured before it is applied.

    Raises:
        ValueError: the outcome would be nested too deep, or the operations write too much.
        JsonPatchException, JsonPointerException, TypeError, KeyError, AttributeError, IndexError:
            the patch does not apply.
    """
    made, left = copy.deepcopy(document), MOST_WRITTEN
    for operation in operations:
        one = JsonPatch([operation])  # which says what is malformed
        taken = operation["op"] in ("copy", "move")
        value = resolve_pointer(made, operation["from"]) if taken else operation.get("value")
        depth = operation["path"].count("/")
        left -= measured(value, nested=max(MOST_NESTED - depth, 0), most=left)
        made = one.apply(made, in_place=True)
    return made


def plain_operation(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """An operation in the form of `PATCH_SCHEMA` as RFC 6902 has it; any other as it is.

    The form is known by its members: it alone has both ``from`` and ``value``. A text that is not
    JSON stands for itself.

    Raises: ValueError: an object in the value has a key twice, with different values.
    """
    if not operation.keys() >= _FIELDS.keys() or operation["op"] not in _USED:
        return operation
    used = ("op", "path", *_USED[operation["op"]])
    made = {key: operation[key] for key in used}
    if not isinstance(made.get("value"), str):
        return made
    try:
        json.loads(made["value"])
    except (ValueError, RecursionError):
        return made
    found = read_json(made["value"])
    if found.clashing:
        raise ValueError(f"the value at {made['path']} has {found.clashing[0]!r} twice")
    return {**made, "value": found.value}


def _name_of(key: str, view: Mapping[str, Any]) -> str:
    name, _, number = key.rpartition("#")
    return name if number.isdigit() and name in view else key


def natural_key(items: Schema) -> str:
    """The property that names an item; empty when there is none.

    It is what the schema of the items says under ``x-key``, else the first of name, id and key
    that is a required text.
    """
    if not isinstance(items, Mapping):
        return ""
    if "x-key" in items:
        return str(items["x-key"])
    wanted = items.get("properties") or {}
    return next(_keys(items.get("required", ()), wanted), "")


def _keys(required: Sequence[str], wanted: Mapping[str, Any]) -> Iterator[str]:
    for key in ("name", "id", "key"):
        about = wanted.get(key)
        if key in required and isinstance(about, Mapping) and about.get("type") == "string":
            yield key


def pointer_in(view: Any, pointer: str, value: Any) -> str:
    """Where in the view stands what `pointer` means in the value."""
    made = ""
    for step in steps_of(pointer):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            at, value = int(step), value[int(step)]
            if isinstance(view, Mapping) and at < len(view):
                step = list(view)[at]  # noqa: PLW2901  its name is the step
                view = view[step]
            else:
                view = view[at] if isinstance(view, list) and at < len(view) else None
        else:
            view = view.get(step) if isinstance(view, Mapping) else None
            value = value.get(step) if isinstance(value, Mapping) else None
        made += pointer_to(step)
    return made


def shortened(view: Any, pointers: Iterable[str]) -> Any:
    """The view without its large parts that no pointer leads into, or out of.

    A finding about the whole, whose pointer is empty, keeps the whole.
    """
    paths = [tuple(steps_of(pointer)) for pointer in pointers]
    if not paths or () in paths:
        return view
    return _shortened(view, paths)


def _shortened(part: Any, paths: Sequence[tuple[str, ...]]) -> Any:
    if () in paths:
        return part
    if isinstance(part, Mapping):
        return {key: _child(inner, key, paths) for key, inner in part.items()}
    if isinstance(part, list):
        return [_child(inner, str(n), paths) for n, inner in enumerate(part)]
    return part


def _child(part: Any, step: str, paths: Sequence[tuple[str, ...]]) -> Any:
    inner = [path[1:] for path in paths if path and path[0] == step]
    if inner:
        return _shortened(part, inner)
    if len(json.dumps(part, default=str)) <= _WORTH_SHOWING:
        return part
    # Names stay to be seen, so that what is left out can still be pointed at.
    if isinstance(part, Mapping) and all(isinstance(p, Mapping | list) for p in part.values()):
        return dict.fromkeys(part, LEFT_OUT)
    return LEFT_OUT


def holds_left_out(value: object) -> bool:
    """Whether the mark of what was left out stands for a value."""
    if isinstance(value, Mapping):
        return any(holds_left_out(part) for part in value.values())
    if isinstance(value, list):
        return any(holds_left_out(part) for part in value)
    return value == LEFT_OUT


def filled(made: Any, view: Any) -> Any:
    """`made` with the parts of `view` in place of the marks that stand for them."""
    if made == LEFT_OUT:
        return view
    if isinstance(made, Mapping) and isinstance(view, Mapping):
        return {key: filled(part, view.get(key, part)) for key, part in made.items()}
    if isinstance(made, list) and isinstance(view, list) and len(made) == len(view):
        return [filled(*pair) for pair in zip(made, view, strict=True)]
    return made


def root_names(schema: Schema) -> tuple[str, ...]:
    """The keys that the schema names at the root of a value."""
    root = resolved(schema, schema)
    return tuple(root.get("properties") or ()) if isinstance(root, Mapping) else ()


def unknown_keys(value: Any, schema: Schema, root: Schema, at: str = "") -> Iterator[str]:
    """Pointers of the keys that the schema does not name, where it does not allow further ones.

    Of a choice the one branch is looked at that the value may mean; with several none is.
    """
    schema = resolved(schema, root)
    if not isinstance(schema, Mapping):
        return
    branches = [resolved(b, root) for word in ("anyOf", "oneOf") for b in schema.get(word, ())]
    if branches and "properties" not in schema:
        meant = [branch for branch in branches if _may_be(value, branch)]
        for branch in meant if len(meant) == 1 else ():
            yield from unknown_keys(value, branch, root, at)
    elif isinstance(value, list):
        for n, part in enumerate(value):
            yield from unknown_keys(part, schema.get("items", True), root, f"{at}/{n}")
    elif isinstance(value, Mapping):
        known: Mapping[str, Schema] = schema.get("properties") or {}
        extra: Schema = schema.get("additionalProperties") or False
        for key, part in value.items():
            if key in known or extra:
                yield from unknown_keys(part, known.get(key, extra), root, at + pointer_to(key))
            elif known and not schema.get("patternProperties"):
                yield at + pointer_to(key)


def _may_be(value: Any, branch: Schema) -> bool:
    """Whether a list or an object has the kind of a branch, and the constants in it."""
    kind = "array" if isinstance(value, list) else "object"
    if isinstance(branch, bool) or branch.get("type", kind) != kind:
        return branch is True
    known: Mapping[str, Any] = branch.get("properties") or {}
    return not isinstance(value, Mapping) or all(
        value.get(key, part["const"]) == part["const"]
        for key, part in known.items()
        if isinstance(part, Mapping) and "const" in part
    )
