"""How much a model reads and writes together, as its server says in errors and lists."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.models.local_servers import address_of
from orchestrator.parsing.endings import is_stopped_short
from orchestrator.routing import _litellm
from orchestrator.routing.prices import model_table
from orchestrator.routing.resting import words_of
from orchestrator.types.errors import ContextWindowExceededError
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.models.deployment import Deployment
    from orchestrator.models.groups import Deployments
    from orchestrator.routing.attempts import Trace
    from orchestrator.types.errors import LLMError
    from orchestrator.types.requests import Answer, Request

_TIMEOUT_S = 5.0
_TOO_LONG = ("context length", "context window", "maximum context", "too many tokens",
             "context size", "context limit", "prompt is too long", "input length",
             "exceeds the maximum number of tokens",
             "context_length_exceeded", "longer than")  # fmt: skip
#: What llama.cpp, LM Studio and Ollama say about the models that they have loaded.
_RUNNING = ("/props", "/api/v0/models", "/api/ps")
#: The window in what vLLM, LM Studio, OpenRouter, Together, Groq, Mistral, llama.cpp, Ollama say.
_KEYS = ("max_model_len", "loaded_context_length", "context_length", "context_window",
         "max_context_length", "n_ctx")  # fmt: skip
#: As OpenAI, vLLM, llama.cpp, LM Studio, Anthropic, Gemini, Mistral and TGI say it.
_WINDOW = pattern(
    r"(?:maximum context length|context (?:length|size|window|limit))(?: is| of)?(?: only)?\D{0,9}?"
    r"(?P<a>\d{1,12})\b(?! \+)|limit: \d{1,12} \+ \d{1,12} > (?P<b>\d{1,12})"
    r"|n_ctx\W+(?P<c>\d{1,12})|> (?P<d>\d{1,12}) maximum|tokens allowed \((?P<e>\d{1,12})"
    r"|with (?P<f>\d{1,12}) maximum context|must be <= (?P<g>\d{1,12})"
)
_PROMPT = pattern(
    r"(?P<a>\d{1,12}) (?:tokens )?in the (?:messages|prompt|input)|(?P<b>\d{1,12}) input tokens"
    r"|n_prompt_tokens\W+(?P<c>\d{1,12})|too long: (?P<d>\d{1,12})|limit: (?P<e>\d{1,12}) \+"
    r"|token count \((?P<f>\d{1,12})|prompt contains (?:at least )?(?P<g>\d{1,12})"
    r"|(?P<h>\d{1,12}) of text input"
    r"|resulted in (?P<i>\d{1,12})|given: (?P<j>\d{1,12})|the first (?P<k>\d{1,12}) tokens"
)


def is_too_long(said: str) -> bool:
    """Whether an error, in small letters, says that the question does not fit."""
    return any(words in said for words in _TOO_LONG)


def in_class_of_too_long(error: Exception, model: str, provider: str) -> Exception | None:
    """LiteLLM's class for a question that does not fit, where it has only seen a bad request.

    Its Router follows `context_window_fallbacks` for that class alone.
    """
    litellm = _litellm.load()
    if type(error) is not litellm.BadRequestError or not is_too_long(words_of(error)):
        return None
    words = str(getattr(error, "message", error))
    made: Exception = litellm.ContextWindowExceededError(words, model, provider)
    made.__cause__ = error
    return made


def window_in(words: str) -> tuple[int, int]:
    """The context window and the prompt's tokens that an error names; 0 for what it does not."""
    said = re.sub(r"(?<=\d),(?=\d{3})", "", words.lower())
    found = _WINDOW.search(said), _PROMPT.search(said)
    window, prompt = (int(f[f.lastgroup or 0]) if f is not None else 0 for f in found)
    return window, prompt


class ContextWindows:
    """The windows of deployments, in tokens; a server that said it is not asked again."""

    def __init__(self, deployments: Deployments) -> None:
        """Those of `deployments`."""
        self._deployments = deployments
        self._known: dict[str, int] = {}

    async def with_end(self, answer: Answer, request: Request, trace: Trace) -> Answer:
        """The answer with why it ended: only what the provider said, or that it was stopped here,
        and the context window of its model where that may be what cut it off."""
        if trace.stopped:
            return replace(answer, stopped=trace.stopped)
        if not trace.says_why_it_ended and answer.finish != "tool_calls":
            return replace(answer, finish="")
        limit = request.max_tokens
        if limit is None or not is_stopped_short(answer, limit):
            return answer
        return replace(answer, context_tokens=await self.of_id(answer.deployment))

    async def naming(self, failure: LLMError) -> LLMError:
        """The error with the window that the server lists, where it named none."""
        if not isinstance(failure, ContextWindowExceededError) or failure.context_tokens:
            return failure
        if window := await self.of_id(failure.deployment):
            failure.context_tokens = window
            failure.args = (f"{failure} Its context window holds {window} tokens.",)
        return failure

    async def of_id(self, deployment: str) -> int:
        """The window of the deployment with an id, 0 where it is not known."""
        one = next((one for one in self._deployments.ready if one.id == deployment), None)
        return 0 if one is None else await self.of(one, again=True)

    async def of(self, one: Deployment, *, again: bool = False) -> int:
        """What the server lists for its model, else what LiteLLM knows; 0 for neither. A server
        that did not say is asked `again`: some know it of loaded models alone."""
        if one.id not in self._known or (again and not self._known[one.id]):
            served, _ = await asyncio.to_thread(served_window, one)
            stated = one.entry_in(model_table()).get("max_input_tokens")
            self._known[one.id] = served or int(stated or 0)
        return self._known[one.id]


def served_window(one: Deployment) -> tuple[int, str]:
    """The window that the server of a deployment says that it serves, and the path where it says
    so; of servers with an address of their own that speak OpenAI's format or Ollama's. Blocks."""
    import httpx  # noqa: PLC0415  70 ms before LiteLLM is loaded, nothing after it

    base, key = address_of(one), one.params.value.get("api_key")
    is_ollama = one.provider.startswith("ollama")
    compatible = () if is_ollama else ("openai", *_litellm.load().openai_compatible_providers)
    if not base or not (is_ollama or one.provider in compatible):
        return 0, ""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    root = base.removesuffix("/v1")
    for path in (f"{base.removeprefix(root)}/models", *_RUNNING):
        try:
            # A redirect is not followed: the key would go where nobody sent it.
            response = httpx.get(f"{root}{path}", headers=headers, timeout=_TIMEOUT_S)
            said = response.raise_for_status().json()
        except (httpx.TransportError, httpx.InvalidURL):
            return 0, ""
        except (httpx.HTTPError, ValueError):
            continue
        if window := _window_said(said, one.model.partition("/")[2]):
            return window, path
    return 0, ""


def _window_said(said: object, model: str) -> int:
    """The window in a list of models, or in the settings of the one model that is loaded."""
    if not isinstance(said, dict):
        return 0
    if isinstance(settings := said.get("default_generation_settings"), dict):
        return _window_of(settings)
    listed = said.get("data", said.get("models"))
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    alone = len(entries) == 1 and "data" in said  # one model may have the name of its file
    names = (model, f"{model}:latest")
    return next((_window_of(e) for e in entries if alone or _name_in(e) in names), 0)


def _name_in(entry: Mapping[str, Any]) -> object:
    return entry.get("id") or entry.get("name")


def _window_of(entry: Mapping[str, Any]) -> int:
    meta = entry.get("meta")
    places = (entry, meta if isinstance(meta, dict) else {})
    found = (place.get(key) for place in places for key in _KEYS)
    return next((n for n in found if type(n) is int and n > 0), 0)
