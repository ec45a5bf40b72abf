"""What shapes LiteLLM's requests beside the configuration: the environment and its own settings.

LiteLLM reads both at every call, so they identify a question as the deployments do.
"""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.models.deployment import Deployment

#: Settings of the module ``litellm`` that change what is sent, all off by default, with the
#: variable that sets them when LiteLLM is loaded.
SETTINGS = {
    "api_base": "", "api_version": "", "headers": "", "organization": "", "project": "",
    "vertex_project": "", "vertex_location": "", "vertex_ai_safety_settings": "",
    "gdc_api_base": "", "custom_prompt_dict": "", "model_alias_map": "",
    "drop_params": "LITELLM_DROP_PARAMS", "modify_params": "LITELLM_MODIFY_PARAMS",
    "add_function_to_prompt": "", "use_litellm_proxy": "", "openai_system_messages_first": "",
    "disable_stop_sequence_limit": "", "disable_add_prefix_to_prompt": "",
    "disable_copilot_system_to_assistant": "", "disable_add_transform_inline_image_block": "",
    "enable_gemini_default_thinking_level_low": "", "enable_preview_features": "",
    "reasoning_auto_summary": "LITELLM_REASONING_AUTO_SUMMARY",
    "route_all_chat_openai_to_responses": "LITELLM_ROUTE_ALL_CHAT_OPENAI_TO_RESPONSES",
    "use_chat_completions_url_for_anthropic_messages":
        "LITELLM_USE_CHAT_COMPLETIONS_URL_FOR_ANTHROPIC_MESSAGES",
    "enable_anthropic_prompt_caching": "LITELLM_ENABLE_ANTHROPIC_PROMPT_CACHING",
}  # fmt: skip
_OFF = ("", "0", "false", "no", "off")
#: Variables that redirect or change the requests of every provider.
_OF_ALL = (
    "USE_LITELLM_PROXY",
    "LITELLM_PROXY_API_BASE",
    "LITELLM_DEFAULT_EMBEDDING_ENCODING_FORMAT",
)
_ADDRESS = pattern(r"_(API_BASE|BASE_URL|API_URL|URL|ENDPOINT|HOST)(?:_\w|$)")
_BASE = pattern(r"_(API_BASE|BASE_URL|API_URL)$")
_PLACE = pattern(
    r"_(API_VERSION|API_TYPE|ORGANIZATION|PROJECT(_ID)?|LOCATION|REGION(_NAME)?|ACCOUNT_ID|SPACE_ID"
    r"|TENANT_ID|DISABLE_URL_SUFFIX)$"
)
#: How the variables of a provider begin, where not with the first word of its prefix.
_STEMS = {
    "huggingface": ("HUGGINGFACE", "HF"), "openrouter": ("OPENROUTER", "OR"),
    "bedrock": ("BEDROCK", "AWS"), "bedrock_mantle": ("BEDROCK", "AWS"), "sagemaker": ("AWS",),
    "sagemaker_chat": ("AWS",), "watsonx": ("WATSONX", "WX", "WML"), "custom_openai": ("OPENAI",),
    "text-completion-openai": ("OPENAI",), "aiohttp_openai": ("OPENAI",), "meta_llama": ("LLAMA",),
    "text-completion-codestral": ("CODESTRAL",), "volcengine": ("VOLCENGINE", "ARK"),
    "text-completion-inception": ("INCEPTION",), "openai_like": ("OPENAI",),
}  # fmt: skip
_SECRET = pattern(
    r"key|secret|passw|authori[sz]ation|credential|cookie|(^|[_-])auth($|[_-])|(^|(?<!per)[_-])token$",
    re.I,
)
_IN_ADDRESS = pattern(r"(?<=://)[^/@\s]+@|(?<=[?&])[^=&#]*(?:key|token|secret|sig)[^=&#]*=[^&#]*")


@functools.lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether an argument or a header of this name holds a secret."""
    return _SECRET.search(name) is not None


def without_secrets(value: Any) -> Any:
    """A value as text and containers of text, without what a name or an address says is secret."""
    if isinstance(value, Mapping):
        named = {str(key): without_secrets(part) for key, part in value.items()}
        return {key: part for key, part in named.items() if not is_secret(key)}
    if isinstance(value, list | tuple):
        return [without_secrets(part) for part in value]
    return _IN_ADDRESS.sub("", str(value))


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """The environment and LiteLLM's own settings at one moment."""

    environ: Mapping[str, str]
    settings: Mapping[str, object]

    def added_to(self, fingerprint: str, deployments: Iterable[Deployment]) -> str:
        """`fingerprint`, changed by what shapes the requests to these deployments, if anything."""
        names = {name for one in deployments for name in self._read_for(one)}
        found = {name: self.environ[name] for name in (*_OF_ALL, *names) if self.environ.get(name)}
        shaping = without_secrets({**found, **self.settings})
        if not shaping:
            return fingerprint
        text = json.dumps([fingerprint, shaping], sort_keys=True)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]

    def _read_for(self, one: Deployment) -> Iterable[str]:
        """The variables that LiteLLM reads for a deployment; of a model without prefix, any."""
        params, stems = one.params.value, _stems(one)
        is_addressed = bool(params.get("api_base") or params.get("base_url"))
        for name in self.environ:
            if name.startswith(stems or "") and (
                _PLACE.search(name) or (not is_addressed and _ADDRESS.search(name))
            ):
                yield name


def _stems(one: Deployment) -> tuple[str, ...]:
    prefixes = {
        one.provider if "/" in one.model else "",
        one.params.value.get("custom_llm_provider"),
    }
    return tuple(stem for prefix in prefixes if prefix for stem in _stems_of(str(prefix)))


def addresses_for(one: Deployment, now: Surroundings) -> list[str]:
    """The addresses that LiteLLM reads from the environment for a deployment that states none."""
    return _named(one, now, _BASE)


def keys_for(one: Deployment, now: Surroundings) -> list[str]:
    """The keys that LiteLLM finds for a deployment that states none: the environment's, its own."""
    module = vars(sys.modules.get("litellm") or object)
    own = [module.get(name) for name in ("api_key", f"{one.provider.partition('_')[0]}_key")]
    return [*_named(one, now, _SECRET), *(str(key) for key in own if key)]


def _named(one: Deployment, now: Surroundings, names: re.Pattern[str]) -> list[str]:
    stems = _stems(one) or ("",)
    return [
        value
        for name, value in now.environ.items()
        if value and name.startswith(stems) and names.search(name)
    ]


def _stems_of(provider: str) -> tuple[str, ...]:
    return _STEMS.get(provider) or (re.split(r"[_-]", provider)[0].upper(),)


_seen: tuple[Any, Any, Surroundings] | None = None
_MAPPINGS = ("headers", "vertex_ai_safety_settings", "custom_prompt_dict", "model_alias_map")
_read = operator.itemgetter(*SETTINGS)


def surroundings() -> Surroundings:
    """Those of now; the same object as long as nothing changes, found in a few µs."""
    global _seen  # noqa: PLW0603  the environment and LiteLLM's settings are the process's too
    # What os.environ holds: to compare it takes 1 µs, to read one variable through it takes 2.
    raw = getattr(os.environ, "_data", os.environ)
    module = sys.modules.get("litellm")
    stated = None if module is None else _stated(vars(module))
    if _seen is None or _seen[0] != raw or _seen[1] != stated:
        environ = dict(os.environ)
        _seen = dict(raw), stated, Surroundings(environ, _settings(environ, module))
    return _seen[2]


def _stated(known: Mapping[str, Any]) -> object:
    try:
        made = _read(known)
    except KeyError:  # another release, or LiteLLM is being loaded
        made = tuple(map(known.get, SETTINGS))
    # A mapping that is changed in place would equal itself.
    return made, [dict(known[name]) for name in _MAPPINGS if known.get(name)]


def _settings(environ: Mapping[str, str], module: Any) -> dict[str, object]:
    """What is on; before LiteLLM is loaded, what will be."""
    known = {} if module is None else vars(module)
    made = {
        name: known.get(name, environ.get(variable, "").strip().lower() not in _OFF)
        for name, variable in SETTINGS.items()
    }
    plain = {name: without_secrets(value) for name, value in made.items() if value}
    return {name: value for name, value in plain.items() if value}
