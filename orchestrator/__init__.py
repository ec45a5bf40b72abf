"""One sentence in, a generative model that runs out: GMN specifications through LiteLLM's Router.

The public names live here and are resolved when first used, so importing this package costs
milliseconds and brings neither LiteLLM nor numpy nor pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.client.module_level import (
        Router,
        acompletion,
        aembedding,
        completion,
        embedding,
    )
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.config.settings import Config
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.diagnostics import Diagnostic, Report, Severity
    from orchestrator.types.errors import (
        AuthenticationError,
        BadRequestError,
        BudgetExceededError,
        CacheMissError,
        ConfigError,
        ContentPolicyError,
        ContextWindowExceededError,
        DeadlineExceededError,
        GMNError,
        InvalidOutputError,
        LLMError,
        MissingExtraError,
        NoDeploymentError,
        OrchestratorError,
        RateLimitError,
        ServiceUnavailableError,
    )
    from orchestrator.types.messages import LLMMessage, LLMRole
    from orchestrator.types.requests import Answer, Attempt, Generation, Usage

__version__ = "0.1.0"

_HOMES = {
    "orchestrator.config.settings": ("Config",),
    "orchestrator.client.module_level": (
        "Router",
        "acompletion",
        "aembedding",
        "completion",
        "embedding",
    ),
    "orchestrator.types.diagnostics": ("Diagnostic", "Report", "Severity"),
    "orchestrator.types.errors": (
        "AuthenticationError",
        "BadRequestError",
        "BudgetExceededError",
        "CacheMissError",
        "ConfigError",
        "ContentPolicyError",
        "ContextWindowExceededError",
        "DeadlineExceededError",
        "GMNError",
        "InvalidOutputError",
        "LLMError",
        "MissingExtraError",
        "NoDeploymentError",
        "OrchestratorError",
        "RateLimitError",
        "ServiceUnavailableError",
    ),
    "orchestrator.gmn.model": ("GMNSpec",),
    "orchestrator.types.messages": ("LLMMessage", "LLMRole"),
    "orchestrator.client.orchestrator": ("Orchestrator",),
    "orchestrator.types.requests": ("Answer", "Attempt", "Generation", "Usage"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "CacheMissError",
    "Config",
    "ConfigError",
    "ContentPolicyError",
    "ContextWindowExceededError",
    "DeadlineExceededError",
    "Diagnostic",
    "GMNError",
    "GMNSpec",
    "Generation",
    "InvalidOutputError",
    "LLMError",
    "LLMMessage",
    "LLMRole",
    "MissingExtraError",
    "NoDeploymentError",
    "Orchestrator",
    "OrchestratorError",
    "RateLimitError",
    "Report",
    "Router",
    "ServiceUnavailableError",
    "Severity",
    "Usage",
    "acompletion",
    "aembedding",
    "completion",
    "embedding",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
