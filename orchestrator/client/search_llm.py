"""Any model with current information, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.client.arguments import check_arguments

if TYPE_CHECKING:
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.types.messages import Messages
    from orchestrator.types.requests import Answer


class SearchAugmentedLlm:
    """An `Orchestrator` whose answers are searched for where they need it."""

    def __init__(
        self,
        orc: Orchestrator,
        search_provider: str = "duckduckgo",
        auto_search: bool = True,  # noqa: FBT001  as older callers pass it
        max_results: int = 5,
    ) -> None:
        """Nothing is asked yet; without `auto_search` only what is forced is searched for.

        `search_provider` is an engine: a search tool of the configuration, a provider, or one
        without a key.
        """
        check_arguments(locals())
        self.orc = orc
        self._auto = auto_search
        self._engine, self._most = search_provider, max_results

    async def generate(
        self,
        prompt: Messages,
        *,
        force_search: bool = False,
        search_query: str = "",
        max_results: int | None = None,
        **options: Any,  # those of `Orchestrator.generate`
    ) -> Answer:
        """Answer a prompt, or messages; `search_query` is searched for in place of the request.

        `max_results` stands in place of that of the wrapper.

        Raises: LLMError: no answer could be had; ConfigError: the engine cannot be asked.
        """
        check_arguments({"force_search": force_search, "search_query": search_query})
        is_forced = force_search or bool(search_query)
        search = {
            "mode": "always" if is_forced else "auto" if self._auto else "off",
            "query": search_query,
            "engine": self._engine,
            "max_results": self._most if max_results is None else max_results,
        }
        return await self.orc.generate(prompt, search=search, **options)

    async def generate_content_async(self, messages: Messages, **options: Any) -> str:
        """The text of `generate`; `options` are its own."""
        return (await self.generate(messages, **options)).text
