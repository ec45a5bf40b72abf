"""Ranges of names: ``1 to 5``, ``one to five``, ``p0..p3``, ``floor 0 to floor 4``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.tokens import NUMBER_WORDS, words
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from orchestrator.gmn.request.scan import Scan

    Range = tuple[tuple[str, ...], int]

_RANGE = pattern(r"([A-Za-z_]{0,24})(\d{1,4})(?:-([A-Za-z_]{0,24})(\d{1,4}))?")
_LETTERS = pattern(r"([A-Z])-([A-Z])")
_SIGNS = words("to through until \u2026 - \u2013 \u2014")
_MOST = 256
_COUNTED = list(NUMBER_WORDS)[:20]  # zero to nineteen


def range_at(scan: Scan, at: int) -> Range | None:
    """The names of the range that begins at token `at`, and the token after it."""
    said = scan.tokens[at].text if at < len(scan.tokens) else ""
    if (letters := _LETTERS.fullmatch(said)) and letters[1] < letters[2]:
        return tuple(map(chr, range(ord(letters[1]), ord(letters[2]) + 1))), at + 1
    if said.casefold() in _COUNTED and scan.low(at + 2) in _COUNTED and scan.low(at + 1) in _SIGNS:
        low, high = _COUNTED.index(said.casefold()), _COUNTED.index(scan.low(at + 2))
        return (tuple(_COUNTED[low : high + 1]), at + 3) if low < high else None
    first = _RANGE.fullmatch(said)
    if first is None:
        return None
    then, (head, low_said, tail, high_said) = at, first.groups()
    if high_said is None:
        dots = 0
        while scan.low(at + 1 + dots) == "." and dots < 3:
            dots += 1
        then = at + 1 + (dots or scan.low(at + 1) in _SIGNS)
        last = _RANGE.fullmatch(scan.tokens[then].text) if then < len(scan.tokens) else None
        if last is None or then == at + 1 or last[4] is not None:
            return None
        tail, high_said = last[1], last[2]
    names = _counted(head, low_said, high_said)
    return (names, then + 1) if names and tail in ("", head) else None


def noun_range_at(scan: Scan, at: int) -> Range | None:
    """``floor 0 to floor 4``: a noun that is said before both numbers."""
    if not scan.low(at + 1).isdigit():
        return None
    noun, low, sign, again, high = (scan.low(at + n) for n in range(5))
    is_one = noun.isalpha() and again == noun and sign in _SIGNS
    if not is_one or not (low.isdigit() and high.isdigit()):
        return None
    names = _counted(f"{noun} ", low, high)
    return (names, at + 5) if names else None


def _counted(head: str, low: str, high: str) -> tuple[str, ...]:
    if not int(low) < int(high) < int(low) + _MOST:
        return ()
    return tuple(f"{head}{n}" for n in range(int(low), int(high) + 1))
