"""Ranges of names: ``1 to 5``, ``one to five``, ``p0..p3``, ``floor 0 to floor 4``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.tokens import NUMBER_WORDS, words
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from orchestrator.gmn.request.scan import Scan

    Range = tuple[tuple[str, ...], int]

_NUMBERED = pattern(r"([A-Za-z_]{0,24})(\d{1,4})")
_SIGNS = words("to through until \u2026 - \u2013 \u2014")
_MOST = 256
_COUNTED = list(NUMBER_WORDS)[:20]  # zero to nineteen


def range_at(scan: Scan, at: int) -> Range | None:
    """The names of the range that begins at token `at`, and the token after it."""
    low, dash, high = (scan.tokens[at].text if at < len(scan.tokens) else "").partition("-")
    after = at + 1
    if not dash:
        dots = next(n for n in range(4) if n == 3 or scan.low(at + 1 + n) != ".")
        signs = dots or int(scan.low(at + 1) in _SIGNS)
        after = at + 2 + signs
        high = scan.tokens[after - 1].text if signs and after <= len(scan.tokens) else ""
    elif low.isupper() and high.isupper() and len(low + high) == 2:  # ``A-D``
        return tuple(map(chr, range(ord(low), ord(high) + 1))), after
    names = _between(low, high)
    return (names, after) if names else None


def noun_range_at(scan: Scan, at: int) -> Range | None:
    """``floor 0 to floor 4``: a noun that is said before both numbers."""
    noun, low, sign, again, high = (scan.low(at + n) for n in range(5))
    if not (low.isdigit() and high.isdigit() and again == noun and sign in _SIGNS):
        return None
    names = _between(low, high) if noun.isalpha() else ()
    return (tuple(f"{noun} {name}" for name in names), at + 5) if names else None


def _between(low: str, high: str) -> tuple[str, ...]:
    """The names from one to another; none where they are no range."""
    if low.casefold() in _COUNTED and high.casefold() in _COUNTED:
        first, last = (_COUNTED.index(name.casefold()) for name in (low, high))
        return tuple(_COUNTED[first : last + 1]) if first < last else ()
    one, other = _NUMBERED.fullmatch(low), _NUMBERED.fullmatch(high)
    if one is None or other is None or other[1] not in ("", one[1]):
        return ()
    first, last = int(one[2]), int(other[2])
    if not first < last < first + _MOST:
        return ()
    return tuple(f"{one[1]}{n}" for n in range(first, last + 1))
