"""Models that the configuration does not list: whose deployment takes them, as LiteLLM would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.models.deployment import Deployment, Secret, ad_hoc_deployment
from orchestrator.routing import _litellm
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.models.groups import Deployments

_PROVIDER = "custom_llm_provider"


def unlisted(
    known: Deployments, model: str, router: Any = None
) -> tuple[str, tuple[Deployment, ...]]:
    """The name by which a model that is not listed is asked for, and the deployments to add for it.

    A wildcard of its provider takes it, as in LiteLLM's Router; then nothing is added. Else a
    deployment for it alone, whose credentials LiteLLM finds. A Router that somebody else built has
    what was added to it since, and nothing else: a misspelled name goes nowhere.

    Raises: ConfigError: nobody takes it.
    """
    litellm = _litellm.load()
    try:
        provider = str(litellm.get_llm_provider(model)[1])
    except litellm.BadRequestError:
        provider = ""
    if provider and known.of_group(name := f"{provider}/{model}"):
        return name, ()
    if router is not None:
        listed = router.registry().all()
        found = tuple(_listed(one) for one in listed if one["model_name"] == model)
    else:
        found = (ad_hoc_deployment(model, provider),) if provider else ()
    if not found:
        names = ", ".join(dict.fromkeys((*known.routes, *known.groups())))
        raise ConfigError("model", f"{model!r} is not configured", fix=f"Known: {names}.")
    return model, found


def _listed(entry: Mapping[str, Any]) -> Deployment:
    params, stated = dict(entry["litellm_params"]), entry.get("model_info") or {}
    model = str(params["model"])
    return Deployment(entry["model_name"], model, str(stated["id"]), Secret(params), stated)


def as_we_say(arguments: Mapping[str, Any], resolve: Callable[[str], str]) -> dict[str, Any]:
    """What LiteLLM's callers say otherwise: ``caching=False``, and the provider beside its model.

    The provider becomes the prefix of a model for which `resolve` raises ConfigError.
    """
    said = dict(arguments)
    if said.get("caching") is False and said.get("cache") is None:
        said["cache"] = "off"
    provider, model = said.get(_PROVIDER), said.get("model")
    if provider and isinstance(provider, str) and isinstance(model, str):
        try:
            resolve(model)
        except ConfigError:
            prefix = f"{said.pop(_PROVIDER)}/"
            said["model"] = prefix + model.removeprefix(prefix)
    return said
