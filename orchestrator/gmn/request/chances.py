"""How often what a sentence says happens: the probability in its words, or behind them."""

from __future__ import annotations

import bisect
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.gmn.request.commitment import Effect, TextSpan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.request.commitment import Commitment
    from orchestrator.gmn.request.scan import Scan

_EACH = 24  # characters before a probability in which it is said to be of each
_PARTS = re.compile(r"[.;!?\n]")
_NEAR = 4  # characters between what happens and how often it does


def with_chances(scan: Scan) -> list[Effect]:
    """The effects with the probabilities that are said of them, or behind them in their clause."""
    said = sorted(
        (one for one in scan.found if one.kind in ("chance", "noise")), key=lambda o: o.span.start
    )
    starts, found = [one.span.start for one in said], list[Effect]()
    for effect in scan.effects:
        # Spans of probabilities do not overlap each other: the one before may reach into it.
        first = max(bisect.bisect_left(starts, effect.span.start) - 1, 0)
        inside = [one for one in said[first : first + 2] if one.span.overlaps(effect.span)]
        at = bisect.bisect_left(starts, effect.span.end)
        behind = [one for one in said[at : at + 1] if _follows(scan, effect, one)]
        if inside and isinstance(inside[0].value, float):
            found.append(replace(effect, chance=inside[0].value))
        elif behind and isinstance(behind[0].value, float):
            span = TextSpan(effect.span.start, behind[0].span.end)
            found.append(replace(effect, chance=behind[0].value, span=span))
        else:
            found.append(effect)
    _spread(scan, said, found)
    for n in range(len(found) - 1, 0, -1):  # ``turns a into b and b into c half of the time``
        one, other = found[n - 1], found[n]
        between = scan.text[one.span.end : other.span.start].strip(" ,")
        if one.chance is None and one.action == other.action and between == "and":
            found[n - 1] = replace(one, chance=other.chance)
    return found


def _follows(scan: Scan, one: Effect, chance: Commitment) -> bool:
    """``brings it down one level, 9 in 10``; but not ``…, 10% of pots break``."""
    first, after = one.span.end, chance.span.end
    is_near = chance.kind == "chance" and chance.span.start - first <= _NEAR
    is_whole = scan.text[after : after + _NEAR].lstrip()[:1] in ("", *".,;)\n")
    return is_near and is_whole and scan.text[first : chance.span.start].strip(" (") in ("", ",")


def _spread(scan: Scan, said: Sequence[Commitment], found: list[Effect]) -> None:
    """``a becomes b, b becomes c, each with 90%``: of all that its clause says before."""
    ends = [one.span.end for one in found]
    for one in said:
        if "each" not in scan.text[max(one.span.start - _EACH, 0) : one.span.start].split():
            continue
        at = bisect.bisect_right(ends, one.span.start) - 1
        while at >= 0 and found[at].chance is None:
            if _PARTS.search(scan.text[found[at].span.end : one.span.start]):
                break
            found[at] = replace(found[at], chance=float(one.value))  # type: ignore[arg-type]  # a number
            at -= 1
