"""LiteLLM's exceptions as ours: what happened, to which deployment, what to do; never a prompt.

LiteLLM's messages can quote the request and its own objects carry it, so neither the message nor
the original exception travels on: only its class, its status, and what they mean.
"""

from __future__ import annotations

import email.utils
import math
import os
import re
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.models.secrets import Secrets, private_values
from orchestrator.routing import _litellm
from orchestrator.routing.context_window import in_class_of_too_long, is_too_long, window_in
from orchestrator.routing.progress import StoodStillError
from orchestrator.routing.redirects import RedirectRefusedError
from orchestrator.routing.resting import (
    REFUSALS,
    advice_where_spent,
    is_without_credit,
    nobody_free,
    words_of,
)
from orchestrator.types import errors
from orchestrator.types.requests import OutputMode
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from orchestrator.routing.resting import Cooldown
    from orchestrator.types.requests import WireAttempt

#: Attributes that name who was asked.
_NAMED = ("model", "llm_provider", "failed_deployment_id")
#: Attributes of LiteLLM's exceptions that hold the request or the provider's whole response.
_CARRIERS = ("litellm_debug_info", "request", "_request", "response", "body", "messages")
#: Arguments that hold what is said, and the fields of it that say nothing.
_SAID = ("messages", "input", "prompt", "tools", "functions", "response_format", "user")
_FORMAL = ("role", "type", "name", "required", "format", "title")
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
    402: errors.AuthenticationError,
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
_NO_ADDRESS = (
    "It takes no picture by this address, and nothing is fetched here: pass its bytes or a Path."
)
_TOOK_LONG = (
    "Allow more time with orchestrator.generation.timeout_s, or where a timeout is stated, or add a"
    " fallback to the route."
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
    wait_s: float | None = None,
    rests: Sequence[Cooldown] = (),
) -> errors.LLMError:
    """The `LLMError` that says what `error` means, without anything that was sent.

    `attempts` reached the wire; `last` is the latest of all, where it did not. `wait_s` is in how
    many seconds the first deployment is free again, where that is known; `rests` are the
    deployments that rest, where none could be asked.
    """
    kind = type(error).__name__
    if kind == _FORKED:
        return errors.NoDeploymentError(_AFTER_FORK)
    ours, status = _kind_of(error, is_resting=wait_s is not None)
    if ours is errors.NoDeploymentError and rests:
        return nobody_free(rests, route, attempts)
    last = last or (attempts[-1] if attempts else None)
    named = str(getattr(error, "failed_deployment_id", "") or "")
    deployment = named or (last.deployment if last else "")
    provider = (last.provider if last else "") or str(getattr(error, "llm_provider", "") or "")
    wait_s = wait_s if (stated := retry_after(error)) is None else stated
    what, advice = _cause(error, ours, status)
    words = f"{deployment or provider or f'route {route!r}'} failed ({what})"
    words += f" after {len(attempts)} attempts" if len(attempts) > 1 else ""
    words += f": {REFUSALS[402]}" if is_without_credit(error) else ""
    if issubclass(ours, errors.RateLimitError) and wait_s is not None:
        words += f"; {again_in(wait_s)}"
    failure = ours(
        f"{words}. {advice}",
        deployment=deployment,
        provider=provider,
        status=status,
        retry_after_s=wait_s,
        wire_attempts=len(attempts),
    )
    return _with_window(failure, *window_in(str(error).lower()))


def _cause(error: Exception, ours: type[errors.LLMError], status: int) -> tuple[str, str]:
    """What an error says, and what to do about it."""
    kind = type(error).__name__
    still = _stood_still(error)
    what = (
        str(_redirect(error) or "")
        or still[0]
        or _unreachable(error, str(error).lower())
        or (f"{kind}, status {status}" if status else kind)
    )
    if advice := advice_where_spent(error):
        return what, advice
    known = {"ImageFetchError": _NO_ADDRESS, "Timeout": _TOOK_LONG}
    return what, still[1] or known.get(kind, _ADVICE[ours])


def _stood_still(error: BaseException) -> tuple[str, str]:
    """What stood still, and what to do; empty where nothing did."""
    found = (one for one in _causes(error) if isinstance(one, StoodStillError))
    one = next(found, None)
    return ("", "") if one is None else (str(one.args[0]), str(one.args[1]))


def _with_window(failure: errors.LLMError, window: int, prompt: int) -> errors.LLMError:
    if isinstance(failure, errors.ContextWindowExceededError) and window:
        failure.context_tokens, failure.prompt_tokens = window, prompt
        words = f"{prompt or 'too many'} prompt tokens, and a context window of {window}"
        failure.args = (f"{failure} The server says: {words}.",)
    return failure


def _kind_of(error: Exception, *, is_resting: bool) -> tuple[type[errors.LLMError], int]:
    """Our class for an error, and its status; `is_resting`: all rest after rate limits."""
    kind = type(error).__name__
    status = int(getattr(error, "status_code", 0) or 0)
    said = words_of(error)
    # The class LiteLLM chooses for a refused key differs by provider; the status does not.
    by_status = _BY_STATUS.get(status)
    ours = by_status if status in REFUSALS else _BY_CLASS.get(kind) or by_status
    ours = ours or errors.ServiceUnavailableError
    if type(error) is TimeoutError:
        ours = errors.DeadlineExceededError
    elif is_rate_limit(error) or (kind == "RouterRateLimitError" and is_resting):
        ours = errors.RateLimitError
    elif is_without_credit(error):  # Anthropic says it with a 400
        ours = errors.AuthenticationError
    elif "error converting to valid response block" in said:
        ours, status = errors.ServiceUnavailableError, 0  # LiteLLM's own 422: not JSON came back
    elif issubclass(ours, errors.BadRequestError):
        ours = _read(said, ours)
    return ours, status


def _read(said: str, ours: type[errors.LLMError]) -> type[errors.LLMError]:
    """LiteLLM tells these two apart for some providers only."""
    if is_too_long(said):
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
    if (refused := _redirect(error)) is not None:
        made = litellm.BadRequestError(message=str(refused), model=model, llm_provider=provider)
        made.__cause__ = refused
        return made  # type: ignore[no-any-return]
    if (longer := in_class_of_too_long(error, model, provider)) is not None:
        return longer
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


def _redirect(error: Exception) -> RedirectRefusedError | None:
    found = (one for one in _causes(error) if isinstance(one, RedirectRefusedError))
    return next(found, None)


def cleaned(error: Exception, sent: Mapping[str, Any], secrets: Iterable[str]) -> Exception:
    """LiteLLM's own exception without what was sent: providers quote it in their words."""
    # A single word of a prompt says nothing, and stands in many a message.
    said = [text for name in _SAID for text in _texts(sent.get(name)) if not text.isalpha()]
    names = [str(value) for name in _NAMED if (value := getattr(error, name, None))]
    private = Secrets([*secrets, *private_values(sent), *said], names=names)
    for name, value in list(vars(error).items()):
        if name in _CARRIERS:
            setattr(error, name, None)
        elif isinstance(value, str) and name not in _NAMED:
            setattr(error, name, visible(private.removed(value)[0], lines=True))
    error.args = tuple(
        visible(private.removed(a)[0], lines=True) if isinstance(a, str) else a for a in error.args
    )
    error.__context__ = error.__cause__ = None
    return error


def stating(error: Any, more: str) -> Exception:
    """LiteLLM's own exception with `more` in its words."""
    error.message = f"{getattr(error, 'message', error)} ({more})"
    if more not in str(error):  # the text of some of LiteLLM's classes is their arguments
        error.args = (error.message,)
    return error  # type: ignore[no-any-return]


def again_in(seconds: float) -> str:
    """When a deployment may be asked again, in words."""
    return f"it can be asked again in {seconds:.{0 if seconds >= 10 else 1}f} s"


def _texts(value: Any) -> Iterator[str]:
    """Every text in what was said to a model."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if name not in _FORMAL:
                yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def is_rate_limit(error: Exception) -> bool:
    """Whether a limit was reached: of the Router's own (rpm, tpm) where nothing was sent."""
    names = ("RateLimitError", "RouterRateLimitErrorBasic")
    return any(kind.__name__ in names for kind in type(error).__mro__)


def retry_after(error: Any) -> float | None:
    """Seconds after which a provider may be asked again; None where it does not say.

    Read from ``retry-after-ms`` and from ``retry-after``, in seconds or as an HTTP date; a date is
    compared with the provider's own clock where it sends one.
    """
    response = getattr(error, "response", None)
    headers = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None)
    if not headers:
        return None
    stated = {str(name).lower(): str(value) for name, value in dict(headers).items()}
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(stated.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    then, now = _moment(stated.get("retry-after", "")), _moment(stated.get("date", ""))
    return None if then is None else max(then - (now or time.time()), 0.0)


def _moment(date: str) -> float | None:
    """Seconds since 1970 of an HTTP date."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def names_response_format(error: Exception, mode: OutputMode) -> bool:
    """Whether a provider refused the request because of its output mode."""
    status = int(getattr(error, "status_code", 0) or 0)
    said = str(error).lower()
    # llama-cpp-python's server says 500 of a form that it does not know.
    is_refusal = status in (400, 422) or (status == 500 and "literal_error" in said)
    return is_refusal and any(word in said for word in _MODE_WORDS[mode])


def refused_parameters(error: Exception, names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that a deployment refused, or that LiteLLM knows it to refuse."""
    if int(getattr(error, "status_code", 0) or 0) not in (400, 422):
        return frozenset()
    said = str(error).lower()
    return frozenset(name for name in names if re.search(rf"\b{name}\b", said))
