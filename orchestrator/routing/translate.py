"""LiteLLM's exceptions as ours: what happened, to which deployment, what to do; never a prompt.

LiteLLM's messages can quote the request and its own objects carry it, so neither the message nor
the original exception travels on: only its class, its status, and what they mean.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.types import errors
from orchestrator.types.requests import OutputMode

if TYPE_CHECKING:
    from orchestrator.types.requests import WireAttempt

_SHORTEST_SECRET = 6  # words this short are not secrets, and removing them would maim the message
#: Attributes of LiteLLM's exceptions that hold the request or the provider's whole response.
_CARRIERS = ("litellm_debug_info", "request", "_request", "response", "body", "messages")
_TOO_LONG = ("context length", "context window", "maximum context", "too many tokens",
             "prompt is too long", "exceeds the maximum number of tokens", "input length",
             "context_length_exceeded", "longer than")  # fmt: skip
_FORMAT_WORDS = ("response_format", "json_schema", "response format", "response_schema",
                 "structured output")  # fmt: skip
_MODE_WORDS = {
    OutputMode.JSON_SCHEMA: _FORMAT_WORDS,
    OutputMode.TOOL_CALL: ("tool", "function"),
    OutputMode.JSON_OBJECT: _FORMAT_WORDS,
    OutputMode.PROMPT: (),
}
_DECLINED = ("content_policy", "content policy", "content filter", "content_filter",
             "safety system", "responsibleaipolicy")  # fmt: skip

#: Exceptions of httpx, httpx2 and aiohttp, of a request that was sent and of one that was not.
_ON_THE_WIRE = ("HTTPStatusError", "ReadTimeout", "ReadError", "WriteTimeout", "WriteError",
                "RemoteProtocolError", "ClientResponseError")  # fmt: skip
_NOT_CONNECTED = ("ConnectError", "ConnectTimeout", "ClientConnectorError")
_NO_HOST = ("ClientConnectorDNSError", "PoolTimeout", "UnsupportedProtocol")
#: What openai's client, and LiteLLM's code for gemini, raise for a missing key; what they raise for
#: an answer has a class of its own.
_NO_KEY = ("openai.OpenAIError", "builtins.ValueError")

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
_FORKED = "ForkedAfterNativeRuntimeStarted"  # LiteLLM's
_AFTER_FORK = (
    "this process was forked from one that had called a model, and LiteLLM cannot call any from"
    " here. Fork before the first call, or start workers with spawn or forkserver."
)
_ADVICE: dict[type[errors.LLMError], str] = {
    errors.AuthenticationError: "Check the key of this deployment: orchestrator doctor.",
    errors.RateLimitError: "Wait, lower the rate, or add a fallback to the route.",
    errors.ContextWindowExceededError: "Shorten the prompt or choose a model that reads more.",
    errors.ContentPolicyError: "Rephrase the request or choose another provider.",
    errors.BadRequestError: "Check the model name and the parameters of this deployment.",
    errors.NoDeploymentError: "Every deployment is resting after failures; try again shortly.",
    errors.DeadlineExceededError: "Ask for less, or allow more time.",
    errors.ServiceUnavailableError: "Try again, or add a fallback to the route.",
}


def translated(
    error: Exception,
    *,
    route: str,
    attempts: Sequence[WireAttempt] = (),
    last: WireAttempt | None = None,
) -> errors.LLMError:
    """The `LLMError` that says what `error` means, without anything that was sent.

    `attempts` reached the wire; `last` is the latest of all, where it did not.
    """
    kind = type(error).__name__
    if kind == _FORKED:
        return errors.NoDeploymentError(_AFTER_FORK)
    status = int(getattr(error, "status_code", 0) or 0)
    said = str(error).lower()
    # The class LiteLLM chooses for a refused key differs by provider; the status does not.
    by_status = _BY_STATUS.get(status)
    ours = by_status if status in (401, 403) else _BY_CLASS.get(kind) or by_status
    ours = ours or errors.ServiceUnavailableError
    if type(error) is TimeoutError:
        ours = errors.DeadlineExceededError
    elif is_rate_limit(error):
        ours = errors.RateLimitError
    elif "error converting to valid response block" in said:
        ours, status = errors.ServiceUnavailableError, 0  # LiteLLM's own 422: not JSON came back
    elif issubclass(ours, errors.BadRequestError):
        ours = _read(said, ours)
    last = last or (attempts[-1] if attempts else None)
    named = str(getattr(error, "failed_deployment_id", "") or "")
    deployment = named or (last.deployment if last else "")
    provider = (last.provider if last else "") or str(getattr(error, "llm_provider", "") or "")
    what = _unreachable(error, said) or (f"{kind}, status {status}" if status else kind)
    who = deployment or provider or f"route {route!r}"
    words = f"{who} failed ({what})"
    words += f" after {len(attempts)} attempts" if len(attempts) > 1 else ""
    return ours(
        f"{words}. {_ADVICE[ours]}",
        deployment=deployment,
        provider=provider,
        status=status,
        retry_after_s=_retry_after(error),
        attempts=len(attempts),
    )


def _read(said: str, ours: type[errors.LLMError]) -> type[errors.LLMError]:
    """LiteLLM tells these two apart for some providers only."""
    if any(words in said for words in _TOO_LONG):
        return errors.ContextWindowExceededError
    return errors.ContentPolicyError if any(words in said for words in _DECLINED) else ours


def _unreachable(error: Exception, said: str) -> str:
    """LiteLLM reports a server that cannot be reached as its own status 500."""
    for seen in _causes(error):
        if isinstance(seen, OSError) and (seen.errno or 0) < 0:  # what getaddrinfo says
            return "it cannot be reached: its name is not known here, or there is no network"
        if isinstance(seen, OSError) and seen.errno is not None:
            return f"it cannot be reached: {os.strerror(seen.errno)}"
    return "it cannot be reached" if "connection error" in said or "cannot connect" in said else ""


def shows_the_wire(error: BaseException) -> bool:
    """Whether a failure shows that its request was sent: an HTTP status, a connection that broke.

    LiteLLM refuses some requests itself (no key, a parameter that the provider does not have).
    """
    return not is_before_the_wire(error) and any(
        type(one).__name__ in _ON_THE_WIRE or isinstance(one, ConnectionError | TimeoutError)
        for one in _causes(error)
    )


def is_before_the_wire(error: BaseException) -> bool:
    """Whether a failure shows that no host was even found, so that nothing can have been sent.

    A host that refuses the connection was asked: it is down, and its health shows it.
    """
    return any(
        type(one).__name__ in _NO_HOST or isinstance(one, socket.gaierror) for one in _causes(error)
    )


def misses_a_key(error: BaseException) -> bool:
    """Whether LiteLLM, or the client that it uses, refused a request for want of a key."""
    _, *behind = _causes(error)
    return any(f"{type(one).__module__}.{type(one).__name__}" in _NO_KEY for one in behind)


def is_given_up(error: BaseException) -> bool:
    """Whether this side stopped waiting for an answer that the provider may still give."""
    causes = list(_causes(error))
    return not any(type(one).__name__ in _NOT_CONNECTED for one in causes) and any(
        isinstance(one, TimeoutError) or type(one).__name__ == "ReadTimeout" for one in causes
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and those behind it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def in_litellms_class(error: Exception, *, model: str, provider: str) -> Exception:
    """LiteLLM's class for an exception of a provider or of a connection.

    LiteLLM 1.110 lets them through raw where a stream is opened late (gemini), so that no ``except
    litellm.BadRequestError`` would catch them; that of a connection even carries the request, key
    included. openai 3 brings a transport with exceptions of its own.
    """
    litellm = _litellm.load()
    import httpx  # noqa: PLC0415  70 ms before LiteLLM is loaded, nothing after it

    raw = [litellm.llms.base_llm.chat.transformation.BaseLLMException, httpx.HTTPError]
    if httpx2 := sys.modules.get("httpx2"):
        raw.append(httpx2.HTTPError)
    if not isinstance(error, tuple(raw)):
        return error
    try:
        litellm.exception_type(model=model, original_exception=error, custom_llm_provider=provider)
    except Exception as made:  # noqa: BLE001  raising is how it answers
        for stamp, value in vars(error).items():  # the Router reads its own: retries, deployment
            if not stamp.startswith("_") and getattr(made, stamp, None) is None:
                setattr(made, stamp, value)
        return made
    return error


def cleaned(error: Exception, sent: Mapping[str, Any], secrets: Iterable[str]) -> Exception:
    """LiteLLM's own exception without what was sent: providers quote it in their words."""
    private = [
        *secrets,
        *_words_of({k: v for k, v in sent.items() if k not in ("model", "stream")}),
    ]
    for name, value in list(vars(error).items()):
        if isinstance(value, str):
            setattr(error, name, _without(value, private))
        elif name in _CARRIERS:
            setattr(error, name, None)
    error.args = tuple(_without(a, private) if isinstance(a, str) else a for a in error.args)
    error.__context__ = error.__cause__ = None
    return error


def _words_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= _SHORTEST_SECRET:
            yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _words_of(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _words_of(part)


def _without(text: str, private: Iterable[str]) -> str:
    for words in private:
        text = text.replace(words, "[removed]")
    return text


def is_rate_limit(error: Exception) -> bool:
    """Whether a limit was reached: of the Router's own (rpm, tpm) where nothing was sent."""
    names = ("RateLimitError", "RouterRateLimitErrorBasic")
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _retry_after(error: Any) -> float | None:
    # Not `response`, which some of LiteLLM's exceptions only make up.
    headers = getattr(error, "litellm_response_headers", None)
    value = headers.get("retry-after") if headers is not None else None
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None  # an HTTP date: the wait is unknown in seconds


def names_response_format(error: Exception, mode: OutputMode) -> bool:
    """Whether a provider refused the request because of its output mode."""
    status = int(getattr(error, "status_code", 0) or 0)
    said = str(error).lower()
    return status in (400, 422) and any(word in said for word in _MODE_WORDS[mode])
