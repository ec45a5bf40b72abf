"""What a sentence says that stays as it is, which a model does where nothing else is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.scan import ARTICLES
from orchestrator.gmn.request.segment import CAUSE, LEADING
from orchestrator.gmn.request.tokens import number, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.request.segment import Segment

_SILENT = ARTICLES | LEADING | words("one ones or and but also always then just simply who being")
_REST = words("otherwise else failing others")
_HOLDS = words("stays stay remains remain persists persist keeps is are")
_SAME = frozenset(
    ("so", "put", "same", "unchanged", "way", "as it is", "as it was", "as he was", "as she was",
     "as they are", "as they were", "where it is", "where it was", "where they are")
)  # fmt: skip
_FINAL = words("final permanent absorbing terminal irreversible forever")
_NOTHING = frozenset(
    ("no change", "no effect", "nothing", "nothing happens", "nothing changes", "unchanged")
)
_NO_RETURN = frozenset(("no way back", "no return", "no going back"))
_SHARE = words("with probability chance per hour day step time % in of cases")
_EDGES = words("edge edges border borders boundary wall walls rim end ends top bottom")
_PACE = words("cell square floor room step level at a time per each every move turn")
_BUMPS = words("bumping bumps bump running walking moving going pushing")
_CHANGE = words("change changes move moves")
_REFUSING = words("not never don't doesn't won't")
_SUBJECT_WORDS = 5


def kept_in(segment: Segment) -> tuple[str, ...] | None:
    """The states that a segment says nothing changes, "" for any; None where it says no such thing.

    ``a critical one stays critical``, ``otherwise it stays``, ``else no change``,
    ``collapsed does not change``.
    """
    said = [word for word in segment.low if word not in _SILENT]
    is_rest = bool(said) and said[0] in _REST
    said = said[is_rest:]
    if (is_rest or segment.scan.low(segment.begin - 1) == ":") and " ".join(said) in _NOTHING:
        return ("",)
    if " ".join(said) in _NO_RETURN:
        return ()
    said = said[:-1] if said[-1:] == ["mind"] else said
    if said[-1:] and said[-1] in _CHANGE and not _REFUSING.isdisjoint(said[-3:-1]):
        return tuple(name for _, name in segment.known) or ("",)
    verbs = [n for n, word in enumerate(segment.low) if word in _HOLDS]
    at = verbs[-1] if verbs else 0
    if not 0 < at <= _SUBJECT_WORDS or any(word in CAUSE for word in segment.low[:at]):
        return None
    before = [name for n, name in segment.known if n < at]
    after = [name for n, name in segment.known if n > at]
    rest = [word for word in segment.low[at + 1 :] if word not in _SILENT]
    while rest and (rest[-1] in _SHARE or number(rest[-1]) is not None):
        rest.pop()  # ``clear stays clear with 0.9``
    then = " ".join(rest)
    if after or (segment.low[at] in ("is", "are") and then not in _FINAL):
        is_same = bool(after) and before[-1:] == after and then.casefold() == after[0].casefold()
        return tuple(after) if is_same else None
    if then in _FINAL and not before:
        return None
    is_held = segment.low[at] == "keeps" and not segment.known and len(then.split()) < 2
    is_said = is_held or then in _SAME | _FINAL or (not then and (bool(before) or is_rest))
    return (tuple(before) or ("",)) if is_said else None


def is_final(segment: Segment) -> bool:
    """Whether a segment says that nothing at all leads away: ``burnt is final``."""
    return segment.has(_FINAL)


def is_at_edge(low: Sequence[str]) -> bool:
    """Whether the words of a part of a clause say that nothing goes beyond the last of a row:
    ``at the edge she stays``, ``bumping into a wall it doesn't move``."""
    if low[0] in ("one", "a") and len(low) > 2 and _PACE.issuperset(low[1:]):
        return True  # ``one floor per step``
    has_edge = not _EDGES.isdisjoint(low)
    ends = " ".join(word for word in low[-4:] if word not in ARTICLES)
    stays = ends.endswith(("no effect", "does nothing", "it is", "she is", "he is", "unchanged"))
    stays |= low[-1] in ("stay", "stays", "remains", "stops", "nothing")
    stays |= low[-1] in _CHANGE and not _REFUSING.isdisjoint(low[-3:-1])
    return has_edge and (stays or not _BUMPS.isdisjoint(low[:1]))
