"""The models of a configuration, and which of them are known to fulfil a wish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.config.providers import prefix_of
from orchestrator.models.deployment import Secret
from orchestrator.models.groups import Deployments, named
from orchestrator.models.known import KnownFacts
from orchestrator.models.registry_files import as_written
from orchestrator.models.table import shipped_table
from orchestrator.models.wishes import Shelf, wish_of
from orchestrator.parsing.spelling import nearest
from orchestrator.types.cached import cached_property
from orchestrator.types.errors import ConfigError, NoDeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.config.settings import Config
    from orchestrator.models.deployment import Deployment
    from orchestrator.models.profiles import LLMProfile


class ConfiguredModels:
    """The model groups of a configuration by name and by what they are known to do."""

    def __init__(self, config: Config, environ: Mapping[str, str], *, reads_table: bool) -> None:
        """Without `reads_table` LiteLLM's table says nothing."""
        self._config = config
        self._all = as_written(config, environ)
        self._known = Deployments(self._all, (), {}, Secret(config.router_settings))
        self._facts = KnownFacts.of_config(config, environ, reads_table=reads_table)
        self.__dict__.pop("_shelf", None)

    @property
    def config(self) -> Config:
        """The configuration with everything that was registered; it holds no key."""
        return self._config

    def providers(self) -> tuple[str, ...]:
        """Every registered provider, by LiteLLM's prefix."""
        return tuple(dict.fromkeys(one.provider for one in self._all))

    def _known_provider(self, name: str) -> str:
        prefix = prefix_of(name)
        if prefix not in self.providers():
            known = ", ".join(self.providers())
            fix = f"Known: {known}; register_provider({name!r}) adds it."
            raise ConfigError("provider", f"{name!r} is not registered", fix=fix)
        return prefix

    def get_model(self, name: str) -> LLMProfile:
        """The profile of a model group, a deployment or a configured model.

        Raises: ConfigError: nothing is registered under that name.
        """
        every = self.deployments(name)
        if not every:
            known = list(dict.fromkeys(one.group for one in self._all))
            same = [one.group for one in self._all if one.model.partition("/")[2] == name]
            near = [one] if (one := nearest(name, known)) else list(dict.fromkeys(same))
            words = " or ".join(map(repr, near))
            fix = f"Did you mean {words}?" if near else f"Known: {', '.join(known)}."
            raise ConfigError("model", f"{name!r} is not registered", fix=fix)
        return self._facts.profile(name, every)

    def deployments(self, name: str) -> list[Deployment]:
        """The deployments of a model group, an alias, an id or a model, whether they can be called
        or not; of a wildcard the one that LiteLLM makes of it. None for an unknown name.

        Raises: ConfigError: the name is not a text.
        """
        if not isinstance(name, str):
            raise ConfigError("model", f"{name!r} is not a name")
        every = [one for one in self._all if one.model == name and "*" not in name]
        if not every or name in self._known.groups():
            every = list(self._known.of_group(name))
        return [named(one, name) for one in every]

    def models(self) -> list[LLMProfile]:
        """The profile of each model group, in the order of the configuration."""
        return list(self._shelf.models)

    @cached_property
    def _shelf(self) -> Shelf:
        names = dict.fromkeys(one.group for one in self._all if "*" not in one.group)
        return Shelf(self.get_model(name) for name in names)

    def find(self, *, everywhere: bool = False, **wanted: Any) -> list[LLMProfile]:
        """The models that are known to fulfil all that is `wanted`: see `Wish`.

        `everywhere` looks through LiteLLM's table, not through the registered models.

        Raises: ConfigError: an ability, a kind or an order is unknown.
        """
        wish = wish_of(wanted)
        if wish.provider and not everywhere:
            self._known_provider(wish.provider)
        found = (self._facts.whole_table if everywhere else self._shelf).among(wish)
        if not found:
            self._is_a_kind(wish.kind)
        return found

    def _is_a_kind(self, kind: str) -> None:
        stated = {about.get("mode", "chat") for about in shipped_table().values()}
        kinds = sorted(stated | {one.kind for one in self._shelf.models})
        if kind not in kinds:
            near = nearest(kind, kinds)
            fix = f"Did you mean {near!r}?" if near else f"Known: {', '.join(kinds)}."
            raise ConfigError("kind", f"{kind!r} is not a mode of any model", fix=fix)

    def cheapest(self, **wanted: Any) -> LLMProfile:
        """The model of `find` with the lowest known price.

        Raises: NoDeploymentError: no model of a known price fulfils all of it.
        """
        found = self.find(**{**wanted, "order_by": "cost"})
        if not found or found[0].cost is None:
            raise NoDeploymentError("no registered model of a known price fulfils all of this.")
        return found[0]
