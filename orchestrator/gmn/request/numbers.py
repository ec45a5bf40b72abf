"""Numbers in a sentence: sizes, odds, costs and rewards, horizon, precision, counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.gmn.request.odds import NONE, ODDS, SHARES, WHAT, decimal, share_of_time, words_at
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES
from orchestrator.gmn.request.tokens import number, singular, words, words_of
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from orchestrator.gmn.request.scan import Scan
    from orchestrator.gmn.request.tokens import Lexeme

_BY = frozenset(("x", "\u00d7", "by", "times", "*"))
_SIZE = pattern(r"(\d{1,4})(?:[x\u00d7]|-by-|-x-)(\d{1,4})", re.IGNORECASE)
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
_SEEN = words("cell position state place room location count level floor square")
_FAULTS = words("noise noises error errors mistake mistakes")
_SENSES = words(
    "sensor sensors sight vision observation observations sensing information knowledge view"
    " perception measurement measurements"
)
_IT = words("it he she they state . ; , !") | {"", "\n"}
_WHEN = words("when whenever while if")


def read_numbers(scan: Scan) -> None:
    """Record what each number says; a number says one thing."""
    in_places = {n for one in scan.places.values() for n in range(one.first, one.after)}
    for at, word in scan.walk():
        if scan.taken[at] or at in in_places:
            continue
        if match := _SIZE.fullmatch(word):
            scan.add("size", (int(match[1]), int(match[2])), at, at + 1, "size")
        elif (value := number(word)) is not None:
            _ = any(rule(scan, at, value) for rule in _RULES)
        elif word in SHARES:
            _ = share_of_time(scan, at, 1.0)
        elif "-" in word:
            _hyphened(scan, at, word)
    _perfect(scan)
    _noisy(scan)
    _free(scan)


def _free(scan: Scan) -> None:
    """``waiting is free``, ``asking costs nothing``."""
    for at, word in scan.walk():
        is_free = word == "free" and scan.low(at - 1) in ("is", "are") and word not in scan.known
        is_free |= word == "nothing" and scan.low(at - 1) in _PAID
        about = _about(scan, at - 1) if is_free else ""
        if about and scan.is_free(at - 1, at + 1):
            scan.add("utility", 0.0, at - 1, at + 1, "free", about=about)


def _size(scan: Scan, at: int, value: float) -> bool:
    """``4 by 6``, ``4 rows and 6 columns``."""
    then, second = at + 1, None
    if scan.low(then) in _BY:
        second, after = number(scan.low(then + 1)), then + 2
    elif scan.low(then) in ("rows", "row"):
        then += 1
        while scan.low(then) in ("and", ",", "by", "x", "of") and then < at + 5:
            then += 1
        second, after = number(scan.low(then)), then + 2
        if not scan.low(after - 1).startswith("col"):
            return False
    if second is None or scan.low(after) in _BY or min(value, second) < 1:
        return False
    if value != int(value) or second != int(second):
        return False
    after += scan.low(after) in ("grid", "board", "maze", "lattice", "field", "map")
    scan.add("size", (int(value), int(second)), at, after, "size")
    return True


def _planning(scan: Scan, at: int, value: float) -> bool:
    """``horizon of 3``, ``3 steps ahead``, ``precision 4``, ``discount 0.9``."""
    before = at - 1
    while scan.low(before) in _FILLERS and before > at - 4:
        before -= 1
    said = scan.low(before)
    if said == "factor" and scan.low(before - 1) == "discount":
        before, said = before - 1, "discount"
    is_whole = value == int(value) and value >= 1
    if said in ("horizon", "lookahead", "look-ahead") and is_whole:
        after = at + 1 + (scan.low(at + 1) in ("steps", "step", "moves"))
        scan.add("horizon", int(value), before, after, "horizon")
    elif said in ("precision", "gamma") and value > 0:
        scan.add("precision", value, before, at + 1, "precision")
    elif said == "discount" and 0 < value <= 1:
        scan.add("discount", value, before, at + 1, "discount")
    elif is_whole and "ahead" in words_at(scan, at + 1, 2):
        after = at + 2 + (scan.low(at + 1) != "ahead")
        scan.add("horizon", int(value), at, after, "ahead")
    elif is_whole and said in ("plan", "plans", "planning") and "step" in scan.low(at + 1):
        scan.add("horizon", int(value), before, at + 2, "plans")
    else:
        return False
    return True


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


def _hyphened(scan: Scan, at: int, word: str) -> None:
    """``two-armed``, ``three-step``."""
    head, _, tail = word.partition("-")
    value = number(head)
    by, _, second = tail.partition("-")
    if by in _BY and value and (columns := number(second)):  # ``four-by-seven``
        scan.add("size", (int(value), int(columns)), at, at + 1, "size")
        return
    if value is None or value != int(value) or value < 2:
        return
    if tail in ("step", "steps") and scan.low(at + 1) in ("lookahead", "plan", "plans", "horizon"):
        scan.add("horizon", int(value), at, at + 2, "horizon")
    elif tail.endswith("ed") and tail.isalpha() and len(tail) > 4:
        scan.add("count", (int(value), tail.removesuffix("ed")), at, at + 1, "count")


def _perfect(scan: Scan) -> None:
    """Sensing that is said to be perfect: ``without noise``, ``never wrong``."""
    is_numbered = any(one.kind == "noise" for one in scan.found)
    for at, word in scan.walk():
        before, first = scan.low(at - 1), at - 1
        if word in ("which", "whether") and before in ("sees", "knows") and not is_numbered:
            is_whole = scan.low(at + 1) in _IT and not scan.is_negated(at - 1)
            if is_whole:  # ``it sees which``
                scan.add("noise", 0.0, at - 1, at + 1, "perfect sensing")
            continue
        is_perfect = word in ("right", "correct", "accurate", "reliable") and before == "always"
        is_perfect |= word == "exactly" and scan.low(at + 1) in WHAT
        is_seen = before in ("is", "are") or scan.low(at + 1) in _SEEN
        is_perfect |= word == "exact" and is_seen and not is_numbered
        if word in ("wrong", "mistaken", "misread", "misreads", "lies", "lie", "errs", "err"):
            first = next((n for n in range(at - 3, at) if scan.low(n) in ("never", "nothing")), at)
            is_perfect = first < at
        is_perfect |= word in _FAULTS and before in NONE and not is_numbered
        if word in ("noise-free", "noiseless"):
            is_perfect, first = True, at
        elif word in _SENSES and _is_said_perfect(scan, at):
            scan.add("noise", 0.0, at, at + 3, "perfect sensing")
            continue
        elif word in _SENSES and "perfect" in (before, scan.low(at - 2)):
            is_perfect, first = True, at - 1 - (before != "perfect")
        if is_perfect:
            scan.add("noise", 0.0, first, at + 1, "perfect sensing")


def _is_said_perfect(scan: Scan, at: int) -> bool:
    """``its sensors are perfect``."""
    return scan.low(at + 1) in ("is", "are") and scan.low(at + 2) in ("perfect", "exact")


def _noisy(scan: Scan) -> None:
    """Sensing that is said to be noisy, without a number."""
    if any(one.kind == "noise" for one in scan.found):
        return
    for at, word in scan.walk():
        is_said = word in ("noisy", "unreliable", "imperfect", "noise") and not scan.taken[at]
        if is_said and not scan.is_negated(at) and (word, scan.low(at - 1)) != ("noise", "a"):
            scan.add("noise", "some", at, at + 1, "noisy")
            return


#: In the order in which they are tried: the first that reads a number is the one it stands for.
_RULES = (_size, *ODDS, _planning, _utility, decimal, _count)
