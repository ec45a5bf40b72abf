"""What happens during a run: for progress lines, logs, metrics, and for streams.

A hook and a stream get the same events. `attempt` is the number of a call of the loop, from 1.
"""

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
    """A request is about to be answered; what came of earlier attempts is not the answer.

    Attributes:
        route: who is asked; another one than before where the run escalates.
        purpose: ``generate``, ``patch`` (the answer is a JSON Patch), ``rewrite``, ``fresh`` or
            ``escalate``.
        reason: why, in a few words; empty for the first attempt.
    """

    attempt: int
    route: str
    purpose: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer, as it comes; streams only."""

    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class Partial:
    """What can be read of an answer so far; streams only.

    Attributes:
        value: the value as far as it is there; strings that are still open are left out.
        complete_paths: RFC 6901 pointers of the parts that are closed; of a GMN block text the
            names of the nodes.
        findings: what is wrong with the parts that were closed since the last event.
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
    """An answer was held to its contract; `evaluation.report` has findings and repairs."""

    attempt: int
    evaluation: Evaluation[Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """A request got no answer; `error` is the name of the exception, `message` its words."""

    attempt: int
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The end of a stream, and the only authority; a hook does not get it."""

    result: Generation[T]


Event = Asked | Delta | Partial | Answered | Evaluated | Failed | Done[Any]
#: Called with every event, on the event loop; it must return quickly and must not raise.
Hook = Callable[[Event], None]
