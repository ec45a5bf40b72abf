"""What a chat request asks for: everything in it is honoured, or refused by its name."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.config.settings import Cache
from orchestrator.generation.images import image_parts
from orchestrator.generation.request_building import (
    cache_use,
    check_description,
    check_text,
    parsed,
)
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
#: The types of the fields that LiteLLM itself reads before this model is asked.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "messages": (list, tuple), "metadata": (Mapping,), "litellm_metadata": (Mapping,),
    "response_format": (Mapping,), "tools": (list,), "functions": (list,), "fallbacks": (list,),
    "extra_body": (Mapping,), "extra_headers": (Mapping,), "headers": (Mapping,),
    "stream": (bool,), "stream_options": (Mapping,), "timeout": (int, float), "n": (int,),
    "num_retries": (int,), "max_retries": (int,), "user": (str,), "agent_type": (str,),
    "constraints": (Mapping,), "expectations": (list,), "cache": (str, Mapping), "seed": (int,),
}  # fmt: skip
_LONGEST_TIMEOUT_S = 1e6
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


def check_body(body: Mapping[str, Any]) -> None:
    """Check the fields of a chat request for values that no chat request has.

    Raises: UnservedRequestError: a field has one; the message names it.
    """
    for name, types in _TYPES.items():
        value = body.get(name)
        if value is not None and (
            not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
        ):
            raise UnservedRequestError(f"{name} has a value of the type {type(value).__name__}")
    timeout = body.get("timeout")
    if timeout is not None and not 0 < timeout < _LONGEST_TIMEOUT_S:
        raise UnservedRequestError("timeout is not a number of seconds above 0")
    for name in ("messages", "tools", "functions"):
        for at, part in enumerate(body.get(name) or ()):
            if not isinstance(part, Mapping):
                raise UnservedRequestError(f"{name}[{at}] is of the type {type(part).__name__}")
    _check_contents(body.get("messages") or ())


def _check_contents(messages: Sequence[Mapping[str, Any]]) -> None:
    for at, turn in enumerate(messages):
        content = turn.get("content")
        if not isinstance(content, str | list | None):
            words = f"messages[{at}] has a content of the type {type(content).__name__}"
            raise UnservedRequestError(words)
        for part in content if isinstance(content, list) else ():
            kind = part.get("type", "text") if isinstance(part, Mapping) else None
            if not isinstance(kind, str):
                raise UnservedRequestError(f"messages[{at}] has a part without a type: use text")


def read_request(messages: Any, parameters: Mapping[str, Any], tenant: str = "") -> ChatRequest:
    """The request of `messages` and of LiteLLM's ``optional_params``, for a tenant.

    Raises: UnservedRequestError: something in it cannot be honoured.
    """
    if messages is None:
        raise UnservedRequestError("messages is missing: describe the agent in a user message")
    check_body({**parameters, "messages": messages})
    extra = parameters.get("extra_body")
    check_body(extra or {})
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
    _check(prompt, options)
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
    texts: list[str] = []
    pictures: list[str | bytes] = []
    for at, turn in enumerate(messages):
        role = turn.get("role")
        if role != "user":
            shown = repr(role) if isinstance(role, str) else f"of type {type(role).__name__}"
            raise UnservedRequestError(f"messages[{at}] has the role {shown}: {_ONE_REQUEST}")
        content = turn.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        for part in parts:
            kind = part.get("type", "text")
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
    except ValueError:  # of base64, or of a text that is not even ASCII
        pass
    raise UnservedRequestError(
        f"messages[{at}]: image_url is neither a web address nor a data: URL"
    )


def _check(prompt: str, options: Mapping[str, Any]) -> None:
    """Raises: UnservedRequestError: an option is wrong, as `generate_gmn` would say."""
    expectations = options.get("expectations", [])
    if not all(isinstance(one, str) for one in expectations):
        raise UnservedRequestError("expectations is not a list of sentences")
    for name, check in (
        ("messages", lambda: check_text("the text", prompt)),
        ("agent_type", lambda: check_description(prompt, options.get("agent_type", "general"))),
        ("constraints", lambda: known_constraints(options.get("constraints", {}))),
        ("expectations", lambda: parsed(expectations)),
        ("cache", lambda: cache_use(options.get("cache"), Cache(), "")),
        ("messages", lambda: image_parts(options.get("images", ()))),
    ):
        try:
            check()
        except (TypeError, ValueError) as error:
            raise UnservedRequestError(f"{name}: {error}") from None
