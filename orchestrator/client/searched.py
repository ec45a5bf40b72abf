"""Results of a request that was searched for: with their sources, and their whole bill."""

from __future__ import annotations

import json
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.generation.search.citations import checked
from orchestrator.types.messages import LLMRole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.generation.search.found import Found
    from orchestrator.types.messages import LLMMessage
    from orchestrator.types.requests import Answer, Generation
    from orchestrator.types.searching import SearchReport

T = TypeVar("T")


def last_of_user(messages: Iterable[LLMMessage]) -> str:
    """The text of the last message of the user; empty where there is none."""
    texts = [turn.text for turn in messages if turn.role is LLMRole.USER]
    return texts[-1] if texts else ""


def wanted_query(answer: Answer) -> str | None:
    """What a model wants to look up by the tool; None where it answered."""
    if answer.finish != "tool_calls":
        return None
    try:
        given: Any = json.loads(answer.text)
    except (ValueError, RecursionError):
        return ""
    query = given.get("query") if isinstance(given, dict) else None
    return query if isinstance(query, str) else ""


def with_sources(answer: Answer, found: Found) -> Answer:
    """An answer with the sources that it names, without numbers that no source has."""
    report = found.report
    cited = checked(answer.text, {one.number for one in report.citations})
    named = tuple(one for one in report.citations if one.number in cited.used)
    known = answer.billed_usd is not None and found.cost_usd is not None
    return replace(
        answer,
        text=cited.text if found.shown else answer.text,
        citations=named,
        search=replace(report, notes=(*report.notes, *(cited.notes if found.shown else ()))),
        billed_usd=(answer.billed_usd or 0.0) + (found.cost_usd or 0.0) if known else None,
    )


def with_citations(response: Any, found: Found) -> Any:
    """LiteLLM's response with ``citations`` and ``search``.

    Of a stream they hold what was shown, and at its end what its text names: the text is out by
    then, so that unknown numbers stay in it and are noted.
    """
    report, named = found.report, found.report.citations
    choices = getattr(response, "choices", None) or ()
    if found.shown and choices:
        known = {one.number for one in named}
        made = [checked(choice.message.content or "", known) for choice in choices]
        for choice, cited in zip(choices, made, strict=True):
            if choice.message.content:
                choice.message.content = cited.text
        used = {number for cited in made for number in cited.used}
        named = tuple(one for one in named if one.number in used)
        notes = (note for cited in made for note in cited.notes)
        report = replace(report, notes=(*report.notes, *notes))
    response.citations, response.search = named, report
    if found.shown and hasattr(response, "when_over"):
        _look_into(response, report)
    return response


def _look_into(stream: Any, report: SearchReport) -> None:
    parts: list[str] = []
    to_stream = weakref.ref(stream)  # one that is dropped is to end its call

    def hear(part: Any) -> None:
        parts.extend(choice.delta.content or "" for choice in part.choices)

    def end(outcome: str) -> None:
        del outcome
        cited = checked("".join(parts), {one.number for one in report.citations})
        if (one := to_stream()) is not None:
            notes = (note.replace("removed", "not removed") for note in cited.notes)
            one.citations = tuple(c for c in report.citations if c.number in cited.used)
            one.search = replace(report, notes=(*report.notes, *notes))

    stream.on_part(hear)
    stream.when_over(end)


def with_report(made: Generation[T], found: Found) -> Generation[T]:
    """A result with the sources that were shown for it, and what they cost."""
    known = made.cost_usd is not None and found.cost_usd is not None
    total = (made.cost_usd or 0.0) + (found.cost_usd or 0.0) if known else None
    return replace(made, citations=found.report.citations, search=found.report, cost_usd=total)
