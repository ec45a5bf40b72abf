"""How much a model reads and writes together, as its server says in errors and lists."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.routing.prices import known_about

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.models.deployments import Deployment

_TIMEOUT_S = 5.0
#: The window in the lists of models of vLLM, LM Studio, OpenRouter, Together, Groq and Mistral.
_KEYS = ("max_model_len", "loaded_context_length", "context_length", "context_window",
         "max_context_length", "n_ctx")  # fmt: skip
#: As OpenAI, vLLM, llama.cpp, LM Studio, Anthropic, Gemini, Mistral and TGI say it.
_WINDOW = re.compile(
    r"(?:maximum context length|context (?:length|size|window|limit))(?: is| of)?(?: only)?\D{0,9}?"
    r"(?P<a>\d{1,12})\b(?! \+)|limit: \d{1,12} \+ \d{1,12} > (?P<b>\d{1,12})"
    r"|n_ctx\W+(?P<c>\d{1,12})|> (?P<d>\d{1,12}) maximum|tokens allowed \((?P<e>\d{1,12})"
    r"|with (?P<f>\d{1,12}) maximum context|must be <= (?P<g>\d{1,12})"
)
_PROMPT = re.compile(
    r"(?P<a>\d{1,12}) (?:tokens )?in the (?:messages|prompt|input)|(?P<b>\d{1,12}) input tokens"
    r"|n_prompt_tokens\W+(?P<c>\d{1,12})|too long: (?P<d>\d{1,12})|limit: (?P<e>\d{1,12}) \+"
    r"|token count \((?P<f>\d{1,12})|prompt contains (?:at least )?(?P<g>\d{1,12})"
    r"|(?P<h>\d{1,12}) of text input"
    r"|resulted in (?P<i>\d{1,12})|given: (?P<j>\d{1,12})|the first (?P<k>\d{1,12}) tokens"
)


def window_in(words: str) -> tuple[int, int]:
    """The context window and the prompt's tokens that an error names; 0 for what it does not."""
    said = re.sub(r"(?<=\d),(?=\d{3})", "", words.lower())
    found = _WINDOW.search(said), _PROMPT.search(said)
    window, prompt = (int(f[f.lastgroup or 0]) if f is not None else 0 for f in found)
    return window, prompt


class ContextWindows:
    """The windows of deployments, in tokens; each server is asked at most once."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    async def of(self, one: Deployment) -> int:
        """What the server lists for its model, else what LiteLLM knows; 0 for neither."""
        if one.id not in self._known:
            listed = await asyncio.to_thread(_listed, one)
            self._known[one.id] = listed or int(known_about(one).get("max_input_tokens") or 0)
        return self._known[one.id]


def _listed(one: Deployment) -> int:
    """From ``/models``, of a server with an address of its own that speaks OpenAI's format."""
    import httpx  # noqa: PLC0415  70 ms before LiteLLM is loaded, nothing after it

    base, key = one.params.value.get("api_base"), one.params.value.get("api_key")
    if not base or one.provider not in ("openai", *_litellm.load().openai_compatible_providers):
        return 0
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        # A redirect is not followed: the key would go where nobody sent it.
        response = httpx.get(f"{str(base).rstrip('/')}/models", headers=headers, timeout=_TIMEOUT_S)
        listed = response.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return 0
    entries = listed.get("data") if isinstance(listed, dict) else None
    entries = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    name = one.model.partition("/")[2]
    alone = len(entries) == 1  # llama.cpp lists its one model under the name of a file
    return next((_window_of(e) for e in entries if alone or e.get("id") == name), 0)


def _window_of(entry: Mapping[str, Any]) -> int:
    meta = entry.get("meta")
    places = (entry, meta if isinstance(meta, dict) else {})
    found = (place.get(key) for place in places for key in _KEYS)
    return next((n for n in found if isinstance(n, int) and n > 0), 0)
