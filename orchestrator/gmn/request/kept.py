"""What a sentence says that stays as it is, which a model does where nothing else is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.scan import ARTICLES
from orchestrator.gmn.request.segment import CAUSE, LEADING
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from orchestrator.gmn.request.segment import Segment

_SILENT = ARTICLES | LEADING | words("one ones or and but also always then just simply who being")
_REST = words("otherwise else failing")
_HOLDS = words("stays stay remains remain persists persist keeps is are")
_SAME = frozenset(
    ("so", "put", "same", "unchanged", "way", "as it is", "as it was", "as he was", "as she was",
     "as they are", "as they were", "where it is", "where it was", "where they are")
)  # fmt: skip
_FINAL = words("final permanent absorbing terminal irreversible forever")
_NOTHING = frozenset(
    ("no change", "no effect", "nothing", "nothing happens", "nothing changes", "unchanged")
)
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
    if segment.has(_REST) and " ".join(said) in _NOTHING:
        return ("",)
    if said[-1:] and said[-1] in _CHANGE and not _REFUSING.isdisjoint(said[-3:-1]):
        return tuple(name for _, name in segment.known) or ("",)
    verbs = [n for n, word in enumerate(segment.low) if word in _HOLDS]
    at = verbs[-1] if verbs else 0
    if not 0 < at <= _SUBJECT_WORDS or any(word in CAUSE for word in segment.low[:at]):
        return None
    before = [name for n, name in segment.known if n < at]
    after = [name for n, name in segment.known if n > at]
    then = " ".join(word for word in segment.low[at + 1 :] if word not in _SILENT)
    if after or (segment.low[at] in ("is", "are") and then not in _FINAL):
        is_same = bool(after) and before[-1:] == after and then.casefold() == after[0].casefold()
        return tuple(after) if is_same else None
    is_said = then in _SAME | _FINAL or (not then and (bool(before) or is_rest))
    return (tuple(before) or ("",)) if is_said else None


def is_final(segment: Segment) -> bool:
    """Whether a segment says that nothing at all leads away: ``burnt is final``."""
    return segment.has(_FINAL)
