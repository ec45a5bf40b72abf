"""From a configuration to the deployments that can be called, and to LiteLLM's Router."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestrator.errors import ConfigError
from orchestrator.routing import _litellm
from orchestrator.routing.offline import PROVIDER as OFFLINE
from orchestrator.routing.offline import offline_provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.config import Config

_ENV = "os.environ/"
_LOCAL_PROVIDERS = ("ollama", "ollama_chat", "lm_studio", "hosted_vllm", OFFLINE)
#: Names people use, and the LiteLLM prefixes behind them.
PREFIXES: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "gemini": ("gemini", "vertex_ai"),
    "huggingface": ("huggingface",),
    "openrouter": ("openrouter",),
    "ollama": ("ollama", "ollama_chat"),
    "lmstudio": ("lm_studio",),
    "groq": ("groq",),
    "mistral": ("mistral",),
    "azure": ("azure",),
    "offline": (OFFLINE,),
    "mock": (OFFLINE,),
}
_PROBE_S = 0.3


@dataclass(frozen=True, slots=True)
class Dropped:
    """A deployment that was left out, and why."""

    group: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A deployment that can be called; `params` hold secrets and stay out of every repr."""

    group: str
    model: str
    id: str
    params: _Secret
    model_info: Mapping[str, Any]

    @property
    def provider(self) -> str:
        """LiteLLM's name of the provider: what stands before the first slash."""
        return self.model.partition("/")[0]

    @property
    def is_local(self) -> bool:
        """Whether calls stay on this machine."""
        base = self.params.value.get("api_base")
        if base:
            return urlsplit(str(base)).hostname in ("localhost", "127.0.0.1", "::1")
        return self.provider in _LOCAL_PROVIDERS


class _Secret:
    """Holds parameters without ever showing them."""

    __slots__ = ("value",)

    def __init__(self, value: Mapping[str, Any]) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<litellm_params>"


@dataclass(frozen=True, slots=True)
class Deployments:
    """What can be called, what cannot, and who serves which route, first choice first."""

    ready: tuple[Ready, ...]
    dropped: tuple[Dropped, ...]
    routes: Mapping[str, tuple[str, ...]]

    def groups(self) -> tuple[str, ...]:
        """Every model group that has a deployment, in the order of the file."""
        return tuple(dict.fromkeys(ready.group for ready in self.ready))

    def of_group(self, group: str) -> tuple[Ready, ...]:
        """The deployments of one group."""
        return tuple(ready for ready in self.ready if ready.group == group)

    def fingerprint(self, route: str) -> str:
        """Identifies the deployments behind a route, without their keys."""
        groups = self.routes.get(route, (route,))
        known = [
            (r.group, r.model, {k: str(v) for k, v in r.params.value.items() if k != "api_key"})
            for r in self.ready
            if r.group in groups
        ]
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def deployments_of(config: Config, environ: Mapping[str, str]) -> Deployments:
    """Resolve ``os.environ/KEY``, leave out what has no key, and settle the routes.

    Raises: ConfigError: a route names a group that does not exist, or nothing can be called.
    """
    environ = {**environ, **config.environment_variables}
    ready: list[Ready] = []
    dropped: list[Dropped] = []
    for index, deployment in enumerate(config.model_list):
        params, missing = _resolved(deployment.litellm_params, environ)
        model = str(params.get("model", ""))
        if missing:
            reason = f"{', '.join(missing)} is not set"
            dropped.append(Dropped(deployment.model_name, model, reason))
            continue
        stated = deployment.model_info.get("id")
        made = str(stated) if stated else f"{deployment.model_name}-{index}"
        ready.append(
            Ready(deployment.model_name, model, made, _Secret(params), deployment.model_info)
        )
    ready, dropped = _allowed(config, environ, ready, dropped)
    return Deployments(tuple(ready), tuple(dropped), _routes(config, ready))


def _resolved(
    value: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    missing: list[str] = []

    def resolve(part: Any) -> Any:
        if isinstance(part, str) and part.startswith(_ENV):
            name = part.removeprefix(_ENV)
            if not environ.get(name):
                missing.append(name)
            return environ.get(name)
        if isinstance(part, Mapping):
            return {key: resolve(inner) for key, inner in part.items()}
        if isinstance(part, list | tuple):
            return [resolve(inner) for inner in part]
        return part

    return {key: resolve(part) for key, part in value.items()}, missing


def _allowed(
    config: Config, environ: Mapping[str, str], ready: list[Ready], dropped: list[Dropped]
) -> tuple[list[Ready], list[Dropped]]:
    """Hold the deployments against privacy, the chosen provider, and local servers' silence."""
    named = environ.get("LLM_PROVIDER") or config.orchestrator.provider
    if named != "auto" and named not in PREFIXES:
        known = ", ".join(("auto", *PREFIXES))
        raise ConfigError("LLM_PROVIDER", f"{named!r} is no provider", fix=f"Use one of {known}.")
    kept: list[Ready] = []
    for one in ready:
        if config.orchestrator.privacy == "local_only" and not one.is_local:
            dropped.append(Dropped(one.group, one.model, "privacy is local_only"))
        elif named != "auto" and one.provider not in PREFIXES[named]:
            dropped.append(Dropped(one.group, one.model, f"the provider is set to {named}"))
        else:
            kept.append(one)
    if named == "auto":
        kept = _auto(kept, dropped)
    if not kept:
        reasons = "; ".join(f"{d.group}: {d.reason}" for d in dropped) or "model_list is empty"
        raise ConfigError(
            "model_list",
            f"no deployment can be called ({reasons})",
            fix="Set a key, or add the embedded provider: model: offline/library.",
        )
    return kept, dropped


def _auto(kept: list[Ready], dropped: list[Dropped]) -> list[Ready]:
    """Keyed providers if there are any; else local servers that answer; else the embedded one."""
    keyed = [one for one in kept if not one.is_local]
    chosen: list[Ready] = []
    for one in kept:
        if one.provider == OFFLINE:
            continue
        if not one.is_local or not _is_shipped_local(one):
            chosen.append(one)
        elif keyed:
            dropped.append(Dropped(one.group, one.model, "not probed: a provider has a key"))
        elif _answers(str(one.params.value.get("api_base", ""))):
            chosen.append(one)
        else:
            base = one.params.value.get("api_base")
            dropped.append(Dropped(one.group, one.model, f"no server answers at {base}"))
    embedded = [one for one in kept if one.provider == OFFLINE]
    if chosen:
        dropped.extend(
            Dropped(one.group, one.model, "another provider is configured") for one in embedded
        )
        return chosen
    return embedded


def _is_shipped_local(one: Ready) -> bool:
    """Local servers are probed; a loopback address with any other provider is somebody's choice."""
    return one.provider in _LOCAL_PROVIDERS


def _answers(base: str) -> bool:
    parts = urlsplit(base)
    try:
        with socket.create_connection(
            (parts.hostname or "localhost", parts.port or 80), timeout=_PROBE_S
        ):
            return True
    except OSError:
        return False


def _routes(config: Config, ready: Sequence[Ready]) -> dict[str, tuple[str, ...]]:
    groups = tuple(dict.fromkeys(one.group for one in ready))
    known = {deployment.model_name for deployment in config.model_list}
    stated = config.orchestrator.routes.model_dump()
    routes: dict[str, tuple[str, ...]] = {}
    for role, wanted in stated.items():
        for group in wanted:
            if group not in known:
                raise ConfigError(
                    f"orchestrator.routes.{role}",
                    f"{group!r} is no model_name of model_list",
                    fix=f"Known: {', '.join(sorted(known))}.",
                )
        if found := tuple(group for group in wanted if group in groups):
            routes[role] = found
    elsewhere = {group for role, found in routes.items() if role != "default" for group in found}
    routes.setdefault("default", tuple(g for g in groups if g not in elsewhere) or groups)
    return routes


def router_arguments(config: Config, deployments: Deployments) -> dict[str, Any]:
    """The keyword arguments of LiteLLM's Router."""
    model_list = [
        {
            "model_name": one.group,
            # One wire attempt each: an Azure client would otherwise retry on its own.
            "litellm_params": {"max_retries": 0, **one.params.value},
            "model_info": {**one.model_info, "id": one.id},
        }
        for one in deployments.ready
    ]
    settings = dict(config.router_settings)
    settings.setdefault("num_retries", config.litellm_settings.get("num_retries", 1))
    settings.setdefault("timeout", config.orchestrator.generation.timeout_s)
    stated = settings.pop("fallbacks", config.litellm_settings.get("fallbacks", []))
    fallbacks = [*stated, *_chains(deployments, {key for entry in stated for key in entry})]
    return {**settings, "model_list": model_list, **({"fallbacks": fallbacks} if fallbacks else {})}


def _chains(deployments: Deployments, stated: set[str]) -> Iterator[dict[str, list[str]]]:
    """A group's fallbacks are the groups after it on its route."""
    for groups in deployments.routes.values():
        if len(groups) > 1 and groups[0] not in stated:
            stated.add(groups[0])
            yield {groups[0]: list(groups[1:])}


def prepare(deployments: Deployments) -> None:
    """Load LiteLLM and what the embedded provider reads from disk; takes seconds, once."""
    _litellm.load()
    if any(one.provider == OFFLINE for one in deployments.ready):
        offline_provider()


def build_router(config: Config, deployments: Deployments) -> Any:
    """LiteLLM's Router over the deployments; the embedded provider is registered first."""
    litellm = _litellm.load()
    if any(one.provider == OFFLINE for one in deployments.ready):
        known = [e for e in litellm.custom_provider_map if e["provider"] != OFFLINE]
        litellm.custom_provider_map = [
            *known, {"provider": OFFLINE, "custom_handler": offline_provider()}
        ]  # fmt: skip
    return litellm.Router(**router_arguments(config, deployments))
