"""What a valid answer is: any JSON Schema, any pydantic type, rules in the caller's own code."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import jsonpatch
from jsonpointer import JsonPointerException
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from orchestrator.parsing.json_patch import (
    LEFT_OUT,
    from_name_keyed,
    holds_left_out,
    pointer_in,
    shortened,
    to_name_keyed,
)
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.json_reader import is_json, json_in, read_json, unfence
from orchestrator.parsing.schema_coercion import coerced, is_finite
from orchestrator.types.diagnostics import Diagnostic, Report, Severity
from orchestrator.types.requests import Contract, Evaluation, PartialReading

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as SchemaFault


T = TypeVar("T")

_MOST_ERRORS = 3  # of a document in place of a patch that are shown
#: A rule of the caller's own: the typed value in, findings or sentences out; None for none.
ValueCheck = Callable[[Any], Iterable[Diagnostic | str] | str | None]
MOST_EXPLAINED = 12
_LONGEST_FINDING = 240


def explained(report: Report, where_of: Callable[[str], str] = str) -> str:
    """Findings as lines for a model: errors first, at most a dozen, then how many more.

    `where_of` says where in what the model sees stands what a pointer means.
    """
    ranked = sorted(report.diagnostics, key=lambda d: d.severity is not Severity.ERROR)
    shown = [d for d in ranked if d.severity is not Severity.INFO]
    lines = []
    for d in shown[:MOST_EXPLAINED]:
        where = f" (at {where_of(d.pointer)})" if d.pointer else ""
        lines.append(f"- {d.code} {d.severity}{where}: {d.message}")
    if len(shown) > MOST_EXPLAINED:
        lines.append(f"- and {len(shown) - MOST_EXPLAINED} more")
    return "\n".join(lines)


def patch_finding(code: str, message: str) -> Diagnostic:
    """A finding about a patch rather than about the document."""
    return Diagnostic(code, Severity.ERROR, message)


def patched(document: object, patch_text: str) -> object | Diagnostic:
    """Apply a JSON Patch, given as an answer's text, to a copy of `document`.

    What comes back is the new document, or the finding that says why there is none: ``PATCH1``
    does not apply, ``PATCH2`` changes nothing, ``PATCH3`` is not a JSON Patch.
    """
    try:
        operations = json_in(patch_text)
    except ValueError as error:
        return patch_finding("PATCH3", f"the answer is not a JSON Patch: {error}")
    if isinstance(operations, Mapping):
        operations = operations.get("patch", operations.get("operations", operations))
    if isinstance(operations, Mapping) and "op" in operations:
        operations = [operations]
    if not isinstance(operations, list) or not all(isinstance(o, Mapping) for o in operations):
        return patch_finding("PATCH3", "a JSON Patch is a list of operations with op and path")
    try:
        made: object = jsonpatch.apply_patch(copy.deepcopy(document), operations)
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, KeyError) as error:
        return patch_finding("PATCH1", f"the patch does not apply: {error}")
    if made == document:
        return patch_finding("PATCH2", "the patch changes nothing")
    return made


def with_finding(evaluation: Evaluation[T], finding: Diagnostic) -> Evaluation[T]:
    """The same evaluation with one more finding."""
    report = replace(evaluation.report, diagnostics=(*evaluation.report.diagnostics, finding))
    return replace(evaluation, report=report)


def changed(new: Evaluation[T], old: Evaluation[T], said: str = "") -> Evaluation[T]:
    """`new`, or, when it is `old` once more, the finding that nothing was changed.

    `said` is what the answer says beside the document.
    """
    if new.text != old.text:
        return new
    words = "the answer changes nothing" + (f"; it says: {said}" if said else "")
    return with_finding(old, patch_finding("PATCH2", words))


def whole_instead(whole: Evaluation[T], old: Evaluation[T], failure: Diagnostic) -> Evaluation[T]:
    """What an answer that is not a patch is worth; `whole` is the answer read as a document.

    It is taken only where it fulfils the contract, so that a part of a document never replaces
    the whole; otherwise the failure of the patch becomes a finding on `old`.
    """
    if failure.code != "PATCH3" or whole.value is None:
        return with_finding(old, failure)
    if not whole.is_accepted:
        first = "; ".join(str(error) for error in whole.report.errors[:_MOST_ERRORS])
        words = f"{failure.message}. As a whole document it has faults: {first}"
        return with_finding(old, replace(failure, message=words))
    return changed(whole, old)


@dataclass(frozen=True)
class JsonSchemaContract(Generic[T]):
    """Any JSON Schema (draft 2020-12), a type behind it, and rules in the caller's own code.

    Attributes:
        schema: the schema that the value must fulfil.
        name: identifier that providers see beside it.
        checks: rules the schema cannot say; they see the typed value, once it is one.
        adapter: makes the typed value of the plain one; None where the plain one is the result.
        repair: whether unambiguous coercions are made locally.
        accepts_cut_off: whether an answer that was cut off is read as far as it is closed.
    """

    schema: Mapping[str, Any]
    name: str = "answer"
    checks: tuple[ValueCheck, ...] = ()
    adapter: TypeAdapter[T] | None = None
    repair: bool = True
    accepts_cut_off: bool = False

    @property
    def version(self) -> str:
        """Digest of the schema; rules in code are the caller's to version."""
        canonical = json.dumps(self.schema, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def evaluate(self, text: str) -> Evaluation[T]:
        """Read, coerce, validate, make it typed, run the checks."""
        try:
            found = read_json(text, complete=self.accepts_cut_off)
        except ValueError as error:
            finding = Diagnostic("JSON", Severity.ERROR, str(error))
            return Evaluation("unparsed", None, "", Report((finding,)))
        read = tuple(
            Diagnostic("MEND0", Severity.INFO, f"{words}: read over") for words in found.fixes
        )
        return self._evaluation(found.value, read)

    def _evaluation(self, value: object, repairs: tuple[Diagnostic, ...] = ()) -> Evaluation[T]:
        if self.repair:
            value, more = coerced(value, self.schema)
            repairs = (*repairs, *more)
        made: Any = value
        found = [] if is_finite(value) else [_fault("SCHEMA", "NaN and Infinity are not JSON", "")]
        if not found:
            found, made = self._typed(value)
        if not found:
            found = [finding for check in self.checks for finding in findings_of(check(made))]
        report = Report(tuple(found), repairs)
        return Evaluation("parsed", made, json.dumps(value, ensure_ascii=False), report)

    def read_partial(self, text: str) -> PartialReading | None:
        """What can be read of the beginning of an answer; pointers go two levels deep."""
        if (found := read_beginning(unfence(text).body)) is None:
            return None
        made, _ = coerced(found.value, self.schema) if self.repair else (found.value, ())
        faults = [_of_schema(e) for e in Draft202012Validator(self.schema).iter_errors(made)]
        return replace(found, findings=tuple(f for f in faults if f.pointer in found.closed))

    def _typed(self, value: object) -> tuple[list[Diagnostic], Any]:
        if self.adapter is None:
            return [
                _of_schema(e) for e in Draft202012Validator(self.schema).iter_errors(value)
            ], value
        try:
            return [], self.adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            return [_fault("SCHEMA", f["msg"], pointer_to(*f["loc"])) for f in faults], value

    def name_keyed(self, evaluation: Evaluation[T]) -> str:
        """The value by names, without large parts that are well; empty when nothing parsed."""
        if not evaluation.text:
            return ""
        value, view = self._views(evaluation)
        at = [pointer_in(view, d.pointer, value) for d in evaluation.report.errors]
        return json.dumps(shortened(view, at), ensure_ascii=False)

    def _views(self, evaluation: Evaluation[T]) -> tuple[Any, Any]:
        """The value, and the same by names."""
        value = json.loads(evaluation.text)
        return value, to_name_keyed(value, self.schema, self.schema)

    def apply_patch(self, evaluation: Evaluation[T], patch: str) -> Evaluation[T]:
        """Apply the patch to the name-keyed form and evaluate the outcome."""
        view = self._views(evaluation)[1]
        made = patched(view, patch)
        if holds_left_out(made) and not holds_left_out(view):
            made = patch_finding("PATCH4", f"{LEFT_OUT} stands for what stays, it is not a value")
        if isinstance(made, Diagnostic):
            return whole_instead(self.evaluate(patch), evaluation, made)
        return changed(
            self._evaluation(from_name_keyed(made, self.schema, self.schema)), evaluation
        )

    def explain(self, evaluation: Evaluation[T]) -> str:
        """The findings as lines, with places as the name-keyed form has them."""
        if not evaluation.text:
            return explained(evaluation.report)
        value, view = self._views(evaluation)
        return explained(evaluation.report, lambda pointer: pointer_in(view, pointer, value))


def read_beginning(body: str) -> PartialReading | None:
    """The JSON object that a text begins with, as far as it is there."""
    start = body.find("{")
    if start < 0:
        return None
    try:
        value = from_json(body[start:], allow_partial=True)
    except ValueError:
        return None
    # With open strings kept, what stands before one is seen to be closed.
    whole = from_json(body[start:], allow_partial="trailing-strings")
    return PartialReading(value, tuple(_closed(whole, is_last_open=not is_json(body[start:]))))


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


def findings_of(said: Iterable[Diagnostic | str] | str | None) -> list[Diagnostic]:
    """What a check said, as findings: a sentence is an error of its own."""
    parts = [said] if isinstance(said, str) else list(said or ())
    return [part if isinstance(part, Diagnostic) else _fault("CHECK", part, "") for part in parts]


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
    pydantic understands, or a contract of your own, which comes back as it is.

    Raises:
        ValueError: no provider can take the schema; the message says where it is wrong and what
            would do.
        TypeError: a contract of your own lacks members of `Contract`.
    """
    checks = tuple(checks)
    if hasattr(wanted, "evaluate") and not isinstance(wanted, type):
        missing = [n for n in vars(Contract) if n[0] != "_" and not hasattr(wanted, n)]
        if missing:
            raise TypeError(f"a contract of your own also needs {', '.join(missing)}")
        if checks:
            raise ValueError("a contract of your own brings its own checks; add them there")
        return wanted
    adapter: TypeAdapter[Any] | None = None
    if isinstance(wanted, Mapping):
        schema, stated = _stated(wanted)
    else:
        adapter = TypeAdapter(wanted)
        schema, stated = adapter.json_schema(), getattr(wanted, "__name__", "")
    check_schema(schema)
    return JsonSchemaContract(
        schema, _identifier(name or stated), checks, adapter, repair, complete
    )


def _stated(given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    if given.get("type") == "json_schema" and isinstance(given.get("json_schema"), Mapping):
        inner = given["json_schema"]
        return dict(inner.get("schema") or {}), str(inner.get("name") or "")
    if given.get("type") == "json_object" and "properties" not in given:
        return dict(given.get("response_schema") or {"type": "object"}), ""
    return dict(given), str(given.get("title") or "")


def _identifier(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in name)[:64] or "answer"


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises: ValueError: it is not a JSON Schema, or not one that a provider takes."""
    fault = best_match(Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema))
    if fault is not None:
        at = pointer_to(*fault.absolute_path) or "its root"
        raise ValueError(f"the schema is wrong at {at}: {_short(fault.message)}")
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise ValueError(
                f"the schema refers to {reference!r}, which no provider can look up; copy it under"
                " $defs and refer to '#/$defs/…'"
            )
    root = schema
    while "$ref" in root and str(root["$ref"]).startswith("#/$defs/"):
        root = schema.get("$defs", {}).get(str(root["$ref"]).rpartition("/")[2], {})
    if root.get("type") != "object":
        nearest = {"type": "object", "properties": {"value": "…"}, "required": ["value"]}
        raise ValueError(
            f"the root of the schema is {root.get('type', 'no type')}, and providers take an object"
            f" there; the nearest they take is {json.dumps(nearest, ensure_ascii=False)} with"
            " yours in the place of …"
        )


def _references(schema: object) -> Iterable[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for part in schema.values():
            yield from _references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _of_schema(error: SchemaFault) -> Diagnostic:
    # Of a choice, the branch that was meant says more than that none fits.
    nearest = best_match(error.context) if error.context else None
    shown = nearest or error
    return _fault("SCHEMA", shown.message, pointer_to(*shown.absolute_path))


def _fault(code: str, message: str, pointer: str) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, _short(message), pointer=pointer)


def _short(message: str) -> str:
    if len(message) <= _LONGEST_FINDING:
        return message
    return f"{message[: _LONGEST_FINDING // 2]} … {message[-_LONGEST_FINDING // 2 :]}"
