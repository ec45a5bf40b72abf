"""The embedded provider as LiteLLM sees it; `answer` makes its answers."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from orchestrator.config.paths import shipped
from orchestrator.gmn.examples import load
from orchestrator.routing import _litellm
from orchestrator.routing.offline.answer import answer, answer_chat
from orchestrator.routing.output_modes import messages_of, response_format_arguments
from orchestrator.types.pattern import pattern
from orchestrator.types.requests import OutputMode, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from orchestrator.types.requests import Description, Request

WORDS_PER_CHUNK = 8
#: About what tokenizers make one token: up to seven letters, three digits or marks of ASCII, the
#: end of a line with the next one's indent, two letters of Latin with accents, Greek or Cyrillic.
_TOKEN = pattern(r"[A-Za-z]{1,7}|\d{1,3}|[!-/:-@\[-^`{-~]{1,3}|\n\s*|[\u00c0-\u052f]{1,2}|\S")


def reply(
    messages: Sequence[Mapping[str, object]],
    parameters: Mapping[str, object],
    description: Description | None = None,
) -> str:
    """The answer to `description`, else to the last user message; deterministic.

    `parameters` are LiteLLM's; their ``response_format`` says whether it is JSON.
    """
    mode, examples = _mode(parameters.get("response_format")), load(shipped("prompts", "library"))
    if description is None:
        return answer_chat(messages, mode, examples)
    return answer(description, mode, examples)


def _mode(response_format: object) -> OutputMode:
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    modes = (OutputMode.JSON_SCHEMA, OutputMode.JSON_OBJECT)
    return next((mode for mode in modes if mode == kind), OutputMode.PROMPT)


def estimated_tokens(text: str) -> int:
    """About what a tokenizer would count, mostly within a fifth: benchmarks/README.md has figures.

    Scripts without spaces and rare ones vary more from tokenizer to tokenizer.
    """
    return len(_TOKEN.findall(text))


def completed(request: Request) -> tuple[str, Usage]:
    """The answer to a request and the tokens it would take, without LiteLLM."""
    messages = messages_of(request)
    text = reply(messages, response_format_arguments(request), request.description)
    counted = _usage(messages, text)
    return text, Usage(counted["prompt_tokens"], counted["completion_tokens"])


def pieces(text: str) -> list[str]:
    """A text a few words at a time."""
    words = re.findall(r"\S+\s*|\s+", text)
    return ["".join(words[i : i + WORDS_PER_CHUNK]) for i in range(0, len(words), WORDS_PER_CHUNK)]


def _usage(messages: Sequence[Mapping[str, object]], text: str) -> dict[str, int]:
    asked = sum(estimated_tokens(str(turn.get("content", ""))) for turn in messages)
    said = estimated_tokens(text)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _filled(model: str, messages: Any, response: Any, parameters: Mapping[str, object]) -> Any:
    """LiteLLM's empty response with the answer in it."""
    text = reply(messages, parameters)
    response.choices[0].message.content = text
    response.choices[0].finish_reason = "stop"
    response.model = model
    response.usage = _litellm.load().Usage(**_usage(messages, text))
    return response


def in_chunks(text: str, usage: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """A text a few words at a time, as LiteLLM wants it; the last chunk carries the usage."""
    parts = pieces(text)
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        yield {
            "text": part,
            "is_finished": is_last,
            "finish_reason": "stop" if is_last else "",
            "index": 0,
            "tool_use": None,
            "usage": usage if is_last else None,
        }


def _chunks(messages: Any, parameters: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    text = reply(messages, parameters)
    return in_chunks(text, _usage(messages, text))


@functools.cache
def offline_provider() -> Any:
    """The handler for LiteLLM's ``custom_provider_map``; its base class comes from there."""
    base = _litellm.load().CustomLLM
    load(shipped("prompts", "library"))  # now, so that no answer waits for the disk

    class Offline(base):  # type: ignore[misc, valid-type]  # known at run time only
        """Answers from the words of a sentence; free, deterministic, without a network."""

        def completion(
            self, model: str, messages: Any, model_response: Any, optional_params: Any, **_: Any
        ) -> Any:
            return _filled(model, messages, model_response, optional_params)

        async def acompletion(
            self, model: str, messages: Any, model_response: Any, optional_params: Any, **_: Any
        ) -> Any:
            return _filled(model, messages, model_response, optional_params)

        def streaming(
            self, model: str, messages: Any, optional_params: Any, **_: Any
        ) -> Iterator[dict[str, Any]]:
            yield from _chunks(messages, optional_params)

        async def astreaming(
            self, model: str, messages: Any, optional_params: Any, **_: Any
        ) -> AsyncIterator[dict[str, Any]]:
            for chunk in _chunks(messages, optional_params):
                yield chunk

    return Offline()
