"""Searches over HTTP on loopback: what engines answer, what goes wrong, what it costs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.types.errors import (
    BudgetExceededError,
    CacheMissError,
    ConfigError,
    MissingExtraError,
)
from orchestrator.types.searching import SearchResults
from tests.wire.search_engines import FORMS, Found, SearchEngines, pages

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ROOT = Path(__file__).resolve().parent.parent.parent
CANARY = "sk-search-canary-42"
OFFLINE = {"model_name": "offline", "litellm_params": {"model": "offline/gmn"}}
KEYED = ("searxng", "google", "tavily", "brave")


@pytest.fixture(scope="module")
def server() -> Iterator[SearchEngines]:
    with SearchEngines() as running:
        yield running


@pytest.fixture
def engines(server: SearchEngines, monkeypatch: pytest.MonkeyPatch) -> SearchEngines:
    """The server with nothing planned, also in the place of DuckDuckGo's."""
    from ddgs.engines import ENGINES

    url = f"{server.root}/duckduckgo/html/"
    monkeypatch.setattr(ENGINES["text"]["duckduckgo"], "search_url", url)
    monkeypatch.setenv("GOOGLE_PSE_ENGINE_ID", "an-engine")
    server.scripts.clear()
    server.asked.clear()
    return server


def configured(server: SearchEngines, *names: str, **ours: Any) -> dict[str, Any]:
    """Only these engines; `ours` are further sections, and settings of the search."""
    stated: dict[str, Any] = {
        name: ours.pop(name) for name in ("cache", "budgets", "privacy") if name in ours
    }
    tools = [server.tool(name) for name in names if name != "duckduckgo"]
    # The machine that runs the tests may be busy.
    search = {"engines": list(names), "timeout_s": 60.0, **ours}
    sections: dict[str, Any] = {"cache": {"mode": "off"}, **stated, "search": search}
    return {"model_list": [OFFLINE], "search_tools": tools, "orchestrator": sections}


async def searched(config: Mapping[str, Any], query: str = "q", **given: Any) -> SearchResults:
    async with Orchestrator(config) as orc:
        return await orc.search(query, **given)


async def wire_of(orc: Orchestrator) -> list[tuple[str, float | None]]:
    lines = await orc.usage()
    return [(one["outcome"], one["cost_usd"]) for line in lines for one in line["wire"]]


@pytest.mark.parametrize("name", FORMS)
async def test_the_results_of_each_engine_are_read_and_cut_to_what_is_asked_for(
    engines: SearchEngines, name: str
) -> None:
    engines.plan(name, Found(pages(20)))
    found = await searched(configured(engines, name), max_results=3)
    assert [hit.title for hit in found.hits] == ["Title 0", "Title 1", "Title 2"]
    assert found.hits[0].url == "https://site0.example/page"
    assert found.hits[0].snippet == "Snippet 0"
    assert (found.engine, found.failures) == (name, ())
    assert found.retrieved_at.endswith("+00:00")
    assert engines.asked[0][1]["query" if name == "tavily" else "q"] == "q"


FAULTS = {
    "refused": (Found(status=401), 1, "HTTP 401, the key is refused"),
    "no_json": (Found(status=403), 1, "json is not in search.formats"),
    "limited": (Found(status=429, headers={"Retry-After": "60"}), 1, "HTTP 429, its rate limit"),
    "limited_shortly": (Found(status=429, headers={"Retry-After": "0"}), 3, "HTTP 429"),
    "down": (Found(status=503), 3, "HTTP 503"),
    "dropped": (Found(drop=True), 3, "it cannot be reached"),
    "a_page": (Found(raw="<html>hi</html>", content_type="text/html"), 1, "(text/html)"),
    "garbage": (Found(raw="{{{"), 1, "is not what this engine sends"),
    "a_list": (Found(raw="[1]"), 1, "is not what this engine sends"),
    "an_error": (Found(raw='{"error": "quota"}'), 1, "an error in place of results"),
    "no_results": (Found(raw="{}"), 1, "holds no results"),
    "cut_off": (
        Found(raw='{"results": [', headers={"Content-Length": "99"}, cut_off=True),
        3,
        "before the end",
    ),
    "endless": (Found(raw="{", endless=True), 1, "longer than 2 MiB"),
    "elsewhere": (Found(status=302, headers={"Location": "http://[::1]:9/"}), 1, "redirects to"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["searxng", "tavily"])
async def test_a_failing_engine_is_passed_over_with_its_reason(
    engines: SearchEngines, name: str, fault: str
) -> None:
    answer, times, words = FAULTS[fault]
    engines.plan(name, answer)
    engines.plan("brave", Found(pages(2)))
    found = await searched(configured(engines, name, "brave", timeout_s=60))
    assert (found.engine, len(found.hits), len(found.failures)) == ("brave", 2, 1)
    assert found.failures[0].startswith(f"{name}: ")
    assert words in found.failures[0]
    assert CANARY not in str(found)
    # A dropped GET is sent once more by the HTTP client itself.
    assert engines.times(name) == times or (fault == "dropped" and name == "searxng")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Found(status=202), "it takes this for a robot"),
        (Found(status=429), "HTTP 429"),
        (Found(status=500), "HTTP 500"),
        (Found(drop=True), "it cannot be reached"),
        (Found(raw="{{{"), "it found nothing"),
        (Found(raw=""), "it found nothing"),
    ],
)
async def test_so_is_one_without_a_key(engines: SearchEngines, answer: Found, words: str) -> None:
    engines.plan("duckduckgo", answer)
    engines.plan("brave", Found(pages(1)))
    found = await searched(configured(engines, "duckduckgo", "brave", timeout_s=60))
    assert found.engine == "brave"
    assert words in found.failures[0]


@pytest.mark.parametrize("name", KEYED)
async def test_a_null_in_one_result_costs_none_of_the_others(
    engines: SearchEngines, name: str
) -> None:
    odd: Any = (("Nothing", "https://a.example/", None), (None, "https://b.example/", "x"),
                ("No address", None, "x"), ("Number", "https://c.example/", 3))  # fmt: skip
    engines.plan(name, Found((*odd, *pages(1))))
    found = await searched(configured(engines, name))
    assert found.failures == ()
    assert [(one.title, one.snippet) for one in found.hits] == [
        ("Nothing", ""), ("", "x"), ("Number", "3"), ("Title 0", "Snippet 0"),
    ]  # fmt: skip


async def test_what_is_not_a_result_costs_none_of_the_others(engines: SearchEngines) -> None:
    good = {"title": "T", "url": "https://a.example/", "content": "C"}
    odd = ["a plain text", good, 3, ["x"], None]
    engines.plan("searxng", Found(raw=json.dumps({"query": "q", "results": odd})))
    found = await searched(configured(engines, "searxng"))
    assert found.failures == ()
    assert [one.title for one in found.hits] == ["T"]
    engines.plan("searxng", Found(raw=json.dumps({"query": "q", "results": "a plain text"})))
    found = await searched(configured(engines, "searxng"))
    assert "its answer is not what this engine sends" in found.failures[0]


async def test_markup_of_an_engine_is_not_a_part_of_its_words(engines: SearchEngines) -> None:
    page = ("R&amp;D", "https://a.example/", "<strong>One</strong> euro isn&#x27;t <i>2</i> &lt; 3")
    engines.plan("brave", Found((page,)))
    (one,) = (await searched(configured(engines, "brave"))).hits
    assert (one.title, one.snippet) == ("R&D", "One euro isn't 2 < 3")


async def test_a_fault_that_passes_is_asked_again(engines: SearchEngines) -> None:
    engines.plan("searxng", Found(status=503), Found(drop=True), Found(pages(1)))
    found = await searched(configured(engines, "searxng", timeout_s=60))
    assert (found.engine, found.failures) == ("searxng", ())


async def test_nothing_found_is_an_answer(engines: SearchEngines) -> None:
    found = await searched(configured(engines, "google", "tavily"))
    assert (found.hits, found.engine) == ((), "google")
    assert found.failures == ("google: it found nothing",)


@pytest.mark.parametrize("name", ["searxng", "tavily", "duckduckgo"])
@pytest.mark.parametrize(
    "answer",
    [Found(delay_s=30), Found(raw=" ", endless=True), Found(status=503)],
    ids=["slow", "endless", "down"],
)
async def test_the_deadline_holds(engines: SearchEngines, name: str, answer: Found) -> None:
    engines.plan(name, answer)
    async with Orchestrator(configured(engines, name)) as orc:
        await orc.search("first", within_s=0.01)  # LiteLLM is loaded
        begun = time.monotonic()
        found = await orc.search("q", within_s=0.7)
        # A tenth of a second beyond it on a machine of one's own; the server waits for 30 s.
        assert time.monotonic() - begun < 5
    assert (found.hits, found.engine, len(found.failures)) == ((), "", 1)


async def test_a_slow_engine_leaves_the_next_one_time(engines: SearchEngines) -> None:
    engines.plan("searxng", Found(delay_s=60))
    engines.plan("tavily", Found(pages(1)))
    found = await searched(configured(engines, "searxng", "tavily"), within_s=4)
    assert found.engine == "tavily"
    waited = re.match(r"searxng: no answer within ([\d.]+) s", found.failures[0])
    assert waited is not None
    assert 0 < float(waited[1]) <= 2  # half of what was left


async def test_no_page_comes_twice_and_no_address_that_is_not_one(engines: SearchEngines) -> None:
    addresses = [
        "https://Example.org:443/a/?utm_source=x#part", "https://example.org/a",
        "javascript:alert(1)", "", "https://example.org/%61/", "http://user:pw@example.org/b",
        "file:///etc/passwd", "https://example.org/a?page=2",
    ]  # fmt: skip
    engines.plan("searxng", Found(tuple(("t", address, "s") for address in addresses)))
    found = await searched(configured(engines, "searxng"))
    assert [hit.url for hit in found.hits] == [
        "https://example.org/a/", "http://example.org/b", "https://example.org/a?page=2",
    ]  # fmt: skip


async def test_ten_thousand_results_and_hostile_titles_are_cut(engines: SearchEngines) -> None:
    hostile = ("\x1b[2J\u202e\x00" + "t" * 10_000, "https://a.example/\x1b", "s" * 10**5)
    engines.plan("searxng", Found((hostile, *pages(10_000))))
    found = await searched(configured(engines, "searxng"), max_results=20, within_s=30)
    assert len(found.hits) == 20
    assert found.hits[0].url == "https://a.example/%1B"
    assert len(found.hits[0].title) == 500
    assert len(found.hits[0].snippet) == 20_000


async def test_a_search_is_on_the_bill_with_its_price(engines: SearchEngines) -> None:
    for name in KEYED:
        engines.plan(name, Found(pages(1)))
    async with Orchestrator(configured(engines, *KEYED)) as orc:
        costs = [(await orc.search("q", engine=name)).cost_usd for name in KEYED]
        assert costs == [0.0, 0.005, 0.008, None]
        assert await wire_of(orc) == [("answered", usd) for usd in costs]
        lines = await orc.usage()
    assert [line["operation"] for line in lines] == ["search"] * 4
    assert [line["billed_usd"] for line in lines] == costs
    assert [one["deployment"] for line in lines for one in line["wire"]] == list(KEYED)


async def test_one_that_was_given_up_is_on_the_bill_as_an_estimate(engines: SearchEngines) -> None:
    engines.plan("tavily", Found(delay_s=30))
    async with Orchestrator(configured(engines, "tavily")) as orc:
        assert (await orc.search("q", within_s=0.3)).cost_usd == 0.008
        (line,) = await orc.usage()
    assert (line["billed_usd"], line["estimated"], line["outcome"]) == (0.008, True, "failed")


@pytest.mark.parametrize("budget", [{"usd_per_request": 0.007}, {"usd_per_day": 0.007}])
async def test_a_budget_refuses_before_anything_is_sent(
    engines: SearchEngines, budget: dict[str, float]
) -> None:
    engines.plan("tavily", Found(pages(1)))
    engines.plan("searxng", Found(pages(1)))
    async with Orchestrator(configured(engines, "tavily", "searxng", budgets=budget)) as orc:
        with pytest.raises(BudgetExceededError, match=r"0\.008 USD"):
            await orc.search("q")
        assert engines.asked == []
        assert (await orc.search("q", engine="searxng")).hits  # what costs nothing may be asked


async def test_a_budget_of_a_day_counts_the_searches_of_a_tenant(engines: SearchEngines) -> None:
    engines.plan("tavily", Found(pages(1)))
    config = configured(engines, "tavily", budgets={"tenants": {"lab": 0.02}})
    async with Orchestrator(config) as orc:
        await orc.search("one", tenant="lab")
        await orc.search("two", tenant="lab")
        with pytest.raises(BudgetExceededError):
            await orc.search("three", tenant="lab")
        assert (await orc.search("three", tenant="other")).hits
    async with Orchestrator(config) as later:  # from the ledger
        with pytest.raises(BudgetExceededError):
            await later.search("four", tenant="lab")


async def test_a_price_that_is_not_known_is_refused_under_a_budget(engines: SearchEngines) -> None:
    config = configured(engines, "brave", budgets={"usd_per_request": 1.0})
    with pytest.raises(BudgetExceededError, match="State input_cost_per_query"):
        await searched(config)
    config["search_tools"][0]["litellm_params"]["input_cost_per_query"] = 0.003
    engines.plan("brave", Found(pages(1)))
    assert (await searched(config)).cost_usd == 0.003


async def test_results_are_cached_with_the_moment_they_are_from(engines: SearchEngines) -> None:
    engines.plan("tavily", Found(pages(2)), Found(pages(1)))
    config = configured(engines, "tavily", cache={"mode": "use"}, ttl_s=0.5)
    async with Orchestrator(config) as orc:
        first = await orc.search("what  is new ")
        second = await orc.search("what is new")
        assert (second.cached, second.cost_usd, second.hits) == (True, 0.0, first.hits)
        assert (second.retrieved_at, second.engine) == (first.retrieved_at, "tavily")
        assert (await orc.usage())[-1]["hits"] == 1
        await asyncio.sleep(0.6)
        assert not (await orc.search("what is new")).cached
        assert len((await orc.search("what is new", max_results=1)).hits) == 1
    assert engines.times("tavily") == 3


async def test_searches_at_once_for_the_same_are_one(engines: SearchEngines) -> None:
    engines.plan("tavily", Found(pages(1), delay_s=0.3))
    async with Orchestrator(configured(engines, "tavily", cache={"mode": "use"})) as orc:
        found = await asyncio.gather(*(orc.search("q") for _ in range(5)))
    assert sorted(one.cost_usd or 0.0 for one in found) == [0.0] * 4 + [0.008]
    assert engines.times("tavily") == 1


async def test_who_waits_for_a_search_that_fails_early_asks_for_itself(
    engines: SearchEngines,
) -> None:
    engines.plan("tavily", Found(pages(1), delay_s=1))
    async with Orchestrator(configured(engines, "tavily", cache={"mode": "use"})) as orc:
        await orc.search("first", within_s=0.01)
        hasty = asyncio.create_task(orc.search("q", within_s=0.4))
        await asyncio.sleep(0.1)
        patient = await orc.search("q", within_s=20)
    assert (await hasty).hits == ()
    assert patient.hits


async def test_the_budget_of_one_tenant_refuses_no_other(engines: SearchEngines) -> None:
    engines.plan("tavily", Found(pages(1)))
    settings = {"budgets": {"tenants": {"poor": 0.001}}, "cache": {"mode": "use"}}
    async with Orchestrator(configured(engines, "tavily", **settings)) as orc:
        for n in range(6):
            both = [orc.search(f"q{n}", tenant=tenant) for tenant in ("poor", "rich")]
            poor, rich = await asyncio.gather(*both, return_exceptions=True)
            # Threads decide which of them asks first; the other may be given its answer.
            if not isinstance(poor, BudgetExceededError):
                assert isinstance(poor, SearchResults)
                assert (poor.cached, poor.cost_usd) == (True, 0)
            assert isinstance(rich, SearchResults)
            assert rich.hits
        with pytest.raises(BudgetExceededError):
            await orc.search("alone", tenant="poor")


async def test_what_was_not_found_is_asked_again(engines: SearchEngines) -> None:
    engines.plan("tavily", Found(), Found(pages(1)))
    async with Orchestrator(configured(engines, "tavily", cache={"mode": "use"})) as orc:
        assert (await orc.search("q")).hits == ()
        assert (await orc.search("q")).hits


async def test_a_recording_is_replayed_without_key_and_engine(
    engines: SearchEngines, tmp_path: Path
) -> None:
    engines.plan("tavily", Found(pages(2)))
    cache = {"mode": "record", "cassette": str(tmp_path / "tape")}
    recorded = await searched(configured(engines, "tavily", cache=cache))
    texts = [path.read_text() for path in (tmp_path / "tape").iterdir()]
    assert not any(CANARY in text for text in texts)
    cache["mode"] = "replay"
    bare = {"model_list": [OFFLINE], "orchestrator": {"cache": cache, "search": {"mode": "auto"}}}
    async with Orchestrator(bare) as orc:
        found = await orc.search("q")
        assert (found.hits, found.cached) == (recorded.hits, True)
        with pytest.raises(CacheMissError):
            await orc.search("another")
    assert engines.times("tavily") == 1


@pytest.mark.parametrize("name", ["searxng", "duckduckgo"])
async def test_a_search_that_is_cancelled_leaves_nothing_behind(
    engines: SearchEngines, name: str
) -> None:
    engines.plan(name, Found(delay_s=30))
    async with Orchestrator(configured(engines, name)) as orc:
        await orc.search("first", within_s=0.01)
        engines.asked.clear()
        before = asyncio.all_tasks()
        task = asyncio.create_task(orc.search("q", within_s=20))
        while not engines.times(name):
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == before
        assert all(one.daemon for one in threading.enumerate() if one.name == "search")
        assert (await orc.usage())[-1]["wire"][0]["outcome"] == "cancelled"


def test_a_thread_that_still_waits_for_an_engine_does_not_hold_the_process(
    engines: SearchEngines,
) -> None:
    engines.plan("duckduckgo", Found(delay_s=60))
    config = configured(engines, "duckduckgo", timeout_s=50)
    code = (
        "import asyncio\n"
        "from ddgs.engines import ENGINES\n"
        "from orchestrator import Orchestrator\n"
        f"ENGINES['text']['duckduckgo'].search_url = '{engines.root}/duckduckgo/html/'\n"
        "async def main():\n"
        f"    async with Orchestrator({config!r}) as orc:\n"
        "        task = asyncio.create_task(orc.search('q'))\n"
        "        await asyncio.sleep(1)\n"
        "        task.cancel()\n"
        "asyncio.run(main())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=40, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert engines.times("duckduckgo") == 1


async def test_two_tools_of_one_name_are_asked_one_after_the_other(engines: SearchEngines) -> None:
    config = configured(engines, "searxng", "tavily")
    for tool in config["search_tools"]:
        tool["search_tool_name"] = "web"
    config["orchestrator"]["search"]["engines"] = ["web"]
    engines.plan("searxng", Found(status=400))
    engines.plan("tavily", Found(pages(1)))
    for _ in range(4):
        assert (await searched(config)).hits
    assert [name for name, _ in engines.asked] == ["searxng", "tavily"] * 4


def test_the_blocking_form_is_the_same(engines: SearchEngines) -> None:
    engines.plan("tavily", Found(pages(1)))
    with Orchestrator(configured(engines, "tavily")) as orc:
        assert orc.sync.search("q").hits[0].title == "Title 0"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"query": " "}, ValueError),
        ({"query": 5}, TypeError),
        ({"query": "q", "max_results": 0}, ValueError),
        ({"query": "q", "max_results": 21}, ValueError),
        ({"query": "q", "within_s": 0}, ValueError),
        ({"query": "q", "engine": "nobody"}, ConfigError),
    ],
)
async def test_what_cannot_be_searched_for_is_refused(
    engines: SearchEngines, given: dict[str, Any], error: type[Exception]
) -> None:
    async with Orchestrator(configured(engines, "tavily")) as orc:
        with pytest.raises(error):
            await orc.search(**given)
    assert engines.asked == []


async def test_without_the_extra_it_is_named(
    engines: SearchEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ddgs", None)
    async with Orchestrator(configured(engines, "tavily")) as orc:
        with pytest.raises(MissingExtraError, match="search"):
            await orc.search("q", engine="duckduckgo")


def test_no_secret_is_shown(engines: SearchEngines, capfd: pytest.CaptureFixture[str]) -> None:
    """The key of Google's engine is part of the address that LiteLLM's errors quote."""
    from orchestrator.cli.main import main

    engines.plan("google", Found(raw="<html>", content_type="text/html"))
    config = configured(engines, "google")
    path = Path(os.environ["HOME"]) / "config.json"
    path.write_text(json.dumps(config))
    os.environ["ORCHESTRATOR_CONFIG"] = str(path)
    try:
        assert main(["search", "q"]) == 3
        assert main(["search", "q", "--json"]) == 3
    finally:
        del os.environ["ORCHESTRATOR_CONFIG"]
    out, err = capfd.readouterr()
    assert CANARY not in out + err
    assert "google: its answer is not what this engine sends (text/html)" in err
    assert json.loads(out[out.index("{") :])["engine"] == ""
