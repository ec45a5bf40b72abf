"""What just happened, for whoever wants to watch: progress lines, logs, metrics."""

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
    """A request is about to be answered.

    Attributes:
        round: number of the call, from 1.
        purpose: ``generate``, ``patch``, ``rewrite``, ``fresh`` or ``escalate``.
        reason: why, in a few words; empty for the first round.
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
    """An answer was judged."""

    round: int
    kind: str
    errors: int
    repairs: int
    runs: bool | None
    behaves: bool | None
    evaluation: Evaluation[Any] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A request got no answer; `error` is the name of the exception, `message` its words."""

    round: int
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Started:
    """A stream begins; `route` is asked first."""

    route: str


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer to call `attempt`, as it comes."""

    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class Partial:
    """What can be read of an answer so far.

    Attributes:
        value: the value as far as it is there; strings that are still open are left out.
        complete_paths: RFC 6901 pointers of the parts that are closed; of a GMN block text the
            names of the nodes.
    """

    attempt: int
    value: object
    complete_paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong: with a closed part while the rest still comes, or with the whole."""

    attempt: int
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class Repaired:
    """Something was mended locally."""

    attempt: int
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class Restart:
    """Another call begins, and what came until now is not the answer.

    Attributes:
        purpose: ``patch`` (the next deltas are a JSON Patch), ``rewrite``, ``fresh``, ``escalate``.
    """

    attempt: int
    purpose: str
    reason: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """The stronger route is asked from here on."""

    attempt: int
    route: str
    reason: str


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The end, and the only authority: what came before was on its way."""

    result: Generation[T]


StreamEvent = Started | Delta | Partial | Finding | Repaired | Restart | Escalated | Done[Any]
Event = Asked | Answered | Evaluated | Failed
#: Called with every event, on the event loop; it must return quickly and must not raise.
Hook = Callable[[Event], None]
