"""Configurations of LiteLLM proxies as they are found: used as they stand, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.models.deployments import deployments_of
from orchestrator.types.errors import ConfigError, NoDeploymentError
from tests.support.wire import SECRET, WireServer

ASK = [{"role": "user", "content": "two and two?"}]


def entry(name: str = "m", *, info: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    given = {"model": f"openai/{name}", **params}
    return {"model_name": name, "litellm_params": given, "model_info": info or {}}


def wire_of(wire: WireServer) -> dict[str, Any]:
    return {"api_base": wire.base, "api_key": SECRET}


async def test_a_deployment_is_called_with_the_credential_that_it_names(
    wire: WireServer, tmp_path: Path
) -> None:
    wire.plan("m", "four")
    path = tmp_path / "config.yaml"
    path.write_text(
        "model_list:\n"
        "  - model_name: m\n"
        "    litellm_params: {model: openai/m, litellm_credential_name: lab, temperature: 0.5}\n"
        "credential_list:\n"
        "  - credential_name: lab\n"
        f"    credential_values: {{api_key: {SECRET}, api_base: '{wire.base}', temperature: 1}}\n"
        "    credential_info: {description: ours}\n"
    )
    assert Config.load(path, {}).unused == ()
    async with Orchestrator(path) as orc:
        answer = await orc.acompletion(model="m", messages=ASK)
    assert answer.choices[0].message.content == "four"
    assert wire.requests[0]["temperature"] == 0.5  # the deployment's own counts


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([], "'lab' is not in credential_list. Known: none"),
        ([{"credential_name": "other", "credential_values": {}}], "Known: other"),
        ([{"credential_name": "lab"}], "credential_list.0: is not a credential"),
        ("lab", "credential_list.0: is not a credential"),
    ],
)
def test_a_credential_that_is_not_listed_is_refused_before_a_key_goes_elsewhere(
    listed: object, words: str
) -> None:
    entries = [entry(litellm_credential_name="lab")]
    with pytest.raises(ConfigError) as raised:
        Config.load({"model_list": entries, "credential_list": listed}, {})
    assert words in str(raised.value)


@pytest.mark.parametrize("name", ["rpm", "tpm"])
@pytest.mark.parametrize("limit", [0, -1, "0"])
def test_a_limit_that_lets_no_call_through_is_refused_and_not_waited_for(
    name: str, limit: Any
) -> None:
    limits: dict[str, Any] = {name: limit}
    config = Config.load({"model_list": [entry(api_key="k", **limits)]}, {})
    with pytest.raises(ConfigError, match=rf"model_list\.0\.litellm_params\.{name}: .*no call"):
        deployments_of(config, {})


def test_a_date_in_a_file_is_text_as_a_provider_wants_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "model_list: [{model_name: m, litellm_params: {model: azure/m, api_version: 2024-02-01}}]"
    )
    assert Config.load(path, {}).model_list[0].litellm_params["api_version"] == "2024-02-01"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {"model_list": [entry(api_key=12345678)]},
            "the deployment 'm-0': LiteLLM's Router refuses it: litellm_params.api_key: Input",
        ),
        (
            {"model_list": [entry(api_key="k"), entry("d", model="nobody-knows", api_key="k")]},
            "the deployment 'd-1': LiteLLM knows no provider of 'nobody-knows'. Write",
        ),
        (
            {
                "model_list": [entry(api_key="k")],
                "router_settings": {"routing_strategy": "mine"},
            },
            "router_settings or model_list: LiteLLM's Router refuses it: Invalid routing_strategy",
        ),
    ],
)
async def test_what_litellms_router_refuses_is_an_error_of_the_configuration(
    config: dict[str, Any], words: str
) -> None:
    async with Orchestrator(config) as orc:
        for call in (
            lambda: orc.generate_gmn("a thermostat"),
            lambda: orc.acompletion(model="m", messages=ASK),
        ):
            with pytest.raises(ConfigError) as raised:
                await call()
            assert words in str(raised.value)
            assert "12345678" not in str(raised.value)


async def test_a_wildcard_is_not_asked_for_by_its_stars(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.plan("named", "four")
    config = {"model_list": [entry("openai/*", model="openai/*", **wire_of(wire))]}
    async with Orchestrator(config) as orc:
        for call in (
            lambda: orc.generate_gmn("a thermostat"),
            lambda: orc.generate("two and two?"),
            lambda: orc.acompletion(model="default", messages=ASK),
        ):
            with pytest.raises(NoDeploymentError, match=r"model='openai/NAME'.*DEFAULT_LLM_MODEL"):
                await call()
        assert (await orc.generate("two and two?", model="openai/named")).text == "four"
    monkeypatch.setenv("DEFAULT_LLM_MODEL", "openai/named")
    async with Orchestrator(config) as orc:
        assert (await orc.generate("and again?")).text == "four"
    assert {one["model"] for one in wire.requests} == {"named"}
