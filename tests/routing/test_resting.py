"""What a call says that no deployment can answer: a refused key, an empty account, a rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.types.errors import (
    AuthenticationError,
    NoDeploymentError,
    RateLimitError,
    ServiceUnavailableError,
)
from tests.support.wire import PROVIDERS, Reply, WireServer, configured, provider_config

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

ASK = [{"role": "user", "content": "hi"}]
#: One failure lets a deployment rest.
RESTS = {
    "num_retries": 0, "cooldown_time": 60,
    "allowed_fails_policy": {
        "AuthenticationErrorAllowedFails": 0, "InternalServerErrorAllowedFails": 0,
        "RateLimitErrorAllowedFails": 0,
    },
}  # fmt: skip


def resting(wire: WireServer, *models: str) -> dict[str, Any]:
    config: dict[str, Any] = configured(wire.base, *models, cache={"mode": "off"})
    config["router_settings"] = dict(RESTS)
    return config


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_an_account_without_credit_is_said_and_asked_once(
    wire: WireServer, provider: str
) -> None:
    wire.plan("m", Reply(status=402, error_message="Insufficient Balance"))
    config: dict[str, Any] = provider_config(wire, provider, cache={"mode": "off"})
    config["router_settings"]["num_retries"] = 2
    async with Orchestrator(config) as orc:
        with pytest.raises(AuthenticationError, match=r"m-id .*no credit\. Top up") as caught:
            await orc.generate(ASK, model="m")
    assert (caught.value.status, caught.value.deployment) == (402, "m-id")
    assert "Try again" not in str(caught.value)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [401, 402, 403])
@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_what_a_key_may_not_do_is_asked_once(
    wire: WireServer, provider: str, status: int
) -> None:
    wire.plan("m", Reply(status=status, error_message="not for this project"))
    config: dict[str, Any] = provider_config(wire, provider, cache={"mode": "off"})
    config["router_settings"]["num_retries"] = 2
    async with Orchestrator(config) as orc:
        with pytest.raises(AuthenticationError, match=rf"m-id .*status {status}") as caught:
            await orc.generate(ASK, model="m")
        assert (caught.value.status, len(wire.requests)) == (status, 1)
        with pytest.raises(AuthenticationError):
            await orc.generate(ASK, model="m", on_text=print)
        with pytest.raises(Exception, match="not for this project") as theirs:
            await orc.acompletion(model="m", messages=ASK)
    assert getattr(theirs.value, "status_code", 0) == status
    assert len(wire.requests) == 3


async def test_a_sibling_is_asked_after_a_key_that_may_not_do_this(wire: WireServer) -> None:
    wire.plan("a", Reply(status=403))
    wire.plan("b", "good")
    config: dict[str, Any] = configured(wire.base, "a", "b", cache={"mode": "off"})
    config["orchestrator"]["routes"] = {"default": ["g"]}
    for entry in config["model_list"]:
        entry["model_name"] = "g"
    async with Orchestrator(config) as orc:
        for _ in range(6):
            assert (await orc.generate(ASK, model="g")).text == "good"


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, "Your credit balance is too low to access the API.", AuthenticationError),
        (429, "insufficient_quota", RateLimitError),
    ],
)
async def test_no_credit_is_recognised_whatever_its_status(
    wire: WireServer, status: int, said: str, kind: type[Exception]
) -> None:
    wire.plan("m", Reply(status=status, error_message=said))
    async with Orchestrator(resting(wire, "m")) as orc:
        with pytest.raises(kind, match=r"no credit\. Top up"):
            await orc.generate(ASK, model="m")
    assert len(wire.requests) == 1


async def test_a_route_goes_on_past_an_account_without_credit(wire: WireServer) -> None:
    wire.plan("a", Reply(status=402))
    wire.plan("b", "good")
    async with Orchestrator(resting(wire, "a", "b")) as orc:
        assert (await orc.generate(ASK)).text == "good"


async def test_a_call_that_finds_only_refused_keys_at_rest_says_so(wire: WireServer) -> None:
    wire.plan("a", Reply(status=401))
    wire.plan("b", Reply(status=401))
    async with Orchestrator(resting(wire, "a", "b")) as orc:
        with pytest.raises(AuthenticationError, match=r"a-id failed .*status 401"):
            await orc.generate(ASK, model="a")
        with pytest.raises(AuthenticationError, match=r"a-id rests: its key was refused .*401"):
            await orc.generate(ASK, model="a")
        assert len(wire.requests) == 1
        for _ in range(2):  # b is asked by the first
            with pytest.raises(AuthenticationError, match=r"a-id rests: .*, b-id .*refused"):
                await orc.generate(ASK)
        assert len(wire.requests) == 2
        with pytest.raises(Exception, match=r"No deployments available.*a-id rests: its key"):
            await orc.acompletion(model="a", messages=ASK)
        (health, _) = (await orc.health_check()).deployments
        assert health.reason.endswith("after AuthenticationError")


async def test_accounts_without_credit_that_rest_are_named(wire: WireServer) -> None:
    wire.plan("a", Reply(status=402))
    wire.plan("b", Reply(status=402))
    config = resting(wire, "a", "b")
    config["model_list"][1]["model_name"] = "a"  # LiteLLM lets none rest that is alone
    del config["router_settings"]["allowed_fails_policy"]  # which has no word for it
    config["orchestrator"]["routes"] = {"default": ["a"]}
    async with Orchestrator(config) as orc:
        with pytest.raises(AuthenticationError, match="no credit"):
            await orc.generate(ASK, model="a")
        assert len(wire.requests) == 2
        with pytest.raises(AuthenticationError, match=r"-id rests: .*no credit.* Top up"):
            await orc.generate(ASK, model="a")
        assert len(wire.requests) == 2


async def test_a_call_that_finds_failed_deployments_at_rest_says_until_when(
    wire: WireServer,
) -> None:
    wire.plan("m", Reply(status=500))
    async with Orchestrator(resting(wire, "m")) as orc:
        with pytest.raises(ServiceUnavailableError):
            await orc.generate(ASK, model="m")
        with pytest.raises(
            NoDeploymentError, match=r"m-id rests: it failed \(status 500\).* s, "
        ) as caught:
            await orc.generate(ASK, model="m")
    assert 30 < (caught.value.retry_after_s or 0) <= 60


async def test_a_group_does_not_wait_for_the_rate_limit_of_another(wire: WireServer) -> None:
    wire.plan("a", Reply(status=401))
    wire.plan("b", Reply(status=429, headers={"Retry-After": "500"}))
    config = resting(wire, "a", "b")
    # No attempt follows a wait, and there is time to wait until a deployment has rested.
    config["orchestrator"]["limits"] = {"wire_attempts": 2, "deadline_s": 2000}
    config["orchestrator"]["generation"] = {"max_calls": 1}
    async with Orchestrator(config) as orc, asyncio.timeout(200):
        for model in ("a", "b"):
            with pytest.raises((AuthenticationError, RateLimitError)):
                await orc.generate(ASK, model=model)
        with pytest.raises(AuthenticationError, match="its key was refused"):
            await orc.generate(ASK, model="a")
