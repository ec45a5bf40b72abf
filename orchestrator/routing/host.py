"""The host of LiteLLM's Router: records every attempt of a call, whole answers and streams.

LiteLLM's Router decides which deployment is asked and how often, and hands each attempt to its
host, which calls ``litellm.acompletion`` or ``litellm.aembedding``. What the host returns is the
answer of the attempt, and what it raises is its failure, which the Router then retries, passes on
to a fallback, and counts towards a cooldown.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.routing.counts import is_count
from orchestrator.routing.finish_reasons import corrected, reasons_in_text, unfinished
from orchestrator.routing.grammar import with_grammar
from orchestrator.routing.progress import stood_still
from orchestrator.routing.refusals import HeardParts, heard_source
from orchestrator.routing.resting import REFUSALS
from orchestrator.routing.translate import refused_parameters
from orchestrator.routing.whole import whole_answer
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from orchestrator.routing.attempts import AttemptRecord, Trace

_log = logger_of(__name__)
#: The argument of a Router's call that carries its trace to the host; it goes no further.
TRACE = "orchestrator_trace"
_RECORDED = ("acompletion", "aembedding")
_STREAM = frozenset({"stream", "stream_options"})


@dataclass(frozen=True, slots=True)
class HostedRouter:
    """A Router of LiteLLM's that was built with our host."""

    router: Any


def hosted_router(*given: Any, **arguments: Any) -> HostedRouter:
    """LiteLLM's Router from its own constructor's arguments, with a host that records attempts.

    Raises: TypeError: LiteLLM's Router has no such argument.
    """
    litellm = _litellm.load()
    named = litellm.router.router_arguments(*given, **arguments)
    config = litellm.router_config.build_router_config(named)
    return HostedRouter(litellm.Router.from_config(config, _host()))


@functools.cache
def _host() -> Any:
    base = _litellm.load().router_python_host.PythonHost

    class RecordingHost(base):  # type: ignore[misc, valid-type]  # known at run time only
        """LiteLLM's own host, with a record of each attempt."""

        __slots__ = ()

        def invoke(self, op: str) -> Any:
            endpoint = super().invoke(op)
            if op == "aembedding":
                endpoint = functools.partial(_without_retries, endpoint)
            return functools.partial(_attempt, endpoint) if op in _RECORDED else endpoint

    return RecordingHost()


class _Stated0(int):
    """A 0 that LiteLLM does not take for an argument that is not set."""

    def __bool__(self) -> bool:
        return True


def _without_retries(endpoint: Callable[..., Awaitable[Any]], **arguments: Any) -> Awaitable[Any]:
    # LiteLLM 1.110 reads `max_retries or 2`: the provider's client would try again by itself, wait
    # up to a minute before it, and no sibling would be asked meanwhile.
    return endpoint(**{**arguments, "max_retries": _Stated0()})


async def _attempt(
    endpoint: Callable[..., Awaitable[Any]],
    *,
    orchestrator_trace: Trace | None = None,
    **arguments: Any,  # LiteLLM's own, one deployment's included
) -> Any:
    """One attempt; another one where the deployment refuses a parameter that may be left out."""
    if orchestrator_trace is None:
        return await endpoint(**arguments)
    trace, deployment = orchestrator_trace, str((arguments.get("model_info") or {}).get("id") or "")
    known = left_out = trace.refused.get(deployment, frozenset()) & trace.optional
    was_blank = False
    while True:
        arguments = {key: value for key, value in arguments.items() if key not in left_out}
        try:
            response = await _recorded(endpoint, trace, arguments)
            break
        except Exception as error:
            refused = refused_parameters(error, trace.optional & arguments.keys())
            if not (refused or _is_asked_whole(trace, arguments, error)):
                raise
            if type(error).__name__ == "UnsupportedParamsError":  # LiteLLM's own: nothing was sent
                trace.withdraw()
            was_blank = trace.latest is not None and trace.latest.is_blank
        left_out |= refused
    if was_blank:  # it answers, and not in a stream: from now on it is asked for the whole at once
        trace.refused[deployment] = trace.refused.get(deployment, frozenset()) | _STREAM
    if left_out != known:
        trace.refused[deployment] = trace.refused.get(deployment, frozenset()) | left_out
        _log.info("%s takes no %s: asked without", deployment, ", ".join(sorted(left_out)))
    return response


def _is_asked_whole(trace: Trace, arguments: Mapping[str, Any], error: Exception) -> bool:
    """Whether a whole answer is asked for after all: a stream said nothing, or is refused.

    A server that refuses streams is held to no pace from now on. Of one whose stream said nothing
    only this call is asked so: llama-cpp-python's says in a whole answer alone why it refuses.
    """
    last = trace.latest
    if last is None or last.pace is None or arguments.get("stream"):
        return False
    if last.is_broken or last.is_blank:
        trace.asked_whole.add(last.deployment)
        return True
    if not refused_parameters(error, _STREAM):
        return False
    trace.refused[last.deployment] = trace.refused.get(last.deployment, frozenset()) | _STREAM
    _log.info("%s speaks no streams: asked for whole answers", last.deployment)
    return True


async def _recorded(
    endpoint: Callable[..., Awaitable[Any]], trace: Trace, arguments: dict[str, Any]
) -> Any:
    """One call: its answer, or its failure in LiteLLM's class.

    A stream is opened here, under the attempt's timeout, because some providers (gemini) send
    nothing before.
    """
    attempt = trace.begin(arguments)
    arguments["logger_fn"] = _both(attempt.logged, arguments.get("logger_fn"))
    try:
        response = await _opened(endpoint, attempt, trace, arguments)
        is_stream = isinstance(response, _litellm.load().CustomStreamWrapper)
        if not is_stream and (lacking := _lacking(response, attempt)) is not None:
            attempt.heard, attempt.was_sent = (response,), True
            raise lacking  # noqa: TRY301  as any failure
    except asyncio.CancelledError:
        attempt.cancelled()
        raise
    except Exception as error:  # noqa: BLE001  recorded, and raised in LiteLLM's class
        failure = _once_if_refused(attempt.failed(error), arguments)
    else:
        if not is_stream:
            _hold_counts(response)
            attempt.answered(response)
            return response
        stream = _recorded_stream(response, attempt)
        return stream if arguments.get("stream") else await whole_answer(stream, trace)
    raise failure


def _once_if_refused(error: Exception, arguments: Mapping[str, Any]) -> Exception:
    """The error of a key that may not do this, without retries where no sibling could be asked.

    LiteLLM 1.110 has a class for a 403 of some providers only; those of openai and gemini come as
    errors that it retries, and no retry policy can name them without others.
    """
    is_alone = (arguments.get("metadata") or {}).get("model_group_size") == 1
    if is_alone and getattr(error, "status_code", 0) in REFUSALS:
        error.num_retries = 0  # type: ignore[attr-defined]  # where the Router reads it first
    return error


async def _opened(
    endpoint: Callable[..., Awaitable[Any]],
    attempt: AttemptRecord,
    trace: Trace,
    arguments: dict[str, Any],
) -> Any:
    """What the endpoint gives; a stream is open, also in place of a whole answer where the server
    is held to a pace."""
    if attempt.deployment in trace.own:
        arguments = with_grammar(arguments, trace.grammar)
    if (pace := attempt.pace) is None:
        if attempt.deployment in trace.paces:
            arguments = {**arguments, "timeout": trace.paces[attempt.deployment].first_token_s}
        response = await endpoint(**arguments)
        if isinstance(response, _litellm.load().CustomStreamWrapper):
            await response.fetch_stream()
        return response
    try:
        async with asyncio.timeout(attempt.patience_s(has_said=False)) as limit:
            response = await endpoint(**pace.asked(arguments))
            if isinstance(response, _litellm.load().CustomStreamWrapper):
                await response.fetch_stream()
    except TimeoutError:
        if not limit.expired():
            raise
        failure = stood_still(attempt, pace)
        raise failure from failure.__cause__
    return response


def _hold_counts(response: Any) -> None:
    """Take a count that cannot be for one that was not said: LiteLLM's native Router holds neither
    one below 0 nor one beyond 64 bits."""
    usage = getattr(response, "usage", None)
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if not is_count(getattr(usage, name, None) or 0):
            setattr(usage, name, 0)


def _both(ours: Callable[[Any], None], theirs: Any) -> Callable[[Any], None]:
    """LiteLLM's ``logger_fn``: ours, and the caller's own where there is one."""
    if not callable(theirs):
        return ours

    def log(details: Any) -> None:
        ours(details)
        theirs(details)

    return log


def is_empty(response: Any) -> bool:
    """Whether a whole response holds no choice and no embedding: a server answered nothing."""
    found = [getattr(response, name, None) for name in ("choices", "data")]
    return any(one is not None for one in found) and not any(found)


def _lacking(response: Any, attempt: AttemptRecord) -> Exception | None:
    """The error for an answer that is empty, or that its provider did not finish."""
    if is_empty(response):
        return _said_nothing(attempt.provider, attempt.model)
    choices = getattr(response, "choices", None) or ()
    why = corrected(choices, reasons_in_text(attempt.came))
    return unfinished(why, model=attempt.model, provider=attempt.provider) if why else None


def _recorded_stream(stream: Any, attempt: AttemptRecord) -> Any:
    """The same stream; how it ends is how the attempt ends."""
    recorded = _stream_class().__new__(_stream_class())
    # The base's own constructor would begin a second stream; its whole state is in this one.
    vars(recorded).update(vars(stream))
    recorded.attempt, attempt.heard = attempt, stream.chunks
    recorded.totals = None
    recorded.has_said = recorded.is_over = False
    recorded.held = []
    recorded.dropped = HeardParts()
    recorded.completion_stream = heard_source(recorded.completion_stream, recorded.dropped)
    return recorded


@functools.cache
def _stream_class() -> Any:
    base = _litellm.load().CustomStreamWrapper

    class RecordedStream(base):  # type: ignore[misc, valid-type]  # known at run time only
        """LiteLLM's stream of one attempt.

        Parts that say nothing are held until one does, or the stream ends: a stream that says
        nothing at all fails its attempt, and the Router goes on to the next.
        """

        attempt: AttemptRecord
        totals: Any
        has_said: bool
        is_over: bool
        held: list[Any]
        dropped: HeardParts

        async def __anext__(self) -> Any:
            while not (self.has_said or self.is_over):
                try:
                    self.held.append(await _next_part(self, super().__anext__))
                except StopAsyncIteration:
                    self.is_over = True  # what is held is all there is
            if self.held:
                return self.held.pop(0)
            if self.is_over:
                raise StopAsyncIteration
            return await _next_part(self, super().__anext__)

        async def aclose(self) -> None:
            self.attempt.cancelled()
            await super().aclose()

        def _should_fail_on_clean_eof(self) -> bool:
            # LiteLLM asks it where a body ended in good order.
            self.attempt.is_blank = not self.has_said
            return _lacks_its_end(self)

    return RecordedStream


def _lacks_its_end(stream: Any) -> bool:
    """Whether a stream that is over was cut off.

    LiteLLM asks this of streams in OpenAI's form alone; to the others it adds an end ``stop``.
    """
    ends = (stream.received_finish_reason, stream.intermittent_finish_reason)
    if stream.dropped.says_end is False and set(ends) <= {None, "stop"}:
        return True
    return not (stream.is_mock or any(ends) or stream.received_any_finish_reason)


async def _next_part(stream: Any, read: Callable[[], Awaitable[Any]]) -> Any:
    """The next part of an attempt's stream; its end and its errors are those of the attempt."""
    attempt: AttemptRecord = stream.attempt
    patience_s = attempt.patience_s(has_said=stream.has_said)
    try:
        async with asyncio.timeout(patience_s) as limit:
            part = await _read(stream, read)
    except StopAsyncIteration:
        if not stream.has_said and stream.totals is None and not _ends_on_purpose(stream.held):
            nothing = _said_nothing(stream.custom_llm_provider, stream.model)
            raise attempt.failed(nothing) from None
        attempt.answered(Totals(stream.totals, stream))
        raise
    except asyncio.CancelledError:
        attempt.cancelled()
        raise
    except Exception as error:  # noqa: BLE001  recorded, and raised in LiteLLM's class
        # A stream that breaks after content goes on only as LiteLLM's own exception says.
        cause = getattr(error, "original_exception", None)
        if isinstance(error, ValueError) and (why := stream.dropped.error):
            # LiteLLM 1.110 reads the code of an error in a stream as a number.
            cause = unfinished(why, model=attempt.model, provider=attempt.provider)
        attempt.is_broken = not (stream.has_said or attempt.is_blank or limit.expired())
        if attempt.pace is not None and limit.expired():
            cause = stood_still(attempt, attempt.pace)
        failure = attempt.failed(cause if isinstance(cause, Exception) else error)
        if not getattr(error, "is_pre_first_chunk", True):
            failure = error
    else:
        stream.has_said = stream.has_said or says_something(part)
        if getattr(part, "usage", None) is not None:
            stream.totals = part
        return part
    raise failure


async def _read(stream: Any, read: Callable[[], Awaitable[Any]]) -> Any:
    part = await read()
    if why := stream.dropped.show(part):
        raise unfinished(why, model=stream.model, provider=stream.custom_llm_provider)
    return part


def _ends_on_purpose(parts: list[Any]) -> bool:
    """LiteLLM makes up the end ``stop`` for a stream that says nothing, and no other."""
    ends = [choice.finish_reason for part in parts for choice in part.choices]
    return any(end not in (None, "stop") for end in ends)


def says_something(part: Any, *, or_ends: bool = False) -> bool:
    """Whether a part of a stream holds content; with `or_ends` also whether it ends the answer."""
    for choice in getattr(part, "choices", None) or []:
        if or_ends and choice.finish_reason:
            return True
        if any(value for key, value in choice.delta.model_dump().items() if key != "role"):
            return True
    return False


def _said_nothing(provider: object, model: object) -> Exception:
    """LiteLLM makes an empty stream, or one that is not a stream, into an empty answer."""
    error: Exception = _litellm.load().APIConnectionError(
        message="the answer ended before it said anything",
        llm_provider=str(provider or ""),
        model=str(model or ""),
    )
    return error


class Totals:
    """What a finished stream took, under the names of a whole response."""

    def __init__(self, last: Any, stream: Any) -> None:
        self.usage = getattr(last, "usage", None)
        self.model = getattr(last, "model", "")
        self._hidden_params = {**(getattr(stream, "_hidden_params", None) or {})}
        self._hidden_params.pop("response_cost", None)
        provider = str(getattr(stream, "custom_llm_provider", "") or "")
        self._hidden_params.setdefault("custom_llm_provider", provider)
