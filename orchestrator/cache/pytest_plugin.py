"""For the tests of projects that use this package: answers recorded once, replayed ever after.

    def test_my_agent(orchestrator_cassette):
        made = Orchestrator().sync.generate_gmn("a thermostat")

replays ``cassettes/test_my_file/test_my_agent/`` beside the test file, without a key and without a
network. ``pytest --orchestrator-record`` asks what is missing there and records it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--orchestrator-record``."""
    parser.getgroup("orchestrator").addoption(
        "--orchestrator-record",
        action="store_true",
        help="ask what has no recording and record it, in place of failing",
    )


@pytest.fixture
def orchestrator_cassette(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of this test's recordings; every `Orchestrator` made in the test uses it."""
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    directory = request.path.parent / "cassettes" / request.path.stem / name
    is_recording = request.config.getoption("--orchestrator-record")
    monkeypatch.setenv("ORCHESTRATOR_CACHE_MODE", "record" if is_recording else "replay")
    monkeypatch.setenv("ORCHESTRATOR_CASSETTE", str(directory))
    return directory
