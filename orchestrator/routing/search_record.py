"""One search and its calls on the wire, for its results and for the ledger."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.routing.redirects import Seen
from orchestrator.routing.search_calls import MOST_BYTES
from orchestrator.types.requests import WireAttempt
from orchestrator.types.run_context import RequestCost
from orchestrator.types.searching import SearchHit, SearchResults

if TYPE_CHECKING:
    from orchestrator.routing.engines import SearchEngine
    from orchestrator.types.run_context import RunContext


@dataclass(slots=True)
class Search:
    """One search under way: at most so many results within so many seconds, and its bill."""

    query: str
    most: int
    seconds: float
    context: RunContext
    billed: RequestCost = field(default_factory=RequestCost)
    has_begun: bool = False

    def results(
        self, hits: tuple[SearchHit, ...], engine: str, failures: list[str]
    ) -> SearchResults:
        """What it found, by which engine, and what it was billed."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return SearchResults(
            self.query, hits, engine, tuple(failures), self.billed.billed_usd,
            retrieved_at=now if engine else "",
        )  # fmt: skip


@dataclass(slots=True)
class SearchAttempt:
    """One call on the wire, for the ledger.

    A call that this side gave up is on the bill with its price: the engine may have answered.
    """

    engine: SearchEngine
    price: float | None
    started: float = field(default_factory=time.perf_counter)
    ended: tuple[WireAttempt, ...] = ()
    unsent: tuple[WireAttempt, ...] = ()

    seen: Seen = field(default_factory=lambda: Seen(MOST_BYTES))
    expected: WireAttempt = field(init=False)

    def __post_init__(self) -> None:
        self.expected = self._made("unfinished", 0, self.price, estimated=True)

    def give_up(self, outcome: str) -> None:
        """Note that this side left before there was an answer."""
        self.end(outcome, usd=self.price, estimated=True, was_sent=self.seen.sent > 0)

    def end(
        self,
        outcome: str,
        status: int = 0,
        *,
        usd: float | None = None,
        estimated: bool = False,
        was_sent: bool = True,
    ) -> None:
        """Note how it ended, and what it costs."""
        made = (self._made(outcome, status, usd, estimated=estimated),)
        self.ended, self.unsent = (made, ()) if was_sent else ((), made)

    def _made(
        self, outcome: str, status: int, usd: float | None, *, estimated: bool
    ) -> WireAttempt:
        one, seconds = self.engine, round(time.perf_counter() - self.started, 4)
        name = one.backend or "search"
        return WireAttempt(
            one.name, one.provider, name, outcome, status, seconds, cost_usd=usd,
            estimated=estimated,
        )  # fmt: skip
