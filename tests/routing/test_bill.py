"""The bill: what was sent is on it, once, and what never left is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.cli.main import main
from orchestrator.routing.prices import price_of
from orchestrator.types.errors import BudgetExceededError, LLMError
from tests.support.wire import PROVIDERS, Reply, WireServer, configured, provider_config

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ROOT = Path(__file__).resolve().parent.parent.parent
ASK = [{"role": "user", "content": "describe the corridor in some words"}]
WORDS = "word " * 40
PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


def priced(config: dict[str, Any], usd: float) -> dict[str, Any]:
    """The same with a price for each token, prompt and answer."""
    for entry in config["model_list"]:
        prices = ("input_cost_per_token", "output_cost_per_token")
        entry["litellm_params"] |= dict.fromkeys(prices, usd)
    return config


def billed(wire: WireServer, usd: float, **ours: Any) -> dict[str, Any]:
    return priced(configured(wire.base, "m", cache={"mode": "off"}, **ours), usd)


def unreported(text: str = WORDS) -> Reply:
    """An answer whose server says nothing of tokens."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return Reply(raw=json.dumps(body))


async def again(times: int, ask: Callable[[], Awaitable[object]]) -> None:
    for _ in range(times):
        await ask()


async def left_early(orc: Orchestrator, parts: int) -> None:
    stream = await orc.acompletion(model="m", messages=ASK, stream=True, max_tokens=50)
    for _ in range(parts):
        await anext(stream)
    await stream.aclose()


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_a_stream_that_is_left_costs_its_prompt_and_the_parts_that_came(
    provider: str, wire: WireServer
) -> None:
    wire.plan("m", Reply(WORDS, stall_after=30))
    config = priced(provider_config(wire, provider, cache={"mode": "off"}), 0.001)
    async with Orchestrator(config) as orc:
        await left_early(orc, 20)
        (line,) = await orc.usage()
    (attempt,) = line["wire"]
    assert (attempt["outcome"], attempt["estimated"], line["estimated"]) == (
        "cancelled",
        True,
        True,
    )
    assert 5 < attempt["usage"]["prompt_tokens"] < 40
    assert 10 <= attempt["usage"]["completion_tokens"] <= 32
    assert line["billed_usd"] == pytest.approx(0.001 * sum(attempt["usage"].values()))


async def test_streams_that_are_left_use_the_budget_up(wire: WireServer) -> None:
    wire.plan("m", Reply(WORDS, stall_after=30))
    async with Orchestrator(billed(wire, 1e-6, budgets={"usd_per_day": 0.001})) as orc:
        with pytest.raises(BudgetExceededError):
            await again(60, lambda: left_early(orc, 20))
        lines = await orc.usage()
    assert 10 < len(wire.requests) < 60
    assert sum(line["billed_usd"] for line in lines) <= 0.001


async def test_a_server_that_reports_no_usage_is_estimated_and_uses_the_budget_up(
    wire: WireServer, capsys: pytest.CaptureFixture[str]
) -> None:
    wire.plan("m", unreported())
    config = billed(wire, 0.001, budgets={"usd_per_day": 0.5})
    async with Orchestrator(config) as orc:
        with pytest.raises(BudgetExceededError):
            await again(30, lambda: orc.generate(ASK, max_tokens=40))
        line = (await orc.usage())[0]
    assert 6 <= len(wire.requests) <= 11
    assert line["estimated"]
    # The first was asked for a stream, of which this server, which answers whole, says nothing.
    assert line["wire"][-1]["usage"]["completion_tokens"] == pytest.approx(40, abs=12)
    assert main(["usage"]) == 0
    assert f"({len(wire.requests) - 1} estimated)" in capsys.readouterr().out


async def test_an_embedding_without_usage_is_estimated(wire: WireServer) -> None:
    vectors = [{"object": "embedding", "index": 0, "embedding": [0.1]}]
    wire.plan("m", Reply(raw=json.dumps({"object": "list", "data": vectors, "model": "m"})))
    async with Orchestrator(billed(wire, 0.001)) as orc:
        await orc.aembedding(model="m", input=["four words of text"])
        (line,) = await orc.usage()
    assert line["estimated"]
    assert 0.003 <= line["billed_usd"] <= 0.008


async def test_what_the_provider_reports_is_not_an_estimate(wire: WireServer) -> None:
    wire.plan("m", WORDS)
    async with Orchestrator(billed(wire, 0.001)) as orc:
        await orc.generate(ASK)
        stream = await orc.acompletion(model="m", messages=ASK, stream=True)
        assert [part async for part in stream]
        lines = await orc.usage()
    assert [line["estimated"] for line in lines] == [False, False]
    assert lines[0]["usage"] == lines[1]["usage"]
    assert lines[0]["usage"]["prompt_tokens"] * 2 == wire.served.prompt_tokens


async def test_a_model_without_a_price_tag_of_its_own_answers_when_the_budget_is_spent(
    wire: WireServer,
) -> None:
    for name in ("paid", "free"):
        wire.plan(name, WORDS)
    config: dict[str, Any] = configured(
        wire.base, "paid", "free", cache={"mode": "off"},
        budgets={"usd_per_day": 1e-4, "usd_per_request": 1e-4},
    )  # fmt: skip
    config["router_settings"]["fallbacks"] = []
    config["orchestrator"]["routes"] = {"default": ["paid"]}
    priced({"model_list": config["model_list"][1:]}, 0.0)
    async with Orchestrator(config) as orc:
        with pytest.raises(BudgetExceededError):
            await again(9, lambda: orc.generate(ASK, model="paid", max_tokens=40))
        orc._router.remember({"": 1.0})  # as if more had been spent than is allowed
        assert (await orc.generate(ASK, model="free", max_tokens=40)).text == WORDS
        line = (await orc.usage())[-1]
    assert (line["billed_usd"], line["estimated"]) == (0.0, False)


async def test_an_attempt_that_never_left_is_not_one(wire: WireServer) -> None:
    names = ("lost", "nokey", "closed")
    config: dict[str, Any] = configured(wire.base, *names, cache={"mode": "off"})
    config["orchestrator"]["routes"] = {"default": ["lost"]}
    config["router_settings"]["num_retries"] = 0
    lost, nokey, closed = (entry["litellm_params"] for entry in config["model_list"])
    lost["api_base"] = "http://nowhere.invalid/v1"
    nokey |= {"model": "anthropic/m", "api_key": None}
    closed["api_base"] = "http://127.0.0.1:1/v1"
    async with Orchestrator(config) as orc:
        for name in ("lost", "nokey"):
            with pytest.raises(LLMError) as caught:
                await orc.generate(ASK, model=name)
            line = (await orc.usage())[-1]
            assert (line["wire"], line["billed_usd"], caught.value.wire_attempts) == (
                [],
                0.0,
                0,
            ), name
            assert [one["deployment"] for one in line["unsent"]] == [f"{name}-id"]
            assert caught.value.deployment == f"{name}-id"
        with pytest.raises(LLMError) as caught:  # a host that refuses was asked
            await orc.generate(ASK, model="closed")
        line = (await orc.usage())[-1]
        assert (len(line["wire"]), line["billed_usd"], caught.value.wire_attempts) == (1, 0.0, 1)
        health = {one.name: one for one in (await orc.health_check()).deployments}
    assert health["lost-id"].consecutive_failures == 1
    async with Orchestrator(config) as later:
        health = {one.name: one for one in (await later.health_check()).deployments}
    assert health["lost-id"].consecutive_failures == 1


async def test_an_answer_without_a_choice_is_not_an_answer(wire: WireServer) -> None:
    nothing = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
    wire.plan("first", Reply(raw=json.dumps(nothing)))
    wire.plan("second", "good")
    config: dict[str, Any] = configured(wire.base, "first", "second", cache={"mode": "off"})
    config["router_settings"]["fallbacks"] = [{"first": ["second"]}]
    config["router_settings"]["num_retries"] = 0
    async with Orchestrator(config) as orc:
        answer = await orc.acompletion(model="first", messages=ASK)
        (line,) = await orc.usage()
    assert answer.choices[0].message.content == "good"
    named = [(one["deployment"], one["outcome"]) for one in line["wire"]]
    assert named == [("first-id", "APIConnectionError"), ("second-id", "answered")]


RUN = """
import json, os, sys
from orchestrator import Orchestrator
orc = Orchestrator(json.loads(os.environ["CONFIG"]))
"""


def started(config: dict[str, Any], code: str, home: Path) -> subprocess.Popen[str]:
    environ = {
        **os.environ, "HOME": str(home), "ORCHESTRATOR_CACHE_DIR": str(home / "cache"),
        "CONFIG": json.dumps(config),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", RUN + code], cwd=ROOT, env=environ, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
def test_a_call_whose_process_is_killed_is_on_the_bill(wire: WireServer, own_home: Path) -> None:
    wire.plan("m", Reply("late", delay_s=3600))
    config = billed(wire, 0.001, budgets={"usd_per_day": 0.3})
    code = f"orc.sync.completion(model='m', messages={ASK!r}, max_tokens=100, tenant='t')"
    process = started(config, code, own_home)
    while not wire.requests and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    orc = Orchestrator(config)
    (line,) = orc.sync.usage()
    (attempt,) = line["wire"]
    assert (line["operation"], line["outcome"], line["tenant"]) == (
        "acompletion",
        "unfinished",
        "t",
    )
    assert (attempt["deployment"], attempt["outcome"]) == ("m-id", "unfinished")
    assert (attempt["estimated"], line["estimated"]) == (True, True)
    assert 0.1 < line["billed_usd"] < 0.15  # a hundred tokens at most, and the prompt
    wire.plan("m", Reply(WORDS))
    with pytest.raises(BudgetExceededError):
        orc.sync.generate(ASK, max_tokens=150)
    assert orc.sync.generate(ASK, max_tokens=50).text == WORDS
    orc.sync.close()


@pytest.mark.slow
def test_who_interrupts_a_call_while_litellm_loads_has_a_line(
    wire: WireServer, own_home: Path
) -> None:
    code = f"""
import signal, threading, time
def interrupt():
    while "litellm" not in sys.modules:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    orc.sync.generate_gmn("a walker", images=[{PNG!r}])
finally:
    lines = orc._ledger.lines()
    print(json.dumps([(line["operation"], line["outcome"]) for line in lines]), flush=True)
    os._exit(0)
"""
    config = configured(wire.base, "m", cache={"mode": "off"})
    out, errors = started(config, code, own_home).communicate()
    assert out.strip() == '[["generate_gmn", "cancelled"]]', errors


def linked(place: Path) -> None:
    """Every file of a month is a link, which is not followed."""
    place.mkdir()
    month = time.strftime("%Y-%m", time.gmtime())
    for suffix in ("jsonl", "sent"):
        (place / f"{month}.{suffix}").symlink_to("/dev/full")


def in_the_way(place: Path) -> None:
    """There is a file where the directory belongs."""
    place.write_text("a file")


@pytest.mark.parametrize("trouble", [in_the_way, linked])
async def test_money_is_not_spent_where_it_cannot_be_put_on_the_bill(
    trouble: Callable[[Path], None], wire: WireServer, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    wire.plan("m", "good")
    trouble(tmp_path / "bill")
    ledger = {"directory": str(tmp_path / "bill")}
    budgets = {"usd_per_day": 1.0}
    async with Orchestrator(billed(wire, 1e-6, ledger=ledger, budgets=budgets)) as orc:
        for door in (orc.generate(ASK), orc.acompletion(model="m", messages=ASK)):
            with pytest.raises(BudgetExceededError) as caught:
                await door
    words = str(caught.value)
    assert str(tmp_path / "bill") in words
    assert "not a directory" in words or "a link that leads elsewhere" in words
    assert "when_unwritable" in words
    assert "ORCHESTRATOR_LEDGER_DIR" in words
    assert wire.requests == []
    assert caplog.text.count("cannot be written") == 1
    caplog.clear()
    for ours in ({"budgets": {**budgets, "when_unwritable": "warn"}}, {}):
        async with Orchestrator(billed(wire, 1e-6, ledger=ledger, **ours)) as orc:
            assert (await orc.generate(ASK)).text == (await orc.generate(ASK)).text == "good"
    async with Orchestrator(billed(wire, 0.0, ledger=ledger, budgets=budgets)) as orc:
        assert (await orc.generate(ASK)).text == "good"
    assert caplog.text.count("cannot be written") == 3


def test_the_bill_lies_where_the_environment_says(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_DIR", str(tmp_path / "bills"))
    orc = Orchestrator()
    orc.sync.generate_gmn("a cautious explorer for a 5x5 grid")
    orc.sync.close()
    assert [path.suffix for path in (tmp_path / "bills").iterdir()] == [".jsonl"]
    assert not (own_home / "cache" / "ledger").exists()
    assert main(["usage", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ledger"] == str(tmp_path / "bills")


@pytest.mark.parametrize("samples", [0, -1, 30, 10_000])
async def test_samples_are_bounded_by_what_may_go_on_the_wire(
    samples: int, wire: WireServer
) -> None:
    wire.plan("m", "good")
    async with Orchestrator(configured(wire.base, "m", cache={"mode": "off"})) as orc:
        said = "wire_attempts" if samples > 0 else "at least 1"
        doors = [
            orc.generate_gmn("a walker", samples=samples),
            orc.generate_structured(ASK, dict, samples=samples),
            orc.acompletion(model="m", messages=ASK, samples=samples),
            orc.acompletion(model="m", messages=ASK, samples=samples, refine=0),
        ]
        for door in doors[: 2 if samples == 30 else None]:
            with pytest.raises(ValueError, match=said):
                await door
        for door in doors[2:]:
            door.close()
        for wrong in ("3", 2.0, True, None):
            with pytest.raises(TypeError, match="samples must be an int"):
                await orc.generate_gmn("a walker", samples=wrong)  # type: ignore[arg-type]
    assert wire.requests == []


def test_the_command_refuses_samples_that_cannot_be_asked_for(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "config.json"
    path.write_text(json.dumps(configured(wire.base, "m")))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))
    command = ["generate", "a walker", "--samples"]
    for samples in ("10000", "0", "2.5"):
        try:
            code: object = main([*command, samples])
        except SystemExit as left:  # argparse's own refusal
            code = left.code
        assert code == 2
        assert "samples" in capsys.readouterr().err
    assert wire.requests == []


def test_a_price_that_yaml_reads_as_text_is_a_price(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "model_list:\n- model_name: m\n  litellm_params: {model: openai/m, api_key: k,"
        " api_base: 'http://localhost:1', input_cost_per_token: 1e-6, output_cost_per_token: 2e-6}"
    )
    (one,) = Orchestrator(path)._router.deployments.ready
    assert price_of(one) == (1e-6, 2e-6)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # LiteLLM's, of such answers
@pytest.mark.parametrize(
    "message",
    [{"role": "assistant", "content": [{"type": "text", "text": WORDS}]}, None, {"role": "king"}],
)
async def test_an_answer_that_litellm_cannot_read_is_on_the_bill(
    wire: WireServer, message: object
) -> None:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    wire.plan("m", Reply(raw=json.dumps({**body, "choices": [choice], "usage": usage})))
    config = billed(wire, 0.01)
    config["router_settings"]["num_retries"] = 0
    async with Orchestrator(config) as orc:
        with pytest.raises(Exception, match="Invalid response object"):
            await orc.acompletion(model="m", messages=ASK)
        (line,) = await orc.usage()
    (attempt,) = line["wire"]
    assert attempt["outcome"] == "InternalServerError"
    assert line["usage"]["prompt_tokens"] == 11
    assert line["billed_usd"] == pytest.approx(0.18)
    assert line["estimated"] is True


async def test_counts_below_zero_are_estimated_and_lower_no_sum(wire: WireServer) -> None:
    body = json.loads(unreported().raw or "")
    usage = {"prompt_tokens": -1, "completion_tokens": -7, "total_tokens": -8}
    wire.plan("m", Reply(raw=json.dumps({**body, "usage": usage})))
    async with Orchestrator(billed(wire, 0.01)) as orc:
        answer = await orc.acompletion(model="m", messages=ASK)
        (line,) = await orc.usage()
    assert answer.choices[0].message.content == WORDS
    assert line["billed_usd"] > 0
    assert min(line["usage"].values()) >= 0
    assert line["estimated"] is True


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tokens", [10**9, 10**15, 10**20])
async def test_counts_that_cannot_be_are_estimated_and_end_no_budget(
    tokens: int, stream: bool, wire: WireServer
) -> None:
    wire.plan("m", Reply(WORDS, tokens=tokens), Reply(WORDS, tokens=40))
    async with Orchestrator(billed(wire, 0.001, budgets={"usd_per_day": 5})) as orc:
        for _ in range(2):
            made = await orc.acompletion(model="m", messages=ASK, max_tokens=40, stream=stream)
            if stream:
                assert [part async for part in made]
        first, second = await orc.usage()
    assert (first["estimated"], second["estimated"]) == (True, False)
    assert first["billed_usd"] < 0.1


@pytest.mark.parametrize("cost", [-1, "much"])
async def test_a_stated_cost_that_cannot_be_is_not_taken(cost: object, wire: WireServer) -> None:
    body = json.loads(str(unreported().raw))
    body["usage"] = {"prompt_tokens": 10, "completion_tokens": 40, "total_tokens": 50, "cost": cost}
    wire.plan("x/m", Reply(raw=json.dumps(body)))
    config: dict[str, Any] = configured(wire.base, "x/m", cache={"mode": "off"})
    params = config["model_list"][0]["litellm_params"] | {"model": "openrouter/x/m"}
    config["model_list"][0]["litellm_params"] = {
        name: value for name, value in params.items() if "cost" not in name
    }
    async with Orchestrator(config) as orc:
        await orc.acompletion(model="x/m", messages=ASK)
        (line,) = await orc.usage()
    assert line["billed_usd"] >= 0


async def test_an_embedding_sets_nothing_aside_for_an_answer(wire: WireServer) -> None:
    wire.plan("m", "")
    async with Orchestrator(billed(wire, 0.001, budgets={"usd_per_day": 0.1})) as orc:
        await orc.aembedding(model="m", input=["a corridor"])
        (line,) = await orc.usage()
    assert 0 < line["billed_usd"] < 0.1
