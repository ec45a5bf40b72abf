"""Chat completions, embeddings and models in OpenAI's shape, so that any client of it works."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from orchestrator.gmn.formats.schema import as_schema_asks
from orchestrator.parsing.bounds import json_value
from orchestrator.parsing.spelling import nearest
from orchestrator.server import agui, document
from orchestrator.server.chat_request import check_body, read_request
from orchestrator.server.once import OnceRoute
from orchestrator.server.problems import Problem, openai_error, problem_of, problem_response
from orchestrator.server.routes_llm import caller, service
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from orchestrator.client.orchestrator import Orchestrator

router = APIRouter(
    route_class=OnceRoute, prefix="/v1", tags=["openai"], responses=document.openai_problems()
)
_OURS = "gmn/"
#: A document is sent in parts of so many characters.
_PART = 200
#: What a caller may say; LiteLLM's other arguments say where a request goes, with whose key, at
#: which price and how often, which is the configuration's to say.
_CHAT = frozenset({
    "model", "messages", "temperature", "top_p", "top_k", "n", "stop", "max_tokens",
    "max_completion_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
    "top_logprobs", "seed", "tools", "tool_choice", "parallel_tool_calls", "functions",
    "function_call", "response_format", "reasoning_effort", "thinking", "verbosity", "modalities",
    "audio", "prediction", "web_search_options", "service_tier", "safety_identifier",
    "prompt_cache_key", "prompt_cache_retention", "stream_options",
})  # fmt: skip
_EMBEDDING = frozenset({"model", "input", "dimensions", "encoding_format"})
_HELLO = [{"role": "user", "content": "Hello"}]
_CHAT_BODY = document.body_of(
    ("model", "messages"),
    {"model": {"type": "string"}, "stream": {"type": "boolean"},
     "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
    {"model": "default", "messages": _HELLO},
)  # fmt: skip
_EMBEDDING_BODY = document.body_of(
    ("model", "input"), {"model": {"type": "string"}, "input": {"type": ["string", "array"]}},
    {"model": "default", "input": ["a text"]},
)  # fmt: skip
_MODEL = {"object": "model", "created": 0, "owned_by": "gmn"}
#: They say who asks and what another service keeps; they are taken, and not passed on.
_NOT_PASSED_ON = frozenset({"user", "metadata", "store"})


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """What ``model`` may be."""
    known = await service(request).orc.models()
    names = dict.fromkeys((*known.routes, *known.groups()))
    ids = [*names, *(f"{_OURS}{name}" for name in names)]
    return {"object": "list", "data": [_MODEL | {"id": name} for name in ids]}


@router.get("/models/{model:path}")
async def one_model(model: str, request: Request) -> dict[str, Any]:
    """One of them."""
    if (found := _MODEL | {"id": model}) not in (await models(request))["data"]:
        raise Problem(404, "not_found", f"there is no model {model!r}; see /v1/models")
    return found


@router.post("/chat/completions", openapi_extra=_CHAT_BODY, responses=document.events())
async def chat(request: Request) -> Any:
    """A chat completion: of a route or model, or a GMN document of ``gmn/<route>``."""
    try:
        body = await _body(request, "messages")
        check_body(body)
        return await _served(service(request).orc, body, caller(request).tenant)
    except Exception as error:  # noqa: BLE001  said in OpenAI's shape
        return _failure(error, request)


@router.post("/embeddings", openapi_extra=_EMBEDDING_BODY)
async def embeddings(request: Request) -> Any:
    """The vectors of texts, by a route or model that makes them."""
    try:
        stated = _stated(await _body(request, "input"), _EMBEDDING)
        found = await service(request).orc.aembedding(**stated, tenant=caller(request).tenant)
        return JSONResponse(found.model_dump(mode="json", exclude_none=True))
    except Exception as error:  # noqa: BLE001  said in OpenAI's shape
        return _failure(error, request)


async def _body(request: Request, asked: str) -> dict[str, Any]:
    """The body, which must name a model and have what is `asked`; null is as good as nothing."""
    try:
        body = json_value(await request.body(), takes_twice=False)
    except ValueError as error:
        raise Problem(400, "json", f"the body is not JSON: {error}") from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise Problem(400, "argument", "model is missing: name a route, a model or gmn/<route>")
    if not isinstance(body.get(asked), str | list) or not body[asked]:
        raise Problem(400, "argument", f"{asked} is missing or empty")
    return {name: value for name, value in body.items() if value is not None}


def _stated(body: Mapping[str, Any], taken: frozenset[str]) -> dict[str, Any]:
    if unknown := sorted(body.keys() - taken - _NOT_PASSED_ON):
        near = nearest(unknown[0], sorted(taken))
        hint = f"; did you mean {near!r}?" if near else ""
        raise Problem(400, "argument", f"{unknown[0]} is not taken from a request{hint}")
    return {name: value for name, value in body.items() if name in taken}


async def _served(orc: Orchestrator, body: dict[str, Any], tenant: str) -> Any:
    is_stream = body.pop("stream", None) is True
    if body["model"].startswith(_OURS):
        has_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        made = await _document(orc, body, tenant)
        return agui.response(_in_parts(made, has_usage)) if is_stream else JSONResponse(made)
    found = await orc.acompletion(**_stated(body, _CHAT), tenant=tenant, stream=is_stream)
    if is_stream:
        return agui.response(_chunks(found))
    return JSONResponse(found.model_dump(mode="json", exclude_none=True))


async def _document(orc: Orchestrator, body: Mapping[str, Any], tenant: str) -> dict[str, Any]:
    stated = {k: v for k, v in body.items() if k not in ("messages", "model")}
    asked = read_request(body["messages"], stated, tenant)
    route = body["model"].removeprefix(_OURS)
    made = await orc.generate_gmn(asked.prompt, model=route, **asked.options)
    text = json.dumps(as_schema_asks(made.spec)) if asked.wants_json else made.text
    usage = {
        "prompt_tokens": made.usage.prompt_tokens,
        "completion_tokens": made.usage.completion_tokens,
        "total_tokens": made.usage.total_tokens,
    }
    message = {"role": "assistant", "content": text}
    return {
        **_head("chat.completion", body["model"]),
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": usage,
    }


def _head(kind: str, model: str) -> dict[str, Any]:
    made = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time())}
    return {**made, "model": model}


async def _in_parts(made: Mapping[str, Any], has_usage: bool) -> AsyncIterator[str]:  # noqa: FBT001
    """A whole answer as a stream."""
    head = {**made, "object": "chat.completion.chunk"}
    usage, choices = head.pop("usage"), head.pop("choices")
    text = choices[0]["message"]["content"]

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    for start in range(0, len(text), _PART):
        yield chunk({"content": text[start : start + _PART]})
    yield chunk({}, "stop")
    if has_usage:
        yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"


async def _chunks(stream: Any) -> AsyncIterator[str]:
    try:
        async for chunk in stream:
            yield f"data: {chunk.model_dump_json(exclude_none=True)}\n\n"
    except Exception as error:  # noqa: BLE001  the status has been sent; the last part says it
        yield f"data: {json.dumps(openai_error(_problem(error)))}\n\n"
        return
    yield "data: [DONE]\n\n"


def _failure(error: BaseException, request: Request) -> JSONResponse:
    return problem_response(_problem(error), request.url.path)


def _problem(error: BaseException) -> Problem:
    """LiteLLM's own exceptions come through `acompletion`; they say their status."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 400 <= status < 600:
        # A provider's 401 is about this side's key; clients ask again after a 408.
        return Problem({401: 502, 403: 502, 500: 502, 408: 504}.get(status, status),
                       "provider", str(error))  # fmt: skip
    problem = problem_of(error)
    if isinstance(error, ConfigError) and error.key == "model":
        problem.status = 404  # as OpenAI says it
    elif problem.status == 422:
        problem.status = 400
    return problem
