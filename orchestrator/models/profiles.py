"""The data of the registry: model families, capabilities, profiles, providers."""

from __future__ import annotations

import datetime
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestrator.models.facts import ABILITIES, LIMITS, PRICES
from orchestrator.models.secrets import private_values

if TYPE_CHECKING:
    from orchestrator.models.facts import Facts


class ModelFamily(StrEnum):
    """Whose line a model belongs to, by its name."""

    GPT = "gpt"
    CLAUDE = "claude"
    GEMINI = "gemini"
    GEMMA = "gemma"
    LLAMA = "llama"
    MISTRAL = "mistral"
    QWEN = "qwen"
    DEEPSEEK = "deepseek"
    GROK = "grok"
    COMMAND = "command"
    PHI = "phi"
    NOVA = "nova"
    GLM = "glm"
    KIMI = "kimi"
    EMBEDDED = "embedded"
    OTHER = "other"


_FAMILIES = re.compile(
    r"(?<![a-z])(?:(?P<deepseek>deepseek)|(?P<embedded>offline/)|(?P<claude>claude)"
    r"|(?P<gemini>gemini-|gemini/)|(?P<gemma>gemma)|(?P<gpt>gpt|chatgpt|o[134](?![a-z0-9]))"
    r"|(?P<mistral>mistral|mixtral|ministral|codestral|devstral|magistral|pixtral)"
    r"|(?P<qwen>qwen|qwq)|(?P<llama>llama)|(?P<grok>grok)|(?P<command>command-)|(?P<phi>phi-?\d)"
    r"|(?P<nova>nova-)|(?P<glm>glm-)|(?P<kimi>kimi))"
)


def family_of(model: str) -> ModelFamily:
    """The family of a model, from LiteLLM's name of it; what stands last in the name decides."""
    bare = model.lower()
    found = _FAMILIES.search(bare.rpartition("/")[2]) or _FAMILIES.search(bare)
    return ModelFamily(found.lastgroup or "other") if found else ModelFamily.OTHER


class _Data(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        defer_build=True,  # most commands validate none
    )


class LLMCapabilities(_Data):
    """What a model can: each ability is true, false, or null for unknown; limits are in tokens."""

    model_config = ConfigDict(strict=True)  # 1 and "yes" are not true

    vision: bool | None = Field(default=None, description="Reads pictures.")
    audio_input: bool | None = Field(default=None, description="Listens.")
    audio_output: bool | None = Field(default=None, description="Speaks.")
    pdf_input: bool | None = Field(default=None, description="Reads PDF files.")
    video_input: bool | None = Field(default=None, description="Watches.")
    function_calling: bool | None = Field(default=None, description="Calls tools.")
    parallel_function_calling: bool | None = Field(default=None, description="Several at once.")
    tool_choice: bool | None = Field(default=None, description="Calls the tool that is named.")
    response_schema: bool | None = Field(default=None, description="Honours a JSON Schema.")
    json_object: bool | None = Field(default=None, description="Promises JSON.")
    system_messages: bool | None = Field(default=None, description="Takes system messages.")
    reasoning: bool | None = Field(default=None, description="Thinks before it answers.")
    prompt_caching: bool | None = Field(default=None, description="Caches beginnings of prompts.")
    web_search: bool | None = Field(default=None, description="Searches the web itself.")
    streaming: bool | None = Field(default=None, description="Streams its answer.")
    stream_usage: bool | None = Field(default=None, description="Reports usage in streams.")
    max_context_window: int | None = Field(default=None, ge=1, description="Tokens it reads.")
    max_output_tokens: int | None = Field(default=None, ge=1, description="Tokens it writes.")


class LLMProfile(_Data):
    """One model, or a model group taken as its weakest deployment. Prices are US dollars per token;
    null stands for unknown, 0 for a model that costs nothing."""

    name: str = Field(description="Model group, or LiteLLM's name of a model.")
    provider: str = Field(description="LiteLLM's name of the provider.")
    model: str = Field(description="LiteLLM's name of the model.")
    family: ModelFamily = ModelFamily.OTHER
    kind: str = Field(default="chat", description="LiteLLM's mode: chat, embedding, …")
    capabilities: LLMCapabilities = LLMCapabilities.model_construct()
    input_cost_per_token: float | None = Field(default=None, ge=0)
    output_cost_per_token: float | None = Field(default=None, ge=0)
    is_local: bool = Field(default=False, description="Calls stay on this machine.")
    retires_on: datetime.date | None = Field(default=None, description="Null for unknown.")
    recommended_replacement: str = Field(default="", description="Empty when none is named.")

    @property
    def cost(self) -> float | None:
        """Dollars for a million tokens read and a million written; None for unknown."""
        if self.input_cost_per_token is None or self.output_cost_per_token is None:
            return None
        return 1e6 * (self.input_cost_per_token + self.output_cost_per_token)

    def is_deprecated(self, today: datetime.date) -> bool:
        """Whether its provider has retired it."""
        return self.retires_on is not None and self.retires_on <= today


class RateLimits(_Data):
    """What a provider allows; null for no bound."""

    model_config = ConfigDict(strict=True)

    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)


class ProviderState(StrEnum):
    """How far a provider has come."""

    REGISTERED = "registered"  # known, without a credential
    INITIALIZED = "initialized"  # its models can be called
    FAILED = "failed"  # its credential was refused


class Provider(_Data):
    """How to reach a provider. A credential is never part of it, only the name of its variable."""

    name: str = Field(pattern=r"^[\w.-]+$", description="LiteLLM's prefix, or a name of our table.")
    api_base: str = Field(default="", description="Address; empty for the provider's own.")
    api_key_variable: str = Field(
        default="", pattern=r"^([A-Za-z_]\w*)?$", description="Holds the key; empty: needs none."
    )
    rate_limits: RateLimits = RateLimits.model_construct()

    @field_validator("api_base")
    @classmethod
    def _holds_no_key(cls, address: str) -> str:
        if any(private_values(address)):
            raise ValueError("holds a user, a password or a key")
        return address


def capabilities_from(facts: Facts) -> LLMCapabilities:
    """The capabilities that facts amount to."""
    values: dict[str, Any] = {name: facts[name] for name in (*ABILITIES, *LIMITS)}
    return LLMCapabilities.model_construct(**values)


def prices_from(facts: Facts) -> dict[str, Any]:
    """The prices that are known, by the profile's names."""
    return {name: float(value) for name in PRICES if (value := facts[name]) is not None}
