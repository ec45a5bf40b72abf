"""Tables keyed by labels: in lists, and which axis the labels prove to be whose."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from orchestrator.gmn.imports.numbers import is_wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    #: Labels by the kind of variable: states, observations, actions.
    Labels = Mapping[str, Sequence[str]]
    #: Of each axis the kinds whose labels are its keys; None where it is a list.
    Keyed = list["set[str] | None"]


class KeyedError(Exception):
    """Keys are not the labels of one variable."""


def in_lists(value: object, labels: Labels, depth: int = 3) -> tuple[object, Keyed]:
    """The value with what is keyed by labels in their order, and the kinds of keys of each axis.

    A label that a distribution leaves out has probability 0.

    Raises: KeyedError: keys are the labels of no variable, or tables for some labels are missing.
    """
    if not depth or not isinstance(value, dict | list) or is_wrapped(value):
        return value, []
    kinds: set[str] | None = None
    parts: Sequence[object] = value if isinstance(value, list) else []
    if isinstance(value, dict):
        keys = {str(key): part for key, part in value.items()}
        kinds = {kind for kind, names in labels.items() if keys and set(keys) <= set(names)}
        if not kinds:
            raise KeyedError(_unknown(keys, labels))
        names = labels[min(kinds, key=lambda kind: (set(labels[kind]) != set(keys), kind))]
        left_out = [name for name in names if name not in keys]
        if left_out and any(isinstance(part, dict | list) for part in keys.values()):
            raise KeyedError(f"says nothing of {', '.join(left_out)[:80]}")
        parts = [keys.get(name, 0.0) for name in names]
    made = [in_lists(part, labels, depth - 1) for part in parts]
    below: Keyed = [
        set.intersection(*known) if (known := [k for k in axis if k is not None]) else None
        for axis in itertools.zip_longest(*(inner for _, inner in made))
    ]
    return [part for part, _ in made], [kinds, *below]


def _unknown(keys: Mapping[str, object], labels: Labels) -> str:
    every = {name for names in labels.values() for name in names}
    unknown = [repr(key) for key in keys if key not in every] or [repr(key) for key in keys]
    known = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in labels.items() if names)
    return (
        f"is keyed by {', '.join(unknown)[:80]}, not by the labels of one variable ({known:.200})"
    )


def orders_of(
    usual: Sequence[tuple[int, ...]], kinds: Sequence[str], keyed: Keyed
) -> Sequence[tuple[int, ...]]:
    """The orders of axes that the keys allow, the usual ones first; all usual ones without keys.

    `kinds` are those of the wanted axes; an order has for each of them the axis that is there.
    """
    if len(keyed) != len(kinds) or not any(keyed):
        return usual

    def is_allowed(order: tuple[int, ...]) -> bool:
        pairs = ((kind, keyed[axis]) for kind, axis in zip(kinds, order, strict=True))
        return all(known is None or kind in known for kind, known in pairs)

    every = [*usual, *itertools.permutations(range(len(kinds)))]
    return [order for order in dict.fromkeys(every) if is_allowed(order)] or usual
