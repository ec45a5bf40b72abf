"""Where a call goes, which keys belong there, and whether that is this machine.

A key belongs to the origin that it was configured for.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.config.providers import LOCAL_PREFIXES, OFFLINE, ORIGINS
from orchestrator.models.addresses import BASES, base_of, is_here, origin_of
from orchestrator.models.surroundings import addresses_for, is_secret, keys_for
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.models.deployment import Deployment
    from orchestrator.models.surroundings import Surroundings

NOT_HERE = "it is not on this machine"
HEADERS = ("extra_headers", "headers", "default_headers")
_PLACE = pattern(r"(^|_)(base|url|uri|endpoint|host|domain|proxy|proxies|region|location)(_name)?$")
#: Further arguments of LiteLLM's by which somebody else may be asked.
_ELSEWHERE = frozenset({
    "custom_llm_provider", "model_list", "deployment_id", "azure", "api_type", "user_config",
    "litellm_credential_name", "context_window_fallback_dict",
})  # fmt: skip
#: Parameters of a deployment by which LiteLLM itself asks others, past the Router and its guard.
CHAINS = (
    "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks",
    "context_window_fallback_dict", "model_list",
)  # fmt: skip
#: Providers whose calls go where the address of the deployment says. LiteLLM has others that read
#: no address, or ask a service of theirs first.
_HEED_ADDRESS = LOCAL_PREFIXES | {
    "openai", "custom_openai", "llamafile", "xinference",
    "litellm_proxy", "anthropic", "gemini", "azure",
}  # fmt: skip
#: LiteLLM asks OpenAI where these have no address.
_WITHOUT_DEFAULT = ("hosted_vllm", "lm_studio")
_HOST_HEADERS = ("host", "x-forwarded-host", "forwarded", ":authority")
#: What must come with a call to another origin, where it is not ``api_key``.
_OWN_KEY = {"vertex_ai": "vertex_credentials", "bedrock": "aws_secret_access_key",
            "sagemaker": "aws_secret_access_key"}  # fmt: skip


@functools.lru_cache(maxsize=1024)
def says_where(name: str) -> bool:
    """Whether an argument of this name can send a call elsewhere."""
    is_place = _PLACE.search(name) is not None and name != "allowed_model_region"
    return name in _ELSEWHERE or is_place


def home_of(one: Deployment, now: Surroundings) -> str:
    """The origin that the key of a deployment was configured for, else its provider's name."""
    stated = base_of(one.params.value) or next(iter(addresses_for(one, now)), "")
    return origin_of(stated) or ORIGINS.get(one.provider) or one.provider


def elsewhere(
    one: Deployment, given: Mapping[str, Any], now: Surroundings
) -> Iterator[tuple[str, str]]:
    """The arguments that send a call to another origin than a deployment's, and that origin."""
    known = {"custom_llm_provider": one.provider, **one.params.value}
    home = home_of(one, now)
    for name, value in given.items():
        if name in HEADERS:
            host = home.partition("://")[2]
            own = (host, host.rpartition(":")[0])
            yield from ((name, stated) for stated in hosts_in(value) if stated not in own)
        elif not says_where(name) or value in (known.get(name), None, False, ""):
            continue
        elif (origin := origin_of(value)) != home or name not in BASES:
            yield name, origin or "another place"


def hosts_in(headers: object) -> list[str]:
    """What headers name as the host, as it stands in an origin."""
    stated = headers.items() if isinstance(headers, Mapping) else ()
    return [f"{value}".lower() for name, value in stated if str(name).lower() in _HOST_HEADERS]


def credentials_in(given: Mapping[str, Any]) -> set[str]:
    """The names of the arguments that hold a key."""
    found = {name for name, value in given.items() if value and is_secret(name)}
    found -= {"prompt_cache_key"}
    for name in HEADERS:
        stated = given.get(name)
        if isinstance(stated, Mapping) and any(is_secret(str(key)) for key in stated):
            found.add(name)
    return found


def keys_at_risk(one: Deployment, now: Surroundings) -> set[str]:
    """What a call to another origin must bring of its own, or the configured one would go there."""
    stated = credentials_in(one.params.value)
    stated |= {name for name in HEADERS if one.params.value.get(name)}
    if not stated and one.provider in LOCAL_PREFIXES and not keys_for(one, now):
        return set()
    return stated | {_OWN_KEY.get(one.provider, "api_key")}


def why_it_leaves(one: Deployment, defaults: Mapping[str, Any], now: Surroundings) -> str:
    """Why calls of a deployment may leave this machine; empty when they stay.

    LiteLLM's own settings and the environment count, as they are now.
    """
    if one.provider == OFFLINE:
        return ""
    params = {**defaults, **one.params.value}
    for name, value in params.items():
        is_near = is_here(value) or (name == "custom_llm_provider" and value in LOCAL_PREFIXES)
        if value and (says_where(name) or name in CHAINS) and not is_near:
            return NOT_HERE if name == "api_base" else f"{name} is not on this machine"
        if name in HEADERS and hosts_in(value):
            return f"{name} names another host"
    base = base_of(params)
    if base and not is_here(base):
        return NOT_HERE
    if base and (params.get("custom_llm_provider") or one.provider) not in _HEED_ADDRESS:
        heed = ", ".join(sorted(_HEED_ADDRESS - {OFFLINE}))
        return f"not every call of {one.provider!r} goes to api_base; these heed it: {heed}"
    if not base and one.provider not in LOCAL_PREFIXES:
        return NOT_HERE
    if one.provider in _WITHOUT_DEFAULT and not (base or addresses_for(one, now)):
        return "it has no api_base"
    return _surrounded(one, base, now)


def _surrounded(one: Deployment, base: str, now: Surroundings) -> str:
    """What beside the deployment leads its calls away from this machine."""
    for name in ("api_base", "gdc_api_base"):
        if (address := now.settings.get(name)) and not is_here(address):
            return f"litellm.{name} is not on this machine"
    if now.settings.get("use_litellm_proxy") or now.environ.get("USE_LITELLM_PROXY"):
        return "use_litellm_proxy is set"
    stated = [base] if base else list(addresses_for(one, now))
    if any(not is_here(address) for address in stated):
        return "a variable of the environment names its address, which is not on this machine"
    return why_carried_elsewhere(stated[0] if stated else "http://localhost:0", now.environ)


def why_carried_elsewhere(address: str, environ: Mapping[str, str]) -> str:
    """Why a proxy would carry calls to an address; empty where none would."""
    proxies = {
        name.lower().removesuffix("_proxy"): value
        for name, value in environ.items()
        if name.lower().endswith("_proxy") and value
    }
    if proxies.keys().isdisjoint(("http", "https", "all")):
        return ""
    from urllib.request import (  # type: ignore[attr-defined]  # noqa: PLC0415  40 ms
        proxy_bypass_environment,
    )

    host = origin_of(address).partition("://")[2]
    if not proxy_bypass_environment(host.rpartition(":")[0], proxies):
        return f"a proxy of the environment would carry it; set NO_PROXY={host.rpartition(':')[0]}"
    return ""
