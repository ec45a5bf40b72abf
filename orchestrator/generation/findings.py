"""What was found in an answer, as evaluations and findings; rules in the caller's own code."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.generation.answer_schema import shortened_words
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.types.diagnostics import Diagnostic, Report, Severity
from orchestrator.types.errors import CheckError
from orchestrator.types.requests import Evaluation
from orchestrator.types.work import Stopped, elsewhere

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as SchemaFault

T = TypeVar("T")

#: A rule of the caller's own: the typed value in, findings or sentences out; None for none.
ValueCheck = Callable[[Any], Iterable[Diagnostic | str] | Diagnostic | str | None]


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
    with own_code(name_of(check)):
        said: Any = check(value)
        parts = [said] if isinstance(said, str | Diagnostic) else [] if said is None else list(said)
        if not all(isinstance(part, str | Diagnostic) for part in parts):
            raise TypeError(f"{said!r} is neither a sentence nor a list of them")
        return [p if isinstance(p, Diagnostic) else fault("CHECK", p, "") for p in parts]


@contextlib.contextmanager
def own_code(name: str) -> Iterator[None]:
    """The caller's own code runs inside, which may also leave, as ``sys.exit`` does.

    An exit would end the thread of the event loop, on which every other call depends. Only what
    ends this work from outside passes: a request that is over, Ctrl-C in the main thread.

    Raises: CheckError: it raised anything else.
    """
    try:
        with elsewhere():
            yield
    except BaseException as error:
        if is_from_outside(error):
            raise
        words = f"the check {name!r} raised {type(error).__name__}: {_words_of(error)}"
        raise CheckError(f"{words}; a check returns sentences or None", check=name) from error


def is_known(contract: object) -> bool:
    """Whether a contract is one of this package, rather than the caller's own code."""
    return type(contract).__module__.partition(".")[0] == __package__.partition(".")[0]


def is_from_outside(error: BaseException) -> bool:
    """Whether it says that the work is to end, rather than what the caller's own code ran into."""
    is_main = threading.current_thread() is threading.main_thread()
    return isinstance(error, Stopped) or (isinstance(error, KeyboardInterrupt) and is_main)


def _words_of(error: BaseException) -> str:
    try:
        return shortened_words(str(error))
    except Exception:  # noqa: BLE001  the words are the caller's own code too
        return "(an error without words)"


def name_of(check: Callable[..., object]) -> str:
    """What a check is called: its own name, that of its class, or of what a partial calls."""
    if isinstance(check, functools.partial):
        return name_of(check.func)
    return str(getattr(check, "__name__", type(check).__name__))


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
