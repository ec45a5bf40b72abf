"""What a call may carry where: keys to the origins they belong to, private prompts nowhere."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.models.addresses import base_of, origin_of
from orchestrator.models.deployment import Deployment, Secret, ad_hoc_deployment
from orchestrator.models.origins import (
    HEADERS,
    credentials_in,
    elsewhere,
    home_of,
    hosts_in,
    keys_at_risk,
    says_where,
    why_it_leaves,
)
from orchestrator.models.surroundings import is_secret, surroundings
from orchestrator.routing.prices import FALLBACKS, fallbacks_of, targets_of
from orchestrator.types.errors import AuthenticationError, ConfigError, NoDeploymentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestrator.config.settings import Config
    from orchestrator.models.groups import Deployments

#: Under ``local_only`` an argument passes that is a number or one of these: of others nobody knows
#: whether LiteLLM, or a service that it calls for them, sends a prompt elsewhere.
_STAYS = frozenset({
    "model", "messages", "input", "prompt", "stream", "stream_options", "response_format", "tools",
    "tool_choice", "functions", "function_call", "parallel_tool_calls", "stop", "logit_bias",
    "logprobs", "user", "metadata", "modalities", "reasoning_effort", "thinking", "think",
    "verbosity", "prediction", "extra_body", "drop_params", "allowed_openai_params",
    "additional_drop_params", "encoding_format", "input_type", "truncate", "keep_alive", "format",
    "caching", "no-log", "disable_fallbacks", "retry_policy", "model_group_retry_policy",
    "store", "service_tier", "safety_identifier", "prompt_cache_key", "chat_template_kwargs",
    "guided_json", "guided_choice", "guided_regex", "guided_grammar", "structured_outputs",
    "ignore_eos", "do_sample", "stop_token_ids", "skip_special_tokens", "api_key", "logger_fn",
    "litellm_metadata", *FALLBACKS, *HEADERS,
})  # fmt: skip
#: Members of LiteLLM's Router that say something and ask nobody.
_READS = re.compile(r"(get|is|has)_|(registry|settings|health|discard)\Z")
_ADDRESSED_MODEL = re.compile(r"[^\s:/]+/\S*://")


@dataclass(frozen=True, slots=True)
class Guard:
    """Holds each call to the origins of its deployments, and to this machine where that is set.

    Attributes:
        defaults: what the configuration adds to the parameters of every deployment.
        has_targets: whether the configuration's fallbacks state arguments or addresses.
    """

    is_local_only: bool
    defaults: Mapping[str, Any]
    has_targets: bool = False

    def check(self, deployments: Deployments, router: Any, arguments: Mapping[str, Any]) -> None:
        """Refuse a call that would take a key, or a private prompt, to another origin.

        Raises: AuthenticationError: a configured key would go to another origin than its own.
            NoDeploymentError: privacy is local_only, and the call may leave this machine.
        """
        if not (self.is_local_only or self.has_targets or any(map(_concerns, arguments.items()))):
            return
        stated = {name: value for name, value in arguments.items() if value is not None}
        targets = list(_targets(deployments, router, stated))
        if self.is_local_only:
            for layer in (stated, *(entry for _, entry in targets)):
                _hold_here(layer)
            for one, _ in targets:
                is_known = one in deployments.ready
                self.hold(one, "" if is_known else "it is not configured")
        _hold_keys(stated, targets)

    def hold(self, one: Deployment, why: str = "") -> None:
        """Raises: NoDeploymentError: privacy is local_only, and a deployment is not on this machine
        now, or must not be asked for the reason `why`."""
        why = why or why_it_leaves(one, self.defaults, surroundings())
        if self.is_local_only and why:
            words = f"privacy is local_only, and the call could go to {one.model}: {why}."
            raise NoDeploymentError(words, deployment=one.id)

    def hold_router(self, router: Any) -> None:
        """Raises: ConfigError: privacy is local_only, and a Router that was built elsewhere knows a
        deployment that is not on this machine."""
        for entry in router.registry().all() if self.is_local_only else ():
            params = dict(entry["litellm_params"])
            one = Deployment(entry["model_name"], str(params["model"]), "", Secret(params), {})
            if why := why_it_leaves(one, self.defaults, surroundings()):
                fix = "Take it out, or let privacy be any."
                raise ConfigError(
                    "orchestrator.privacy", f"the Router asks {one.model}: {why}", fix=fix
                )


def held_member(name: str, member: Any, *, is_local_only: bool) -> Any:
    """A member of LiteLLM's Router whose calls nothing else here guards.

    When it is called it raises AuthenticationError for an argument that leads elsewhere, and
    NoDeploymentError under ``local_only``.
    """
    if not callable(member) or _READS.match(name):
        return member
    return functools.partial(_unguarded, name, member if not is_local_only else None)


def _unguarded(name: str, member: Callable[..., Any] | None, *given: Any, **arguments: Any) -> Any:
    if member is None:
        raise NoDeploymentError(
            f"privacy is local_only, and Router.{name} is LiteLLM's own: only completion,"
            " acompletion, embedding and aembedding are held to this machine."
        )
    layers = [arguments, *(one for one in given if isinstance(one, Mapping))]
    places = [key for layer in layers for key, value in layer.items() if _leads(key, value)]
    if any(isinstance(one, str) and _ADDRESSED_MODEL.match(one) for one in given):
        places.append("model")
    if places and not name.startswith("set_"):
        raise AuthenticationError(
            f"{_and(sorted(places))} of Router.{name} may take a configured key elsewhere: name the"
            " place in the litellm_params of a deployment."
        )
    return member(*given, **arguments)


def _leads(name: str, value: Any) -> bool:
    if name == "models":
        return "://" in str(value)
    if name == "model" or (name in FALLBACKS and value):
        return _concerns((name, value))
    if name in ("request", "request_kwargs") and isinstance(value, Mapping):
        return any(_leads(*one) for one in value.items())
    return bool(value) and (says_where(name) or (name in HEADERS and bool(hosts_in(value))))


def guard_of(config: Config, deployments: Deployments) -> Guard:
    """The guard that a configuration asks for."""
    stated = [{**config.litellm_settings, **config.router_settings}.get(n) for n in FALLBACKS]
    is_local_only = config.orchestrator.privacy == "local_only"
    has_targets = "://" in str(stated) or has_own_arguments(stated)
    return Guard(is_local_only, deployments.defaults, has_targets)


#: A deployment that a call may reach, and what the call states for it alone.
_Target = tuple["Deployment", Mapping[str, Any]]


def _concerns(argument: tuple[str, Any]) -> bool:
    """Whether an argument says where to go, with which key, or does so for a fallback alone."""
    name, value = argument
    if name == "model" or (name in FALLBACKS and value):
        return "://" in str(value) or has_own_arguments(value)
    return says_where(name) or is_secret(name) or name in HEADERS


def has_own_arguments(fallbacks: object) -> bool:
    """Whether fallbacks state arguments of their own: ``{"model": …, "api_base": …}``."""
    if isinstance(fallbacks, dict):
        return "model" in fallbacks or any(map(has_own_arguments, fallbacks.values()))
    # Names of groups are most of what is met here, on the way of every call.
    if not isinstance(fallbacks, list | tuple):
        return False
    return any(has_own_arguments(one) for one in fallbacks if type(one) is not str)


def _targets(
    deployments: Deployments, router: Any, arguments: Mapping[str, Any]
) -> Iterator[_Target]:
    """Every deployment that LiteLLM may ask for a call, its fallbacks included."""
    is_alone = arguments.get("disable_fallbacks") and not arguments.get("stream")
    stated = {} if is_alone else fallbacks_of(router, arguments)
    for group, entry in targets_of(stated, str(arguments["model"])):
        ready = deployments.of_group(group)
        if "://" in group and not any(group in (one.model, one.group, one.id) for one in ready):
            raise NoDeploymentError(
                f"the model {group!r} names an address that is not configured: add it to model_list"
                " as a deployment with its own key."
            )
        for one in ready or (ad_hoc_deployment(group, group.partition("/")[0]),):
            yield one, entry


def _hold_here(given: Mapping[str, Any]) -> None:
    """Raises: NoDeploymentError: an argument may lead elsewhere than to the configured server."""
    tools = given.get("tools") or ()
    for name, value in given.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_known = name in _STAYS or name.startswith("mock_")
        if not (is_number or value is None or is_known) or (name in HEADERS and hosts_in(value)):
            raise NoDeploymentError(
                f"privacy is local_only, and {name} may send the call elsewhere: leave it out, or"
                " state it in the litellm_params of a deployment on this machine."
            )
    if any(not isinstance(one, Mapping) or one.get("type") != "function" for one in tools):
        raise NoDeploymentError("privacy is local_only, and a tool of tools is not a function.")


def _hold_keys(given: Mapping[str, Any], targets: Sequence[_Target]) -> None:
    """Raises: AuthenticationError: see `Guard.check`."""
    now, own = surroundings(), credentials_in(given)
    for one, entry in targets:
        for name, origin in elsewhere(one, {**given, **entry}, now):
            layer, over = (entry, {}) if name in entry else (given, entry)
            needed = sorted(n for n in keys_at_risk(one, now) if not layer.get(n) or n in over)
            if needed:
                raise AuthenticationError(
                    f"{name} sends the call to {origin}, and the keys of {one.id} belong to"
                    f" {home_of(one, now)}. Pass {_and(needed)} for that origin with {name}.",
                    deployment=one.id, provider=one.provider,
                )  # fmt: skip
    homes = {
        origin_of(base_of({**given, **entry})) or home_of(one, now)
        for one, entry in targets
        if not own <= entry.keys()
    }
    if own and len(homes) > 1:
        raise AuthenticationError(
            f"{_and(sorted(own))} of this call would go to {_and(sorted(homes))}. Name a model"
            " group of one origin, pass disable_fallbacks=True, or give each fallback its own:"
            ' fallbacks=[{"model": …, "api_key": …}].'
        )


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)
