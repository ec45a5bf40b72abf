"""The groups that the fallbacks of a configuration name."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from orchestrator.parsing.spelling import nearest
from orchestrator.types.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.config.settings import Config

_BY_GROUP = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


def refuse_unknown_fallbacks(config: Config, router_settings: Mapping[str, Any]) -> None:
    """Hold the fallbacks to the groups of ``model_list``: LiteLLM would find out in an outage.

    A fallback may also be an alias, a deployment by its id or its model, or a model of a wildcard
    group. The group that falls back may be a model that is not listed, with its provider.

    Raises: ConfigError: one names nothing that can be asked.
    """
    known = _names(config, router_settings)
    for place, name, is_target in _named(config, router_settings):
        is_unlisted = not is_target and ("/" in name or name == "*")
        if is_unlisted or any(name == one or fnmatch.fnmatchcase(name, one) for one in known):
            continue
        near = nearest(name, known)
        groups = ", ".join(sorted({one.model_name for one in config.model_list}))
        fix = f"Did you mean {near!r}?" if near else f"Known: {groups}."
        raise ConfigError(place, f"{name!r} is not a model_name of model_list", fix=fix)


def _names(config: Config, router_settings: Mapping[str, Any]) -> dict[str, None]:
    """Everything by which LiteLLM's Router finds deployments."""
    known = dict.fromkeys(one.model_name for one in config.model_list)
    known |= dict.fromkeys(map(str, router_settings.get("model_group_alias") or {}))
    for one in config.model_list:
        stated = (one.model_info.get("id"), one.litellm_params.get("model"))
        known |= dict.fromkeys(str(name) for name in stated if name)
    # LiteLLM takes a group without its provider for the one with it.
    listed = [name for name in known if "/" in name and "*" not in name]
    return known | dict.fromkeys(name.partition("/")[2] for name in listed)


def _named(config: Config, router_settings: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Every name in the fallbacks: its place, the name, and whether it is what is fallen back to.

    What has another shape is left to LiteLLM, which refuses it.
    """
    sections = {"router_settings": router_settings, "litellm_settings": config.litellm_settings}
    for section, settings in sections.items():
        place = f"{section}.default_fallbacks"
        yield from ((place, name, True) for name in _targets(settings.get("default_fallbacks")))
        for key in _BY_GROUP:
            entries = settings.get(key)
            for index, entry in enumerate(entries if isinstance(entries, list | tuple) else ()):
                for group, targets in entry.items() if isinstance(entry, dict) else ():
                    place = f"{section}.{key}.{index}"
                    yield place, str(group), False
                    for name in _targets(targets):
                        yield f"{place}.{group}", name, True


def _targets(stated: object) -> Iterator[str]:
    for one in stated if isinstance(stated, list | tuple) else ():
        name = one.get("model") if isinstance(one, dict) else one
        if isinstance(name, str):
            yield name
