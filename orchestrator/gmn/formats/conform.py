"""From an untyped tree to a typed `GMNSpec`, with every change reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.gmn.model import GMNSpec


@dataclass(frozen=True, slots=True)
class Conformed:
    """A typed document, or the reasons why there is none.

    Attributes:
        spec: None when a value could not be given its type.
        findings: 008, 010, 011, 104, 309, 310, 312 that stay.
        repairs: the same codes where a value was mended: ``"4"`` to 4, a scalar to a list…
    """

    spec: GMNSpec | None
    findings: tuple[Diagnostic, ...] = ()
    repairs: tuple[Diagnostic, ...] = ()


def conform(tree: Mapping[str, object]) -> Conformed:
    """Give every value of `tree` its type. A conforming tree comes back unchanged."""
    raise NotImplementedError
