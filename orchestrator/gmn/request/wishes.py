"""Where it starts, what it wants, and its temper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.objects import BETWEEN, record
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from orchestrator.gmn.request.commitment import Kind
    from orchestrator.gmn.request.scan import Scan

_START = words("start starts started starting begin begins beginning initially")
_STARTS = frozenset((("initial", "state"), ("initial", "position"), ("takes", "off")))
_NOUNS = words("goal goals target targets aim objective destination exit finish")
_REACH = words("reach reaches reaching seek seeks remain remains find finds")
_WANT = words(
    "want wants wanted like likes love loves prefer prefers preferred favour favours favor favors"
    " desire desires need needs"
)
_BE = words("is are be being lies lie was =")
_BEST = words("best ideal desired preferred wanted good")
#: What a verb must be followed by to say a wish.
_WITH = {
    **dict.fromkeys(words("get gets arrive arrives arriving"), words("to at in home")),
    **dict.fromkeys(words("must should"), words("be stay become end remain come")),
    **dict.fromkeys(
        words("aims hopes strives longs look looks searches search hunts"), words("for")
    ),
    **dict.fromkeys(words("end ends ending"), words("up in as")),
}
_STANDS, _WHERE = words("stands sits waits standing is"), words("in at on")
_SUBJECTS = words("it he she i we they agent robot")
_HAS = words("has have needs need")
_COMES = words("be get go come move travel end become stay remain arrive")
_NO_JOURNEY = words("next close adjacent due according compared opposite equal")
_CELLS = words("cell position location coordinate coordinates")
_TEMPERS = {
    **dict.fromkeys(
        words("cautious careful prudent risk-averse timid safe safely carefully cautiously wary"),
        "cautious",
    ),
    **dict.fromkeys(
        words("bold reckless daring risk-seeking aggressive brave fearless adventurous boldly"),
        "bold",
    ),
    **dict.fromkeys(
        words("curious inquisitive exploratory information-seeking curiously"), "curious"
    ),
    **dict.fromkeys(words("greedy impatient"), "greedy"),
}
#: How somebody feels of it: ``a broken one makes me sad``.
_MOODS: dict[str, Kind] = {
    **dict.fromkeys(words("sad unhappy angry furious upset nervous"), "avoid"),
    **dict.fromkeys(words("happy glad delighted"), "goal"),
}
_PERSONS = words("me us him her them everyone everybody")
_MODELS = words("agent agents model models")
_OPPOSITE = {"cautious": "bold", "bold": "cautious"}


def read_wishes(scan: Scan) -> None:
    """Record starts, goals and tempers."""
    for at, word in scan.walk():
        if scan.taken[at]:
            continue
        if word in _START:
            _ = record(scan, "start", at, at + 1, "start") or _named_so(scan, "start", at)
        elif (word, scan.low(at + 1)) in _STARTS:
            _ = record(scan, "start", at, at + 2, "start")
        elif word in ("from", "to", "on", "onto"):
            _journey(scan, at, word)
        elif not _stated(scan, at, word) and not _is_refused(scan, at):
            _goal(scan, at, word)
    _tempers(scan)


def _stated(scan: Scan, at: int, word: str) -> bool:
    """``it stands in the centre``, ``has to go to the dock``, ``makes me sad``."""
    then = scan.low(at + 1)
    if word in _STANDS and scan.low(at - 1) in _SUBJECTS and then in _WHERE:
        is_place = scan.places.get(scan.after_articles(at + 2)) is not None
        return is_place and record(scan, "start", at, at + 2, "start")
    if word in _HAS and then == "to":
        if scan.low(at + 2) in _COMES and scan.low(at + 3) != "from":
            _ = record(scan, "goal", at, at + 3, "goal")
        return True
    if word in _MOODS:
        _felt(scan, at, _MOODS[word])
    return word in _MOODS


def _tempers(scan: Scan) -> None:
    for at, word in scan.walk():
        if word in _TEMPERS and not scan.taken[at]:
            temper = _TEMPERS[word]
            if scan.is_negated(at):
                temper = _OPPOSITE.get(temper, "")
            if temper:
                scan.add("temper", temper, at, at + 1, "temper")


def _is_refused(scan: Scan, at: int) -> bool:
    is_far = scan.low(at - 1) in ("to", "would") and scan.is_negated(at, within=5)
    return is_far or scan.is_negated(at)


def _goal(scan: Scan, at: int, word: str) -> None:
    then = scan.low(at + 1)
    if word in _NOUNS:
        _noun(scan, at)
    elif word in _BEST and then != ":":
        _best(scan, at)
    elif word in _WITH:
        is_kept_off = scan.low(at + 2) in ("avoided", "forbidden")
        if then in _WITH[word] and scan.low(at - 1) != "there" and not is_kept_off:
            _ = record(scan, "goal", at, at + 1 + (then == "for"), "goal")
    elif word in ("keep", "keeps", "keeping", "stay", "stays"):
        _kept(scan, at, word)
    elif word in ("deliver", "delivers"):
        to = next((n for n in range(at + 1, at + 6) if scan.low(n) == "to"), None)
        _ = to is not None and record(scan, "goal", at, to + 1, "goal", about="delivered")
    elif word in _WANT:
        is_other = then == "to" and scan.low(at + 2) not in BETWEEN
        is_other |= _is_request(scan, at)
        if not is_other and scan.low(at + 2) != "or":
            _ = record(scan, "goal", at, at + 1, "goal")
    elif word in _REACH and then not in ("out", "whether", "its"):
        _ = record(scan, "goal", at, at + 1, "goal")


def _felt(scan: Scan, at: int, kind: Kind) -> None:
    if scan.low(at - 1) not in _PERSONS or scan.low(at - 2) not in ("makes", "make", "keeps"):
        return
    begin = scan.clause(at)[0]
    name = next((n for n in range(at - 3, begin - 1, -1) if scan.low(n) in scan.known), None)
    if name is not None:
        scan.add(kind, scan.tokens[name].text, name, at + 1, "feels so")


def _is_request(scan: Scan, at: int) -> bool:
    """``I'd like a parrot agent``: what the user wants of us, not the agent of its world."""
    end = scan.name_at(scan.after_articles(at + 1))
    return scan.low(at - 1) in ("i", "we", "i'd", "we'd", "would") and scan.low(end - 1) in _MODELS


def _noun(scan: Scan, at: int) -> None:
    """``goal: a``, ``the exit is at (2, 3)``, ``the goal is not a but b``, ``r3c0 is the exit``."""
    if _named_so(scan, "goal", at):
        return
    if scan.low(at - 1) in (*ARTICLES, "is") and scan.low(at + 1) not in (":", "=", "is", "at"):
        _is_so(scan, at, at - 2 if scan.low(at - 1) in ARTICLES else at - 1)
        return
    begin = at + 1 + (scan.low(at + 1) == "for")
    if scan.low(at + 2) == "not":
        begin = next(
            (n + 1 for n in range(at + 3, at + 9) if scan.low(n) == "but"), len(scan.tokens)
        )
    _ = record(scan, "goal", at, begin, "goal")


def _named_so(scan: Scan, kind: Kind, at: int) -> bool:
    """``p0 is the start``, ``p3 the goal``: a name that is known, and the noun."""
    be = at - 1 - (scan.low(at - 1) in ARTICLES)
    name = be - (scan.low(be) in _BE)
    is_said = name < at - 1 and scan.low(name) in scan.known and scan.is_free(name, at + 1)
    if is_said:
        scan.add(kind, scan.tokens[name].text, name, at + 1, "is the goal")
    return is_said


def _best(scan: Scan, at: int) -> None:
    """``adequate is best``."""
    _is_so(scan, at, at - 1)


def _is_so(scan: Scan, at: int, be: int) -> None:
    if scan.low(be) not in _BE:
        return
    if place := scan.places_by_end.get(be):
        scan.add("goal", place.value, place.first, at + 1, "is the goal", about=place.about)
    elif be > 0 and scan.tokens[be - 1].is_name and scan.low(be - 1) not in BOUNDARIES | BETWEEN:
        scan.add("goal", scan.tokens[be - 1].text, be - 1, at + 1, "is the goal")


def _kept(scan: Scan, at: int, word: str) -> None:
    """``keeps the room comfortable``, ``stays dry``; the second of alternatives is not a wish."""
    begin = scan.after_articles(at + 1)
    end = scan.name_at(begin)
    if word in ("stay", "stays"):
        if scan.low(at - 1) != "or" and scan.low(at + 1) != "put":
            _ = record(scan, "goal", at, at + 1, "stays")
    elif (begin > at + 1 and end - begin >= 2) or (scan.low(at + 1) == "it" and end > begin):
        scan.add("goal", scan.tokens[end - 1].text, at, end, "keeps it so")


def _journey(scan: Scan, at: int, word: str) -> None:
    """``from (0,0) to cell (2,5)``, ``to the shelf at row 8, column 9``, ``land on the centre``."""
    begin = scan.after_articles(at + 1)
    end = scan.name_at(begin) if begin > at + 1 else begin
    at_place = scan.after_articles(end + 1) if scan.low(end) in ("at", "in") else begin
    at_cell = begin + (scan.low(begin) in _CELLS)
    place = scan.places.get(at_cell) or scan.places.get(at_place)
    if place is None or not at or scan.low(at - 1) in _NO_JOURNEY or scan.is_negated(at):
        return
    if word == "from":
        scan.add("start", place.value, at, place.after, "from a place", about=place.about)
    elif word == "to" or scan.low(at - 1) in ("land", "lands", "end", "ends"):
        scan.add("goal", place.value, at, place.after, "to a place", about=place.about)
