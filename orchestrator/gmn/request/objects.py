"""What a verb or a noun is about: the place, the quoted name or the name that follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES
from orchestrator.gmn.request.tokens import number, words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.request.commitment import Kind
    from orchestrator.gmn.request.places import Location
    from orchestrator.gmn.request.scan import Scan

#: Words between a verb and what it is about: ``wants to be in the`` hut.
BETWEEN = ARTICLES | words(
    "to be being get getting gets stay staying in at on up end ends ending remain become becoming"
    " it is as come with from into onto of : = that location position cell state situation"
    " initially go always still reach lie lies inside near anywhere close cells zone zones squares"
    " are them him em me us facing"
)
BE = words("is are be being lies lie was =")
#: What stands after a name that has a clause, or a part of one, to itself.
CLOSING = frozenset(".,;!?)\n") | {"", "and", "but", "or"}
_MOST_BETWEEN = 8
_MOST_MORE = 64  # further things of one list


class Object(NamedTuple):
    """A name or a place, the token after it, and for a place how it is counted."""

    value: str
    after: int
    about: str = ""


def object_at(scan: Scan, at: int) -> Object | None:
    """The place, the quoted name or the name that is meant by the tokens from `at` on."""
    is_name = False
    for _ in range(_MOST_BETWEEN):
        is_name = scan.low(at) in scan.known and scan.low(at + 1) in CLOSING
        if is_name or scan.places.get(at) or scan.low(at) not in BETWEEN:
            break
        at += 1
    if place := scan.places.get(at):
        return Object(place.value, place.after, place.about)
    end = max(scan.name_at(at), at + is_name)
    if end == at or scan.low(end) in (":", "="):
        return None
    if scan.low(end - 1) == "one" and end - at > 1:
        end -= 1
    name = words_of(scan.tokens[at:end])
    if scan.low(end) in ("at", "in") and (place := scan.places.get(scan.after_articles(end + 1))):
        return Object(place.value, place.after, place.about or name)
    return Object(name, end)


def record(scan: Scan, kind: Kind, first: int, begin: int, rule: str, *, about: str = "") -> bool:
    """Record what is said from token `begin` on as of that kind; False where nothing is.

    One of several alternatives is not what is meant: ``wants tea, coffee or water``.
    """
    said = object_at(scan, begin)
    if said is None:
        return False
    is_listed = scan.low(said.after) in (",", "or", "|", "/")
    if is_listed and all(scan.taken[said.after - 1 : said.after + 1]):
        return False
    scan.add(kind, said.value, first, said.after, rule, about=about or said.about)
    if kind == "avoid":
        for more, at in _more(scan, said):
            scan.add(kind, more.value, at, more.after, rule, about=about or more.about)
    return True


def _more(scan: Scan, said: Object) -> Iterator[tuple[Object, int]]:
    """Further things of the same kind: ``(1,1), (2,4) and (0,2)``, ``the vault or the cellar``."""
    for _ in range(_MOST_MORE):
        at = said.after
        while at < said.after + 2 and scan.low(at) in (",", "and", "or", "nor", "&"):
            at += 1
        if at == said.after:
            return
        if place := scan.places.get(at):
            said = Object(place.value, place.after, place.about)
        elif scan.low(at) in ARTICLES and scan.low(at - 1) in ("and", "or", "nor"):
            end = scan.name_at(at + 1)
            if end == at + 1 or scan.low(end) in ("is", "are", "must", "should", "can"):
                return
            said = Object(words_of(scan.tokens[at + 1 : end]), end)
        else:
            return
        yield said, at


def record_subject(
    scan: Scan, kind: Kind, end: int, after: int, *, far: int = 1, is_known: bool = False
) -> bool:
    """Record the place or the name before token `end`, of which what follows up to before `after`
    is said: ``r3c0 is the exit``; False where there is none.

    It is the nearest of those that are known, `far` tokens back at most; else, if need not be
    known, the word that stands there.
    """
    begin = max(scan.clause(end - 1)[0] if end else 0, end - far)
    for at in range(end, begin, -1):
        if at in scan.places_by_end:
            _record_places(scan, kind, at, after, has_more=far > 1)
            return True
        if scan.low(at - 1) in scan.known and scan.is_free(at - 1, at):
            return _record_name(scan, kind, at - 1, after)
    is_plain = end > 0 and scan.tokens[end - 1].is_name
    if is_known or not is_plain or scan.low(end - 1) in BOUNDARIES | BETWEEN:
        return False
    return _record_name(scan, kind, end - 1, after)


def _record_name(scan: Scan, kind: Kind, at: int, after: int) -> bool:
    first = at - (number(scan.low(at)) is not None)  # ``level 2 is flooded``
    scan.add(kind, scan.tokens[at].text, first, after, "is so")
    return True


def _record_places(scan: Scan, kind: Kind, end: int, after: int, *, has_more: bool) -> None:
    """``trees at (2, 2) and (3, 1) must be avoided``."""
    place: Location | None = scan.places_by_end[end]
    while place:
        scan.add(kind, place.value, place.first, after, "is so", about=place.about)
        after = place.first
        is_more = has_more and scan.low(place.first - 1) in (",", "and")
        place = scan.places_by_end.get(place.first - 1) if is_more else None
