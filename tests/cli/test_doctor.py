"""The doctor names what is wrong and what to do about it."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.doctor import clock
from orchestrator.cli.main import main
from orchestrator.config.settings import Config
from orchestrator.models.deployments import deployments_of
from orchestrator.models.retirement import retirement
from orchestrator.routing.prices import model_table, takes_schema
from tests.support.wire import Reply, WireServer

Output = pytest.CaptureFixture[str]


def configured(path: Path, monkeypatch: pytest.MonkeyPatch, *deployments: dict[str, Any]) -> None:
    model_list = [{"model_name": f"m{i}", "litellm_params": d} for i, d in enumerate(deployments)]
    path.write_text(yaml.safe_dump({"model_list": model_list}))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))


def test_local_servers_are_asked_for_their_models(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    wire.plan("here", "hi")
    configured(
        tmp_path / "c.yaml", monkeypatch,
        {"model": "ollama_chat/here", "api_base": wire.root},
        {"model": "ollama_chat/gone", "api_base": wire.root},
        {"model": "lm_studio/here", "api_base": wire.base},
        {"model": "lm_studio/here", "api_base": f"{wire.root}/nowhere"},
    )  # fmt: skip
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"ok    server of m0-0: {wire.root} offers here" in out
    assert "offers here, not gone\n      ollama pull gone" in out
    assert f"ok    server of m2-2: {wire.base} offers here" in out
    assert "m3 left out: no server of its kind answers" in out
    monkeypatch.setenv("LLM_PROVIDER", "lmstudio")
    assert main(["doctor"]) == 0
    assert "does not list its models" in capsys.readouterr().out


def test_retired_models_are_named_with_their_date_and_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    import litellm

    today = datetime.datetime.now(datetime.UTC).date()
    gone = {
        name
        for name, about in litellm.model_cost.items()
        if about.get("litellm_provider") == "openai"
        and about.get("mode") == "chat"
        and str(about.get("deprecation_date", "9")) < today.isoformat()
    }
    name = sorted(gone)[0]
    configured(
        tmp_path / "c.yaml", monkeypatch,
        {"model": f"openai/{name}", "api_key": "k"}, {"model": "openai/unheard-of", "api_key": "k"},
    )  # fmt: skip
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert f"bad   m0-0 (openai/{name}): retired on" in out
    assert "      Use openai/" in out
    assert "openai/unheard-of is not in LiteLLM's table" in out


def test_a_model_is_told_before_it_goes() -> None:
    tree = {"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/gpt-4o"}}]}
    (one,) = deployments_of(Config.load(tree, {}), {}).ready
    assert takes_schema(one) is True
    assert retirement(one, datetime.date(2020, 1, 1), model_table()) is None


def successor(monkeypatch: pytest.MonkeyPatch, **table: dict[str, str]) -> str:
    """Whom the table names in place of the retired model ``a``."""
    import litellm

    monkeypatch.setattr(litellm, "model_cost", table)
    tree = {"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/a"}}]}
    (one,) = deployments_of(Config.load(tree, {}), {}).ready
    found = retirement(one, datetime.date(2026, 11, 25), model_table())
    assert found is not None
    return found.successor


def test_a_successor_is_the_first_down_the_chain_that_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = {"deprecation_date": "2026-12-01"}
    last = {"deprecation_date": "2030-01-01"}
    a, b = {**gone, "successor_model": "b"}, {**gone, "successor_model": "c"}
    assert successor(monkeypatch, a=a, b=b, c=last) == "openai/c"
    assert successor(monkeypatch, a=a, b={}) == "openai/b"
    assert (
        successor(monkeypatch, a={**gone, "successor_model": "openai/b"}, **{"openai/b": {}})
        == "openai/b"
    )
    assert successor(monkeypatch, a=a, b={**gone, "successor_model": "a"}) == ""  # a circle
    assert successor(monkeypatch, a=a, b=gone) == ""
    assert successor(monkeypatch, a=a) == ""  # a name that the table does not have
    assert successor(monkeypatch, a=gone) == ""


def test_directories_that_others_can_read_and_a_clock_in_the_past_are_named(
    own_home: Path, capsys: Output
) -> None:
    ledger = own_home / "cache" / "ledger"
    ledger.mkdir(parents=True, mode=0o755)
    ledger.chmod(0o755)
    assert main(["doctor"]) == 0
    assert f"chmod 700 {ledger}" in capsys.readouterr().out
    assert clock(datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)).is_bad
    assert not clock(datetime.datetime.now(datetime.UTC)).is_bad


def test_directories_that_cannot_be_made_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    for what in ("cache", "ledger"):
        assert re.search(rf"{what}: .*file/cache.* cannot be written \(Not a directory\)", out)


def test_a_cache_behind_a_server_that_is_not_there_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    pytest.importorskip("redis")
    path = tmp_path / "c.yaml"
    configured(path, monkeypatch, {"model": "openai/m", "api_key": "none"})
    given = yaml.safe_load(path.read_text())
    cache = {"url": "redis://:hunter2-canary@127.0.0.1:1/0"}
    path.write_text(yaml.safe_dump({**given, "orchestrator": {"cache": cache}}))
    assert main(["doctor"]) == 1
    assert main(["cache", "clear"]) == 0
    out, err = capsys.readouterr()
    assert "bad   cache: Redis cannot be reached (ConnectionError)" in out
    assert "cannot be written (ConnectionError)" in caplog.text
    assert "canary" not in out + err + caplog.text


@pytest.mark.parametrize(
    "stated",
    [
        {"redis_host": "127.0.0.1", "redis_port": 1, "redis_password": "a@canary/"},
        {"redis_url": "os.environ/LIMITS"},
        {"redis_url": "http://canary"},
    ],
)
def test_limits_that_are_shared_nowhere_are_said(
    stated: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("LIMITS", "redis://:canary@127.0.0.1:1/0")
    path = tmp_path / "c.yaml"
    configured(path, monkeypatch, {"model": "openai/m", "api_key": "none"})
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "router_settings": stated}))
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert "bad   shared limits: Redis cannot be reached (" in out
    assert "canary" not in out + err


def test_a_probe_says_what_each_deployment_does_with_a_schema(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    wire.plan("good", '{"word": "quenfip"}')
    wire.plan("prose", "Yes, it is.")
    wire.plan("refuses", Reply('{"ok": true}', only_without="response_format"))
    wire.plan("down", Reply(status=401))
    configured(
        tmp_path / "c.yaml", monkeypatch,
        *({"model": f"openai/{name}", "api_base": wire.base, "api_key": "k"}
          for name in ("good", "prose", "refuses", "down")),
    )  # fmt: skip
    for _ in range(2):  # again: a server that answered yesterday may be down
        assert main(["doctor", "--probe"]) == 1
        out, err = capsys.readouterr()
        assert "at most 32 calls, 66,624 tokens, 0.0000 USD" in err
        assert "ok    m0-0: openai/good answers: streaming, stream usage, response schema" in out
        assert "openai/prose answers: streaming, stream usage, no response schema" in out
        assert "openai/refuses answers: streaming, stream usage, no response schema" in out
        assert "bad   m3-3: openai/down does not answer: AuthenticationError" in out
    assert main(["models", "show", "m1"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["response_schema", "no", "probe"] in [line[:3] for line in lines]
    assert main(["models", "--modes"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    modes = {line[0]: line[2] for line in lines if len(line) > 3}
    assert (modes["m0-0"], modes["m1-1"], modes["m2-2"]) == (
        "json_schema", "tool_call", "tool_call"
    )  # fmt: skip
    assert main(["models", "--modes", "--json"]) == 0
    assert "took it and ignored it" in capsys.readouterr().out
    assert main(["models", "--forget-modes"]) == 0
    assert "forgot the output modes of 2 deployments" in capsys.readouterr().out
