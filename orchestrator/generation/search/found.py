"""What a search gave for one request; none of what searches is needed to say that nothing did."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.searching import NOT_SEARCHED, SearchReport


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave for one request.

    Attributes:
        shown: a message of the user for the model that answers; empty where nothing is shown.
        cost_usd: dollars billed for it, of searches and of reading; None where one is not known.
    """

    report: SearchReport = NOT_SEARCHED
    shown: str = ""
    cost_usd: float | None = 0.0

    def beside(self, messages: tuple[LLMMessage, ...]) -> tuple[LLMMessage, ...]:
        """The messages, with what was found before the last one of the user."""
        if not self.shown:
            return messages
        places = [n for n, turn in enumerate(messages) if turn.role is LLMRole.USER]
        at = places[-1] if places else len(messages)
        return (*messages[:at], LLMMessage(LLMRole.USER, self.shown), *messages[at:])
