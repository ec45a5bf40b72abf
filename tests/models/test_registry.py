"""A registry knows providers and models by name, and never shows a key."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import pickle
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from orchestrator import (
    ConfigError,
    LLMCapabilities,
    LLMRegistry,
    LLMState,
    ModelFamily,
    NoDeploymentError,
    Orchestrator,
    Provider,
    create_llm_interface,
)
from orchestrator.config.paths import shipped
from orchestrator.models.credentials import FileCredentials, KeyringCredentials
from orchestrator.models.deployments import deployments_of
from orchestrator.models.lifecycle import LLMRuntimeConfig, json_schema
from orchestrator.models.profiles import ProviderState, family_of
from orchestrator.types.errors import AuthenticationError, MissingExtraError
from tests.support.wire import SECRET, Reply, WireServer


def entry(group: str, model: str, key: str = "os.environ/MY_KEY", **info: Any) -> dict[str, Any]:
    return {
        "model_name": group,
        "litellm_params": {"model": model, "api_key": key},
        "model_info": info,
    }


def registry(*more: dict[str, Any], environ: dict[str, str] | None = None) -> LLMRegistry:
    """One model of OpenAI, what is given, and the embedded provider."""
    offline = {"model_name": "offline", "litellm_params": {"model": "offline/library"}}
    tree: dict[str, object] = {"model_list": [entry("mini", "openai/gpt-5.4-mini"), *more, offline]}
    return LLMRegistry.from_config(tree, environ=environ or {})


def test_a_provider_comes_up_when_its_credential_appears() -> None:
    environ: dict[str, str] = {}
    known = LLMRegistry.from_config({"model_list": [entry("a", "openai/a")]}, environ=environ)
    assert known.provider_state("openai") is ProviderState.REGISTERED
    with pytest.raises(NoDeploymentError, match="MY_KEY is not set"):
        known.require_initialized("openai")
    assert known.lifecycle("a").initialized_at is None
    environ["MY_KEY"] = SECRET
    assert known.is_provider_initialized("openai")
    known.require_initialized("openai")
    assert known.lifecycle("a").initialized_at is not None
    assert not known.is_provider_initialized("nobody")
    with pytest.raises(ConfigError, match=r"'nobody' is not registered.*register_provider"):
        known.provider_state("nobody")


@pytest.mark.parametrize("key", ["", "  ", "a\nb", SecretStr(""), lambda: "", 7])
def test_a_key_that_is_not_one_leaves_the_provider_failed(key: Any) -> None:
    known = registry()
    with pytest.raises(ConfigError, match="the key of openai"):
        known.initialize_provider("openai", key)
    assert known.provider_state("openai") is ProviderState.FAILED
    with pytest.raises(NoDeploymentError, match="not initialized: the key of openai"):
        known.require_initialized("openai")
    assert known.initialize_provider("openai", SECRET) is ProviderState.INITIALIZED


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (f"{SECRET}\r", "MY_KEY is not the text of a key"),
        (f" {SECRET}", "MY_KEY is not the text of a key"),
        (f"{SECRET}\n{SECRET}", "MY_KEY is not the text of a key"),
        (f"“{SECRET}”", "MY_KEY is not the text of a key"),
        ("  ", "MY_KEY is not set"),
    ],
)
def test_a_key_of_the_environment_is_held_to_what_a_key_is(key: str, words: str) -> None:
    known = registry(environ={"MY_KEY": key})
    assert not known.is_provider_initialized("openai")
    with pytest.raises(ConfigError, match=words):
        known.initialize_provider("openai")
    with pytest.raises(NoDeploymentError, match=words) as caught:
        known.require_initialized("openai")
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError, match="not the text of a key"):
        known.initialize_provider("openai", key)
    (skipped,) = [
        one
        for one in deployments_of(known.config, {"MY_KEY": key}).skipped
        if one.model.startswith("openai/")
    ]
    assert skipped.reason == words


def test_a_key_is_shown_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    known = registry(entry("plain", "groq/x"))
    known.initialize_provider("openai", SECRET)
    known.initialize_provider("groq", SecretStr(SECRET))
    known.save(tmp_path / "c.yaml")
    state = known.state("mini", LLMRuntimeConfig(api_key=SecretStr(SECRET)))
    shown = [
        repr(known), repr(known.config), known.config.model_dump_json(), repr(state), str(state),
        state.model_dump_json(), repr(known.lifecycle("mini")), (tmp_path / "c.yaml").read_text(),
        caplog.text, repr(known.get_model("mini")),
    ]  # fmt: skip
    assert SECRET not in "".join(shown)
    assert known.environ()["MY_KEY"] == SECRET
    assert (tmp_path / "c.yaml").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "params",
    [
        {"api_key": SECRET},
        {"api_base": f"https://me:{SECRET}@host.test/v1"},
        {"extra_headers": {"Authorization": f"Bearer {SECRET}"}},
    ],
)
def test_a_configuration_that_holds_a_key_is_not_written(
    tmp_path: Path, params: dict[str, Any]
) -> None:
    one = {"model_name": "a", "litellm_params": {"model": "openai/a", **params}}
    known = LLMRegistry.from_config({"model_list": [one]})
    with pytest.raises(ConfigError, match="holds a key") as caught:
        known.save(tmp_path / "c.yaml")
    assert SECRET not in str(caught.value)
    assert not (tmp_path / "c.yaml").exists()
    with pytest.raises(ConfigError, match="holds a key") as caught:
        registry().register_model("openai", "b", **params)
    assert SECRET not in str(caught.value)


def test_what_was_registered_is_saved_and_read_again(tmp_path: Path) -> None:
    known = registry(entry("old", "openai/gpt-4o", deprecation_date="2020-01-01"))
    known.register_provider(
        Provider(name="deepseek", api_base="https://x.test", api_key_variable="DS")
    )
    known.register_model(
        "deepseek", "deepseek-chat", name="ds",
        capabilities=LLMCapabilities(vision=False, max_context_window=9), temperature=0.5,
    )  # fmt: skip
    assert known.get_model("ds").capabilities.max_context_window == 9
    known.save(tmp_path / "c.yaml")
    again = LLMRegistry.from_config(tmp_path / "c.yaml", environ={"DS": "k"})
    assert again.config.model_dump() == known.config.model_dump()
    assert again.get_model("ds") == known.get_model("ds")
    assert again.is_provider_initialized("deepseek")
    assert not again.is_provider_initialized("openai")
    (tmp_path / "c.yaml").write_text("model_list: 7")
    with pytest.raises(ConfigError):
        again.reload()
    assert again.get_model("ds").model == "deepseek/deepseek-chat"
    known.save(tmp_path / "d.yaml")
    again.reload(tmp_path / "d.yaml")
    assert [one.name for one in again.models()] == [one.name for one in known.models()]


def test_a_provider_alone_never_answers_for_nobody() -> None:
    known = LLMRegistry.from_config({"model_list": []}, environ={"DEEPSEEK_API_KEY": "k"})
    known.register_provider("deepseek")
    assert known.is_provider_initialized("deepseek")
    known.register_model("deepseek", "deepseek-chat")
    with Orchestrator(known.config, environ=known.environ()) as orc:
        assert orc.sync.models().routes["default"] == ("deepseek/deepseek-chat",)
    with pytest.raises(ConfigError, match="is registered with other settings"):
        known.register_provider(Provider(name="deepseek", api_base="https://other.test"))
    assert known.register_provider("deepseek") == ("deepseek",)  # the same once more
    with pytest.raises(ConfigError, match="is the name of another model"):
        known.register_model("deepseek", "other", name="deepseek/deepseek-chat")


def test_models_are_found_by_what_is_known_of_them() -> None:
    known = registry(
        entry("strong", "openai/gpt-5.5"),
        entry("claude", "anthropic/claude-haiku-5-5"),
        entry("unheard", "openai/unheard"),
        entry("gone", "openai/x", deprecation_date="2020-01-01", supports_vision=True),
    )
    names = [one.name for one in known.find(vision=True, min_context=100_000, order_by="cost")]
    assert names == ["claude", "mini", "strong"]
    assert [one.name for one in known.find(vision=True, deprecated=True)] == ["gone"]
    assert "gone" in [one.name for one in known.find(vision=True, deprecated=None)]
    assert [one.name for one in known.find(family=ModelFamily.CLAUDE)] == ["claude"]
    assert [one.name for one in known.find(local=True)] == ["offline"]
    assert [one.name for one in known.find(provider="openai", max_cost=10)] == ["mini"]
    assert known.find(order_by="context")[0].name == "strong"
    assert known.find(order_by="cost")[-1].name == "unheard"
    assert known.find(web_search=False) == []  # unknown is not a no either
    assert known.cheapest(vision=True).name == "claude"
    assert len(known.find(vision=True, response_schema=True, everywhere=True)) > 500
    with pytest.raises(NoDeploymentError, match="known price"):
        known.cheapest(provider="openai", min_context=10**9)
    with pytest.raises(ConfigError, match="Did you mean 'vision'"):
        known.find(visoin=True)
    with pytest.raises(ConfigError, match="is true or false"):
        known.find(vision="yes")
    with pytest.raises(ConfigError, match="order_by"):
        known.find(order_by="price")
    with pytest.raises(ConfigError, match="Did you mean 'strong'"):
        known.get_model("stronk")


def test_a_kind_is_a_mode_that_some_model_has() -> None:
    known = registry(entry("own", "openai/x", mode="oracle"))
    assert [one.name for one in known.find(kind="oracle")] == ["own"]
    assert known.find(kind="embedding") == []
    assert known.find(kind="embedding", everywhere=True)
    for everywhere in (False, True):
        with pytest.raises(ConfigError, match=r"'embeding' is not a mode.*mean 'embedding'"):
            known.find(kind="embeding", everywhere=everywhere)
    bare = LLMRegistry.from_config({"model_list": []}, auto_update_capabilities=False)
    assert bare.find(kind="rerank") == []


def test_a_registry_that_was_made_of_a_mapping_has_no_file_to_read_again() -> None:
    with pytest.raises(ConfigError, match=r"path: .* no file.*reload\(path\)"):
        registry().reload()
    made = LLMRegistry(registry().config.model_copy(update={"source": ""}))
    with pytest.raises(ConfigError, match=r"path: .* no file"):
        made.reload()


def test_two_names_for_one_provider_must_agree() -> None:
    known = registry(entry("other", "groq/x", key="os.environ/OTHER_KEY"))
    with pytest.raises(ConfigError, match=r"provider_name: 'groq' .* 'openai'"):
        known.initialize_provider("openai", SECRET, provider_name="groq")
    assert known.environ() == {}
    known.initialize_provider("openai", SECRET, provider_name="openai")


async def test_what_has_another_type_is_refused_at_the_door(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"credential_manager is a PosixPath.*get\(name\)"):
        LLMRegistry.create_default(credential_manager=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="llm_registry is a NoneType, not an LLMRegistry"):
        await create_llm_interface("offline", None)  # type: ignore[arg-type]


def test_automatic_updates_can_be_switched_off() -> None:
    tree: dict[str, object] = {
        "model_list": [entry("m", "openai/gpt-5.4-mini", supports_reasoning=True)]
    }
    off = LLMRegistry.from_config(tree, auto_update_capabilities=False).get_model("m")
    assert off.capabilities == LLMCapabilities(reasoning=True)
    assert off.cost is None
    assert LLMRegistry.from_config(tree).get_model("m").capabilities.vision is True


OLDER = """
providers:
  openai:
    api_base: https://api.openai.com/v1
    api_key_env: OPENAI_API_KEY
    rate_limits: {requests_per_minute: 60, tokens_per_minute: 1000}
    models:
      gpt-5.4-mini: {capabilities: {max_context_window: 8000}}
  ollama:
    api_base: http://localhost:11434
    models: [llama3.1, {name: other, capabilities: {vision: true}}]
"""


def test_the_older_provider_file_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "provider.yaml"
    path.write_text(OLDER)
    known = LLMRegistry.from_config({"model_list": []}, environ={"OPENAI_API_KEY": "k"})
    assert known.import_providers(path) == ("openai", "ollama_chat")
    assert known.get_model("openai/gpt-5.4-mini").capabilities.max_context_window == 8000
    assert known.get_model("ollama_chat/other").is_local
    params = known.config.model_list[1].litellm_params
    assert (params["rpm"], params["tpm"]) == (60, 1000)
    assert known.is_provider_initialized("ollama")
    with Orchestrator(known.config, environ=known.environ()) as orc:
        assert orc.sync.models().of_group("openai/gpt-5.4-mini")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: openai\nmodles: {}", "modles"),
        ("name: openai\napi_key: sk-canary-4711-do-not-show", "api_key_env"),
        ("api_base: http://x.test", "name"),
        ("name: openai\nmodels: 7", "a mapping is expected"),
        ("name: openai\nmodels: [{}]", "a model has no name"),
        ("name: openai\nmodels: {a: {capabilities: {max_context_window: -1}}}", "greater"),
        ("name: openai\nrate_limits: {requests: 3}", "requests"),
        ("- 1", "a mapping is expected"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_provider_file_that_is_wrong_says_where(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "provider.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        LLMRegistry.from_config({"model_list": []}).import_providers(path)
    assert SECRET not in str(caught.value)


def test_keys_come_from_a_manager_and_rotate(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text('export MY_KEY="first"\nOTHER=x\n')
    path.chmod(0o600)
    known = LLMRegistry.from_config(
        {"model_list": [entry("a", "openai/a")]}, environ={},
        credential_manager=FileCredentials(path),
    )  # fmt: skip
    assert known.environ()["MY_KEY"] == "first"
    path.write_text("MY_KEY=second")
    assert known.environ()["MY_KEY"] == "second"
    assert known.is_provider_initialized("openai")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"open to others \(644\)"):
        known.environ()
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        known.environ()
    rotating = iter(["one", "two", "three", "four", "five", "six", "seven", "eight"])
    known.initialize_provider("openai", lambda: next(rotating))
    assert known.environ()["MY_KEY"] != known.environ()["MY_KEY"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"# keys\n\nMY_KEY {SECRET}\n", "line 3 is not NAME=key"),
        (f"MY_KEY: {SECRET}", "line 1 is not NAME=key"),
        (f"{SECRET}\nMY_KEY=x", "line 1 is not NAME=key"),
        (f"MY_KEY={SECRET}\nexport MY_KEY=other\n", "MY_KEY is there twice, at line 1 and 2"),
    ],
)
def test_a_file_of_keys_that_is_not_one_says_where(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=words) as caught:
        FileCredentials(path).get("MY_KEY")
    assert SECRET not in str(caught.value)


def test_a_file_of_keys_may_come_from_another_editor(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"\xef\xbb\xbfexport  MY_KEY = 'one'\r\n  # a note\r\n\r\nEMPTY=\r\n")
    path.chmod(0o600)
    found = FileCredentials(path).get("MY_KEY")
    assert found is not None
    assert found.get_secret_value() == "one"
    assert FileCredentials(path).get("EMPTY") is None


def test_the_keyring_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MissingExtraError, match="keyring"):
        KeyringCredentials()
    kept = {("orchestrator", "MY_KEY"): SECRET}
    fake = types.SimpleNamespace(get_password=lambda service, name: kept.get((service, name)))
    monkeypatch.setitem(sys.modules, "keyring", fake)
    found = KeyringCredentials().get("MY_KEY")
    assert found is not None
    assert found.get_secret_value() == SECRET
    assert KeyringCredentials().get("ELSE") is None


def test_a_backend_of_the_keyring_is_asked(tmp_path: Path) -> None:
    keyring = pytest.importorskip("keyring")
    fail = pytest.importorskip("keyring.backends.fail")
    backend = pytest.importorskip("keyring.backend").KeyringBackend

    class InAFile(backend):  # type: ignore[misc,valid-type]  # known where the extra is installed
        """A backend without a session or a desktop: one file."""

        priority = 1
        path = tmp_path / "keys.json"

        def _kept(self) -> dict[str, str]:
            return json.loads(self.path.read_text()) if self.path.exists() else {}

        def get_password(self, service: str, username: str) -> str | None:
            return self._kept().get(f"{service} {username}")

        def set_password(self, service: str, username: str, password: str) -> None:
            self.path.write_text(json.dumps({**self._kept(), f"{service} {username}": password}))

    before = keyring.get_keyring()
    try:
        keyring.set_keyring(InAFile())
        keyring.set_password("orchestrator", "MY_KEY", "first")
        known = LLMRegistry.from_config(
            {"model_list": [entry("a", "openai/a"), entry("b", "groq/b", "os.environ/OTHER")]},
            environ={}, credential_manager=KeyringCredentials(),
        )  # fmt: skip
        assert known.is_provider_initialized("openai")
        assert not known.is_provider_initialized("groq")
        assert known.environ()["MY_KEY"] == "first"
        keyring.set_password("orchestrator", "MY_KEY", "second")
        assert known.environ()["MY_KEY"] == "second"
        keyring.set_keyring(fail.Keyring())
        with pytest.raises(ConfigError, match="MY_KEY: could not be had: NoKeyringError"):
            known.environ()
    finally:
        keyring.set_keyring(before)


async def _slow(provider: str, model: str, api_key: str) -> dict[str, Any]:
    assert (provider, model, api_key) == ("openai", "brand-new", SECRET)
    return {"vision": True, "max_context_window": 5}


def _quick(*given: str) -> dict[str, Any]:
    return {"vision": False, "reasoning": True}


def _broken(*given: str) -> dict[str, Any]:
    raise RuntimeError(given[2])


def test_detectors_of_other_packages_say_what_a_model_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from orchestrator.models import detectors

    def points(*named: tuple[str, str]) -> None:
        made = [
            type("Point", (), {"name": n, "value": v, "load": lambda self, v=v: globals()[v]})()
            for n, v in named
        ]
        monkeypatch.setattr(detectors, "entry_points", lambda group: made)

    assert EntryPoint("a", "b", detectors.GROUP).group == "orchestrator.capability_detectors"
    points(("openai", "_slow"), ("*", "_quick"), ("groq", "_broken"))
    known = registry()
    made = asyncio.run(known.detect_and_register_model("openai", "brand-new", SECRET))
    assert made.capabilities == LLMCapabilities(vision=True, max_context_window=5, reasoning=True)
    points(("openai", "_broken"))
    with pytest.raises(ConfigError, match="failed with RuntimeError") as caught:
        asyncio.run(known.detect_and_register_model("openai", "brand-new"))
    assert SECRET not in str(caught.value)


def test_a_model_by_its_bare_name_is_an_error_that_says_what_to_write() -> None:
    known = LLMRegistry.from_config({"model_list": []}, environ={"OPENAI_API_KEY": SECRET})
    made = asyncio.run(known.detect_and_register_model("openai", "gpt-4o-mini"))
    assert known.get_model("openai/gpt-4o-mini") == made
    with pytest.raises(ConfigError, match="Did you mean 'openai/gpt-4o-mini'\\?"):
        known.get_model("gpt-4o-mini")
    known.register_model("openai", "gpt-4o-mini", name="cheap")
    with pytest.raises(ConfigError, match="Did you mean 'openai/gpt-4o-mini' or 'cheap'\\?"):
        known.get_model("gpt-4o-mini")


async def test_an_interface_asks_its_model_with_the_keys_of_now(wire: WireServer) -> None:
    wire.plan("one", "first answer", "second answer", "third")
    known = LLMRegistry.from_config({"model_list": []}, environ={})
    known.register_provider(Provider(name="openai", api_base=wire.base))
    known.register_model("openai", "one")
    with pytest.raises(NoDeploymentError, match="OPENAI_API_KEY is not set"):
        await create_llm_interface("openai/one", known)
    known.initialize_provider("openai", "key-one")
    async with await create_llm_interface("openai/one", known) as interface:
        assert (await interface.generate("hello", cache="off")).text == "first answer"
        known.initialize_provider("openai", "key-two")
        answer = await interface.generate("hello", cache="off", temperature=0.5)
        assert answer.text == "second answer"
    assert [one["temperature"] for one in wire.asked("one") if "temperature" in one] == [0.5]
    assert [one["_authorization"] for one in wire.requests] == ["Bearer key-one", "Bearer key-two"]
    with pytest.raises(ConfigError, match="not the name of a model"):
        await create_llm_interface(7, known)
    with pytest.raises(ConfigError, match="is not registered"):
        await create_llm_interface("nothing", known)


async def test_an_interface_from_the_older_flat_state(wire: WireServer) -> None:
    wire.plan("two", "an answer")
    known = LLMRegistry.from_config({"model_list": []}, environ={})
    known.register_provider(Provider(name="openai", api_base=wire.base))
    flat = {"provider": "openai", "model": "two", "api_key": SECRET, "max_tokens": 77,
            "max_context_tokens": 900}  # fmt: skip
    with pytest.deprecated_call(match="LLMRuntimeConfig"):
        interface = await create_llm_interface(flat, known)
    async with interface:
        assert (await interface.generate("hello")).text == "an answer"
    assert wire.asked("two")[0]["max_tokens"] == 77
    assert interface.state.profile.capabilities.max_context_window == 900
    assert SECRET not in repr(interface.state)


FLAT = {
    "provider": "ollama", "model": "llama3.1", "api_key": None, "max_tokens": 10,
    "temperature": 0.0, "max_context_tokens": 4096, "stream": True,
}  # fmt: skip


class Flat:
    """The older state, as an object."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


@pytest.mark.parametrize("old", [FLAT, Flat(**FLAT, registered_at="then")])
@pytest.mark.filterwarnings("ignore:a flat state:DeprecationWarning")
def test_an_older_state_comes_back_as_it_was(old: Any) -> None:
    state = LLMState.from_legacy(old)
    assert state.to_legacy() == FLAT
    assert state.profile.model == "ollama_chat/llama3.1"
    assert LLMState.model_validate(state.model_dump()) == state
    assert pickle.loads(pickle.dumps(state)) == state
    with pytest.raises(ValueError, match="frozen"):
        state.runtime.stream = False


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": ""}, "model: is missing"),
        ({"provider": None}, "provider: is missing"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_context_tokens": "many"}, "max_context_tokens"),
        ({"temprature": 1}, "Did you mean 'temperature'"),
        ({"api_key": ["sk-canary-4711-do-not-show"]}, "api_key"),
    ],
)
@pytest.mark.filterwarnings("ignore:a flat state:DeprecationWarning")
def test_an_older_state_that_is_wrong_says_where(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        LLMState.from_legacy({**FLAT, **changed})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("openai/gpt-5.5", "gpt"), ("openai/o3-mini", "gpt"), ("groq/openai/gpt-oss-120b", "gpt"),
        ("anthropic/claude-haiku-5-5", "claude"), ("bedrock/anthropic.claude-x", "claude"),
        ("gemini/gemma-3", "gemma"), ("gemini/gemini-3.5-flash", "gemini"),
        ("ollama_chat/codellama", "other"), ("ollama_chat/llama3.1", "llama"),
        ("groq/deepseek-r1-distill-llama-70b", "deepseek"), ("offline/library", "embedded"),
        ("xai/grok-4", "grok"), ("mistral/codestral-latest", "mistral"), ("", "other"),
    ],
)  # fmt: skip
def test_the_family_of_a_model_is_in_its_name(model: str, family: str) -> None:
    assert family_of(model) == family


def test_the_exported_schema_is_that_of_the_code() -> None:
    exported = json.loads(shipped("schemas", "llm.schema.json").read_text())
    assert exported == json_schema()
    assert {"LLMProfile", "LLMCapabilities", "Provider", "LLMState"} <= set(exported["$defs"])


def test_the_life_of_a_model_that_goes() -> None:
    known = registry(
        entry("gone", "openai/x", deprecation_date="2020-01-01", successor="openai/gpt-5.5")
    )
    life = known.lifecycle("gone")
    assert life.is_deprecated
    assert life.recommended_replacement == "openai/gpt-5.5"
    assert life.registered_at.tzinfo is not None
    assert life.last_capability_update is not None
    assert known.get_model("gone").retires_on == datetime.date(2020, 1, 1)


def with_one(wire: WireServer, environ: dict[str, str]) -> LLMRegistry:
    """A registry of one model of the loopback server, which no failure puts to rest."""
    tree: dict[str, object] = {"model_list": [], "router_settings": {"disable_cooldowns": True}}
    known = LLMRegistry.from_config(tree, environ=environ)
    known.register_provider(Provider(name="openai", api_base=wire.base))
    known.register_model("openai", "one")
    return known


async def test_a_key_that_a_call_shows_to_be_refused_leaves_its_provider_failed(
    wire: WireServer,
) -> None:
    """Until it is rotated, or a later call is answered."""
    wire.plan("one", Reply(status=401), Reply("yes"), Reply(status=401), Reply("yes again"))
    environ = {"OPENAI_API_KEY": SECRET}
    known = await asyncio.to_thread(with_one, wire, environ)
    other = LLMRegistry.from_config(known.config, environ=environ)
    async with await create_llm_interface("openai/one", known) as interface:
        with pytest.raises(AuthenticationError):
            await interface.generate("hello", cache="off", num_retries=0)
        assert known.provider_state("openai") is ProviderState.FAILED
        assert other.provider_state("openai") is ProviderState.INITIALIZED
        with pytest.raises(NoDeploymentError, match="its key was refused") as caught:
            await create_llm_interface("openai/one", known)
        assert SECRET not in str(caught.value)
        assert (await interface.generate("hello", cache="off")).text == "yes"
        assert known.provider_state("openai") is ProviderState.INITIALIZED
        with pytest.raises(AuthenticationError):
            await interface.generate("hello", cache="off", num_retries=0)
        assert not known.is_provider_initialized("openai")
        environ["OPENAI_API_KEY"] = "rotated"
        answer = await interface.generate("hello", cache="off")
        assert answer.text == "yes again"
        assert known.is_provider_initialized("openai")
    keys = [one["_authorization"].removeprefix("Bearer ") for one in wire.requests]
    assert keys == [SECRET, SECRET, SECRET, "rotated"]


async def test_a_key_is_rotated_while_a_call_runs(wire: WireServer) -> None:
    wire.plan("one", Reply("slow", delay_s=1), Reply("quick"))
    known = await asyncio.to_thread(with_one, wire, {})
    known.initialize_provider("openai", "key-one")
    async with await create_llm_interface("openai/one", known) as interface:
        running = asyncio.create_task(interface.generate("a", num_retries=0))
        while not wire.requests:
            await asyncio.sleep(0.01)
        known.initialize_provider("openai", "key-two")
        assert (await interface.generate("b", cache="off")).text == "quick"
        assert (await running).text == "slow"
    assert [one["_authorization"] for one in wire.requests] == ["Bearer key-one", "Bearer key-two"]


async def test_a_state_that_says_stream_asks_for_a_stream(wire: WireServer) -> None:
    wire.plan("one", "first of all", "and then")
    known = await asyncio.to_thread(with_one, wire, {"OPENAI_API_KEY": "k"})
    heard: list[str] = []
    async with await create_llm_interface("openai/one", known) as interface:
        await interface.generate("a", on_text=heard.append)
        assert "".join(heard).strip() == "first of all"
        assert len(heard) > 1
        await interface.generate("a", on_text=heard.append)
        assert heard[-1].strip() == "first of all"  # from the cache, in one piece
    state = known.state("openai/one", LLMRuntimeConfig(stream=True))
    async with await create_llm_interface(state, known) as interface:
        assert (await interface.generate("b")).text.strip() == "and then"
    assert [one.get("stream") for one in wire.requests] == [True, True]
