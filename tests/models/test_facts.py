"""What is known about a model is yes, no or unknown, and says who says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.settings import Config
from orchestrator.models.catalogue import Catalogue, read_catalogue
from orchestrator.models.deployment import Deployment, Secret
from orchestrator.models.deployments import deployments_of
from orchestrator.models.facts import NAMES, Fact, Facts, facts_of, minimum, stated_in
from orchestrator.models.groups import Deployments
from orchestrator.models.known import KnownFacts, ProbeResults
from orchestrator.models.refused_modes import MODES_FILE
from orchestrator.models.table import entry_of, shipped_table
from orchestrator.routing.prices import price_of, reads_pictures
from orchestrator.types.errors import ConfigError
from orchestrator.types.requests import OutputMode

TABLE: dict[str, dict[str, Any]] = {
    "m": {
        "litellm_provider": "openai", "supports_vision": True, "max_input_tokens": 1000,
        "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
    },
    "latest": {"alias_of": "m"},
    "round": {"alias_of": "about"}, "about": {"alias_of": "round"},
}  # fmt: skip


def deployments(*entries: dict[str, Any]) -> Deployments:
    """Deployments of a configuration; an entry holds `model` and what is beside it."""
    made = [
        {
            "model_name": one.get("group", "g"),
            "litellm_params": {"api_key": "k", "model": one["model"], **one.get("params", {})},
            "model_info": one.get("info", {}),
        }
        for one in entries
    ]
    return deployments_of(Config.load({"model_list": made}, {}), {})


def first(
    model: str, params: dict[str, Any] | None = None, info: dict[str, Any] | None = None
) -> Deployment:
    """A deployment that nobody asks who it is."""
    known = info or {}
    made = {"model": model, "api_key": "k", **(params or {})}
    return Deployment("g", model, str(known.get("id", "g-0")), Secret(made), known)


def test_what_nobody_states_is_unknown() -> None:
    facts = facts_of(first("openai/m"), TABLE)
    assert facts["vision"] is True
    assert facts["max_context_window"] == 1000
    assert facts["pdf_input"] is None  # the entry does not speak of it
    assert all(facts_of(first("openrouter/unheard"), TABLE)[name] is None for name in NAMES)


def test_a_price_of_nothing_is_unknown_and_a_local_one_is_nothing() -> None:
    assert facts_of(first("openrouter/x"), TABLE)["input_cost_per_token"] is None
    here = first("ollama_chat/x", params={"api_base": "http://localhost:1"})
    found = facts_of(here, TABLE).said["input_cost_per_token"][0]
    assert (found.value, found.source) == (0.0, "runs on this machine")
    by_the_second = {"input_cost_per_token": 0, "output_cost_per_token": 0,
                     "input_cost_per_second": 0.1}  # fmt: skip
    assert stated_in(by_the_second) == {}
    assert stated_in({"input_cost_per_token": 0})["input_cost_per_token"] == 0.0


def test_a_table_says_nothing_about_the_same_name_at_another_provider() -> None:
    assert entry_of("openai/m", TABLE)
    for model in ("hosted_vllm/m", "openrouter/m", "huggingface/m"):
        assert entry_of(model, TABLE) == {}
        assert facts_of(first(model), TABLE)["vision"] is None
    assert price_of(first("openrouter/gpt-4o")) is None


def test_an_alias_and_a_base_model_lead_to_their_entry() -> None:
    assert entry_of("latest", TABLE) == TABLE["m"]
    assert entry_of("round", TABLE) == {}
    azure = first("azure/mine", params={"api_base": "https://x.test"}, info={"base_model": "m"})
    assert facts_of(azure, TABLE)["max_context_window"] == 1000


@pytest.mark.parametrize(
    "value", [True, -1, float("nan"), float("inf"), "12", None, [1], 0, "max input tokens"]
)
def test_a_limit_that_is_not_one_is_unknown(value: object) -> None:
    assert "max_context_window" not in stated_in({"max_input_tokens": value})


@pytest.mark.parametrize("value", ["true", 1, 0, None, "yes", []])
def test_an_ability_is_true_or_false_and_nothing_like_it(value: object) -> None:
    assert stated_in({"supports_vision": value}) == {}


def test_the_configuration_counts_first_then_a_probe_then_the_table_then_a_catalogue(
    tmp_path: Path,
) -> None:
    catalogue = Catalogue({"openai/m": {"supports_vision": False, "max_input_tokens": 7}}, "then")
    one = first("openai/m", info={"supports_vision": False})
    probed = {"vision": Fact(True, "probe"), "max_context_window": Fact(900, "probe", "now")}
    facts = facts_of(one, TABLE, found=[probed], catalogue=catalogue.facts(one.model))
    assert [said.source for said in facts.said["vision"]] == [
        "configuration", "probe", "LiteLLM", "catalogue",
    ]  # fmt: skip
    assert facts["vision"] is False
    assert facts["max_context_window"] == 900  # a probe beats a table
    assert facts.disputed() == ("vision", "max_context_window")


def facts(**values: Any) -> Facts:
    return Facts({name: (Fact(value, "x"),) for name, value in values.items()})


def test_a_group_is_as_weak_as_its_weakest_deployment() -> None:
    a = facts(vision=True, max_context_window=10, input_cost_per_token=1.0, reasoning=True)
    b = facts(vision=True, max_context_window=5, input_cost_per_token=3.0, reasoning=False)
    together = minimum([a, b])
    assert together["vision"] is True
    assert together["reasoning"] is False
    assert together["max_context_window"] == 5
    assert together["input_cost_per_token"] == 3.0  # the dearest
    unknown = minimum([a, b, facts()])
    assert unknown["vision"] is None
    assert unknown["reasoning"] is False  # one no is a no
    assert unknown["max_context_window"] is unknown["input_cost_per_token"] is None


def test_what_a_deployment_states_of_itself_stays_with_it() -> None:
    import litellm

    found = deployments(
        {"group": "a", "model": "openai/gpt-4o",
         "info": {"supports_vision": False, "max_input_tokens": 77}},
        {"group": "b", "model": "openai/gpt-4o"},
    )  # fmt: skip
    router = litellm.Router(  # type: ignore[attr-defined]  # not in its __all__
        model_list=[
            {"model_name": one.group, "litellm_params": dict(one.params.value),
             "model_info": {**one.model_info, "id": one.id}}
            for one in found.ready
        ]
    )  # fmt: skip
    try:
        assert litellm.model_cost["gpt-4o"]["supports_vision"] is False  # LiteLLM's own leak
        a, b = found.ready
        assert not reads_pictures(a)
        assert reads_pictures(b)
        assert facts_of(b, shipped_table())["max_context_window"] == 128_000
    finally:
        litellm.model_cost["gpt-4o"]["supports_vision"] = True
        router.retire()


def test_the_file_is_the_table_of_litellm() -> None:
    import litellm

    names = [name for name in shipped_table() if name in litellm.model_cost]
    assert len(names) > 4000
    assert len(shipped_table()) - len(names) < 5  # it drops an entry that it takes for broken
    for name in names[::50]:
        theirs = litellm.model_cost[name]
        found = entry_of(name, shipped_table())
        for key in ("input_cost_per_token", "max_input_tokens", "supports_response_schema"):
            assert found.get(key) == theirs.get(key), name


def test_what_calls_and_probes_taught_is_a_fact_until_the_deployment_changes(
    tmp_path: Path,
) -> None:
    one = first("openai/m", info={"id": "mine"})
    known = KnownFacts(tmp_path)
    known.modes.note(one, OutputMode.JSON_SCHEMA, "400")
    known.probes.keep(one, {"supports_vision": True, "max_input_tokens": 50})
    again = KnownFacts(tmp_path).of(one)
    assert again["response_schema"] is False
    assert again.said["response_schema"][0].at
    assert again["vision"] is True
    assert again["max_context_window"] == 50
    moved = first("openai/m", params={"api_base": "https://other.test"}, info={"id": "mine"})
    assert KnownFacts(tmp_path).of(moved)["max_context_window"] is None
    rotated = first("openai/m", params={"api_key": "new"}, info={"id": "mine"})
    assert KnownFacts(tmp_path).of(rotated)["max_context_window"] == 50
    for text in ("[]", "{", '{"mine": 3}', '{"mine": {"of": 1, "found": []}}'):
        (tmp_path / "probes.json").write_text(text)
        assert ProbeResults(tmp_path / "probes.json").facts(one) == {}
    assert (tmp_path / MODES_FILE).is_file()


PUBLISHED = {
    "google": {
        "id": "google", "env": ["K"],
        "models": {
            "gemini-x": {
                "id": "gemini-x", "tool_call": True, "reasoning": False,
                "modalities": {"input": ["text", "image"], "output": ["text"]},
                "cost": {"input": 1.25, "output": 10, "cache_read": 0.1},
                "limit": {"context": 1000, "output": 200},
            },
            "odd": {"modalities": 7, "cost": {"input": "free"}, "limit": {"context": -1},
                    "tool_call": "yes"},
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_catalogue_of_the_published_form_is_read(tmp_path: Path, wrapped: bool) -> None:
    path = tmp_path / "api.json"
    path.write_text(json.dumps({"providers": PUBLISHED} if wrapped else PUBLISHED))
    read_catalogue(path).keep(tmp_path / "kept.json")
    kept = Catalogue.kept(tmp_path / "kept.json")
    found = kept.facts("gemini/gemini-x")
    assert {name: fact.value for name, fact in found.items()} == {
        "function_calling": True, "reasoning": False, "vision": True, "audio_input": False,
        "pdf_input": False, "video_input": False, "audio_output": False,
        "max_context_window": 1000, "max_output_tokens": 200,
        "input_cost_per_token": 1.25e-6, "output_cost_per_token": 1e-5,
    }  # fmt: skip
    assert found["vision"].source == "catalogue"
    assert found["vision"].at == kept.at != ""
    assert kept.facts("gemini/odd") == {}
    assert kept.facts("gemini/never") == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": {"models": []}}', "[" * 500, "\udcff"])
def test_another_file_is_not_a_catalogue(tmp_path: Path, text: str) -> None:
    path = tmp_path / "api.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(ConfigError, match=r"api\.json"):
        read_catalogue(path)
    assert Catalogue.kept(path).entries == {} or text == "{}"


def test_a_catalogue_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_catalogue(tmp_path / "none")
