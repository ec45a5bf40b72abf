"""What a registry reads and writes: entries of a model_list, YAML, and the older provider.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from orchestrator.config.files import yaml_value
from orchestrator.config.providers import LOCAL_PREFIXES
from orchestrator.config.settings import Config, ModelListEntry
from orchestrator.ledger.private import write_private
from orchestrator.models.deployment import Deployment, Secret
from orchestrator.models.deployments import resolved
from orchestrator.models.facts import ABILITIES, LIMITS
from orchestrator.models.origins import HEADERS, says_where
from orchestrator.models.profiles import LLMCapabilities, Provider, RateLimits
from orchestrator.models.secrets import private_values
from orchestrator.models.surroundings import is_secret
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    Models = dict[str, LLMCapabilities]

_ENV = "os.environ/"
_OLDER = ("name", "api_base", "base_url", "api_key", "api_key_env", "rate_limits", "models")
_KEYS = {**ABILITIES, **LIMITS}
_REACHING = frozenset({"rpm", "tpm", "api_version", "organization", "timeout", *HEADERS})
_OF_A_CLOUD = ("aws_", "azure_", "vertex_", "watsonx_")


def variables_of(config: Config) -> list[str]:
    """Every variable that the deployments of a configuration refer to."""
    texts = (text for one in config.model_list for text in _texts(one.litellm_params))
    return list(dict.fromkeys(t.removeprefix(_ENV) for t in texts if t.startswith(_ENV)))


def variable_for(prefix: str) -> str:
    """The variable of a provider's key where nothing names another."""
    return f"{re.sub(r'[^A-Z0-9]', '_', prefix.upper())}_API_KEY"


def variables_for(config: Config, prefix: str) -> list[str]:
    """The variables that hold a provider's keys."""
    keys = (one.litellm_params.get("api_key") for one in entries_of(config, prefix))
    names = (key.partition(_ENV)[2] for key in keys if isinstance(key, str))
    return [name for name in dict.fromkeys(names) if name]


def entries_of(config: Config, prefix: str) -> list[ModelListEntry]:
    """The entries of a provider's models."""
    return [one for one in config.model_list if provider_of(one) == prefix]


def reaching(config: Config, prefix: str) -> dict[str, Any]:
    """The parameters by which the calls of a provider get there: address, keys, rates.

    What else an entry states (prices, limits, temperature) is about its own model.
    """
    every = entries_of(config, prefix)
    whole = [one for one in every if one.model_name == f"{prefix}/*"]
    return {
        name: value
        for one in whole or every[-1:]
        for name, value in one.litellm_params.items()
        if name in _REACHING or name.startswith(_OF_A_CLOUD) or is_secret(name) or says_where(name)
    }


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def entry_of_model(
    provider: Provider,
    prefix: str,
    model: str,
    *,
    name: str = "",
    capabilities: LLMCapabilities | Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
) -> ModelListEntry:
    """The entry of a model_list for one model of a provider.

    Raises: ConfigError: a capability is unknown or of the wrong type, or a key is given as such.
    """
    full = f"{prefix}/{model}"
    made: dict[str, Any] = {"model": full}
    if provider.api_base:
        made["api_base"] = provider.api_base
    if provider.api_key_variable or prefix not in LOCAL_PREFIXES:
        variable = provider.api_key_variable or variable_for(prefix)
        made["api_key"] = f"{_ENV}{variable}"
    limits = provider.rate_limits
    stated = {"rpm": limits.requests_per_minute, "tpm": limits.tokens_per_minute}
    made |= {key: value for key, value in stated.items() if value is not None}
    made |= {**(params or {}), "model": full}
    _refuse_keys(made, full)
    info = _model_info(capabilities) if capabilities is not None else {}
    return ModelListEntry(model_name=name or full, litellm_params=made, model_info=info)


def _model_info(capabilities: LLMCapabilities | Mapping[str, Any]) -> dict[str, Any]:
    try:
        known = LLMCapabilities.model_validate(capabilities)
    except ValidationError as error:
        raise _wrong("capabilities", error) from None
    stated = known.model_dump(exclude_none=True)
    return {_KEYS[name]: value for name, value in stated.items()}


def as_yaml(config: Config, path: Path) -> None:
    """Write a configuration for this user only.

    Raises: ConfigError: a key stands in it as such; OSError: the file cannot be written.
    """
    tree = config.model_dump(mode="json", exclude_defaults=True)
    _refuse_keys(tree, str(config.source))
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    write_private(path, text.encode())


def _refuse_keys(tree: Mapping[str, Any], where: str) -> None:
    """Raises: ConfigError: a value that is secret by its name is not a reference."""
    if any(value and not value.startswith(_ENV) for value in private_values(tree)):
        fix = "Write os.environ/NAME there, and give the key with initialize_provider."
        raise ConfigError(where, "holds a key, which would be written to a file", fix=fix)


def providers_in(given: Provider | Mapping[str, Any] | str | Path) -> list[tuple[Provider, Models]]:
    """Providers with the models they list, from data or from an older ``provider.yaml``.

    Such a file holds one provider, or several under ``providers``, as a list or by name.

    Raises: ConfigError: it cannot be read, or a field is unknown, missing or of the wrong type.
    """
    if isinstance(given, Provider):
        return [(given, {})]
    if isinstance(given, str):
        given = {"name": given}
    where, tree = "provider", given
    if isinstance(given, Path):
        where = str(given)
        try:
            tree = yaml_value(given)
        except (OSError, ValueError) as error:
            raise ConfigError(where, f"cannot be read: {error}") from None
    several = tree.get("providers") if isinstance(tree, Mapping) else None
    if isinstance(several, Mapping):
        several = [{"name": name, **_mapping(one, name)} for name, one in several.items()]
    found = several if isinstance(several, list) else [tree]
    return [_older(_mapping(one, where), where) for one in found]


def _older(tree: Mapping[str, Any], where: str) -> tuple[Provider, Models]:
    if unknown := [str(name) for name in tree if name not in _OLDER]:
        raise ConfigError(f"{where}: {unknown[0]}", f"is not one of {', '.join(_OLDER)}")
    key = str(tree.get("api_key") or "")
    if key and not key.startswith((_ENV, "${")):
        raise ConfigError(f"{where}: api_key", "is a key; name its variable: api_key_env: NAME")
    variable = tree.get("api_key_env") or key.removeprefix(_ENV).strip("${}")
    listed = tree.get("models") or {}
    if isinstance(listed, list):
        listed = dict(_listed(one, where) for one in listed)
    try:
        provider = Provider(
            name=tree.get("name", ""),
            api_base=tree.get("api_base") or tree.get("base_url") or "",
            api_key_variable=variable,
            rate_limits=RateLimits.model_validate(tree.get("rate_limits") or {}),
        )
        models = {
            str(model): LLMCapabilities.model_validate(
                _about_model(about or {}, f"{where}: models.{model}").get("capabilities") or {}
            )
            for model, about in _mapping(listed, where).items()
        }
    except ValidationError as error:
        raise _wrong(where, error) from None
    return provider, models


def _about_model(about: object, where: str) -> Mapping[str, Any]:
    found = _mapping(about, where)
    if unknown := [str(name) for name in found if name not in ("name", "capabilities")]:
        raise ConfigError(f"{where}.{unknown[0]}", "is not one of name, capabilities")
    return found


def _listed(one: object, where: str) -> tuple[str, Mapping[str, Any]]:
    about = {"name": one} if isinstance(one, str) else _mapping(one, where)
    if not about.get("name"):
        raise ConfigError(f"{where}: models", "a model has no name")
    return str(about["name"]), about


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(where, f"holds a {type(value).__name__} where a mapping is expected")
    return value


def _wrong(where: str, error: ValidationError) -> ConfigError:
    problem = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, problem["loc"]))
    is_odd = problem["type"] == "string_pattern_mismatch"
    words = "is not a name" if is_odd else problem["msg"][:1].lower() + problem["msg"][1:]
    return ConfigError(f"{where}: {place}" if place else where, words)


def provider_of(one: ModelListEntry) -> str:
    """LiteLLM's prefix of an entry's model."""
    return str(one.litellm_params.get("model", "")).partition("/")[0]


def as_written(config: Config, environ: Mapping[str, str]) -> tuple[Deployment, ...]:
    """The deployments of a configuration, whether they can be called or not: with what
    ``os.environ/NAME`` stands for, or as they are written where that is not set."""
    known = {**environ, **config.environment_variables}
    made = []
    for index, one in enumerate(config.model_list):
        params, missing = resolved(one.litellm_params, known)
        params = dict(one.litellm_params) if missing else params
        name = str(one.model_info.get("id") or f"{one.model_name}-{index}")
        model = str(params.get("model", ""))
        made.append(Deployment(one.model_name, model, name, Secret(params), one.model_info))
    return tuple(made)
