"""Who does what happens, where no list says what can be done: the subjects of what is said."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from orchestrator.gmn.request import verbs
from orchestrator.gmn.request.commitment import Commitment, TextSpan
from orchestrator.gmn.request.names import found_in
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES, NEGATIONS
from orchestrator.gmn.request.segment import segments
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from orchestrator.gmn.request.scan import Scan

RULE = "subjects"
_LEAVES = words("it them things everything all")
_STEPS = words("step notch level floor")
_WAYS = verbs.CAUSE | verbs.HAPPENS | verbs.DASHES | words("to > \u2192 next nothing sure")
_ONE_STEP = words("one 1 a up down")
_ADVERBS = words("always simply then just")
_BEGINS = words("next nothing as same no")
_OF_ANY = verbs.OPPOSITE | verbs.BETTER | verbs.WORSE  # what says what happens without a state
_FARTHEST = 64  # tokens that show what stands before them
_MOST_WORDS = 3
#: What makes things happen and is not done by an agent.
_NATURE = words(
    "thunder lightning fog traffic gravity luck customers visitors weeds rust pests dew hail news"
    " rain sun wind snow frost storm weather night day winter summer time age nature heatwave tide"
    " it this that these those he she they we i you which who everything something someone"
    " somebody each every all both one leak leaks leakage evaporation drought hole thief fire flood"
    " infection disease otherwise else first second third finally later note example weather season"
    " effect physics hazard hazards risk accident accidents failure failures transition transitions"
    " goal goals target aim start begin want wanted avoid never initially dynamics rules rule"
    " effects changes"
)


def add_subjects(scan: Scan, states: tuple[str, ...]) -> None:
    """Record as actions what is said to do something, where it is a choice.

    It is one of two and more that stand before what they do (``dry: wet to dry``) or do it
    (``heat moves one step up, cool one step down``), as long as nature does nothing among them.
    """
    own = {word for name in states for word in name.casefold().split()}
    found, heads = dict[str, int](), 0
    lows = [scan.low(n) for n in range(len(scan.tokens))]
    is_choice = ("do", "nothing") in pairwise(lows)  # ``if you do nothing``
    for begin, end in segments(scan):
        if head := _head(scan, begin, states):
            found.setdefault(head, begin)
            heads += 1
            continue
        is_another = scan.low(begin) in ARTICLES  # ``the sun makes it dry``
        name, is_idle = _subject(scan, begin + is_another, end)
        word = name.partition(" ")[0]
        is_gerund = word.endswith("ing") and not is_idle
        if not name or word in own or word in BOUNDARIES - {"off"}:
            continue
        if word in _NATURE or is_gerund or (is_another and not is_choice):
            if not heads and not is_choice:
                return
            continue
        found.setdefault(name, begin)
    if is_choice and found:
        found.setdefault("do nothing", lows.index("nothing"))
    if len(found) > 1:
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
        if is_idle or is_step or (then in verbs.HAPPENS | verbs.CAUSE and then.endswith("s")):
            said = [scan.low(n) for n in range(begin, at) if scan.low(n) not in _ADVERBS]
            return (" ".join(said) if NEGATIONS.isdisjoint(said) else ""), is_idle
    return "", False


def _head(scan: Scan, begin: int, states: tuple[str, ...]) -> str:
    """``tighten`` of ``Tighten: flat to sharp``, ``FEED - it becomes active`` and ``rest -> ill``;
    else empty."""
    first = begin
    while scan.low(first) in verbs.LEADING:
        first += 1
    after = min(scan.clause(first)[1], first + _FARTHEST)
    most = min(first + _MOST_WORDS, after - 1)
    sign = next((n for n in range(first + 1, most + 1) if scan.low(n) in verbs.SIGNS), 0)
    if not sign:
        return ""
    is_arrow = scan.low(sign) == "\u2192" or scan.low(sign + 1) == ">"
    said = [scan.low(n) for n in range(first, sign)]
    rest = [scan.low(n) for n in range(sign + 1, after) if scan.low(n) != ">"]
    is_first = begin == scan.clause(first)[0] or scan.low(sign) in (":", "=")
    if not (is_first or is_arrow) or not scan.is_free(first, sign + len(rest)):
        return ""
    is_verb = said[0] not in _NATURE and all(word.isalpha() for word in said)
    own = {name.casefold() for name in states}
    if not is_verb or not own.isdisjoint((said[-1], " ".join(said))):
        return ""
    names = [n for n in range(len(rest)) if found_in(rest, n, states)[0]]
    is_way = len(names) > 1 or (bool(names) and (is_arrow or not _WAYS.isdisjoint(rest)))
    is_way |= any(rest[n].endswith("er") for n in names)
    is_way |= not _OF_ANY.isdisjoint(rest) or not _BEGINS.isdisjoint(rest[:1])
    is_step = not (verbs.STEPS | {"one"}).isdisjoint(rest) or _ONE_STEP.issuperset(rest)
    is_way |= is_step and not (verbs.UP | verbs.DOWN).isdisjoint(rest)
    return " ".join(said) if is_way else ""
