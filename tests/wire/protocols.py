"""How OpenAI, Anthropic, Gemini and Ollama spell the same answer, error and stream."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request, whatever spelling it came in."""

    protocol: str
    model: str
    body: Json
    is_stream: bool = False

    @property
    def prompt_tokens(self) -> int:
        """What the server counts: a quarter of the characters of the messages."""
        said = (
            self.body.get("messages") or self.body.get("contents") or self.body.get("input") or ""
        )
        return max(len(json.dumps(said)) // 4, 1)


_MOST_PARTS = 20


@dataclass(frozen=True)
class Said:
    """An answer, before it is spelled."""

    text: str
    finish: str = "stop"
    refusal: str = ""
    counted: int | None = None
    is_by_word: bool = False

    @property
    def tokens(self) -> int:
        """What the server counts."""
        return max(len(self.text) // 4, 1) if self.counted is None else self.counted

    @property
    def words(self) -> list[str]:
        """The parts of a stream: few, as each takes LiteLLM a millisecond, or one for each word."""
        *before, last = self.text.split(" ")
        words = [*(f"{word} " for word in before), last]
        step = 1 if self.is_by_word else math.ceil(len(words) / _MOST_PARTS)
        return ["".join(words[i : i + step]) for i in range(0, len(words), step)]


def openai(asked: Asked, said: Said) -> Json:
    message = {"role": "assistant", "content": said.text or None}
    if said.refusal:
        message["refusal"] = said.refusal
    choices = [
        {"index": i, "message": message, "finish_reason": said.finish}
        for i in range(asked.body.get("n") or 1)
    ]
    if tools := asked.body.get("tools"):
        arguments = said.text if isinstance(asked.body.get("tool_choice"), dict) else "{}"
        function = {"name": tools[0]["function"]["name"], "arguments": arguments}
        call = {"id": "t1", "type": "function", "function": function}
        choices[0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
        choices[0]["finish_reason"] = "tool_calls"
    return {
        "id": "c", "object": "chat.completion", "created": 1, "model": asked.model,
        "choices": choices, "usage": _openai_usage(asked, said),
    }  # fmt: skip


def _openai_usage(asked: Asked, said: Said) -> Json:
    return {
        "prompt_tokens": asked.prompt_tokens, "completion_tokens": said.tokens,
        "total_tokens": asked.prompt_tokens + said.tokens,
    }  # fmt: skip


def openai_stream(asked: Asked, said: Said) -> Iterator[str]:
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": asked.model}
    for word in said.words:
        choice = {"index": 0, "delta": {"role": "assistant", "content": word}}
        yield _event({**base, "choices": [choice]})
    for part in filter(None, said.refusal.partition(" ")):
        choice = {"index": 0, "delta": {"content": None, "refusal": part}}
        yield _event({**base, "choices": [choice]})
    yield _event({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": said.finish}]})
    if (asked.body.get("stream_options") or {}).get("include_usage"):
        yield _event({**base, "choices": [], "usage": _openai_usage(asked, said)})
    yield "data: [DONE]\n\n"


def anthropic(asked: Asked, said: Said) -> Json:
    stop = {"stop": "end_turn", "length": "max_tokens"}.get(said.finish, said.finish)
    return {
        "id": "m", "type": "message", "role": "assistant", "model": asked.model,
        "content": [{"type": "text", "text": said.text}], "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": asked.prompt_tokens, "output_tokens": said.tokens},
    }  # fmt: skip


def anthropic_stream(asked: Asked, said: Said) -> Iterator[str]:
    def named(kind: str, **rest: Any) -> str:
        return f"event: {kind}\n" + _event({"type": kind, **rest})

    start = {**anthropic(asked, Said("")), "content": []}
    start["usage"] = {"input_tokens": asked.prompt_tokens, "output_tokens": 1}
    yield named("message_start", message=start)
    yield named("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for word in said.words:
        yield named("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    yield named("content_block_stop", index=0)
    usage = {"output_tokens": said.tokens}
    yield named("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
    yield named("message_stop")


def gemini(asked: Asked, said: Said) -> Json:
    finish = {"stop": "STOP", "length": "MAX_TOKENS"}.get(said.finish, "OTHER")
    return {
        "candidates": [{"index": 0, "finishReason": finish,
                        "content": {"role": "model", "parts": [{"text": said.text}]}}],
        "modelVersion": asked.model,
        "usageMetadata": {
            "promptTokenCount": asked.prompt_tokens, "candidatesTokenCount": said.tokens,
            "totalTokenCount": asked.prompt_tokens + said.tokens,
        },
    }  # fmt: skip


def _gemini_part(text: str, **rest: Any) -> Json:
    return {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **rest}


def gemini_stream(asked: Asked, said: Said) -> Iterator[str]:
    for word in said.words:
        yield _event({"candidates": [_gemini_part(word)]})
    last = _gemini_part("", finishReason="STOP")
    yield _event({**gemini(asked, said), "candidates": [last]})


def ollama(asked: Asked, said: Said) -> Json:
    return {
        "model": asked.model, "created_at": "2026-01-01T00:00:00Z", "done": True,
        "message": {"role": "assistant", "content": said.text}, "done_reason": said.finish,
        "prompt_eval_count": asked.prompt_tokens, "eval_count": said.tokens,
    }  # fmt: skip


def ollama_stream(asked: Asked, said: Said) -> Iterator[str]:
    for word in said.words:
        part = {**ollama(asked, Said(word)), "done": False}
        for key in ("done_reason", "prompt_eval_count", "eval_count"):
            part.pop(key)
        yield json.dumps(part) + "\n"
    yield (
        json.dumps({**ollama(asked, said), "message": {"role": "assistant", "content": ""}}) + "\n"
    )


def _event(data: Json) -> str:
    return f"data: {json.dumps(data)}\n\n"


ANSWERS: dict[str, Callable[[Asked, Said], Json]] = {
    "openai": openai, "anthropic": anthropic, "gemini": gemini, "ollama": ollama,
}  # fmt: skip
STREAMS: dict[str, Callable[[Asked, Said], Iterator[str]]] = {
    "openai": openai_stream, "anthropic": anthropic_stream, "gemini": gemini_stream,
    "ollama": ollama_stream,
}  # fmt: skip


def error_body(protocol: str, status: int, message: str, code: str = "") -> Json:
    """What a provider says beside a status that is not 200."""
    if protocol == "anthropic":
        kinds = {400: "invalid_request_error", 401: "authentication_error", 529: "overloaded_error"}
        return {"type": "error",
                "error": {"type": kinds.get(status, "api_error"), "message": message}}  # fmt: skip
    if protocol == "gemini":
        return {"error": {"code": status, "message": message, "status": code or "UNKNOWN"}}
    if protocol == "ollama":
        return {"error": message}
    return {"error": {"message": message, "type": "error", "code": code}}
