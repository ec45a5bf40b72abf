"""Errors as ``application/problem+json`` (RFC 9457), with the diagnostics they carry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse

from orchestrator.agents.errors import DatabaseError, EndedError, KeyInUseError, NotFoundError
from orchestrator.types import errors
from orchestrator.types.diagnostics import Report
from orchestrator.types.visible import logger_of, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logger_of(__name__)
#: By class, the most special first: status and kind.
_KINDS: Mapping[type[BaseException], tuple[int, str]] = {
    errors.RateLimitError: (429, "rate_limit"),
    errors.AuthenticationError: (502, "provider_key"),
    errors.ContextWindowExceededError: (422, "context_window"),
    errors.ContentPolicyError: (422, "content_policy"),
    errors.BadRequestError: (422, "refused_by_provider"),
    errors.DeadlineExceededError: (504, "deadline"),
    errors.BudgetExceededError: (429, "budget"),
    errors.NoDeploymentError: (503, "no_deployment"),
    errors.InvalidOutputError: (502, "invalid_output"),
    errors.ServiceUnavailableError: (503, "unavailable"),
    errors.CacheMissError: (409, "not_recorded"),
    errors.LLMError: (502, "provider"),
    errors.GMNError: (422, "invalid_document"),
    errors.ConfigError: (422, "setting"),
    errors.MissingExtraError: (501, "missing_extra"),
    NotFoundError: (404, "not_found"),
    KeyInUseError: (422, "key_in_use"),
    EndedError: (409, "ended"),
    DatabaseError: (503, "database"),
}

_TITLES = {
    400: "Bad request", 401: "No valid key", 403: "Not allowed", 404: "Not found",
    405: "Wrong method", 409: "Conflict", 413: "Too large", 415: "Wrong type", 421: "Wrong host",
    422: "Cannot be done as asked", 429: "Too much for now", 501: "Not installed",
    502: "The model failed", 503: "Not available", 504: "Too late",
}  # fmt: skip


class Problem(Exception):
    """A request that is refused, as it is said to its sender."""

    def __init__(
        self, status: int, kind: str, detail: str, *, retry_after_s: float = 0.0, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.retry_after_s = retry_after_s
        self.more = more

    def as_dict(self) -> dict[str, Any]:
        """The members of the problem document."""
        return {
            "type": f"urn:gmn:problem:{self.kind}",
            "title": _TITLES.get(self.status, "An internal fault"),
            "status": self.status,
            "detail": visible(self.detail, lines=True),
            **self.more,
        }


def problem_response(problem: Problem, path: str) -> JSONResponse:
    """The answer that says a problem; below ``/v1`` in OpenAI's shape."""
    headers = {}
    if problem.retry_after_s > 0:
        headers["Retry-After"] = str(math.ceil(problem.retry_after_s))
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if path.startswith("/v1/"):
        return JSONResponse(openai_error(problem), problem.status, headers)
    return JSONResponse(
        problem.as_dict(), problem.status, headers, media_type="application/problem+json"
    )


def openai_error(problem: Problem) -> dict[str, Any]:
    """A problem in OpenAI's shape."""
    said = {"message": visible(problem.detail, lines=True), "type": problem.kind}
    return {"error": {**said, "code": problem.kind, "param": None}}


def problem_of(error: BaseException) -> Problem:
    """What is said to the sender of a request that raised `error`.

    A fault of this side is said by its class alone; the log has the rest.
    """
    if isinstance(error, Problem):
        return error
    for kind, (status, name) in _KINDS.items():
        if isinstance(error, kind):
            return Problem(status, name, str(error), **_carried(error))
    if isinstance(error, ValueError | TypeError):
        return Problem(422, "argument", str(error))
    _log.error("A request failed.", exc_info=error)
    words = f"an internal fault ({type(error).__name__}); the log of the service has more"
    return Problem(500, "fault", words)


def _carried(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(error, errors.LLMError):
        found = {"deployment": error.deployment, "provider": error.provider, "run_id": error.run_id}
        if error.retry_after_s is not None:
            found["retry_after_s"] = error.retry_after_s
    report: Report | None = None
    if isinstance(error, errors.InvalidOutputError) and error.best is not None:
        report = error.best.evaluation.report
        found["best"] = error.best.evaluation.text
    elif isinstance(error, errors.GMNError) and isinstance(error.report, Report):
        report = error.report
    if report is not None:
        found["diagnostics"] = report.as_dict()["diagnostics"]
    return {name: value for name, value in found.items() if value not in ("", None)}
