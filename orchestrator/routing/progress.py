"""Servers of the user's own are held to their progress: time for the first token, then little more.

Such a server reads a prompt for minutes on a small machine, and a whole answer takes as long again;
one that stands still between two tokens will not go on. Progress shows in a stream alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.routing.prices import written_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.config.settings import GenerationSettings
    from orchestrator.models.deployment import Deployment
    from orchestrator.routing.attempts import AttemptRecord

_STATED = ("timeout", "stream_timeout")
_SLACK_S = 5.0  # by which LiteLLM waits longer, so that our words are the ones that are read
_PLACE = "orchestrator.generation"


@dataclass(frozen=True, slots=True)
class Pace:
    """What a server has time for, in seconds."""

    first_token_s: float
    between_tokens_s: float

    def asked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """LiteLLM's arguments of a call, as a stream that says at its end what it took."""
        usage = {**(arguments.get("stream_options") or {}), "include_usage": True}
        most = max(self.first_token_s, self.between_tokens_s) + _SLACK_S
        return {**arguments, "stream": True, "stream_options": usage, "timeout": most}


class StoodStillError(TimeoutError):
    """A server gave no token in time; the text says how long, and which setting allows more."""


def paces(settings: GenerationSettings, ready: Iterable[Deployment]) -> dict[str, Pace]:
    """The pace of each deployment that is held to one, by id; a stated timeout holds instead."""
    if not settings.is_by_progress:
        return {}
    pace = Pace(settings.first_token_s, settings.between_tokens_s)
    return {
        one.id: pace
        for one in ready
        if one.is_own_server and not any(name in one.params.value for name in _STATED)
    }


def stood_still(attempt: AttemptRecord, pace: Pace) -> Exception:
    """LiteLLM's timeout for a server that gave no token in time."""
    if tokens := written_tokens(attempt.heard):
        words = f"no token for {pace.between_tokens_s:g} s after about {tokens} of them"
        why = f"Is the machine asleep or full? {_PLACE}.between_tokens_s allows more"
    else:
        words = f"no token in {pace.first_token_s:g} s"
        why = (
            "It may still load the model or read the prompt: ask a smaller model, show fewer"
            f" examples ({_PLACE}.examples), or allow more with {_PLACE}.first_token_s"
        )
    timeout = _litellm.load().Timeout
    made: Exception = timeout(message=words, model=attempt.model, llm_provider=attempt.provider)
    made.__cause__ = StoodStillError(words, f"{why}.")
    return made
