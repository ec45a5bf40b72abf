"""Every provider and model by name: a view over a `Config`, and the facts about what is in it.

What is registered becomes part of the configuration (`LLMRegistry.config`), so that it is saved,
routed and called as if it had stood in the file.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from pydantic import SecretStr

from orchestrator.config.providers import prefix_of
from orchestrator.config.settings import GIVEN, Config
from orchestrator.models.configured import ConfiguredModels
from orchestrator.models.credentials import opened
from orchestrator.models.deployments import resolved, why_missing
from orchestrator.models.detectors import detected
from orchestrator.models.lifecycle import LLMLifecycle, LLMRuntimeConfig, LLMState, utc_now
from orchestrator.models.profiles import (
    LLMCapabilities,
    LLMProfile,
    Provider,
    ProviderState,
)
from orchestrator.models.registry_files import (
    as_yaml,
    entries_of,
    entry_of_model,
    provider_of,
    providers_in,
    reaching,
    variable_for,
    variables_for,
    variables_of,
)
from orchestrator.models.retirement import today_utc
from orchestrator.types.errors import ConfigError, NoDeploymentError

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

    from orchestrator.models.credentials import CredentialManager, Key
    from orchestrator.types.requests import WireAttempt


@dataclass(slots=True)
class _Life:
    """What happened to one provider.

    `refused` is the hash of the keys that it refused, None where it refused none.
    """

    registered_at: datetime.datetime
    initialized_at: datetime.datetime | None = None
    why_failed: str = ""
    refused: int | None = None


class LLMRegistry(ConfiguredModels):
    """Providers and models, what they can, and which of them can be called."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str] | None = None,
        credential_manager: CredentialManager | None = None,
        auto_update_capabilities: bool = True,
    ) -> None:
        """`credential_manager` is asked for keys that the environment does not hold; without
        `auto_update_capabilities` only the configuration and probes say what a model can."""
        if credential_manager is not None and not hasattr(credential_manager, "get"):
            kind = type(credential_manager).__name__
            raise TypeError(f"credential_manager is a {kind}, which has no get(name)")
        self._environ = os.environ if environ is None else environ
        self._manager = credential_manager
        self._keys: dict[str, Key] = {}
        self._lives: dict[str, _Life] = {}
        self._reads_table = auto_update_capabilities
        self.version = 0
        self._changed(config)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a registry holds keys: save() it, and read the file elsewhere")

    def __repr__(self) -> str:
        return f"LLMRegistry({', '.join(self.providers())})"

    @classmethod
    def create_default(
        cls,
        auto_update_capabilities: bool = True,  # noqa: FBT001  the published signature
        credential_manager: CredentialManager | None = None,
    ) -> Self:
        """A registry over the configuration that `Config.load` finds.

        Raises: ConfigError: the file is wrong.
        """
        return cls(
            Config.load(None, os.environ),
            credential_manager=credential_manager,
            auto_update_capabilities=auto_update_capabilities,
        )

    @classmethod
    def from_config(
        cls, source: str | Path | Mapping[str, object] | Config, **options: Any
    ) -> Self:
        """A registry over a file, a mapping or a `Config`; `options` as of the class.

        Raises: ConfigError: the configuration is wrong.
        """
        if not isinstance(source, str | os.PathLike | Mapping | Config):
            raise TypeError(f"source is a {type(source).__name__}, not a path or a configuration")
        environ = options.get("environ")
        return cls(Config.load(source, os.environ if environ is None else environ), **options)

    def environ(self) -> dict[str, str]:
        """The environment with every key that was given or that the manager has; handle with care.

        Raises: ConfigError: a key is not one.
        """
        made = dict(self._environ)
        for name in variables_of(self._config):
            if name in self._keys:
                made[name] = opened(self._keys[name], name)
            elif not made.get(name, "").strip() and self._manager is not None:
                made[name] = opened(functools.partial(self._manager.get, name), name)
        return {name: value for name, value in made.items() if value}

    def provider_state(self, name: str) -> ProviderState:
        """How far a provider has come; one whose credential has appeared meanwhile is initialized.

        Raises: ConfigError: it is not registered.
        """
        prefix = self._known_provider(name)
        life = self._lives[prefix]
        if life.refused is not None and life.refused != self._hash_of_keys(prefix, self.environ()):
            life.why_failed, life.refused = "", None
            self.version += 1  # who is bound to the older key takes the new one
        if life.why_failed:
            return ProviderState.FAILED
        if self._missing(prefix):
            life.initialized_at = None
            return ProviderState.REGISTERED
        life.initialized_at = life.initialized_at or utc_now()
        return ProviderState.INITIALIZED

    def is_provider_initialized(self, name: str) -> bool:
        """Whether models of a provider can be called; False for one that is not registered."""
        is_known = prefix_of(name) in self._lives
        return is_known and self.provider_state(name) is ProviderState.INITIALIZED

    def register_provider(self, provider: Provider | Mapping[str, Any] | str) -> tuple[str, ...]:
        """Register a provider by name, or with its address and limits, and the models it lists.

        A mapping may have the shape of an older ``provider.yaml``. LiteLLM's prefixes come back.

        Raises: ConfigError: it is registered with other settings, or a field is wrong.
        """
        return self._registered(providers_in(provider))

    def _registered(self, found: Sequence[tuple[Provider, Mapping[str, Any]]]) -> tuple[str, ...]:
        for made, models in found:
            prefix = prefix_of(made.name)
            entry = entry_of_model(made, prefix, "*", name=f"{prefix}/*")
            others = [one for one in self._config.model_list if one.model_name == entry.model_name]
            if others and others[0] != entry:
                raise ConfigError(made.name, "is registered with other settings")
            if not others:
                every = (*self._config.model_list, entry)
                self._changed(self._config.model_copy(update={"model_list": every}))
            for model, stated in models.items():
                self.register_model(made.name, model, capabilities=stated)
        return tuple(prefix_of(provider.name) for provider, _ in found)

    def initialize_provider(
        self, name: str = "", api_key: Key | None = None, *, provider_name: str = ""
    ) -> ProviderState:
        """Give a provider its key; without one, look for it in the environment and the manager.

        A callable is asked at each construction. A second key takes the place of the first.

        Raises: ConfigError: the provider is not registered, the key is not one, or none is found.
        """
        prefix = self._known_provider(name or provider_name)
        if prefix_of(provider_name or name) != prefix:
            words = f"{provider_name!r} is not {name!r}, which is named as well"
            raise ConfigError("provider_name", words, fix="Name one provider.")
        life = self._lives[prefix]
        life.why_failed, life.refused = "", None
        try:
            if api_key is not None:
                opened(api_key, f"the key of {prefix}")
                self._take_key(prefix, api_key)
            if self.provider_state(prefix) is not ProviderState.INITIALIZED:
                raise ConfigError(prefix, f"has no credential ({self._why_missing(prefix)})")  # noqa: TRY301
        except ConfigError as error:
            life.why_failed = str(error) if api_key is not None else ""
            raise
        self.version += 1
        return ProviderState.INITIALIZED

    def observe(self, attempt: WireAttempt, environ: Mapping[str, str]) -> None:
        """Take note of a call that was made with the keys in `environ`: where the key is refused,
        its provider has failed, until there is an answer or another key."""
        life = self._lives.get(attempt.provider)
        if life is None:
            return
        if attempt.outcome == "AuthenticationError":
            life.why_failed = "a call with its key was refused (AuthenticationError)"
            life.refused = self._hash_of_keys(attempt.provider, environ)
        elif attempt.outcome == "answered" and life.refused is not None:
            life.why_failed, life.refused = "", None

    def require_initialized(self, name: str) -> None:
        """Raises: NoDeploymentError: a provider cannot be called; the message says why."""
        prefix = self._known_provider(name)
        if self.provider_state(prefix) is ProviderState.INITIALIZED:
            return
        why = self._lives[prefix].why_failed or self._why_missing(prefix)
        fix = f"registry.initialize_provider({prefix!r}, api_key) gives it one."
        raise NoDeploymentError(f"{prefix} is not initialized: {why}. {fix}", provider=prefix)

    def register_model(
        self,
        provider: str,
        model: str,
        *,
        name: str = "",
        capabilities: LLMCapabilities | Mapping[str, Any] | None = None,
        **litellm_params: Any,
    ) -> LLMProfile:
        """Register a model of a registered provider; `capabilities` are its `model_info`.

        Raises: ConfigError: the provider is not registered, a field is unknown, or the name is
            that of another model.
        """
        prefix = self._known_provider(provider)
        model = model.removeprefix(f"{prefix}/")
        if not model.strip():
            raise ConfigError("model", f"{model!r} is not the name of a model")
        entry = entry_of_model(
            Provider(name=prefix), prefix, model, name=name, capabilities=capabilities,
            params={**reaching(self._config, prefix), **litellm_params},
        )  # fmt: skip
        same = [one for one in self._config.model_list if one.model_name == entry.model_name]
        if any(one.litellm_params.get("model") != f"{prefix}/{model}" for one in same):
            raise ConfigError(entry.model_name, "is the name of another model")
        if len(same) > 1:
            fix = "Give this one a name of its own."
            raise ConfigError(entry.model_name, f"has {len(same)} deployments", fix=fix)
        kept = [one for one in self._config.model_list if one not in same]
        self._changed(self._config.model_copy(update={"model_list": (*kept, entry)}))
        return self.get_model(entry.model_name)

    async def detect_and_register_model(
        self, provider_name: str, model_name: str, api_key: Key | None = None
    ) -> LLMProfile:
        """Register a model with what detectors, table and catalogue know of it.

        Detectors are entry points of the group ``orchestrator.capability_detectors``.

        Raises: ConfigError: as `register_model` and `initialize_provider`.
        """
        prefix, key = await asyncio.to_thread(self._prepared, provider_name, api_key)
        found = await detected(prefix, model_name, key)
        return await asyncio.to_thread(
            self.register_model, prefix, model_name, capabilities=found or None
        )

    def _prepared(self, name: str, api_key: Key | None) -> tuple[str, str]:
        """The prefix of a provider that can be called now, and its key."""
        prefix = prefix_of(name)
        if prefix not in self._lives:
            self.register_provider(name)
        if api_key is not None or not self.is_provider_initialized(prefix):
            self.initialize_provider(prefix, api_key)
        known = self.environ()
        return prefix, next(
            (known.get(name, "") for name in variables_for(self._config, prefix)), ""
        )

    def state(self, name: str, runtime: LLMRuntimeConfig | None = None) -> LLMState:
        """What is called under a name, and how.

        Raises: ConfigError: nothing is registered under that name.
        """
        profile = self.get_model(name)
        variable = next(iter(variables_for(self._config, profile.provider)), "")
        provider = Provider(name=profile.provider, api_key_variable=variable)
        return LLMState(provider=provider, profile=profile, runtime=runtime or LLMRuntimeConfig())

    def lifecycle(self, name: str) -> LLMLifecycle:
        """When what happened to a model and its provider. Raises: ConfigError: as `get_model`."""
        profile = self.get_model(name)
        self.provider_state(profile.provider)
        life = self._lives[profile.provider]
        return LLMLifecycle(
            registered_at=life.registered_at,
            initialized_at=life.initialized_at,
            last_capability_update=self._updated_at,
            is_deprecated=profile.is_deprecated(today_utc()),
            recommended_replacement=profile.recommended_replacement,
        )

    def save(self, path: str | Path) -> None:
        """Write the configuration, with the names of keys in place of keys.

        Raises: ConfigError: a key stands in it as such; OSError: the file cannot be written.
        """
        as_yaml(self._config, Path(path))

    def reload(self, path: str | Path | None = None) -> None:
        """Read the file again, or another one; keys that were given stay.

        Raises: ConfigError: it is wrong, or there is none; then everything stays as it was.
        """
        if not path and self._config.source in ("", GIVEN):
            fix = "registry.reload(path) reads one."
            raise ConfigError("path", "this configuration was read from no file", fix=fix)
        self._changed(Config.load(path or self._config.source, self._environ))

    def import_providers(self, path: str | Path) -> tuple[str, ...]:
        """Register what an older ``provider.yaml`` holds; the names of its providers.

        Raises: ConfigError: the file cannot be read, or a field is unknown.
        """
        return self._registered(providers_in(Path(path)))

    def _changed(self, config: Config) -> None:
        ConfiguredModels.__init__(self, config, self._environ, reads_table=self._reads_table)
        self._updated_at = utc_now()
        for one in self._all:
            self._lives.setdefault(one.provider, _Life(self._updated_at))
        self.version += 1

    def _missing(self, prefix: str) -> list[str]:
        known = self.environ()
        every = [resolved(one.litellm_params, known)[1] for one in entries_of(self._config, prefix)]
        return min(every, key=len, default=[])

    def _why_missing(self, prefix: str) -> str:
        return why_missing(sorted(self._missing(prefix)), self.environ())

    def _hash_of_keys(self, prefix: str, environ: Mapping[str, str]) -> int:
        return hash(tuple(environ.get(name) for name in variables_for(self._config, prefix)))

    def _take_key(self, prefix: str, key: Key) -> None:
        """Keep a key under the variables of a provider; what states none refers to a new one."""
        if not variables_for(self._config, prefix):
            added = {"api_key": f"os.environ/{variable_for(prefix)}"}
            self._changed(self._config.model_copy(update={"model_list": tuple(
                one.model_copy(update={"litellm_params": {**one.litellm_params, **added}})
                if provider_of(one) == prefix else one
                for one in self._config.model_list
            )}))  # fmt: skip
        key = SecretStr(key) if isinstance(key, str) else key
        self._keys.update(dict.fromkeys(variables_for(self._config, prefix), key))
