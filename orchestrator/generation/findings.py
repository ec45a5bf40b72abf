"""What was found in an answer, as evaluations and findings; rules in the caller's own code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.generation.answer_schema import shortened_words
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.types.diagnostics import Diagnostic, Report, Severity
from orchestrator.types.errors import CheckError
from orchestrator.types.requests import Evaluation
from orchestrator.types.work import elsewhere

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as SchemaFault

T = TypeVar("T")

#: A rule of the caller's own: the typed value in, findings or sentences out; None for none.
ValueCheck = Callable[[Any], Iterable[Diagnostic | str] | str | None]


def unparsed(words: str) -> Evaluation[Any]:
    """What an answer is worth in which no value can be read."""
    return Evaluation("unparsed", None, "", Report((Diagnostic("JSON", Severity.ERROR, words),)))


def noted(evaluation: Evaluation[T], words: str) -> Evaluation[T]:
    """The same evaluation with one more thing that was overlooked to read it."""
    note = Diagnostic("MEND0", Severity.INFO, f"{words}: read over")
    report = evaluation.report
    return replace(evaluation, report=replace(report, repairs=(note, *report.repairs)))


def said_by(check: ValueCheck, value: object) -> list[Diagnostic]:
    """What a check said, as findings: a sentence is an error of its own.

    Raises: CheckError: the check raised, or answered neither in sentences nor in findings.
    """
    try:
        with elsewhere():
            said = check(value)
        parts = [said] if isinstance(said, str) else [] if said is None else list(said)
        return [p if isinstance(p, Diagnostic) else fault("CHECK", p, "") for p in parts]
    except Exception as error:
        raise check_error(getattr(check, "__name__", repr(check)), error) from error


def check_error(name: str, error: Exception) -> CheckError:
    """The error for what the check `name` raised."""
    words = f"the check {name!r} raised {type(error).__name__}: {error}"
    return CheckError(f"{words}; a check returns sentences or None", check=name)


def of_schema(error: SchemaFault) -> Diagnostic:
    """A fault that a schema finds, as a finding."""
    from jsonschema.exceptions import best_match  # noqa: PLC0415  50 ms, and here there is a fault

    # Of a choice, the branch that was meant says more than that none fits.
    nearest = best_match(error.context) if error.context else None
    shown = nearest or error
    at = pointer_to(*shown.absolute_path)
    missing = ""
    if shown.validator == "required":
        # One error for each key; its name stands in the message alone.
        wanted: Any = shown.validator_value
        missing = at + pointer_to(*[n for n in wanted if shown.message.startswith(repr(n))])
    elif shown.validator in ("minItems", "minProperties") or f"{shown.validator}{at}" == "type":
        missing = f"{at}/-"
    return fault("SCHEMA", shown.message, at, missing)


def of_pydantic(at: str, message: str, kind: str) -> Diagnostic:
    """A fault that pydantic finds at a pointer, as a finding."""
    is_short = kind == "too_short" or (not at and kind.endswith("_type"))
    missing = f"{at}/-" if is_short else at if kind == "missing" else ""
    return fault("SCHEMA", message, at, missing)


def fault(code: str, message: str, pointer: str, missing: str = "") -> Diagnostic:
    """A finding that is an error; `missing` is the pointer of a part that is not there."""
    words = shortened_words(message)
    return Diagnostic(code, Severity.ERROR, words, pointer=pointer, missing=missing)
