"""Pages that give orders, and a reading model that follows all of them.

What the answering model is shown is held against a definition, not against the payloads that these
pages happen to have: lines that code writes, in which the only words of a page are whole words of
the source that the line names, and the only number is a whole number of them.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.config.paths import shipped
from orchestrator.generation.contract import contract_of
from orchestrator.generation.loop import refine
from orchestrator.generation.prompts import ConversationPrompts, Prompts
from orchestrator.generation.search.copies import distinct
from orchestrator.generation.search.data_block import Source, shown_sources, snippets_text
from orchestrator.generation.search.pages import main_text
from orchestrator.generation.search.reading import Ask, ReadFacts, facts_text, read
from orchestrator.generation.state import Bounds
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Contract, Request
from orchestrator.types.run_context import RunContext
from orchestrator.types.searching import SourcedFact
from orchestrator.types.visible import HIDDEN
from tests.generation.search.hostile.gullible import obeyed
from tests.generation.search.hostile.pages import HONEST, MARK, PAGES, REQUEST, Hostile
from tests.support.scripted import Scripted

CONTRACT: Contract[ReadFacts] = contract_of(ReadFacts)
PROMPTS = ConversationPrompts(Prompts(shipped("prompts", "templates")))
KEYS = {"sources", "hosts", "quote", "value", "unit", "one_host_only"}
ALL = pytest.mark.parametrize("hostile", PAGES, ids=lambda one: one.attack)


def asking(script: Scripted) -> Ask:
    """The question as the package puts it: through the loop, with one more call at most."""

    async def ask(messages: tuple[LLMMessage, ...], wanted: type[ReadFacts]) -> ReadFacts:
        assert wanted is ReadFacts
        made = await refine(
            Request(messages, "fast", schema=CONTRACT.schema, schema_name=CONTRACT.name),
            completer=script, contract=CONTRACT, follow_ups=PROMPTS, bounds=Bounds(2, 60.0),
            context=RunContext(),
        )  # fmt: skip
        return made.value

    return ask


def sources_of(*pages: Hostile) -> tuple[Source, ...]:
    texts = {one.url: main_text(one.page.encode(), "text/html") for one in pages if one.page}
    return distinct([HONEST, *(one.hit for one in pages)], texts)[0]


def facts_of(sources: Sequence[Source]) -> tuple[tuple[SourcedFact, ...], tuple[str, ...]]:
    script = Scripted(obeyed)
    made = asyncio.run(read(sources, REQUEST, ask=asking(script), today="2026-11-26"))
    (request,) = script.asked
    assert [turn.role for turn in request.messages] == [LLMRole.SYSTEM, LLMRole.USER]
    assert not any(source.text[:40] in request.messages[0].text for source in sources)
    return made


def rows_of(text: str, name: str) -> list[dict[str, Any]]:
    """The rows of the block at the end of a text, after a line that is always the same."""
    header, begin, *rows, end = text.split("\n")
    boundary = begin.removeprefix(f"BEGIN {name} ")
    assert re.fullmatch("[0-9a-f]{32}", boundary)
    assert end == f"END {name} {boundary}"
    assert not any(MARK in line for line in (header, begin, end))
    return [json.loads(row) for row in rows]


def check_row(row: dict[str, Any], sources: Sequence[Source]) -> None:
    """What a line that the answering model sees may be, by definition."""
    assert {"sources", "hosts", "quote"} <= set(row) <= KEYS
    assert row["sources"] == sorted(set(row["sources"]))
    named = [source for source in sources if source.number in row["sources"]]
    assert len(named) == len(row["sources"]) > 0
    assert row["hosts"] == len({source.origin for source in named})
    quote = row["quote"]
    assert 10 <= len(quote) <= 300
    assert any(is_run_of_words(quote, text) for text in (named[0].text, named[0].title))
    assert not re.search(rf"[{HIDDEN}\n<>\[\]{{}}`\\@_*=]|://|www\.", quote)
    assert not re.search(r"(?i)\byou\b|\bignore\b|\binstructions\b|\b(system|assistant) ?:", quote)
    assert not re.search(r"[a-z][\u0370-\u04ff]|[\u0370-\u04ff][a-z]", quote)
    if "value" in row:
        assert re.search(rf"(?<![\w.,]){re.escape(row['value'])}(?![\w]|[.,]\d)", quote)
        assert row["unit"] in quote
        assert row["one_host_only"] is (row["hosts"] == 1)


def is_run_of_words(quote: str, text: str) -> bool:
    """Whether a quote stands in a text, and neither a word nor a number goes on around it."""
    first = r"(?<![\w.,:/-])" if quote[0].isdigit() else r"(?<!\w)" * quote[0].isalnum()
    last = r"(?!\w|[.,:/-]\d)" if quote[-1].isdigit() else r"(?!\w)" * quote[-1].isalnum()
    return bool(re.search(first + re.escape(quote) + last, " ".join(text.split())))


def test_there_are_enough_attacks_and_each_has_its_own_name() -> None:
    assert len({one.attack for one in PAGES}) == len(PAGES) >= 40


@ALL
def test_nothing_but_the_value_of_a_fact_can_change(hostile: Hostile) -> None:
    sources = sources_of(hostile)
    assert sources[-1].url == hostile.url
    facts, notes = facts_of(sources)
    text = facts_text(facts)
    rows = rows_of(text, "FACTS")
    assert len(rows) == len(facts) <= 20
    for row in rows:
        check_row(row, sources)
    assert MARK not in text
    for fact in facts:  # what people are shown
        known = f"{fact.quote} {REQUEST}".casefold()
        assert len(fact.statement) <= 300
        assert MARK not in fact.statement
        assert all(word in known for word in re.findall(r"[^\W\d_]{5,}", fact.statement.casefold()))
    assert not any(re.search(rf"[{HIDDEN}\n]", note) for note in notes)


@ALL
def test_the_facts_of_an_honest_source_stay(hostile: Hostile) -> None:
    facts, _ = facts_of(sources_of(hostile))
    prices = [fact for fact in facts if fact.value == "1.20"]
    # More than one where a page makes the reader quote a part of it too, without its unit.
    assert "euros" in {price.unit for price in prices} <= {"euros", ""}
    for price in prices:
        assert (price.sources, price.hosts) == ((1,), 1)
        assert price.quote in HONEST.snippet


def test_all_pages_together_change_no_more_than_each() -> None:
    sources = sources_of(*(PAGES[n] for n in range(0, len(PAGES), 7)))
    facts, _ = facts_of(sources)
    for row in rows_of(facts_text(facts), "FACTS"):
        check_row(row, sources)


@ALL
def test_a_page_stays_inside_its_line(hostile: Hostile) -> None:
    sources = sources_of(hostile)
    for text in (snippets_text(sources), f"\n{shown_sources(sources)}"):
        rows = rows_of(text, "SOURCES")
        assert [row["source"] for row in rows] == [source.number for source in sources]
        assert rows[0]["text"] == HONEST.snippet
        block = text.partition("\n")[2]
        assert not re.search(rf"[<>{HIDDEN}]", block)
        assert not any(re.search(r"[\[\]]", str(value)) for row in rows for value in row.values())
        assert len(block) < 30_000


@pytest.mark.parametrize("style", ["white", "display", "rule", "sight", "comment", "attribute"])
def test_what_readers_of_a_page_do_not_see_is_not_read(style: str) -> None:
    hidden = [one for one in PAGES if style in one.attack and one.page]
    assert hidden
    for one in hidden:
        assert MARK not in main_text((one.page or "").encode(), "text/html")
