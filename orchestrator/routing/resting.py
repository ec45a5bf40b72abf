"""Why deployments cannot be asked: they rest after failures, or their account has no credit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.types.errors import AuthenticationError, LLMError, NoDeploymentError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.types.requests import WireAttempt

#: What a status means of which a retry changes nothing.
REFUSALS = {
    401: "its key was refused",
    402: "the account of its key has no credit",
    403: "its key may not do this",
}
#: Said of an account without credit, with whatever status.
_NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "credit balance is too low",
              "insufficient balance", "insufficient credits")  # fmt: skip
#: Gemini says the first of its limits by the minute too; Groq and OpenAI say the second of one
#: request that is larger than what they allow in a minute.
_TOO_LARGE = "request too large"
_SPENT = ("exceeded your current quota", _TOO_LARGE)


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A deployment at rest: the HTTP status after which, 0 for none, and until when (epoch)."""

    deployment: str
    status: int
    until: float

    @property
    def seconds(self) -> float:
        """For how many seconds more."""
        return max(self.until - time.time(), 0.0)

    @property
    def why(self) -> str:
        """Why it rests, in words."""
        cause = REFUSALS.get(self.status, "a rate limit" if self.status == 429 else "it failed")
        return f"{cause} (status {self.status})" if self.status else cause


async def resting(router: Any, deployments: Collection[str]) -> list[Cooldown]:
    """Those of `deployments`, ids of a Router's, that rest now, in that order."""
    cooldowns = router.health().cooldowns
    found = dict(
        await cooldowns.async_get_active_cooldowns(
            model_ids=list(deployments), parent_otel_span=None
        )
    )
    return [
        Cooldown(
            one,
            _status(found[one]),
            float(found[one]["timestamp"]) + float(found[one]["cooldown_time"]),
        )
        for one in deployments
        if one in found
    ]


def _status(state: Mapping[str, Any]) -> int:
    said = str(state["status_code"])  # LiteLLM keeps what an exception has, which may be empty
    return int(said) if said.isdecimal() else 0


def nobody_free(
    rests: Sequence[Cooldown], route: str, attempts: Sequence[WireAttempt] = ()
) -> LLMError:
    """Why no deployment of a route or group answers: each that rests or has failed, and why.

    `attempts` are those that the call made before LiteLLM found no further deployment.
    """
    at_rest = {one.deployment for one in rests}
    last = {one.deployment: one for one in attempts if one.deployment not in at_rest}
    failed = [Cooldown(name, one.status, 0.0) for name, one in last.items()]
    causes = [f"{one.deployment} rests: {one.why}" for one in rests]
    causes += [f"{one.deployment} failed: {one.why}" for one in failed]
    first = min(rests, key=lambda one: one.until)
    is_refused = all(one.status in REFUSALS for one in (*rests, *failed))
    advice = f"Try again in {first.seconds:.0f} s, or add a fallback to the route."
    if is_refused:
        advice = f"{advice_for(first.status)} It is asked again in {first.seconds:.0f} s."
    made = AuthenticationError if is_refused else NoDeploymentError
    return made(
        f"{route!r} has no deployment that can be asked: {', '.join(causes)}. {advice}",
        deployment=first.deployment,
        status=first.status,
        retry_after_s=None if is_refused else first.seconds,
        wire_attempts=len(attempts),
    )


def is_without_credit(error: Exception) -> bool:
    """Whether a provider says that the account of a key has no credit."""
    said = words_of(error)
    return getattr(error, "status_code", 0) == 402 or any(words in said for words in _NO_CREDIT)


def is_spent(error: Exception) -> bool:
    """Whether what an account may use is used up, so that no wait of seconds helps."""
    return is_without_credit(error) or any(words in words_of(error) for words in _SPENT)


def words_of(error: BaseException) -> str:
    """What a provider said, in small letters; the text of LiteLLM's exceptions has no code, and of
    LM Studio's no word."""
    body = getattr(error, "body", None) or getattr(error.__cause__, "body", None) or ""
    return f"{error} {body}".lower()


def advice_where_spent(error: Exception) -> str:
    """What to do where no wait of seconds helps; empty where one may."""
    if is_without_credit(error):
        return advice_for(402)
    if _TOO_LARGE in words_of(error):
        return "It is larger than the limit of a minute: shorten the prompt, or lower max_tokens."
    return ""


def advice_for(status: int) -> str:
    """What to do about a status of `REFUSALS`."""
    if status == 402:
        return "Top up that account at its provider, or add a fallback to the route."
    return "Check the key of this deployment: orchestrator doctor."
