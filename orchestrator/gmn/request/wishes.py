"""Where it starts, what it wants, and its temper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.objects import BE, BETWEEN, record, record_subject
from orchestrator.gmn.request.phrases import one_of, phrase
from orchestrator.gmn.request.scan import ARTICLES
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from orchestrator.gmn.request.commitment import Kind
    from orchestrator.gmn.request.scan import Scan

_STARTS = phrase(
    "start|starts|started|starting|begin|begins|beginning|initially|initial (?:state|position)"
    "|takes off|(?:it|he|she|i|we|they|agent|robot)"
    " (?P<stands>(?:stands|sits|waits|standing|is) (?:in|at|on))"
)
_WANT = (
    "(?:want|wants|wanted|like|likes|love|loves|prefer|prefers|preferred|favour|favours|favor"
    "|favors|desire|desires|need|needs)"
)
_WISHES = "|".join(
    (
        r"(?<!\bthere )(?:get|gets|arrive|arrives|arriving)(?= (?:to|at|in|home) )",
        r"(?<!\bthere )(?:must|should)(?! be (?:avoided|forbidden))"
        "(?= (?:be|stay|become|end|remain|come) )",
        "(?:aims|hopes|strives|longs|looks?|searches|search|hunts) for",
        r"(?<!\bthere )(?:ends?|ending)(?= (?:up|in|as) )",
        "(?:has|have|needs?) to"
        " (?:be|get|go|come|move|travel|end|become|stay|remain|arrive)(?! from )",
        rf"{_WANT}(?! to (?!(?:{one_of(BETWEEN)}) ))(?! \S+ or )",
        "(?:reach|reaches|reaching|seek|seeks|remains?|finds?)(?! (?:out|whether|its) )",
        r"(?<!\bor )stays?(?! put)",
    )
)
_GOALS = phrase(
    "(?P<noun>goals?|targets?|aim|objective|destination|exit|finish)"
    "|(?P<best>best|ideal|desired|preferred|wanted|good)(?! :)"
    r"|(?P<keep>keep|keeps|keeping)|(?P<deliver>delivers? (?:\S+ ){0,4}?to)"
    f"|{_WISHES}"
)
#: ``I'd like a parrot agent``: what the user wants of us, not the agent of its world.
_REQUEST = phrase(
    f"(?:i|we|i'd|we'd|would) ({_WANT}) (?:(?:{one_of(ARTICLES)}) )*"
    r"(?:[^\s.,;:]+ ){0,2}(?:agent|model)s?"
)
_CELLS = words("cell position location coordinate coordinates")
_NO_JOURNEY = words("next close adjacent due according compared opposite equal")
_TEMPERS = {
    "cautious": phrase(
        "cautious|careful|prudent|risk-averse|timid|safe|safely|carefully|cautiously|wary"
    ),
    "bold": phrase(
        "bold|reckless|daring|risk-seeking|aggressive|brave|fearless|adventurous|boldly"
    ),
    "curious": phrase("curious|inquisitive|exploratory|information-seeking|curiously"),
    "greedy": phrase("greedy|impatient"),
}
_OPPOSITE = {"cautious": "bold", "bold": "cautious"}
#: How somebody feels of it: ``a broken one makes me sad``.
_MOODS = phrase(
    "(?:makes|make|keeps) (?:me|us|him|her|them|everyone|everybody)"
    " (?:(?P<avoid>sad|unhappy|angry|furious|upset|nervous)|(?P<goal>happy|glad|delighted))"
)
_FAR = 8  # words before, in which it is said what makes me sad


def read_wishes(scan: Scan) -> None:
    """Record starts, goals and tempers."""
    _read_starts(scan)
    for match, first, _, after in scan.phrases(_MOODS):
        kind: Kind = "avoid" if match["avoid"] else "goal"
        _ = record_subject(scan, kind, first, after, far=_FAR, is_known=True)
    requests = {one.at for one in scan.phrases(_REQUEST)}
    for match, first, _, after in scan.phrases(_GOALS):
        if first not in requests and not _is_refused(scan, first):
            _goal(scan, match.lastgroup or "", first, after)
    for at, word in scan.walk():
        if word in ("from", "to", "on", "onto") and not scan.taken[at]:
            _journey(scan, at, word)
    for temper, said in _TEMPERS.items():
        for _, first, _, after in scan.phrases(said):
            shown = _OPPOSITE.get(temper, "") if scan.is_negated(first) else temper
            if shown:
                scan.add("temper", shown, first, after, "temper")


def _read_starts(scan: Scan) -> None:
    for match, first, at, after in scan.phrases(_STARTS):
        if not match["stands"]:
            _ = record(scan, "start", first, after, "start") or _named_so(scan, "start", first)
        elif scan.places.get(scan.after_articles(after)):
            _ = record(scan, "start", at, after, "start")


def _is_refused(scan: Scan, at: int) -> bool:
    is_far = scan.low(at - 1) in ("to", "would") and scan.is_negated(at, within=5)
    return is_far or scan.is_negated(at)


def _goal(scan: Scan, how: str, at: int, after: int) -> None:
    if how == "noun":
        _noun(scan, at)
    elif how == "best":
        _ = scan.low(at - 1) in BE and record_subject(scan, "goal", at - 1, after)
    elif how == "keep":
        _kept(scan, at)
    else:
        about = "delivered" if how == "deliver" else ""
        _ = record(scan, "goal", at, after, "goal", about=about)


def _noun(scan: Scan, at: int) -> None:
    """``goal: a``, ``the exit is at (2, 3)``, ``the goal is not a but b``, ``r3c0 is the exit``."""
    if _named_so(scan, "goal", at):
        return
    be = at - 1 - (scan.low(at - 1) in ARTICLES)
    if (be < at - 1 or scan.low(be) == "is") and scan.low(at + 1) not in (":", "=", "is", "at"):
        _ = scan.low(be) in BE and record_subject(scan, "goal", be, at + 1)
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
    end = be + (scan.low(be) not in BE)
    return end < at and record_subject(scan, kind, end, at + 1, is_known=True)


def _kept(scan: Scan, at: int) -> None:
    """``keeps the room comfortable``, ``keep it mild``."""
    begin = scan.after_articles(at + 1)
    end = scan.name_at(begin)
    if end > begin + (begin > at + 1) and (begin > at + 1 or scan.low(begin) == "it"):
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
