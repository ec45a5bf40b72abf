"""Events of a generation and of a stream, for progress lines, logs and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from orchestrator.types.diagnostics import Diagnostic
    from orchestrator.types.requests import Answer, Evaluation, Generation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request is about to be sent.

    Attributes:
        round: number of the call, from 1.
        purpose: ``generate``, ``patch``, ``rewrite``, ``fresh`` or ``escalate``.
        reason: why this call is made; empty for the first round.
    """

    round: int
    route: str
    purpose: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer came, from a provider or from the cache (`answer.cached`)."""

    round: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The contract evaluated an answer: its kind, number of errors and of repairs."""

    round: int
    kind: str
    errors: int
    repairs: int
    runs: bool | None
    behaves: bool | None
    evaluation: Evaluation[Any] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A request failed; `error` is the class name of the exception, `message` its text."""

    round: int
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Started:
    """A stream begins; its first request goes to `route`."""

    route: str


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of text in the answer to call number `attempt`."""

    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class Partial:
    """What can be parsed of an answer so far.

    Attributes:
        value: the value without strings that are not closed yet.
        complete_paths: RFC 6901 pointers of the closed parts; for GMN block text the names of
            the closed nodes.
    """

    attempt: int
    value: object
    complete_paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic of a closed part while the answer still arrives, or of the whole answer."""

    attempt: int
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class Repaired:
    """A local repair was applied."""

    attempt: int
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class Restart:
    """Another call begins; discard the deltas received so far.

    Attributes:
        purpose: ``patch`` (the next deltas are a JSON Patch), ``rewrite``, ``fresh``, ``escalate``.
    """

    attempt: int
    purpose: str
    reason: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """The following requests go to the stronger route."""

    attempt: int
    route: str
    reason: str


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The last event, with the final result; earlier partial values may differ from it."""

    result: Generation[T]


StreamEvent = Started | Delta | Partial | Finding | Repaired | Restart | Escalated | Done[Any]
Event = Asked | Answered | Evaluated | Failed
#: Called with every event, on the event loop; it must return quickly and must not raise.
Hook = Callable[[Event], None]
