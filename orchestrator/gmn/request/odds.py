"""Probabilities in a sentence: of what happens, of what is seen wrongly, of how things begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.phrases import NUMBER, one_of, phrase
from orchestrator.gmn.request.tokens import words

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
NONE = words("no without zero")
WHAT = words("which what whether who where")
_SHARES = {"half": 1 / 2, "third": 1 / 3, "thirds": 1 / 3, "quarter": 1 / 4, "quarters": 1 / 4}
_REVEALS = words("reveals reveal shows show tells tell says say gives give identifies identify")
_SENSORS = words("sensor sensors sonar radar camera gauge detector thermometer monitor eyes ears")
_SLACK = 1e-6
_NEAR = 8  # tokens around a probability in which a word says what it is of
_OF_TIME = "of (?:the |all )?(?:time|times|cases)"
_A_SHARE = rf"({one_of(frozenset(_SHARES))}) (?:of )?(?:the |all )?(?:time|times|cases)"


def _percent(value: float) -> float:
    return value / 100


def _of_all(value: float, whole: float) -> float:
    return value / whole if whole > 1 else -1.0


def _against(value: float, other: float) -> float:
    return value / (value + other) if value + other else -1.0


def _times(value: float, share: float) -> float:
    return value * share


#: How a probability is said, and what its numbers make.
_ODDS = (
    (phrase(rf"({NUMBER}) (?:%|percent|per cent)(?: {_OF_TIME})?"), _percent),
    (phrase(rf"odds (?:\S+ )?({NUMBER}) (?:to|:|-) ({NUMBER})"), _against),
    (phrase(rf"({NUMBER}) : ({NUMBER})(?= (?:{one_of(_RIGHT)}) )"), _against),
    # nine in ten, two addresses out of every hundred
    (
        phrase(
            rf"({NUMBER}) (?:(?!in |out |of |#)\S+ ){{0,2}}(?:in|out \S+) (?:every |each )?"
            rf"(?:a (?=#1000? ))?({NUMBER})(?! %| per)"
        ),
        _of_all,
    ),
    (
        phrase(
            rf"({NUMBER}) of ({NUMBER})"
            " (?:tests|cases|times|tries|trials|readings|days|visits|attempts)"
        ),
        _of_all,
    ),
    (
        phrase(r"(?:probability|chance|likelihood|with|p|=) (#\d+) / (#\d+)(?! /)"),
        _of_all,
    ),
    (phrase(rf"({NUMBER}) {_A_SHARE}"), _times),
    (phrase(_A_SHARE), float),
)
#: ``prior 0.2 / 0.5 / 0.3``, ``with prior probabilities 0.7 and 0.3``.
_PRIOR = phrase(
    rf"priors? (?:(?:\S+ )?(?:probability|probabilities|shares|of|is|are|:|=|with) )?"
    rf"({NUMBER}(?: (?:[,/:]|and)(?: and)? {NUMBER})+)"
)


def read_odds(scan: Scan) -> None:
    """Record the probabilities that are said in one of these ways."""
    for match, _, at, after in scan.phrases(_PRIOR):
        shares = tuple(float(part[1:]) for part in match[1].split() if part.startswith("#"))
        if abs(sum(shares) - 1) <= _SLACK:
            scan.add("prior", shares, at, after, "prior")
    for said, share in _ODDS:
        for match, _, at, after in scan.phrases(said):
            values = [_SHARES.get(part) or float(part[1:]) for part in match.groups()]
            if 0 <= share(*values) <= 1:
                _chance(scan, at, after, share(*values))


def _chance(scan: Scan, first: int, after: int, share: float) -> None:
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


def read_decimal(scan: Scan, at: int, value: float) -> bool:
    """``probability 0.2``, ``0.8 accurate``."""
    if not 0 <= value <= 1 or "." not in scan.low(at):
        return False
    begin, end = scan.clause(at)
    near = range(max(begin, at - 4), min(end, at + 4))
    is_said = scan.low(at - 1) in ("with", "p", "w.p.")
    is_said |= (scan.low(at - 2), scan.low(at - 1)) == ("p", "=") or bool(scan.happening[at])
    if is_said or any(scan.low(n) in _RIGHT | _WRONG | _ACTS for n in near):
        _chance(scan, at, at + 1, value)
        return True
    return False
