"""The module-level calls: one orchestrator with the default configuration behind them."""

from __future__ import annotations

import functools
import os
from typing import Any

from orchestrator.client.orchestrator import Orchestrator
from orchestrator.client.typed_calls import typed, typed_async
from orchestrator.config.settings import Config
from orchestrator.routing.guard import held_member
from orchestrator.routing.host import hosted_router


@functools.cache
def shared() -> Orchestrator:
    """The one of this process: LiteLLM keeps callbacks and clients globally."""
    return Orchestrator()


def _named(arguments: dict[str, Any], given: tuple[Any, ...], *names: str) -> dict[str, Any]:
    """LiteLLM takes its first arguments by position too."""
    if len(given) > len(names):
        raise TypeError(f"at most {len(names)} arguments by position: {', '.join(names)}")
    return {**dict(zip(names, given, strict=False)), **arguments}


@typed_async
async def acompletion(*given: Any, **arguments: Any) -> Any:
    """LiteLLM's ``acompletion(model, messages, …)`` with the default configuration.

    See `Orchestrator.acompletion`. A model that is not configured is called as LiteLLM would,
    with the keys that LiteLLM finds in the environment.
    """
    return await shared().acompletion(**_named(arguments, given, "model", "messages"))


@typed
def completion(*given: Any, **arguments: Any) -> Any:
    """LiteLLM's ``completion(model, messages, …)``, blocking; streams are blocking iterators."""
    return shared().sync.completion(**_named(arguments, given, "model", "messages"))


async def aembedding(*given: Any, **arguments: Any) -> Any:
    """LiteLLM's ``aembedding(model, input, …)`` with the default configuration."""
    return await shared().aembedding(**_named(arguments, given, "model", "input"))


def embedding(*given: Any, **arguments: Any) -> Any:
    """LiteLLM's ``embedding(model, input, …)``, blocking."""
    return shared().sync.embedding(**_named(arguments, given, "model", "input"))


class Router:
    """LiteLLM's ``Router`` with cache, ledger and deadline around its completions.

    Takes the arguments of ``litellm.Router``; the default configuration says where answers are
    kept. Everything that is not defined here is the attribute of LiteLLM's Router behind it:
    its calls take no address, and under ``local_only`` they are refused.
    """

    def __init__(self, *given: Any, **arguments: Any) -> None:
        """Build LiteLLM's Router.

        Raises: TypeError: LiteLLM's Router has no such argument. ConfigError: nothing can be
            called.
        """
        hosted = hosted_router(*given, **arguments)
        self._router = hosted.router
        ours = Config.load(None, os.environ).orchestrator.model_dump(exclude={"routes"})
        config: dict[str, Any] = {"model_list": self._router.registry().all(), "orchestrator": ours}
        # Who answers depends on these, and the defaults are part of each question.
        names = ("default_litellm_params", "model_group_alias", "enable_tag_filtering")
        config["router_settings"] = {n: arguments[n] for n in names if arguments.get(n)}
        # These choose among the models of a file; the arguments of a Router are a choice already.
        chosen = ("LLM_PROVIDER", "DEFAULT_LLM_MODEL")
        environ = {name: value for name, value in os.environ.items() if name not in chosen}
        self._orchestrator = Orchestrator(config, router=hosted, environ=environ)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # while it is being built or unpickled there is no `_router` yet
            raise AttributeError(name)
        is_local_only = self._orchestrator.config.orchestrator.privacy == "local_only"
        return held_member(name, getattr(self._router, name), is_local_only=is_local_only)

    @typed_async
    async def acompletion(self, *given: Any, **arguments: Any) -> Any:
        """LiteLLM's ``acompletion(model, messages, …)``."""
        return await self._orchestrator.acompletion(**_named(arguments, given, "model", "messages"))

    @typed
    def completion(self, *given: Any, **arguments: Any) -> Any:
        """LiteLLM's ``completion(model, messages, …)``, blocking."""
        named = _named(arguments, given, "model", "messages")
        return self._orchestrator.sync.completion(**named)

    async def aembedding(self, *given: Any, **arguments: Any) -> Any:
        """LiteLLM's ``aembedding(model, input, …)``."""
        return await self._orchestrator.aembedding(**_named(arguments, given, "model", "input"))

    def embedding(self, *given: Any, **arguments: Any) -> Any:
        """LiteLLM's ``embedding(model, input, …)``, blocking."""
        return self._orchestrator.sync.embedding(**_named(arguments, given, "model", "input"))

    async def aclose(self) -> None:
        """Close everything that was opened for this Router."""
        await self._orchestrator.aclose()
