"""What an agent lacks is said when it is registered; its key shows nowhere."""

from __future__ import annotations

import copy
import itertools
import os
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from orchestrator import (
    AgentInterface,
    AgentRegistry,
    AgentTask,
    AgentType,
    ConfigError,
    TaskExecutor,
)
from orchestrator.agents.tasks.graph import graph_of
from orchestrator.config.providers import AGENT_TYPES, PROVIDERS

SECRET = "sk-canary-4711-do-not-show"


def registry(*entries: dict[str, Any], **settings: Any) -> AgentRegistry:
    """What is given, with one variable that holds a key."""
    offline = {"model_name": "o", "litellm_params": {"model": "offline/library"}}
    tree = {"model_list": [offline, *entries], "orchestrator": settings}
    return AgentRegistry(tree, environ={"PATH": os.environ["PATH"], "OPENAI_API_KEY": SECRET})


def entry(model: str, **params: Any) -> dict[str, Any]:
    return {"model_name": model, "litellm_params": {"model": model, **params}}


@pytest.mark.parametrize(
    ("agent_type", "model", "full", "tokens"),
    [
        ("anthropic-claude", "claude-haiku-5-5", "anthropic/claude-haiku-5-5", 4096),
        (AgentType.OPENAI_GPT, "gpt-5.4-mini", "openai/gpt-5.4-mini", 4000),
        ("google-gemini", "gemini/gemini-3.5-flash", "gemini/gemini-3.5-flash", 8192),
        ("huggingface", "openai/gpt-oss-120b", "huggingface/openai/gpt-oss-120b", 2048),
        ("ollama", "llama3.1", "ollama_chat/llama3.1", 4096),
        ("lmstudio", "openai/gpt-oss-20b", "lm_studio/openai/gpt-oss-20b", 4096),
        ("custom", "groq/llama", "groq/llama", 4096),
        ("groq", "llama", "groq/llama", 4096),
        ("offline", "library", "offline/library", 4096),
    ],
)
def test_a_type_means_a_provider_and_its_length_limit(
    agent_type: str, model: str, full: str, tokens: int
) -> None:
    made = registry().register_agent("a", agent_type, AgentInterface.API, model, SECRET)
    assert made.model == full
    assert made.parameters == {"max_tokens": tokens}


def test_every_type_has_a_provider_in_the_one_table() -> None:
    assert {AGENT_TYPES.get(one, one) for one in AgentType} - {"custom"} <= set(PROVIDERS)
    assert set(AGENT_TYPES) < set(AgentType)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"agent_type": "openai-gtp"}, "'openai-gtp' is not known. Did you mean 'openai-gpt'"),
        ({"agent_type": "llm"}, "'llm' is not known. Known: anthropic-claude, openai-gpt,"),
        ({"agent_type": None}, "None is not known"),
        ({"interface": "rest"}, "'rest' is not known. Known: api, script"),
        ({"model": ""}, "'' is not the name of a model. Name the model"),
        ({"model": None}, "None is not the name of a model"),
        ({"model": "gpt-*"}, "is not the name of a model"),
        ({"agent_type": "anthropic-claude"}, "agent 'a': ANTHROPIC_API_KEY is not set. Set it"),
        ({"api_key": "os.environ/MY_KEY"}, "agent 'a': MY_KEY is not set"),
        ({"api_key": ""}, "the key of agent 'a': is blank"),
        ({"api_key": f"{SECRET}\n"}, "the key of agent 'a': is blank, or not the text of a key"),
        ({"api_key": 7}, "the key of agent 'a': is blank, or not the text of a key"),
        ({"api_key": lambda: 1 / 0}, "the key of agent 'a': could not be had: ZeroDivisionError"),
        ({"agent_type": "custom"}, "nothing says where 'm' is. State metadata"),
        ({"metadata": {"temprature": 1}}, "metadata.temprature: is not known. Did you mean"),
        ({"metadata": {"temperature": "hot"}}, "metadata.temperature: is not a number"),
        ({"metadata": {"max_tokens": True}}, "metadata.max_tokens: is not a number"),
        ({"metadata": {"api_base": "localhost"}}, "metadata.api_base: is not an address"),
        ({"metadata": {"timeout_s": 0}}, "metadata.timeout_s: is not seconds"),
        ({"metadata": [1]}, "metadata: is a list, not a mapping"),
        ({"metadata": {"parameters": {"api_key": SECRET}}}, "parameters.api_key: is not taken"),
        ({"metadata": {"parameters": {"cache": "off"}}}, "parameters.cache: is not taken"),
        ({"metadata": {"parameters": {"base_url": "x"}}}, "parameters.base_url: is not taken"),
        ({"metadata": {"parameters": {"extra_headers": {"x-api-key": SECRET}}}}, "is not taken"),
        ({"metadata": {"parameters": {"fallbacks": ["b"]}}}, "parameters.fallbacks: is not taken"),
        ({"metadata": {"api_base": "https://elsewhere.example/v1"}}, "where no configured key"),
        (
            {"agent_type": "huggingface", "model": "https://elsewhere.example/v1"},
            "where no configured key belongs",
        ),
        ({"interface": "script", "metadata": {"script": ["echo"]}, "api_key": SECRET}, "is given"),
        ({"name": " "}, "agent ' ': is not a name"),
        ({"name": "a*"}, "is not a name"),
        ({"name": 3}, "agent 3: is not a name"),
    ],
)
def test_what_is_wrong_or_missing_is_said_at_once_and_no_key_is_shown(
    given: dict[str, Any], why: str
) -> None:
    known = registry(entry("huggingface/m", api_key="os.environ/OPENAI_API_KEY"))
    arguments = {"name": "a", "agent_type": "openai-gpt", "model": "m", **given}
    with pytest.raises(ConfigError) as raised:
        known.register_agent(**arguments)
    assert why in str(raised.value)
    assert SECRET not in str(raised.value)
    assert len(known) == 0


def test_a_key_is_taken_in_every_form_and_shown_in_none() -> None:
    known = registry()
    forms: list[Any] = [SECRET, SecretStr(SECRET), lambda: SECRET, "os.environ/OPENAI_API_KEY"]
    for number, key in enumerate(forms):
        made = known.register_agent(f"a{number}", "openai-gpt", "api", "m", key)
        shown = f"{made!r} {made.entry!r} {made.metadata} {known!r} {vars(known)} {known.config!r}"
        assert SECRET not in shown.replace(str(known._environ), "")
    assert SECRET not in known.config.model_dump_json()
    assert list(known.environ().values()).count(SECRET) == 4  # three of their own, one variable
    for spoil in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="holds keys"):
            spoil(known)


def test_a_name_is_given_once_unless_the_agent_is_to_be_replaced() -> None:
    known = registry()
    known.register_agent("a", "offline", "api", "library")
    with pytest.raises(ConfigError, match=r"agent 'a': is registered\. Pass replace=True"):
        known.register_agent("a", "openai-gpt", "api", "m")
    other = known.register_agent("a", "openai-gpt", "api", "m", SECRET, replace=True)
    assert [*known] == [other]
    assert "a" in known
    known.unregister("a")
    assert (len(known), SECRET in known.environ().values()) == (0, True)  # the variable's
    for take in (known.get, known.unregister):
        with pytest.raises(ConfigError, match="agent: 'a' is not registered"):
            take("a")


def test_an_agent_that_cannot_be_registered_leaves_the_one_before_as_it_was() -> None:
    known = registry()
    one = known.register_agent("a", "openai-gpt", "api", "m", "sk-first-key-4711")
    with pytest.raises(ConfigError):
        known.register_agent("a", "anthropic-claude", "api", "m", replace=True)
    assert known.get("a") is one
    assert "sk-first-key-4711" in known.environ().values()


def test_what_is_changed_after_it_was_registered_changes_no_agent() -> None:
    metadata: dict[str, Any] = {"script": ["echo"], "parameters": {"top_p": 0.5}}
    made = registry().register_agent("a", "offline", "api", "library", metadata=metadata)
    metadata["parameters"]["top_p"], metadata["script"][0] = 1, "rm"
    assert (made.parameters["top_p"], made.script) == (0.5, ("echo",))


def test_privacy_and_the_chosen_provider_are_heeded_at_once() -> None:
    known = registry(privacy="local_only")
    with pytest.raises(ConfigError, match=r"agent 'a': cannot be called: .*privacy is local_only"):
        known.register_agent("a", "openai-gpt", "api", "m")
    with pytest.raises(ConfigError, match="privacy is local_only"):
        known.register_agent(
            "a", "ollama", "api", "m", metadata={"api_base": "http://192.0.2.1:11434"}
        )
    known.register_agent("a", "ollama", "api", "m")
    with pytest.raises(ConfigError, match="the provider is set to anthropic"):
        registry(provider="anthropic").register_agent("a", "openai-gpt", "api", "m")


def test_the_configuration_says_how_the_provider_of_an_agent_is_reached() -> None:
    known = registry(
        entry("openai/m", api_base="http://localhost:1/v1", api_key="os.environ/OPENAI_API_KEY"),
        entry("openai/n", api_base="http://localhost:2/v1", api_key="sk-of-the-file-4711"),
    )
    exact = known.register_agent("a", "openai-gpt", "api", "m").entry
    assert exact is not None
    assert exact.litellm_params["api_base"] == "http://localhost:1/v1"
    own = known.register_agent("b", "openai-gpt", "api", "n", SECRET).entry
    assert own is not None
    assert own.litellm_params == {
        "model": "openai/n", "api_base": "http://localhost:2/v1",
        "api_key": "os.environ/the key of agent b",
    }  # fmt: skip
    elsewhere = known.register_agent(
        "c", "openai-gpt", "api", "n", SECRET, metadata={"api_base": "http://localhost:3/v1"}
    ).entry
    assert elsewhere is not None
    assert elsewhere.litellm_params["api_base"] == "http://localhost:3/v1"


def test_a_server_of_ones_own_needs_no_key_and_gets_none_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = {"api_base": "http://192.0.2.1:8000/v1"}
    made = registry().register_agent("a", "custom", "api", "my/model", metadata=base)
    assert made.entry is not None
    assert made.entry.litellm_params == {"model": "hosted_vllm/my/model", **base}
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", SECRET)  # LiteLLM would send it there
    with pytest.raises(ConfigError, match="where no configured key belongs"):
        registry().register_agent("a", "custom", "api", "my/model", metadata=base)


def test_a_task_is_held_to_its_types() -> None:
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"task_id": " "}, ValueError, "task_id is blank"),
        ({"task_id": 1}, TypeError, "task_id must be a str, not int"),
        ({"description": ""}, ValueError, "description is blank"),
        ({"metadata": "x"}, TypeError, "metadata must be a mapping"),
        ({"metadata": {"context": {1, 2}}}, ValueError, "metadata.context has no JSON form"),
        ({"metadata": {"context": [float("nan")]}}, ValueError, "context has no JSON form"),
        ({"agent": 3}, TypeError, "agent must be a str, not int"),
        ({"metadata": {"contxt": 1}}, ValueError, "'contxt', which nobody is sent; write 'con"),
        ({"depends_on": "ab"}, TypeError, "depends_on must be a list of the ids of tasks"),
        ({"depends_on": [1]}, TypeError, "depends_on must be a list of the ids of tasks"),
    ]
    for fields, kind, why in wrong:
        with pytest.raises(kind, match=why):
            AgentTask(**{"task_id": "t", "description": "do it", **fields})
    with pytest.raises(TypeError, match="registry is a dict, not an AgentRegistry"):
        TaskExecutor({})  # type: ignore[arg-type]  # what is tested


def test_tasks_that_cannot_be_ordered_are_refused() -> None:
    def task(name: str, *before: str) -> AgentTask:
        return AgentTask(name, "do it", depends_on=before)

    wrong: list[tuple[list[Any], str]] = [
        ([task("a", "b"), task("b", "c"), task("c", "a")], "in a circle: 'a' -> 'b' -> 'c' -> 'a'"),
        ([task("a", "a")], "in a circle: 'a' -> 'a'"),
        ([task("draft"), task("b", "drafts")], "'b' depends on 'drafts': did you mean 'draft'"),
        ([task("b", "x")], "'b' depends on 'x': it is not among the tasks"),
        ([task("a"), task("a")], "two tasks are called 'a'"),
        (["a"], "one is str"),
    ]
    for tasks, why in wrong:
        with pytest.raises((ValueError, TypeError)) as raised:
            graph_of(tasks)
        assert why in str(raised.value)


@given(st.dictionaries(st.sampled_from("abcdefg"), st.sets(st.sampled_from("abcdefg"))))
def test_an_order_heeds_every_dependency_or_a_circle_is_named(needs: dict[str, set[str]]) -> None:
    known = {name: tuple(sorted(before & set(needs))) for name, before in needs.items()}
    tasks = [AgentTask(name, "do it", depends_on=before) for name, before in known.items()]
    try:
        graph = graph_of(tasks)
    except ValueError as error:
        circle = str(error).partition("circle: ")[2].replace("'", "").split(" -> ")
        assert circle[0] == circle[-1]
        assert all(after in known[before] for before, after in itertools.pairwise(circle))
        return
    over: list[str] = []
    while graph.is_active():
        for name in graph.get_ready():
            assert set(known[name]) <= set(over)
            over.append(name)
            graph.done(name)
    assert sorted(over) == sorted(known)


def test_importing_the_room_loads_neither_the_database_nor_litellm() -> None:
    code = (
        "import sys, orchestrator.agents.tasks.executor, orchestrator.agents.tasks.provider; "
        "print([m for m in ('sqlalchemy', 'litellm', 'fastapi') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
