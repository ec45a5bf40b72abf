"""One sentence in, a generative model that runs out: GMN specifications through LiteLLM's Router.

Each public name is imported from its room when it is first used, so ``import orchestrator`` takes
milliseconds and loads neither LiteLLM nor numpy nor pydantic.
"""

from __future__ import annotations

from importlib import import_module

# Of `typing`, which takes longer to import than all of this file; type checkers know the name.
TYPE_CHECKING = False

if TYPE_CHECKING:  # the same names as in _HOMES, for type checkers and editors
    from orchestrator.agents.tasks.executor import TaskExecutor as TaskExecutor
    from orchestrator.agents.tasks.provider import get_provider as get_provider
    from orchestrator.agents.tasks.registry import AgentRegistry as AgentRegistry
    from orchestrator.agents.tasks.task import AgentInterface as AgentInterface
    from orchestrator.agents.tasks.task import AgentTask as AgentTask
    from orchestrator.agents.tasks.task import AgentType as AgentType
    from orchestrator.agents.tasks.task import TaskResult as TaskResult
    from orchestrator.client.llm_interface import create_llm_interface as create_llm_interface
    from orchestrator.client.module_level import Router as Router
    from orchestrator.client.module_level import acompletion as acompletion
    from orchestrator.client.module_level import aembedding as aembedding
    from orchestrator.client.module_level import completion as completion
    from orchestrator.client.module_level import embedding as embedding
    from orchestrator.client.orchestrator import Orchestrator as Orchestrator
    from orchestrator.client.search_llm import SearchAugmentedLlm as SearchAugmentedLlm
    from orchestrator.config.settings import Config as Config
    from orchestrator.gmn.agent import Agent as Agent
    from orchestrator.gmn.model import GMNSpec as GMNSpec
    from orchestrator.models.lifecycle import LLMLifecycle as LLMLifecycle
    from orchestrator.models.lifecycle import LLMRuntimeConfig as LLMRuntimeConfig
    from orchestrator.models.lifecycle import LLMState as LLMState
    from orchestrator.models.profiles import LLMCapabilities as LLMCapabilities
    from orchestrator.models.profiles import LLMProfile as LLMProfile
    from orchestrator.models.profiles import ModelFamily as ModelFamily
    from orchestrator.models.profiles import Provider as Provider
    from orchestrator.models.registry import LLMRegistry as LLMRegistry
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
    from orchestrator.types.fits import Fits as Fits
    from orchestrator.types.fits import Fitted as Fitted
    from orchestrator.types.messages import LLMMessage as LLMMessage
    from orchestrator.types.messages import LLMRole as LLMRole
    from orchestrator.types.requests import Answer as Answer
    from orchestrator.types.requests import Attempt as Attempt
    from orchestrator.types.requests import Generation as Generation
    from orchestrator.types.requests import Usage as Usage
    from orchestrator.types.searching import Citation as Citation
    from orchestrator.types.searching import SearchReport as SearchReport

__version__ = "0.1.0"

#: The public names, by the module below this package that defines them.
_HOMES = {
    "agents.tasks.executor": "TaskExecutor",
    "agents.tasks.provider": "get_provider",
    "agents.tasks.registry": "AgentRegistry",
    "agents.tasks.task": "AgentInterface AgentTask AgentType TaskResult",
    "client.llm_interface": "create_llm_interface",
    "client.module_level": "Router acompletion aembedding completion embedding",
    "client.orchestrator": "Orchestrator",
    "client.search_llm": "SearchAugmentedLlm",
    "config.settings": "Config",
    "gmn.agent": "Agent",
    "gmn.model": "GMNSpec",
    "models.lifecycle": "LLMLifecycle LLMRuntimeConfig LLMState",
    "models.profiles": "LLMCapabilities LLMProfile ModelFamily Provider",
    "models.registry": "LLMRegistry",
    "types.diagnostics": "Diagnostic Report Severity",
    "types.fits": "Fits Fitted",
    "types.errors": (
        "AuthenticationError BadRequestError BudgetExceededError CacheMissError CheckError "
        "ConfigError ContentPolicyError ContextWindowExceededError DeadlineExceededError GMNError "
        "InvalidOutputError LLMError MissingExtraError NoDeploymentError OrchestratorError "
        "RateLimitError ServiceUnavailableError"
    ),
    "types.messages": "LLMMessage LLMRole",
    "types.requests": "Answer Attempt Generation Usage",
    "types.searching": "Citation SearchReport",
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
