"""Chat messages, to and from the dicts of OpenAI-shaped APIs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class LLMRole(StrEnum):
    """The author of a message. Untrusted text never gets the role `SYSTEM`."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class LLMMessage:
    """One message of a conversation: plain text, or parts such as text and pictures."""

    role: LLMRole
    content: str | tuple[Mapping[str, object], ...]

    def as_dict(self) -> dict[str, Any]:
        """The ``{"role": …, "content": …}`` form that every chat API takes."""
        content = self.content if isinstance(self.content, str) else list(self.content)
        return {"role": str(self.role), "content": content}

    @property
    def text(self) -> str:
        """The text of the message; text parts are joined with newlines."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part["text"]) for part in self.content if "text" in part)

    @property
    def pictures(self) -> tuple[Mapping[str, object], ...]:
        """The parts that are not text."""
        parts = () if isinstance(self.content, str) else self.content
        return tuple(part for part in parts if "text" not in part)

    def with_parts(self, parts: Sequence[Mapping[str, object]]) -> LLMMessage:
        """The same message with `parts` after its text."""
        return LLMMessage(self.role, ({"type": "text", "text": self.text}, *parts))

    @classmethod
    def from_dict(cls, turn: Mapping[str, object]) -> LLMMessage:
        """Read the ``{"role": …, "content": …}`` form.

        Raises:
            ValueError: the role is not one of `LLMRole`, or the content is neither text nor a
                list of parts.
        """
        role, content = turn.get("role"), turn.get("content")
        roles = [str(known) for known in LLMRole]
        if role not in roles:
            raise ValueError(f"{role!r} is not a role; use one of {', '.join(roles)}")
        if isinstance(content, list | tuple) and all(isinstance(p, Mapping) for p in content):
            return cls(LLMRole(str(role)), tuple(content))
        if not isinstance(content, str):
            raise ValueError(f"content of the {role} message is {content!r}, expected text")  # noqa: TRY004  a value of the dict, not an argument's type
        return cls(LLMRole(str(role)), content)


#: A conversation, oldest turn first; a str is one message of the user.
Messages = Sequence[LLMMessage | Mapping[str, object]] | str


def as_messages(turns: Iterable[LLMMessage | Mapping[str, object]] | str) -> tuple[LLMMessage, ...]:
    """The messages as `LLMMessage`, from either form; a str is one message of the user.

    Raises:
        ValueError: a dict has no known role or no text, or a text holds what no provider can be
            sent.
    """
    if isinstance(turns, str):
        turns = (LLMMessage(LLMRole.USER, turns),)
    made = tuple(
        turn if isinstance(turn, LLMMessage) else LLMMessage.from_dict(turn) for turn in turns
    )
    for turn in made:
        check_characters(f"the {turn.role} message", turn.text)
    return made


def check_characters(name: str, text: str) -> None:
    """Raises: ValueError: the text of this name holds what UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # Bytes of the command line that are not UTF-8 arrive like this.
        words = f"{name} holds {text[error.start]!a} at {error.start}, which is not a character"
        raise ValueError(f"{words}; write it in UTF-8") from None
