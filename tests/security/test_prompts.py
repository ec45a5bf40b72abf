"""Prompts have a limit, and what is beyond it is refused before anything is paid."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.cli.main import main
from orchestrator.generation import request_building
from orchestrator.generation.request_building import MOST_PROMPT
from orchestrator.gmn import examples
from orchestrator.server.chat_request import UnservedRequestError, read_request
from tests.support.documents import GOOD
from tests.support.wire import WireServer, configured, for_commands

LONG = "a walker on three fields " * 4000
SENTENCE = "a walker on three fields"
SHOWN = f": {len(LONG):,} characters, more than {MOST_PROMPT:,}"
MANY = [f"place={'c' * 1000} within 3"] * 40


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prompt": LONG}, f"prompt{SHOWN}"),
        ({"expectations": [LONG]}, f"expectations{SHOWN}"),
        ({"expectations": MANY}, "expectations: 40,600 characters"),
        ({"examples": [*[GOOD] * 20, "is not read"]}, "examples: "),
        ({"constraints": {"max_states": 10**5000}}, "max_states is over 10^15"),
    ],
)
async def test_what_is_longer_than_a_question_may_be_is_not_asked(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(request_building, "MOST_SHOWN", 5_000)  # 500 documents take seconds
    wire.plan("small", GOOD)
    async with Orchestrator(configured(wire.base, "small")) as orc:
        with pytest.raises(ValueError, match="^" + re.escape(words)):
            await orc.generate_gmn(**{"prompt": SENTENCE, **given})
        with pytest.raises(ValueError, match="^" + re.escape(words)):
            await orc.plan(**{"prompt": SENTENCE, **given})
    assert wire.requests == []


async def test_a_change_of_a_document_has_the_same_limits(wire: WireServer) -> None:
    wire.plan("small", GOOD)
    large = {
        "states": [{"name": "s", "size": 2}],
        "metadata": [{"key": f"k{n}", "value": "v" * 100} for n in range(4000)],
    }
    async with Orchestrator(configured(wire.base, "small")) as orc:
        with pytest.raises(ValueError, match=f"^feedback{SHOWN}"):
            await orc.refine_gmn(GOOD, LONG)
        with pytest.raises(ValueError, match=r"^spec: "):
            await orc.refine_gmn(large, "look farther ahead")
    assert wire.requests == []


def test_the_command_line_and_the_proxy_have_the_same_limits(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for_commands(configured(wire.base, "small"), tmp_path, monkeypatch)
    document = tmp_path / "walker.gmn"
    document.write_text(GOOD)
    assert main(["generate", LONG]) == 2
    assert f"prompt{SHOWN}" in capsys.readouterr().err
    assert main(["refine", str(document), "--feedback", LONG]) == 2
    assert f"feedback{SHOWN}" in capsys.readouterr().err
    assert main(["simulate", str(document), "--expect", LONG]) == 2
    assert "an expectation has 100,000 characters, more than 2,000" in capsys.readouterr().err
    with pytest.raises(UnservedRequestError, match=f"^messages: the text{SHOWN}"):
        read_request([{"role": "user", "content": LONG}], {})
    assert wire.requests == []


def test_the_words_of_a_prompt_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = examples.words_of.cache_info().misses
    library = examples.load(Path(__file__).parents[2] / "prompts" / "library")
    loaded = examples.words_of.cache_info().misses
    assert loaded - before <= len(library)
    examples.choose(json.dumps(MANY), "general", library, 4)
    assert examples.words_of.cache_info().misses == loaded + 1
