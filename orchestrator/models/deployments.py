"""From a configuration to the deployments that can be called, and who serves which route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.config.providers import CHOICES, LOCAL_PREFIXES, OFFLINE, PROVIDERS
from orchestrator.models.credentials import is_key
from orchestrator.models.deployment import Deployment, Secret, SkippedDeployment
from orchestrator.models.fallbacks import refuse_unknown_fallbacks
from orchestrator.models.groups import Deployments
from orchestrator.models.local_servers import why_not_taken
from orchestrator.models.origins import CHAINS, NOT_HERE, why_it_leaves
from orchestrator.models.retirement import refuse_odd_date, retirement, today_utc
from orchestrator.models.routes import reasons_of, routes_of, why_none_of
from orchestrator.models.surroundings import SETTINGS, surroundings
from orchestrator.models.table import shipped_table
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.config.settings import Config, ModelListEntry

_ENV = "os.environ/"
#: A deployment with this in its ``model_info`` was asked for by name: ``auto`` does not leave it
#: out, and does not probe its server.
ASKED_FOR = "is_asked_for"


def replayed_deployments(config: Config, recorded: Mapping[str, Any]) -> Deployments:
    """The deployments as they were when the answers were recorded; none of them is ever called."""
    ready = tuple(
        Deployment(
            one.model_name,
            str(one.litellm_params.get("model", "")),
            str(one.model_info.get("id") or f"{one.model_name}-{index}"),
            Secret({"model": str(one.litellm_params.get("model", ""))}),
            one.model_info,
        )
        for index, one in enumerate(config.model_list)
    )
    routes = {role: tuple(groups) for role, groups in recorded.get("routes", {}).items()}
    return Deployments(ready, (), routes or routes_of(config, ready), Secret({}))


def deployments_of(config: Config, environ: Mapping[str, str]) -> Deployments:
    """Resolve ``os.environ/KEY``, leave out what has no key, and settle the routes.

    Without a ``model_list`` a configuration of search engines has no deployments.

    Raises: ConfigError: a route or a fallback names a group that does not exist, nothing can be
        called, or an ``os.environ/KEY`` in ``router_settings`` is not set.
    """
    if not config.model_list and config.is_searched:
        return Deployments((), (), {}, Secret({}))
    environ = {**environ, **config.environment_variables}
    ready: list[Deployment] = []
    skipped: list[SkippedDeployment] = []
    config, wanted = _with_default_model(config, environ)
    for index, deployment in enumerate(config.model_list):
        _refuse_odd(f"model_list.{index}", deployment)
        params, missing = resolved(deployment.litellm_params, environ)
        model = str(params.get("model", ""))
        if missing:
            reason = why_missing(missing, environ)
            skipped.append(SkippedDeployment(deployment.model_name, model, reason))
            continue
        stated = deployment.model_info.get("id")
        made = str(stated) if stated else f"{deployment.model_name}-{index}"
        ready.append(
            Deployment(deployment.model_name, model, made, Secret(params), deployment.model_info)
        )
    settings, missing = resolved(config.router_settings, environ)
    if missing:
        raise ConfigError("router_settings", why_missing(missing, environ))
    refuse_unknown_fallbacks(config, settings)
    general = config.litellm_settings
    of_all = settings.get("default_litellm_params") or {}
    _refuse_chains("router_settings.default_litellm_params", of_all)
    defaults = of_all | {name: general[name] for name in SETTINGS if name in general}
    if config.orchestrator.privacy == "local_only":
        ready = [one for one in ready if _stays(one, defaults, skipped)]
    if config.orchestrator.retired_models == "refuse":
        ready = [one for one in ready if _is_offered(one, skipped)]
    ready, skipped = _allowed(config, environ, ready, skipped)
    if wanted:
        _require_callable(wanted, ready, skipped)
    routes = routes_of(config, ready, skipped, wanted=wanted)
    most = 1 + config.orchestrator.limits.fallbacks
    routes = {role: groups[:most] for role, groups in routes.items()}
    is_stated = bool(wanted or config.orchestrator.routes.default or "default" in routes["default"])
    return Deployments(tuple(ready), tuple(skipped), routes, Secret(settings), is_stated, defaults)


def _refuse_odd(place: str, one: ModelListEntry) -> None:
    _refuse_chains(f"{place}.litellm_params", one.litellm_params)
    _refuse_limits(f"{place}.litellm_params", one.litellm_params)
    refuse_odd_date(f"{place}.model_info", one.model_info)


def _refuse_limits(place: str, params: Mapping[str, Any]) -> None:
    """A limit of 0 would let every call wait for nothing until its deadline."""
    for name in ("rpm", "tpm"):
        try:
            is_none_left = params.get(name) is not None and float(params[name]) <= 0
        except (TypeError, ValueError):
            continue  # LiteLLM says what it takes
        if is_none_left:
            fix = "State a number above 0, or leave the key out where nothing is limited."
            raise ConfigError(f"{place}.{name}", f"{params[name]!r} lets no call through", fix=fix)


def _refuse_chains(place: str, params: Mapping[str, Any]) -> None:
    if name := next((name for name in CHAINS if params.get(name)), ""):
        what = "LiteLLM would ask others there, past the Router, its keys and budgets"
        fix = "Name their groups in router_settings.fallbacks (or context_window_fallbacks)."
        raise ConfigError(f"{place}.{name}", what, fix=fix)


def _stays(one: Deployment, defaults: Mapping[str, Any], skipped: list[SkippedDeployment]) -> bool:
    if why := why_it_leaves(one, defaults, surroundings()):
        reason = "privacy is local_only" + ("" if why == NOT_HERE else f": {why}")
        skipped.append(SkippedDeployment(one.group, one.model, reason))
    return not why


def _is_offered(one: Deployment, skipped: list[SkippedDeployment]) -> bool:
    today = today_utc()
    found = retirement(one, today, shipped_table())
    if is_gone := found is not None and found.is_past(today):
        skipped.append(SkippedDeployment(one.group, one.model, found.words(today)))
    return not is_gone


def _with_default_model(config: Config, environ: Mapping[str, str]) -> tuple[Config, str]:
    """The group that ``DEFAULT_LLM_MODEL`` names; a model of a known provider gets a group."""
    named = environ.get("DEFAULT_LLM_MODEL", "")
    if not named:
        return config, ""
    groups = {one.model_name: str(one.litellm_params.get("model")) for one in config.model_list}
    if named in groups:
        return config, named
    for group, model in groups.items():
        if named in (model, model.partition("/")[2]):
            return config, group
    prefix = named.partition("/")[0]
    like = next((o for o in config.model_list
                 if str(o.litellm_params.get("model")).startswith(f"{prefix}/")), None)  # fmt: skip
    if "/" not in named or like is None:
        raise ConfigError(
            "DEFAULT_LLM_MODEL",
            f"{named!r} is neither a model group nor a model of a configured provider",
            fix=f"Known: {', '.join(groups)}; or write provider/model.",
        )
    params = {**like.litellm_params, "model": named}
    made = like.model_copy(update={"model_name": named, "litellm_params": params, "model_info": {}})
    return config.model_copy(update={"model_list": (*config.model_list, made)}), named


def _require_callable(
    wanted: str, ready: Sequence[Deployment], skipped: Sequence[SkippedDeployment]
) -> None:
    if not any(one.group == wanted for one in ready):
        reason = next((d.reason for d in skipped if d.group == wanted), "it is not configured")
        raise ConfigError("DEFAULT_LLM_MODEL", f"{wanted!r} cannot be called: {reason}")


def resolved(
    value: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """`value` with every ``os.environ/KEY`` in it replaced, and the keys that are not set, or that
    are the ``api_key`` and cannot be one."""
    missing: list[str] = []

    def resolve(part: Any, place: str = "") -> Any:
        if isinstance(part, str) and part.startswith(_ENV):
            name = part.removeprefix(_ENV)
            found = environ.get(name, "")
            if not found.strip() or (place == "api_key" and not is_key(found)):
                missing.append(name)
            return found or None
        if isinstance(part, Mapping):
            return {key: resolve(inner, key) for key, inner in part.items()}
        if isinstance(part, list | tuple):
            return [resolve(inner) for inner in part]
        return part

    return {key: resolve(part, key) for key, part in value.items()}, missing


def why_missing(names: Sequence[str], environ: Mapping[str, str]) -> str:
    """What is wrong with variables that `resolved` found missing."""
    odd = [name for name in names if environ.get(name, "").strip()]
    return f"{', '.join(odd)} is not the text of a key" if odd else f"{', '.join(names)} is not set"


def _allowed(
    config: Config,
    environ: Mapping[str, str],
    ready: list[Deployment],
    skipped: list[SkippedDeployment],
) -> tuple[list[Deployment], list[SkippedDeployment]]:
    """Hold the deployments against the chosen provider, and local servers' silence."""
    named = environ.get("LLM_PROVIDER") or config.orchestrator.provider
    if named != "auto" and named not in PROVIDERS:
        known = ", ".join(CHOICES)
        raise ConfigError(
            "LLM_PROVIDER", f"{named!r} is not a provider", fix=f"Use one of {known}."
        )
    kept: list[Deployment] = []
    for one in ready:
        if named != "auto" and one.provider not in PROVIDERS[named].prefixes:
            skipped.append(
                SkippedDeployment(one.group, one.model, f"the provider is set to {named}")
            )
        else:
            kept.append(one)
    if named == "auto":
        kept = _auto(kept, skipped)
    if not kept:
        raise _nothing_left(named, skipped)
    return kept, skipped


def _nothing_left(named: str, skipped: Sequence[SkippedDeployment]) -> ConfigError:
    """Why nothing can be called; of a provider that was asked for, only what concerns it."""
    if named != "auto":
        what = f"the provider is set to {named}, and none of its deployments can be called"
        fix = "Change that, or let LLM_PROVIDER=auto choose."
        return ConfigError("model_list", f"{what} ({why_none_of(named, skipped)})", fix=fix)
    fix = "Set a key, or add the embedded provider: model: offline/library."
    reasons = reasons_of(skipped) or "model_list is empty"
    return ConfigError("model_list", f"no deployment can be called ({reasons})", fix=fix)


def _auto(kept: list[Deployment], skipped: list[SkippedDeployment]) -> list[Deployment]:
    """Keyed providers if there are any; else local servers that say who they are; else the embedded
    one."""
    to_name_keyed = [one for one in kept if not one.is_local]
    chosen: list[Deployment] = []
    known: dict[str, str] = {}
    for one in kept:
        if one.model_info.get(ASKED_FOR):
            chosen.append(one)
        elif one.provider == OFFLINE:
            continue
        elif not one.is_local or not _is_shipped_local(one):
            chosen.append(one)
        elif to_name_keyed:
            skipped.append(
                SkippedDeployment(one.group, one.model, "not probed: a provider has a key")
            )
        elif why := why_not_taken(one, known):
            skipped.append(SkippedDeployment(one.group, one.model, why))
        else:
            chosen.append(one)
    embedded = [one for one in kept if one.provider == OFFLINE and one not in chosen]
    if chosen:
        reason = f"{chosen[0].group} can be called; LLM_PROVIDER=offline chooses this one"
        skipped.extend(SkippedDeployment(one.group, one.model, reason) for one in embedded)
        return chosen
    return embedded


def _is_shipped_local(one: Deployment) -> bool:
    """Local servers are probed; a loopback address with any other provider was chosen."""
    return one.provider in LOCAL_PREFIXES
