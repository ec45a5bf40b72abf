"""The providers that can be chosen by name, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: LiteLLM's prefix for the embedded provider, which works without key, network and LiteLLM.
OFFLINE = "offline"
#: Raise it whenever the embedded provider answers a sentence otherwise: kept answers are not taken.
EMBEDDED_VERSION = 7


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """One provider that configuration can name.

    Attributes:
        prefixes: LiteLLM's prefixes, before the slash, of its model names.
        is_local: its server usually runs on this machine, so it is probed before it is used.
        max_tokens: length limit of an agent's answer where nothing states another.
    """

    prefixes: tuple[str, ...]
    is_local: bool = False
    max_tokens: int = 4096


PROVIDERS: Mapping[str, ProviderChoice] = {
    "openai": ProviderChoice(("openai",), max_tokens=4000),
    "anthropic": ProviderChoice(("anthropic",)),
    "gemini": ProviderChoice(("gemini", "vertex_ai"), max_tokens=8192),
    "huggingface": ProviderChoice(("huggingface",), max_tokens=2048),
    "openrouter": ProviderChoice(("openrouter",)),
    "ollama": ProviderChoice(("ollama", "ollama_chat"), is_local=True),
    "lmstudio": ProviderChoice(("lm_studio",), is_local=True),
    "groq": ProviderChoice(("groq",)),
    "mistral": ProviderChoice(("mistral",)),
    "azure": ProviderChoice(("azure",)),
    "offline": ProviderChoice((OFFLINE,), is_local=True),
    "mock": ProviderChoice((OFFLINE,), is_local=True),
}
#: Where the keys of providers belong whose address nothing states, by LiteLLM's prefix.
ORIGINS: Mapping[str, str] = {
    "openai": "https://api.openai.com:443",
    "anthropic": "https://api.anthropic.com:443",
    "gemini": "https://generativelanguage.googleapis.com:443",
    "openrouter": "https://openrouter.ai:443",
    "groq": "https://api.groq.com:443",
    "mistral": "https://api.mistral.ai:443",
}
#: Types of agents that do not have the name of their provider.
AGENT_TYPES: Mapping[str, str] = {
    "anthropic-claude": "anthropic",
    "openai-gpt": "openai",
    "google-gemini": "gemini",
}
#: Values of ``provider:`` and ``LLM_PROVIDER``.
CHOICES = ("auto", *PROVIDERS)
#: Prefixes of models served by a local or self-hosted server.
LOCAL_PREFIXES = frozenset(
    ("hosted_vllm", *(name for one in PROVIDERS.values() if one.is_local for name in one.prefixes))
)


def prefix_of(name: str) -> str:
    """LiteLLM's prefix for models of a provider; the same for a prefix, or an unknown name."""
    if name == "ollama":
        return "ollama_chat"  # the one with tools
    return PROVIDERS[name].prefixes[0] if name in PROVIDERS else name
