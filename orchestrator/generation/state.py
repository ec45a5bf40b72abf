"""What the loop knows of a run, what it may do next, and who puts its questions into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from orchestrator.types.messages import LLMMessage

if TYPE_CHECKING:
    from orchestrator.generation.staged.course import Course
    from orchestrator.generation.staged.staging import Staging
    from orchestrator.types.requests import (
        Answer,
        Attempt,
        Contract,
        Evaluation,
        OutputMode,
        Request,
    )

T = TypeVar("T")

#: Messages of a follow-up question, and the version of each template they were made from.
Turns = tuple[tuple[LLMMessage, ...], Mapping[str, str]]


class FollowUpPrompts(Protocol):
    """Puts the loop's follow-up questions into words."""

    def patch(self, first: Request, view: str, findings: str) -> Turns:
        """Messages that ask for a JSON Patch of `view`, and the templates they were made from."""

    def patch_again(self, asked: Request, answer: str, findings: str) -> Turns:
        """The question for a patch again, with the answer and why it could not be applied."""

    def rewrite(self, first: Request, answer: str, findings: str) -> Turns:
        """The first question again with the last answer and what is wrong with it."""

    def reworded(
        self, first: Request, *, mode: OutputMode, brevity: int
    ) -> tuple[LLMMessage, ...] | None:
        """The first question for another mode, or shorter (`brevity` 1, 2); None: it cannot be."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a run may take.

    Attributes:
        max_calls: calls of the loop; each may take several attempts on the wire.
        deadline_s: seconds for everything together.
        strong_route: where to go when the first route does not get there; empty for nowhere.
        window: tokens that the first route reads and writes together; 0 where that is not known.
    """

    max_calls: int = 4
    deadline_s: float = 120.0
    strong_route: str = ""
    window: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """Put this question next."""

    request: Request
    purpose: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    """The last attempt is the result."""

    attempt: Attempt[T]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further call can or may help."""

    reason: str


@dataclass(frozen=True, slots=True)
class State(Generic[T]):
    """A run so far.

    Attributes:
        first: the question as it was asked first.
        asked: the question that is being answered.
        base: the document that is to be changed, None for a run that makes one.
        best: the evaluation that lacks least, then has the fewest errors; None before any parsed.
        failed_patches: patches that did not apply or changed nothing.
        is_fresh: whether a fresh sample was taken.
        more_room: how often a cut-off answer was given more room.
        unjudged: the answer that is being judged.
        brevity: how much shorter the first question has become, for a full context window.
        staging: how the run may go on in staged mode; None: it may not.
        course: how far staged mode has come; None before it has begun.
    """

    first: Request
    contract: Contract[T]
    follow_ups: FollowUpPrompts
    bounds: Bounds
    asked: Ask
    attempts: tuple[Attempt[T], ...] = ()
    base_document: Evaluation[T] | None = None
    best: Evaluation[T] | None = None
    failed_patches: int = 0
    is_fresh: bool = False
    more_room: int = 0
    brevity: int = 0
    unjudged: Answer | None = None
    staging: Staging | None = None
    course: Course[T] | None = None

    @property
    def target(self) -> Evaluation[T] | None:
        """What a patch is applied to."""
        return self.best if self.best is not None else self.base_document


Decision = Finished[T] | Ask | GiveUp
