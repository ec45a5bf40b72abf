"""Every attempt on the wire: who was asked, what came of it, what it took."""

from __future__ import annotations

import asyncio
import functools
import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.result import Usage, WireAttempt
from orchestrator.routing import _litellm
from orchestrator.routing.translate import in_litellms_class
from orchestrator.tally import current
from orchestrator.usage import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.models.health import Monitor
    from orchestrator.tally import Tally

TRACE = "orchestrator_trace"
# A number is enough within a process; randomness is a system call, which costs ten times a trace.
_NUMBERS = itertools.count(1)


@dataclass(slots=True)
class _Attempt:
    """One that left; `made` once it ended."""

    call: str  # LiteLLM's id of it; its retries share it where a caller chose it
    deployment: str
    provider: str
    model: str
    at: float
    told: Any = field(repr=False)  # LiteLLM's own record, kept while it is under way
    made: WireAttempt | None = None


@dataclass(slots=True)
class Trace:
    """The attempts of one call, as LiteLLM reports them: each when it is sent, and how it ends.

    Attributes:
        id: its own within this process.
        when_sent: called with the timeout that LiteLLM settled for an attempt as it leaves.
    """

    id: str = field(default_factory=lambda: str(next(_NUMBERS)))
    tally: Tally | None = field(default_factory=current)
    when_sent: Callable[[Any], Any] | None = None
    _attempts: list[_Attempt] = field(default_factory=list)

    @property
    def sent_count(self) -> int:
        """How many have left the process so far."""
        return len(self._attempts)

    @property
    def ended(self) -> list[WireAttempt]:
        """Those that ended, in the order in which they were sent."""
        return [one.made for one in self._attempts if one.made is not None]

    def sent(self, told: Any) -> None:
        """An attempt leaves."""
        metadata = _metadata(told)
        deployment = str((metadata.get("model_info") or {}).get("id", ""))
        model = str(told.get("model") or "")
        call = str(told.get("litellm_call_id") or "")
        self._attempts.append(_Attempt(call, deployment, _provider(told), model, clock(), told))
        if self.when_sent is not None:
            self.when_sent(told["litellm_params"].get("timeout"))

    def failed(self, told: Any) -> None:
        """LiteLLM tells of a failure; it may do so when the next attempt is under way."""
        call = str(told.get("litellm_call_id") or "")
        mine = next((one for one in self._under_way() if one.call == call), None)
        if mine is not None:
            error = told.get("exception")
            _end(mine, *_named(in_litellms_class(error, model=mine.model, provider=mine.provider)))

    def untold(self, since: int) -> list[Any]:
        """LiteLLM's records of those sent since that count that are under way for all we know."""
        return [one.told for one in self._attempts[since:] if one.made is None]

    def answered(self, response: Any) -> WireAttempt:
        """The attempt under way gave `response`, or the last part of a stream."""
        hidden = getattr(response, "_hidden_params", {}) or {}
        call = hidden.get("litellm_call_id")
        under_way = self._under_way()
        if not under_way:  # the embedded provider sends nothing
            under_way = [_Attempt("", "", "", "", clock(), None)]
            self._attempts += under_way
        sent = next((one for one in under_way if one.call == call), under_way[0])
        # A stream that passed on to a fallback still names who was asked first.
        sent.deployment = sent.deployment or str(hidden.get("model_id") or "")
        sent.provider = sent.provider or str(hidden.get("custom_llm_provider") or "")
        sent.model = str(getattr(response, "model", "") or sent.model)
        return _end(sent, "answered", 200, usage_of(response), cost_of(response))

    def left(self, error: BaseException | None = None) -> None:
        """Nobody waits any more for what is under way: because of `error`, or they went away."""
        following: _Attempt | None = None
        for one in reversed(self._attempts):
            if one.made is None:
                # A Router that is not ours may tell nothing of one and go on to the next.
                outcome = _named(error) if following is None else ("failed", 0)
                _end(one, *outcome, at=None if following is None else following.at)
            following = one

    def _under_way(self) -> list[_Attempt]:
        """Latest first: they follow one another."""
        return [one for one in reversed(self._attempts) if one.made is None]


def _named(error: Any) -> tuple[str, int]:
    """What an attempt that ended so is booked as: outcome and status."""
    if error is None or isinstance(error, asyncio.CancelledError):
        return "cancelled", 0
    return type(error).__name__, int(getattr(error, "status_code", 0) or 0)


def _end(
    one: _Attempt,
    outcome: str,
    status: int = 0,
    usage: Usage = Usage(),  # noqa: B008  frozen
    cost: float | None = None,
    *,
    at: float | None = None,
) -> WireAttempt:
    seconds = (clock() if at is None else at) - one.at
    one.made = WireAttempt(
        one.deployment, one.provider, one.model, outcome, status, seconds, usage, cost
    )
    one.told = None
    return one.made


# By id, which travels in the metadata of a call. Of the whole process, as LiteLLM's callbacks are.
_UNDER_WAY: dict[str, Trace] = {}
_LISTING = threading.Lock()


def trace_of(metadata: Any) -> Trace | None:
    """The trace that the metadata of a Router's call carry."""
    return _UNDER_WAY.get(str((metadata or {}).get(TRACE, "")))


class Book:
    """The calls of one orchestrator that are under way."""

    def __init__(self, monitor: Monitor) -> None:
        self._open: set[str] = set()
        self._monitor = monitor

    def open(self) -> Trace:
        """A new trace, to be put into the call's metadata."""
        # At each call, because whoever uses LiteLLM beside us may set these lists anew.
        listener = _listener()
        for listed in _told():
            if listener not in listed:
                _listen(listed, listener)
        trace = Trace()
        self._open.add(trace.id)
        _UNDER_WAY[trace.id] = trace
        return trace

    def close(self, trace: Trace, error: BaseException | None = None) -> tuple[WireAttempt, ...]:
        """Every attempt of a trace, added to the tally of its request; the trace is forgotten.

        What is still under way ends with `error`; without one, whoever waited has left.
        """
        if _UNDER_WAY.pop(trace.id, None) is None:
            return tuple(trace.ended)
        self._open.discard(trace.id)
        trace.left(error)
        ended = tuple(trace.ended)
        if ended:
            self._monitor.note(stamp(), ended)
        if trace.tally is not None:
            trace.tally.add(ended)
        return ended

    def __len__(self) -> int:
        return len(self._open)

    def discard(self) -> None:
        """Stop listening, if no other orchestrator has a call under way."""
        if not _UNDER_WAY:
            for listed in _told():
                with _LISTING:
                    while _listener() in listed:
                        listed.remove(_listener())


def _told() -> tuple[list[Any], list[Any]]:
    """LiteLLM's lists of who is told; not `callbacks`, which tell every success for nothing."""
    litellm = _litellm.load()
    return litellm.input_callback, litellm._async_failure_callback


def _listen(listed: list[Any], listener: Any) -> None:
    with _LISTING:
        if listener not in listed:  # whoever it told twice would be booked twice
            listed.append(listener)


@functools.cache
def _listener() -> Any:
    logger = _litellm.load().integrations.custom_logger.CustomLogger

    class Listener(logger):  # type: ignore[misc, valid-type]  # known at run time only
        """Notes what is sent and what fails under the trace that the call carries."""

        def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
            trace = trace_of(_metadata(kwargs))
            if trace is not None:
                trace.sent(kwargs)

        async def async_log_failure_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            trace = trace_of(_metadata(kwargs))
            if trace is not None:
                trace.failed(kwargs)

    return Listener()


def _metadata(kwargs: Any) -> Any:
    params = kwargs.get("litellm_params") or {}
    return params.get("metadata") or params.get("litellm_metadata") or {}


def _provider(kwargs: Any) -> str:
    params = kwargs.get("litellm_params") or {}
    return str(kwargs.get("custom_llm_provider") or params.get("custom_llm_provider") or "")


def usage_of(response: Any) -> Usage:
    """Tokens as the provider counted them."""
    usage = getattr(response, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        int(getattr(usage, "prompt_tokens", 0) or 0),
        int(getattr(usage, "completion_tokens", 0) or 0),
        int(getattr(details, "cached_tokens", 0) or 0),
    )


def cost_of(response: Any) -> float | None:
    """Dollars as LiteLLM priced it; None when the price is not known."""
    hidden = getattr(response, "_hidden_params", {}) or {}
    if hidden.get("custom_llm_provider") == "offline":
        return 0.0
    # A stream says it with the usage of its last part.
    cost = hidden.get("response_cost") or getattr(getattr(response, "usage", None), "cost", None)
    # LiteLLM says None or 0 for a model that is not in its price map: the price is not known.
    return float(cost) if cost else None


def clock() -> float:
    """Seconds that only go forward."""
    return time.perf_counter()
