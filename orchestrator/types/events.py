"""Events of a generation, for progress lines, logs, metrics and streams.

A hook and a stream get the same events. `attempt` is the number of the call in the loop, from 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from orchestrator.types.diagnostics import Diagnostic
    from orchestrator.types.requests import Answer, Evaluation, Generation
    from orchestrator.types.searching import SearchStatus

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request is about to be sent; discard the deltas of earlier attempts.

    Attributes:
        route: the route called; it changes when the loop escalates.
        purpose: ``generate``, ``patch`` (the answer is a JSON Patch), ``rewrite``, ``fresh``,
            ``escalate`` or ``staged`` (the answer makes choices of one closed question).
        reason: why this call is made; empty for the first attempt.
    """

    attempt: int
    route: str
    purpose: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of text of an answer; streams only."""

    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class Partial:
    """What can be parsed of an answer so far; streams only.

    Attributes:
        value: the value without strings that are not closed yet.
        complete_paths: RFC 6901 pointers of the closed parts; for GMN block text the names of
            the closed nodes.
        findings: diagnostics of the parts closed since the last event.
    """

    attempt: int
    value: object
    complete_paths: tuple[str, ...]
    findings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer came, from a provider or from the cache (`answer.cached`)."""

    attempt: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The contract evaluated an answer; `evaluation.report` has findings and repairs."""

    attempt: int
    evaluation: Evaluation[Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """A request failed; `error` is the class name of the exception, `message` its text."""

    attempt: int
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Searched:
    """A search for the request began (`status` is ``started``), or ended with a status.

    Attributes:
        query: what engines are asked.
        engine: the one that answered; empty where none did.
        sources: how many are shown for the request so far.
    """

    query: str
    status: SearchStatus | Literal["started"]
    engine: str = ""
    sources: int = 0


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The last event of a stream, with the final result; a hook does not get it."""

    result: Generation[T]


Event = Asked | Delta | Partial | Answered | Evaluated | Failed | Searched | Done[Any]
#: Called with every event, on the event loop; it must return quickly and must not raise.
Hook = Callable[[Event], None]
