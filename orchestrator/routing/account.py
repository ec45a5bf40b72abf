"""Every attempt on the wire: who was asked, what came of it, what it took."""

from __future__ import annotations

import time
import uuid
from typing import Any

from orchestrator.result import Usage, WireAttempt
from orchestrator.routing import _litellm

TRACE = "orchestrator_trace"


class Book:
    """Attempts by trace; LiteLLM reports each failed one before the call returns."""

    def __init__(self) -> None:
        self._failed: dict[str, list[WireAttempt]] = {}
        self._listener: Any = None

    def open(self) -> str:
        """A new trace, to be put into the call's metadata."""
        self._listen()
        trace = uuid.uuid4().hex
        self._failed[trace] = []
        return trace

    def close(self, trace: str) -> tuple[WireAttempt, ...]:
        """The failed attempts of a trace, in order; the trace is forgotten."""
        return tuple(self._failed.pop(trace, ()))

    def discard(self) -> None:
        """Stop listening: LiteLLM's callbacks are global to the process."""
        if self._listener is not None:
            litellm = _litellm.load()
            for name in ("callbacks", "_async_failure_callback", "failure_callback",
                         "_async_success_callback", "success_callback", "input_callback",
                         "_async_input_callback"):  # fmt: skip
                listed = getattr(litellm, name, [])
                while self._listener in listed:
                    listed.remove(self._listener)
            self._listener = None

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = _listener(self._failed)
            _litellm.load().callbacks.append(self._listener)


def _listener(failed: dict[str, list[WireAttempt]]) -> Any:
    logger = _litellm.load().integrations.custom_logger.CustomLogger

    class Listener(logger):  # type: ignore[misc, valid-type]  # known at run time only
        """Notes failures under the trace that their call carries."""

        async def async_log_failure_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            metadata = (kwargs.get("litellm_params") or {}).get("metadata") or {}
            attempts = failed.get(metadata.get(TRACE, ""))
            if attempts is not None:
                attempts.append(_failure(kwargs, metadata, start_time, end_time))

    return Listener()


def _failure(kwargs: Any, metadata: Any, start_time: Any, end_time: Any) -> WireAttempt:
    error = kwargs.get("exception")
    return WireAttempt(
        deployment=str((metadata.get("model_info") or {}).get("id", "")),
        provider=str(kwargs.get("custom_llm_provider") or ""),
        model=str(kwargs.get("model") or ""),
        outcome=type(error).__name__,
        status=int(getattr(error, "status_code", 0) or 0),
        seconds=(end_time - start_time).total_seconds(),
    )


def answered(response: Any, seconds: float) -> WireAttempt:
    """The attempt that gave `response`."""
    hidden = getattr(response, "_hidden_params", {}) or {}
    return WireAttempt(
        deployment=str(hidden.get("model_id") or ""),
        provider=str(hidden.get("custom_llm_provider") or ""),
        model=str(getattr(response, "model", "") or ""),
        outcome="answered",
        status=200,
        seconds=seconds,
        usage=usage_of(response),
        cost_usd=_cost(hidden),
    )


def usage_of(response: Any) -> Usage:
    """Tokens as the provider counted them."""
    usage = getattr(response, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        int(getattr(usage, "prompt_tokens", 0) or 0),
        int(getattr(usage, "completion_tokens", 0) or 0),
        int(getattr(details, "cached_tokens", 0) or 0),
    )


def _cost(hidden: Any) -> float | None:
    if hidden.get("custom_llm_provider") == "offline":
        return 0.0
    cost = hidden.get("response_cost")
    # LiteLLM says None or 0 for a model that is not in its price map: the price is not known.
    return float(cost) if cost else None


def clock() -> float:
    """Seconds that only go forward."""
    return time.perf_counter()
