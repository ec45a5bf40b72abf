"""The module-level calls: one orchestrator with the default configuration behind them."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from orchestrator.config import Config
from orchestrator.orchestrator import Orchestrator
from orchestrator.routing import litellm_router

if TYPE_CHECKING:
    Router: Any


@functools.cache
def shared() -> Orchestrator:
    """The one of this process: LiteLLM keeps callbacks and clients globally."""
    return Orchestrator()


def _named(arguments: dict[str, Any], given: tuple[Any, ...], *names: str) -> dict[str, Any]:
    """LiteLLM takes its first arguments by position too."""
    if len(given) > len(names):
        raise TypeError(f"at most {len(names)} arguments by position: {', '.join(names)}")
    return {**dict(zip(names, given, strict=False)), **arguments}


async def acompletion(*given: Any, **arguments: Any) -> Any:
    """LiteLLM's ``acompletion(model, messages, …)`` with the default configuration.

    See `Orchestrator.acompletion`. A model that is not configured is called as LiteLLM would,
    with the keys that LiteLLM finds in the environment.
    """
    return await shared().acompletion(**_named(arguments, given, "model", "messages"))


def completion(*given: Any, **arguments: Any) -> Any:
    """LiteLLM's ``completion(model, messages, …)``, blocking; streams are blocking iterators."""
    return shared().sync.completion(**_named(arguments, given, "model", "messages"))


async def aembedding(*given: Any, **arguments: Any) -> Any:
    """LiteLLM's ``aembedding(model, input, …)`` with the default configuration."""
    return await shared().aembedding(**_named(arguments, given, "model", "input"))


def embedding(*given: Any, **arguments: Any) -> Any:
    """LiteLLM's ``embedding(model, input, …)``, blocking."""
    return shared().sync.embedding(**_named(arguments, given, "model", "input"))


def __getattr__(name: str) -> Any:
    if name == "Router":  # its base class takes seconds to load
        return _router_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _router_class() -> Any:
    """LiteLLM's ``Router`` with cache, ledger and deadline around its completions."""
    base = litellm_router()

    class Router(base):  # type: ignore[misc, valid-type]  # known at run time only
        """Built and used as LiteLLM's; the default configuration says where answers are kept."""

        def __init__(self, *given: Any, **arguments: Any) -> None:
            super().__init__(*given, **arguments)
            bare = _Bare(self, base)
            ours = Config.load(None, os.environ).orchestrator.model_dump(exclude={"routes"})
            config = {"model_list": self.model_list, "orchestrator": ours}
            self._orchestrator = Orchestrator(config, router=bare)

        async def acompletion(self, *given: Any, **arguments: Any) -> Any:
            """LiteLLM's ``acompletion(model, messages, …)``."""
            named = _named(arguments, given, "model", "messages")
            return await self._orchestrator.acompletion(**named)

        async def aembedding(self, *given: Any, **arguments: Any) -> Any:
            """LiteLLM's ``aembedding(model, input, …)``."""
            named = _named(arguments, given, "model", "input")
            return await self._orchestrator.aembedding(**named)

        async def aclose(self) -> None:
            """Close everything that was opened for this Router."""
            await self._orchestrator.aclose()

    return Router


class _Bare:
    """A Router as its own base class sees it, so that our calls do not come back to us."""

    def __init__(self, router: Any, base: Any) -> None:
        self._router = router
        self._base = base

    def __getattr__(self, name: str) -> Any:
        if name in ("acompletion", "aembedding"):
            return functools.partial(getattr(self._base, name), self._router)
        return getattr(self._router, name)
