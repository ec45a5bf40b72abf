"""What just happened, for whoever wants to watch: progress lines, logs, metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.result import Answer, AnswerKind


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
class JudgedAnswer:
    """An answer was judged."""

    round: int
    kind: AnswerKind
    errors: int
    repairs: int
    runs: bool | None
    behaves: bool | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A request got no answer; `error` is the name of the exception, `message` its words."""

    round: int
    error: str
    message: str


Event = Asked | Answered | JudgedAnswer | Failed
#: Called with every event, on the event loop; it must return quickly and must not raise.
Hook = Callable[[Event], None]
