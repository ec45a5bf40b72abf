"""LiteLLM's exceptions as ours: what happened, to which deployment, what to do; never a prompt.

LiteLLM's messages can quote the request and its own objects carry it, so neither the message nor
the original exception travels on: only its class, its status, and what they mean.
"""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator import errors

_BY_CLASS: dict[str, type[errors.LLMError]] = {
    "AuthenticationError": errors.AuthenticationError,
    "PermissionDeniedError": errors.AuthenticationError,
    "RateLimitError": errors.RateLimitError,
    "ContextWindowExceededError": errors.ContextWindowExceededError,
    "ContentPolicyViolationError": errors.ContentPolicyError,
    "BadRequestError": errors.BadRequestError,
    "UnsupportedParamsError": errors.BadRequestError,
    "UnprocessableEntityError": errors.BadRequestError,
    "NotFoundError": errors.BadRequestError,
    "Timeout": errors.ServiceUnavailableError,
    "RouterRateLimitError": errors.NoDeploymentError,
    "RouterRateLimitErrorBasic": errors.NoDeploymentError,
}
_BY_STATUS: dict[int, type[errors.LLMError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.AuthenticationError,
    404: errors.BadRequestError,
    408: errors.ServiceUnavailableError,
    413: errors.ContextWindowExceededError,
    422: errors.BadRequestError,
    429: errors.RateLimitError,
}
_ADVICE: dict[type[errors.LLMError], str] = {
    errors.AuthenticationError: "Check the key of this deployment: orchestrator doctor.",
    errors.RateLimitError: "Wait, lower the rate, or add a fallback to the route.",
    errors.ContextWindowExceededError: "Shorten the prompt or choose a model that reads more.",
    errors.ContentPolicyError: "Rephrase the request or choose another provider.",
    errors.BadRequestError: "Check the model name and the parameters of this deployment.",
    errors.NoDeploymentError: "Every deployment is resting after failures; try again shortly.",
    errors.ServiceUnavailableError: "Try again, or add a fallback to the route.",
}


def translated(
    error: Exception, *, route: str, provider: str = "", attempts: int = 0
) -> errors.LLMError:
    """The error of ours that says what `error` means, without anything that was sent."""
    kind = type(error).__name__
    status = int(getattr(error, "status_code", 0) or 0)
    ours = _BY_CLASS.get(kind) or _BY_STATUS.get(status) or errors.ServiceUnavailableError
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        ours = errors.ServiceUnavailableError
    if "response_format" in str(error) and status == 400:
        ours = errors.BadRequestError
    deployment = str(getattr(error, "failed_deployment_id", "") or "")
    who = deployment or provider or f"route {route!r}"
    said = f"{kind}, status {status}" if status else kind
    words = f"{who} failed ({said})" + (f" after {attempts} attempts" if attempts > 1 else "")
    return ours(
        f"{words}. {_ADVICE[ours]}",
        deployment=deployment,
        provider=provider or str(getattr(error, "llm_provider", "") or ""),
        status=status,
        retry_after_s=_retry_after(error),
        attempts=attempts,
    )


def _retry_after(error: Any) -> float | None:
    # `response` is LiteLLM's own stand-in and has no headers of the provider's.
    headers = getattr(error, "litellm_response_headers", None)
    value = headers.get("retry-after") if headers is not None else None
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None  # an HTTP date: the wait is unknown in seconds


def names_response_format(error: Exception) -> bool:
    """Whether a provider refused the request because of its response_format."""
    status = int(getattr(error, "status_code", 0) or 0)
    said = str(error).lower()
    return status in (400, 422) and any(
        word in said for word in ("response_format", "json_schema", "response format")
    )
