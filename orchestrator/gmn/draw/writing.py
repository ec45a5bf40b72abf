"""Which picture a file name asks for, and its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.gmn.draw.raster import raster, require_raster
from orchestrator.gmn.draw.svg import svg
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from orchestrator.gmn.draw.scene import Scene

#: SVG needs nothing besides; the others the extra ``plot``.
SUFFIXES = (".svg", ".png", ".pdf")


def require_suffix(path: str | Path, *more: str) -> str:
    """The suffix of a picture's file, found out before anything is computed or paid for.

    `more` are suffixes that are written elsewhere.

    Raises:
        ValueError: it is another suffix.
        MissingExtraError: PNG and PDF need matplotlib, which is not installed.
    """
    suffix = Path(path).suffix.lower()
    accepted = (*SUFFIXES, *more)
    if suffix not in accepted:
        raise ValueError(f"{visible(str(path))} is neither {' nor '.join(accepted)}")
    if suffix in (".png", ".pdf"):
        require_raster()
    return suffix


def encoded(scene: Scene, suffix: str) -> bytes:
    """The picture as the bytes of a file with that suffix.

    Raises: MissingExtraError: as `require_suffix`.
    """
    if suffix == ".svg":
        return svg(scene).encode()
    return raster(scene, "png" if suffix == ".png" else "pdf")
