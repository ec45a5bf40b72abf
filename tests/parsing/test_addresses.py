"""Addresses of pages: one spelling for one page."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.parsing.addresses import canonical_url, clean_url, host_of

ADDRESSES = st.one_of(
    st.text(),
    st.text().map(lambda text: f"https://example.org/{text}"),
    st.text(alphabet="abAB%:/?#[]@&=.-_~09 ").map(lambda text: f"HTTP://{text}"),
    st.text(alphabet="utm_source=&;?a%2Fé\ud800").map(lambda text: f"http://h/p?{text}"),
)


@given(ADDRESSES)
def test_the_spelling_is_final_and_holds_nothing_that_an_address_may_not(address: str) -> None:
    for spell in (canonical_url, clean_url):
        url = spell(address)
        assert spell(url) == url
        assert url.isascii()
        assert url.isprintable()
        assert " " not in url
        if url:
            assert urlsplit(url).scheme in ("http", "https")
            assert urlsplit(url).hostname
            assert "#" not in url
            assert "@" not in urlsplit(url).netloc


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/a%20b?q=1",
        "HTTPS://EXAMPLE.org/a b/?q=1",
        "https://example.org:443/%61%20b?q=1#part",
        "https://user:word@example.org./a%20b/?utm_campaign=x&q=1&gclid=2&fbclid=3",
        " https://example.org/a%20b?&q=1&",
    ],
)
def test_spellings_of_one_page_are_one(address: str) -> None:
    assert canonical_url(address) == "https://example.org/a%20b?q=1"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/a", "http://example.org/a"),
        ("https://example.org/a", "https://example.org/A"),
        ("https://example.org/a", "https://example.org/a?page=2"),
        ("https://example.org/a%2Fb", "https://example.org/a/b"),
        ("https://example.org/a", "https://example.org:8443/a"),
        ("https://example.org/100%25", "https://example.org/100"),
    ],
)
def test_two_pages_stay_two(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@pytest.mark.parametrize(
    "address",
    ["", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//example.org/a",
     "https://", "http://a b/", "http://[::1/", "https://exa\\mple/", "http://h:99999/"],
)  # fmt: skip
def test_what_is_not_an_address_of_the_web_is_none(address: str) -> None:
    assert canonical_url(address) == clean_url(address) == host_of(address) == ""


def test_a_page_keeps_its_slash_and_its_host_has_a_name() -> None:
    assert clean_url("https://www.bücher.example/a/") == "https://www.xn--bcher-kva.example/a/"
    assert host_of("https://www.Example.org:8443/a") == "example.org"
