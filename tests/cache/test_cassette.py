"""Recorded once with a key, replayed ever after without one: generations, calls, streams."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.cache.cassette import Cassette
from orchestrator.types.errors import CacheMissError, ConfigError
from orchestrator.types.events import Delta, Done
from tests.support.documents import GOOD
from tests.support.wire import SECRET, Reply, WireServer, configured

ASK: list[dict[str, Any]] = [{"role": "user", "content": "Hello, are you there?"}]


def taped(wire: WireServer, directory: Path, mode: str, key: str = SECRET) -> dict[str, Any]:
    config: dict[str, Any] = configured(
        wire.base, "m", cache={"mode": mode, "cassette": str(directory)}
    )
    config["model_list"][0]["litellm_params"]["api_key"] = key
    return config


async def everything(config: dict[str, Any]) -> list[Any]:
    """One of each: a generation, its stream, a call, its stream, an embedding."""
    async with Orchestrator(config) as orc:
        made = await orc.generate_gmn("a walker")
        events = [event async for event in orc.stream_gmn("another walker")]
        response = await orc.acompletion(model="m", messages=ASK)
        stream = await orc.acompletion(model="m", messages=ASK, stream=True)
        parts = [chunk async for chunk in stream]
        vectors = await orc.aembedding(model="m", input=["a"])
    done = events[-1]
    assert isinstance(done, Done)
    said = "".join(e.text for e in events if isinstance(e, Delta))
    return [
        made.text, said.strip(), done.result.text, response.choices[0].message.content,
        [part.model_dump() for part in parts], vectors.data,
    ]  # fmt: skip


async def test_a_replay_needs_no_key_and_no_network(wire: WireServer, tmp_path: Path) -> None:
    wire.plan("m", Reply(GOOD), Reply(GOOD), Reply("Yes, I am."))
    first = await everything(taped(wire, tmp_path / "tape", "record"))
    asked = len(wire.requests)
    assert asked == 5
    again = await everything(taped(wire, tmp_path / "tape", "record"))
    replayed = await everything(taped(wire, tmp_path / "tape", "replay", "os.environ/NO_SUCH_KEY"))
    assert again == first
    assert replayed == first
    assert len(wire.requests) == asked


async def test_recordings_are_readable_and_hold_no_secret(wire: WireServer, tmp_path: Path) -> None:
    wire.plan("m", "Yes, I am.")
    async with Orchestrator(taped(wire, tmp_path, "record")) as orc:
        await orc.acompletion(
            model="m", messages=ASK, api_key="my-own-canary", extra_headers={"X-Token": "canary-2"}
        )
    (path,) = [p for p in tmp_path.glob("*.json") if p.name != "routes.json"]
    assert path.name.startswith("hello-are-you-there-")
    text = path.read_text()
    assert "canary" not in text
    assert SECRET not in text
    entry = json.loads(text)
    assert entry["question"]["arguments"]["messages"] == ASK
    assert text == json.dumps(entry, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


async def test_a_miss_shows_the_nearest_recording_and_asks_nobody(
    wire: WireServer, tmp_path: Path
) -> None:
    wire.plan("m", "Yes, I am.")
    async with Orchestrator(taped(wire, tmp_path, "record")) as orc:
        await orc.acompletion(model="m", messages=ASK, temperature=0.5)
    other = [{"role": "user", "content": "Hello, are you well?"}]
    async with Orchestrator(taped(wire, tmp_path, "replay")) as orc:
        with pytest.raises(CacheMissError) as caught:
            await orc.acompletion(model="m", messages=other, temperature=0.7)
        words = str(caught.value)
        assert "are you well?' is 'Hello, are you there?'" in words
        assert "arguments.temperature: 0.7 is 0.5" in words
        with pytest.raises(CacheMissError):
            await orc.generate_gmn("a walker")
        for mode in ("off", "refresh"):
            with pytest.raises(CacheMissError, match="no model is asked"):
                await orc.acompletion(model="m", messages=ASK, cache=mode)
            with pytest.raises(CacheMissError, match="no model is asked"):
                await orc.generate(ASK, cache=mode)
        with pytest.raises(CacheMissError, match="callables"):
            await orc.acompletion(model="m", messages=ASK, logger_fn=print)
    assert len(wire.requests) == 1


async def test_a_replay_from_an_empty_directory_says_to_record(
    wire: WireServer, tmp_path: Path
) -> None:
    async with Orchestrator(taped(wire, tmp_path, "replay")) as orc:
        with pytest.raises(CacheMissError, match="record first"):
            await orc.acompletion(model="m", messages=ASK)


def test_a_file_that_is_no_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"other\.json"):
        Cassette(tmp_path).load()
    (tmp_path / "other.json").write_text("{")
    with pytest.raises(ConfigError, match=r"other\.json"):
        Cassette(tmp_path).load()


TEST_FILE = """
from orchestrator import Orchestrator

def test_it_answers(orchestrator_cassette):
    orc = Orchestrator({config!r})
    answer = orc.sync.completion(model="m", messages=[{{"role": "user", "content": "hi"}}])
    assert answer.choices[0].message.content == "Yes, I am."
    orc.sync.close()
"""


@pytest.mark.slow
def test_projects_get_a_fixture_that_records_and_replays(wire: WireServer, tmp_path: Path) -> None:
    wire.plan("m", "Yes, I am.")
    config: dict[str, Any] = configured(wire.base, "m")
    config["model_list"][0]["litellm_params"]["api_key"] = "os.environ/PROJECT_KEY"
    (tmp_path / "test_project.py").write_text(TEST_FILE.format(config=config))

    def pytest_run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            command, cwd=tmp_path, env={**home, **environ}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    assert "CacheMissError" in pytest_run().stdout
    recorded = pytest_run("--orchestrator-record", PROJECT_KEY="k")
    assert recorded.returncode == 0, recorded.stdout
    assert len(list((tmp_path / "cassettes" / "test_project" / "test_it_answers").iterdir())) == 2
    replayed = pytest_run()
    assert replayed.returncode == 0, replayed.stdout
    assert len(wire.requests) == 1
