"""JSON Schemas of strangers: checked before they are used, and validators whose work is bounded.

Every validator of the package is made here. None opens an address: what a schema refers to stands
in it, or in the drafts that come with the program.
"""

from __future__ import annotations

import functools
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from jsonpointer import JsonPointerException, resolve_pointer
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from referencing import Registry

from orchestrator.parsing.bounds import measured
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.patterns import LETTERS_SIZE, compiled, size_of
from orchestrator.types.work import TooMuchWork, look

Schema = Mapping[str, Any] | bool

#: What one validator may do before it gives up: keywords applied, and the parts they look at.
MOST_STEPS = 1_500_000
_STEPS_OF_A_FAULT = 25  # a fault is an object of many parts
_SHOWN_PER_STEP = 50  # characters of what a fault shows, which is the value itself
_COMPARED_PER_STEP = 4  # parts and characters of values that are compared
_STEPS_OF_A_CHECK = 500_000  # of a schema
_MOST_SIZE = 500_000  # characters and parts of a schema
_MOST_KEYWORDS = 100  # of one object of it
_MOST_BRANCHES = 10_000  # schemas that hold for one and the same value, counted by each way to it
_LONGEST_WAY = 50  # from one schema to another that holds for the same value
_LARGEST_PATTERNS = 100_000  # of one schema
_LITTLE_WORK = 10_000  # size of a pattern times the length of a text, that counts as one step
_WORK_OF_A_STEP = 20
_LONGEST_SHOWN = 240
#: Keywords whose schemas hold for the value itself, rather than for a part of it.
_SAME_VALUE = {"$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"}
_ONE = ("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else",
        "unevaluatedItems", "unevaluatedProperties", "contentSchema")  # fmt: skip
_LIST = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAP = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_PER_PART = ("items", "additionalProperties", "contains", "propertyNames")


class _Work(FormatChecker):
    """The formats of one validator, and the steps it has left; `evolve` hands both on."""

    def __init__(self, steps: int) -> None:
        super().__init__(())
        self.left = self.most = steps
        self.compiled = functools.cache(compiled)  # each once, however many there are

    def charge(self, steps: int) -> None:
        look(steps)
        self.left -= steps
        if self.left < 0:
            raise TooMuchWork(
                f"to hold the value against the schema takes more than {self.most:,} steps"
            )


def validator(
    schema: Schema,
    *,
    kind: Any = None,
    formats: Mapping[str, Callable[[str], object]] | None = None,
    steps: int = MOST_STEPS,
) -> Any:
    """A validator of draft 2020-12, or of `kind`, which is one extended.

    It looks nothing up, takes that many `steps` at most in all, and checks the `formats` alone.

    Raises: TooMuchWork: not here, but where a value is validated.
    """
    work = _Work(steps)
    for name, fits in (formats or {}).items():
        work.checks(name)(lambda v, fits=fits: not isinstance(v, str) or fits(v) is not None)
    return (kind or BOUNDED)(_without_draft(schema), registry=Registry(), format_checker=work)


def check_schema(schema: Any, *, has_own_patterns: bool = False) -> None:
    """Check a schema before anything is paid for it.

    With `has_own_patterns` a type judges its patterns itself; those that cannot be bounded are
    then left to it.

    Raises: ValueError: it is not a JSON Schema, too large or too deep, refers to what is not in
        it, leads back to itself without a step into the value, or has a pattern whose work cannot
        be bounded; the message says where.
    """
    if not isinstance(schema, Mapping):
        raise ValueError(f"the schema is a {type(schema).__name__}, not an object")  # noqa: TRY004
    try:
        measured(schema, most=_MOST_SIZE)
        found = _parts(schema)
        _check_ways(found)
    except RecursionError:
        raise ValueError("the schema is nested too deep; name its parts under $defs") from None
    if not has_own_patterns:
        _check_patterns(found)


def _check_patterns(found: Mapping[str, Mapping[str, Any]]) -> None:
    known, size = set[str](), 0
    for at, part in found.items():
        for pattern in {*_patterns(part)} - known:
            look()
            known.add(pattern)
            where = f"the schema at {at or 'its root'}"
            try:
                compiled(pattern)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            size += size_of(pattern, LETTERS_SIZE)
            if size > _LARGEST_PATTERNS:
                raise ValueError(f"{where}: the patterns of the schema are too large together")


def _parts(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Every schema within a schema by its pointer, those too that only a reference leads to."""
    found: dict[str, Mapping[str, Any]] = {}
    roots: list[tuple[str, Any]] = [("", schema)]
    form = validator(Draft202012Validator.META_SCHEMA, steps=_STEPS_OF_A_CHECK)
    while roots:
        todo = [roots.pop()]
        if todo[0][0] not in found:
            _check_form(form, *todo[0])
        while todo:
            look()
            at, part = todo.pop()
            if at in found or not isinstance(part, Mapping):
                continue
            found[at] = part
            _check_words(at, part)
            todo += [(f"{at}{pointer_to(*steps)}", inner) for steps, inner in _inner(part)]
            if "$ref" in part:
                roots.append((place := _place(part["$ref"]), _target(place, part["$ref"], schema)))
    return found


def _check_form(form: Any, at: str, schema: Any) -> None:
    try:
        fault = best_match(form.iter_errors(schema))
    except TooMuchWork:
        words = f"to check it takes more than {_STEPS_OF_A_CHECK:,} steps; make it smaller"
        raise ValueError(
            f"the schema at {at or 'its root'}: {words}, and put what $ref leads to under $defs"
        ) from None
    if fault is not None:
        where = at + pointer_to(*fault.absolute_path) or "its root"
        words = fault.message
        words = words if len(words) <= _LONGEST_SHOWN else f"{words[:_LONGEST_SHOWN]} …"
        raise ValueError(f"the schema is wrong at {where}: {words}")


def _check_words(at: str, part: Mapping[str, Any]) -> None:
    where = f"the schema at {at or 'its root'}"
    if len(part) > _MOST_KEYWORDS:
        raise ValueError(f"{where} has more than {_MOST_KEYWORDS} keywords")
    for word in ("$dynamicRef", "$recursiveRef", *(["$id", "$schema"] if at else [])):
        if word in part:
            raise ValueError(
                f"{where} has {word}, which no provider takes; leave it out, and use $defs and $ref"
            )
    if "unevaluatedProperties" in part and "patternProperties" in str(part):
        raise ValueError(f"{where}: unevaluatedProperties is not taken beside patternProperties")


def _inner(part: Mapping[str, Any]) -> Iterator[tuple[tuple[object, ...], Any]]:
    """The schemas directly in a schema, each with the steps to it."""
    for word in part.keys() & {*_ONE, *_LIST, *_MAP}:
        inner = part[word]
        if word in _ONE:
            yield (word,), inner
        else:
            pairs = enumerate(inner) if word in _LIST else inner.items()
            yield from (((word, step), one) for step, one in pairs)


def _place(reference: str) -> str:
    """The pointer that a reference holds."""
    if not reference.startswith("#"):
        raise ValueError(
            f"the schema refers to {reference!r}, which no provider can look up; copy it under"
            " $defs and refer to '#/$defs/…'"
        )
    return unquote(reference[1:])


def _target(place: str, reference: str, schema: Mapping[str, Any]) -> Any:
    try:
        return resolve_pointer(schema, place)
    except JsonPointerException:
        raise ValueError(
            f"the schema refers to {reference!r}, and there is nothing; refer to '#/$defs/…'"
        ) from None


def _check_ways(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises: ValueError: one value leads a schema to itself, or in too many ways to others."""
    users: dict[str, list[str]] = defaultdict(list)
    open_ways = dict.fromkeys(found, 0)
    for at, part in found.items():
        ways = [f"{at}{pointer_to(*s)}" for s, _ in _inner(part) if s[0] in _SAME_VALUE]
        for way in (*ways, *([_place(part["$ref"])] if "$ref" in part else [])):
            if way in found:  # true and false lead nowhere
                users[way].append(at)
                open_ways[at] += 1
    ready = [at for at, ways in open_ways.items() if not ways]
    branches, longest = dict.fromkeys(found, 1), dict.fromkeys(found, 0)
    while ready:
        at = ready.pop()
        if branches[at] > _MOST_BRANCHES or longest[at] > _LONGEST_WAY:
            words = "holds one value against too many others; choose between fewer"
            raise ValueError(f"the schema at {at or 'its root'} {words}")
        for user in users[at]:
            branches[user] += branches[at]
            longest[user] = max(longest[user], longest[at] + 1)
            open_ways[user] -= 1
            ready += [user] if not open_ways[user] else []
    if stuck := [at for at, ways in open_ways.items() if ways]:
        where = min(stuck, key=len) or "its root"
        words = "leads back to itself without a step into the value; refer from a property or item"
        raise ValueError(f"the schema at {where} {words}")


def _patterns(part: Mapping[str, Any]) -> list[str]:
    return [*([part["pattern"]] if "pattern" in part else []), *part.get("patternProperties", ())]


def _matches(held: Any, pattern: str, text: str) -> bool:
    try:
        is_found, size = held.format_checker.compiled(pattern)
    except ValueError:
        return True  # of a type, which judges it
    work = size * len(text)
    held.format_checker.charge(work // _WORK_OF_A_STEP if work > _LITTLE_WORK else 1)
    return bool(is_found(text))


def _pattern(held: Any, pattern: str, value: Any, _: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _matches(held, pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(
    held: Any, patterns: Mapping[str, Schema], value: Any, _: object
) -> Iterator[ValidationError]:
    for pattern, schema in patterns.items() if isinstance(value, Mapping) else ():
        for key, part in value.items():
            if _matches(held, pattern, key):
                yield from held.descend(part, schema, path=key, schema_path=pattern)


def _additional_properties(
    held: Any, allowed: Schema, value: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    patterns = schema.get("patternProperties") or {}
    if patterns and isinstance(value, Mapping):
        value = {k: v for k, v in value.items() if not any(_matches(held, p, k) for p in patterns)}
    beside = {key: part for key, part in schema.items() if key != "patternProperties"}
    yield from _KEYWORDS["additionalProperties"](held, allowed, value, beside) or ()


def _unique_items(held: Any, wanted: object, value: Any, _: object) -> Iterator[ValidationError]:
    if wanted and isinstance(value, list):
        held.format_checker.charge(measured(value) // _COMPARED_PER_STEP)
        if len(set(map(_canonical, value))) < len(value):
            yield ValidationError(f"{value!r} has non-unique elements")


def _enum(held: Any, words: Any, value: Any, _: object) -> Iterator[ValidationError]:
    if not _is_among(held, words, value):
        yield ValidationError(f"{value!r} is not one of {words!r}")


def _const(held: Any, wanted: Any, value: Any, _: object) -> Iterator[ValidationError]:
    if not _is_among(held, [wanted], value):
        yield ValidationError(f"{wanted!r} was expected")


def _is_among(held: Any, words: Any, value: Any) -> bool:
    if not isinstance(value, Mapping | list):
        return next(iter(_KEYWORDS["enum"](held, words, value, {})), None) is None
    alike = [one for one in words if type(one) is type(value) and len(one) == len(value)]
    held.format_checker.charge(sum(map(measured, (value, *alike))) // _COMPARED_PER_STEP)
    return _canonical(value) in map(_canonical, alike)


def _canonical(value: Any) -> str:
    return json.dumps(_numbers_alike(value), sort_keys=True)


def _numbers_alike(value: Any) -> Any:
    """A value in which 1.0 is 1, as JSON Schema compares numbers."""
    if isinstance(value, Mapping):
        return {key: _numbers_alike(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_numbers_alike(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _counted(word: str, keyword: Any) -> Any:
    def counted(held: Any, wanted: Any, value: Any, schema: Any) -> Any:
        parts = len(value) if isinstance(value, Mapping | list) else 0
        steps = 1 + (len(wanted) if isinstance(wanted, Mapping | list) else 0)
        steps += parts * steps if word in _PER_PART else 0
        steps += parts**2 if word.startswith("unevaluated") else 0
        steps += sum(map(len, wanted.values())) if word == "dependentRequired" else 0
        held.format_checker.charge(steps)
        for fault in keyword(held, wanted, value, schema) or ():
            if not isinstance(fault.validator, str):  # it is not counted by a keyword inside
                shown = fault.message
                held.format_checker.charge(_STEPS_OF_A_FAULT + len(shown) // _SHOWN_PER_STEP)
                if len(shown) > 2 * _LONGEST_SHOWN:
                    fault.message = f"{shown[:_LONGEST_SHOWN]} … {shown[-_LONGEST_SHOWN:]}"
            yield fault

    return counted


_KEYWORDS: Mapping[str, Any] = Draft202012Validator.VALIDATORS
_OWN = {
    "pattern": _pattern, "patternProperties": _pattern_properties, "uniqueItems": _unique_items,
    "additionalProperties": _additional_properties, "enum": _enum, "const": _const,
}  # fmt: skip


def _without_draft(schema: Any) -> Any:
    """A schema that names no draft: at the name of one jsonschema changes to its own validator."""
    is_named = isinstance(schema, Mapping) and "$schema" in schema
    return {k: part for k, part in schema.items() if k != "$schema"} if is_named else schema


def _is_within_float(value: object) -> bool:
    return type(value) is int and abs(value) < 1 << sys.float_info.max_exp


def _bounded(base: Any, **more: Any) -> Any:
    """`base`, extended, which stays itself at the name of a draft in a schema."""
    made: Any = extend(base, **more)  # type: ignore[no-untyped-call]  # jsonschema's own is not
    evolve = made.evolve

    def evolved(held: Any, **changes: Any) -> Any:
        return evolve(held, **{**changes, "schema": _without_draft(changes["schema"])})

    made.evolve = evolved
    return made


#: Draft 2020-12 with bounded work; `validator` makes one.
BOUNDED = _bounded(
    Draft202012Validator,
    validators={word: _counted(word, {**_KEYWORDS, **_OWN}[word]) for word in _KEYWORDS},
)
#: The same where 1.0 is not an integer, and an integer beyond a float's range is not a number:
#: JSON Schema counts 1.0 among the integers; a typed value has to be one.
STRICT = _bounded(
    BOUNDED,
    type_checker=BOUNDED.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) is float or _is_within_float(value),
        }
    ),
)
