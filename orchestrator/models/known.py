"""Every source of facts that this machine has, each read when it is first needed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from orchestrator.config.settings import cache_directory
from orchestrator.ledger.private import private_lock, write_private
from orchestrator.ledger.usage import stamp
from orchestrator.models.catalogue import CATALOGUE_FILE, Catalogue
from orchestrator.models.deployment import Deployment, Secret
from orchestrator.models.facts import Fact, facts_of, minimum, stated_in
from orchestrator.models.profiles import (
    LLMProfile,
    capabilities_from,
    family_of,
    prices_from,
)
from orchestrator.models.refused_modes import MODES_FILE, RefusedModes
from orchestrator.models.retirement import retirement_of, today_utc
from orchestrator.models.surroundings import without_secrets
from orchestrator.models.table import shipped_table, table_name
from orchestrator.models.wishes import Shelf
from orchestrator.parsing.bounds import json_value
from orchestrator.types.cached import cached_property

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.config.settings import Config
    from orchestrator.models.facts import Facts, FactValue

PROBES_FILE = "probes.json"  # in the cache directory


class ProbeResults:
    """What probes found out, by deployment; of one that was changed since, nothing counts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def facts(self, one: Deployment) -> dict[str, Fact]:
        """The facts that a probe of this very deployment found."""
        entry = self._known.get(one.id)
        if not isinstance(entry, dict) or entry.get("of") != _print_of(one):
            return {}
        found = entry.get("found")
        named = stated_in(found if isinstance(found, dict) else {})
        where = f"probe ({entry['window']})" if entry.get("window") else "probe"
        return {
            name: Fact(v, where if name == "max_context_window" else "probe", str(entry.get("at")))
            for name, v in named.items()
        }

    def keep(self, one: Deployment, found: Mapping[str, FactValue], *, window: str = "") -> None:
        """Remember what a probe found, under the keys of LiteLLM's table; `window` says how it
        found the context window.

        Raises: OSError: the file cannot be written.
        """
        entry = {"of": _print_of(one), "at": stamp(), "found": dict(found), "window": window}
        self._known[one.id] = entry
        with private_lock(self.path.with_suffix(".lock")):
            write_private(self.path, json.dumps({**self._read(), one.id: entry}).encode())

    @cached_property
    def _known(self) -> dict[str, Any]:
        return self._read()

    def _read(self) -> dict[str, Any]:
        try:
            found = json_value(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _print_of(one: Deployment) -> str:
    text = json.dumps([one.model, without_secrets(one.params.value)], sort_keys=True)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


class KnownFacts:
    """The facts of deployments, groups and models, and the profiles they amount to."""

    def __init__(self, directory: Path, *, reads_table: bool = True) -> None:
        """`directory` is the cache's, where probes, refusals and the catalogue are kept."""
        self.probes = ProbeResults(directory / PROBES_FILE)
        self.modes = RefusedModes(directory / MODES_FILE)
        self._directory = directory
        self._reads_table = reads_table

    @classmethod
    def of_config(
        cls, config: Config, environ: Mapping[str, str], *, reads_table: bool = True
    ) -> KnownFacts:
        """Those of a configuration; without `reads_table` LiteLLM's table says nothing."""
        directory = cache_directory(config.orchestrator.cache, environ)
        return cls(directory, reads_table=reads_table)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The second catalogue; empty where none was read in."""
        return Catalogue.kept(self._directory / CATALOGUE_FILE)

    @property
    def table(self) -> Mapping[str, Any]:
        """LiteLLM's table, as shipped."""
        return shipped_table() if self._reads_table else {}

    def of(self, one: Deployment) -> Facts:
        """The facts of one deployment."""
        return facts_of(
            one,
            self.table,
            found=(self.probes.facts(one), self.modes.facts(one)),
            catalogue=self.catalogue.facts(one.model),
            source=table_name(),
        )

    def of_group(self, every: Sequence[Deployment]) -> Facts:
        """The facts of a group: those of its weakest deployment."""
        return minimum([self.of(one) for one in every])

    def profile(self, name: str, every: Sequence[Deployment]) -> LLMProfile:
        """The profile of a group; provider and model are those of its first deployment."""
        facts, first = self.of_group(every), every[0]
        going = [
            found
            for one in every
            if (found := retirement_of(one, today_utc(), self.table)) is not None
        ]
        soonest = min(going, key=lambda found: found.on, default=None)
        kind = first.model_info.get("mode") or first.entry_in(self.table).get("mode") or "chat"
        return LLMProfile.model_construct(
            name=name,
            provider=first.provider,
            model=first.model,
            family=family_of(first.model),
            kind=str(kind),
            capabilities=capabilities_from(facts),
            is_local=all(one.is_local for one in every),
            retires_on=soonest.on if soonest else None,
            recommended_replacement=soonest.successor if soonest else "",
            **prices_from(facts),
        )

    def named(self, model: str) -> Deployment | None:
        """A model that is not configured; None where neither table nor catalogue has its name."""
        one = unconfigured(model, str(self.table.get(model, {}).get("litellm_provider") or ""))
        return one if one.entry_in(self.table) or self.catalogue.facts(one.model) else None

    @cached_property
    def whole_table(self) -> Shelf:
        """Every model of LiteLLM's table."""
        return Shelf(
            self.profile(name, [unconfigured(name, str(about.get("litellm_provider") or ""))])
            for name, about in self.table.items()
        )


def unconfigured(model: str, provider: str = "") -> Deployment:
    """A deployment of a model that nothing configures; `provider` where its name states none."""
    full = model if "/" in model or not provider else f"{provider}/{model}"
    return Deployment(full, full, full, Secret({}), {})
