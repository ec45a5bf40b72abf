"""`orchestrator ask`, and the option `--search` of what makes models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import Orchestrator, SearchAugmentedLlm
from orchestrator.cli.main import main
from tests.client.test_searches import FACT, PAGES, QUESTION, config, reads
from tests.support.documents import GOOD
from tests.support.wire import WireServer, for_commands
from tests.wire.search_engines import Found, SearchEngines

Output = pytest.CaptureFixture[str]


@pytest.fixture
def engines(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SearchEngines]:
    with SearchEngines() as served:
        served.plan("searxng", Found(PAGES))
        wire.plan("reader", reads(FACT))
        wire.plan("m", "It is 1.1234 dollars [1].")
        for_commands(config(wire, served, generation={"mode": "prompt"}), tmp_path, monkeypatch)
        yield served


@pytest.mark.timeout(320)
def test_an_answer_comes_with_its_sources_and_the_same_command_again_pays_nothing(
    engines: SearchEngines, wire: WireServer, capsys: Output
) -> None:
    assert main(["ask", QUESTION, "--search", "auto"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(
        "It is 1.1234 dollars [1].\n[1] Euro rate https://bank.example/rate ("
    )
    assert "search:   used" in said.err
    asked = (len(wire.requests), len(engines.asked))
    assert main(["ask", QUESTION, "--search", "auto", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["cached"], answer["billed_usd"]) == (True, 0.0)
    assert answer["search"]["facts"][0]["value"] == "1.1234"
    assert (len(wire.requests), len(engines.asked)) == asked


def test_a_question_without_search_is_answered_by_the_route(
    engines: SearchEngines, wire: WireServer, capsys: Output
) -> None:
    wire.plan("m", "Plants eat light.")
    assert main(["ask", "How does photosynthesis work?"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("Plants eat light.\n", "")
    assert main(["ask", "How does photosynthesis work?", "--search", "auto", "-v"]) == 0
    assert "search:   not needed. " in capsys.readouterr().err
    assert engines.asked == []


def test_a_model_is_made_with_facts_and_its_plan_says_what_they_take(
    engines: SearchEngines, wire: WireServer, capsys: Output
) -> None:
    wire.plan("m", GOOD)
    sentence = "A walker on today's EUR/USD rate"
    assert main(["generate", sentence, "--search", "always", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["search"]["status"] == "used", made["search"]
    assert made["citations"][0]["url"] == "https://bank.example/rate"
    assert "source_1: " in made["text"]
    assert main(["plan", sentence, "--search", "always"]) == 0
    assert "search (always)" in capsys.readouterr().out


def test_what_a_page_says_cannot_steer_a_terminal(
    engines: SearchEngines, wire: WireServer, capsys: Output
) -> None:
    title = "Euro \x1b[2J\u202erate"
    engines.plan("searxng", Found(((title, *PAGES[0][1:]),)))
    assert main(["ask", QUESTION, "--search", "always"]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out.replace("\\x1b", "")
    assert "\u202e" not in said.out


@pytest.mark.slow
@pytest.mark.timeout(320)
def test_ctrl_c_during_a_search_ends_with_130_and_a_line_in_the_ledger(
    engines: SearchEngines, wire: WireServer, capsys: Output
) -> None:
    engines.plan("searxng", Found(PAGES, delay_s=60.0))
    command = [sys.executable, "-m", "orchestrator", "ask", QUESTION, "--search", "always"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    while not engines.asked and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert (run.returncode, said.strip().splitlines()[-1]) == (130, "interrupted")
    assert main(["usage", "--by", "route", "--json"]) == 0
    assert '"m"' not in capsys.readouterr().out or wire.requests == []


async def test_the_one_line_wrapper_searches_where_it_is_needed_or_forced(
    wire: WireServer,
) -> None:
    with SearchEngines() as served:
        served.plan("searxng", Found(PAGES))
        wire.plan("reader", reads(FACT))
        wire.plan("m", "It is 1.1234 dollars [1].")
        async with Orchestrator(config(wire, served)) as orc:
            llm = SearchAugmentedLlm(orc, "searxng", auto_search=True, max_results=1)
            answer = await llm.generate(QUESTION)
            assert [one.number for one in answer.citations] == [1]
            text = await llm.generate_content_async([{"role": "user", "content": "Prove it."}])
            assert text == answer.text
            assert served.times("searxng") == 1
            forced = await llm.generate("Prove it.", search_query="euro rate")
            assert forced.search.query == "euro rate"
            quiet = SearchAugmentedLlm(orc, "searxng", auto_search=False)
            assert (await quiet.generate(QUESTION)).search.status == "off"
            again = await quiet.generate("Prove it.", force_search=True)
            assert again.search.status == "used"
            wrong = SearchAugmentedLlm(orc, "altavista")
            with pytest.raises(Exception, match="altavista"):
                await wrong.generate(QUESTION, force_search=True)


async def test_the_wrapper_takes_each_argument_for_one_call_and_refuses_wrong_ones(
    wire: WireServer,
) -> None:
    with SearchEngines() as served:
        served.plan("searxng", Found(PAGES))
        wire.plan("reader", reads(FACT))
        wire.plan("m", "It is 1.1234 dollars [1].")
        async with Orchestrator(config(wire, served)) as orc:
            llm = SearchAugmentedLlm(orc, search_provider="searxng", max_results=5)
            answer = await llm.generate("Prove it.", force_search=True, max_results=1)
            assert answer.search.status == "used"
            assert "Markets" not in str(wire.asked("reader"))
            assert "max_results" not in str(wire.asked("m"))
            with pytest.raises(TypeError, match="force_search must be"):
                await llm.generate("Prove it.", force_search="no")  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="auto_search must be"):
                SearchAugmentedLlm(orc, "searxng", auto_search="no")  # type: ignore[arg-type]


def test_the_option_alone_asks_for_a_search(engines: SearchEngines, capsys: Output) -> None:
    assert main(["ask", QUESTION, "--search"]) == 0
    assert "search:   used" in capsys.readouterr().err
