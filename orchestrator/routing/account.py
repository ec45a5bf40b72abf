"""Every attempt on the wire: who was asked, what came of it, what it took."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.result import Usage, WireAttempt
from orchestrator.routing import _litellm
from orchestrator.tally import current
from orchestrator.usage import stamp

if TYPE_CHECKING:
    from orchestrator.models.health import Monitor
    from orchestrator.tally import Tally

TRACE = "orchestrator_trace"
# A number is enough within a process; randomness is a system call, which costs ten times a trace.
_NUMBERS = itertools.count(1)


@dataclass(slots=True)
class _Sent:
    deployment: str
    provider: str
    model: str
    at: float


@dataclass(slots=True)
class Trace:
    """The attempts of one call, as LiteLLM reports them: each when it is sent, and when it fails.

    Attributes:
        id: its own within this process.
        ended: attempts that ended, in order.
    """

    id: str = field(default_factory=lambda: str(next(_NUMBERS)))
    ended: list[WireAttempt] = field(default_factory=list)
    tally: Tally | None = field(default_factory=current)
    _open: list[_Sent] = field(default_factory=list)

    @property
    def was_sent(self) -> bool:
        """Whether anything left the process."""
        return bool(self.ended or self._open)

    def sent(self, kwargs: Any) -> None:
        """An attempt leaves."""
        metadata = _metadata(kwargs)
        self._open.append(
            _Sent(
                str((metadata.get("model_info") or {}).get("id", "")),
                _provider(kwargs),
                str(kwargs.get("model") or ""),
                clock(),
            )
        )

    def failed(self, error: Any) -> None:
        """The attempt under way failed; without one, nothing was sent."""
        if self._open:
            status = int(getattr(error, "status_code", 0) or 0)
            self._end(type(error).__name__, status=status)

    def answered(self, response: Any) -> WireAttempt:
        """The attempt under way gave `response`, or the last part of a stream."""
        hidden = getattr(response, "_hidden_params", {}) or {}
        if not self._open:  # the embedded provider sends nothing
            self._open.append(_Sent("", "", "", clock()))
        sent = self._open[-1]
        sent.deployment = str(hidden.get("model_id") or sent.deployment)
        sent.provider = str(hidden.get("custom_llm_provider") or sent.provider)
        sent.model = str(getattr(response, "model", "") or sent.model)
        return self._end("answered", status=200, usage=usage_of(response), cost=cost_of(response))

    def left(self, outcome: str) -> None:
        """Nobody waits any more for what is under way."""
        while self._open:
            self._end(outcome)

    def _end(
        self,
        outcome: str,
        *,
        status: int = 0,
        usage: Usage = Usage(),  # noqa: B008  frozen
        cost: float | None = None,
    ) -> WireAttempt:
        sent = self._open.pop()
        made = WireAttempt(
            sent.deployment, sent.provider, sent.model, outcome, status, clock() - sent.at,
            usage, cost,
        )  # fmt: skip
        self.ended.append(made)
        return made


class Book:
    """The calls under way, by trace; LiteLLM's callbacks are global to the process."""

    def __init__(self, monitor: Monitor) -> None:
        self._traces: dict[str, Trace] = {}
        self._listener: Any = None
        self._monitor = monitor

    def open(self) -> Trace:
        """A new trace, to be put into the call's metadata."""
        litellm = _litellm.load()
        if self._listener is None:
            self._listener = _listener(self._traces)
        # Not `callbacks`, which would tell it every success for nothing. At each call, because
        # whoever uses LiteLLM beside us may set these lists anew.
        for listed in (litellm.input_callback, litellm._async_failure_callback):
            if self._listener not in listed:
                listed.append(self._listener)
        trace = Trace()
        self._traces[trace.id] = trace
        return trace

    def close(self, trace: Trace) -> tuple[WireAttempt, ...]:
        """Every attempt of a trace, added to the tally of its request; the trace is forgotten."""
        if self._traces.pop(trace.id, None) is None:
            return tuple(trace.ended)
        trace.left("cancelled")
        ended = tuple(trace.ended)
        if ended:
            self._monitor.note(stamp(), ended)
        if trace.tally is not None:
            trace.tally.add(ended)
        return ended

    def __len__(self) -> int:
        return len(self._traces)

    def discard(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            litellm = _litellm.load()
            for listed in (litellm.input_callback, litellm._async_failure_callback):
                while self._listener in listed:
                    listed.remove(self._listener)
            self._listener = None


def _listener(traces: dict[str, Trace]) -> Any:
    logger = _litellm.load().integrations.custom_logger.CustomLogger

    class Listener(logger):  # type: ignore[misc, valid-type]  # known at run time only
        """Notes what is sent and what fails under the trace that the call carries."""

        def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
            trace = traces.get(str(_metadata(kwargs).get(TRACE, "")))
            if trace is not None:
                trace.sent(kwargs)

        async def async_log_failure_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            trace = traces.get(str(_metadata(kwargs).get(TRACE, "")))
            if trace is not None:
                trace.failed(kwargs.get("exception"))

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
