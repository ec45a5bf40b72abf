"""What becomes of the facts that a reading model returns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.generation.search.copies import distinct
from orchestrator.generation.search.data_block import Source
from orchestrator.generation.search.reading import (
    ReadFact,
    ReadFacts,
    checked_facts,
    facts_text,
    read,
)
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.searching import SearchHit, SourcedFact

REQUEST = "What does bread cost in Paris?"
TEXTS = (
    "In Paris a loaf of bread cost 1.20 euros in October, statisticians say after a survey.",
    "Bakers of Paris ask 1.20 euros for a loaf of bread these days, up from last year's price.",
    "Our table: Paris, loaf of bread, 9.90 euros; Lyon, loaf of bread, 1.10 euros per piece.",
)


def sources(*hosts: str) -> tuple[Source, ...]:
    hits = [SearchHit("t", f"https://{h}/", x) for h, x in zip(hosts, TEXTS, strict=True)]
    return distinct(hits)[0]


SOURCES = sources("a.example", "b.example", "c.example")


def fact(source: int, quote: str, value: str = "", unit: str = "", statement: str = "") -> ReadFact:
    return ReadFact(
        statement=statement or "a loaf of bread cost 1.20 euros in Paris",
        value=value, unit=unit, quote=quote, source=source,
    )  # fmt: skip


def checked(
    *facts: ReadFact, by: tuple[Source, ...] = SOURCES, min_hosts: int = 1
) -> tuple[tuple[SourcedFact, ...], str]:
    made, notes = checked_facts(ReadFacts(facts=facts), by, REQUEST, min_hosts=min_hosts)
    return made, "\n".join(notes)


FIRST = fact(1, "a loaf of bread cost 1.20 euros", "1.20", "euros")
SECOND = fact(2, "ask 1.20 euros for a loaf of bread", "1.2", "euros")
THIRD = fact(3, "Paris, loaf of bread, 9.90 euros", "9.90", "euros", "a loaf of bread 9.90 euros")


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.split("\n") if line.startswith("{")]


def test_what_two_hosts_say_is_one_fact_of_two_sources() -> None:
    made, notes = checked(FIRST, SECOND, THIRD)
    assert [(f.value, f.unit, f.sources, f.hosts) for f in made] == [
        ("1.20", "euros", (1, 2), 2),
        ("9.90", "euros", (3,), 1),
    ]
    assert made[0].quote == "a loaf of bread cost 1.20 euros"
    assert notes == ""


def test_a_number_that_one_host_says_is_marked() -> None:
    rows = rows_of(facts_text(checked(FIRST, SECOND, THIRD)[0]))
    assert [(row["value"], row["one_host_only"]) for row in rows] == [
        ("1.20", False),
        ("9.90", True),
    ]


def test_numbers_of_too_few_hosts_are_dropped_and_named() -> None:
    made, notes = checked(FIRST, SECOND, THIRD, min_hosts=2)
    assert [f.value for f in made] == ["1.20"]
    assert "[3] 'a loaf of bread 9.90 euros': dropped, hosts that say 9.90: 1" in notes


def test_two_sources_of_one_host_are_not_two_hosts() -> None:
    by = sources("a.example", "www.a.example", "c.example")
    made, _ = checked(FIRST, SECOND, by=by)
    assert [(f.sources, f.hosts) for f in made] == [((1, 2), 1)]


def test_a_fact_without_a_number_does_not_need_hosts() -> None:
    made, _ = checked(fact(1, "statisticians say after a survey"), min_hosts=3)
    assert [(f.value, f.quote) for f in made] == [("", "statisticians say after a survey")]
    assert set(rows_of(facts_text(made))[0]) == {"sources", "hosts", "quote"}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (fact(9, "a loaf of bread cost 1.20 euros"), "there is no source 9"),
        (fact(0, "a loaf of bread cost 1.20 euros"), "there is no source 0"),
        (fact(2, "a loaf of bread cost 1.20 euros"), "the quote is not in the source"),
        (fact(1, "after a survey. Bakers of Paris"), "the quote is not in the source"),
        (fact(1, "a loaf of bread cost 1.20 euros", "1.3"), "the quote does not say '1.3'"),
    ],
)
def test_what_does_not_hold_is_dropped_and_said(wrong: ReadFact, why: str) -> None:
    made, notes = checked(wrong)
    assert made == ()
    assert why in notes


def test_a_unit_that_the_quote_does_not_name_is_left_out() -> None:
    made, notes = checked(fact(1, "a loaf of bread cost 1.20 euros", "1.20", "dollars"))
    assert (made[0].value, made[0].unit) == ("1.20", "")
    assert "the unit is not in the quote" in notes


@pytest.mark.parametrize(
    "statement",
    ["bread is free", "a loaf of bread cost 2 euros", "", "x" * 300, "bread cost: see a.com"],
)
def test_the_quote_stands_for_a_statement_of_other_words(statement: str) -> None:
    made, notes = checked(FIRST.model_copy(update={"statement": statement}))
    assert made[0].statement == made[0].quote
    assert "the quote stands for the statement" in notes


def test_the_statement_is_not_shown_to_the_answering_model() -> None:
    made, _ = checked(FIRST.model_copy(update={"statement": "bread of Paris"}))
    assert made[0].statement != made[0].quote
    assert "bread of Paris" not in facts_text(made)


async def test_pages_are_shown_to_the_reader_in_the_role_of_the_user() -> None:
    asked: list[tuple[LLMMessage, ...]] = []

    async def ask(messages: tuple[LLMMessage, ...], _: type[ReadFacts]) -> ReadFacts:
        asked.append(messages)
        return ReadFacts(facts=(FIRST,))

    made, notes = await read(SOURCES, REQUEST, ask=ask, today="2026-11-26")
    assert (len(made), notes) == (1, ())
    ((system, user),) = asked
    assert (system.role, user.role) == (LLMRole.SYSTEM, LLMRole.USER)
    assert user.text.startswith(f'Today is 2026-11-26. The request: "{REQUEST}"\nBEGIN SOURCES ')
    again = asked[:]
    await read(SOURCES, REQUEST, ask=ask, today="2026-11-26")
    assert asked[1] == again[0]  # so that the cache knows it again


async def test_nothing_is_asked_where_nothing_was_found() -> None:
    async def ask(*_: object) -> ReadFacts:
        raise AssertionError

    assert await read((), REQUEST, ask=ask, today="2026-11-26") == ((), ())
