"""A model with one episode of it: what a figure was drawn from, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.gmn.imports.imported import Imported, from_json, imported, unread

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Raise it when another version of this file could not read a bundle.
VERSION = "1"
KEYS = ("bundle", "model", "seed", "steps", "engine", "trace")


def read(text: str) -> Imported:
    """Read a JSON text that holds a bundle."""
    return from_json(text, read_data)


def read_data(source: Mapping[str, object]) -> Imported:
    """The model of a bundle; its episode is what `orchestrator simulate` compares with."""
    model = source.get("model")
    if source.get("bundle") != VERSION or not isinstance(model, dict):
        words = (
            f"a bundle of version {source.get('bundle')!r} is not supported; this reads {VERSION}"
        )
        return Imported({}, errors=(finding("GMN011", words, pointer="/bundle"),))
    found = [finding("GMN804", "read as a bundle: a model with one episode of it")]
    origins = {f"/{key}": f"/model/{key}" for key in model}
    return imported(dict(model), [*found, *unread(source, KEYS, "the document")], origins)
