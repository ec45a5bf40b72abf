"""Every error that this package raises on purpose.

OrchestratorError
├── ConfigError                    a config file, setting or environment variable is wrong
├── LLMError                       a model could not be called, or gave no usable answer
│   ├── RateLimitError             a provider's rate limit, with the wait it asked for
│   ├── AuthenticationError        a key is missing, refused or without credit
│   ├── BadRequestError            the provider refuses the request as it stands
│   ├── ContextWindowExceededError the messages exceed the model's context window
│   ├── ContentPolicyError         the provider declined the content
│   ├── ServiceUnavailableError    the provider is down or not reachable
│   ├── DeadlineExceededError      the deadline of the whole request passed
│   ├── NoDeploymentError          no deployment is configured, or all are cooling down
│   ├── BudgetExceededError        the next call could cost more than what is left
│   ├── CheckError                 a check in the caller's own code raised; carries all answers
│   └── InvalidOutputError         no answer passed its contract; carries all answers
├── CacheMissError                 mode replay, and no answer is recorded
├── GMNError                       a GMN document is not valid; carries its report
└── MissingExtraError              an optional dependency is not installed

Misuse of the API stays TypeError and ValueError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.types.installation import install_command
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.types.requests import Answer, Attempt


class OrchestratorError(Exception):
    """Root of every error this package raises on purpose; survives pickling.

    Its text is one line, whatever it quotes, or a line for each finding; `args` hold it as it is.
    """

    def __str__(self) -> str:
        return visible(super().__str__())

    def __reduce__(self) -> tuple[Callable[..., OrchestratorError], tuple[object, ...]]:
        return _rebuilt, (type(self), self.args, self.__dict__)


_E = TypeVar("_E", bound=OrchestratorError)


def _rebuilt(kind: type[_E], args: tuple[object, ...], fields: Mapping[str, object]) -> _E:
    # Subclasses take keyword fields in __init__, so unpickling must not call it.
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(fields)
    return error


class ConfigError(OrchestratorError):
    """A setting is wrong; the message names the key, the problem and the correction.

    Attributes:
        key: dotted path of the setting, for example ``orchestrator.cache.mode``.
        fix: one sentence that says what to do.
    """

    def __init__(self, key: str, problem: str, *, fix: str = "") -> None:
        super().__init__(f"{key}: {problem}." + (f" {fix}" if fix else ""))
        self.key = key
        self.fix = fix


class LLMError(OrchestratorError):
    """A model could not be called, or gave no usable answer.

    Attributes:
        deployment: id of the deployment that failed, empty when none was reached.
        provider: name of its provider, empty when unknown.
        status: HTTP status of the failure, 0 when there was none.
        retry_after_s: seconds the provider asked us to wait, None when it did not say.
        wire_attempts: requests that the failed call put on the wire, retries included.
        attempts: rounds of the loop that were answered, and paid for, before the failure, with
            their raw answers; empty where nothing was answered.
        run_id: what ``orchestrator runs show`` takes to show them later; empty where they are not
            kept: nothing was answered, the cache is off, or there is no ledger.
        partial: the `orchestrator.types.requests.Answer` that had begun when its server failed;
            None for none.
    """

    def __init__(
        self,
        message: str,
        *,
        deployment: str = "",
        provider: str = "",
        status: int = 0,
        retry_after_s: float | None = None,
        wire_attempts: int = 0,
        attempts: tuple[Attempt[Any], ...] = (),
    ) -> None:
        super().__init__(message)
        self.deployment = deployment
        self.provider = provider
        self.status = status
        self.retry_after_s = retry_after_s
        self.wire_attempts = wire_attempts
        self.attempts = attempts
        self.run_id = ""
        self.partial: Answer | None = None


class RateLimitError(LLMError):
    """A provider's rate limit was reached; `retry_after_s` says how long it asked to wait."""


class AuthenticationError(LLMError):
    """A provider refused the key, its account has no credit, or none is configured."""


class BadRequestError(LLMError):
    """A provider refuses the request as it stands; sending it again will not help."""


class ContextWindowExceededError(BadRequestError):
    """The messages, or the answer that is asked for with them, exceed the model's context window.

    Attributes:
        context_tokens: the window, 0 when the server does not say.
        prompt_tokens: tokens of the messages, 0 when the server does not say.
    """

    context_tokens: int = 0
    prompt_tokens: int = 0


class ContentPolicyError(BadRequestError):
    """A provider declined the content of the request or of its own answer."""


class ServiceUnavailableError(LLMError):
    """A provider is down, overloaded, or cannot be reached."""


class DeadlineExceededError(LLMError):
    """The deadline of the whole request passed."""


class NoDeploymentError(LLMError):
    """No deployment can take the request: none is configured, or all are cooling down."""


class BudgetExceededError(LLMError):
    """The next call could cost more than what is left of the budget."""


class InvalidOutputError(LLMError):
    """No answer passed its contract; `attempts` holds every answer.

    Attributes:
        best: the attempt with the fewest errors, None when nothing was answered.
        reason: why the loop stopped.
    """

    def __init__(
        self,
        message: str,
        *,
        attempts: tuple[Attempt[Any], ...],
        best: Attempt[Any] | None,
        reason: str,
    ) -> None:
        super().__init__(message, attempts=attempts)
        self.best = best
        self.reason = reason

    def __str__(self) -> str:
        return visible(Exception.__str__(self), lines=True)  # a finding is a line


class CheckError(LLMError):
    """A check in the caller's own code raised; `attempts` holds every answer until then.

    The answers stay in the cache, so that the same call costs nothing once the check works.

    Attributes:
        check: name of the check, or of the type whose own rule raised.
        evaluation: what the answer was worth until then, the
            `orchestrator.types.requests.Evaluation` of the last attempt.
    """

    def __init__(self, message: str, *, check: str, evaluation: Any = None) -> None:
        super().__init__(message)
        self.check = check
        self.evaluation = evaluation


class CacheMissError(OrchestratorError):
    """A recorded answer was required and there is none."""


class GMNError(OrchestratorError):
    """A GMN document cannot be used as it stands.

    Attributes:
        report: the `types.diagnostics.Report` with every finding, None for a single cause.
    """

    def __init__(self, message: str, *, report: object = None) -> None:
        super().__init__(message)
        self.report = report


class MissingExtraError(OrchestratorError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra {extra!r}. Install it: {install_command(extra)}"
        )
        self.extra = extra
