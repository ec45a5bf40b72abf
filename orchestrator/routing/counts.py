"""Tokens as providers counted them."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from orchestrator.types.requests import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where the answers of OpenAI, Anthropic, Gemini and Ollama hold what they say.
_ANSWERED = ("choices", "content", "candidates", "message", "data")
#: Ten times the largest context window that is sold.
_MOST_TOKENS = 10**8


def usage_of(response: Any) -> Usage:
    """The tokens that a response states."""
    usage = getattr(response, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        _count(getattr(usage, "prompt_tokens", 0)),
        _count(getattr(usage, "completion_tokens", 0)),
        _count(getattr(details, "cached_tokens", 0)),
    )


def _count(said: object) -> int:
    """A number of tokens; 0, which is estimated, for one that cannot be."""
    return int(said) if isinstance(said, int | float) and is_count(said) else 0


def is_count(said: float) -> bool:
    """Whether a call can have taken so many tokens."""
    return 0 <= said <= _MOST_TOKENS


def dollars(said: object) -> float | None:
    """A cost that was stated; None for none, and for one that cannot be."""
    # LiteLLM says None or 0 for a model that is not in its price map: the price is not known.
    if not said or not isinstance(said, int | float | str):
        return None
    try:
        cost = float(said)
    except ValueError:
        return None
    return cost if math.isfinite(cost) and cost > 0 else None


def unread(came: str) -> tuple[Any, ...]:
    """What the JSON text of a provider's answer says that it took; empty where it holds none."""
    try:
        said = json.loads(came) if came else {}
    except ValueError:
        return ()
    if not isinstance(said, dict) or said.get("error") or not any(map(said.get, _ANSWERED)):
        return ()
    usage = said.get("usage")
    stated = SimpleNamespace(**usage) if isinstance(usage, dict) else None
    return (SimpleNamespace(usage=stated),)


def reported(parts: Sequence[Any]) -> Usage:
    """The tokens that the parts of a stream state; they may do so more than once."""
    said = [usage_of(part) for part in parts if getattr(part, "usage", None) is not None]
    names = ("prompt_tokens", "completion_tokens", "cached_tokens")
    return Usage(*(max((getattr(one, name) for one in said), default=0) for name in names))
