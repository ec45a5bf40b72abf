"""The facade bound to one model of a registry."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from orchestrator.client.orchestrator import Orchestrator
from orchestrator.config.providers import prefix_of
from orchestrator.config.settings import Routes
from orchestrator.models.lifecycle import LLMState
from orchestrator.models.registry import LLMRegistry
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.config.settings import Config, ModelListEntry
    from orchestrator.types.messages import Messages
    from orchestrator.types.requests import Answer, WireAttempt


class LLMInterface:
    """Asks one model; it holds no state of its own beside the `LLMState` it was made from."""

    def __init__(self, state: LLMState, registry: LLMRegistry) -> None:
        """Nothing is asked yet; see `create_llm_interface`."""
        self.state = state
        self._registry = registry
        self._version, self._bound = -1, None
        self._lock = asyncio.Lock()

    _bound: Orchestrator | None
    _has_failed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def orchestrator(self) -> Orchestrator:
        """The orchestrator behind it, with the keys that the registry has now."""
        registry = self._registry
        if self._has_failed:  # unless its key was rotated meanwhile
            await asyncio.to_thread(registry.provider_state, self.state.profile.provider)
        if self._bound is not None and self._version == registry.version:
            return self._bound
        async with self._lock:
            if self._bound is None or self._version != registry.version:
                version, old = registry.version, self._bound
                self._bound = await asyncio.to_thread(self._made)
                self._version, self._has_failed = version, False
                if old is not None:
                    await old.aclose()
            return self._bound

    def _observe(self, environ: Mapping[str, str], attempt: WireAttempt) -> None:
        self._has_failed = attempt.outcome == "AuthenticationError"
        self._registry.observe(attempt, environ)

    def _made(self) -> Orchestrator:
        """Keys may come from a file, and a local server may be asked who it is."""
        profile, config = self.state.profile, self._registry.config
        self._registry.require_initialized(profile.provider)
        if profile.is_local:
            config = alone(config, [e for e in config.model_list if e.model_name == profile.name])
        environ = self._registry.environ()
        made = Orchestrator(config, environ=environ)
        made._router.monitor.listener = functools.partial(self._observe, environ)
        return made

    async def generate(
        self,
        prompt: Messages,
        *,
        on_text: Callable[[str], None] | None = None,
        **parameters: Any,  # as of `Orchestrator.generate`
    ) -> Answer:
        """Answer a prompt, or messages; `parameters` are LiteLLM's and go before the state's.

        Where the state says ``stream``, or `on_text` is to hear the pieces of the text, the model
        is asked for a stream; the answer comes back whole.

        Raises: LLMError: no answer could be had.
        """
        runtime = self.state.runtime
        stated = {"max_tokens": runtime.max_tokens, "temperature": runtime.temperature}
        given: dict[str, Any] = {name: n for name, n in stated.items() if n is not None}
        if runtime.stream or on_text is not None:
            given["on_text"] = on_text or _unheard
        orc = await self.orchestrator()
        return await orc.generate(prompt, model=self.state.profile.name, **{**given, **parameters})

    async def aclose(self) -> None:
        """Close the Router, its HTTP clients and the cache."""
        async with self._lock:
            if self._bound is not None:
                await self._bound.aclose()
            self._bound = None


def _unheard(text: str) -> None:
    """A piece of a stream that nobody listens to."""


def alone(config: Config, entries: Sequence[ModelListEntry]) -> Config:
    """A configuration of some deployments, without fallbacks: a prompt for a local model stays
    local, and a key of some other provider does not keep it from answering."""

    def without_fallbacks(settings: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in settings.items() if not key.endswith("fallbacks")}

    update = {
        "model_list": tuple(entries),
        "router_settings": without_fallbacks(config.router_settings),
        "litellm_settings": without_fallbacks(config.litellm_settings),
        "orchestrator": config.orchestrator.model_copy(update={"routes": Routes()}),
    }
    return config.model_copy(update=update)


async def create_llm_interface(
    config: str | LLMState | Mapping[str, Any] | object, llm_registry: LLMRegistry
) -> LLMInterface:
    """The facade bound to one model: a registered name, an `LLMState`, or an older flat dict.

    A provider whose credential is there is initialized by this; a model that is not registered
    yet is registered, with the key that its state brings.

    Raises: ConfigError: the name is unknown or a field wrong; NoDeploymentError: its provider
        cannot be called.
    """
    if not isinstance(llm_registry, LLMRegistry):
        raise TypeError(f"llm_registry is a {type(llm_registry).__name__}, not an LLMRegistry")
    if isinstance(config, Mapping):
        config = LLMState.from_legacy(config)
    if not isinstance(config, str | LLMState):
        kind = type(config).__name__
        raise ConfigError("config", f"is a {kind}, not the name of a model or an LLMState")
    return LLMInterface(await asyncio.to_thread(_ready, config, llm_registry), llm_registry)


def _ready(config: str | LLMState, registry: LLMRegistry) -> LLMState:
    """The state of a registered model whose provider can be called."""
    state = registry.state(config) if isinstance(config, str) else _registered(config, registry)
    registry.require_initialized(state.profile.provider)
    return state


def _registered(state: LLMState, registry: LLMRegistry) -> LLMState:
    prefix = prefix_of(state.provider.name)
    if prefix not in registry.providers():
        registry.register_provider(state.provider)
    if state.runtime.api_key is not None:
        registry.initialize_provider(prefix, state.runtime.api_key)
    known = {one.name for one in registry.models()}
    if state.profile.name not in known:
        bare = state.profile.model.removeprefix(f"{prefix}/")
        registry.register_model(
            prefix, bare, name=state.profile.name, capabilities=state.profile.capabilities
        )
    return registry.state(state.profile.name, state.runtime)
