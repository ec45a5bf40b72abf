"""Why a provider ended an answer, in its own words.

LiteLLM 1.110 says ``stop`` of every reason that it does not know, and of some that it does: of an
answer that ran into a limit, and of one that its provider could not finish.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.routing import _litellm

_NAMES = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason")
_NAMED = re.compile(rf'"(?:{"|".join(_NAMES)})"\s*:\s*"([^"\\]{{1,64}})"')
#: What a reason holds that says so: mistral's model_length, cohere's ERROR_LIMIT.
_CUT = re.compile(r"length|limit|max_?(?:imum_?)?tokens", re.IGNORECASE)
#: OpenRouter's error, vLLM's abort, DeepSeek's insufficient_system_resource, Gemini's
#: MALFORMED_FUNCTION_CALL, Ollama's load (it has loaded the model, and written nothing).
_FAILED = re.compile(
    r"error|fail|abort|cancel|insufficient|malformed|unexpected|missing|too_many|not_finished"
    r"|incomplete|interrupt|\A(?:un)?load\Z",
    re.IGNORECASE,
)


def reasons_in(said: Any) -> dict[int, str]:
    """The reasons in a provider's answer, or in a part of its stream, by the number of the choice;
    given as JSON or as a class."""
    choices = [*listed(said, "choices"), *listed(said, "candidates")]
    found = {_number(one, at): _reason(one) for at, one in enumerate(choices)}
    if not choices:
        found = {0: _reason(said) or _reason(_of(said, "delta"))}
    return {number: reason for number, reason in found.items() if reason}


def reasons_in_text(came: str) -> dict[int, str]:
    """Those of an answer as JSON text, where one of them is not what LiteLLM says."""
    if not any(_CUT.search(one) or _FAILED.search(one) for one in _NAMED.findall(came)):
        return {}
    try:
        return reasons_in(json.loads(came))
    except ValueError:
        return {}


def corrected(choices: Sequence[Any], reasons: Mapping[int, str]) -> str:
    """Let the choices that ended at a limit say ``length``, where LiteLLM says ``stop``.

    Gives the reason of one that its provider could not finish; empty where there is none.
    """
    for choice in choices:
        if choice.finish_reason != "stop" or not (reason := reasons.get(choice.index or 0)):
            continue
        if _CUT.search(reason):
            choice.finish_reason = "length"
        elif _FAILED.search(reason):
            return reason
    return ""


def unfinished(reason: str, *, model: object, provider: object) -> Exception:
    """LiteLLM's error for an answer that its provider did not finish."""
    error: Exception = _litellm.load().InternalServerError(
        message=f"the provider did not finish its answer, and says why: {reason}",
        llm_provider=str(provider or ""),
        model=str(model or ""),
    )
    return error


def listed(said: Any, name: str) -> Sequence[Any]:
    """A list in a provider's answer; an empty one where something else stands there."""
    found = _of(said, name)
    return found if isinstance(found, list | tuple) else ()


def _reason(one: Any) -> str:
    found = next(filter(None, (_of(one, name) for name in _NAMES)), "")
    return found if isinstance(found, str) else ""


def _number(choice: Any, at: int) -> int:
    found = _of(choice, "index")
    return found if isinstance(found, int) else at


def _of(whole: Any, name: str) -> Any:
    return whole.get(name) if isinstance(whole, dict) else getattr(whole, name, None)
