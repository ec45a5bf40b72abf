"""What a provider says in a stream and LiteLLM 1.110 drops: a refusal, an error, why it ended."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.routing.finish_reasons import corrected, listed, reasons_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@dataclass(slots=True)
class HeardParts:
    """What was said so far.

    Attributes:
        refusal: the pieces of a refusal that no part holds yet.
        reasons: why the choices ended, by their number, in the provider's words.
        says_end: whether one of Gemini's parts was the last: LiteLLM says ``stop`` of each; None
            of other providers.
        error: the words of an error in place of a part.
    """

    refusal: list[str] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    says_end: bool | None = None
    error: str = ""

    def part(self, said: Any) -> None:
        """Note what a part of a stream, as a class or as JSON, says."""
        found = [_of(_of(one, "delta"), "refusal") for one in listed(said, "choices")[:1]]
        self.refusal += [one for one in found if isinstance(one, str)]
        self.reasons |= reasons_in(said)
        if isinstance(said, dict) and ("candidates" in said or "promptFeedback" in said):
            is_blocked = bool((said.get("promptFeedback") or {}).get("blockReason"))
            ends = any(one.get("finishReason") for one in said.get("candidates") or ())
            self.says_end = bool(self.says_end or ends or is_blocked)
        error = _of(said, "error") or (_of(said, "object") == "error" and said)
        if error and not self.error:
            self.error = str(_of(error, "message") or error)

    def show(self, part: Any) -> str:
        """Put what was heard into a part of LiteLLM's that has a choice, once; gives why its
        provider could not finish, empty where it did."""
        choices = getattr(part, "choices", None) or ()
        if self.refusal and choices:
            choices[0].delta.refusal = "".join(self.refusal)
            self.refusal.clear()
        return corrected(choices, self.reasons) or self.error


class HeardStream:
    """A provider's stream that is heard, as LiteLLM reads it."""

    def __init__(self, inner: Any, heard: HeardParts) -> None:
        self._inner, self._heard = inner, heard
        self._parts: AsyncIterator[Any] = aiter(inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # `close` or `aclose`, whichever it has

    def __aiter__(self) -> HeardStream:
        return self

    async def __anext__(self) -> Any:
        part = await anext(self._parts)
        self._heard.part(part)
        return part


def heard_source(source: Any, heard: HeardParts) -> Any:
    """The source of a stream of LiteLLM's, heard before LiteLLM reads it."""
    if (parse := getattr(source, "chunk_parser", None)) is not None:
        source.chunk_parser = functools.partial(_parsed, heard, parse)
    elif hasattr(source, "__aiter__"):
        return HeardStream(source, heard)
    return source


def _parsed(heard: HeardParts, parse: Callable[..., Any], chunk: Any) -> Any:
    heard.part(chunk)
    return parse(chunk)


def _of(whole: Any, name: str) -> Any:
    return whole.get(name) if isinstance(whole, dict) else getattr(whole, name, None)
