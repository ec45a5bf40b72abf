"""A probe finds out what a deployment does, in a bounded number of calls."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator import Orchestrator
from orchestrator.cli.main import main
from orchestrator.models.known import KnownFacts
from orchestrator.routing.probe import MOST_CALLS, ProbeReport, probe_bound
from orchestrator.types.requests import OutputMode
from tests.support.wire import SECRET, Reply, WireServer, configured
from tests.wire.protocols import Asked

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
Output = pytest.CaptureFixture[str]


def able(asked: Asked) -> Reply:
    """A server that does all that is asked of it."""
    body = asked.body
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema = form["json_schema"]["schema"]
        return Reply(json.dumps({"word": schema["properties"]["word"]["enum"][0]}))
    if "tools" in body or form:
        return Reply('{"word": "blue"}')
    words = body["messages"][0]["content"]
    if "password" in words:
        return Reply("Zorblax.")
    return Reply("Red." if isinstance(words, list) else "yes")


def heedless(asked: Asked) -> Reply:
    """One that accepts everything and talks."""
    return Reply("The sky is blue.")


def strict(asked: Asked) -> Reply:
    """One that refuses whatever is not plain."""
    odd = {"response_format", "tools", "stream"} & asked.body.keys()
    is_picture = isinstance(asked.body["messages"][0]["content"], list)
    return Reply(status=400) if odd or is_picture else Reply("yes")


def thinking(asked: Asked) -> Reply:
    """One that is cut off before it says anything."""
    if asked.body.get("max_tokens", 0) > 100:
        return able(asked)
    return Reply("", finish="length")


ALL = {
    "streaming", "stream_usage", "response_schema", "json_object", "tool_choice",
    "function_calling", "vision",
}  # fmt: skip


@pytest.mark.parametrize(
    ("server", "can", "cannot"),
    [
        (able, ALL, set[str]()),
        (heedless, {"streaming", "stream_usage", "function_calling", "tool_choice"},
         {"response_schema", "json_object", "vision"}),
        (strict, set[str](),
         {"streaming", "response_schema", "json_object", "tool_choice", "vision"}),
        (thinking, {"streaming", "stream_usage", "response_schema", "function_calling",
                    "tool_choice"}, set[str]()),
    ],
)  # fmt: skip
async def test_what_a_deployment_does_is_found_out_and_kept(
    wire: WireServer, tmp_path: Path, server: Any, can: set[str], cannot: set[str]
) -> None:
    wire.decide = server
    wire.windows["m"] = 4321
    config = configured(wire.base, "m", cache={"directory": str(tmp_path)})
    async with Orchestrator(config) as orc:
        (report,) = await orc.probe_models()
        assert report.is_reachable
        assert report.why == ""
        assert report.calls == len(wire.requests) <= MOST_CALLS + 1
        found = {name.removeprefix("supports_").removeprefix("native_"): value
                 for name, value in report.found.items()}  # fmt: skip
        assert found.pop("max_input_tokens") == 4321
        assert {name for name, value in found.items() if value} == can
        assert {name for name, value in found.items() if not value} == cannot
        (one,) = orc._router.deployments.ready
        facts = await asyncio.to_thread(KnownFacts(tmp_path).of, one)
        assert facts["max_context_window"] == 4321
        assert facts.said["max_context_window"][0].source == "probe (/v1/models)"
        assert facts.said["max_context_window"][0].at
        assert await orc.probe_models() == []  # as it is, it was probed
        assert len(await orc.probe_models("m")) == 1
        (line, *_) = await orc.usage()
        assert line["operation"] == "probe"
        assert len(line["wire"]) == report.calls
        assert line["billed_usd"] <= (probe_bound(orc._router.deployments.ready).usd or 0)


async def test_a_mode_that_a_probe_sees_honoured_is_asked_for_again(
    wire: WireServer, tmp_path: Path
) -> None:
    config = configured(wire.base, "m", cache={"directory": str(tmp_path)})
    wire.decide = heedless
    async with Orchestrator(config) as orc:
        await orc.probe_models()
        assert orc._router.mode_for("m") is not OutputMode.JSON_SCHEMA
        wire.decide = able
        await orc.probe_models("m")
        assert orc._router.mode_for("m") is OutputMode.JSON_SCHEMA
    async with Orchestrator(config) as orc:
        mode = await asyncio.to_thread(orc._router.mode_for, "m")
        assert mode is OutputMode.JSON_SCHEMA  # the file says so, too


async def test_one_that_does_not_answer_teaches_nothing(wire: WireServer, tmp_path: Path) -> None:
    wire.plan("down", Reply(status=500))
    wire.plan("locked", Reply(status=401))
    wire.plan("odd", Reply(status=400))
    config = configured(wire.base, "down", "locked", "odd", cache={"directory": str(tmp_path)})
    async with Orchestrator(config) as orc:
        reports = {one.deployment: one for one in await orc.probe_models()}
    assert [reports[f"{name}-id"].why for name in ("down", "locked", "odd")] == [
        "InternalServerError", "AuthenticationError", "it refuses a plain question",
    ]  # fmt: skip
    assert not any(one.found or one.is_reachable for one in reports.values())
    assert [one.calls for one in reports.values()] == [1, 1, 2]
    assert not (tmp_path / "probes.json").exists()


def test_the_command_says_beforehand_what_it_can_take(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(configured(wire.base, "m")))))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))
    wire.decide = able
    assert main(["models", "probe", "--plan"]) == 0
    words = capsys.readouterr().out.strip()
    assert words == "at most 8 calls, 16,656 tokens, 0.0176 USD"
    assert wire.requests == []
    assert main(["models", "probe"]) == 0
    printed = capsys.readouterr()
    assert words in printed.err
    assert "m-id        openai/m  streaming, stream usage, response schema" in printed.out
    assert SECRET not in printed.out + printed.err
    assert main(["models", "show", "m"]) == 0
    lines = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert ["response_schema", "yes", "probe"] in lines
    assert main(["models", "probe"]) == 0
    assert "every deployment has been probed as it is" in capsys.readouterr().out
    wire.decide = None
    assert main(["models", "probe", "m"]) == 3


async def probed(wire: WireServer, tmp_path: Path, prefix: str = "openai") -> ProbeReport:
    config: Any = configured(wire.base, "m", cache={"directory": str(tmp_path)})
    config["model_list"][0]["litellm_params"]["model"] = f"{prefix}/m"
    if prefix == "ollama_chat":
        config["model_list"][0]["litellm_params"]["api_base"] = wire.root
    async with Orchestrator(config) as orc:
        (report,) = await orc.probe_models("m")
    return report


@pytest.mark.parametrize(
    ("prefix", "path", "said", "window"),
    [
        ("openai", "/props", {"default_generation_settings": {"n_ctx": 3072}}, 3072),
        ("lm_studio", "/api/v0/models",
         {"data": [{"id": "x", "max_context_length": 7},
                   {"id": "m", "max_context_length": 131072, "loaded_context_length": 4096}]},
         4096),
        ("ollama_chat", "/api/ps",
         {"models": [{"name": "m:latest", "context_length": 2048}]}, 2048),
        ("ollama_chat", "/api/ps", {"models": [{"name": "other", "context_length": 2048}]}, None),
        ("openai", "/props", {"default_generation_settings": {"n_ctx": True}}, None),
        ("openai", "/props", ["odd"], None),
    ],
)  # fmt: skip
async def test_the_window_of_a_running_model_is_what_its_server_says(
    wire: WireServer, tmp_path: Path, prefix: str, path: str, said: object, window: int | None
) -> None:
    wire.decide = able
    wire.running[path] = said
    report = await probed(wire, tmp_path, prefix)
    assert report.found.get("max_input_tokens") == window
    assert report.window == (path if window else "")


def cuts(asked: Asked) -> Reply:
    """A server that keeps the last 4,096 tokens of a prompt and says nothing of it."""
    if "password" not in asked.body["messages"][0]["content"]:
        return able(asked)
    message = {"role": "assistant", "content": "I see houses and trees."}
    usage = {"prompt_tokens": 4096, "completion_tokens": 5, "total_tokens": 4101}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Reply(raw=json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}))


def refuses(asked: Asked) -> Reply:
    """A server that refuses a long prompt and names its window."""
    if "password" not in asked.body["messages"][0]["content"]:
        return able(asked)
    words = "This model's maximum context length is 4000 tokens. Your messages hold 9000 tokens."
    return Reply(status=400, error_code="context_length_exceeded", error_message=words)


def forgetful(asked: Asked) -> Reply:
    """A server that reads all of a long prompt and does not find what is asked."""
    is_long = "password" in asked.body["messages"][0]["content"]
    return Reply("I see trees.") if is_long else able(asked)


def slow(asked: Asked) -> Reply:
    """A server that fails at a long prompt."""
    is_long = "password" in asked.body["messages"][0]["content"]
    return Reply(status=503) if is_long else able(asked)


@pytest.mark.parametrize(
    ("server", "window", "how"),
    [
        (cuts, 4096, "it cut a prompt of 4,600 words"),
        (refuses, 4000, "an error names it"),
        (able, 131_072, "/v1/models"),
        (forgetful, 131_072, "/v1/models"),
        (slow, 131_072, "/v1/models"),
    ],
)
async def test_a_long_prompt_shows_a_server_that_cuts_it_without_a_word(
    wire: WireServer, tmp_path: Path, server: Any, window: int, how: str
) -> None:
    wire.decide = server
    wire.windows["m"] = 131_072
    report = await probed(wire, tmp_path)
    assert (report.found["max_input_tokens"], report.window) == (window, how)
    assert f"reads {window:,} tokens ({how})" in report.words()
    assert report.is_reachable
    assert report.why == ""
    spent = sum(len(one["messages"][0]["content"].split()) for one in wire.requests
                if isinstance(one["messages"][0]["content"], str))  # fmt: skip
    assert spent < 5000


async def test_a_probe_that_is_interrupted_keeps_what_was_paid_for(
    wire: WireServer, tmp_path: Path
) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def one_hangs(request: Asked) -> Reply:
        if request.model == "slow":
            return Reply("yes", delay_s=15)
        if "password" in request.body["messages"][0]["content"]:
            loop.call_soon_threadsafe(asked.set)
        return able(request)

    wire.decide = one_hangs
    config = configured(wire.base, "quick", "slow", cache={"directory": str(tmp_path)})
    async with Orchestrator(config) as orc:
        task = asyncio.create_task(orc.probe_models())
        await asked.wait()
        while not (tmp_path / "probes.json").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert list(json.loads((tmp_path / "probes.json").read_text())) == ["quick-id"]
