"""The providers that can be chosen by name, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: LiteLLM's prefix for the embedded provider, which works without key, network and LiteLLM.
OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider that configuration can name.

    Attributes:
        prefixes: LiteLLM's prefixes, before the slash, of its model names.
        is_local: its server usually runs on this machine, so it is probed before it is used.
    """

    prefixes: tuple[str, ...]
    is_local: bool = False


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(("openai",)),
    "anthropic": Provider(("anthropic",)),
    "gemini": Provider(("gemini", "vertex_ai")),
    "huggingface": Provider(("huggingface",)),
    "openrouter": Provider(("openrouter",)),
    "ollama": Provider(("ollama", "ollama_chat"), is_local=True),
    "lmstudio": Provider(("lm_studio",), is_local=True),
    "groq": Provider(("groq",)),
    "mistral": Provider(("mistral",)),
    "azure": Provider(("azure",)),
    "offline": Provider((OFFLINE,), is_local=True),
    "mock": Provider((OFFLINE,), is_local=True),
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
#: Values of ``provider:`` and ``LLM_PROVIDER``.
CHOICES = ("auto", *PROVIDERS)
#: Prefixes of models served by a local or self-hosted server.
LOCAL_PREFIXES = frozenset(
    ("hosted_vllm", *(name for one in PROVIDERS.values() if one.is_local for name in one.prefixes))
)
