"""From the text of an answer to the JSON Patch inside it, and what stands beside it.

An answer can hold several patches, remarks, wrappers and whole documents. What is left out of
account is said; what could mean two things is not applied.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.parsing.json_patch import plain_operation
from orchestrator.parsing.json_reader import read_candidates
from orchestrator.types.pattern import pattern

_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
_MOST_OPERATIONS = 500  # those of several patches are compared with each other
_MEMBERS = ("op", "path", "from", "value")
_LAST_COUNTS = pattern(r"\b(final|corrected|revised|instead|actually|wait)\b", re.IGNORECASE)
_NOTHING = pattern(r"[\s,;]*")


@dataclass(frozen=True, slots=True)
class PatchReading:
    """What an answer is as a JSON Patch.

    Attributes:
        operations: what it asks for, in order; None when it is not a patch.
        problem: why it cannot be applied, empty when it can.
        notes: what was left out of account, in a few words each.
        is_alone: whether nothing beside it could be a document.
    """

    operations: list[Any] | None
    problem: str = ""
    notes: tuple[str, ...] = ()
    is_alone: bool = True


@dataclass(frozen=True, slots=True)
class JsonInText:
    """A JSON value in a text.

    Attributes:
        before: the text between it and the value before it.
        clashing: keys that stand twice in one of its objects with different values.
        fixes: what was overlooked to read it.
    """

    value: Any
    before: str = ""
    clashing: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Patch:
    operations: list[Any]
    before: str
    is_bare: bool  # a single operation outside of a list


def read_patch(text: str, names: Container[str] = ()) -> PatchReading:
    """The JSON Patch in a text: one list, or several that do not contradict each other.

    `names` are keys of the document: beside a patch they are not remarks.
    """
    found, around = json_values(text)
    patches: list[_Patch] = []
    strangers: list[str] = []
    is_alone = "{" not in around
    for one in found:
        operations, beside = _operations(one.value, names)
        if operations is None:
            is_alone = is_alone and not isinstance(one.value, Mapping | list)
            continue
        if one.clashing:
            words = f"{one.clashing[0]!r} stands twice in one operation, with different values"
            return PatchReading(operations, words)
        try:
            operations = [plain_operation(o) if isinstance(o, Mapping) else o for o in operations]
        except ValueError as error:
            return PatchReading(operations, str(error))
        beside += [key for o in operations if isinstance(o, Mapping) for key in o]
        strangers += [str(key) for key in beside if key not in _MEMBERS]
        is_bare = isinstance(one.value, Mapping) and "op" in one.value
        if patches and is_bare and patches[-1].is_bare and _NOTHING.fullmatch(one.before):
            patches[-1].operations += operations
        else:
            patches.append(_Patch(list(operations), one.before, is_bare))
    if not patches:
        words = f"the answer is not a JSON Patch: {_why_none(found)}"
        return PatchReading(None, words, (), is_alone=False)
    if (count := sum(len(patch.operations) for patch in patches)) > _MOST_OPERATIONS:
        words = f"{count} operations, more than {_MOST_OPERATIONS}; send the whole document"
        return PatchReading(patches[-1].operations, words)
    if wrong := [key for key in strangers if key in names or "/" in key]:
        return PatchReading(patches[-1].operations, f"{wrong[0]!r} stands beside the operations")
    if re.search(r"""["']op["']""", around):
        return PatchReading(patches[-1].operations, "a part of the patch cannot be read")
    remarks = [f"{key!r} beside the operations does not count" for key in strangers]
    return _together(patches, tuple(dict.fromkeys(remarks)), is_alone=is_alone)


def _why_none(found: list[JsonInText]) -> str:
    if clashing := [key for one in found for key in one.clashing]:
        return f"{clashing[0]!r} stands twice in one object, with different values"
    return "a JSON Patch is a list of operations with op and path" if found else "no JSON"


def _operations(value: Any, names: Container[str]) -> tuple[list[Any] | None, list[str]]:
    """The operations that a value is or wraps, and the keys beside them."""
    if isinstance(value, str):
        try:
            return _operations(json.loads(value), names) if value[:1] in ("[", "{") else (None, [])
        except (ValueError, RecursionError):
            return None, []
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], Mapping) and "op" not in value[0]:
            return _operations(value[0], names)
        is_patch = not value or any(isinstance(o, Mapping) and "op" in o for o in value)
        return (value if is_patch else None), []
    if not isinstance(value, Mapping):
        return None, []
    if value.get("op") in _OPERATIONS and "path" in value:
        return [value], []
    for key, part in value.items():
        operations, beside = _operations(part, names) if key not in names else (None, [])
        if operations and all(isinstance(o, Mapping) and "path" in o for o in operations):
            others = [k for k in value if k != key]
            # Words are a remark; a list or an object would be lost.
            lost = [f"/{k}" for k in others if not isinstance(value[k], str)]
            return operations, [*beside, *others, *lost]
    return None, []


def _together(patches: list[_Patch], notes: tuple[str, ...], *, is_alone: bool) -> PatchReading:
    """One patch of those in an answer: the same one, the one said to be final, or all of them."""
    kinds: list[_Patch] = []
    for patch in patches:
        if patch.operations not in [one.operations for one in kinds]:
            kinds.append(patch)
    last = patches[-1]
    if len(kinds) == 1:
        return PatchReading(last.operations, "", notes, is_alone)
    if _LAST_COUNTS.search(last.before):
        words = f"only the last of {len(kinds)} patches counts, as the answer says"
        return PatchReading(last.operations, "", (*notes, words), is_alone)
    for one, other in itertools.combinations(kinds, 2):
        only, alone = _without(one, other), _without(other, one)
        for path, at in itertools.product(_places(only), _places(alone)):
            if f"{path}/".startswith(f"{at}/") or f"{at}/".startswith(f"{path}/"):
                words = f"the answer holds {len(kinds)} patches, and two of them change {path!r}"
                return PatchReading(last.operations, words)
    every = _Patch([], "", is_bare=False)
    for patch in kinds:
        every.operations += _without(patch, every)
    return PatchReading(
        every.operations, "", (*notes, f"{len(kinds)} patches are taken as one"), is_alone
    )


def _without(one: _Patch, other: _Patch) -> list[Any]:
    return [operation for operation in one.operations if operation not in other.operations]


def _places(operations: list[Any]) -> list[str]:
    """What the operations change."""
    made = [(o, name) for o in operations if isinstance(o, Mapping) for name in ("path", "from")]
    return [
        str(o[name])
        for o, name in made
        if name in o and o.get("op") != "test" and (name, o.get("op")) != ("from", "copy")
    ]


def is_open(text: str) -> bool:
    """Whether a bracket or brace of a text, outside of its JSON values, is never closed."""
    around = json_values(text)[1]
    return sum(around.count(c) for c in "{[") > sum(around.count(c) for c in "}]")


def json_values(text: str) -> tuple[list[JsonInText], str]:
    """The JSON objects and lists in a text, in order, and the text around them."""
    try:
        read = read_candidates(text)
    except ValueError:
        return [], text
    found: list[JsonInText] = []
    around, at = "", 0
    for one in read.values:
        before = read.text[at : one.offset]
        found.append(JsonInText(one.value, before, one.clashing, one.fixes))
        around, at = around + before, one.end
    return found, around + read.text[at:]
