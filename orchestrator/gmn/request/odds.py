"""Probabilities in a sentence: of what happens, of what is seen wrongly, of how things begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.tokens import NUMBER_WORDS, number, words

if TYPE_CHECKING:
    from orchestrator.gmn.request.commitment import Kind
    from orchestrator.gmn.request.scan import Scan

_RIGHT = words(
    "accurate accuracy reliable reliability right correct correctly precise detected detects"
    " detect truth truthful true trustworthy recognises recognizes accurately reliably"
)
_WRONG = words(
    "noise noisy wrong misread misreads misreading error errors false mislead misleads misleading"
    " miss misses mistaken incorrect incorrectly inaccurate unreliable mistake mistakes wrongly"
    " falsely blurred lied lie lies lying fooled misjudges misclassifies errs err"
)
_ACTS = words(
    "works work succeeds succeed success fails fail failure slips slip slipping slippery breaks"
    " probability chance chances likely probable late pushes risk pays pay wins win course"
)
NONE = ("no", "without", "zero")
WHAT = words("which what whether who where")
_CASES = words("tests cases times tries trials readings days visits attempts")
SHARES = {"half": 1 / 2, "third": 1 / 3, "thirds": 1 / 3, "quarter": 1 / 4, "quarters": 1 / 4}
_REVEALS = words("reveals reveal shows show tells tell says say gives give identifies identify")
_OF_CHANCES = words("probability chance likelihood with p =")
_PRIORS = words("prior priors")
_BEFORE_PRIORS = _PRIORS | words("probabilities probability shares of is are : = with")
_SLACK = 1e-6
_NEAR = 8  # tokens around a probability in which a word says what it is of


_SENSORS = words("sensor sensors sonar radar camera gauge detector thermometer monitor eyes ears")


def _odds(scan: Scan, at: int, value: float) -> bool:
    """``90%``, ``9 times out of 10``, ``one in ten``, ``odds of 1 to 4``."""
    if scan.low(at + 1) in ("%", "percent") or words_at(scan, at + 1, 2) == ["per", "cent"]:
        after = at + 2 + (scan.low(at + 1) == "per")
        after += 3 * (words_at(scan, after, 3) in (["of", "the", "time"], ["of", "the", "cases"]))
        after += 2 * (words_at(scan, after, 2) in (["of", "cases"], ["of", "times"]))
        return value <= 100 and _chance(scan, at, after, value / 100)
    if "odds" in words_at(scan, at - 2, 2):
        other = number(scan.low(at + 2))
        if scan.low(at + 1) in ("to", ":", "-") and other is not None and value + other > 0:
            return _chance(scan, at, at + 3, value / (value + other))
    then = at + 1
    for _ in range(2):  # one time in ten, two addresses out of every hundred
        if scan.low(then) in ("in", "out", "of"):
            break
        then += 1
    if scan.low(then) not in ("in", "out"):
        return False
    then += 1 + (scan.low(then) == "out")
    then += scan.low(then) in ("every", "each")
    total = number(scan.low(then))
    if scan.low(then) == "a" and scan.low(then + 1) in ("hundred", "thousand"):
        then, total = then + 1, float(NUMBER_WORDS[scan.low(then + 1)])
    if total is None or not 0 < value <= total or total < 2:
        return False
    return _chance(scan, at, then + 1, value / total)


def _of_many(scan: Scan, at: int, value: float) -> bool:
    """``right in 4 of 5 tests``, ``3:1 reliable``."""
    sign, other = scan.low(at + 1), number(scan.low(at + 2))
    if other and sign == ":" and scan.low(at + 3) in _RIGHT:
        return _chance(scan, at, at + 3, value / (value + other))
    is_part = other is not None and value <= other and other >= 2
    if is_part and other and sign == "of" and scan.low(at + 3) in _CASES:
        return _chance(scan, at, at + 4, value / other)
    return False


def _fraction(scan: Scan, at: int, value: float) -> bool:
    """``with probability 2/3``."""
    under = number(scan.low(at + 2)) if scan.low(at + 1) == "/" else None
    is_one = under is not None and scan.tokens[at].end + 1 == scan.tokens[at + 2].start
    is_whole = is_one and value.is_integer() and scan.low(at + 3) != "/"
    if not is_whole or not under or value > under or scan.low(at - 1) not in _OF_CHANCES:
        return False
    return _chance(scan, at, at + 3, value / under)


def _prior(scan: Scan, at: int, value: float) -> bool:
    """``prior 0.2 / 0.5 / 0.3``, ``with prior probabilities 0.7 and 0.3``."""
    before = words_at(scan, at - 3, 3)
    if _PRIORS.isdisjoint(before) or before[-1] not in _BEFORE_PRIORS:
        return False
    values, after, then = [value], at + 1, at + 1
    while scan.low(then) in (",", "/", "and", ":"):
        then += 1 + (scan.low(then + 1) == "and")
        share = number(scan.low(then))
        if share is None:
            break
        values, after, then = [*values, share], then + 1, then + 1
    if len(values) < 2 or abs(sum(values) - 1) > _SLACK:
        return False
    scan.add("prior", tuple(values), at, after, "prior")
    return True


def words_at(scan: Scan, at: int, count: int) -> list[str]:
    """So many words from token `at` on."""
    return [scan.low(n) for n in range(at, at + count)]


def _chance(scan: Scan, first: int, after: int, share: float) -> bool:
    """Record a probability as what the nearest word in its clause says that it is of."""
    begin, end = scan.clause(first)
    around = range(max(begin, first - _NEAR), min(end, after + _NEAR))
    said = [n for n in around if scan.low(n) in _RIGHT | _WRONG | _ACTS]
    said = [n for n in said if scan.low(n) != "noise" or scan.low(n - 1) not in NONE]
    has_left = any(scan.low(n) == "left" for n in range(begin, end))
    said = [n for n in said if not (has_left and scan.low(n) == "right")]  # a direction
    outside = [n for n in said if not first <= n < after]
    near = min(outside, key=lambda n: first - n if n < first else n - after + 1, default=first)
    of = scan.low(near)
    is_sensor = scan.low(near - 1) in _SENSORS and of in ("fails", "fail")
    kind: Kind = "noise" if of in _RIGHT | _WRONG or is_sensor else "chance"
    if kind == "noise" and (of in _RIGHT) != scan.is_negated(near, within=2):
        share = 1 - share
    # The word that says so is part of it where it stands beside.
    if kind == "chance" and any(
        scan.low(n) in _REVEALS and scan.low(n + 1) in WHAT for n in range(begin, first)
    ):  # ``smelling reveals which it is with probability 0.9``
        kind, share = "noise", 1 - share
    low, high = min(first, max(near, first - 3)), max(after, min(near + 1, after + 3))
    scan.add(kind, round(share, 9), low, high, "probability")
    return True


def share_of_time(scan: Scan, at: int, value: float) -> bool:
    """``half of the time``, ``three quarters of the time``; `value` of them."""
    part = at if scan.low(at) in SHARES else at + 1
    then = part + 1 + (scan.low(part + 1) == "of")
    then += scan.low(then) in ("the", "all")
    if scan.low(part) not in SHARES or scan.low(then) not in ("time", "cases", "times"):
        return False
    share = value * SHARES[scan.low(part)]
    return share <= 1 and _chance(scan, at, then + 1, share)


def decimal(scan: Scan, at: int, value: float) -> bool:
    """``probability 0.2``, ``0.8 accurate``."""
    if not 0 <= value <= 1 or "." not in scan.low(at):
        return False
    begin, end = scan.clause(at)
    near = range(max(begin, at - 4), min(end, at + 4))
    is_said = bool(scan.happening[at])
    is_said |= scan.low(at - 1) in ("with", "p", "w.p.") or words_at(scan, at - 2, 2) == ["p", "="]
    if not is_said and not any(scan.low(n) in _RIGHT | _WRONG | _ACTS for n in near):
        return False
    return _chance(scan, at, at + 1, value)


#: In the order in which they are tried.
ODDS = (_prior, _odds, _of_many, _fraction, share_of_time)
