"""From a configuration to LiteLLM's Router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orchestrator.config.providers import OFFLINE
from orchestrator.config.settings import LITELLM_SETTINGS
from orchestrator.models.retirement import today_utc, warn_of_retirements
from orchestrator.models.secrets import Secrets, private_values
from orchestrator.models.table import shipped_table
from orchestrator.routing import _litellm
from orchestrator.routing.host import HostedRouter, hosted_router
from orchestrator.routing.offline.litellm_adapter import offline_provider
from orchestrator.types.errors import ConfigError, MissingExtraError
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.config.settings import Config
    from orchestrator.models.deployment import Deployment
    from orchestrator.models.groups import Deployments

_log = logger_of(__name__)
#: Not taken from router_settings: the Router gets the deployments that can be called, and no cache.
_OURS = ("model_list", "search_tools", "cache_responses", "ignore_invalid_deployments")
#: Of a group with a fallback, where the file does not say how often to retry: LiteLLM sleeps a
#: second or two before each retry, and once more before it falls back.
_NOT_RETRIED = {"DefaultRetries": 0}
REDIS_PORT = 6379
#: LiteLLM rejects what is above this instead of letting it wait; `Transport.send` waits.
_NO_LIMIT = 1_000_000


def router_arguments(config: Config, deployments: Deployments) -> dict[str, Any]:
    """The keyword arguments of LiteLLM's Router.

    Raises: ConfigError: they name a part of a Redis server alone.
    """
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
    _complete_redis(settings)
    if any(_is_limited(one) for one in deployments.ready):
        # Counts exactly, also across processes; `Transport.send` waits where none is free.
        settings.setdefault("optional_pre_call_checks", ["enforce_model_rate_limits"])
    if not _states_retries(config):
        falling = [group for entry in settings.get("fallbacks") or [] for group in entry]
        if last := _generic_fallbacks(settings):
            falling += [group for group in deployments.groups() if group not in last]
        settings["model_group_retry_policy"] = dict.fromkeys(falling, _NOT_RETRIED)
    # LiteLLM waits out a Retry-After, up to a minute, before it falls back.
    settings.setdefault("retry_policy", {"RateLimitErrorRetries": 0, "TimeoutErrorRetries": 0})
    drop = {"drop_params": general["drop_params"]} if "drop_params" in general else {}
    settings["model_list"] = [_entry(one, drop) for one in deployments.ready]
    return settings


def _complete_redis(settings: dict[str, Any]) -> None:
    """Name the server as a whole: LiteLLM shares nothing, and says so nowhere, without a port."""
    stated = [name for name, value in settings.items() if name.startswith("redis_") and value]
    if "redis_host" in stated and "redis_url" not in stated:
        settings["redis_port"] = settings.get("redis_port") or REDIS_PORT
    elif stated and "redis_url" not in stated:
        fix = "State redis_url or redis_host, or leave it out."
        raise ConfigError("router_settings", f"{stated[0]} is of no server", fix=fix)


def states_timeout(config: Config, settings: Mapping[str, Any], given: Any) -> bool:
    """Whether the user states a timeout of the Router: in its `settings`, or of one that is
    `given`."""
    if given is None:
        return bool(settings["timeout"] != config.orchestrator.generation.timeout_s)
    return getattr(given, "timeout", None) not in (None, _litellm.load().request_timeout)


def route_arguments(
    config: Config, settings: Mapping[str, Any], groups: Sequence[str]
) -> dict[str, Any]:
    """The arguments of a call that goes from group to group of a route.

    They belong to the call and not to the Router, because a group that is asked for by its name
    goes only where the file's own fallbacks lead. `settings` are the Router's arguments.
    """
    stated = settings.get("fallbacks") or []
    if len(groups) < 2 or any(groups[0] in entry for entry in stated):
        return {}
    last = [group for group in _generic_fallbacks(settings) if group not in groups]
    made: dict[str, Any] = {"fallbacks": [{groups[0]: [*groups[1:], *last]}, *stated]}
    if not _states_retries(config):
        policies = settings.get("model_group_retry_policy") or {}
        made["model_group_retry_policy"] = policies | dict.fromkeys(groups[:-1], _NOT_RETRIED)
    return made


def _generic_fallbacks(settings: Mapping[str, Any]) -> list[Any]:
    """Where every group may fall back to; a call's own fallbacks take the place of these."""
    stated = [entry["*"] for entry in settings.get("fallbacks") or [] if "*" in entry]
    return [*(group for groups in stated for group in groups),
            *(settings.get("default_fallbacks") or [])]  # fmt: skip


def _states_retries(config: Config) -> bool:
    names = {"num_retries", "retry_policy", "model_group_retry_policy"}
    return bool(names & {*config.router_settings, *config.litellm_settings})


def _is_limited(one: Deployment) -> bool:
    return "rpm" in one.params.value or "tpm" in one.params.value


def _entry(one: Deployment, defaults: Mapping[str, Any]) -> dict[str, Any]:
    params = {"max_retries": 0, **defaults, **one.params.value}  # the Router alone retries
    if _is_limited(one):
        params.setdefault("max_parallel_requests", _NO_LIMIT)  # else LiteLLM takes rpm for it
    return {
        "model_name": one.group,
        "litellm_params": params,
        "model_info": {**one.model_info, "id": one.id},
    }


def prepare(deployments: Deployments) -> None:
    """Load LiteLLM and what the embedded provider reads from disk; takes seconds, once."""
    _litellm.load()
    warn_of_retirements(deployments.ready, today_utc(), shipped_table())
    if any(one.provider == OFFLINE for one in deployments.ready):
        offline_provider()


def build_router(config: Config, deployments: Deployments) -> HostedRouter:
    """LiteLLM's Router over the deployments; the embedded provider is registered first.

    Raises: ConfigError: LiteLLM refuses a deployment or a setting. MissingExtraError.
    """
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
    except (ValueError, TypeError, litellm.BadRequestError) as error:
        refused = _refused(litellm, arguments, error)
    raise refused  # out here, so that the original, which can quote a key, is not its context


def _refused(litellm: Any, arguments: Mapping[str, Any], error: Exception) -> ConfigError:
    """Why LiteLLM builds no Router of the configuration, and which deployment is in its way."""
    place = "router_settings or model_list"
    for entry in arguments["model_list"]:
        model, params = str(entry["litellm_params"].get("model")), entry["litellm_params"]
        where = f"model_list: the deployment {entry['model_info']['id']!r}"
        try:
            litellm.types.router.Deployment(**entry)
            litellm.get_llm_provider(
                model, params.get("custom_llm_provider"), params.get("api_base")
            )
        except litellm.BadRequestError:
            fix = "Write PROVIDER/MODEL, such as openai/gpt-5.4-mini, or leave the entry out."
            return ConfigError(where, f"LiteLLM knows no provider of {model!r}", fix=fix)
        except (ValueError, TypeError) as found:
            place, error = where, found
            break
    if isinstance(error, ValidationError):
        last = error.errors(include_input=False, include_url=False)[-1]
        words = f"{'.'.join(map(str, last['loc'][:2]))}: {last['msg']}"
    else:
        words, _ = Secrets(private_values(arguments)).removed(str(error))
    return ConfigError(place, f"LiteLLM's Router refuses it: {words.strip().rstrip('.')}")
