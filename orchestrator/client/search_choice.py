"""What the argument `search` of a call says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from orchestrator.types.searching import MOST_RESULTS, SearchMode

#: A mode, or a mapping with ``mode``, ``query``, ``engine`` and ``max_results``.
Searching = SearchMode | Mapping[str, object]


@dataclass(frozen=True)
class SearchChoice:
    """How one request is searched for.

    Attributes:
        query: what is searched for; empty: it is written from the request.
        engine: the one that is asked alone; empty: those that are configured.
        max_results: None as configured.
    """

    mode: SearchMode
    query: str = ""
    engine: str = ""
    max_results: int | None = None


def choice_of(given: Searching | None, configured: SearchMode) -> SearchChoice:
    """What an argument `search` says.

    A mapping without a mode asks for a search where it holds a query, or where `configured` is off.

    Raises: ValueError: a mode or a key is unknown, or a value is not one of its key.
    """
    stated = given if isinstance(given, Mapping) else {"mode": given}
    if unknown := stated.keys() - {"mode", "query", "engine", "max_results"}:
        known = "mode, query, engine, max_results"
        raise ValueError(f"search has no {sorted(unknown)[0]!r}; known: {known}")
    wanted, query, engine = stated.get("mode"), _text(stated, "query"), _text(stated, "engine")
    most = stated.get("max_results")
    if isinstance(most, bool) or (
        most is not None and not (isinstance(most, int) and 1 <= most <= MOST_RESULTS)
    ):
        raise ValueError(f"max_results is {most!r}, expected a whole number in 1 to {MOST_RESULTS}")
    if wanted is None:
        is_stated = query or engine or most
        wanted = "always" if query or (is_stated and configured == "off") else configured
    for mode in get_args(SearchMode):
        if wanted == mode:
            return SearchChoice(mode, query, engine, most)
    modes = ", ".join(get_args(SearchMode))
    raise ValueError(f"search={wanted!r} is not a mode; use one of {modes}")


def _text(stated: Mapping[str, object], name: str) -> str:
    text = stated.get(name)
    if text is None or text == "":
        return ""
    if (
        not isinstance(text, str)
        or not text.strip()
        or text != text.encode(errors="replace").decode()
    ):
        raise ValueError(f"{name} of search is {text!r}, expected text in UTF-8")
    return text
