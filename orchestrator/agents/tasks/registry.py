"""The agents that tasks can be given to. What one lacks is said when it is registered."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import SecretStr

from orchestrator.agents.tasks.script import without_keys
from orchestrator.agents.tasks.task import AgentInterface, AgentType
from orchestrator.client.llm_interface import alone
from orchestrator.config.providers import AGENT_TYPES, LOCAL_PREFIXES, PROVIDERS, prefix_of
from orchestrator.config.settings import Config, ModelListEntry
from orchestrator.models.addresses import base_of, origin_of
from orchestrator.models.credentials import opened
from orchestrator.models.deployment import Deployment, Secret
from orchestrator.models.deployments import ASKED_FOR, deployments_of, resolved, why_missing
from orchestrator.models.origins import CHAINS, credentials_in, elsewhere, keys_at_risk, says_where
from orchestrator.models.registry_files import entries_of, reaching, variable_for
from orchestrator.models.surroundings import surroundings
from orchestrator.parsing.spelling import nearest
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from orchestrator.models.credentials import Key

_ENV = "os.environ/"
_OURS = frozenset({
    "model", "messages", "stream", "max_tokens", "temperature", "provider", "cache", "tenant",
    "on_text", *CHAINS,
})  # fmt: skip
_CHOICES = tuple(dict.fromkeys((*map(str, AgentType), *PROVIDERS)))
#: LiteLLM's prefix of a server that speaks OpenAI's protocol and needs no key.
_COMPATIBLE = "hosted_vllm"


def _is_number(value: object, least: float = 0.0) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def _is_command(value: object) -> bool:
    is_list = isinstance(value, list | tuple) and bool(value) and bool(value[0])
    return is_list and all(isinstance(one, str) and "\0" not in one for one in value)  # type: ignore[attr-defined]  # a list


#: What the metadata of an agent may hold.
_METADATA: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "system_prompt": (lambda v: isinstance(v, str), "a text"),
    "max_tokens": (lambda v: isinstance(v, int) and _is_number(v, 1), "a number of tokens"),
    "temperature": (_is_number, "a number from 0 on"),
    "api_base": (lambda v: bool(origin_of(v)), "an address such as http://localhost:8000/v1"),
    "script": (_is_command, "a list of arguments, the program first: no shell reads it"),
    "timeout_s": (lambda v: _is_number(v) and v > 0, "seconds for the script"),
    "parameters": (lambda v: isinstance(v, Mapping), "a mapping of LiteLLM's further arguments"),
    "labels": (lambda v: isinstance(v, Mapping), "a mapping: the caller's own, sent to nobody"),
}


@dataclass(frozen=True, slots=True)
class RegisteredAgent:
    """One agent; it holds no key.

    Attributes:
        agent_type: an `AgentType`, or the name of a provider.
        model: in LiteLLM's spelling, with the prefix of its provider; empty where it has none.
        metadata: as it was registered.
    """

    name: str
    agent_type: str
    interface: AgentInterface
    model: str
    metadata: Mapping[str, Any] = field(repr=False)
    entry: ModelListEntry | None = field(default=None, repr=False)

    @property
    def group(self) -> str:
        """The model group of this agent alone, which the ledger shows as the route."""
        return f"agent/{self.name}"

    @property
    def script(self) -> tuple[str, ...]:
        """The program and its arguments; empty where it has none."""
        return tuple(self.metadata.get("script", ()))

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments of each of its calls."""
        prefix = self.model.partition("/")[0]
        usual = next((one.max_tokens for one in PROVIDERS.values() if prefix in one.prefixes), None)
        made = {"max_tokens": usual, **self.metadata.get("parameters", {})}
        made |= {n: self.metadata[n] for n in ("max_tokens", "temperature") if n in self.metadata}
        return {name: value for name, value in made.items() if value is not None}


class AgentRegistry:
    """Agents by name, over a configuration that says how providers are reached."""

    def __init__(
        self,
        config: str | Path | Mapping[str, object] | Config | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`config` is that of `Orchestrator`: addresses, keys and rates of its providers hold for
        agents that state none, its budgets, limits, cache, ledger and privacy for all of them.

        Raises: ConfigError: the configuration is wrong.
        """
        self._environ = os.environ if environ is None else environ
        self._config = Config.load(config, self._environ)
        self._agents: dict[str, RegisteredAgent] = {}
        self._keys: dict[str, SecretStr] = {}
        self.version = 0

    def __reduce__(self) -> NoReturn:
        raise TypeError("a registry of agents holds keys: register them where they are needed")

    def __repr__(self) -> str:
        return f"AgentRegistry({', '.join(self._agents)})"

    def __iter__(self) -> Iterator[RegisteredAgent]:
        return iter(tuple(self._agents.values()))

    def __len__(self) -> int:
        return len(self._agents)

    def __contains__(self, name: object) -> bool:
        return name in self._agents

    def register_agent(
        self,
        name: str,
        agent_type: AgentType | str,
        interface: AgentInterface | str = AgentInterface.API,
        model: str = "",
        api_key: Key | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> RegisteredAgent:
        """Register an agent; nothing is asked.

        `api_key` is used for the calls of this agent alone; it may be ``os.environ/NAME``, and a
        callable is asked now. Without it the key and address of the configuration are used, else
        the variable of the provider. `metadata` may hold system_prompt, max_tokens, temperature,
        api_base, script, timeout_s, parameters and labels. `replace` takes the place of an agent.

        Raises: ConfigError: the name is taken, or something is unknown, missing or not allowed;
            no key is shown.
        """
        place = f"agent {name!r}"
        if not isinstance(name, str) or not name.strip() or not name.isprintable() or "*" in name:
            raise ConfigError(place, "is not a name")
        if name in self._agents and not replace:
            raise ConfigError(place, "is registered", fix="Pass replace=True to take its place.")
        kind = _one_of(agent_type, _CHOICES, f"{place}: agent_type")
        how = AgentInterface(
            _one_of(interface, tuple(map(str, AgentInterface)), f"{place}: interface")
        )
        known = _checked(metadata or {}, place)
        if how is AgentInterface.SCRIPT and api_key is not None:
            raise ConfigError(f"{place}: api_key", "is given, and a script is handed none")
        if how is AgentInterface.SCRIPT or "script" in known:
            self._refuse_missing_program(known.get("script"), place)
        entry, key, full = None, None, model
        if how is AgentInterface.API:
            full = _model_of(kind, model, known, place)
            key, stated = self._key(api_key, name)
            entry = self._entry(f"agent/{name}", full, stated, str(known.get("api_base", "")))
            self._refuse_uncallable(entry, key, place)
        made = RegisteredAgent(name, kind, how, full, MappingProxyType(known), entry)
        self._keys.pop(name, None)
        if key is not None:
            self._keys[name] = key
        self._agents[name] = made
        self.version += 1
        return made

    def unregister(self, name: str) -> None:
        """Forget an agent and its key. Raises: ConfigError: there is none of that name."""
        self.get(name)
        del self._agents[name]
        self._keys.pop(name, None)
        self.version += 1

    def get(self, name: str) -> RegisteredAgent:
        """The agent of a name. Raises: ConfigError: there is none."""
        if name not in self._agents:
            near = nearest(str(name), self._agents)
            fix = f"Did you mean {near!r}?" if near else f"Known: {', '.join(self._agents)}."
            raise ConfigError("agent", f"{name!r} is not registered", fix=fix)
        return self._agents[name]

    @property
    def config(self) -> Config:
        """The configuration whose deployments are the agents', without fallbacks: an agent's task
        goes to nobody else. It holds none of their keys."""
        return alone(self._config, [one.entry for one in self if one.entry is not None])

    def environ(self) -> dict[str, str]:
        """The environment with the agents' keys, under names that no variable has; handle with
        care."""
        keys = {_variable(name): key.get_secret_value() for name, key in self._keys.items()}
        # It chooses among the models of a file.
        return {**{n: v for n, v in self._environ.items() if n != "DEFAULT_LLM_MODEL"}, **keys}

    def _key(self, given: Key | None, name: str) -> tuple[SecretStr | None, str]:
        """A key that was given, and how the configuration refers to it."""
        if given is None or (isinstance(given, str) and given.startswith(_ENV)):
            return None, given or ""
        key = SecretStr(opened(given, f"the key of agent {name!r}"))
        return key, f"{_ENV}{_variable(name)}"

    def _entry(self, group: str, model: str, key: str, api_base: str) -> ModelListEntry:
        """The deployment of an agent; `key` refers to its own.

        Raises: ConfigError: the key of the configuration belongs to another address.
        """
        prefix = model.partition("/")[0]
        same = [one.litellm_params for one in entries_of(self._config, prefix)]
        exact = next((params for params in same if params.get("model") == model), None)
        params = {**(reaching(self._config, prefix) if exact is None else exact), "model": model}
        if key:
            private = credentials_in(params)
            params = {n: v for n, v in params.items() if n not in private} | {"api_key": key}
        elif _needs_key(prefix) and not credentials_in(params):
            params["api_key"] = f"{_ENV}{variable_for(prefix)}"
        if base := api_base or base_of({"model": model}):
            home = {n: v for n, v in params.items() if n != "model"}
            home = resolved(home, {**self._environ, **self._config.environment_variables})[0]
            one = Deployment(group, model, group, Secret({**home, "model": prefix}), {})
            now = surroundings()
            if not key and any(elsewhere(one, {"api_base": base}, now)) and keys_at_risk(one, now):
                words = f"goes to {origin_of(base)}, where no configured key belongs"
                raise ConfigError(group, words, fix="Give api_key, its own.")
        if api_base:
            params = {n: v for n, v in params.items() if not says_where(n)}
            params["api_base"] = api_base
        return ModelListEntry(
            model_name=group, litellm_params=params, model_info={"id": group, ASKED_FOR: True}
        )

    def _refuse_uncallable(self, entry: ModelListEntry, key: SecretStr | None, place: str) -> None:
        """Raises: ConfigError: no key is set, or the settings forbid it; in a replay never."""
        if self._config.orchestrator.cache.mode == "replay":
            return
        known = {**self.environ(), **self._config.environment_variables}
        if key is not None:
            known[entry.litellm_params["api_key"].removeprefix(_ENV)] = key.get_secret_value()
        if missing := resolved(entry.litellm_params, known)[1]:
            fix = "Set it, give api_key, or let a script do the work: interface='script'."
            raise ConfigError(place, why_missing(missing, known), fix=fix)
        try:
            deployments_of(alone(self._config, [entry]), known)
        except ConfigError as error:
            raise ConfigError(place, f"cannot be called: {error}".rstrip(".")) from None

    def _refuse_missing_program(self, script: Sequence[str] | None, place: str) -> None:
        if script is None:
            fix = "State metadata={'script': ['program', 'argument']}."
            raise ConfigError(f"{place}: metadata.script", "is missing", fix=fix)
        path = without_keys(self._environ).get("PATH", os.defpath)
        if shutil.which(script[0], path=path) is None:
            words = f"{script[0]!r} is not a program that can be run"
            raise ConfigError(f"{place}: metadata.script", words, fix="Name one, or its path.")


def _variable(name: str) -> str:
    return f"the key of agent {name}"


def _needs_key(prefix: str) -> bool:
    """Whether calls of a provider need a key; of others than those of the table LiteLLM knows."""
    is_known = any(prefix in one.prefixes for one in PROVIDERS.values())
    return is_known and prefix not in LOCAL_PREFIXES and prefix != "vertex_ai"


def _one_of(given: object, known: tuple[str, ...], place: str) -> str:
    if given in known:
        return str(given)
    near = nearest(str(given), known)
    fix = f"Did you mean {near!r}?" if near else f"Known: {', '.join(known)}."
    raise ConfigError(place, f"{given!r} is not known", fix=fix)


def _checked(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The metadata of an agent. Raises: ConfigError: one is unknown, or of another type."""
    if not isinstance(given, Mapping):
        raise ConfigError(f"{place}: metadata", f"is a {type(given).__name__}, not a mapping")
    for name, value in given.items():
        if name not in _METADATA:
            near = nearest(str(name), _METADATA)
            fix = f"Did you mean {near!r}?" if near else f"Known: {', '.join(_METADATA)}."
            raise ConfigError(f"{place}: metadata.{name}", "is not known", fix=fix)
        is_right, words = _METADATA[name]
        if not is_right(value):
            raise ConfigError(f"{place}: metadata.{name}", f"is not {words}")
    for name, value in given.get("parameters", {}).items():
        if name in _OURS or says_where(name) or credentials_in({name: value or True}):
            fix = (
                "It has a place of its own: model, api_key, metadata.api_base, metadata.max_tokens."
            )
            raise ConfigError(f"{place}: metadata.parameters.{name}", "is not taken here", fix=fix)
    return copy.deepcopy(dict(given))


def _model_of(kind: str, model: str, metadata: Mapping[str, Any], place: str) -> str:
    """A model in LiteLLM's spelling. Raises: ConfigError: there is none."""
    if not isinstance(model, str) or not model.strip() or not model.isprintable() or "*" in model:
        fix = "Name the model, as its provider does."
        raise ConfigError(f"{place}: model", f"{model!r} is not the name of a model", fix=fix)
    before = model.partition("/")[0] if "/" in model else ""
    if kind != AgentType.CUSTOM:
        provider = AGENT_TYPES.get(kind, kind)
        if before in PROVIDERS[provider].prefixes:
            return model
        return f"{prefix_of(provider)}/{model}"
    is_prefix = before == _COMPATIBLE or any(before in one.prefixes for one in PROVIDERS.values())
    if "api_base" in metadata and not is_prefix:
        return f"{_COMPATIBLE}/{model}"
    if not before:
        fix = "State metadata={'api_base': …}, or the model as prefix/model in LiteLLM's spelling."
        raise ConfigError(f"{place}: model", f"nothing says where {model!r} is", fix=fix)
    return model
