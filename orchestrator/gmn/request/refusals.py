"""What is to be avoided, what is forbidden, and what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.objects import BE, BETWEEN, CLOSING, object_at, record, record_subject
from orchestrator.gmn.request.phrases import one_of, phrase
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES, NEGATIONS
from orchestrator.gmn.request.tokens import number, singular, words, words_of

if TYPE_CHECKING:
    from orchestrator.gmn.request.commitment import Kind
    from orchestrator.gmn.request.scan import Scan

_AVOID = words(
    "avoid avoids avoiding hate hates dislike dislikes fear fears dread dreads shun shuns detest"
    " detests"
)
_AVOIDS = (
    f"{one_of(_AVOID)}|never :|(?:afraid|scared) of"
    "|(?:keep|keeps|keeping|stay|stays|staying) (?:out of|away from|clear of|off)"
)
_AVOIDED = "(?:(?:and|which|that) )?(?:(?:be|must|should|to|is|are|better) ){1,3}avoided"
_MUST = "(?:must|may|should|shall|can)"
_ENTERED = "(?:entered|visited|crossed|touched|reached|used|passed)"
_HURTS = (
    "traps?|pits?|mines?|hazards?|dangers?|lava|holes?|bombs?|forbidden|dangerous|deadly|lethal"
    "|prohibited|off-limits|off limits|taboo|unacceptable|no-fly|no-go|bad|worst|terrible|awful"
    "|fatal|catastrophic|disastrous|rocks|reefs?"
)
_REFUSALS = phrase(
    f"(?P<hurts>{_HURTS})|(?P<avoided>{_AVOIDED})|(?P<avoids>{_AVOIDS})"
    f"|(?P<entered>(?:(?:which|that) )?{_MUST} (?:not|never) be {_ENTERED})"
    f"|(?P<occurs>(?:,|{_MUST}) (?:not|never) (?:happen|occur))"
    r"|(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bwere )(?P<never>never)(?! (?:lies?|errs?) )"
    r"|(?P<without>no|without)|(?P<not>not|\w+n't)"
)
#: Verbs of being or going somewhere: what is forbidden is the place, not the verb.
_VERBS = words(
    "be go goes enter enters visit visits touch touches hit hits pass passes stay stays end ends"
    " get gets reach reaches cross crosses use uses do does choose chooses run runs step steps fall"
    " falls become becomes move moves bump bumps drive drives walk walks land lands let come leave"
    " want wants like likes prefer prefers select selects take takes"
)
_WISH = words("want wish like love need")
SLIPS = words("slip slips slipping slippery fail fails failing")
_FAR = 6  # words before, in which it is said what is to be avoided
_FORBIDDING = words("must may should shall can")
#: ``without knowing`` says how, not what is to be avoided.
_OTHER_GERUNDS = words(
    "knowing asking using looking seeing saying having thinking anything something nothing during"
    " morning evening"
)
_NOT_THINGS = words(
    "one more less longer other matter way idea doubt better fewer least need such problem point"
    " sense time use exception exceptions question change"
    " noise noises error errors mistake mistakes"  # how good sensing is: a number
)


def read_refusals(scan: Scan) -> None:
    """Record what is avoided, forbidden or absent."""
    for match, first, at, after in scan.phrases(_REFUSALS):
        how = match.lastgroup
        if how == "hurts":
            _hurts(scan, at, after)
        elif how == "avoids" and not scan.is_negated(at, within=5):
            _ = scan.low(after) in NEGATIONS or record(scan, "avoid", at, after, "avoid")
        elif how == "avoided" and not scan.is_negated(after - 1, within=5):
            is_known = scan.low(first) == "and"  # ``drawer B is locked and must be avoided``
            _ = record_subject(scan, "avoid", first, after, far=_FAR, is_known=is_known)
        elif how == "entered" and first in scan.places_by_end:
            _ = record_subject(scan, "avoid", first, after)
        elif how == "occurs":
            _ = record_subject(scan, "avoid", first, after, is_known=True)
        elif how in ("never", "entered"):
            verb = after - 2 * (how == "entered")
            _forbidden(scan, verb - 1, verb)
        elif how == "not":
            _not(scan, at, scan.low(at))
        elif how == "without":
            _without(scan, at)


def _hurts(scan: Scan, at: int, after: int) -> None:
    """``(2, 2) is a trap``; ``traps at (2, 2) and (1, 0)``; ``mines lie at r1c1``."""
    be = at - 1
    while scan.low(be) in (*ARTICLES, "very", "too") and be > at - 3:
        be -= 1
    if scan.low(be) in NEGATIONS or scan.low(be).endswith("n't"):
        return
    if scan.low(be) in BE and scan.low(be - 1) != "there":
        _ = record_subject(scan, "avoid", be, after)
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
    elif word == "not" and before == "," and scan.low(scan.name_at(verb)) in CLOSING:
        _ = record(scan, "avoid", at, verb, "not so")
    elif (
        word == "not"
        and before in (",", "and", "but")
        and scan.low(verb) in ("to", "at", "in", "on")
    ):
        _ = record(scan, "avoid", at, verb + 1, "not there")


def _forbidden(scan: Scan, at: int, verb: int) -> None:
    """What comes after the verb where it has an object, else the verb itself."""
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
