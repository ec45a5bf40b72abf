"""What a search engine is asked: few words, and nothing that is nobody's business."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.generation.search.query import MOST_ASKED, query_of, request_part


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Please tell me the weather in Oslo tomorrow?", "the weather in Oslo tomorrow"),
        ("Can you find me the cheapest flight to Rome", "the cheapest flight to Rome"),
        ("What is the price of gold on 2026-11-26?", "What is the price of gold on 2026-11-26"),
        ("Wie ist das Wetter in Köln?", "Wie ist das Wetter in Köln"),
        ("Summarise reviews of \"Dune\"", "Summarise reviews of Dune"),
    ],
)  # fmt: skip
def test_a_query_is_the_request_without_its_manners(text: str, query: str) -> None:
    assert query_of(text) == query


@pytest.mark.parametrize(
    "secret",
    [
        "ada.lovelace@example.org",
        "sk-proj-a1B2c3D4e5F6g7H8",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "4111 1111 1111 1111",
        "+49 170 1234567",
        "DE89 3704 0044 0532 0130 00",
        "https://user:hunter2@example.org/?token=abc",
        "password: hunter2",
        "api_key=Zm9vYmFy",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_what_is_private_is_not_sent_to_an_engine(secret: str) -> None:
    query = query_of(f"What is the rate of the euro today? My account is {secret} by the way")
    assert "rate of the euro today" in query
    for piece in secret.replace("password:", "").replace("api_key=", "").split():
        if len(piece) > 3:
            assert piece not in query


def test_pasted_documents_stay_here() -> None:
    document = "Confidential: the merger with Acme closes soon. " * 20
    text = f"{document}\n\nWho is the CEO of Acme now?"
    assert query_of(text) == "Who is the CEO of Acme now"
    fenced = f"```\n{document}\n```\nWho is the CEO of Acme now?"
    assert query_of(fenced) == "Who is the CEO of Acme now"
    quoted = "> Confidential merger\n> with Acme\n\nWho leads Acme?"
    assert query_of(quoted) == "Who leads Acme"


def test_what_steers_an_engine_is_not_a_word_of_the_query() -> None:
    assert query_of("!!g :de !images euro rate today!") == "g de images euro rate today"


def test_a_description_of_an_agent_is_cut_to_its_topic() -> None:
    text = (
        "A trader that starts from today's EUR/USD rate and decides whether to hedge, with three"
        " hidden states and two actions"
    )
    assert query_of(text, about="today's EUR/USD rate") == "starts from today's EUR/USD rate"


def test_nothing_is_left_of_a_request_that_is_all_private() -> None:
    assert query_of("ada@example.org 4111 1111 1111 1111") == ""


@given(st.text(max_size=3000), st.text(max_size=20))
def test_a_query_is_short_and_one_line(text: str, about: str) -> None:
    query = query_of(text, about=about)
    assert len(query) <= MOST_ASKED
    assert query == " ".join(query.split())
    assert len(request_part(text)) <= 2000
