"""What someone with other habits, or worse, puts into the registry and its files."""

from __future__ import annotations

import copy
import datetime
import json
import pickle
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from orchestrator import ConfigError, LLMRegistry, LLMState, Provider
from orchestrator.config.settings import Config
from orchestrator.models.catalogue import Catalogue, read_catalogue
from orchestrator.models.deployment import Deployment, Secret
from orchestrator.models.deployments import deployments_of
from orchestrator.models.facts import facts_of
from orchestrator.models.known import ProbeResults
from orchestrator.models.lifecycle import LLMRuntimeConfig
from orchestrator.models.profiles import LLMCapabilities
from orchestrator.models.retirement import retirement_of
from orchestrator.models.table import entry_of, shipped_table
from tests.support.examples import share_of
from tests.support.wire import SECRET


def entry(group: str, model: str, params: dict[str, Any] | None = None, **info: Any) -> Any:
    given = {"model": model, "api_key": "os.environ/K", **(params or {})}
    return {"model_name": group, "litellm_params": given, "model_info": info}


def registry(*entries: Any, **settings: Any) -> LLMRegistry:
    tree: dict[str, object] = {"model_list": [*entries], **settings}
    return LLMRegistry.from_config(tree, environ={"K": "k"})


def test_two_deployments_of_one_backend_keep_what_each_states() -> None:
    known = registry(
        entry("a", "openai/gpt-4o", supports_vision=False, max_input_tokens=77),
        entry("b", "openai/gpt-4o"),
        entry("b", "openai/gpt-4o", {"input_cost_per_token": 0.5}),
    )
    assert known.get_model("a").capabilities.max_context_window == 77
    assert known.get_model("b").capabilities.max_context_window == 128_000
    assert known.get_model("b").capabilities.vision is True
    assert known.get_model("b").input_cost_per_token == 0.5  # the dearest of the group
    assert known.get_model("a").input_cost_per_token == 2.5e-6


def test_a_registered_model_takes_nothing_that_another_states_of_itself() -> None:
    params = {
        "input_cost_per_token": 9.0, "output_cost_per_token": 9.0, "temperature": 0.1,
        "max_tokens": 5, "mock_response": "x", "api_base": "https://host.test", "rpm": 7,
        "vertex_project": "p",
    }  # fmt: skip
    known = registry(entry("a", "groq/a", params))
    made = known.register_model("groq", "unheard")
    assert made.input_cost_per_token is None
    stated = known.config.model_list[-1].litellm_params
    assert stated == {
        "model": "groq/unheard", "api_key": "os.environ/K", "api_base": "https://host.test",
        "rpm": 7, "vertex_project": "p",
    }  # fmt: skip


def test_a_group_of_several_deployments_is_not_replaced_by_one() -> None:
    known = registry(entry("a", "openai/a"), entry("a", "openai/a"))
    with pytest.raises(ConfigError, match="has 2 deployments"):
        known.register_model("openai", "a", name="a")
    assert len(known.config.model_list) == 2


def test_a_model_behind_a_wildcard_or_an_alias_is_known() -> None:
    known = registry(
        entry("openai/*", "openai/*", max_output_tokens=9), entry("mini", "openai/gpt-5.4-mini"),
        router_settings={"model_group_alias": {"small": "mini", "little": {"model": "mini"}}},
    )  # fmt: skip
    found = known.get_model("openai/gpt-4o")
    assert (found.name, found.model) == ("openai/gpt-4o", "openai/gpt-4o")
    assert found.capabilities.max_context_window == 128_000
    assert found.capabilities.max_output_tokens == 9
    assert known.get_model("openai/unheard").capabilities.max_context_window is None
    assert known.get_model("small").model == "openai/gpt-5.4-mini"
    assert known.get_model("little").model == "openai/gpt-5.4-mini"
    with pytest.raises(ConfigError, match="'groq/x' is not registered"):
        known.get_model("groq/x")


@pytest.mark.parametrize(
    "model",
    ["OpenAI/GPT-4o", "openai/GPT-4O", "openrouter/gpt-4o", "lm_studio/gpt-4o", "openai/*", "",
     "/", "openai/", "openai/sample_spec", "openai/fallback_generalizations",
     "ollama_chat/llama3.1:8b", "azure/mine", "openai/ft:mine:org::id"],
)  # fmt: skip
def test_a_name_that_no_table_has_is_unknown(model: str) -> None:
    one = Deployment("g", model, "g-0", Secret({"model": model}), {})
    facts = facts_of(one, shipped_table())
    assert facts["max_context_window"] is facts["vision"] is facts["response_schema"] is None


@pytest.mark.parametrize("tail", ["my-org:my-name:Ab1", "my-org::Ab1"])
def test_a_fine_tuned_model_has_the_entry_of_its_kind(tail: str) -> None:
    found = entry_of(f"openai/ft:gpt-4o-2024-08-06:{tail}", shipped_table())
    assert found == shipped_table()["ft:gpt-4o-2024-08-06"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"min_context": "many"}, "'many' is not a number of tokens"),
        ({"min_context": -1}, "-1 is not a number"),
        ({"min_context": True}, "True is not a number"),
        ({"max_cost": "1"}, "'1' is not a number of dollars"),
        ({"max_cost": float("nan")}, "nan is not a number"),
        ({"family": "gpd"}, "'gpd' is not one of gpt, claude"),
        ({"provider": "nobody"}, "'nobody' is not registered"),
        ({"provider": 7}, "7 is not the name of a provider"),
        ({"local": "yes"}, "'yes' is not true, false or null"),
        ({"deprecated": "no"}, "'no' is not true, false or null"),
        ({"kind": 7}, "7 is not a mode"),
    ],
)
def test_a_wish_of_the_wrong_type_is_refused_and_does_not_find_nothing(
    wanted: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        registry(entry("a", "openai/gpt-4o")).find(**wanted)


@pytest.mark.parametrize("name", [None, 7, ["a"]])
def test_a_name_is_a_text(name: Any) -> None:
    known = registry(entry("a", "openai/gpt-4o"), entry("a", "openai/gpt-4o"))
    with pytest.raises(ConfigError, match="is not a name"):
        known.get_model(name)
    with pytest.raises(ConfigError, match=r"Known: a\."):
        known.get_model("qqqqqqqq")


@pytest.mark.parametrize("provider", ["", "a/b", "my provider", {"name": "a b"}, None, 7])
def test_a_provider_has_a_plain_name(provider: Any) -> None:
    with pytest.raises(ConfigError, match=r"is not a name|a mapping is expected"):
        registry().register_provider(provider)


def test_the_variable_of_a_key_is_a_name_that_a_shell_takes() -> None:
    known = registry()
    known.register_provider("text-completion-openai")
    params = known.config.model_list[0].litellm_params
    assert params["api_key"] == "os.environ/TEXT_COMPLETION_OPENAI_API_KEY"


def test_a_registry_is_made_of_a_configuration() -> None:
    for odd in (None, 7, ["a"]):
        with pytest.raises(TypeError, match="not a path or a configuration"):
            LLMRegistry.from_config(odd)  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(ConfigError, match="is not the name of a model"):
        registry(entry("a", "openai/a")).register_model("openai", " ")


class _Manager:
    """A strangers' manager that fails, and says the key."""

    def get(self, name: str) -> str:
        raise RuntimeError(SECRET)


def _fails() -> str:
    raise RuntimeError(SECRET)


def test_a_source_of_keys_that_fails_is_named_without_its_words() -> None:
    tree: dict[str, object] = {"model_list": [entry("a", "openai/a")]}
    known = LLMRegistry.from_config(tree, environ={}, credential_manager=_Manager())
    for asked in (
        lambda: known.is_provider_initialized("openai"),
        lambda: registry(entry("a", "openai/a")).initialize_provider("openai", _fails),
    ):
        with pytest.raises(ConfigError, match="could not be had: RuntimeError") as caught:
            asked()
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


def test_no_form_of_the_data_holds_a_key() -> None:
    known = registry(entry("a", "openai/a"))
    known.initialize_provider("openai", SECRET)
    state = known.state("a", LLMRuntimeConfig(api_key=SecretStr(SECRET)))
    again = pickle.loads(pickle.dumps(state))
    assert again.runtime.api_key is None
    assert again == state.model_copy(
        update={"runtime": state.runtime.model_copy(update={"api_key": None})}
    )
    copied = copy.deepcopy(state).runtime.api_key
    assert copied is not None
    assert copied.get_secret_value() == SECRET
    shown = [pickle.dumps(state).decode("latin1"), repr(vars(known)), f"{state!r} {state}"]
    assert SECRET not in "".join(shown)
    with pytest.raises(TypeError, match="a registry holds keys"):
        pickle.dumps(known)


@pytest.mark.parametrize(
    "fields",
    [
        {"api_base": f"https://me:{SECRET}@host.test/v1"},
        {"api_base": f"https://host.test/v1?api_key={SECRET}"},
        {"api_key_variable": SECRET},
        {"api_key": SECRET},
        {"rate_limits": SECRET},
    ],
)
def test_a_provider_takes_no_key_and_does_not_say_it(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Provider(name="openai", **fields)
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError) as refused:
        registry().register_provider({"name": "openai", **fields})
    assert SECRET not in str(refused.value)


class Kind(Enum):
    """A provider, as older code names it."""

    OPENAI = "openai"


@pytest.mark.parametrize(
    "changed",
    [
        {"max_tokens": "12"}, {"max_tokens": True}, {"max_tokens": 1.5}, {"stream": "yes"},
        {"temperature": float("inf")}, {"temperature": "hot"}, {"provider": 7}, {"model": ["a"]},
        {"model": "  "}, {"provider": "  "}, {"max_context_tokens": True}, {"model": Kind},
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:a flat state:DeprecationWarning")
def test_a_field_of_an_older_state_is_not_turned_into_another(changed: dict[str, Any]) -> None:
    flat = {"provider": Kind.OPENAI, "model": "m", "stream": False, "temperature": 1}
    assert LLMState.from_legacy(flat).to_legacy()["provider"] == "openai"
    with pytest.raises(ConfigError, match=next(iter(changed))):
        LLMState.from_legacy({**flat, **changed})


@pytest.mark.parametrize("said", [1, "yes", "true", 0])
def test_an_ability_is_stated_as_true_or_false(said: object) -> None:
    with pytest.raises(ConfigError, match="vision"):
        registry(entry("a", "openai/a")).register_model(
            "openai", "b", capabilities={"vision": said}
        )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: openai\nmodels: {a: {price: 3}}", "models.a.price: is not one of"),
        ("name: openai\nrate_limits: {requests_per_minute: true}", "requests_per_minute"),
        (
            "name: openai\napi_key_env: sk-canary-4711-do-not-show",
            "api_key_variable: is not a name",
        ),
        ("name: openai\napi_base: https://u:sk-canary-4711-do-not-show@h/v1", "api_base"),
        ("name: openai\nmodels: {a: {capabilities: {vision: 1}}}", "vision"),
    ],
)
def test_an_older_file_is_not_read_in_part(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        registry().import_providers(tmp_path / "p.yaml")
    assert SECRET not in str(caught.value)


def read(tmp_path: Path, model: str) -> dict[str, object]:
    path = tmp_path / "c.json"
    path.write_text(
        '{"openai": {"models": {"keeps": {"tool_call": true}, "m": HERE}}}'.replace("HERE", model)
    )
    return {name: fact.value for name, fact in read_catalogue(path).facts("openai/m").items()}


@pytest.mark.parametrize(
    ("model", "facts"),
    [
        ('{"cost": {"input": NaN, "output": -1}}', {}),
        ('{"cost": {"input": "5", "output": true}}', {}),
        ('{"cost": {"input": 1e400, "output": []}}', {}),
        ('{"limit": {"context": 1e400, "output": -3}}', {}),
        ('{"limit": {"input": "x", "context": 5}}', {"max_context_window": 5}),
        ('{"limit": {"input": 0, "context": 5.5}}', {}),
        ('{"tool_call": "yes", "structured_output": 1, "reasoning": null}', {}),
        ("7", {}),
        ("null", {}),
    ],
)
def test_odd_numbers_of_a_catalogue_are_unknown(
    tmp_path: Path, model: str, facts: dict[str, object]
) -> None:
    assert read(tmp_path, model) == facts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": {"models": {"m": {"tool_call": true, "tool_call": false}}}}', "'tool_call'"),
        ('{"a": {"models": {"m": {"tool_call": true}, "m": {}}}}', "'m'"),
        ('{"a": {"models": {"m": {"tool_call": true}}}, "a": {}}', "'a'"),
    ],
)
def test_a_catalogue_that_says_something_twice_is_not_read(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ConfigError, match=rf"not a catalogue: the key {words} is given twice"):
        read_catalogue(tmp_path / "c.json")


def test_a_catalogue_says_what_was_left_out_of_it(tmp_path: Path) -> None:
    models = {"m": {"tool_call": True}, "n": None, "o": {"limit": {"context": "128k"}}}
    given = {"a": {"models": models}, "b": {"models": []}, "c": 7, "d": {"models": {}}}
    (tmp_path / "c.json").write_text(json.dumps(given))
    assert read_catalogue(tmp_path / "c.json").left_out == ("a/n", "a/o", "b", "c")


@pytest.mark.parametrize(
    "kept",
    ['{"models": {"a/b": 5}, "at": "x"}', '{"models": [["a", "b"]], "at": ""}', '{"models": 5}',
     '{"models": {"a/b": {"supports_vision": "yes"}}, "at": 7}', "[]", "null"],
)  # fmt: skip
def test_a_kept_catalogue_that_is_spoiled_says_nothing(tmp_path: Path, kept: str) -> None:
    (tmp_path / "k.json").write_text(kept)
    assert Catalogue.kept(tmp_path / "k.json").facts("a/b") == {}


TODAY = datetime.date(2026, 11, 26)
GONE = {"deprecation_date": "2026-01-01", "litellm_provider": "openai"}


@pytest.mark.parametrize(
    ("table", "successor"),
    [
        ({"a": {**GONE, "successor_model": "a"}}, ""),
        ({"a": {**GONE, "successor_model": "b"}, "b": {**GONE, "successor_model": "c"},
          "c": {**GONE, "successor_model": "b"}}, ""),
        ({"a": {**GONE, "successor_model": ["b", "c"]}, "b": {}}, ""),
        ({"a": {**GONE, "successor_model": "groq/b"}, "groq/b": {"litellm_provider": "groq"}},
         "groq/b"),
        ({"a": {**GONE, "successor_model": "high/b"}, "high/b": {"litellm_provider": "openai"}},
         "openai/high/b"),
    ],
)  # fmt: skip
def test_a_chain_of_successors_ends(table: dict[str, Any], successor: str) -> None:
    found = retirement_of(Deployment("g", "openai/a", "g-0", Secret({}), {}), TODAY, table)
    assert found is not None
    assert found.successor == successor


@pytest.mark.parametrize(
    "stated", ["2026-01-01", "2026-01-01T00:00:00Z", datetime.date(2026, 1, 1),
               datetime.datetime(2026, 1, 1, 5, tzinfo=datetime.UTC)],
)  # fmt: skip
def test_a_date_may_have_a_time(stated: object) -> None:
    one = Deployment("g", "openai/a", "g-0", Secret({}), {"deprecation_date": stated})
    found = retirement_of(one, TODAY, {})
    assert found is not None
    assert found.on == datetime.date(2026, 1, 1)


@pytest.mark.parametrize("stated", ["soon", "2026-13-45", 2026, "01.02.2027"])
def test_a_date_in_the_configuration_that_is_not_one_is_refused(stated: object) -> None:
    tree = {"model_list": [entry("a", "openai/a", deprecation_date=stated)]}
    with pytest.raises(ConfigError, match=r"model_list\.0\.model_info\.deprecation_date"):
        deployments_of(Config.load(tree, {}), {"K": "k"})


def test_a_probe_counts_where_the_address_comes_from_the_environment(tmp_path: Path) -> None:
    environ = {"K": "k", "BASE": "http://127.0.0.1:5"}
    tree = {
        "model_list": [entry("a", "openai/a", {"api_base": "os.environ/BASE"})],
        "orchestrator": {"cache": {"directory": str(tmp_path)}},
    }
    config = Config.load(tree, {})
    (one,) = deployments_of(config, environ).ready
    ProbeResults(tmp_path / "probes.json").keep(one, {"max_input_tokens": 99})
    found = LLMRegistry.from_config(config, environ=environ).get_model("a")
    assert found.capabilities.max_context_window == 99
    assert found.is_local


WORDS = st.text("abcdefgh-._1", min_size=1, max_size=8)


@settings(max_examples=share_of(60), deadline=None)
@given(
    models=st.lists(
        st.tuples(
            st.sampled_from(["openai", "groq", "ollama", "hosted_vllm", "text-completion-openai"]),
            WORDS,
            st.builds(
                LLMCapabilities,
                vision=st.none() | st.booleans(),
                max_context_window=st.none() | st.integers(1, 10**7),
            ),
        ),
        max_size=5,
        unique_by=lambda one: one[:2],
    )
)
def test_what_is_saved_is_read_again(
    models: list[tuple[str, str, LLMCapabilities]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    known = registry()
    for provider, model, capabilities in models:
        known.register_provider(provider)
        made = known.register_model(provider, model, capabilities=capabilities)
        stated = capabilities.model_dump(exclude_none=True)
        assert stated.items() <= made.capabilities.model_dump().items()
    path = tmp_path_factory.mktemp("kept") / "c.yaml"
    known.save(path)
    again = LLMRegistry.from_config(path, environ={})
    assert again.config.model_dump() == known.config.model_dump()
    assert again.models() == known.models()
    again.save(path)
    again.reload()
    assert again.config.model_dump() == known.config.model_dump()
    assert json.dumps([one.model_dump(mode="json") for one in again.models()])
