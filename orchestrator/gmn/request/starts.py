"""Where things stand at first, as people say it without a word of starting: ``now it is low``."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from orchestrator.gmn.request import verbs
from orchestrator.gmn.request.scan import ARTICLES
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from orchestrator.gmn.request.segment import Segment

#: What says that it is so at first, alone or after ``in the``, ``at the``, ``right``.
_FIRST = words(
    "now currently initially first beginning outset moment morning dawn today present yet arrival"
    " fridge box"
)
_NOW = words("now currently initially")
_SUBJECTS = words(
    "it he she they we i it's he's she's they're we're i'm there that everything all both"
)
_BE = words("is are am it's he's she's they're we're i'm was were begins starts")
_STANDS = words(
    "stands standing sits sitting waits waiting lies lying rests resting parked parks comes"
    " arrives point points pointing faces facing hovers"
)
_BEGINNING = words("start starting initial initially first beginning")
_SILENT = ARTICLES | words(
    "at in on the to of from out one ones right with so but and then still just all both up when i"
    " we side end current"
)
_KNOWN = _SILENT | _SUBJECTS | _BE | _STANDS | _FIRST
_MOST_OTHERS = 2  # words of which nobody knows what they say: the lift, the north *paddock*


def start_in(segment: Segment) -> str:
    """The state in which a segment says that things are at first; else empty.

    ``now it is low``, ``the lift waits at G``, ``he comes in stable``; and ``it is off``, which
    has the segment to itself and no condition before it.
    """
    names = {name for _, name in segment.known}
    begin = segment.scan.clause(segment.begin)[0]
    clause = {segment.scan.low(n) for n in range(begin, segment.end)}
    is_other = not clause.isdisjoint(verbs.CONDITIONS | verbs.ALONE) or segment.has(verbs.WISHES)
    if len(names) != 1 or is_other:
        return ""
    (at, name), *_ = segment.known
    before, after = segment.low[:at], segment.low[at + len(name.split()) :]
    others = [word for word in (*before, *after) if word not in _KNOWN]
    stands = not _STANDS.isdisjoint(before)
    if segment.has(_FIRST):
        is_said = stands or not _BE.isdisjoint(before) or (not others and segment.has(_NOW))
        return name if is_said and len(others) <= _MOST_OTHERS else ""
    is_it = before[:1] != [] and before[0] in _SUBJECTS
    if stands:
        is_said = (is_it or before[0] in ("the", "my", "our")) and len(others) <= 1
    else:
        is_said = is_it and not _BE.isdisjoint(before) and not others
    return name if is_said else ""


def is_unknown(segment: Segment) -> bool:
    """``no idea how it is tuned when I pick it up``: nothing is known of how things are at first,
    which a model says where nothing else is said."""
    said = segment.low
    is_said = ("no", "idea") in pairwise(said)
    is_said |= said[-1] == "unknown" and not _BEGINNING.isdisjoint(said)
    return is_said and len(segment.known) < 2
