"""One request's search: query by query, and what its model may be shown of what was found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.generation.search.copies import distinct
from orchestrator.generation.search.data_block import citations_of, snippets_text
from orchestrator.generation.search.found import Found
from orchestrator.generation.search.pages import PageReader
from orchestrator.generation.search.reading import facts_text, read
from orchestrator.types.errors import BudgetExceededError, DeadlineExceededError, LLMError
from orchestrator.types.events import Searched
from orchestrator.types.searching import SearchReport
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from orchestrator.config.search import SearchSettings
    from orchestrator.generation.search.data_block import Source
    from orchestrator.generation.search.reading import Ask
    from orchestrator.types.events import Event
    from orchestrator.types.searching import (
        Citation,
        SearchHit,
        SearchResults,
        SearchStatus,
        SourcedFact,
    )

#: Puts a query to the engines, within so many seconds.
Engines = Callable[[str, float], Awaitable["SearchResults"]]


@dataclass
class Augmentation:
    """The searches for one request, until `until` (`time.monotonic`).

    Attributes:
        ask: puts the question to the model that reads; None where none can.
        reason: why it is searched for, in a sentence.
        emit: called with an event where a search begins and where it ends.
    """

    request_text: str
    settings: SearchSettings
    engines: Engines
    ask: Ask | None
    until: float
    reason: str = ""
    emit: Callable[[Event], None] = lambda _: None
    pages: PageReader = field(default_factory=PageReader)
    _status: SearchStatus = "empty"
    _queries: list[str] = field(default_factory=list)
    _engine: str = ""
    _hits: list[SearchHit] = field(default_factory=list)
    _texts: dict[str, str] = field(default_factory=dict)
    _sources: tuple[Source, ...] = ()
    _citations: list[Citation] = field(default_factory=list)
    _facts: list[SourcedFact] = field(default_factory=list)
    _notes: dict[str, None] = field(default_factory=dict)
    _cost_usd: float | None = 0.0

    async def look_for(self, query: str) -> None:
        """Search once more; what does not come in time, or fails, is said in the report.

        Raises: BudgetExceededError, CacheMissError, ConfigError, MissingExtraError.
        """
        if not query:
            self._fail("empty", "Nothing of the request may be sent to a search engine.")
            return
        self._queries.append(query)
        self.emit(Searched(query, "started"))
        status: SearchStatus = "failed"
        try:
            await self._in_time(query)
            status = self.found().report.status
        finally:
            self.emit(Searched(query, status, self._engine, len(self.found().report.citations)))

    async def _in_time(self, query: str) -> None:
        left = max(self.until - time.monotonic(), 0.0)
        try:
            async with asyncio.timeout(left):
                await self._look_for(query, left)
        except (TimeoutError, DeadlineExceededError):
            self._fail("late", "The time for it was over.")
        except BudgetExceededError:
            raise
        except LLMError as error:
            self._fail("failed", f"The sources could not be read ({visible(str(error))}).")

    async def _look_for(self, query: str, left: float) -> None:
        results = await self.engines(query, min(left, self.settings.timeout_s))
        self.note(*(f"search: {failure}" for failure in results.failures))
        self._engine = results.engine or self._engine
        known = self._cost_usd is not None and results.cost_usd is not None
        self._cost_usd = (self._cost_usd or 0) + (results.cost_usd or 0) if known else None
        if not results.hits:
            is_late = time.monotonic() >= self.until
            if results.engine:
                self._fail("empty", "Nothing was found.")
            else:
                why = visible("; ".join(results.failures) or "none was asked")
                self._fail("late" if is_late else "failed", f"No search engine answered ({why}).")
            return
        await self._read(results)

    async def _read(self, results: SearchResults) -> None:
        about = self.settings
        self._hits += results.hits
        if about.fetch_pages:
            texts, notes = await self.pages.texts(results.hits, about.fetch_pages)
            self._texts |= texts
            self.note(*notes)
        # Results of earlier queries come first, so that their numbers stay.
        sources, notes = await asyncio.to_thread(
            distinct, self._hits, self._texts, each=about.max_chars_per_source,
            total=about.max_chars,
        )  # fmt: skip
        self.note(*notes)
        new, self._sources = sources[len(self._sources) :], sources
        self._citations += citations_of(new, results.retrieved_at)
        if about.reading == "snippets":
            return
        if self.ask is None:
            self._fail("failed", "The embedded provider reads no sources.")
            return
        # The day of the search, so that a recorded answer is found again on another day.
        facts, notes = await read(
            new, self.request_text, ask=self.ask, today=results.retrieved_at[:10],
            min_hosts=about.min_hosts,
        )  # fmt: skip
        self._facts += facts
        self.note(*notes)
        if not facts:
            self._fail("empty", "The sources say nothing that could be checked.")

    def note(self, *lines: str) -> None:
        """Add lines to the notes of the report."""
        self._notes |= dict.fromkeys(map(visible, lines))

    def _fail(self, status: SearchStatus, why: str) -> None:
        self._status = status
        self.note(why)
        if why not in self.reason:
            self.reason = f"{self.reason} {why}".strip()

    def found(self, cost_usd: float | None = 0.0) -> Found:
        """What the model is shown, and the report; `cost_usd` is the bill of everything."""
        shown, citations = "", tuple(self._citations)
        if self.settings.reading == "snippets":
            shown = snippets_text(self._sources) if self._sources else ""
        else:
            named = {number for fact in self._facts for number in fact.sources}
            citations = tuple(one for one in citations if one.number in named)
            shown = facts_text(self._facts) if self._facts else ""
        report = SearchReport(
            "used" if shown else self._status,
            self.reason,
            "; ".join(self._queries),
            self._engine,
            citations if shown else (),
            tuple(self._facts),
            tuple(self._notes),
            self._cost_usd,
        )
        return Found(report, shown, cost_usd)
