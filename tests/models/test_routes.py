"""Who answers for a name, before anything is asked."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.config.settings import Config
from orchestrator.models.deployment import Deployment
from orchestrator.models.deployments import deployments_of
from orchestrator.models.groups import Deployments
from orchestrator.models.routes import RouteTable
from orchestrator.types.errors import ConfigError, NoDeploymentError


def entry(group: str, model: str, key: str = "k", **model_info: Any) -> dict[str, Any]:
    """One entry of a model_list."""
    params = {"model": model, **({"api_key": key} if key else {})}
    return {"model_name": group, "litellm_params": params, "model_info": model_info}


def keyless(*more: dict[str, Any], **routes: list[str]) -> Config:
    """Three groups: one without its key, one that can be called, the embedded one."""
    known = [
        entry("mine", "openai/x", "os.environ/MY_KEY"),
        entry("other", "openai/y"),
        entry("offline", "offline/library", ""),
    ]
    return Config.load({"model_list": [*known, *more], "orchestrator": {"routes": routes}}, {})


def table(config: Config, *, kinds: dict[str, str] | None = None) -> RouteTable:
    """The routes of a configuration; `kinds` says which method each group takes."""

    def serves(one: Deployment, method: str) -> bool:
        return (kinds or {}).get(one.group, "acompletion") == method

    return RouteTable(deployments_of(config, {}), config.orchestrator.routes, serves)


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        ({"default": ["mine"]}, "MY_KEY is not set"),
        ({"default": ["other"], "strong": ["mine"]}, "MY_KEY is not set"),
        ({"default": ["offline"]}, "LLM_PROVIDER=offline"),
    ],
)
def test_a_route_that_nothing_can_serve_fails_when_it_is_loaded(
    routes: dict[str, list[str]], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        deployments_of(keyless(**routes), {})
    assert "orchestrator.routes." in str(caught.value)


def test_the_embedded_provider_can_be_the_default_on_purpose() -> None:
    found = deployments_of(keyless(default=["offline"]), {"LLM_PROVIDER": "offline"})
    assert found.routes["default"] == ("offline",)


def test_an_optional_route_may_be_empty_until_it_is_asked_for() -> None:
    config = keyless(default=["other"], strong=["mine"], optional=["strong"])
    with pytest.raises(NoDeploymentError, match="MY_KEY is not set"):
        table(config).resolve("strong")


def test_a_route_cannot_hide_a_group_of_the_same_name() -> None:
    with pytest.raises(ConfigError, match="a group of the same name"):
        deployments_of(keyless(entry("fast", "openai/z"), fast=["other"]), {})


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ({}, "default"),
        ({"model": "default"}, "default"),
        ({"model": "other"}, "other"),
        ({"model": "openai/y"}, "other"),
        ({"model": "openai/second"}, "mixed-5"),  # its sibling is another model
        ({"model": "mixed-5"}, "mixed-5"),
        ({"provider": "openai"}, "other"),
        ({"provider": "groq"}, "mixed-5"),
    ],
)
def test_a_name_means_the_narrowest_group_that_has_nothing_else(
    asked: dict[str, str], meant: str
) -> None:
    second = "groq/second" if "provider" in asked else "openai/second"
    config = keyless(
        entry("spare", "openai/z"), entry("mixed", "openai/first"), entry("mixed", second)
    )
    assert table(config).resolve(**asked) == meant


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"model": "mine"}, "mine cannot be called: MY_KEY is not set"),
        ({"model": "openai/x"}, "openai/x cannot be called: MY_KEY is not set"),
        ({"model": "unheard"}, "'unheard' is not configured. Known: default, other"),
        ({"provider": "acme"}, "'acme' is not a provider. Use one of openai"),
        ({"provider": "mistral"}, r"mistral cannot be called \(model_list has no deployment"),
    ],
)
def test_a_name_that_cannot_be_called_says_why(asked: dict[str, str], words: str) -> None:
    with pytest.raises((ConfigError, NoDeploymentError), match=words):
        table(keyless()).resolve(**asked)


def test_a_method_is_asked_only_of_groups_of_its_kind() -> None:
    config = keyless(entry("words", "openai/e"), default=["other", "words"])
    found = table(config, kinds={"words": "aembedding"})
    for _ in range(2):  # the second time from what was kept
        assert found.groups_serving("default", "acompletion") == ("other",)
        assert found.groups_serving("default", "aembedding") == ("words",)
    assert found.groups_serving("other", "aembedding") == ("other",)  # asked by its name
    nothing = table(config, kinds={"words": "aimage", "other": "aimage"})
    with pytest.raises(NoDeploymentError, match="takes completion calls"):
        nothing.groups_serving("default", "acompletion")


def test_where_no_default_is_stated_any_one_group_of_the_kind_is_asked() -> None:
    config = keyless(entry("words", "openai/e"), entry("more", "openai/f"))
    found = table(config, kinds={"words": "aembedding", "more": "aembedding"})
    assert found.groups_serving("default", "aembedding") == ("words",)


def test_pictures_go_to_the_first_group_all_of_whose_deployments_read_them() -> None:
    config = keyless(
        entry("half", "openai/e", supports_vision=True),
        entry("half", "openai/f"),
        entry("eye", "openai/g", supports_vision=True),
        default=["other", "half", "eye"],
    )

    def reads(one: Deployment) -> bool:
        return bool(one.model_info.get("supports_vision"))

    assert table(config).group_reading_pictures("default", reads) == "eye"
    with pytest.raises(NoDeploymentError, match="no model group of 'half' reads pictures"):
        table(config).group_reading_pictures("half", reads)


def test_the_first_group_of_a_route_or_the_group_itself() -> None:
    found = table(keyless(default=["other"]))
    assert [one.model for one in found.first_group("default")] == ["openai/y"]
    assert found.first_group("other") == found.first_group("default")
    assert found.first_group("unheard") == ()


def test_a_deployment_finds_itself_in_a_table_with_or_without_its_provider() -> None:
    known: Deployments = deployments_of(keyless(), {})
    (one,) = known.ready
    assert one.entry_in({"openai/y": {"mode": "chat"}, "y": {}}) == {"mode": "chat"}
    assert one.entry_in({"y": {"mode": "chat"}}) == {"mode": "chat"}
    assert one.entry_in({}) == {}
    assert {skipped.provider for skipped in known.skipped} == {"openai", "offline"}


def test_a_provider_that_is_named_answers_with_words_although_its_embeddings_come_first() -> None:
    def config(*groups: dict[str, Any]) -> Config:
        return Config.load({"model_list": [*groups]}, {})

    vectors = entry("vectors", "mistral/embed", mode="embedding")
    both = config(vectors, entry("words", "mistral/m"), entry("other", "openai/x"))
    assert table(both).resolve(provider="mistral") == "words"
    assert (
        table(config(vectors, entry("other", "openai/x"))).resolve(provider="mistral") == "vectors"
    )
