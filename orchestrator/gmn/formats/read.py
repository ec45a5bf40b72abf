"""Text, bytes or a mapping in, the tree of a canonical document out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.gmn.formats.places import Places
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader made of its input.

    Attributes:
        tree: a document with the keys of the canonical JSON form, not yet checked for types;
            None when nothing could be read.
        findings: what is wrong and stays wrong (001-005, 009, 013, 703, 704, 80x…).
        repairs: what was mended while reading (012, 006, 009 in its lenient bands, 804…).
        places: where each part stands in the text.
        spelling: name of the format recognised: ``text``, ``json``, or a legacy one.
    """

    tree: dict[str, object] | None
    findings: tuple[Diagnostic, ...] = ()
    repairs: tuple[Diagnostic, ...] = ()
    places: Places = Places()
    spelling: str = "text"


def read(
    source: str | bytes | Mapping[str, object], *, limits: Limits = DEFAULT_LIMITS
) -> Reading:
    """Recognise the spelling of `source` and read it; any input gives a Reading, never a raise."""
    raise NotImplementedError
