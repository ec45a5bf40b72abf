"""`Orchestrator.search`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.client.arguments import check_arguments
from orchestrator.generation.request_building import cache_use

if TYPE_CHECKING:
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.types.caching import Caching
    from orchestrator.types.searching import SearchResults


async def search(
    self: Orchestrator,
    query: str,
    *,
    max_results: int | None = None,
    engine: str = "",
    within_s: float | None = None,
    cache: Caching | None = None,
    tenant: str = "",
) -> SearchResults:
    """What search engines find, in the order of ``search.engines``; `engine` asks one alone.

    At most `max_results` pages, none twice, within `within_s` seconds; both as configured
    where they are None. An engine that fails or finds nothing is passed over, and listed in
    the results with the reason. The results are a stranger's text.

    Raises:
        BudgetExceededError: the next search could cost more than what is left.
        ConfigError, MissingExtraError: no engine can be asked.
        CacheMissError: mode replay, and nothing is recorded.
        ValueError: `query` is blank, `max_results` is not in 1 to 20.
    """
    check_arguments(locals())
    await self._open()
    mode, keep = cache_use(cache, self.config.orchestrator.cache, tenant)
    with self._ledger.open("search", route=engine or "*", tenant=tenant) as entry:
        found = await self._searcher.search(
            query, context=entry.context, max_results=max_results, engine=engine,
            within_s=within_s, cache=mode, keep=keep,
        )  # fmt: skip
        entry.outcome = "answered" if found.engine else "failed"
        return found
