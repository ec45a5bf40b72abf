"""What is to be avoided, what is forbidden, and what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.objects import BETWEEN, object_at, record
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES, NEGATIONS
from orchestrator.gmn.request.tokens import number, singular, words, words_of

if TYPE_CHECKING:
    from orchestrator.gmn.request.commitment import Kind
    from orchestrator.gmn.request.places import Location
    from orchestrator.gmn.request.scan import Scan

_AVOID = words(
    "avoid avoids avoiding avoided hate hates dislike dislikes fear fears dread dreads shun shuns"
    " detest detests"
)
_HURTS = words(
    "trap traps pit pits mine mines hazard hazards danger dangers lava hole holes bomb bombs"
    " forbidden dangerous deadly lethal prohibited off-limits taboo unacceptable no-fly no-go"
    " bad worst terrible awful fatal catastrophic disastrous rocks reef reefs"
)
_KEEPS = words("keep keeps keeping stay stays staying")
_AWAY = (("out", "of"), ("away", "from"), ("clear", "of"), ("off",))
_BE = words("is are be being lies lie was =")
_TO_BE_AVOIDED = words("be must should to is are better")
#: Verbs of being or going somewhere: what is forbidden is the place, not the verb.
_VERBS = words(
    "be go goes enter enters visit visits touch touches hit hits pass passes stay stays end ends"
    " get gets reach reaches cross crosses use uses do does choose chooses run runs step steps fall"
    " falls become becomes move moves bump bumps drive drives walk walks land lands let come leave"
    " want wants like likes prefer prefers select selects take takes"
)
_CLOSING = frozenset(".,;!?\n") | {"", "and", "but"}
_WISH = words("want wish like love need")
SLIPS = words("slip slips slipping slippery fail fails failing")
_ENTERED = words("entered visited crossed touched reached used passed")
_FAR = 6
_LIES = words("lies lie errs err")
_OCCURS = words("happen occur")
_FORBIDDING = words("must may should shall can")
#: ``without knowing`` says how, not what is to be avoided.
_OTHER_GERUNDS = words(
    "knowing asking using looking seeing saying having thinking anything something nothing during"
    " morning evening"
)
_NOT_THINGS = words(
    "one more less longer other matter way idea doubt better fewer least need such problem point"
    " sense time use exception exceptions question change"
)


def read_refusals(scan: Scan) -> None:
    """Record what is avoided, forbidden or absent."""
    for at, word in scan.walk():
        if scan.taken[at]:
            continue
        if word in _HURTS or (word == "off" and scan.low(at + 1) == "limits"):
            _hurts(scan, at)
        elif word in _AVOID or word in _KEEPS:
            _avoid(scan, at, word)
        elif word in ("afraid", "scared") and scan.low(at + 1) == "of":
            _ = scan.is_negated(at) or record(scan, "avoid", at, at + 2, "afraid of")
        elif word == "never":
            _never(scan, at)
        elif word == "not" or word.endswith("n't"):
            _not(scan, at, word)
        elif word in ("no", "without"):
            _without(scan, at)


def _hurts(scan: Scan, at: int) -> None:
    """``(2, 2) is a trap``; ``traps at (2, 2) and (1, 0)``; ``mines lie at r1c1``."""
    be = at - 1
    while scan.low(be) in (*ARTICLES, "very", "too") and be > at - 3:
        be -= 1
    if scan.low(be) in NEGATIONS or scan.low(be).endswith("n't"):
        return
    after = at + 1 + (scan.low(at) == "off")
    if scan.low(be) in _BE and scan.low(be - 1) != "there":
        name = be - 1
        if subject := scan.places_by_end.get(be):
            scan.add("avoid", subject.value, subject.first, after, "is a trap", about=subject.about)
        elif name >= 0 and scan.tokens[name].is_name and scan.low(name) not in BOUNDARIES | BETWEEN:
            scan.add("avoid", scan.tokens[name].text, name, after, "is a trap")
        return
    begin = after
    while scan.low(begin) in BETWEEN and begin < at + 4:
        begin += 1
    if scan.places.get(begin) or scan.low(after) == ":":
        _ = record(scan, "avoid", at, begin, "trap at")
        return
    noun = singular(scan.low(begin - 1))
    while number(scan.low(begin)) is not None and begin > after:  # ``mines in cells 2 and 6``
        scan.add("avoid", f"{noun} {scan.low(begin)}", at, begin + 1, "trap at")
        begin += 1 + (scan.low(begin + 1) in (",", "and"))


def _avoid(scan: Scan, at: int, word: str) -> None:
    begin = at + 1
    if word in _KEEPS:
        follows = [[scan.low(at + 1 + n) for n in range(len(away))] for away in _AWAY]
        away = next((a for a, f in zip(_AWAY, follows, strict=True) if list(a) == f), ())
        if not away:
            return
        begin += len(away)
    if scan.is_negated(at, within=5) or scan.low(begin) in NEGATIONS:
        return
    if word != "avoided":
        _ = record(scan, "avoid", at, begin, "avoid")
        return
    end = at
    while scan.low(end - 1) in _TO_BE_AVOIDED and end > at - 4:
        end -= 1
    end -= scan.low(end - 1) in ("and", "which", "that")
    begin = max(scan.clause(at)[0], end - _FAR)
    place = next((o for n in range(end, begin, -1) if (o := scan.places_by_end.get(n))), None)
    name = next((n for n in range(end - 1, begin - 1, -1) if scan.low(n) in scan.known), -1)
    if place and end < at:  # ``the cell at row 3, column 3 is on fire and must be avoided``
        _avoided_places(scan, place, at)
    elif end < at and name >= 0:  # ``level 2 is flooded and must be avoided``
        first = name - (number(scan.low(name)) is not None)
        scan.add("avoid", scan.tokens[name].text, first, at + 1, "is to be avoided")
    elif 0 < end < at and scan.tokens[end - 1].is_name and scan.low(end) != "and":
        scan.add("avoid", scan.tokens[end - 1].text, end - 1, at + 1, "is to be avoided")


def _avoided_places(scan: Scan, place: Location, at: int) -> None:
    """``trees at (2, 2) and (3, 1) must be avoided``."""
    after = at + 1
    for _ in range(_FAR):
        scan.add("avoid", place.value, place.first, after, "is to be avoided", about=place.about)
        is_more = scan.low(place.first - 1) in (",", "and")
        other = scan.places_by_end.get(place.first - 1) if is_more else None
        if other is None:
            return
        place, after = other, place.first


def _never(scan: Scan, at: int) -> None:
    """``never enters the vault``, ``never resign``; ``is never wrong`` is about sensing."""
    if scan.low(at + 1) == ":":  # ``never: late``
        _ = record(scan, "avoid", at, at + 2, "never")
    elif scan.low(at - 1) not in ("is", "are", "was", "were") and scan.low(at + 1) not in _LIES:
        _forbidden(scan, at, at + 1)


def _not(scan: Scan, at: int, word: str) -> None:
    """``must not be late``, ``doesn't want to be in the crevasse``, ``a, not to b``."""
    before = scan.low(at - 1)
    helper = before if word == "not" else word.removesuffix("n't")
    verb = at + 1
    if helper in ("is", "are"):
        if scan.low(verb) in ("allowed", "permitted", "to", "supposed"):
            verb += 1 + (scan.low(verb) != "to" and scan.low(verb + 1) == "to")
            _forbidden(scan, at, verb)
    elif helper in _FORBIDDING and word != "can't":
        _forbidden(scan, at, verb)
    elif helper in ("do", "does"):
        subject = at - 1 - (word == "not")
        is_order = helper == "do" and (subject < 0 or not scan.tokens[subject].is_word)
        if is_order or scan.low(verb) in _WISH:
            _forbidden(scan, at, verb)
    elif word == "not" and before == "," and scan.low(scan.name_at(verb)) in _CLOSING:
        _ = record(scan, "avoid", at, verb, "not so")
    elif (
        word == "not"
        and before in (",", "and", "but")
        and scan.low(verb) in ("to", "at", "in", "on")
    ):
        _ = record(scan, "avoid", at, verb + 1, "not there")


def _forbidden(scan: Scan, at: int, verb: int) -> None:
    """What comes after the verb where it has an object, else the verb itself; the place before
    it that must not be ``entered``."""
    subject = scan.places_by_end.get(at - 1 - (scan.low(at - 2) in ("that", "which")))
    if subject and scan.low(at + 1) == "be" and scan.low(at + 2) in _ENTERED:
        value, about = subject.value, subject.about
        scan.add("avoid", value, subject.first, at + 3, "must not be", about=about)
        return
    modal = at - 1 - (scan.low(at - 1) == ",")
    if scan.low(verb) in _OCCURS and scan.low(modal) in _FORBIDDING and modal:
        if scan.tokens[modal - 1].is_name and scan.low(modal - 1) in scan.known:
            scan.add("avoid", scan.tokens[modal - 1].text, modal - 1, verb + 1, "must not be")
        return
    verb += scan.low(verb) in ("ever", "to")
    if scan.low(verb) in _WISH and scan.low(verb + 1) == "to":
        verb += 2
    is_double = scan.low(verb) in _AVOID or scan.is_negated(at, within=2)
    if is_double or verb >= len(scan.tokens) or not scan.tokens[verb].is_name:
        return
    if scan.low(verb) in BOUNDARIES | ARTICLES and scan.low(verb) not in _VERBS:
        return
    about = "" if scan.low(verb) in _VERBS else scan.tokens[verb].text
    is_about = scan.low(verb) in _VERBS | _WISH
    has_object = is_about or scan.low(verb + 1) in ARTICLES or scan.name_at(verb + 1) > verb + 1
    is_read = has_object and record(scan, "avoid", at, verb + 1, "never", about=about)
    if not is_read and not is_about:
        end = scan.name_at(verb, most=1)
        kind: Kind = "absent" if scan.low(verb) in SLIPS else "avoid"
        scan.add(kind, words_of(scan.tokens[verb:end]), at, end, "never")


def _without(scan: Scan, at: int) -> None:
    """``without smoke``, ``no fuel gauge``, ``without falling into the pit``."""
    gerund = scan.low(at + 1)
    if not gerund.endswith("ing") or len(gerund) < 5 or gerund in SLIPS:
        begin = scan.after_articles(at + 1)
        end = scan.name_at(begin, most=2)
        if end > begin and scan.low(begin) not in _NOT_THINGS and scan.low(at - 1) != "or":
            scan.add("absent", words_of(scan.tokens[begin:end]), at, end, "without")
        return
    if gerund in _OTHER_GERUNDS:
        return
    said = object_at(scan, at + 2) if scan.low(at) == "without" else None
    after = said.after if said else at + 2
    scan.add("avoid", said.value if said else gerund, at, after, "without doing", about=gerund)
