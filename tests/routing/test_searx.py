"""Searches over a real searx: what it sends and our loopback servers do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator import Orchestrator
from orchestrator.types.searching import SearchResults
from tests.support.searx import IS_INSTALLED, searx_server
from tests.wire.search_engines import Found, SearchEngines, pages

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.skipif(not IS_INSTALLED, reason="Debian's package searx is not installed"),
]


@pytest.fixture(scope="module")
def behind() -> Iterator[SearchEngines]:
    """What searx asks."""
    with SearchEngines() as running:
        yield running


@pytest.fixture(scope="module")
def searx(behind: SearchEngines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    engine = f"{behind.root}/searxng"
    with searx_server(tmp_path_factory.mktemp("searx"), engine) as base:
        yield base


async def searched(base: str, query: str = "euro rate") -> SearchResults:
    tool = {
        "search_tool_name": "own",
        "litellm_params": {"search_provider": "searxng", "api_base": base, "api_key": "none"},
    }
    config = {
        "model_list": [{"model_name": "m", "litellm_params": {"model": "offline/gmn"}}],
        "search_tools": [tool],
        "orchestrator": {
            "cache": {"mode": "off"}, "search": {"engines": ["own"], "timeout_s": 60.0},
        },
    }  # fmt: skip
    async with Orchestrator(config) as orc:
        return await orc.search(query)


async def test_its_results_are_read_cut_and_without_what_is_not_of_the_web(
    behind: SearchEngines, searx: str
) -> None:
    odd = (("Script", "javascript:alert(1)", "x"), ("Relative", "/here", "x"))
    behind.plan("searxng", Found((*odd, *pages(20))))
    found = await searched(searx)
    assert [one.title for one in found.hits] == [f"Title {n}" for n in range(5)]
    assert (found.engine, found.failures) == ("own", ())
    assert behind.asked[-1][1]["q"] == "euro rate"


async def test_what_it_leaves_escaped_is_read(behind: SearchEngines, searx: str) -> None:
    page = ("R&amp;D <b>today</b>", "https://a.example/?a=1&b=2", "1 &lt; 2 &amp;lt;b&amp;gt; it")
    behind.plan("searxng", Found((page,)))
    (one,) = (await searched(searx)).hits
    assert (one.title, one.url) == ("R&D today", page[1])
    assert one.snippet == "1 < 2 <b> it"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Found(status=503), "the engines behind it did not respond"),
        (Found(raw="<html>no</html>"), "the engines behind it did not respond"),
        (Found(), ""),
    ],
)
async def test_engines_behind_it_that_fail_are_not_an_empty_result(
    behind: SearchEngines, searx: str, answer: Found, words: str
) -> None:
    behind.plan("searxng", answer)
    found = await searched(searx, query=f"q {answer.status} {answer.raw}")
    assert found.hits == ()
    assert words in str(found.failures)
    assert (found.engine == "own") is not bool(words)


async def test_a_query_that_it_would_send_elsewhere_stays_here(searx: str) -> None:
    found = await searched(searx, query="!!g secret")
    assert "redirects to https://www.google.com" in found.failures[0]
    assert found.hits == ()
