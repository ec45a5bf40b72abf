"""What a search found, which sources stand behind an answer, and what became of the search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: When a request is searched for: never, always, where it needs current information, or where the
#: model asks for it.
SearchMode = Literal["off", "always", "auto", "tool"]

#: Results of one search that may be asked for: what LiteLLM promises of each provider.
MOST_RESULTS = 20

#: What became of a search; only ``used`` changed what the model was shown.
SearchStatus = Literal[
    "off",  # not asked for
    "not_needed",  # the request needs no current information
    "used",  # facts or snippets of sources were shown
    "empty",  # nothing was found, or nothing that could be checked
    "failed",  # no engine answered
    "late",  # the time for it was over
]


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One result of an engine, as it came: nothing in it may be trusted."""

    title: str
    url: str
    snippet: str
    date: str = ""


@dataclass(frozen=True, slots=True)
class SearchResults:
    """What one query found.

    Attributes:
        hits: at most as many as were asked for, no address twice; empty where nothing was found.
        engine: the one that answered; empty where none did.
        failures: why each engine before it did not answer, as ``name: reason``.
        cost_usd: dollars billed; None where the price is not known.
        retrieved_at: when the engine answered, ISO 8601 in UTC; also for an answer from the cache.
    """

    query: str
    hits: tuple[SearchHit, ...] = ()
    engine: str = ""
    failures: tuple[str, ...] = ()
    cost_usd: float | None = 0.0
    cached: bool = False
    retrieved_at: str = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that an answer may name as ``[number]``, counted from 1."""

    number: int
    title: str
    url: str
    snippet: str
    retrieved_at: str


@dataclass(frozen=True, slots=True)
class SourcedFact:
    """Something that sources say; every quoted word was found in its source.

    Attributes:
        statement: the fact in a few words.
        value, unit: where it is a number, as text; else empty.
        quote: the words of the first source that say it.
        sources: numbers of the citations that say it, ascending.
        hosts: how many independent hosts say it; a number of one host is marked for the model.
    """

    statement: str
    quote: str
    sources: tuple[int, ...]
    value: str = ""
    unit: str = ""
    hosts: int = 1


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What became of the search for one request.

    Attributes:
        status: whether sources were shown to the model, and why not.
        reason: why it was searched or not, and what failed, in a sentence.
        query: what was searched for; empty where nothing was.
        engine: the engine that answered.
        citations: the sources shown, or those that the answer names.
        facts: what was read in them; empty in the mode that shows snippets.
        notes: what was dropped or marked: quotes that are not in their source, copies, unknown
            source numbers, a line each.
        cost_usd: dollars of the searches alone; None where a price is not known.
    """

    status: SearchStatus
    reason: str = ""
    query: str = ""
    engine: str = ""
    citations: tuple[Citation, ...] = ()
    facts: tuple[SourcedFact, ...] = ()
    notes: tuple[str, ...] = ()
    cost_usd: float | None = 0.0


NOT_SEARCHED = SearchReport("off")
