"""Paths of the files shipped with the package: prompts, schemas, the default config."""

from __future__ import annotations

import functools
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


@functools.cache
def shipped(*parts: str) -> Path:
    """Path of a shipped file, for example ``shipped("prompts", "library")``.

    A wheel holds them inside the package, a checkout beside it.
    """
    inside = _PACKAGE / "_shipped"
    return (inside if inside.is_dir() else _PACKAGE.parent).joinpath(*parts)
