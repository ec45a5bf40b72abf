"""Percentages and fractions are not part of a model, but their author wants them back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from orchestrator.parsing.scalars import share_in
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.gmn.formats.source_map import SourceMap
    from orchestrator.gmn.model import GMNSpec

_SHARE = pattern(r"([-+]?[\d.]+(?:[eE][-+]?\d+)?[ \t]*%|\d+[ \t]*/[ \t]*\d+)")


class Written(float):
    """A number that is printed as it was written."""

    text: str


def with_shares(spec: GMNSpec, places: SourceMap) -> GMNSpec:
    """An equal document; `write_text` prints its percentages and fractions as they were written."""
    found: dict[str, str] = {}
    for pointer, offset in places.offsets.items():
        if match := _SHARE.match(places.text, offset):
            found[pointer] = match[1]
    made: GMNSpec = _with(spec, "", found) if found else spec
    return made


def _with(part: Any, pointer: str, found: Mapping[str, str]) -> Any:
    if isinstance(part, float):
        # A vector is one row, a gradient a list of one: they stand one level higher in the text.
        short = re.sub(r"/(rows|goal_gradient)/0(?=/\w+\Z)", r"/\1", pointer)
        text = found.get(pointer) or found.get(short, "")
        if share_in(text) != part:
            return part
        written = Written(part)
        written.text = text
        return written
    if isinstance(part, tuple):
        return tuple(_with(item, f"{pointer}/{i}", found) for i, item in enumerate(part))
    if isinstance(part, BaseModel):
        fields = type(part).model_fields
        update = {n: _with(getattr(part, n), f"{pointer}/{n}", found) for n in fields}
        return part.model_copy(update=update)
    return part
