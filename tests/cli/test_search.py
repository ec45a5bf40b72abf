"""`orchestrator search`."""

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

from orchestrator.cli.main import main
from tests.wire.search_engines import Found, SearchEngines, pages

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SearchEngines]:
    """DuckDuckGo's page on loopback, the only engine."""
    from ddgs.engines import ENGINES

    with SearchEngines() as running:
        url = f"{running.root}/duckduckgo/html/"
        monkeypatch.setattr(ENGINES["text"]["duckduckgo"], "search_url", url)
        path = tmp_path / "config.yaml"
        path.write_text(
            "model_list: [{model_name: offline, litellm_params: {model: offline/gmn}}]\n"
            "orchestrator: {search: {engines: [duckduckgo], timeout_s: 2}}\n"
        )
        monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))
        yield running


def test_it_prints_titles_addresses_and_snippets(
    server: SearchEngines, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = ("\x1b[2Jred\u202e", "https://a.example/", "line\nline")
    server.plan("duckduckgo", Found((hostile, *pages(9))))
    assert main(["search", "what is new", "--max-results", "2"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[1] == "    https://a.example/"
    assert lines[3:] == ["[2] Title 0", "    https://site0.example/page", "    Snippet 0"]
    assert "\x1b" not in out
    assert err == ""


def test_json_holds_everything(server: SearchEngines, capsys: pytest.CaptureFixture[str]) -> None:
    server.plan("duckduckgo", Found(pages(2)))
    assert main(["search", "q", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [hit["url"] for hit in found["hits"]] == [page[1] for page in pages(2)]
    assert (found["engine"], found["cost_usd"], found["cached"]) == ("duckduckgo", 0.0, False)


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (Found(), 0, "duckduckgo found nothing"),
        (Found(drop=True), 3, "no search engine answered. Is there a network?"),
        (Found(status=202), 3, "note: duckduckgo: HTTP 202, it takes this for a robot"),
        (Found(delay_s=30), 3, "note: duckduckgo: no answer within"),
    ],
)
def test_what_failed_is_said_and_is_an_exit_code(
    server: SearchEngines, capsys: pytest.CaptureFixture[str], answer: Found, code: int, words: str
) -> None:
    server.plan("duckduckgo", answer)
    assert main(["search", "q"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["q", "--engine", "tavily"], "TAVILY_API_KEY is not set"),
        (["q", "--engine", "tavilly"], "Did you mean 'tavily'?"),
        (["q", "--max-results", "0"], "'0' is not a whole number of at least 1"),
        (["q", "--max-results", "21"], "1 to 20"),
        (["  "], "the query is blank"),
    ],
)
def test_what_is_missing_is_named(
    server: SearchEngines, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    try:
        code: int | str | None = main(["search", *options])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert words in capsys.readouterr().err
    assert server.asked == []


@pytest.mark.parametrize(
    "models",
    ["", "model_list: [{model_name: m, litellm_params: {model: o/m, api_key: os.environ/NONE}}]"],
)
def test_no_model_is_needed(
    server: SearchEngines,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    models: str,
) -> None:
    server.plan("searxng", Found(pages(1)))
    monkeypatch.setenv("DEFAULT_LLM_MODEL", "m" if models else "")
    path = Path(os.environ["ORCHESTRATOR_CONFIG"])
    path.write_text(f"search_tools: {json.dumps([server.tool('searxng')])}\n{models}\n")
    assert main(["search", "q"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("[1] Title 0")
    assert ("A search needs no model" in err) is bool(models)
    assert main(["ask", "hello"]) == (2 if models else 3)
    assert "can be called" in capsys.readouterr().err


def test_doctor_says_that_searches_alone_can_be_made(
    server: SearchEngines, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(os.environ["ORCHESTRATOR_CONFIG"])
    path.write_text(f"search_tools: {json.dumps([server.tool('searxng')])}\n")
    main(["doctor"])
    assert "no model: the configuration has search engines" in capsys.readouterr().out


def test_without_the_extra_the_command_that_installs_it_is_said(
    server: SearchEngines, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ddgs", None)
    assert main(["search", "q"]) == 2
    assert "Install it:" in capsys.readouterr().err


def test_usage_shows_it(server: SearchEngines, capsys: pytest.CaptureFixture[str]) -> None:
    server.plan("duckduckgo", Found(pages(1)))
    main(["search", "q"])
    capsys.readouterr()
    assert main(["usage", "--by", "operation", "--json"]) == 0
    assert "search" in capsys.readouterr().out


def test_an_interrupt_ends_it_at_once(server: SearchEngines) -> None:
    server.plan("duckduckgo", Found(delay_s=60))
    code = (
        "import sys\n"
        "from ddgs.engines import ENGINES\n"
        f"ENGINES['text']['duckduckgo'].search_url = '{server.root}/duckduckgo/html/'\n"
        "sys.argv = ['orchestrator', 'search', 'q']\n"
        "from orchestrator.cli.entry import main\n"
        "sys.exit(main())\n"
    )
    path = Path(os.environ["ORCHESTRATOR_CONFIG"])
    path.write_text(path.read_text().replace("timeout_s: 2", "timeout_s: 100"))
    ran = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    until = time.monotonic() + 60
    while not server.asked and time.monotonic() < until:
        time.sleep(0.05)
    ran.send_signal(signal.SIGINT)
    out, err = ran.communicate(timeout=30)
    assert (ran.returncode, out, err.strip()) == (130, "", "interrupted")
