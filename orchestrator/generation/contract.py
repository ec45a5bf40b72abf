"""What a valid answer is: any JSON Schema, any pydantic type, rules in the caller's own code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from jsonpatch import JsonPatch
from pydantic_core import from_json

from orchestrator.generation.answer_schema import VALUE, identifier, schema_of, wrapped
from orchestrator.generation.answers import PatchEvaluator
from orchestrator.generation.findings import (
    ValueCheck,
    fault,
    noted,
    of_pydantic,
    of_schema,
    own_code,
    said_by,
    unparsed,
)
from orchestrator.generation.typed_value import allows_infinity, exact, reads_decimals, typed
from orchestrator.parsing.formats import FORMATS
from orchestrator.parsing.json_patch import (
    from_name_keyed,
    pointer_in,
    root_names,
    shortened,
    to_name_keyed,
    unknown_keys,
)
from orchestrator.parsing.json_pointer import pointer_to, steps_of
from orchestrator.parsing.json_reader import bare_text, is_json, last_value, read_candidates
from orchestrator.parsing.schema_coercion import coerced, is_finite, strict_validator
from orchestrator.types.cached import cached_property
from orchestrator.types.diagnostics import Diagnostic, Report, Severity, listed
from orchestrator.types.errors import CheckError
from orchestrator.types.requests import Contract, Evaluation, PartialReading
from orchestrator.types.visible import json_text, visible
from orchestrator.types.work import TooMuchWork, allowance

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from orchestrator.parsing.lenient_json import ParseResult

T = TypeVar("T")

#: Raise it whenever the same text could be evaluated differently under the same schema.
READING_VERSION = "5"
MOST_EXPLAINED = 12
MOST_LISTED = 100
_STEPS_OF_A_PART = 4_000  # of an answer that is still arriving; it is read on the event loop
_MOST_LEFT_OUT = 20  # keys that a type does not have, each of which is looked at
_LONGEST_WORD = 200  # characters; a longer answer without quotes is prose
_SEVERAL = "it holds several values, and does not say which is the final one; send that one alone"


def explained(report: Report, where_of: Callable[[str], str] = str) -> str:
    """Findings as lines for a model: errors first, at most a dozen, then how many more.

    `where_of` says where in what the model sees stands what a pointer means.
    """
    ranked = sorted(report.diagnostics, key=lambda d: d.severity is not Severity.ERROR)
    shown = [d for d in ranked if d.severity is not Severity.INFO]
    lines = []
    for d in shown[:MOST_EXPLAINED]:
        where = f" (at {where_of(d.pointer)})" if d.pointer else ""
        lines.append(visible(f"- {d.code} {d.severity}{where}: {d.message}"))
    if len(shown) > MOST_EXPLAINED:
        lines.append(f"- and {len(shown) - MOST_EXPLAINED} more")
    return "\n".join(lines)


@dataclass(frozen=True)
class JsonSchemaContract(Generic[T]):
    """Any JSON Schema (draft 2020-12), a type behind it, and rules in the caller's own code.

    Attributes:
        schema: the schema as providers take it, with an object at its root.
        name: identifier that providers see beside it.
        checks: rules the schema cannot say; they see the typed value, once it is one.
        adapter: makes the typed value of the plain one; None where the plain one is the result.
        repair: whether unambiguous coercions are made locally.
        accepts_cut_off: whether an answer that was cut off is read as far as it is closed.
        bare: the schema of the value where `schema` wraps it in an object; None where it is
            `schema` itself. The value is read wrapped and bare, and is the result bare.
    """

    schema: Mapping[str, Any]
    name: str = "answer"
    checks: tuple[ValueCheck, ...] = ()
    adapter: TypeAdapter[T] | None = None
    repair: bool = True
    accepts_cut_off: bool = False
    bare: Mapping[str, Any] | None = None

    @property
    def version(self) -> str:
        """Digest of the schema and of how it is read; rules in code are the caller's to version."""
        canonical = json.dumps([READING_VERSION, self.schema], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def _wanted(self) -> Mapping[str, Any]:
        return self.schema if self.bare is None else self.bare

    @cached_property
    def _has_decimals(self) -> bool:
        return self.adapter is not None and reads_decimals(self.adapter.core_schema)

    @cached_property
    def _takes_infinity(self) -> bool:
        return self.adapter is not None and allows_infinity(self.adapter.core_schema)

    def evaluate(self, text: str) -> Evaluation[T]:
        """Read, coerce, validate, make it typed, run the checks; see `Candidates.chosen`.

        Raises: CheckError: a check raised.
        """
        try:
            found = read_candidates(text, complete=self.accepts_cut_off)
        except ValueError as error:
            return self._without_quotes(text) or unparsed(str(error))
        read = [self._candidate(one, text) for one in found.values]
        fitting = {n: _canonical(one.text) for n, one in enumerate(read) if one.is_accepted}
        if not fitting:
            best = max(range(len(read)), key=lambda n: self._likeness(found.values[n], read[n], n))
            if found.unread and not self._likeness(found.values[best], read[best], 0)[0]:
                return unparsed("not JSON: no value that was meant can be read")
            return read[best]
        if (at := found.chosen(fitting)) is None:
            return unparsed(f"the answer is not one value: {_SEVERAL}")
        return read[at] if len(read) == 1 else noted(read[at], "other values in the answer")

    def _candidate(self, one: ParseResult, text: str) -> Evaluation[T]:
        """What one value of an answer is worth."""
        if one.clashing:
            keys = ", ".join(map(repr, one.clashing))
            return unparsed(f"given twice in one object with different values: {keys}")
        value = one.value
        if self.adapter is not None and self._has_decimals:
            value = exact(value, text[one.offset : one.end], self.adapter.core_schema)
        evaluation = self._held(value)
        for words in (*one.fixes, *(f"the key {key!r}, given twice" for key in one.repeated)):
            evaluation = noted(evaluation, words)
        return evaluation

    def _likeness(self, one: ParseResult, read: Evaluation[T], at: int) -> tuple[int, int, int]:
        """How much a value that does not fit looks like the one that was meant."""
        known = set(self._wanted.get("properties", self.schema["properties"] if self.bare else ()))
        keys = len(known & set(one.value)) if isinstance(one.value, Mapping) else 0
        return keys, -len(read.report.errors), at

    def _without_quotes(self, text: str) -> Evaluation[T] | None:
        """An answer in bare words, where only some words are allowed: ``wet`` for ``"wet"``."""
        words = bare_text(text)
        is_any_text = strict_validator(self._wanted).is_valid("\uffff")
        if self.bare is None or is_any_text or not 0 < len(words) <= _LONGEST_WORD:
            return None
        evaluation = self._evaluation(words)
        is_read = evaluation.is_accepted and not evaluation.text.startswith(("[", "{"))
        return noted(evaluation, "quotes are missing") if is_read else None

    def _held(self, value: object) -> Evaluation[T]:
        """`value` as it stands, or what the object around it holds."""
        if self.bare is None or not isinstance(value, Mapping) or set(value) != {VALUE}:
            return self._evaluation(value)
        inside = self._evaluation(value[VALUE])
        if inside.is_accepted:
            return inside
        whole = self._evaluation(value)
        return whole if whole.is_accepted else inside

    def _evaluation(self, value: object) -> Evaluation[T]:
        try:
            return self._evaluated(value)
        except RecursionError:  # how deep is too deep depends on the schema
            return unparsed("the value is nested too deep to be held against the schema")
        except TooMuchWork as error:
            return unparsed(str(error))

    def _evaluated(self, value: object) -> Evaluation[T]:
        repairs: tuple[Diagnostic, ...] = ()
        if self.repair:
            value, repairs = coerced(value, self._wanted)
        text = json_text(value)
        made: Any = value
        own: list[Diagnostic] = []
        try:
            found, made, own = self._typed(value)
            left_out = [] if found or self.adapter is None else self._left_out(value, made)
            said = [] if found else [f for check in self.checks for f in said_by(check, made)]
        except CheckError as error:
            report = Report((fault("CHECK", str(error), ""),), (*repairs, *own))
            error.evaluation = Evaluation("parsed", made, text, report)
            raise
        report = Report(
            tuple(listed([*found, *said, *left_out], MOST_LISTED, "MORE")),
            tuple(listed([*repairs, *own], MOST_LISTED, "MORE")),
        )
        return Evaluation("parsed", made, text, report)

    def _typed(self, value: object) -> tuple[list[Diagnostic], Any, list[Diagnostic]]:
        if not is_finite(value) and not self._takes_infinity:
            return [fault("SCHEMA", "NaN and Infinity are not JSON", "")], value, []
        if not _is_text(value):
            words = (
                "it holds half of a surrogate pair, which no text can; write the whole character"
            )
            return [fault("SCHEMA", words, "")], value, []
        if self.adapter is None:
            return self._faults(value), value, []
        with own_code(self.name):  # validators in the type are the caller's own code too
            made, faults, own = typed(self.adapter, value, self._wanted)
        found = [of_pydantic(pointer_to(*loc), words, kind) for loc, words, kind in faults]
        return found, made, own

    def _left_out(self, value: object, made: object) -> list[Diagnostic]:
        """What the type does not take over from a value that it accepts: one for each key."""
        by_key: dict[str, str] = {}
        for pointer in unknown_keys(value, self._wanted, self._wanted):
            by_key.setdefault(steps_of(pointer)[-1], pointer)
        found = []
        for key, pointer in islice(by_key.items(), _MOST_LEFT_OUT):
            without = JsonPatch([{"op": "remove", "path": pointer}]).apply(value)
            with own_code(self.name):
                again, faults, _ = typed(
                    cast("TypeAdapter[T]", self.adapter), without, self._wanted
                )
            if not faults and again == made:
                words = f"the type has no {key!r}, and leaves it out"
                found.append(Diagnostic("EXTRA", Severity.INFO, words, pointer=pointer))
        return found

    def _faults(self, value: object) -> list[Diagnostic]:
        from orchestrator.parsing.schemas import validator  # noqa: PLC0415  it imports jsonschema

        return [
            of_schema(e) for e in validator(self._wanted, formats=self._formats).iter_errors(value)
        ]

    @property
    def _formats(self) -> Mapping[str, Callable[[str], object]]:
        """The formats that the schema alone judges; those of a type judges the type."""
        return FORMATS if self.adapter is None else {}

    def read_partial(self, text: str) -> PartialReading | None:
        """What can be read of the beginning of an answer; pointers go two levels deep."""
        body = last_value(text)
        if (found := read_beginning(body, deep=2 if self.bare is None else 3)) is None:
            return None
        value, closed = found.value, found.closed
        if self.bare is not None and isinstance(value, dict) and set(value) == {VALUE}:
            at = pointer_to(VALUE)
            value = value[VALUE]
            closed = tuple(p.removeprefix(at) for p in closed if p.startswith(f"{at}/"))
        try:
            with allowance(_STEPS_OF_A_PART):
                made, _ = coerced(value, self._wanted) if self.repair else (value, ())
                faults = tuple(f for f in self._faults(made) if f.pointer in closed)
        except (RecursionError, TooMuchWork):
            faults = ()  # the whole answer will say so
        return PartialReading(value, closed, faults, len(text) - len(body))

    def name_keyed(self, evaluation: Evaluation[T]) -> str:
        """The value by names, without large parts that are well; empty when nothing parsed."""
        if not evaluation.text:
            return ""
        value, view = self._views(evaluation)
        at = [pointer_in(view, self._at(d.pointer), value) for d in evaluation.report.errors]
        return json.dumps(shortened(view, at), ensure_ascii=False)

    def _views(self, evaluation: Evaluation[T]) -> tuple[Any, Any]:
        """The value as providers are asked for it, and the same by names."""
        value = json.loads(evaluation.text)
        value = value if self.bare is None else {VALUE: value}
        return value, to_name_keyed(value, self.schema, self.schema)

    def _at(self, pointer: str) -> str:
        """Where in the value as providers are asked for it stands what a finding means."""
        return pointer if self.bare is None else f"{pointer_to(VALUE)}{pointer}"

    def apply_patch(self, evaluation: Evaluation[T], patch: str) -> Evaluation[T]:
        """Apply a patch to the name-keyed form, or take a whole document; evaluate the outcome."""
        return PatchEvaluator(
            evaluate=self.evaluate,
            evaluate_view=lambda view: self._held(self._from_view(view)),
            view_of=lambda one: self._views(one)[1],
            sections=root_names(self.schema),
            dropped=self._dropped,
        )(evaluation, patch)

    def _from_view(self, view: object) -> Any:
        return from_name_keyed(view, self.schema, self.schema)

    def _dropped(self, view: object, made: Evaluation[T]) -> list[str]:
        """Pointers of what the type does not take over from a value that it accepts."""
        if self.adapter is None or not made.is_accepted:
            return []
        value = self._from_view(view)
        return [
            pointer
            for pointer in unknown_keys(value, self.schema, self.schema)
            if self._held(JsonPatch([{"op": "remove", "path": pointer}]).apply(value)).value
            == made.value
        ]

    def explain(self, evaluation: Evaluation[T]) -> str:
        """The findings as lines, with places as the name-keyed form has them."""
        if not evaluation.text:
            return explained(evaluation.report)
        value, view = self._views(evaluation)
        return explained(evaluation.report, lambda p: pointer_in(view, self._at(p), value))


def _is_text(value: object) -> bool:
    """Whether every string in a value can be written."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _canonical(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True) if text else ""


def read_beginning(body: str, *, deep: int = 2) -> PartialReading | None:
    """The JSON object or list that a text begins with, as far as it is there."""
    if not body.startswith(("{", "[")):
        return None
    try:
        value = from_json(body, allow_partial=True)
        # With open strings kept, what stands before one is seen to be closed.
        whole = from_json(body, allow_partial="trailing-strings")
    except ValueError:
        return None
    return PartialReading(value, tuple(_closed(whole, is_last_open=not is_json(body), deep=deep)))


def _closed(value: object, *, is_last_open: bool, at: str = "", deep: int = 2) -> Iterator[str]:
    """Pointers of what is closed: of an object or list that is still open all but its last part."""
    if not deep or not isinstance(value, dict | list):
        return
    steps = list(value) if isinstance(value, dict) else range(len(value))
    for n, step in enumerate(steps):
        is_open = is_last_open and n == len(steps) - 1
        here = f"{at}{pointer_to(step)}"
        yield from _closed(value[step], is_last_open=is_open, at=here, deep=deep - 1)
        if not is_open:
            yield here


def contract_of(
    wanted: Any,
    *,
    checks: Iterable[ValueCheck] = (),
    name: str = "",
    repair: bool = True,
    complete: bool = False,
) -> Any:
    """The contract that `wanted` means.

    `wanted` is a JSON Schema, LiteLLM's ``response_format``, a pydantic model or any type that
    pydantic understands, or a contract of your own, which comes back as it is. Providers take an
    object at the root of a schema, so that any other value is asked for inside one.

    Raises:
        ValueError: no provider can take the schema; the message says where it is wrong.
        TypeError: pydantic does not understand the type, or a contract of your own lacks members
            of `Contract`.
    """
    checks = tuple(checks)
    if hasattr(wanted, "evaluate") and not isinstance(wanted, type):
        missing = [n for n in vars(Contract) if n[0] != "_" and not hasattr(wanted, n)]
        if missing:
            raise TypeError(f"a contract of your own also needs {', '.join(missing)}")
        if checks:
            raise ValueError("a contract of your own brings its own checks; add them there")
        return wanted
    adapter, schema, title, is_object = schema_of(wanted)
    sent, bare = (schema, None) if is_object else (wrapped(schema), schema)
    return JsonSchemaContract(
        sent, identifier(name or title), checks, adapter, repair, complete, bare
    )
