"""What the OpenAPI document says beside the routes: problems, keys, events, examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import FastAPI

    Responses = dict[int | str, dict[str, Any]]

#: Statuses of problems, and when there is one.
_STATUSES = {
    400: "The request is not HTTP or JSON as it should be.", 401: "No valid key.",
    403: "A page of another site.", 404: "There is none.", 405: "The route has another method.",
    409: "The conversation has ended, or no answer is recorded.", 413: "The body is too large.",
    415: "The body is not plain JSON.", 421: "The name is not this service's.",
    422: "It cannot be done as asked.", 429: "Too much for now, or for today.",
    500: "A fault of this side.", 501: "An extra is not installed.", 502: "The model failed.",
    503: "Too many requests at once, or no model can be called.", 504: "It took too long.",
}  # fmt: skip
_EVENTS = {"example": 'data: {"type":"RUN_STARTED"}\n\n'}
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "orchestrator keys create"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class ProblemReply(BaseModel):
    """An error (RFC 9457), with what it carries."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{
            "type": "urn:gmn:problem:not_found", "title": "Not found", "status": 404,
            "detail": "there is no conversation 'x'",
        }]},
    )  # fmt: skip

    type: str
    title: str
    status: int
    detail: str


def problems() -> Responses:
    """The problems that any route may answer with."""
    content = {"application/problem+json": {"schema": _of("ProblemReply")}}
    return {code: {"description": says, "content": content} for code, says in _STATUSES.items()}


def openai_problems() -> Responses:
    """The same below ``/v1``."""
    members = {name: {"type": ["string", "null"]} for name in ("message", "type", "code", "param")}
    error = {"type": "object", "properties": members}
    schema = {"type": "object", "properties": {"error": error}, "required": ["error"]}
    content = {"application/json": {"schema": schema}}
    return {code: {"description": says, "content": content} for code, says in _STATUSES.items()}


def events(says: str = "Events, where they were asked for.") -> Responses:
    """An answer as events, beside the whole one."""
    return {200: {"description": says, "content": {"text/event-stream": _EVENTS}}}


def picture() -> Responses:
    """An answer that is a picture."""
    content = {"image/svg+xml": {"example": '<svg xmlns="http://www.w3.org/2000/svg"/>'}}
    return {200: {"description": "The picture.", "content": content}}


def body_of(
    required: Iterable[str], properties: dict[str, Any], example: dict[str, Any]
) -> dict[str, Any]:
    """A body that is read by hand."""
    schema = {"type": "object", "required": list(required), "properties": properties}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def complete(app: FastAPI, *, with_keys: bool, open_paths: Iterable[str]) -> None:
    """Make the document once, and say in it whether keys are demanded."""
    document = app.openapi()
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {})["ProblemReply"] = ProblemReply.model_json_schema()
    if with_keys:
        parts["securitySchemes"] = _KEYS
        document["security"] = [{name: []} for name in _KEYS]
        for path in open_paths:
            document["paths"][path]["get"]["security"] = []


def _of(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
