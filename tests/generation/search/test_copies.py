"""Copies of one text count as one source, hosts by their registrable domains."""

from __future__ import annotations

import random
import re

import pytest

from orchestrator.generation.search.copies import distinct, host_of, hosts
from orchestrator.types.searching import SearchHit

# What five sites say of one subject, each in its own words.
OWN_WORDS = (
    "Python 3.14.1 is the latest stable release of the Python programming language, published on"
    " 2 December 2026 with many bug fixes.",
    "The newest version of Python is 3.14.1. It was released by the core team in December and fixes"
    " bugs in the free-threaded build.",
    "Download the latest version of Python for Windows. Python 3.14.1 was released on December 2,"
    " 2026. Looking for Python with a different OS?",
    "Python 3.14 brought template strings and deferred evaluation of annotations; the first"
    " maintenance release 3.14.1 appeared this week.",
    "What's new in Python 3.14: free threading is officially supported, and a new type of"
    " interpreter gives three to five percent more speed.",
)


def hits(*texts: str) -> list[SearchHit]:
    return [SearchHit("t", f"https://h{n}.example/p", text) for n, text in enumerate(texts)]


def garbled(text: str, seed: int) -> str:
    """A fifth of the words replaced, and other capitals and marks."""
    chance = random.Random(seed)
    spun = [
        chance.choice(("newest", "thing", "software", "edition")) if chance.random() < 0.2 else word
        for word in text.split()
    ]
    return " ".join(spun).upper().replace(".", " .")


def test_texts_of_their_own_on_one_subject_stay_apart() -> None:
    sources, notes = distinct(hits(*OWN_WORDS))
    assert [source.text for source in sources] == list(OWN_WORDS)
    assert notes == ()


@pytest.mark.parametrize("seed", range(8))
def test_garbled_copies_under_five_addresses_count_as_one_source(seed: int) -> None:
    copies = [garbled(OWN_WORDS[0], seed * 10 + n) for n in range(4)]
    sources, notes = distinct(hits(OWN_WORDS[0], *copies, *OWN_WORDS[1:4]))
    texts = [source.text for source in sources]
    assert [source.number for source in sources] == list(range(1, len(sources) + 1))
    assert {source.origin for source in sources if source.text in copies} <= {"h0.example"}
    assert hosts(sources) == 4
    assert set(OWN_WORDS[:4]) <= set(texts)
    # Those that lost a number stay, to be held against the others.
    same = [copy for copy in copies if re.findall(r"\d+", copy) == ["3", "14", "1", "2", "2026"]]
    assert not set(same) & set(texts)
    assert len(notes) == 8 - len(sources) >= len(same)
    assert all("has a copy of what h0.example says" in note for note in notes)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_copy_with_another_number_stays_and_is_not_independent(order: tuple[int, int]) -> None:
    texts = (OWN_WORDS[0], OWN_WORDS[0].replace("3.14.1", "3.99.0"))
    sources, notes = distinct(hits(*(texts[n] for n in order)))
    assert [source.text for source in sources] == [texts[n] for n in order]
    assert hosts(sources) == 1
    assert notes == ()


def test_a_snippet_out_of_a_page_is_not_independent_of_it() -> None:
    found = hits("a few words", OWN_WORDS[2])
    page = f"{OWN_WORDS[1]} {OWN_WORDS[2]} {OWN_WORDS[4]}"
    sources, _ = distinct(found, {found[0].url: page})
    assert [source.text for source in sources] == [page, OWN_WORDS[2]]
    assert [source.origin for source in sources] == ["h0.example", "h0.example"]


def test_short_texts_are_copies_only_where_they_are_equal() -> None:
    sources, _ = distinct(hits("so many people", "so few people", "So many people!"))
    assert [source.text for source in sources] == ["so many people", "so few people"]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://a.example/", "https://", "http://[::"]
)
def test_what_is_not_on_the_web_is_not_a_source(url: str) -> None:
    sources, notes = distinct([SearchHit("t", url, "text")])
    assert sources == ()
    assert "has no host" in notes[0]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.example.com/a", "example.com"),
        ("https://a.b.example.co.uk:8443/", "example.co.uk"),
        ("https://bbc.co.uk", "bbc.co.uk"),
        ("https://co.uk", "co.uk"),
        ("http://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("http://93.184.216.34/", "93.184.216.34"),
        ("http://[2606:2800::1]/", "2606:2800::1"),
        ("https://EXAMPLE.com./", "example.com"),
        ("https://user@evil.example@good.example/", "good.example"),
        ("https://one.github.io/", "github.io"),
    ],
)
def test_the_host_is_the_registrable_domain(url: str, host: str) -> None:
    assert host_of(url) == host
