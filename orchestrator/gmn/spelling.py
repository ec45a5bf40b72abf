"""Words that were nearly right."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one known word that equals `word` but for case, or is one edit away; None if not one."""
    options = list(dict.fromkeys(known))
    same = [option for option in options if option.lower() == word.lower()]
    if len(same) == 1:
        return same[0]
    near = [option for option in options if is_one_edit(word.lower(), option.lower())]
    return near[0] if len(near) == 1 and len(word) > 2 else None


def is_one_edit(a: str, b: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours turns `a` into `b`."""
    if abs(len(a) - len(b)) > 1 or a == b:
        return False
    start = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    rest_a, rest_b = a[start:], b[start:]
    if len(a) == len(b):
        swapped = rest_a[1::-1] == rest_b[:2] and rest_a[2:] == rest_b[2:]
        return rest_a[1:] == rest_b[1:] or swapped
    longer, shorter = (rest_a, rest_b) if len(a) > len(b) else (rest_b, rest_a)
    return longer[1:] == shorter
