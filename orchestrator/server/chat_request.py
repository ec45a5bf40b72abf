"""What a chat request asks for: everything in it is honoured, or refused by its name."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.config.settings import Cache
from orchestrator.generation.images import image_parts
from orchestrator.generation.request_building import cache_use, check_description, parsed
from orchestrator.gmn.checks import known_constraints
from orchestrator.gmn.formats.schema import strict_schema
from orchestrator.parsing.spelling import nearest

#: Arguments of `generate_gmn` that a request may carry, beside model and messages.
OPTIONS = ("agent_type", "constraints", "expectations", "cache", "seed")
#: They say how an answer is carried or who asks, not what is asked.
_CARRIAGE = frozenset({
    "stream", "stream_options", "max_retries", "extra_headers", "user", "metadata", "store",
    "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
})  # fmt: skip
#: Values of other parameters that ask for nothing.
_NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "n": (1,), "tool_choice": ("none", "auto"), "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False), "top_p": (1,), "top_logprobs": (0,),
    "presence_penalty": (0,), "frequency_penalty": (0,), "logprobs": (False,),
    "modalities": (["text"],),
}  # fmt: skip
_ONE_REQUEST = "this model takes one description of an agent; put everything into a user message"


class UnservedRequestError(ValueError):
    """The request asks for what this model does not do; the message names it."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that can be honoured.

    Attributes:
        options: further arguments of `generate_gmn`.
        wants_json: whether the document is to come as JSON.
    """

    prompt: str
    wants_json: bool
    options: Mapping[str, Any] = field(default_factory=dict)


def read_request(messages: Any, parameters: Mapping[str, Any], tenant: str = "") -> ChatRequest:
    """The request of `messages` and of LiteLLM's ``optional_params``, for a tenant.

    Raises: UnservedRequestError: something in it cannot be honoured.
    """
    extra = parameters.get("extra_body")
    if extra is not None and not isinstance(extra, Mapping):
        raise UnservedRequestError("extra_body is not an object")
    stated = {**(extra or {}), **{k: v for k, v in parameters.items() if k != "extra_body"}}
    stated = {name: value for name, value in stated.items() if value is not None}
    wants_json = _wants_json(stated.pop("response_format", None))
    options = {name: stated.pop(name) for name in OPTIONS if name in stated}
    for name, value in stated.items():
        _refuse_what_asks_for_more(name, value)
    prompt, pictures = _read_messages(messages)
    if pictures:
        options["images"] = pictures
    if tenant:
        options["tenant"] = tenant
    try:
        _check(prompt, options)
    except (TypeError, ValueError) as error:
        raise UnservedRequestError(str(error)) from None
    return ChatRequest(prompt, wants_json, options)


def _refuse_what_asks_for_more(name: str, value: object) -> None:
    if name in _CARRIAGE or value in ([], {}, "") or value in _NEUTRAL.get(name, ()):
        return
    if name == "tenant":
        raise UnservedRequestError(
            "tenant: it is that of the key, and a request cannot name another"
        )
    near = nearest(name, OPTIONS)
    hint = f"did you mean {near!r}?" if near else "leave it out"
    raise UnservedRequestError(f"{name}: this model does not honour it; {hint}")


def _wants_json(form: object) -> bool:
    """Whether `response_format` asks for JSON; only our own schema can be kept to."""
    if form is None:
        return False
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind in ("text", "json_object"):
        return bool(kind == "json_object")
    schema = form.get("json_schema") if isinstance(form, Mapping) else None
    if (
        kind == "json_schema"
        and isinstance(schema, Mapping)
        and schema.get("schema") == strict_schema()
    ):
        return True
    raise UnservedRequestError(
        "response_format: the answer is a GMN document; use text, json_object, or a json_schema"
        " with schemas/gmn.schema.json"
    )


def _read_messages(messages: Any) -> tuple[str, list[str | bytes]]:
    """The text of all user messages, joined with newlines, and their pictures."""
    if not isinstance(messages, list | tuple):
        raise UnservedRequestError("messages is not a list")
    texts: list[str] = []
    pictures: list[str | bytes] = []
    for at, turn in enumerate(messages):
        role = turn.get("role") if isinstance(turn, Mapping) else None
        if role != "user":
            raise UnservedRequestError(f"messages[{at}] has the role {role!r}: {_ONE_REQUEST}")
        content = turn.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        for part in parts:
            kind = part.get("type", "text") if isinstance(part, Mapping) else None
            if kind == "text" and isinstance(part.get("text"), str):
                texts.append(part["text"])
            elif kind == "image_url":
                pictures.append(_picture(part.get("image_url"), at))
            else:
                raise UnservedRequestError(
                    f"messages[{at}] has a part of the type {kind!r}: use text"
                )
    prompt = "\n".join(text for text in texts if text.strip())
    if not prompt:
        raise UnservedRequestError(
            "no user message says what the agent is; describe it in a sentence"
        )
    return prompt, pictures


def _picture(stated: object, at: int) -> str | bytes:
    """An address for the provider, or bytes; never a file of the machine that serves."""
    url = stated.get("url") if isinstance(stated, Mapping) else stated
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return url
    head, _, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    try:
        if head.startswith("data:image/") and head.endswith(";base64"):
            return base64.b64decode(data, validate=True)
    except binascii.Error:
        pass
    raise UnservedRequestError(
        f"messages[{at}]: image_url is neither a web address nor a data: URL"
    )


def _check(prompt: str, options: Mapping[str, Any]) -> None:
    """Raises: TypeError, ValueError: an option is wrong, as `generate_gmn` would say."""
    check_description(prompt, options.get("agent_type", "general"))
    kinds = {"constraints": dict, "expectations": list, "cache": str | dict, "seed": int}
    for name, kind in kinds.items():
        if name in options and (
            not isinstance(options[name], kind) or isinstance(options[name], bool)
        ):
            raise UnservedRequestError(
                f"{name} has a value of the type {type(options[name]).__name__}"
            )
    known_constraints(options.get("constraints", {}))
    expectations = options.get("expectations", [])
    if not all(isinstance(one, str) for one in expectations):
        raise UnservedRequestError("expectations is not a list of sentences")
    parsed(expectations)
    cache_use(options.get("cache"), Cache(), "")
    image_parts(options.get("images", ()))
