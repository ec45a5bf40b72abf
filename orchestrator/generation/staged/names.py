"""Labels and names of a document, made of a user's own words."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

_OTHERS = pattern(r"[^A-Za-z0-9]+")
_LONGEST = 40  # characters; what tells two labels apart comes behind


def label_of(said: str) -> str:
    """A label of a document for words of a sentence; empty where they have no letter for it."""
    plain = unicodedata.normalize("NFKD", said).encode("ascii", "ignore").decode()
    return _OTHERS.sub("_", plain).strip("_")[:_LONGEST].rstrip("_")


def labels_of(said: Iterable[str], *, otherwise: str = "value") -> tuple[str, ...]:
    """Labels for several names, all different, in their order."""
    found: dict[str, None] = {}
    for number, words in enumerate(said, 1):
        own = label = label_of(words) or f"{otherwise}_{number}"
        copies = 1
        while label in found:
            copies += 1
            label = f"{own}_{copies}"
        found[label] = None
    return tuple(found)


def variable_name(said: str, taken: Iterable[str]) -> str:
    """A name for a variable that no other has."""
    own = label_of(said).lower() or "value"
    own = name = own if re.match(r"[a-z]", own) else f"v_{own}"
    copies, known = 1, set(taken)
    while name in known:
        copies += 1
        name = f"{own}_{copies}"
    return name
