"""From a configuration to LiteLLM's Router."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from orchestrator.config import LITELLM_SETTINGS
from orchestrator.errors import MissingExtraError
from orchestrator.routing import _litellm
from orchestrator.routing.host import HostedRouter, hosted_router
from orchestrator.routing.offline import PROVIDER as OFFLINE
from orchestrator.routing.offline import offline_provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.config import Config
    from orchestrator.routing.deployments import Deployments, Ready

_log = logging.getLogger(__name__)
#: Ours to say: the Router is built from the deployments that can be called, and caches nothing.
_OURS = ("model_list", "search_tools", "cache_responses", "ignore_invalid_deployments")
#: The settings that say how often something is tried again, beside ``num_retries``. Where a file
#: has none, a group with a fallback is not retried: LiteLLM sleeps a second or two before each
#: retry and once more before it falls back.
_RETRIES = ("retry_policy", "model_group_retry_policy")
#: LiteLLM rejects what is above this instead of letting it wait; we let it wait ourselves.
_NO_LIMIT = 1_000_000


def router_arguments(config: Config, deployments: Deployments) -> dict[str, Any]:
    """The keyword arguments of LiteLLM's Router."""
    stated = deployments.router_settings.value
    general = config.litellm_settings
    settings: dict[str, Any] = {
        "num_retries": 1,
        "timeout": config.orchestrator.generation.timeout_s,
        # A failure goes to a sibling of the same group that is free, before anything waits.
        "enable_weighted_failover": True,
    }
    settings |= {
        ours: general[key] for key, ours in LITELLM_SETTINGS.items() if ours and key in general
    }
    settings |= {key: value for key, value in stated.items() if key not in _OURS}
    if any(_is_limited(one) for one in deployments.ready):
        # Counts exactly, also across processes; a request that finds none free waits in `call`.
        settings.setdefault("optional_pre_call_checks", ["enforce_model_rate_limits"])
    given = settings.pop("fallbacks", None) or []
    fallbacks = [*given, *_chains(deployments, {key for entry in given for key in entry})]
    if not {*_RETRIES, "num_retries"} & {*stated, *general}:
        settings["model_group_retry_policy"] = {
            group: {"DefaultRetries": 0} for entry in fallbacks for group in entry
        }
    # LiteLLM waits out a Retry-After, up to a minute, before it falls back.
    settings.setdefault("retry_policy", {"RateLimitErrorRetries": 0, "TimeoutErrorRetries": 0})
    drop = {"drop_params": general["drop_params"]} if "drop_params" in general else {}
    settings["model_list"] = [_entry(one, drop) for one in deployments.ready]
    return {**settings, **({"fallbacks": fallbacks} if fallbacks else {})}


def _is_limited(one: Ready) -> bool:
    return "rpm" in one.params.value or "tpm" in one.params.value


def _entry(one: Ready, defaults: Mapping[str, Any]) -> dict[str, Any]:
    params = {"max_retries": 0, **defaults, **one.params.value}  # Azure's client retries otherwise
    if _is_limited(one):
        params.setdefault("max_parallel_requests", _NO_LIMIT)  # else LiteLLM takes rpm for it
    return {
        "model_name": one.group,
        "litellm_params": params,
        "model_info": {**one.model_info, "id": one.id},
    }


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


def build_router(config: Config, deployments: Deployments) -> HostedRouter:
    """LiteLLM's Router over the deployments; the embedded provider is registered first."""
    litellm = _litellm.load()
    if any(one.provider == OFFLINE for one in deployments.ready):
        known = [e for e in litellm.custom_provider_map if e["provider"] != OFFLINE]
        litellm.custom_provider_map = [
            *known, {"provider": OFFLINE, "custom_handler": offline_provider()}
        ]  # fmt: skip
    arguments = router_arguments(config, deployments)
    valid = set(litellm.router_api.router_init_args())
    if unknown := sorted(set(arguments) - valid):
        _log.warning("router_settings that LiteLLM does not know: %s", ", ".join(unknown))
    try:
        return hosted_router(**{k: v for k, v in arguments.items() if k in valid})
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise MissingExtraError("router_settings.redis_url", "redis") from error
