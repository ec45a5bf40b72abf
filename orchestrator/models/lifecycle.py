"""State, life cycle and settings of one model; none of them does anything.

`LLMState` says what is called and how; `LLMLifecycle` says when what happened to it. Both are
frozen: a change is a new one.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Mapping
from enum import Enum
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.json_schema import models_json_schema

from orchestrator.config.providers import prefix_of
from orchestrator.models.profiles import LLMCapabilities, LLMProfile, Provider, family_of
from orchestrator.parsing.spelling import nearest
from orchestrator.types.errors import ConfigError

#: The fields of the older flat state.
LEGACY = (
    "provider", "model", "api_key", "max_tokens", "temperature", "max_context_tokens", "stream",
)  # fmt: skip


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LLMRuntimeConfig(_Frozen):
    """How a model is asked; null leaves it to the configuration, then to the provider."""

    api_key: SecretStr | None = Field(default=None, exclude=True, description="Never written.")
    max_tokens: int | None = Field(
        default=None, ge=1, strict=True, description="Most tokens of an answer."
    )
    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False, strict=True)
    stream: bool = Field(
        default=False, strict=True, description="Whether models are asked for a stream."
    )

    def __getstate__(self) -> dict[Any, Any]:
        """What is pickled: everything but the key."""
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "api_key": None}}


class LLMState(_Frozen):
    """What is called: a provider, one model's profile, and how it is asked."""

    provider: Provider
    profile: LLMProfile
    runtime: LLMRuntimeConfig = LLMRuntimeConfig()

    @classmethod
    def from_legacy(cls, flat: Mapping[str, object] | object) -> Self:
        """The state in an older flat dict, or in an object with the same fields.

        Raises: ConfigError: a field is unknown, missing or of the wrong type; no value is shown.
        """
        warnings.warn(
            "a flat state (provider, model, api_key, max_tokens, …) is the older form; write"
            " LLMState(provider=Provider(…), profile=LLMProfile(…), runtime=LLMRuntimeConfig(…))",
            DeprecationWarning,
            stacklevel=2,
        )
        given = _fields(flat)
        name, model = str(given["provider"]), str(given["model"])
        prefix = prefix_of(name)
        full = f"{prefix}/{model.removeprefix(f'{name}/').removeprefix(f'{prefix}/')}"
        window = given.get("max_context_tokens")
        runtime = {n: given[n] for n in ("api_key", "max_tokens", "temperature") if n in given}
        try:
            capabilities = LLMCapabilities.model_validate({"max_context_window": window})
            return cls(
                provider=Provider(name=name),
                profile=LLMProfile(
                    name=full,
                    provider=prefix,
                    model=full,
                    family=family_of(full),
                    capabilities=capabilities,
                ),
                runtime=LLMRuntimeConfig.model_validate(
                    {**runtime, "stream": given.get("stream") or False}
                ),
            )
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, problem["loc"])).replace(
                "max_context_window", "max_context_tokens"
            )
            raise ConfigError(place, problem["msg"].lower()) from None

    def to_legacy(self) -> dict[str, object]:
        """The older flat dict; the key in it is a `SecretStr`, or None."""
        return {
            "provider": self.provider.name,
            "model": self.profile.model.removeprefix(f"{prefix_of(self.provider.name)}/"),
            "api_key": self.runtime.api_key,
            "max_tokens": self.runtime.max_tokens,
            "temperature": self.runtime.temperature,
            "max_context_tokens": self.profile.capabilities.max_context_window,
            "stream": self.runtime.stream,
        }


class LLMLifecycle(_Frozen):
    """What happened to a model, and when; times are UTC, null stands for never."""

    registered_at: AwareDatetime
    initialized_at: AwareDatetime | None = None
    last_capability_update: AwareDatetime | None = None
    is_deprecated: bool = False
    recommended_replacement: str = Field(default="", description="Empty when none is named.")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the registry's data, by name under ``$defs``."""
    models = (LLMProfile, Provider, LLMState, LLMLifecycle)
    return models_json_schema([(one, "serialization") for one in models])[1]


def utc_now() -> datetime.datetime:
    """This moment, as life cycles write it."""
    return datetime.datetime.now(datetime.UTC)


def _fields(flat: Mapping[str, object] | object) -> dict[str, object]:
    if isinstance(flat, Mapping):
        given = {str(name): value for name, value in flat.items()}
        for name in given:
            if name not in LEGACY:
                near = nearest(name, LEGACY)
                fix = f"Did you mean {near!r}?" if near else f"Known: {', '.join(LEGACY)}."
                raise ConfigError(name, "is not a field of the flat state", fix=fix)
    else:
        given = {name: getattr(flat, name) for name in LEGACY if hasattr(flat, name)}
    given = {
        name: value.value if isinstance(value, Enum) else value for name, value in given.items()
    }
    for name in ("provider", "model"):
        said = given.get(name)
        if not said:
            raise ConfigError(name, "is missing in the flat state")
        if not isinstance(said, str) or not said.strip():
            raise ConfigError(name, f"{said!r} is not a name")
    return {name: value for name, value in given.items() if value is not None}
