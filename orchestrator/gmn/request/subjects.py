"""Who does what happens, where no list says what can be done: the subjects of what is said."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from orchestrator.gmn.request.commitment import Commitment, TextSpan
from orchestrator.gmn.request.names import found_in, roots
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES
from orchestrator.gmn.request.segment import CAUSE, DASHES, HAPPENS, LEADING, OPPOSITE, segments
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from orchestrator.gmn.request.scan import Scan

RULE = "subjects"
_LEAVES = words("it them things everything all")
_STEPS = words("step notch level floor")
_WAYS = CAUSE | HAPPENS | DASHES | words("to > \u2192 next nothing")
_MOST_WORDS = 3
#: What makes things happen and is not done by an agent.
_NATURE = words(
    "rain sun wind snow frost storm weather night day winter summer time age nature heatwave tide"
    " it this that these those he she they we i you which who everything something someone"
    " somebody each every all both one transition transitions dynamics rules rule effects changes"
)


def add_subjects(scan: Scan, states: tuple[str, ...]) -> None:
    """Record as actions what is said to do something, where it is a choice.

    It is one where one of them is said to leave things as they are (``heat moves one step up, cool
    one step down, off leaves it``), and where two stand before what they do (``dry: wet to dry``).
    """
    own = {root for name in states for root in roots(name)}
    found, has_idle, heads = dict[str, int](), False, 0
    lows = [scan.low(n) for n in range(len(scan.tokens))]
    is_choice = ("do", "nothing") in pairwise(lows)  # ``if you do nothing``
    for begin, end in segments(scan):
        if head := _head(scan, begin, end, states):
            found.setdefault(head, begin)
            heads += 1
            continue
        is_another = scan.low(begin) in ARTICLES  # ``the sun makes it dry``
        name, is_idle = _subject(scan, begin + is_another, end)
        if not name:
            continue
        word = name.split()[0]
        if is_another or word in _NATURE or (word.endswith("ing") and not is_idle):
            if not heads and not is_choice:
                return
            if not is_choice or word in _NATURE:
                continue
        if word in BOUNDARIES - {"off"} or not roots(word).isdisjoint(own):
            continue
        found.setdefault(name, begin)
        has_idle |= is_idle
    if is_choice and found and not has_idle:
        found["do nothing"] = lows.index("nothing")
    if (has_idle or is_choice or heads > 1) and len(found) > 1:
        at = sorted(found.values())
        span = TextSpan(scan.tokens[at[0]].start, scan.tokens[at[-1]].end)
        scan.found.append(Commitment("actions", tuple(found), span, RULE))


def _subject(scan: Scan, begin: int, end: int) -> tuple[str, bool]:
    """What does something in a segment, and whether it leaves things as they are."""
    for at in range(begin + 1, min(begin + _MOST_WORDS, end)):
        then, third = scan.low(at), scan.low(at + 1)
        is_idle = (then, third) == ("does", "nothing")
        is_idle |= then == "leaves" and third in _LEAVES
        is_idle |= then == "keeps" and third in ARTICLES | _LEAVES
        is_step = then in ("one", "a") and third in _STEPS
        if is_idle or is_step or (then in HAPPENS | CAUSE and then.endswith("s")):
            return " ".join(scan.low(n) for n in range(begin, at)), is_idle
    return "", False


def _head(scan: Scan, begin: int, end: int, states: tuple[str, ...]) -> str:
    """``tighten`` of ``Tighten: flat to sharp`` and ``FEED - it becomes active``; else empty."""
    first = begin
    while scan.low(first) in LEADING:
        first += 1
    if first != scan.clause(first)[0] + first - begin:
        return ""
    most = min(first + _MOST_WORDS, len(scan.tokens) - 1)
    if not scan.is_free(first, scan.clause(first)[1]):
        return ""
    signs = DASHES | {":", "\u2192"}
    sign = next((n for n in range(first + 1, most + 1) if scan.low(n) in signs), 0)
    said = [scan.low(n) for n in range(first, sign)]
    if not said or not _NATURE.isdisjoint(said) or not all(word.isalpha() for word in said):
        return ""
    if any(found_in(said, n, states)[0] for n in range(len(said))):
        return ""
    rest = [scan.low(n) for n in range(sign + 1, scan.clause(sign)[1])]
    names = [n for n in range(len(rest)) if found_in(rest, n, states)[0]]
    is_way = bool(names) and any(word in _WAYS for word in rest[names[0] :])
    is_way |= bool(names) and scan.low(sign + 1) == ">"
    is_way |= len(names) > 1 or not OPPOSITE.isdisjoint(rest)
    is_way |= rest[:1] == ["next"] or rest[:2] == ["nothing", "happens"] or rest[:1] == ["as"]
    return " ".join(said) if is_way else ""
