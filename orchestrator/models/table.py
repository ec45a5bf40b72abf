"""LiteLLM's table of models, read from the file that LiteLLM ships: 40 ms, and LiteLLM stays out.

What a Router adds to the table of the running LiteLLM (what one deployment states of itself lands
in the entry that others share) is not in it.
"""

from __future__ import annotations

import functools
import json
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Table = Mapping[str, Mapping[str, Any]]

_FILE = "model_prices_and_context_window_backup.json"
_SPECIMEN = "sample_spec"
_NAMES_A_MODEL = {"litellm_provider", "alias_of"}  # an entry without either is a rule of its own
_MOST_ALIASES = 8


@functools.cache
def shipped_table() -> Table:
    """LiteLLM's entry about each model, by the model's name; empty where the file is missing."""
    found = find_spec("litellm")
    path = Path(found.origin or "").with_name(_FILE) if found is not None else Path(_FILE)
    try:
        table: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return {
        name: about
        for name, about in table.items()
        if name != _SPECIMEN and isinstance(about, dict) and not _NAMES_A_MODEL.isdisjoint(about)
    }


@functools.cache
def table_name() -> str:
    """What the table is called as a source of facts."""
    return f"LiteLLM {version('litellm')}"


def entry_of(model: str, table: Table, base_model: str = "") -> Mapping[str, Any]:
    """The entry about a model; empty when there is none.

    `base_model` is the table's name for a model whose own name is free, such as a deployment of
    Azure. A name without its provider counts only where the entry is of that provider: the price
    that one of them takes for a model says nothing about another's.
    """
    for name in (base_model, model):
        if name and (found := _without_alias(name, table)):
            return found
    provider, _, bare = model.partition("/")
    if bare.startswith("ft:"):  # ft:model:organization:name:id, of which the table has the model
        bare = ":".join(bare.split(":")[:2])
    found = _without_alias(bare, table)
    return found if provider in str(found.get("litellm_provider") or provider) else {}


def _without_alias(name: str, table: Table) -> Mapping[str, Any]:
    """The entry of a name, or of the model that the name is an alias of."""
    for _ in range(_MOST_ALIASES):
        entry = table.get(name, {})
        other = str(entry.get("alias_of") or "")
        if not other or len(entry) > 1:
            return entry
        name = other
    return {}
