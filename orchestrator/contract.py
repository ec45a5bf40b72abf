"""A contract for any JSON Schema: parse, validate, check; the general form of what GMN has."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import jsonpatch
from jsonpointer import JsonPointerException
from jsonschema import Draft202012Validator

from orchestrator.diagnostics import Diagnostic, Report, Severity
from orchestrator.extract import json_in
from orchestrator.result import Judged

if TYPE_CHECKING:
    from orchestrator.result import AnswerKind

T = TypeVar("T")

#: A rule of the caller's own: the parsed value in, findings out.
ValueCheck = Callable[[object], Iterable[Diagnostic]]
MOST_EXPLAINED = 12


def explained(report: Report) -> str:
    """Findings as lines for a model: errors first, at most a dozen, then how many more."""
    ranked = sorted(report.diagnostics, key=lambda d: d.severity is not Severity.ERROR)
    shown = [d for d in ranked if d.severity is not Severity.INFO]
    lines = []
    for d in shown[:MOST_EXPLAINED]:
        where = f" (at {d.pointer})" if d.pointer else ""
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
    does not apply, ``PATCH2`` changes nothing, ``PATCH3`` is no JSON Patch.
    """
    try:
        operations = json_in(patch_text)
    except ValueError as error:
        return patch_finding("PATCH3", f"the answer is no JSON Patch: {error}")
    if isinstance(operations, Mapping):
        operations = operations.get("patch", operations.get("operations", operations))
    if not isinstance(operations, list) or not all(isinstance(o, Mapping) for o in operations):
        return patch_finding("PATCH3", "a JSON Patch is a list of operations with op and path")
    try:
        made: object = jsonpatch.apply_patch(copy.deepcopy(document), operations)
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, KeyError) as error:
        return patch_finding("PATCH1", f"the patch does not apply: {error}")
    if made == document:
        return patch_finding("PATCH2", "the patch changes nothing")
    return made


def with_finding(judged: Judged[T], finding: Diagnostic) -> Judged[T]:
    """The same judgement with one more finding."""
    report = judged.report
    return Judged(
        judged.kind,
        judged.value,
        judged.text,
        Report(
            (*report.diagnostics, finding),
            report.repairs,
            report.runs,
            report.behaves,
            report.behaviour,
        ),
    )


@dataclass(frozen=True)
class JsonSchemaContract:
    """Any JSON Schema (draft 2020-12), and rules in the caller's own code.

    Attributes:
        schema: the schema that the value must fulfil.
        name: identifier that providers see beside it.
        checks: rules the schema cannot say.
    """

    schema: Mapping[str, object]
    name: str = "answer"
    checks: tuple[ValueCheck, ...] = ()

    @property
    def version(self) -> str:
        """Digest of the schema; rules in code are the caller's to version."""
        canonical = json.dumps(self.schema, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def judge(self, text: str) -> Judged[object]:
        """Parse, validate against the schema, then run the checks."""
        try:
            value = json_in(text)
        except ValueError as error:
            finding = Diagnostic("JSON", Severity.ERROR, str(error))
            return Judged("unparsed", None, "", Report((finding,)))
        return self._judged(value)

    def _judged(self, value: object) -> Judged[object]:
        validator = Draft202012Validator(self.schema)
        found = [
            Diagnostic(
                "SCHEMA",
                Severity.ERROR,
                error.message,
                pointer="".join(f"/{step}" for step in error.absolute_path),
            )
            for error in validator.iter_errors(value)
        ]
        if not found:
            found = [d for check in self.checks for d in check(value)]
        report = Report(tuple(found))
        kind: AnswerKind = "accepted" if report.is_valid else "faulty"
        return Judged(kind, value, json.dumps(value, ensure_ascii=False), report)

    def view(self, judged: Judged[object]) -> str:
        """The value itself; empty when nothing parsed."""
        return json.dumps(judged.value, indent=1, ensure_ascii=False) if judged.text else ""

    def amend(self, judged: Judged[object], patch: str) -> Judged[object]:
        """Apply the patch and judge the outcome."""
        made = patched(judged.value, patch)
        if isinstance(made, Diagnostic):
            return with_finding(judged, made)
        return self._judged(made)

    def explain(self, judged: Judged[object]) -> str:
        """The findings as lines."""
        return explained(judged.report)
