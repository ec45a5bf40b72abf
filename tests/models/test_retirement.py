"""Models that go are named in time, once, with what takes their place."""

from __future__ import annotations

import datetime
import logging
from typing import Any

import pytest

from orchestrator.config.paths import shipped
from orchestrator.config.settings import Config
from orchestrator.models import retirement as room
from orchestrator.models.deployment import Deployment, Secret
from orchestrator.models.deployments import deployments_of
from orchestrator.models.retirement import retirement, retirement_of, warn_of_retirements
from orchestrator.models.table import shipped_table
from orchestrator.types.errors import ConfigError

TODAY = datetime.date(2026, 11, 26)


def one(model: str = "openai/a", **info: Any) -> Deployment:
    return Deployment("g", model, "g-0", Secret({"model": model}), info)


def in_days(days: int, **more: Any) -> dict[str, Any]:
    return {"deprecation_date": str(TODAY + datetime.timedelta(days)), **more}


def successor(table: dict[str, Any], **info: Any) -> str:
    found = retirement_of(one(**info), TODAY, table)
    assert found is not None
    return found.successor


def test_the_successor_that_the_configuration_names_goes_first() -> None:
    table = {
        "a": in_days(-1, successor_model="b"),
        "b": {},
        "gone": in_days(5, successor_model="b"),
    }
    assert successor(table) == "openai/b"
    assert successor(table, successor="groq/c") == "groq/c"  # a name that the table does not have
    assert successor(table, successor="b") == "b"
    assert successor(table, successor="openai/gone") == "openai/b"  # it goes itself
    stated = one(deprecation_date="2026-12-01", successor="groq/c")
    assert retirement(stated, TODAY, {}) == room.Retirement(datetime.date(2026, 12, 1), "groq/c")
    assert retirement(one(deprecation_date="soon"), TODAY, {}) is None
    assert retirement_of(one(), TODAY, {"a": in_days(4000)}) is not None
    assert retirement(one(), TODAY, {"a": in_days(91)}) is None


def test_a_process_warns_at_ninety_days_at_thirty_and_when_it_is_gone_once_each(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_warned", set())
    table = {"a": in_days(100, successor_model="b"), "b": {}}
    said = []
    for day in range(0, 110, 5):
        caplog.clear()
        for _ in range(2):
            warn_of_retirements([one(), one()], TODAY + datetime.timedelta(day), table)
        said += [(day, record.levelno, record.getMessage()) for record in caplog.records]
    assert [day for day, _, _ in said] == [10, 70, 100]
    assert {level for _, level, _ in said} == {logging.WARNING}
    assert said[0][2] == "g (openai/a) will be retired on 2027-03-06; use openai/b instead"
    assert said[2][2].startswith("g (openai/a) retired on")


def configured(policy: str, *dates: str) -> Config:
    made = [
        {"model_name": f"m{i}", "litellm_params": {"model": "openai/x", "api_key": "k"},
         "model_info": {"deprecation_date": date, "successor": "openai/y"}}
        for i, date in enumerate(dates)
    ]  # fmt: skip
    return Config.load({"model_list": made, "orchestrator": {"retired_models": policy}}, {})


def test_the_policy_leaves_out_what_is_retired() -> None:
    warned = deployments_of(configured("warn", "2020-01-01", "2999-01-01"), {})
    assert warned.groups() == ("m0", "m1")
    refused = deployments_of(configured("refuse", "2020-01-01", "2999-01-01"), {})
    assert refused.groups() == ("m1",)
    assert refused.skipped[0].reason == "retired on 2020-01-01; use openai/y instead"
    with pytest.raises(ConfigError, match="retired on 2020-01-01; use openai/y"):
        deployments_of(configured("refuse", "2020-01-01"), {})
    with pytest.raises(ConfigError, match="retired_models"):
        configured("perhaps", "2020-01-01")


def test_nothing_in_the_shipped_configuration_goes_within_ninety_days() -> None:
    config = Config.load(shipped("config.yaml"), {})
    today = datetime.datetime.now(datetime.UTC).date()
    going = {}
    for entry in config.model_list:
        model = str(entry.litellm_params["model"])
        if found := retirement(one(model), today, shipped_table()):
            going[model] = found
    assert going == {}
