"""No key leaves by any door, and no innocent word is taken for one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import litellm
import pytest

from orchestrator import Orchestrator
from orchestrator.types.errors import LLMError
from tests.support.wire import SECRET, Reply, WireServer, configured

ASK: list[dict[str, Any]] = [{"role": "user", "content": "Hello, are you there?"}]


def keyed(wire: WireServer, key: str, **cache: Any) -> dict[str, Any]:
    config: dict[str, Any] = configured(wire.base, "m", cache=cache)
    config["model_list"][0]["litellm_params"]["api_key"] = key
    return config


@pytest.mark.parametrize("key", ["x", "ollama", "openai", SECRET])
async def test_an_error_names_its_provider_and_not_its_key(
    key: str, wire: WireServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="orchestrator")
    said = f"Incorrect API key provided: {key}. Ask xai, ollama or openai for maximum help"
    wire.plan("m", *[Reply(status=401, error_message=said)] * 6)
    async with Orchestrator(keyed(wire, key, directory=str(tmp_path))) as orc:
        with pytest.raises(litellm.exceptions.AuthenticationError) as caught:
            await orc.acompletion(model="m", messages=ASK)
        with pytest.raises(LLMError) as ours:
            await orc.generate(ASK)
    words = str(caught.value)
    assert "provided: [removed]. Ask xai, ollama or openai for maximum help" in words
    assert caught.value.llm_provider == "openai"
    assert caught.value.model in ("m", "openai/m")
    assert ours.value.provider == "openai"
    assert f"provided: {key}" not in f"{ours.value}{vars(ours.value)}{caplog.text}"
    if key == SECRET:
        stored = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert stored
        assert not [path for path in stored if key.encode() in path.read_bytes()]
        assert key not in caplog.text


async def test_a_recording_is_scrubbed_and_still_replays(wire: WireServer, tmp_path: Path) -> None:
    asked = [{"role": "user", "content": f"is my key {SECRET} known to xai"}]
    wire.plan("m", f"Yes: {SECRET}, and sk-proj-abcdefghijklmnop1234")
    tape = {"cassette": str(tmp_path / "tape")}
    async with Orchestrator(keyed(wire, SECRET, mode="record", **tape)) as orc:
        await orc.acompletion(model="m", messages=asked)
    (path,) = [p for p in (tmp_path / "tape").glob("*.json") if p.name != "routes.json"]
    text = path.read_text()
    assert SECRET not in text + path.name
    assert "sk-proj" not in text
    assert "canary" not in path.name
    assert '"custom_llm_provider": "openai"' in text
    assert "is my key [removed] known to xai" in text
    async with Orchestrator(keyed(wire, SECRET, mode="replay", **tape)) as orc:
        answer = await orc.acompletion(model="m", messages=asked)
    assert answer.choices[0].message.content == "Yes: [removed], and [removed]"
    assert len(wire.requests) == 1
