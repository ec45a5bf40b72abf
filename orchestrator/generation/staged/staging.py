"""That a run may ask in stages; what asks and reads them is only imported when it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orchestrator.generation.prompts import Rendered
    from orchestrator.types.requests import OutputMode

#: The purpose of an attempt that asked one of the questions.
PURPOSE = "staged"


class StagedPrompts(Protocol):
    """Puts the questions into words."""

    def staged(self, sentence: str, question: str) -> Rendered:
        """Messages that ask one closed question about a sentence."""


@dataclass(frozen=True)
class Staging:
    """That a run may ask in stages, and how.

    Attributes:
        sentence: what the document is to be of.
        mode: the output mode of the questions.
        most_calls: calls of all questions together.
        is_first: whether the run begins so; else it is what follows when whole documents fail.
    """

    sentence: str
    prompts: StagedPrompts
    mode: OutputMode
    most_calls: int
    agent_type: str = "general"
    is_first: bool = False
