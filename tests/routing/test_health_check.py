"""Health: from what was seen anyway, or from one token per deployment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.cli.main import main
from orchestrator.models.health import MOST_ATTEMPTS, Monitor
from orchestrator.types.errors import LLMError
from orchestrator.types.requests import WireAttempt
from tests.support.wire import Reply, WireServer, configured

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
ASK = [{"role": "user", "content": "hi"}]
Output = pytest.CaptureFixture[str]


def attempt(outcome: str, seconds: float = 1.0) -> WireAttempt:
    return WireAttempt("d", "openai", "m", outcome, seconds=seconds)


def test_the_figures_of_a_deployment() -> None:
    monitor = Monitor()
    for number in range(20):
        monitor.record(f"2026-01-01T00:00:{number:02}", [attempt("answered", 0.1 * (number + 1))])
    monitor.record(
        "2026-01-02", [attempt("Timeout"), attempt("cancelled"), attempt("TimeoutError")]
    )
    found = monitor.of("d", provider="openai", model="m", deployments=["d"])
    assert (found.attempts, found.success_rate) == (21, 95.2)
    assert (found.average_s, found.p95_s) == (1.05, 1.9)
    assert (found.consecutive_failures, found.available, found.reason) == (1, True, "")
    assert (found.last_failure, found.last_error) == ("2026-01-02", "Timeout")
    monitor.record("2026-01-03", [attempt("Timeout")] * 2)
    found = monitor.of("d", provider="openai", model="m", deployments=["d"])
    assert found.reason == "the last 3 attempts failed (Timeout)"
    monitor.record("2026-01-04", [attempt("answered")] * 300)
    assert len(monitor.seen["d"]) == MOST_ATTEMPTS
    unknown = monitor.of("x", provider="p", model="m", deployments=["x"])
    assert (unknown.available, unknown.success_rate, unknown.p95_s) == (True, None, None)


async def test_health_is_read_from_the_calls_that_were_made(wire: WireServer) -> None:
    wire.plan("good", "hi")
    wire.plan("bad", Reply(status=500))
    config: dict[str, Any] = configured(wire.base, "good", "bad", routes={"default": ["good"]})
    allowed = {"InternalServerErrorAllowedFails": 1}
    config["router_settings"] |= {
        "num_retries": 2, "allowed_fails_policy": allowed, "cooldown_time": 30,
    }  # fmt: skip
    async with Orchestrator(config) as orc:
        assert all(one.attempts == 0 for one in (await orc.health_check()).deployments)
        for number in range(4):
            await orc.generate([{"role": "user", "content": f"{number}"}], model="good")
        with pytest.raises(LLMError):
            await orc.generate(ASK, model="bad")
        found = await orc.health_check()
        before = len(wire.requests)
    good, bad = found.deployments
    assert (good.available, good.success_rate, good.attempts) == (True, 100.0, 4)
    assert (bad.available, bad.success_rate, bad.consecutive_failures) == (False, 0.0, 2)
    assert bad.cooldown_until > bad.last_failure[:19]
    (provider,) = found.providers
    assert (provider.name, provider.attempts, provider.available) == ("openai", 6, True)
    assert len(wire.requests) == before
    async with Orchestrator(config) as orc:  # another process would read the same ledger
        again = await orc.health_check()
    assert [one.attempts for one in again.deployments] == [4, 2]


async def test_a_probe_asks_each_deployment_once_for_one_token(wire: WireServer) -> None:
    wire.plan("good", "x")
    wire.plan("bad", Reply(status=503))
    async with Orchestrator(configured(wire.base, "good", "bad")) as orc:
        found = await orc.health_check(probe=True)
        lines = await orc.usage()
    assert {body["model"]: body["max_tokens"] for body in wire.requests} == {"good": 1, "bad": 1}
    assert len(wire.requests) == 2
    assert [one.last_error for one in found.deployments] == ["", "ServiceUnavailableError"]
    assert [line["operation"] for line in lines] == ["probe"]
    assert len(lines[0]["wire"]) == 2


@pytest.mark.may_block
def test_the_command_shows_who_is_available_and_who_was_left_out(capsys: Output) -> None:
    assert main(["health"]) == 0
    out = capsys.readouterr().out
    assert "OPENAI_API_KEY is not set" in out
    assert "--probe asks each deployment" in out
    assert main(["health", "--probe", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["available"] is True
    assert found["providers"][0]["success_rate"] == 100.0
