"""The attempts of a call: which deployment was asked, what came of it, what it took."""

from __future__ import annotations

import asyncio
import functools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.routing.translate import in_litellms_class, is_rate_limit, retry_after
from orchestrator.types.requests import Usage, WireAttempt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.types.run_context import RequestCost


@dataclass(slots=True)
class AttemptRecord:
    """One attempt on one deployment.

    Attributes:
        stopped_at: when it was cancelled, while it is not yet known by whom.
        is_limited: whether the provider refused it for its rate limit.
        free_at: when (`clock`) the provider may be asked again, if it said so.
        details: LiteLLM's own record of it, for a Router that was built elsewhere.
        result: None until it has ended and the reason is known.
    """

    deployment: str
    provider: str
    model: str
    started_at: float
    details: Any = field(default=None, repr=False)
    stopped_at: float | None = None
    is_limited: bool = False
    free_at: float | None = None
    result: WireAttempt | None = None

    def answered(self, response: Any) -> None:
        """End it with a whole response, or with the totals of a finished stream."""
        hidden = getattr(response, "_hidden_params", None) or {}
        self.deployment = self.deployment or str(hidden.get("model_id") or "")
        self.provider = self.provider or str(hidden.get("custom_llm_provider") or "")
        self.model = str(getattr(response, "model", "") or self.model)
        self.took(usage_of(response), cost_of(response))

    def took(self, usage: Usage, cost: float | None) -> None:
        """End it as answered, with its tokens and dollars."""
        self._end("answered", 200, usage, cost)

    def failed(self, error: Exception) -> Exception:
        """End it with an error, and return that error in LiteLLM's class."""
        raised = in_litellms_class(error, model=self.model, provider=self.provider)
        self.ended_by(raised)
        return raised

    def cancelled(self) -> None:
        """Note when it stopped; `Trace.close` knows whether the caller left or time ran out."""
        if self.result is None:
            self.stopped_at = clock()

    def ended_by(self, error: BaseException | None) -> None:
        """End it with the outcome and status that `error` means; None: the caller left."""
        if error is None or isinstance(error, asyncio.CancelledError):
            self._end("cancelled")
        else:
            self.is_limited = isinstance(error, Exception) and is_rate_limit(error)
            if self.is_limited and (seconds := retry_after(error)) is not None:
                self.free_at = clock() + seconds
            self._end(type(error).__name__, int(getattr(error, "status_code", 0) or 0))

    def overtaken(self) -> None:
        """End it because the next attempt has begun."""
        error = self.details.get("exception") if self.details is not None else None
        if isinstance(error, Exception):
            self.failed(error)
        else:
            self._end("failed")

    def _end(
        self, outcome: str, status: int = 0, usage: Usage | None = None, cost: float | None = None
    ) -> None:
        seconds = (self.stopped_at or clock()) - self.started_at
        self.result = WireAttempt(
            self.deployment, self.provider, self.model, outcome, status, seconds,
            usage or Usage(), cost,
        )  # fmt: skip
        self.details = None


@dataclass(slots=True)
class Trace:
    """The attempts of one call, in the order in which they began.

    Attributes:
        cost: the sums of the request of which the call is a part.
        is_recorded: whether the attempts have been added to the ledger and to health.
        rest_s: seconds for which all deployments rest after rate limits, where nothing was sent.
    """

    cost: RequestCost
    is_recorded: bool = False
    rest_s: float | None = None
    _attempts: list[AttemptRecord] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many attempts have begun."""
        return len(self._attempts)

    @property
    def ended(self) -> list[WireAttempt]:
        """The attempts that have ended."""
        return [one.result for one in self._attempts if one.result is not None]

    def begin(self, arguments: Mapping[str, Any]) -> AttemptRecord:
        """Add the attempt that LiteLLM makes with `arguments`, one deployment's included."""
        model, provider = _model_and_provider(
            str(arguments["model"]), arguments.get("custom_llm_provider")
        )
        deployment = str((arguments.get("model_info") or {}).get("id") or "")
        return self.add(deployment, provider, model)

    def add(self, deployment: str, provider: str, model: str, details: Any = None) -> AttemptRecord:
        """Add an attempt that begins now."""
        self._attempts.append(AttemptRecord(deployment, provider, model, clock(), details))
        return self._attempts[-1]

    def log(self, details: Mapping[str, Any]) -> None:
        """LiteLLM's ``logger_fn``, which records the attempts of a Router that was built elsewhere.

        LiteLLM calls it as a request leaves, and keeps `details` up to date while it is under way.
        """
        if details.get("log_event_type") != "pre_api_call":
            return
        for one in self._open():
            one.overtaken()
        params = details.get("litellm_params") or {}
        metadata = params.get("metadata") or params.get("litellm_metadata") or {}
        deployment = str((metadata.get("model_info") or {}).get("id") or "")
        provider = str(details.get("custom_llm_provider") or "")
        model = str(details.get("model") or "")
        self.add(deployment, provider, model, details)

    def free_first(self) -> tuple[str, float | None] | None:
        """Of the deployments whose last attempt met a rate limit the one that is free first.

        Its id, and in how many seconds: None where no provider said. None: there is no such one.
        """
        last = {one.deployment: one for one in self._attempts}
        limited = [one for one in last.values() if one.is_limited]
        stated = [(one.free_at, one.deployment) for one in limited if one.free_at is not None]
        if stated:
            free_at, deployment = min(stated)
            return deployment, max(free_at - clock(), 0.0)
        return (limited[0].deployment, None) if limited else None

    def deployments(self) -> frozenset[str]:
        """The ids of the deployments that were asked."""
        return frozenset(one.deployment for one in self._attempts)

    def free_in(self) -> float | None:
        """In how many seconds the first of them is free, None where that is not known."""
        found = self.free_first()
        return found[1] if found else self.rest_s

    def answered(self, response: Any) -> None:
        """End the attempt that is still open with `response`; add one where none was seen."""
        if not self._attempts:
            self.add("", "", "")
        for one in self._open()[:1]:
            one.answered(response)

    def close(self, error: BaseException | None = None) -> None:
        """End what is still open: because of `error`, or because the caller left."""
        for index, one in enumerate(self._open()):
            if index == 0 or one.details is None:
                one.ended_by(error)
            else:
                one.overtaken()

    def _open(self) -> list[AttemptRecord]:
        """Latest first."""
        return [one for one in reversed(self._attempts) if one.result is None]


@functools.lru_cache(maxsize=1024)
def _model_and_provider(model: str, provider: str | None) -> tuple[str, str]:
    """A model's name without its provider's prefix, and the provider."""
    litellm = _litellm.load()
    try:
        name, found, *_ = litellm.get_llm_provider(model, custom_llm_provider=provider)
    except litellm.BadRequestError:  # a provider that only this process knows
        found, _, name = model.rpartition("/")
        return name, provider or found
    return str(name), str(found)


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
