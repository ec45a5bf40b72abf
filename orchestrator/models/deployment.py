"""One deployment, one that was left out, and the parameters that nothing shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.config.providers import LOCAL_PREFIXES, OFFLINE
from orchestrator.models.addresses import base_of, is_here, is_near
from orchestrator.models.table import entry_of

if TYPE_CHECKING:
    from collections.abc import Mapping


#: LiteLLM's names of what such servers speak; all but the first are local without an address too.
_OWN_SERVERS = (LOCAL_PREFIXES | {"openai", "custom_openai", "llamafile"}) - {OFFLINE}


class Secret:
    """Holds parameters without ever showing them."""

    __slots__ = ("value",)

    def __init__(self, value: Mapping[str, Any]) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<litellm_params>"


@dataclass(frozen=True, slots=True)
class SkippedDeployment:
    """A deployment that was left out, and why."""

    group: str
    model: str
    reason: str

    @property
    def provider(self) -> str:
        """LiteLLM's name of the provider, as `Deployment.provider`."""
        return self.model.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that can be called; `params` hold secrets and stay out of every repr."""

    group: str
    model: str
    id: str
    params: Secret
    model_info: Mapping[str, Any]

    @property
    def provider(self) -> str:
        """LiteLLM's name of the provider: what stands before the first slash."""
        return self.model.partition("/")[0]

    @property
    def is_local(self) -> bool:
        """Whether calls stay on this machine."""
        base = base_of(self.params.value)
        return is_here(base) if base else self.provider in LOCAL_PREFIXES

    @property
    def is_own_server(self) -> bool:
        """Whether a server of the user's own answers near by: Ollama, LM Studio, llama.cpp."""
        base = base_of(self.params.value)
        if self.provider not in _OWN_SERVERS:
            return False
        return is_near(base) if base else self.provider in LOCAL_PREFIXES

    def entry_in(self, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """The entry about its model in LiteLLM's table; empty when there is none."""
        return entry_of(self.model, table, str(self.model_info.get("base_model") or ""))


def ad_hoc_deployment(model: str, provider: str) -> Deployment:
    """A deployment for a model that is not configured; LiteLLM finds its credentials."""
    params = {"model": model, "max_retries": 0}
    full = model if model.startswith(f"{provider}/") else f"{provider}/{model}"
    return Deployment(model, full, model, Secret(params), {})
