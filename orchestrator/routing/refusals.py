"""What a model says in ``refusal`` while it streams: LiteLLM 1.110 drops the parts that hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class HeardStream:
    """A provider's stream whose refusal is kept, as LiteLLM reads it."""

    def __init__(self, inner: Any, refusal: list[str]) -> None:
        self._inner, self._refusal = inner, refusal
        self._parts: AsyncIterator[Any] = aiter(inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # `close` or `aclose`, whichever it has

    def __aiter__(self) -> HeardStream:
        return self

    async def __anext__(self) -> Any:
        part = await anext(self._parts)
        hear(part, self._refusal)
        return part


def hear(part: Any, refusal: list[str]) -> None:
    """Add what a part of a stream, as a class or as JSON, says in ``refusal``."""
    found = [_of(_of(one, "delta"), "refusal") for one in (_of(part, "choices") or ())[:1]]
    refusal += [said for said in found if isinstance(said, str)]


def show(part: Any, refusal: list[str]) -> None:
    """Put what was heard into the next part that has a choice, once."""
    if refusal and (choices := getattr(part, "choices", None)):
        choices[0].delta.refusal = "".join(refusal)
        refusal.clear()


def _of(whole: Any, name: str) -> Any:
    return whole.get(name) if isinstance(whole, dict) else getattr(whole, name, None)
