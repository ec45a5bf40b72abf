"""The attempts of a call: which deployment was asked, what came of it, what it took."""

from __future__ import annotations

import asyncio
import functools
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.routing.counts import dollars, reported, unread, usage_of
from orchestrator.routing.prices import cost_at, prompt_tokens, written_tokens
from orchestrator.routing.translate import (
    in_litellms_class,
    is_before_the_wire,
    is_given_up,
    is_rate_limit,
    misses_a_key,
    retry_after,
    shows_the_wire,
)
from orchestrator.routing.whole import said_in
from orchestrator.types.requests import Usage, WireAttempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.routing.progress import Pace
    from orchestrator.routing.resting import Cooldown
    from orchestrator.types.run_context import RequestCost

#: A finish reason in the JSON of a provider's answer; where it is null there is none.
_REASON = re.compile(r'"(?:(?:finish|stop)_?[rR]eason|done_reason)"\s*:\s*["\d]')


@dataclass(slots=True)
class AttemptRecord:
    """One attempt on one deployment.

    Attributes:
        stopped_at: when it was cancelled, while it is not yet known by whom.
        is_limited: whether the provider refused it for its rate limit.
        free_at: when (`clock`) the provider may be asked again, if it said so.
        details: LiteLLM's own record of it, for a Router that was built elsewhere.
        was_sent: whether LiteLLM has handed it to the wire, as far as is known.
        is_logged: whether LiteLLM tells when it does so; not of embeddings, of its mock answers
            and of providers that only this process knows.
        heard: what came of the answer: the response, or the parts of a stream so far.
        is_paid: whether it costs although it failed: this side gave it up, or parts of it came.
        result: None until it has ended and the reason is known.
        says_why_it_ended: whether the provider gave a finish reason, as far as that can be seen.
        pace: what it has time for, of a server of the user's own; None: LiteLLM's timeout alone.
        partial: what it wrote before it failed or was stopped.
        is_blank, is_broken: whether a stream ended in good order, or broke off, before its server
            said anything in it.
        came: the provider's answer as JSON text, as long as LiteLLM may be unable to read it.
    """

    deployment: str
    provider: str
    model: str
    started_at: float
    details: Any = field(default=None, repr=False)
    stopped_at: float | None = None
    was_sent: bool = False
    is_logged: bool = True
    heard: Sequence[Any] = field(default=(), repr=False)
    is_paid: bool = False
    is_limited: bool = False
    free_at: float | None = None
    result: WireAttempt | None = None
    says_why_it_ended: bool = True
    pace: Pace | None = None
    partial: str = field(default="", repr=False)
    is_blank: bool = False
    is_broken: bool = False
    came: str = field(default="", repr=False)

    def patience_s(self, *, has_said: bool) -> float | None:
        """Seconds for the next part of its answer, None where nothing bounds them."""
        if self.pace is None:
            return None
        if has_said:
            return self.pace.between_tokens_s
        return max(self.started_at + self.pace.first_token_s - clock(), 0.0)

    def so_far(self) -> str:
        """What it has done until now, for the words of a deadline."""
        who, result = self.deployment or self.provider, self.result
        seconds = (clock() - self.started_at) if result is None else result.seconds
        tokens = written_tokens(self.heard)
        if result is not None and self.partial:
            tokens = result.usage.completion_tokens
        if tokens:
            return f"{who} had written about {tokens} tokens in {seconds:.0f} s"
        return f"{who} had answered nothing in {seconds:.0f} s"

    def logged(self, details: Mapping[str, Any]) -> None:
        """LiteLLM's ``logger_fn``: note that the request leaves, and what the provider answers.

        LiteLLM's own answer says ``stop`` where the provider's gives no finish reason.
        """
        event, said = details.get("log_event_type"), details.get("original_response")
        self.was_sent = self.was_sent or event == "pre_api_call"
        if event == "post_api_call" and isinstance(said, str) and said.lstrip()[:1] == "{":
            self.says_why_it_ended = _REASON.search(said) is not None
            self.came = said

    def answered(self, response: Any) -> None:
        """End it with a whole response, or with the totals of a finished stream."""
        hidden = getattr(response, "_hidden_params", None) or {}
        self.heard = self.heard or (response,)
        self.deployment = self.deployment or str(hidden.get("model_id") or "")
        self.provider = self.provider or str(hidden.get("custom_llm_provider") or "")
        self.model = str(getattr(response, "model", "") or self.model)
        self.took(usage_of(response), cost_of(response))

    def took(self, usage: Usage, cost: float | None) -> None:
        """End it as answered, with its tokens and dollars."""
        self.was_sent = self.is_paid = True
        self._end("answered", 200, usage, cost)

    def failed(self, error: Exception) -> Exception:
        """End it with an error, and return that error in LiteLLM's class."""
        was_sent = self.was_sent or shows_the_wire(error)
        was_sent = was_sent or not (self.is_logged or misses_a_key(error))
        self.was_sent = was_sent and not is_before_the_wire(error)
        # An answer that LiteLLM cannot read was given all the same, and is on the provider's bill.
        stated = unread(self.came)
        self.heard = self.heard or stated
        self.is_paid = is_given_up(error) or bool(stated)
        raised = in_litellms_class(error, model=self.model, provider=self.provider)
        self.ended_by(raised)
        return raised

    def cancelled(self) -> None:
        """Note when it stopped; `Trace.close` knows whether the caller left or time ran out."""
        if self.result is None:
            self.was_sent = self.was_sent or not self.is_logged
            self.stopped_at = clock()

    def ended_by(self, error: BaseException | None) -> None:
        """End it with the outcome and status that `error` means; None: the caller left."""
        if error is None or isinstance(error, asyncio.CancelledError):
            self.is_paid = True
            self._end("cancelled")
        else:
            self.is_paid = self.is_paid or isinstance(error, TimeoutError)
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
        self.details, self.came = None, ""

    def estimate(
        self, asked: Mapping[str, Any], price_of: Callable[[str], tuple[float, float] | None]
    ) -> None:
        """Fill in what the provider did not say of what it is paid for: tokens, dollars.

        `asked` are the arguments of the call, `price_of` gives the prices of a deployment.
        """
        result, heard, self.heard = self.result, self.heard, ()
        if result is None or not self.was_sent:
            return
        self.partial = "" if result.outcome == "answered" else said_in(heard)
        known, said = result.usage, reported(heard) if heard else result.usage
        is_said = said.prompt_tokens > 0 and said.completion_tokens > 0
        if is_said and said == known and result.cost_usd is not None:
            return
        written = 0 if is_said and known.completion_tokens else written_tokens(heard)
        if not (self.is_paid or written or said.total_tokens):
            return
        # LiteLLM counts what no part of a stream states, of a call of a tool its frame too.
        counted = 0 if written and not said.completion_tokens else known.completion_tokens
        usage = Usage(
            known.prompt_tokens or said.prompt_tokens or prompt_tokens(asked),
            counted or max(said.completion_tokens, written),
            known.cached_tokens or said.cached_tokens,
        )
        is_whole = result.outcome == "answered" and said.prompt_tokens > 0
        estimated = not is_whole or usage.completion_tokens > said.completion_tokens == 0
        cost = result.cost_usd
        if cost is None or usage != known:
            cost = cost_at(price_of(self.deployment), usage)
        self.result = replace(result, usage=usage, cost_usd=cost, estimated=estimated)


@dataclass(slots=True)
class Trace:
    """The attempts of one call, in the order in which they began.

    Attributes:
        cost: the sums of the request of which the call is a part.
        asked: LiteLLM's arguments of the call, for estimates.
        expected: what the call may take, as announced before it was sent.
        is_recorded: whether the attempts have been added to the ledger and to health.
        optional: arguments that are left out where a deployment refuses them.
        refused: those that were refused before, by deployment; all calls share it.
        rest_s: seconds for which all deployments rest after rate limits, where nothing was sent.
        rests: the deployments that rest, where LiteLLM found none that is free.
        paces: what servers of the user's own have time for, by deployment.
        grammar: a schema that `own` servers get in place of the request's, None for none.
        own: the deployments that are servers of the user's own.
        asked_whole: those of them that are asked for no stream in this call.
        until: when (`time.monotonic`) an answer that has begun is taken as far as it is.
        stopped: why the answer was stopped here: ``loop`` or ``deadline``.
    """

    cost: RequestCost
    asked: Mapping[str, Any] = field(default_factory=dict, repr=False)
    expected: WireAttempt | None = None
    is_recorded: bool = False
    optional: frozenset[str] = frozenset()
    refused: dict[str, frozenset[str]] = field(default_factory=dict)
    rest_s: float | None = None
    rests: Sequence[Cooldown] = ()
    paces: Mapping[str, Pace] = field(default_factory=dict, repr=False)
    grammar: Mapping[str, object] | None = field(default=None, repr=False)
    own: frozenset[str] = frozenset()
    asked_whole: set[str] = field(default_factory=set, repr=False)
    until: float | None = None
    stopped: str = ""
    _attempts: list[AttemptRecord] = field(default_factory=list)

    @property
    def latest(self) -> AttemptRecord | None:
        """The attempt that began last."""
        return self._attempts[-1] if self._attempts else None

    @property
    def count(self) -> int:
        """How many attempts have begun."""
        return len(self._attempts)

    @property
    def says_why_it_ended(self) -> bool:
        """Whether the last attempt gave a finish reason of the provider's."""
        return not self._attempts or self._attempts[-1].says_why_it_ended

    @property
    def ended(self) -> list[WireAttempt]:
        """The attempts that reached the wire and have ended."""
        return [one.result for one in self._attempts if one.result is not None and one.was_sent]

    @property
    def unsent(self) -> list[WireAttempt]:
        """The attempts that failed before anything was sent."""
        failed = [one.result for one in self._attempts if not one.was_sent]
        return [one for one in failed if one is not None]

    @property
    def last(self) -> WireAttempt | None:
        """The attempt that began last of those that have ended, sent or not."""
        return next((one.result for one in reversed(self._attempts) if one.result), None)

    def begin(self, arguments: Mapping[str, Any]) -> AttemptRecord:
        """Add the attempt that LiteLLM makes with `arguments`, one deployment's included."""
        model, provider = _model_and_provider(
            str(arguments["model"]), arguments.get("custom_llm_provider")
        )
        deployment = str((arguments.get("model_info") or {}).get("id") or "")
        made = self.add(deployment, provider, model)
        custom = [one["provider"] for one in _litellm.load().custom_provider_map]
        is_made_up = any(name.startswith("mock_") for name in arguments)
        made.is_logged = "messages" in arguments and not is_made_up and provider not in custom
        is_whole = deployment in self.asked_whole or "stream" in self.refused.get(deployment, ())
        # Which of several tools is called, a text that is put together does not hold.
        may_call = "tools" in arguments and not isinstance(arguments.get("tool_choice"), dict)
        may_stream = not (is_made_up or is_whole or may_call)
        made.pace = self.paces.get(deployment) if may_stream else None
        return made

    def add(self, deployment: str, provider: str, model: str, details: Any = None) -> AttemptRecord:
        """Add an attempt that begins now."""
        self._attempts.append(AttemptRecord(deployment, provider, model, clock(), details))
        return self._attempts[-1]

    def withdraw(self) -> None:
        """Forget the latest attempt: it did not reach the wire."""
        self._attempts.pop()

    def log(self, details: Mapping[str, Any]) -> None:
        """LiteLLM's ``logger_fn``, which records the attempts of a Router that was built elsewhere.

        LiteLLM calls it as a request leaves, and keeps `details` up to date while it is under way.
        """
        for one in self._open():
            one.logged(details)
        if details.get("log_event_type") != "pre_api_call":
            return
        for one in self._open():
            one.overtaken()
        params = details.get("litellm_params") or {}
        metadata = params.get("metadata") or params.get("litellm_metadata") or {}
        deployment = str((metadata.get("model_info") or {}).get("id") or "")
        provider = str(details.get("custom_llm_provider") or "")
        model = str(details.get("model") or "")
        self.add(deployment, provider, model, details).was_sent = True

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

    def so_far(self) -> str:
        """What the last attempt has done until now, in words; empty where none has begun."""
        return self._attempts[-1].so_far() if self._attempts else ""

    def hear(self, parts: Sequence[Any]) -> None:
        """Note the parts of a stream whose attempt is still open, for its estimate."""
        for one in self._open()[:1]:
            one.heard = one.heard or parts

    def estimate(self, price_of: Callable[[str], tuple[float, float] | None]) -> None:
        """Fill in what no provider said; `price_of` gives the prices of a deployment."""
        for one in self._attempts:
            one.estimate(self.asked, price_of)

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


def cost_of(response: Any) -> float | None:
    """Dollars as LiteLLM priced it; None when the price is not known."""
    hidden = getattr(response, "_hidden_params", {}) or {}
    if hidden.get("custom_llm_provider") == "offline":
        return 0.0
    # A stream says it with the usage of its last part.
    cost = hidden.get("response_cost") or getattr(getattr(response, "usage", None), "cost", None)
    return dollars(cost)


def clock() -> float:
    """Seconds that only go forward."""
    return time.perf_counter()
