"""One model by the type of an agent, as older code calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from orchestrator.agents.tasks.calls import AgentCalls
from orchestrator.agents.tasks.registry import AgentRegistry
from orchestrator.agents.tasks.task import AgentInterface
from orchestrator.generation.streaming import following

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from orchestrator.agents.tasks.task import AgentType
    from orchestrator.models.credentials import Key
    from orchestrator.types.messages import Messages

_NAME = "provider"


class AgentProvider:
    """A model that is asked with messages and gives text; see `get_provider`."""

    def __init__(self, registry: AgentRegistry) -> None:
        """`registry` holds one agent."""
        self._agent = registry.get(_NAME)
        self._calls = AgentCalls(registry)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the Router, its HTTP clients and the cache."""
        await self._calls.aclose()

    async def generate_content_async(self, messages: Messages, **options: Any) -> str:
        """The text of an answer; `options` are those of `Orchestrator.generate`.

        Raises: LLMError: no answer could be had.
        """
        async with self._calls.orchestrator() as orc:
            given = {**self._agent.parameters, **options}
            return (await orc.generate(messages, model=self._agent.group, **given)).text

    def stream_content_async(self, messages: Messages, **options: Any) -> AsyncGenerator[str, None]:
        """The pieces of the text while they come. Raises: as `generate_content_async`."""

        async def work(send: Callable[[str], None]) -> str:
            await self.generate_content_async(messages, on_text=send, **options)
            return ""

        return following(work)


def get_provider(
    agent_type: AgentType | str,
    model: str,
    api_key: Key | None = None,
    *,
    config: Mapping[str, object] | str | None = None,
    environ: Mapping[str, str] | None = None,
    **metadata: Any,  # those of `AgentRegistry.register_agent`
) -> AgentProvider:
    """The model of a type of agent, asked through an `Orchestrator` of its own.

    Raises: ConfigError: as `AgentRegistry.register_agent`.
    """
    registry = AgentRegistry(config, environ=environ)
    registry.register_agent(
        _NAME, agent_type, AgentInterface.API, model, api_key, metadata=metadata
    )
    return AgentProvider(registry)
