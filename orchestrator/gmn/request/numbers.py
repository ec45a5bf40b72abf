"""Numbers in a sentence: sizes, odds, costs and rewards, horizon, precision, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.odds import NONE, WHAT, read_decimal, read_odds
from orchestrator.gmn.request.phrases import NUMBER, one_of, phrase
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES
from orchestrator.gmn.request.tokens import number, singular, words, words_of

if TYPE_CHECKING:
    import re

    from orchestrator.gmn.request.commitment import Kind
    from orchestrator.gmn.request.scan import Scan
    from orchestrator.gmn.request.tokens import Lexeme

_PAID = words(
    "cost costs costing penalty penalties penalised penalized fined fine fee price loses lose loss"
    " losing lost pay paying charges charge charged punished minus"
)
_EARNED = words(
    "pays reward rewards rewarded earn earns earning gain gains gaining win wins winning bonus"
    " worth score scores prize utility payoff value valued plus receives gets tip tips gives brings"
)
_FILLERS = words(
    "of is are : = by a an about exactly only $ \u20ac \u00a3 him her it you + - \u2212 \u2013 the"
    " get to at minus plus ( up"
)
_UNITS = words("points point euros euro dollars dollar coins coin credits $ \u20ac \u00a3")
_MINUS = frozenset(("-", "\u2212", "\u2013", "minus"))
_NOT_COUNTED = words("steps step times percent points euros dollars ahead out in of to by per")
_WHEN = words("when whenever while if")
_FILLED = f"(?:(?:{one_of(_FILLERS)}) ){{0,3}}"
_WHOLE = r"(#[1-9]\d*)"
_BY = r"(?:x|\u00d7|by|times|\*)"
_GRID = "(?: (?:grid|board|maze|lattice|field|map))?"
#: ``4 by 6``, ``4 rows and 6 columns``, ``5x5``, ``four-by-seven``.
_SIZES = (
    phrase(rf"{_WHOLE} {_BY} {_WHOLE}(?! {_BY} ){_GRID}"),
    phrase(rf"{_WHOLE} rows? (?:(?:and|,|by|x|of) ){{0,3}}{_WHOLE} col\S*{_GRID}"),
    phrase(r"(\d{1,4})[x\u00d7](\d{1,4})"),
    phrase(r"(\w+)-(?:by|x)-(\w+)"),
)
_PLANNING: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("horizon", phrase(rf"(?:horizon|lookahead|look-ahead) {_FILLED}{_WHOLE}(?: steps?| moves)?")),
    ("horizon", phrase(rf"{_WHOLE} (?:\S+ )?ahead")),
    ("horizon", phrase(rf"(?:plan|plans|planning) {_FILLED}{_WHOLE} steps?")),
    ("horizon", phrase(r"(\w+)-steps? (?:lookahead|plan|plans|horizon)")),
    ("precision", phrase(rf"(?:precision|gamma) {_FILLED}({NUMBER})")),
    ("discount", phrase(rf"discount {_FILLED}(?:factor {_FILLED})?({NUMBER})")),
)
_HYPHENED = phrase(r"(\w+)-([a-z]{3,})ed")  # two-armed
_FREE = phrase(rf"(?:is|are) (free)|(?:{one_of(_PAID)}) (nothing)")
_FAULTS = "noises?|errors?|mistakes?"
_SENSES = one_of(
    words(
        "sensor sensors sight vision observation observations sensing information knowledge view"
        " perception measurement measurements"
    )
)
_SEEN = "cell|position|state|place|room|location|count|level|floor|square"
#: What says that sensing is perfect; the second where no number says how good it is.
_PERFECT = phrase(
    "always (?:right|correct|accurate|reliable)|noise-free|noiseless"
    f"|exactly (?:{one_of(WHAT)})|(?:{_SENSES}) (?:is|are) (?:perfect|exact)"
    f"|perfect (?:\\S+ )?(?:{_SENSES})"
    "|(?:never|nothing) (?:\\S+ ){0,2}(?:wrong|mistaken|misreads?|lies?|errs?)"
)
_PERFECT_UNLESS = phrase(
    f"(?:is|are) exact|exact (?:{_SEEN})|(?:{one_of(NONE)}) (?:{_FAULTS})"
    '|(?:sees|knows) (?:which|whether)(?= (?:it|he|she|they|state|[.;,!"])(?!\\S)| $)'
)
_NOISY = phrase(r"(?<!\ba )noise|noisy|unreliable|imperfect")


def read_numbers(scan: Scan) -> None:
    """Record what each number says; a number says one thing."""
    _read_sizes(scan)
    read_odds(scan)
    _read_planning(scan)
    for at, word in scan.walk():
        value = None if scan.taken[at] or at in scan.in_places else number(word)
        if value is not None:
            _ = _utility(scan, at, value) or read_decimal(scan, at, value)
            _ = scan.taken[at] or _count(scan, at, value)
    for match, _, at, after in scan.phrases(_HYPHENED):
        if (count := number(match[1])) and count >= 2 and count == int(count):
            scan.add("count", (int(count), match[2]), at, after, "count")
    _read_sensing(scan)
    _read_free(scan)


def _read_sizes(scan: Scan) -> None:
    for said in _SIZES:
        for match, first, _, after in scan.phrases(said):
            rows, columns = (number(part.lstrip("#")) for part in match.groups())
            if rows and columns:
                scan.add("size", (int(rows), int(columns)), first, after, "size")


def _read_planning(scan: Scan) -> None:
    for kind, said in _PLANNING:
        for match, first, _, after in scan.phrases(said):
            value = number(match[1].lstrip("#")) or 0.0
            if value > 0 and (kind != "discount" or value <= 1):
                scan.add(kind, int(value) if kind == "horizon" else value, first, after, kind)


def _read_free(scan: Scan) -> None:
    """``waiting is free``, ``asking costs nothing``."""
    for _, first, _, after in scan.phrases(_FREE):
        about = _about(scan, first)
        if about and scan.is_free(first, after) and "free" not in scan.known:
            scan.add("utility", 0.0, first, after, "free", about=about)


def _read_sensing(scan: Scan) -> None:
    """Sensing that is said to be perfect, or to be noisy without a number."""
    is_numbered = any(one.kind == "noise" for one in scan.found)
    for said in (_PERFECT,) if is_numbered else (_PERFECT, _PERFECT_UNLESS):
        for _, first, _, after in scan.phrases(said, is_free=False):
            if not scan.is_negated(first):
                scan.add("noise", 0.0, first, after, "perfect sensing")
    if any(one.kind == "noise" for one in scan.found):
        return
    for _, first, _, after in scan.phrases(_NOISY):
        if not scan.is_negated(first):
            scan.add("noise", "some", first, after, "noisy")
            return


def _utility(scan: Scan, at: int, value: float) -> bool:
    """``costs 2``, ``a reward of 10``, ``is worth -8``, ``(+9)``."""
    first = at
    sign = 0
    while first > at - 6 and scan.low(first - 1) in _FILLERS:
        first -= 1
        if scan.low(first) in _MINUS and not sign:
            is_said = scan.low(first) == "minus" or not _is_dash(scan, first)
            sign = -1 if is_said else 0
        elif scan.low(first) in ("+", "plus"):
            sign = 1
    word = scan.low(first - 1)
    after = at + 1 + (scan.low(at + 1) in _UNITS)
    if word in _PAID:
        value = -abs(value)
    elif word in _EARNED and (word not in ("gets", "receives", "value") or after > at + 1 or sign):
        value = -value if sign < 0 else value
    elif sign and scan.low(at - 1) in (*_MINUS, "+", "plus"):
        value, first = sign * value, at
    else:
        return False
    begin = first - 1 if word in _PAID | _EARNED else at - 1
    about = _about(scan, begin)
    first = scan.after_articles(scan.clause(at)[0])
    is_later = scan.low(begin - 1) == "and" or scan.low(first + 1) == ":"
    if not about and is_later:  # ``measuring is right and costs 1``
        about = scan.tokens[first].text if scan.tokens[first].is_name else ""
    if not about and scan.low(after) in ("for", "when", "in", "at", "if"):  # ``+3 for done``
        end = scan.name_at(scan.after_articles(after + 1))
        about = words_of(scan.tokens[after + 1 : end])
        after = end if about else after
    scan.add("utility", value, begin, after, "utility", about=about)
    return True


def _is_dash(scan: Scan, at: int) -> bool:
    """Whether a minus sign stands apart from the number after it, as a dash does."""
    return scan.tokens[at].end != scan.tokens[at + 1].start


def _about(scan: Scan, at: int) -> str:
    """The last words before token `at` in its clause: what a utility is of, and when."""
    begin, end = max(scan.clause(at)[0], at - 8), at - 6
    if not any(scan.low(n) in _WHEN for n in range(begin, at)):
        begin = max(begin, end)
    said: list[Lexeme] = []
    for n in range(at - 1, begin - 1, -1):
        word = scan.low(n)
        if not scan.tokens[n].is_name or word in ("and", "or", "but"):
            if said or word not in (":", "but"):
                break
        elif word not in BOUNDARIES | ARTICLES:
            said.append(scan.tokens[n])
    return words_of(reversed(said))


def _count(scan: Scan, at: int, value: float) -> bool:
    """``four stops``, ``two food patches``."""
    if value != int(value) or value < 2 or value > 10_000:
        return False
    is_range = scan.low(at - 1) in ("to", "-", "\u2013") and number(scan.low(at - 2)) is not None
    end = at if is_range else scan.name_at(at + 1, most=2)
    for noun in range(at + 1, end):
        word = scan.low(noun)
        is_verb = word in _EARNED | _PAID and number(scan.low(noun + 1)) is not None  # arm 3 pays 8
        if word in _NOT_COUNTED or not word.isalpha() or is_verb:
            return False
        one = singular(word)
        if one != word:
            scan.add("count", (int(value), one), at, noun + 1, "count")
            return True
    return False
