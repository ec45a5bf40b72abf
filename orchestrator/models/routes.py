"""Who answers for a name: the groups of each role's route, a model group, a model, a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.config.providers import PROVIDERS
from orchestrator.config.settings import ROLES
from orchestrator.types.errors import ConfigError, NoDeploymentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from orchestrator.config.settings import Config, Routes
    from orchestrator.models.deployment import Deployment, SkippedDeployment
    from orchestrator.models.groups import Deployments


class RouteTable:
    """Answers which deployments a name means; what it looks up by name it keeps."""

    def __init__(
        self,
        deployments: Deployments,
        stated: Routes,
        serves: Callable[[Deployment, str], bool],
    ) -> None:
        """`serves` says whether a deployment's model is of the kind that a method asks."""
        self._known = deployments
        self._stated = stated
        self._serves = serves
        first = next(iter(deployments.routes.get("default", ())), "")
        wild = deployments.of_group(first) if first else ()
        #: The group with which the default begins, where it is a wildcard: not a model's name.
        self._takes_all = first if wild and all("*" in one.model for one in wild) else ""
        self._first: dict[str, tuple[Deployment, ...]] = {}
        self._serving: dict[tuple[str, str], tuple[str, ...]] = {}

    def resolve(self, model: str | None = None, provider: str | None = None) -> str:
        """The route, model group or deployment that a caller's wish means.

        Raises: ConfigError: the name is unknown; the message lists the known ones.
            NoDeploymentError: it is known and cannot be called; the message says why.
        """
        known = self._known
        if not known.ready and not known.skipped:
            raise NoDeploymentError(
                "no model can be called: the configuration has search engines and no model_list."
                " Add one to ask a model, or search alone."
            )
        if provider is not None:
            return self._of_provider(provider)
        if (model is None or model == "default") and self._takes_all:
            group, example = self._takes_all, self._takes_all.replace("*", "NAME")
            raise NoDeploymentError(
                f"the route default begins with {group!r}, which takes every model and names none."
                f" Ask for one (model={example!r}, --route), or name it in DEFAULT_LLM_MODEL."
            )
        if model is None:
            return "default"
        if model in known.routes or model in known.groups() or known.of_group(model):
            return model
        if found := self._narrowest(lambda one: one.model == model):
            return found
        for skipped in known.skipped:
            if model in (skipped.group, skipped.model):
                raise NoDeploymentError(f"{model} cannot be called: {skipped.reason}.")
        if model in ROLES and (named := getattr(self._stated, model)):
            reasons = reasons_of([one for one in known.skipped if one.group in named])
            raise NoDeploymentError(f"the route {model} cannot be called ({reasons}).")
        names = ", ".join(dict.fromkeys((*known.routes, *known.groups())))
        raise ConfigError("model", f"{model!r} is not configured", fix=f"Known: {names}.")

    def _of_provider(self, provider: str) -> str:
        if provider not in PROVIDERS:
            known = ", ".join(PROVIDERS)
            raise ConfigError(
                "provider", f"{provider!r} is not a provider", fix=f"Use one of {known}."
            )
        prefixes = PROVIDERS[provider].prefixes
        # Such a call asks for words; the provider's embedding models may come first in the file.
        words = self._narrowest(
            lambda one: one.provider in prefixes and one.model_info.get("mode") != "embedding"
        )
        if found := words or self._narrowest(lambda one: one.provider in prefixes):
            return found
        why = why_none_of(provider, self._known.skipped)
        raise NoDeploymentError(f"{provider} cannot be called ({why}).", provider=provider)

    def _narrowest(self, fits: Callable[[Deployment], bool]) -> str:
        """The group of the first deployment that fits if all its siblings do, else its id."""
        for one in filter(fits, self._known.ready):
            return one.group if all(map(fits, self._known.of_group(one.group))) else one.id
        return ""

    def deployments(self, name: str = "") -> list[Deployment]:
        """Every deployment that a name means, or all that can be called. Raises: as `resolve`."""
        if not name:
            return list(self._known.ready)
        route = self.resolve(name)
        groups = self._known.routes.get(route, (route,))
        return list({one.id: one for g in groups for one in self._known.of_group(g)}.values())

    def first_group(self, name: str) -> tuple[Deployment, ...]:
        """The deployments of a route's first group, or of a group."""
        if name not in self._first:
            self._first[name] = self._known.of_group(self._known.routes.get(name, (name,))[0])
        return self._first[name]

    def groups_serving(self, name: str, method: str) -> tuple[str, ...]:
        """The groups of a route that a method can ask; where no default is stated, any one.

        A name that is not a route's stands for itself.

        Raises: NoDeploymentError: no group of the route is of the kind that the method asks.
        """
        if name not in self._known.routes:
            return (name,)
        if (name, method) not in self._serving:
            self._serving[name, method] = self._found_serving(name, method)
        return self._serving[name, method]

    def _found_serving(self, name: str, method: str) -> tuple[str, ...]:
        known = self._known
        is_stated = name != "default" or known.is_default_stated
        for groups in (known.routes[name], () if is_stated else known.groups()):
            found = tuple(
                group
                for group in groups
                if all(self._serves(one, method) for one in known.of_group(group))
            )
            if found:
                return found if is_stated else found[:1]
        raise NoDeploymentError(
            f"no model group of the route {name} takes {method.removeprefix('a')} calls"
            f" ({', '.join(known.routes[name])}). Ask for a group by its name."
        )

    def group_reading_pictures(
        self, name: str, reads_pictures: Callable[[Deployment], bool]
    ) -> str:
        """The first group of a route all of whose deployments read pictures.

        Raises: NoDeploymentError: there is none.
        """
        groups = self._known.routes.get(name, (name,))
        for group in groups:
            if all(map(reads_pictures, self._known.of_group(group))):
                return group
        raise NoDeploymentError(
            f"no model group of {name!r} reads pictures ({', '.join(groups)}). Choose a model that"
            " does, or state model_info: {supports_vision: true} where LiteLLM does not know it."
        )


def routes_of(
    config: Config,
    ready: Sequence[Deployment],
    skipped: Sequence[SkippedDeployment] = (),
    *,
    wanted: str = "",
) -> dict[str, tuple[str, ...]]:
    """The groups of each role that can be called; `wanted` answers for the role ``default``."""
    groups = tuple(dict.fromkeys(one.group for one in ready))
    known = {deployment.model_name for deployment in config.model_list}
    stated = config.orchestrator.routes
    routes: dict[str, tuple[str, ...]] = {}
    for role in ROLES:
        named: tuple[str, ...] = getattr(stated, role)
        for group in named:
            if group not in known:
                raise ConfigError(
                    f"orchestrator.routes.{role}",
                    f"{group!r} is not a model_name of model_list",
                    fix=f"Known: {', '.join(sorted(known))}.",
                )
        if role in known and role not in (named[:1] or (role,)):
            raise ConfigError(
                f"orchestrator.routes.{role}",
                f"model_list has a group of the same name, and the route begins with {named[0]!r}",
                fix=f"Begin the route with {role!r}, or rename the group.",
            )
        if role in groups and not named:
            routes[role] = (role,)  # asked for by its name
        elif found := tuple(group for group in named if group in groups):
            routes[role] = found
        elif named and role not in stated.optional and not (wanted and role == "default"):
            raise _empty_route(role, named, skipped)
    if wanted:
        routes["default"] = (wanted, *(g for g in routes.get("default", ()) if g != wanted))
    elsewhere = {group for found in routes.values() for group in found}
    routes.setdefault("default", _first_chat_group(ready, elsewhere) or groups[:1])
    return routes


def _first_chat_group(ready: Sequence[Deployment], elsewhere: Collection[str]) -> tuple[str, ...]:
    """The group that answers where the file names no default: one, because none may follow it."""
    chat = (
        one
        for one in ready
        if one.model_info.get("mode", "chat") == "chat" and "*" not in one.group
    )
    return tuple(one.group for one in chat if one.group not in elsewhere)[:1]


def _empty_route(
    role: str, named: Sequence[str], skipped: Sequence[SkippedDeployment]
) -> ConfigError:
    reasons = reasons_of([one for one in skipped if one.group in named])
    return ConfigError(
        f"orchestrator.routes.{role}",
        f"none of its model groups can be called ({reasons})",
        fix="Set what is missing, name another group, or list the role under routes.optional.",
    )


def why_none_of(provider: str, skipped: Sequence[SkippedDeployment]) -> str:
    """Why no deployment of a provider can be called."""
    theirs = [d for d in skipped if d.provider in PROVIDERS[provider].prefixes]
    return reasons_of(theirs) or "model_list has no deployment of it"


def reasons_of(skipped: Sequence[SkippedDeployment]) -> str:
    """Why each of them was left out, in one line."""
    return "; ".join(f"{d.group}: {d.reason}" for d in skipped)
