"""`PersonaConfig`: who answers, in which words, by which route and within which limits."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: What a system template may name, in braces.
PLACES = ("name", "traits", "tone", "length")
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_DEFAULT_SYSTEM = """You are {name}.
{traits}
{tone}
{length}"""

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Words = Annotated[str, Field(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Style(_Part):
    """How answers sound, and how they look.

    Attributes:
        tone: words for the system message, such as "warm and curious".
        length: how long answers should be; asked for in the system message.
        markdown: ``plain`` takes marks of headings and of emphasis by asterisks out.
        opening, closing: put before and after every answer.
    """

    tone: str = Field(default="", max_length=500)
    length: Literal["", "short", "medium", "long"] = ""
    markdown: Literal["keep", "plain"] = "keep"
    opening: str = Field(default="", max_length=200)
    closing: str = Field(default="", max_length=200)


class PersonaLimits(_Part):
    """Bounds of one turn.

    Attributes:
        max_tokens: length limit of an answer, in tokens.
        history_tokens: most tokens of earlier turns and of their summary in a question.
        message_characters: longest message that is taken.
    """

    max_tokens: int = Field(default=1024, ge=16, le=131_072)
    history_tokens: int = Field(default=4000, ge=0, le=1_000_000)
    message_characters: int = Field(default=32_768, ge=1, le=1_000_000)


class PersonaConfig(_Part):
    """Who answers.

    Attributes:
        id: how requests name it.
        traits: what it is like, a few words each.
        system: template of the system message; ``{name}``, ``{traits}``, ``{tone}`` and
            ``{length}`` are filled in, doubled braces are braces.
        route: model group, or a route's name, that answers where a request names none.
        temperature: None: the route's default holds.
        formatter: name of a registered `ConversationFormatter`.
    """

    id: Id
    name: str = Field(min_length=1, max_length=80)
    traits: tuple[Words, ...] = Field(default=(), max_length=20)
    style: Style = Style()
    system: str = Field(default=_DEFAULT_SYSTEM, min_length=1, max_length=8000)
    route: str = Field(default="default", min_length=1, max_length=200)
    temperature: float | None = Field(default=None, ge=0, le=2)
    limits: PersonaLimits = PersonaLimits()
    formatter: str = Field(default="default", min_length=1, max_length=80)

    @field_validator("name", "system")
    @classmethod
    def _is_not_blank(cls, given: str) -> str:
        if not given.strip():
            raise ValueError("is blank")
        return given

    @field_validator("system")
    @classmethod
    def _names_known_places(cls, given: str) -> str:
        for found in _PLACE.finditer(given):
            if (name := found[1]) is not None and name not in PLACES:
                known = ", ".join(f"{{{place}}}" for place in PLACES)
                raise ValueError(f"{{{name}}} is not filled in; use {known}, or double the braces")
        return given

    @property
    def system_message(self) -> str:
        """The template, filled in once; lines that this leaves empty go."""
        lengths = {
            "": "",
            "short": "Answer in one to three sentences.",
            "medium": "Answer in a short paragraph or two.",
            "long": "Answer at length, with the details that matter.",
        }
        filled = {
            "name": self.name,
            "traits": f"You are {', '.join(self.traits)}." if self.traits else "",
            "tone": f"Your tone is {self.style.tone}." if self.style.tone else "",
            "length": lengths[self.style.length],
        }

        def fill(found: re.Match[str]) -> str:
            return found[0][0] if found[1] is None else filled[found[1]]

        lines = [(line, _PLACE.sub(fill, line)) for line in self.system.split("\n")]
        return "\n".join(text for line, text in lines if text.strip() or not line.strip()).strip()
