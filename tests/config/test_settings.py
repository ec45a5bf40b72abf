"""Configuration: LiteLLM's own keys unchanged, ours checked, secrets never shown."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from orchestrator.config.paths import shipped
from orchestrator.config.settings import (
    Config,
    cache_directory,
    default_path,
    ledger_directory,
    output_modes,
)
from orchestrator.models.deployments import deployments_of
from orchestrator.routing.complete import RouterCompleter
from orchestrator.types.errors import ConfigError
from tests.support.wire import WireServer

KEY = "sk-canary-0815"
ROOT = Path(__file__).resolve().parents[2]


def test_the_shipped_configuration_loads_and_falls_back_to_the_embedded_provider() -> None:
    found = deployments_of(Config.load(None, {}), {})
    assert found.groups() == ("offline",)
    assert {d.group for d in found.skipped} >= {"openai", "anthropic", "gemini", "ollama"}
    assert found.routes["default"] == ("offline",)


def test_a_key_in_the_environment_brings_its_provider_and_retires_the_embedded_one() -> None:
    environ = {"OPENAI_API_KEY": KEY}
    found = deployments_of(Config.load(None, environ), environ)
    assert found.groups() == ("openai", "openai-strong")
    assert found.routes["strong"] == ("openai-strong",)
    assert KEY not in repr(found)
    assert ("offline", "openai can be called; LLM_PROVIDER=offline chooses this one") in {
        (d.group, d.reason) for d in found.skipped
    }


def test_local_servers_are_used_when_they_answer_and_no_key_is_set(wire: WireServer) -> None:
    for base, groups in ((wire.root, ("ollama",)), ("http://127.0.0.1:1", ("offline",))):
        config = {
            "model_list": [
                {"model_name": "ollama",
                 "litellm_params": {"model": "ollama_chat/x", "api_base": base}},
                {"model_name": "offline", "litellm_params": {"model": "offline/library"}},
            ]
        }  # fmt: skip
        assert deployments_of(Config.load(config, {}), {}).groups() == groups


def test_a_provider_can_be_forced_by_the_environment() -> None:
    environ = {"OPENAI_API_KEY": KEY, "LLM_PROVIDER": "mock"}
    assert deployments_of(Config.load(None, environ), environ).groups() == ("offline",)
    environ["LLM_PROVIDER"] = "acme"
    with pytest.raises(ConfigError, match="Use one of auto, openai"):
        deployments_of(Config.load(None, environ), environ)
    environ["LLM_PROVIDER"] = "anthropic"
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY is not set") as caught:
        deployments_of(Config.load(None, environ), environ)
    assert "openai" not in str(caught.value)  # what was not asked for does not matter


def test_local_only_blocks_every_cloud_deployment() -> None:
    tree = {
        "model_list": [
            {"model_name": "cloud", "litellm_params": {"model": "openai/x", "api_key": KEY}},
            {"model_name": "away",
             "litellm_params": {"model": "ollama_chat/x", "api_base": "http://10.1.2.3:1"}},
            {"model_name": "offline", "litellm_params": {"model": "offline/library"}},
        ],
        "orchestrator": {"privacy": "local_only"},
    }  # fmt: skip
    found = deployments_of(Config.load(tree, {}), {})
    assert found.groups() == ("offline",)
    assert {d.reason for d in found.skipped} == {"privacy is local_only"}


def test_environment_references_are_resolved_deep_inside() -> None:
    tree = {
        "model_list": [
            {"model_name": "m",
             "litellm_params": {"model": "openai/m", "extra_headers": {"X": ["os.environ/TOKEN"]}}}
        ]
    }  # fmt: skip
    (ready,) = deployments_of(Config.load(tree, {}), {"TOKEN": "t"}).ready
    assert ready.params.value["extra_headers"] == {"X": ["t"]}
    with pytest.raises(ConfigError, match="TOKEN is not set"):
        deployments_of(Config.load(tree, {}), {})


def test_fingerprints_differ_by_deployment_and_never_by_key() -> None:
    def fingerprint(model: str, key: str) -> str:
        params = {"model": model, "api_key": key}
        tree = {"model_list": [{"model_name": "m", "litellm_params": params}]}
        return deployments_of(Config.load(tree, {}), {}).fingerprint("default")

    assert fingerprint("openai/a", "k1") == fingerprint("openai/a", "k2")
    assert fingerprint("openai/a", "k1") != fingerprint("openai/b", "k1")


def test_a_proxy_config_loads_unchanged_and_names_what_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: k, rpm: 9}}]\n"
        "litellm_settings: {drop_params: true}\nguardrails: []\nmcp_servers: {}\n"
    )
    config = Config.load(path, {})
    assert config.unused == ("guardrails", "mcp_servers")
    assert config.source == str(path)
    assert Config.load(config, {}) is config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("orchestrator: {cahce: {}}", "Did you mean 'cache'"),
        ("orchestrator: {generation: {max_cals: 3}}", "Did you mean 'max_calls'"),
        ("orchestrator: {generation: {max_calls: 0}}", "greater than or equal to 1"),
        (
            "orchestrator: {cache: {mode: sometimes}}",
            "'use', 'refresh', 'off', 'replay' or 'record'",
        ),
        ("orchestrator: {zzz: 1}", "Known: provider, privacy"),
        ("a: [1", "not YAML at line"),
        ("- a list", "holds a list"),
        ("model_list: [{litellm_params: {api_key: sk-canary-0815}}]", "model_name"),
    ],
)
def test_a_wrong_key_is_named_with_its_file_and_the_nearest_good_one(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Config.load(path, {})
    assert words in str(caught.value)
    assert "config.yaml" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_route_to_nowhere_and_an_empty_list_are_errors() -> None:
    tree = {"orchestrator": {"routes": {"default": ["gone"]}}}
    with pytest.raises(ConfigError, match="model_list is empty"):
        deployments_of(Config.load(tree, {}), {})
    offline = [{"model_name": "offline", "litellm_params": {"model": "offline/library"}}]
    with pytest.raises(ConfigError, match="'gone' is not a model_name"):
        deployments_of(Config.load({**tree, "model_list": offline}, {}), {})


def test_places_come_from_the_setting_then_the_environment_then_the_user(
    own_home: Path, tmp_path: Path
) -> None:
    assert default_path({}) == shipped("config.yaml")
    assert default_path({"ORCHESTRATOR_CONFIG": "/x.yaml"}) == Path("/x.yaml")
    own = own_home / ".config" / "orchestrator" / "config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("{}")
    assert default_path({}) == own
    settings = Config.load({}, {}).orchestrator
    assert cache_directory(settings.cache, {}) == own_home / ".cache" / "orchestrator"
    assert cache_directory(settings.cache, {"ORCHESTRATOR_CACHE_DIR": "/c"}) == Path("/c")
    assert ledger_directory(settings.ledger, {}) == own_home / ".local/state/orchestrator/ledger"
    ours = {"cache": {"directory": "/d"}, "ledger": {"directory": "/l"}}
    named = Config.load({"orchestrator": ours}, {}).orchestrator
    assert cache_directory(named.cache, {"ORCHESTRATOR_CACHE_DIR": "/c"}) == Path("/d")
    assert ledger_directory(named.ledger, {}) == Path("/l")
    off = Config.load({"orchestrator": {"ledger": {"enabled": False}}}, {}).orchestrator
    assert ledger_directory(off.ledger, {}) is None
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(tmp_path / "missing.yaml", {})


def test_output_modes_are_tried_from_strict_to_free() -> None:
    assert output_modes("auto") == ("json_schema", "tool_call", "json_object", "prompt")
    assert output_modes("json_object") == ("json_object",)


def test_loading_a_configuration_does_not_bring_litellm() -> None:
    code = (
        "import sys; from orchestrator.config.settings import Config;"
        " from orchestrator.gmn.validate import validate;"
        " Config.load(None, {}); print('litellm' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ},
    )  # fmt: skip
    assert ran.stdout.strip() == "False"


def test_the_exported_schema_is_that_of_the_code_and_accepts_the_shipped_file() -> None:
    exported = json.loads(shipped("schemas", "config.schema.json").read_text())
    assert exported == Config.model_json_schema()
    jsonschema.validate(yaml.safe_load(shipped("config.yaml").read_text()), exported)


def test_includes_extend_lists_and_override_the_rest_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_text(
        "include: [parts/a.yaml, parts/b.yaml]\n"
        "model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: k}}]\n"
        "router_settings: {num_retries: 0}\n"
    )
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.yaml").write_text(
        "include: [b.yaml]\n"
        "model_list: [{model_name: a, litellm_params: {model: openai/a, api_key: k}}]\n"
        "router_settings: {num_retries: 2}\n"
    )
    (tmp_path / "parts" / "b.yaml").write_text(
        "include: [../main.yaml]\n"
        "model_list: [{model_name: b, litellm_params: {model: openai/b, api_key: k}}]\n"
    )
    config = Config.load(tmp_path / "main.yaml", {})
    assert [one.model_name for one in config.model_list] == ["m", "a", "b"]
    assert config.router_settings == {"num_retries": 2}
    (tmp_path / "main.yaml").write_text("include: missing.yaml")
    with pytest.raises(ConfigError, match="not a list of file names"):
        Config.load(tmp_path / "main.yaml", {})


def test_what_is_not_used_is_named_in_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "guardrails: []\ngeneral_settings: {master_key: os.environ/K}\n"
        "litellm_settings: {num_retries: 1, callbacks: [langfuse]}\nsearch_tools: []\n"
    )
    Config.load(path, {})
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{path}: not used here: general_settings.master_key, guardrails,"
        " litellm_settings.callbacks"
    )


def test_a_wrong_key_is_found_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model_list: []\norchestrator:\n  cache:\n    mode: use\n    modus: off\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:5: orchestrator\.cache\.modus"):
        Config.load(path, {})


def test_the_older_shape_is_a_model_list() -> None:
    older = {
        "provider": "auto",
        "openai": {"model": "gpt-4o-mini", "temperature": 0.2, "max_retries": 2},
        "anthropic": {"model": "anthropic/claude-x", "api_key": KEY},
        "ollama": {"model": "llama3.1", "base_url": "http://localhost:1", "num_gpu": -1,
                   "num_ctx": 8192},
    }  # fmt: skip
    environ = {"OPENAI_API_KEY": KEY}
    found = deployments_of(Config.load(older, environ), environ)
    assert found.groups() == ("openai", "anthropic")
    openai = found.of_group("openai")[0].params.value
    assert openai == {"model": "openai/gpt-4o-mini", "api_key": KEY, "temperature": 0.2,
                      "num_retries": 2}  # fmt: skip
    ollama = Config.load(older, {}).model_list[2].litellm_params
    assert ollama == {"model": "ollama_chat/llama3.1", "api_base": "http://localhost:1",
                      "num_gpu": -1, "num_ctx": 8192}  # fmt: skip
    assert deployments_of(Config.load({"mock": {}, "openai": {}}, {}), {}).groups() == ("offline",)
    with pytest.raises(ConfigError, match="acme: is not a section of provider settings"):
        Config.load({"openai": {}, "acme": {}}, {})


def test_the_default_model_can_be_named_in_the_environment() -> None:
    environ = {"OPENAI_API_KEY": KEY, "GEMINI_API_KEY": KEY}

    def default(named: str) -> tuple[str, ...]:
        named_environ = {**environ, "DEFAULT_LLM_MODEL": named}
        found = deployments_of(Config.load(None, named_environ), named_environ)
        return found.routes["default"]

    assert default("gemini") == ("gemini", "openai")
    assert default("gemini/gemini-3.5-flash") == ("gemini", "openai")
    assert default("gpt-5.5")[0] == "openai-strong"
    assert default("openai/gpt-brand-new") == ("openai/gpt-brand-new", "openai", "gemini")
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY is not set"):
        default("anthropic/claude-haiku-5-5")
    with pytest.raises(ConfigError, match="or write provider/model"):
        default("brand-new")


def test_routes_are_no_longer_than_the_limit_allows() -> None:
    names = ("OPENAI", "ANTHROPIC", "GEMINI", "OPENROUTER", "GROQ", "MISTRAL")
    environ = {f"{name}_API_KEY": KEY for name in names}
    found = deployments_of(Config.load(None, environ), environ)
    assert found.routes["default"] == ("openai", "anthropic", "gemini", "openrouter")
    RouterCompleter(Config.load(None, environ), environ=environ)


def test_retries_that_multiply_beyond_the_limit_are_refused() -> None:
    groups = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": KEY}}
        for name in "abcdef"
    ]
    chain = [{a: [b]} for a, b in itertools.pairwise("abcdef")]
    tree = {
        "model_list": groups,
        "router_settings": {"num_retries": 3, "fallbacks": chain},
        "orchestrator": {"limits": {"wire_attempts": 64}},
    }
    with pytest.raises(ConfigError, match=r"96 requests on the wire \(4 calls over a, b, c, d, e"):
        RouterCompleter(Config.load(tree, {}), environ={})


def test_no_representation_of_a_configuration_holds_a_key() -> None:
    params = {"model": "openai/m", "api_key": "sk-CANARY"}
    config = Config.load({"model_list": [{"model_name": "m", "litellm_params": params}]}, {})
    for shown in (repr(config), str(config), f"{config.model_list}"):
        assert "CANARY" not in shown
        assert "m" in shown


def test_a_plain_off_is_the_mode_off_which_yaml_reads_as_false(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("orchestrator: {search: {mode: off, max_results: 3}}\n")
    assert Config.load(path, {}).orchestrator.search.mode == "off"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mode": "sometimes"}, "'off', 'always', 'auto' or 'tool'"),
        ({"engines": []}, "at least 1 item"),
        ({"max_result": 3}, "Did you mean 'max_results'?"),
        ({"region": "English"}, "pattern"),
        ({"timeout_s": 0}, "greater than 0"),
    ],
)
def test_a_wrong_setting_of_the_search_is_named(given: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=r"orchestrator\.search") as caught:
        Config.load({"orchestrator": {"search": given}}, {})
    assert words in str(caught.value)
