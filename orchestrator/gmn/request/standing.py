"""How things stand where nothing happens: at first (``now it is low``), and as they are kept."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from orchestrator.gmn.request import verbs
from orchestrator.gmn.request.phrases import one_of, phrase
from orchestrator.gmn.request.scan import ARTICLES
from orchestrator.gmn.request.tokens import number, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.request.segment import Segment

_SILENT = verbs.LEADING | words("one ones or but also always just simply who being")
_REST = words("otherwise else failing others")
_HOLDS = words("stays stay remains remain persists persist keeps is are")
FINAL = words("final permanent absorbing terminal irreversible forever")
_AS_IT_IS = (
    "(?:as|where) (?:it|he|she|they) (?:is|was|are|were)|no (?:change|effect)"
    "|nothing(?: happens| changes)?|unchanged|same"
)
#: What says that a thing is left as it is, and what may stand after ``it stays``.
SAME = phrase(_AS_IT_IS)
_HELD = phrase(f"so|put|way|{one_of(FINAL)}|{_AS_IT_IS}")
_NO_RETURN = phrase("no (?:way back|return|going back)")
_SHARE = words("with probability chance per hour day step time % in of cases")
_EDGES = words("edge edges border borders boundary wall walls rim end ends top bottom")
_PACE = words("cell square floor room step level at a time per each every move turn")
_BUMPS = words("bumping bumps bump running walking moving going pushing")
_CHANGE = words("change changes move moves")
_REFUSING = words("not never don't doesn't won't")
_SUBJECT_WORDS = 5
#: What says that it is so at first, alone or after ``in the``, ``at the``, ``right``.
_FIRST = words(
    "now currently initially first beginning outset moment morning dawn today present yet arrival"
)
_NOW = words("now currently initially")
_SUBJECTS = words(
    "it he she they we i it's he's she's they're we're i'm there that everything all both"
)
_IS = words("is are am it's he's she's they're we're i'm was were begins starts")
_STANDS = words(
    "stands standing sits sitting waits waiting lies lying rests resting parked parks comes"
    " arrives point points pointing faces facing hovers"
)
_BEGINNING = words("start starting initial initially first beginning")
_AROUND = ARTICLES | words(
    "at in on the to of from out one ones right with so but and then still just all both up when i"
    " we side end current"
)
_KNOWN = _AROUND | _SUBJECTS | _IS | _STANDS | _FIRST
_MOST_OTHERS = 2  # words of which nobody knows what they say: the lift, the north *paddock*


def kept_in(segment: Segment) -> tuple[str, ...] | None:
    """The states that a segment says nothing changes, "" for any; None where it says no such thing.

    ``a critical one stays critical``, ``otherwise it stays``, ``else no change``,
    ``collapsed does not change``.
    """
    said = [word for word in segment.low if word not in _SILENT]
    is_rest = not _REST.isdisjoint(said[:1])
    whole = " ".join(said[is_rest:])
    if (is_rest or segment.scan.low(segment.begin - 1) == ":") and SAME.fullmatch(whole):
        return ("",)
    if _NO_RETURN.fullmatch(whole):
        return ()
    if _refuses(said):
        return tuple(name for _, name in segment.known) or ("",)
    at = max((n for n, word in enumerate(segment.low) if word in _HOLDS), default=0)
    if not 0 < at <= _SUBJECT_WORDS or any(word in verbs.CAUSE for word in segment.low[:at]):
        return None
    before = tuple(name for n, name in segment.known if n < at)
    after = tuple(name for n, name in segment.known if n > at)
    rest = [word for word in segment.low[at + 1 :] if word not in _SILENT]
    while rest and (rest[-1] in _SHARE or number(rest[-1]) is not None):
        rest.pop()  # ``clear stays clear with 0.9``
    then = " ".join(rest)
    if after or (segment.low[at] in ("is", "are") and then not in FINAL):
        is_same = bool(after) and before[-1:] == after and then == after[0].casefold()
        return after if is_same else None
    if then in FINAL and not before:
        return None
    is_held = segment.low[at] == "keeps" and len(rest) < 2
    is_held |= _HELD.fullmatch(then) is not None or (not then and (before != () or is_rest))
    return (before or ("",)) if is_held else None


def is_at_edge(low: Sequence[str]) -> bool:
    """Whether the words of a part of a clause say that nothing goes beyond the last of a row:
    ``at the edge she stays``, ``bumping into a wall it doesn't move``, ``one floor per step``."""
    if low[0] in ("one", "a") and len(low) > 2 and _PACE.issuperset(low[1:]):
        return True
    stays = low[-1] in ("stay", "stays", "remains", "stops") or low[0] in _BUMPS or _refuses(low)
    stays |= SAME.search(" ".join(low[-4:])) is not None
    return stays and not _EDGES.isdisjoint(low)


def _refuses(said: Sequence[str]) -> bool:
    return not _CHANGE.isdisjoint(said[-1:]) and not _REFUSING.isdisjoint(said[-3:-1])


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
    if segment.has(_FIRST) or before[:2] == ["out", "of"]:  # ``out of the fridge it is stiff``
        is_said = stands or not _IS.isdisjoint(before) or (not others and segment.has(_NOW))
        return name if is_said and len(others) <= _MOST_OTHERS else ""
    is_it = before[:1] != [] and before[0] in _SUBJECTS
    if stands:
        is_said = (is_it or before[0] in ("the", "my", "our")) and len(others) <= 1
    else:
        is_said = is_it and not _IS.isdisjoint(before) and not others
    return name if is_said else ""


def is_unknown(segment: Segment) -> bool:
    """``no idea how it is tuned when I pick it up``: nothing is known of how things are at first,
    which a model says where nothing else is said."""
    said = segment.low
    is_said = ("no", "idea") in pairwise(said)
    is_said |= said[-1] == "unknown" and not _BEGINNING.isdisjoint(said)
    return is_said and len(segment.known) < 2
