"""From a row to the arguments of an operation, and from its result to the row that is written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.cache.keys import digest
from orchestrator.client.batch.paid import given_again, paid_answers, put_in_front
from orchestrator.client.batch.rows import Row, read_json
from orchestrator.parsing.spelling import nearest
from orchestrator.types.bill import Taken
from orchestrator.types.diagnostics import Report
from orchestrator.types.errors import (
    BudgetExceededError,
    CacheMissError,
    ConfigError,
    GMNError,
    LLMError,
)
from orchestrator.types.requests import Answer, Generation, Usage

if TYPE_CHECKING:
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.types.bill import Bill

OperationName = Literal["generate", "validate", "refine", "structured", "ask"]

#: Errors that are not the row's fault: what was answered before them is not asked again.
OUTAGES = frozenset({
    "AuthenticationError", "NoDeploymentError", "ServiceUnavailableError", "RateLimitError",
    "BudgetExceededError",
})  # fmt: skip
#: Fields whose value in CSV is JSON; of all others it is the text itself.
_JSON_FIELDS = frozenset({
    "constraints", "expectations", "examples", "messages", "seed", "samples", "refine",
    "infer_expectations", "temperature", "max_tokens",
})  # fmt: skip
#: Fields that are whole numbers; pandas writes them as 3.0 where others of the column are missing.
_WHOLE_FIELDS = ("seed", "samples", "refine", "max_tokens")
_MOST_WHOLE = 2.0**53  # beyond it a float is not known to be the number that was written
_MOST_SHOWN = 20  # names of columns in an error
_COUNTS = tuple(one.name for one in dataclasses.fields(Usage))
_ROUTING = ("model", "provider", "search")
_SAMPLING = ("messages", "temperature", "max_tokens", *_ROUTING)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a row asks for.

    Attributes:
        method: the operation of `Orchestrator`.
        main: the field that a row needs, and that a row of one str is; at its place in a call.
        then: further fields that a row needs.
        fields: fields that a row may have beside them.
        instead: a field that a row may have instead of the main one.
    """

    method: str
    main: str
    then: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    instead: str = ""

    @property
    def known(self) -> tuple[str, ...]:
        """Every field of a row."""
        return (self.main, *self.then, *self.fields)


OPERATIONS: Mapping[str, Operation] = {
    "generate": Operation(
        "generate_gmn", "prompt",
        fields=("agent_type", "constraints", "examples", "expectations", "seed", "samples",
                "infer_expectations", *_ROUTING),
    ),
    "validate": Operation(
        "validate_gmn", "document", fields=("constraints", "expectations", "kind")
    ),
    "refine": Operation(
        "refine_gmn", "document", ("feedback",),
        ("constraints", "expectations", "model", "provider", "kind"),
    ),
    "structured": Operation(
        "generate_structured", "prompt", fields=("samples", "refine", *_SAMPLING),
        instead="messages",
    ),
    "ask": Operation("generate", "prompt", fields=_SAMPLING, instead="messages"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What one or several equal rows ask, JSON-ready: also what a worker elsewhere is given.

    Attributes:
        key: digest of operation and arguments.
        paid: answers that it took before it was broken off, as `paid.paid_answers` makes them.
    """

    key: str
    operation: str
    arguments: Mapping[str, Any]
    paid: str = ""


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a request.

    Attributes:
        status: ``done``, ``failed``, or ``pending``: not asked, or not to its end.
        body: what the row that is written says of it, JSON-ready; ``valid`` first.
        taken: what its calls took.
        error: name of the error; empty where there is none.
        rate_limits: how often it had to wait, or failed, since every deployment refused its rate.
        retry_after_s: seconds the provider asked to wait, None when it did not say.
        paid: the answers of a request that was broken off, for when it is asked again.
    """

    status: Literal["done", "failed", "pending"]
    body: Mapping[str, Any]
    taken: Taken = field(default_factory=Taken)
    error: str = ""
    rate_limits: int = 0
    retry_after_s: float | None = None
    paid: str = ""


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """A row, read and understood, or refused.

    Attributes:
        identity: digest of the whole row; equal rows are counted.
        own: ``id`` and the fields that are carried, as they stand in the row that is written.
        request: None where the row is refused; then `outcome` says why.
    """

    line: int
    identity: str
    own: Mapping[str, Any]
    request: BatchRequest | None
    outcome: BatchOutcome | None = None


def require_columns(place: str, columns: Sequence[str], operation: str) -> None:
    """Refuse a file none of whose rows can be asked.

    Raises: ConfigError: the columns that all its rows share lack a field that the operation needs.
    """
    about = OPERATIONS[operation]
    mains = (about.main, *([about.instead] if about.instead else ()))
    for would_do in (mains, *((name,) for name in about.then)):
        if any(name in columns for name in would_do):
            continue
        near = {one: name for one in columns if (name := nearest(one, would_do))}
        ways = [f"{one!r} to {name!r}" for one, name in near.items()]
        needs = " or ".join(map(repr, would_do))
        found = ", ".join(map(repr, columns[:_MOST_SHOWN])) or "none"
        more = f" and {left} more" if (left := len(columns) - _MOST_SHOWN) > 0 else ""
        raise ConfigError(
            place,
            f"{operation} needs a column {needs}; there are: {found}{more}",
            fix=f"Rename {' or '.join(ways) if ways else 'the one that holds it'}.",
        )


def prepared(row: Row, operation: str, *, shared: Mapping[str, Any], carry: bool) -> PreparedRow:
    """The request of a row.

    `shared` are arguments of every row; a row's own outrank them. With `carry` fields that the
    operation does not know are copied into the row that is written; else they refuse the row.
    """
    about = OPERATIONS[operation]
    given = dict(row.data) if isinstance(row.data, Mapping) else row.data
    data = {about.main: given} if isinstance(given, str) else given
    try:
        json.dumps(data, allow_nan=False, default=repr)  # what has a digest and no JSON: NaN
        identity = digest([given, row.fault])[:32]
        own, arguments = _divided(row, data, about, carry=carry)
        arguments = {**shared, **arguments}
        request = BatchRequest(digest([operation, arguments])[:32], operation, arguments)
    except _Refused as refused:
        return PreparedRow(row.line, identity, refused.own, None, _refused(str(refused)))
    except (TypeError, ValueError, RecursionError) as error:
        identity = digest(_shown(data) or f"line {row.line}")[:32]
        return PreparedRow(row.line, identity, {}, None, _refused(f"the row is not JSON: {error}"))
    return PreparedRow(row.line, identity, own, request)


def _shown(data: object) -> str:
    try:
        return repr(data)
    except (ValueError, RecursionError):  # a number too long to print, or a value too deep
        return ""


class _Refused(Exception):
    own: Mapping[str, Any] = {}


def _divided(
    row: Row, data: Any, about: Operation, *, carry: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is the row's own, and the arguments.

    Raises: _Refused: the row cannot be asked.
    """
    if row.fault:
        raise _Refused(row.fault)
    if not isinstance(data, Mapping):
        raise _Refused(f"the row is a {type(data).__name__}, expected a mapping or a str")
    stated = {name: value for name, value in data.items() if value is not None}
    own = {"id": stated.pop("id")} if "id" in stated else {}
    if carry and (unknown := [name for name in stated if name not in about.known]):
        own["carried"] = {name: stated.pop(name) for name in unknown}
    try:
        stated = _checked(stated, about)
        if row.is_text:
            stated = {name: _from_text(name, value) for name, value in stated.items()}
        return own, {name: _as_meant(name, value) for name, value in stated.items()}
    except _Refused as refused:
        refused.own = own
        raise


def _as_meant(name: str, value: Any) -> Any:
    """A whole number as an int where the field is one; constraints without those not stated."""
    if name == "constraints" and isinstance(value, Mapping):  # columns of Parquet have them all
        return {one: _whole(one, most) for one, most in value.items() if most is not None}
    return _whole(name, value) if name in _WHOLE_FIELDS else value


def _whole(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if value.is_integer() and abs(value) < _MOST_WHOLE:
        return int(value)
    raise _Refused(f"the field {name!r} is {value!r}, expected a whole number")


def _checked(stated: dict[str, Any], about: Operation) -> dict[str, Any]:
    """Raises: _Refused: a field is unknown or missing."""
    if unknown := next((name for name in stated if name not in about.known), None):
        raise _Refused(_unknown(unknown, about))
    has_main, has_instead = about.main in stated, bool(about.instead) and about.instead in stated
    if has_main and has_instead:
        raise _Refused(f"the row has both {about.main!r} and {about.instead!r}; state one")
    needed = about.then if has_main or has_instead else (about.main, *about.then)
    if missing := next((name for name in needed if name not in stated), None):
        raise _Refused(f"the field {missing!r} is missing")
    return stated


def _unknown(name: str, about: Operation) -> str:
    near = nearest(str(name), about.known)
    hint = f"did you mean {near!r}?" if near else f"known: id, {', '.join(about.known)}."
    return f"the field {name!r} is not known; {hint} With --carry unknown fields are copied"


def _from_text(name: str, value: str) -> Any:
    if name not in _JSON_FIELDS:
        return value
    try:
        return read_json(value)
    except (ValueError, RecursionError) as error:
        if name == "expectations":  # one of them, in words
            return [value]
        raise _Refused(f"the field {name!r} is not JSON: {error}") from None


def _refused(words: str) -> BatchOutcome:
    said = {"kind": "RowError", "message": words}
    return BatchOutcome("failed", {"valid": False, "error": said}, error="RowError")


async def ask(
    orchestrator: Orchestrator, request: BatchRequest, beside: Mapping[str, Any], bill: Bill
) -> BatchOutcome:
    """Carry out a request; `beside` are arguments that do not shape the answer, and the contract.

    What fails is an outcome too, with the best answer and every answer that was paid for.
    """
    if request.paid:
        put_in_front(orchestrator)
        bill.first = given_again(request.paid, bill.first)
    about = OPERATIONS[request.operation]
    arguments = {**beside, **request.arguments}
    if request.operation == "structured":
        beside_main = (arguments.pop("contract"),)
    else:
        beside_main = tuple(arguments.pop(name) for name in about.then)
    main = arguments.pop(about.main) if about.main in arguments else arguments.pop(about.instead)
    try:
        made = await getattr(orchestrator, about.method)(main, *beside_main, **arguments)
    except (LLMError, GMNError, ConfigError, CacheMissError, ValueError, TypeError) as error:
        return _failed(error, bill)
    return BatchOutcome("done", _body(made, bill), bill.taken, rate_limits=bill.rate_limits)


def _body(made: Any, bill: Bill) -> dict[str, Any]:
    if isinstance(made, Report):
        return {"valid": made.is_valid, "report": made.as_dict()}
    if isinstance(made, Answer):
        is_said = bool(made.text.strip())  # a refusal, or nothing, is not an answer
        body: dict[str, Any] = {"valid": is_said, "text": made.text, "finish": made.finish}
        if made.refusal:
            body["refusal"] = made.refusal
        usage, cached = made.usage, made.cached
    else:
        assert isinstance(made, Generation)
        whole = made.as_dict()
        body = {"valid": made.report.is_accepted, "text": made.text, "report": whole["report"]}
        if not hasattr(made.spec, "to_json"):  # a document says all in its text
            body["value"] = whole["spec"]
        usage, cached = made.usage, made.cached
    body |= {
        "provider": made.provider, "model": made.model, "cached": cached,
        "usage": {name: getattr(usage, name) for name in _COUNTS},
    }  # fmt: skip
    if made.citations:
        body["citations"] = [dataclasses.asdict(one) for one in made.citations]
    return body | _bill(bill)


def _bill(bill: Bill) -> dict[str, Any]:
    return {"calls": bill.taken.calls, "cost_usd": bill.taken.usd}


def _failed(error: Exception, bill: Bill) -> BatchOutcome:
    is_over = isinstance(error, BudgetExceededError) and getattr(bill.budget, "is_spent", False)
    said: dict[str, Any] = {"kind": type(error).__name__, "message": str(error)}
    if (report := getattr(error, "report", None)) is not None:
        said["report"] = report.as_dict()
    if attempts := getattr(error, "attempts", ()):
        best = getattr(error, "best", None)
        said["answers"] = [
            {
                "purpose": one.purpose,
                "reason": one.reason,
                "kind": one.evaluation.kind,
                "model": one.answer.model,
                "findings": [d.as_dict() for d in one.evaluation.report.diagnostics],
                "text": one.answer.said,
            }
            for one in attempts
        ]
        said["best"] = next((n for n, one in enumerate(attempts) if one is best), None)
        said["run"] = getattr(error, "run_id", "") or None
    return BatchOutcome(
        "pending" if is_over else "failed",
        {"valid": False, "error": said, **_bill(bill)},
        bill.taken,
        error=type(error).__name__,
        rate_limits=bill.rate_limits + (type(error).__name__ == "RateLimitError"),
        retry_after_s=getattr(error, "retry_after_s", None),
        paid=paid_answers(attempts) if type(error).__name__ in OUTAGES else "",
    )
