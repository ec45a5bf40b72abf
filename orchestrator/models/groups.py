"""The deployments by group and route, and what identifies them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.config.providers import EMBEDDED_VERSION, OFFLINE
from orchestrator.models.surroundings import Surroundings, surroundings, without_secrets

if TYPE_CHECKING:
    from orchestrator.models.deployment import Deployment, Secret, SkippedDeployment


@dataclass(frozen=True, slots=True)
class Deployments:
    """What can be called, what cannot, and who serves which route, first choice first.

    Attributes:
        router_settings: the configuration's, with every ``os.environ/KEY`` resolved.
        is_default_stated: whether the configuration names the groups of a call that names none.
        defaults: what the configuration adds to the parameters of every deployment.
    """

    ready: tuple[Deployment, ...]
    skipped: tuple[SkippedDeployment, ...]
    routes: Mapping[str, tuple[str, ...]]
    router_settings: Secret
    is_default_stated: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _prints: dict[str, tuple[Surroundings, str]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _groups: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _aliases: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = tuple(dict.fromkeys(ready.group for ready in self.ready))
        object.__setattr__(self, "_groups", names)
        stated = self.router_settings.value.get("model_group_alias") or {}
        aliases = {
            name: str(of.get("model")) if isinstance(of, Mapping) else str(of)
            for name, of in stated.items()
        }
        object.__setattr__(self, "_aliases", aliases)

    def groups(self) -> tuple[str, ...]:
        """Every model group that has a deployment, in the order of the file."""
        return self._groups

    def of_group(self, group: str) -> tuple[Deployment, ...]:
        """The deployments that LiteLLM asks for a name: of that group, else the one of that id,
        else of the groups whose wildcard (``openai/*``) the name fits."""
        name = self._aliases.get(group, group)
        return (
            tuple(one for one in self.ready if one.group == name)
            or tuple(one for one in self.ready if one.id == name)
            or tuple(one for one in self.ready if _fits(name, one.group))
        )

    def known_fingerprint(self, route: str) -> str:
        """The fingerprint of a route or group, empty before it was made; the path of every hit."""
        then, made = self._prints.get(route) or (None, "")
        return made if then is surroundings() else ""

    def fingerprint(self, route: str) -> str:
        """Identifies the deployments behind a route and all that shapes requests to them.

        No secret is part of it.
        """
        if made := self.known_fingerprint(route):
            return made
        now = surroundings()
        found = [
            (name, r) for name in self.routes.get(route, (route,)) for r in self.of_group(name)
        ]
        # What a wildcard sends depends on what of the name its stars stand for.
        known = [
            (
                name if "*" not in r.group else f"{r.group} {name}",
                _as_it_answers(r),
                without_secrets({**self.defaults, **r.params.value}),
            )
            for name, r in found
        ]
        text = json.dumps(known, sort_keys=True).encode(errors="surrogatepass")
        made = now.added_to(hashlib.sha256(text).hexdigest()[:16], [one for _, one in found])
        self._prints[route] = now, made
        return made


def _as_it_answers(one: Deployment) -> str:
    """The model, and for the embedded provider the version of its answers."""
    return f"{one.model}@{EMBEDDED_VERSION}" if one.provider == OFFLINE else one.model


def named(one: Deployment, name: str) -> Deployment:
    """The deployment that LiteLLM makes of one with a wildcard for the model of a name."""
    if "*" not in one.model or name in (one.group, one.id):
        return one
    prefix = one.model.partition("*")[0]
    model = f"{prefix}{name.removeprefix(prefix)}"
    return replace(one, group=name, model=model)


def _fits(name: str, group: str) -> bool:
    if "*" not in group:
        return False
    first, *inner, last = map(re.escape, group.split("*"))
    # Atomic: what stands between two stars is looked for once.
    pattern = "".join([first, *(f"(?>.*?{part})" for part in inner), ".*", last])
    return re.fullmatch(pattern, name) is not None
