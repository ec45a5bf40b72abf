"""Chat messages, and their way to and from the dicts that OpenAI-shaped APIs speak."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class LLMRole(StrEnum):
    """Who speaks. Untrusted text never enters `SYSTEM`."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class LLMMessage:
    """One turn of a conversation, as plain text."""

    role: LLMRole
    content: str

    def as_dict(self) -> dict[str, str]:
        """The ``{"role": …, "content": …}`` form that every chat API takes."""
        return {"role": str(self.role), "content": self.content}

    @classmethod
    def from_dict(cls, turn: Mapping[str, object]) -> LLMMessage:
        """Read the ``{"role": …, "content": …}`` form.

        Raises:
            ValueError: the role is not one of `LLMRole`, or the content is not text.
        """
        role, content = turn.get("role"), turn.get("content")
        roles = [str(known) for known in LLMRole]
        if role not in roles:
            raise ValueError(f"{role!r} is not a role; use one of {', '.join(roles)}")
        if not isinstance(content, str):
            raise ValueError(f"content of the {role} message is {content!r}, expected text")  # noqa: TRY004  a value of the dict, not an argument's type
        return cls(LLMRole(str(role)), content)


def as_messages(turns: Iterable[LLMMessage | Mapping[str, object]]) -> tuple[LLMMessage, ...]:
    """Accept messages in either form.

    Raises:
        ValueError: a dict has no known role or no text.
    """
    return tuple(
        turn if isinstance(turn, LLMMessage) else LLMMessage.from_dict(turn) for turn in turns
    )
