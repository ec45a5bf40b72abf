"""One sentence in, a generative model that runs out: GMN specifications through LiteLLM's Router.

Each public name is imported from its room when it is first used, so ``import orchestrator`` takes
milliseconds and loads neither LiteLLM nor numpy nor pydantic.
"""

from __future__ import annotations

from importlib import import_module

# Of `typing`, which takes longer to import than all of this file; type checkers know the name.
TYPE_CHECKING = False

if TYPE_CHECKING:  # the same names as in _HOMES, for type checkers and editors
    from orchestrator.client.module_level import Router as Router
    from orchestrator.client.module_level import acompletion as acompletion
    from orchestrator.client.module_level import aembedding as aembedding
    from orchestrator.client.module_level import completion as completion
    from orchestrator.client.module_level import embedding as embedding
    from orchestrator.client.orchestrator import Orchestrator as Orchestrator
    from orchestrator.config.settings import Config as Config
    from orchestrator.gmn.agent import Agent as Agent
    from orchestrator.gmn.model import GMNSpec as GMNSpec
    from orchestrator.types.diagnostics import Diagnostic as Diagnostic
    from orchestrator.types.diagnostics import Report as Report
    from orchestrator.types.diagnostics import Severity as Severity
    from orchestrator.types.errors import AuthenticationError as AuthenticationError
    from orchestrator.types.errors import BadRequestError as BadRequestError
    from orchestrator.types.errors import BudgetExceededError as BudgetExceededError
    from orchestrator.types.errors import CacheMissError as CacheMissError
    from orchestrator.types.errors import CheckError as CheckError
    from orchestrator.types.errors import ConfigError as ConfigError
    from orchestrator.types.errors import ContentPolicyError as ContentPolicyError
    from orchestrator.types.errors import ContextWindowExceededError as ContextWindowExceededError
    from orchestrator.types.errors import DeadlineExceededError as DeadlineExceededError
    from orchestrator.types.errors import GMNError as GMNError
    from orchestrator.types.errors import InvalidOutputError as InvalidOutputError
    from orchestrator.types.errors import LLMError as LLMError
    from orchestrator.types.errors import MissingExtraError as MissingExtraError
    from orchestrator.types.errors import NoDeploymentError as NoDeploymentError
    from orchestrator.types.errors import OrchestratorError as OrchestratorError
    from orchestrator.types.errors import RateLimitError as RateLimitError
    from orchestrator.types.errors import ServiceUnavailableError as ServiceUnavailableError
    from orchestrator.types.messages import LLMMessage as LLMMessage
    from orchestrator.types.messages import LLMRole as LLMRole
    from orchestrator.types.requests import Answer as Answer
    from orchestrator.types.requests import Attempt as Attempt
    from orchestrator.types.requests import Generation as Generation
    from orchestrator.types.requests import Usage as Usage

__version__ = "0.1.0"

#: The public names, by the module below this package that defines them.
_HOMES = {
    "client.module_level": "Router acompletion aembedding completion embedding",
    "client.orchestrator": "Orchestrator",
    "config.settings": "Config",
    "gmn.agent": "Agent",
    "gmn.model": "GMNSpec",
    "types.diagnostics": "Diagnostic Report Severity",
    "types.errors": (
        "AuthenticationError BadRequestError BudgetExceededError CacheMissError CheckError "
        "ConfigError ContentPolicyError ContextWindowExceededError DeadlineExceededError GMNError "
        "InvalidOutputError LLMError MissingExtraError NoDeploymentError OrchestratorError "
        "RateLimitError ServiceUnavailableError"
    ),
    "types.messages": "LLMMessage LLMRole",
    "types.requests": "Answer Attempt Generation Usage",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

# Type checkers see the imports above alone, so that they report a name that does not exist.
if not TYPE_CHECKING:
    __all__ = list(_HOME_OF)

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value  # the next look-up does not come here
        return value

    def __dir__() -> list[str]:
        return sorted(_HOME_OF)
