"""How a conversation becomes messages, and an answer what its persona would say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.agents.errors import NotFoundError
from orchestrator.parsing.spelling import nearest
from orchestrator.routing.prices import prompt_tokens
from orchestrator.types.messages import LLMMessage, LLMRole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.agents.interaction import PastTurn
    from orchestrator.agents.persona import PersonaConfig

# Code is matched first and stays as it is, and underscores belong to names: only headings and
# emphasis by asterisks go. Bounded, so that a hostile answer costs no more than its length.
_MARKS = re.compile(
    r"(?P<code>^ {0,3}(?P<fence>```|~~~)(?:.*?^ {0,3}(?P=fence)[^\n]*$|.*)"
    r"|(?P<tick>`+)(?!`)[^\n]{0,500}?(?<!`)(?P=tick)(?!`))"
    r"|^ {0,3}(?:\#{1,6}[ \t]+)+"
    r"|(?<![A-Za-z0-9_*\\])(?P<stars>\*+)(?=[^\s*])(?P<words>[^\n]{1,500}?)(?<=[^\s*])(?P=stars)"
    r"(?![A-Za-z0-9_*])",
    re.M | re.S,
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The messages of a question.

    Attributes:
        shown: numbers of the earlier turns among them.
        left_out: numbers of those that did not fit.
    """

    messages: tuple[LLMMessage, ...]
    shown: tuple[int, ...]
    left_out: tuple[int, ...]


class ConversationFormatter:
    """The usual one; subclass it, register the subclass, and name it in a persona."""

    def create_system_message(self, persona: PersonaConfig) -> str:
        """The system message: the persona's template, filled in. No word of a user is in it."""
        return persona.system_message

    def prepare(
        self, persona: PersonaConfig, turns: Sequence[PastTurn], message: str, *, block: str = ""
    ) -> Prepared:
        """The messages of a question: system, the newest turns that fit, what is remembered, and
        the message.

        Turns are kept or left out whole, the newest first, within the persona's
        ``limits.history_tokens``, of which `block`, quoted data such as a summary, has its share.
        """
        left = persona.limits.history_tokens - (_tokens(block) if block else 0)
        kept: list[PastTurn] = []
        for turn in reversed(turns):
            left -= _tokens(turn.message, turn.answer)
            if left < 0:
                break
            kept.insert(0, turn)
        messages = [LLMMessage(LLMRole.SYSTEM, self.create_system_message(persona))]
        for turn in kept:
            messages.append(LLMMessage(LLMRole.USER, turn.message))
            messages.append(LLMMessage(LLMRole.ASSISTANT, turn.answer))
        text = f"{block}\n\n{message}" if block else message
        messages.append(LLMMessage(LLMRole.USER, text))
        shown = tuple(turn.number for turn in kept)
        left_out = tuple(turn.number for turn in turns[: len(turns) - len(kept)])
        return Prepared(tuple(messages), shown, left_out)

    def format_answer(self, persona: PersonaConfig, text: str) -> str:
        """An answer in the persona's style; memory keeps it as the model wrote it."""
        style = persona.style
        while style.markdown == "plain":
            plain = _MARKS.sub(lambda found: found["code"] or found["words"] or "", text)
            if plain == text:
                break
            text = plain  # emphasis in emphasis
        return f"{style.opening}{text}{style.closing}"


def _tokens(*texts: str) -> int:
    return prompt_tokens({"messages": [{"role": "user", "content": text} for text in texts]})


_registered: dict[str, ConversationFormatter] = {"default": ConversationFormatter()}


def register_formatter(name: str, formatter: ConversationFormatter) -> None:
    """Make a formatter one that personas may name; an earlier one of the name is replaced."""
    _registered[name] = formatter


def formatter_of(persona: PersonaConfig) -> ConversationFormatter:
    """The formatter that a persona names.

    Raises: NotFoundError: none is registered under its name.
    """
    if (found := _registered.get(persona.formatter)) is None:
        near = nearest(persona.formatter, list(_registered))
        hint = f"did you mean {near!r}?" if near else f"known: {', '.join(_registered)}"
        raise NotFoundError(f"persona {persona.id!r}: no formatter {persona.formatter!r}; {hint}")
    return found
