"""From an untyped tree to a typed `GMNSpec`, with every change reported.

Numbers, truth values and misspelt words are read as in any answer (`orchestrator.parsing`). The
walk is another than `parsing.schema_coercion`: that one changes a part only where the part then
fulfils its schema, and validates at every level; this one goes on past a fault to report them all,
and passes over a table of a million numbers at once.
"""

from __future__ import annotations

import functools
import math
import re
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.legacy_shapes import fix_legacy_shapes
from orchestrator.gmn.formats.syntax import Share
from orchestrator.gmn.model import VERSION, GMNSpec
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.scalars import number_in, share_in, truth_in
from orchestrator.parsing.spelling import nearest, nearest_keys
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.types.diagnostics import Diagnostic

_SHARES = re.compile(r"/table/rows/|/p\Z|/noise\Z|/habits/|/trigger_value\Z|/discount\Z|/decay\Z")
#: What one entry of a section is called.
_NOUNS = {
    "states": "state", "observations": "observation", "actions": "action",
    "likelihoods": "likelihood", "transitions": "transition", "priors": "prior",
    "preferences": "preference", "habits": "habit", "queries": "query", "metadata": "metadata",
}  # fmt: skip
_ONE_OF = {
    "rows": "row", "map": "label", "moves": "move", "rules": "rule", "when": "condition",
    "then": "outcome", "labels": "label", "goals": "goal", "values": "value", "given": "parent",
    "weights": "weight", "inputs": "input", "blocked": "blocked label", "shape": "side",
    "delta": "step", "terminal": "terminal label", **_NOUNS,
}  # fmt: skip
_TABLES = "rows, map, identity, uniform, shift, grid or rules"
_KIND_ALIASES = {
    "matrix": "rows", "dense": "rows", "table": "rows", "deterministic": "map", "eye": "identity",
    "flat": "uniform", "decision_list": "rules", "gridworld": "grid", "line": "shift",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coerced:
    """A typed document, or the reasons why there is none.

    Attributes:
        spec: None when a value could not be given its type.
        findings: 008, 010, 011, 104, 309, 310, 312 that stay.
        repairs: the same codes where a value was coerced: ``"4"`` to 4, a scalar to a list…
        partial: without `spec`, the document with placeholders where values are wrong.
    """

    spec: GMNSpec | None
    findings: tuple[Diagnostic, ...] = ()
    repairs: tuple[Diagnostic, ...] = ()
    partial: GMNSpec | None = None


def coerce(tree: Mapping[str, object], names: Mapping[str, str] | None = None) -> Coerced:
    """Give every value of `tree` its type. A conforming tree comes back unchanged.

    `names` are what the nodes of the text are called, by pointer: findings speak of them.
    """
    fixed = fix_legacy_shapes(dict(tree))
    walk = _Walk([*fixed.findings], [*fixed.repairs], fixed.tree, names or {})
    version = fixed.tree.get("gmn", VERSION)
    if str(version) not in (VERSION, "1"):
        words = f"version {version!r} is not supported; this reads {VERSION}"
        walk.findings.append(
            finding("GMN011", words, pointer="/gmn", got=version, expected=VERSION)
        )
    typed = walk.model(GMNSpec, {**fixed.tree, "gmn": VERSION}, "")
    is_wrong = any(d.severity == "error" for d in walk.findings)
    try:
        spec = GMNSpec.model_validate(typed)
    except ValidationError as error:  # what the walk let through: say where, never raise
        problems = () if is_wrong else error.errors()[:20]
        more = tuple(_schema_finding(dict(problem), walk) for problem in problems)
        return Coerced(None, (*walk.findings, *more), tuple(walk.repairs))
    if is_wrong:
        return Coerced(None, tuple(walk.findings), tuple(walk.repairs), partial=spec)
    return Coerced(spec, tuple(walk.findings), tuple(walk.repairs))


def _schema_finding(problem: Mapping[str, Any], walk: _Walk) -> Diagnostic:
    pointer, words = pointer_to(*problem["loc"]), problem["msg"]
    if type(number := problem["input"]) is int:  # one that no float holds
        words = f"a number of {len(str(abs(number)))} digits; at most 1.8e308 is computed with"
    return finding("GMN010", f"{walk.called(pointer)}: {words}", pointer=pointer)


class _Form(NamedTuple):
    """An annotation, taken apart.

    Attributes:
        kind: the type of a scalar, or of a part of the document.
        of: of a list, the form of what it holds; its own kind is not used.
        options: the words to choose from.
        is_part: whether it is a part of the document.
        is_required: whether it has no default.
    """

    kind: Any
    of: _Form | None = None
    options: tuple[str, ...] = ()
    is_part: bool = False
    is_required: bool = False


def _form(kind: Any, *, is_required: bool = False) -> _Form:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    of = _form(inside[0]) if origin is tuple else None
    is_part = isinstance(kind, type) and issubclass(kind, BaseModel)
    return _Form(kind, of, inside if origin is Literal else (), is_part, is_required)


@functools.cache
def _forms(kind: type[BaseModel]) -> dict[str, _Form]:
    """The form of every field of a part of the document."""
    return {
        name: _form(field.annotation, is_required=field.is_required())
        for name, field in kind.model_fields.items()
    }


@dataclass(slots=True)
class _Walk:
    """Coerces values along the annotations of the model."""

    findings: list[Diagnostic] = field(default_factory=list)
    repairs: list[Diagnostic] = field(default_factory=list)
    tree: Mapping[str, object] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def called(self, pointer: str) -> str:
        """What a person calls the part at `pointer`: transition T_mood, row 2, number 1."""
        section, *rest = pointer.split("/")[1:] or [""]
        if not section:
            return "the document"
        noun = _NOUNS.get(section)
        if noun is None or not rest:
            return ", ".join(_steps([section, *rest]))
        entries = self.tree.get(section)
        index = int(rest[0]) if rest[0].isdigit() else -1
        entry = entries[index] if isinstance(entries, list) and 0 <= index < len(entries) else {}
        fields = entry if isinstance(entry, dict) else {}
        about = next((fields[key] for key in ("name", "of", "on", "action") if key in fields), None)
        if node := self.names.get(f"/{section}/{rest[0]}"):
            head = f"{noun} {node}"
        elif about is None:
            head = f"{noun} {index + 1}"
        else:
            head = f"{noun} {about}" if "name" in fields else f"{noun} of {about}"
        return ", ".join([head, *_steps(rest[1:])])

    def model(self, kind: type[BaseModel], value: object, pointer: str) -> object:
        if not isinstance(value, dict):
            self._wrong(value, "an object", pointer)
            return value
        made: dict[str, object] = {}
        look(5 * len(value))
        known = _forms(kind)
        near = {}
        if not value.keys() <= known.keys():
            near = nearest_keys([str(key) for key in value], known)
        for key, part in value.items():
            name = key if key in known else near.get(str(key))
            if name is None:
                words = f"unknown property {key!r} ignored"
                self.repairs.append(finding("GMN007", words, pointer=pointer, got=key))
                continue
            if name != key:
                words = f"property {key!r} read as {name!r}"
                self.repairs.append(finding("GMN007", words, pointer=f"{pointer}/{name}", got=key))
            made[name] = self.value(known[name], part, f"{pointer}/{name}")
        for name, wanted in known.items():
            if wanted.is_required and name not in made:
                words = f"{self.called(pointer)} has no {name!r}"
                if name in ("table", "kind"):
                    words = f"{self.called(pointer)} has no table: write {_TABLES}"
                elif wanted.options:
                    words += f": {', '.join(wanted.options)}"
                lacks = f"{pointer}/{name}"
                self.findings.append(
                    finding("GMN010", words, pointer=pointer, expected=name, missing=lacks)
                )
        return made

    def value(self, form: _Form, value: object, pointer: str) -> object:
        if form.of is not None:
            return self._tuple(form.of, value, pointer)
        if form.options:
            return self._choice(form.options, value, pointer)
        if form.is_part:
            return self.model(form.kind, value, pointer)
        return self._scalar(form.kind, value, pointer)

    def _tuple(self, form: _Form, value: object, pointer: str) -> object:
        if value is None:
            self._coerced("null read as an empty list", pointer)
            return []
        if not isinstance(value, list | tuple):
            self._coerced(f"{value!r} read as a list of one", pointer)
            value = [value]
        if form.of is not None and _is_matrix(value):
            return value  # a whole matrix of numbers needs no walk, and may hold a million of them
        look(5 * len(value))
        if form.kind in (str, int) and {*map(type, value)} == {form.kind}:
            return value
        if form.is_part and value and all(isinstance(item, str) for item in value):
            self._only_names(form, value, pointer)
            return []
        return [self.value(form, item, f"{pointer}/{i}") for i, item in enumerate(value)]

    def _only_names(self, form: _Form, value: object, pointer: str) -> None:
        keys = ", ".join(form.kind.model_fields)
        words = f"{self.called(pointer)} has words only, {value!r:.80}; each is an object of {keys}"
        self.findings.append(
            finding("GMN008", words, pointer=pointer, got=value, expected="objects")
        )

    def _choice(self, options: tuple[str, ...], value: object, pointer: str) -> object:
        if value in options:
            return value
        word = str(value)
        near = _KIND_ALIASES.get(word.lower()) or nearest(word, options)
        code = "GMN601" if "/queries/" in pointer else "GMN104"
        if near in options:
            words = f"{self.called(pointer)}: {word!r} read as {near!r}"
            self.repairs.append(finding(code, words, pointer=pointer, got=word, expected=near))
            return near
        choices = ", ".join(options)
        words = f"{self.called(pointer)}: {word!r} is not one of {choices}"
        self.findings.append(finding(code, words, pointer=pointer, got=word, expected=choices))
        return options[0]

    def _scalar(self, kind: Any, value: object, pointer: str) -> object:
        if kind is str:
            return self._text(value, pointer)
        if kind is bool:
            return self._truth(value, pointer)
        return self._number(kind, value, pointer)

    def _text(self, value: object, pointer: str) -> object:
        if isinstance(value, str):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            if value is None:
                self._coerced("null read as empty", pointer)
                return ""
            self._wrong(value, "text", pointer)
            return ""
        return repr(value)  # labels are often written as numbers; nothing is lost

    def _truth(self, value: object, pointer: str) -> object:
        if isinstance(value, bool):
            return value
        truth = {"1": True, "0": False}.get(str(value), truth_in(str(value)))
        if truth is not None:
            self._coerced(f"{value!r} read as {truth}", pointer)
            return truth
        self._wrong(value, "true or false", pointer)
        return False

    def _number(self, kind: Any, value: object, pointer: str) -> object:
        wanted = "a whole number" if kind is int else "a number"
        number: object = value
        if isinstance(value, str):
            share = share_in(value) if _is_share(kind, pointer) else None
            number = number_in(value) if share is None else share
            if number is not None:
                self._coerced(f"{value!r:.80} read as the number {number}", pointer)
        elif isinstance(value, Share):
            number = float(value) if _is_share(kind, pointer) else None
        if isinstance(number, bool) or not isinstance(number, int | float):
            code = "GMN312" if "/table/" in pointer or "/values" in pointer else "GMN008"
            said = (
                f"{value!r:.80} is not"
                if not isinstance(value, Share)
                else (f"{value:.4g} is written as a percentage or a fraction, expected")
            )
            words = f"{self.called(pointer)}: {said} {wanted}"
            self.findings.append(finding(code, words, pointer=pointer, got=value, expected=wanted))
            return 0
        if kind is int and isinstance(number, float):
            if not number.is_integer():
                self._wrong(value, wanted, pointer)
                return 0
            self._coerced(f"{value!r} read as {int(number)}", pointer)
            return int(number)
        return number if kind is int else _float(number)

    def _coerced(self, words: str, pointer: str) -> None:
        self.repairs.append(finding("GMN008", f"{self.called(pointer)}: {words}", pointer=pointer))

    def _wrong(self, value: object, expected: str, pointer: str) -> None:
        shown = repr(value)[:60]
        words = f"{self.called(pointer)} must be {expected}, got {shown}"
        self.findings.append(
            finding("GMN008", words, pointer=pointer, got=shown, expected=expected)
        )


def _steps(parts: Sequence[str]) -> list[str]:
    """The way into a part, in words: rows, 1, 0 is row 2, number 1."""
    words: list[str] = []
    for before, part in zip(["", *parts], parts, strict=False):
        if not part.isdigit():
            if part != "table":
                words.append(part)
        elif before in _ONE_OF:
            words[-1] = f"{_ONE_OF[before]} {int(part) + 1}"
        else:
            words.append(f"number {int(part) + 1}")
    return words


def _is_share(kind: Any, pointer: str) -> bool:
    """Whether a percentage or a fraction can stand here: a probability, or a weight among them."""
    return kind is float and _SHARES.search(pointer) is not None


def _is_matrix(value: object) -> bool:
    """Whether every row is a list of plain numbers."""
    if not isinstance(value, list | tuple) or not all(
        isinstance(row, list | tuple) for row in value
    ):
        return False
    return all({type(number) for number in row} <= {int, float} for row in value)


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
