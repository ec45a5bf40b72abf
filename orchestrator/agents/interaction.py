"""What an agent is asked, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PastTurn:
    """What a question may show of a turn that has been answered."""

    number: int
    message: str
    answer: str


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of `LLMAgent.interact`; with `is_streamed` the answer comes in parts."""

    message: str
    user_id: str = "anonymous"
    persona_id: str | None = None
    session_id: str | None = None
    model: str | None = None
    tenant: str = ""
    key: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    context: str = ""
    is_streamed: bool = False


@dataclass(frozen=True, slots=True)
class Interaction:
    """A turn that was answered.

    Attributes:
        text: the answer in the persona's style.
        interaction_id: the id of its turn; `session_id` that of its conversation.
        number: the turn's place in the conversation, from 1.
        usage: prompt_tokens, completion_tokens, cached_tokens.
        cost_usd: dollars billed; None when the price is not known.
        response_time_ms: wall time of this call.
        is_repeated: whether the turn was answered before, under the same key.
        notes: what was left out or could not be remembered, a line each.
    """

    text: str
    interaction_id: str
    session_id: str
    number: int
    persona: str
    model: str
    provider: str
    usage: Mapping[str, int]
    cost_usd: float | None
    response_time_ms: float
    is_repeated: bool = False
    notes: tuple[str, ...] = ()
