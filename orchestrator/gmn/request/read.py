"""Reads the commitments of a sentence."""

from __future__ import annotations

import bisect
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.gmn.request import verbs
from orchestrator.gmn.request.chances import with_chances
from orchestrator.gmn.request.commitment import Commitment, RequestReading, TextSpan
from orchestrator.gmn.request.effects import read_effects
from orchestrator.gmn.request.lists import read_lists
from orchestrator.gmn.request.names import names_of, roots, roots_of
from orchestrator.gmn.request.numbers import read_numbers
from orchestrator.gmn.request.refusals import read_refusals
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES, NEGATIONS, Scan
from orchestrator.gmn.request.tokens import number, words
from orchestrator.gmn.request.wishes import read_wishes

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Characters of a text that are read; the rest is reported as unread.
MOST_CHARACTERS = 32_768
#: Words without a meaning of their own for a model: what remains of the others is reported.
_LOST = verbs.CONDITIONS | words("else same likewise ditto remaining rest others")
_HAPPENS = verbs.HAPPENS - verbs.STEPS
_SLACK = 1e-6
_BRACKET = 2  # the blank and the bracket behind a name
_STOP = ARTICLES | (BOUNDARIES - NEGATIONS) | words(
    "i you he she it we they me him us them who what how why there here agent agents model models"
    " plan plans create creates build builds"
    " make makes made write writes describe describes please simulate"
    " given using use uses just only very quite really also so too one ones each every all both"
    " between among other others another same such like as than thus etc eg e.g ie i.e about around"
    " along across against decide decides decision decisions choose chooses try tries wish wishes"
    " able let lets thing things something anything everything nothing someone anyone people person"
    " world environment situation situations called named have having being does doing done go goes"
    " going get gets take takes know knows known think thinks see sees look looks keep keeps put"
    " puts need needs needed exactly either neither else never not no yes more most less least many"
    " much few several lot lots always often sometimes usually mostly already still again now then"
    " today first last next later soon ever well good bad better best worse new old own if whether"
    " because therefore however though while would could should must may might can will shall"
    " ought hm hmm ok okay said say says"
)  # fmt: skip


def read_request(text: str) -> RequestReading:
    """What `text` commits its model to; in time linear in its length, without asking a model."""
    scan = Scan(text[:MOST_CHARACTERS])
    read_lists(scan)
    read_effects(scan)
    read_refusals(scan)
    read_wishes(scan)
    read_numbers(scan)
    _gather_priors(scan)
    found = sorted(scan.found, key=lambda one: (one.span.start, one.span.end))
    return RequestReading(
        text,
        tuple(found),
        tuple(_left_over(scan)),
        max(0, len(text) - MOST_CHARACTERS),
        effects=tuple(with_chances(scan)),
        unclear=tuple(_unclear(scan)),
    )


def _gather_priors(scan: Scan) -> None:
    """``is good (95%) or defective (5%)``: probabilities behind each name of a list are a prior.

    One that is said apart is of the last list before it of as many names.
    """
    by_start = sorted(scan.found, key=lambda one: one.span.start)
    shares = [one for one in by_start if one.kind == "chance"]
    starts = [one.span.start for one in shares]
    gathered, about, found = set[int](), dict[int, str](), list[Commitment]()
    for one in by_start:
        names = one.value if isinstance(one.value, tuple) else ()
        if one.kind in ("states", "options"):
            about[len(names)] = ", ".join(map(str, names))
            first = bisect.bisect_right(starts, one.span.start)
            after = bisect.bisect_right(starts, one.span.end + _BRACKET)
            own = [s for s in shares[first:after] if scan.is_in_brackets(s.span)]
            values = tuple(float(s.value) for s in own)  # type: ignore[arg-type]  # numbers
            if len(values) == len(names) > 1 and abs(sum(values) - 1) < _SLACK:
                gathered |= set(map(id, own))
                span = TextSpan(own[0].span.start, own[-1].span.end)
                found.append(
                    Commitment("prior", values, span, "behind each name", about[len(names)])
                )
        found.append(replace(one, about=about.get(len(names), "")) if one.kind == "prior" else one)
    scan.found = [one for one in found if id(one) not in gathered]


def _left_over(scan: Scan) -> list[str]:
    left: dict[str, str] = {}
    for at, token in enumerate(scan.tokens):
        if _is_left(scan, at):
            left.setdefault(token.low, token.text)
    return list(left.values())


def _is_left(scan: Scan, at: int) -> bool:
    token = scan.tokens[at]
    is_plain = token.is_quoted or not any(sign.isalnum() for sign in token.text)
    return not is_plain and not scan.taken[at] and token.low not in _STOP


def _unclear(scan: Scan) -> Iterator[TextSpan]:
    """The clauses of which a rest that names a state or an action was not read."""
    names = names_of(scan.text, scan.found)
    known = {part for name in (*names.states, *names.actions) for part in roots_of(name)}
    done = {part for name in names.actions for part in roots_of(name)}
    ends = [scan.tokens[end].start for end in scan.clause_ends[:-1]]
    found: dict[int, list[Commitment]] = {}
    for one in scan.found:
        found.setdefault(bisect.bisect_left(ends, one.span.start), []).append(one)
    with_effect = {bisect.bisect_left(ends, one.span.start) for one in scan.effects}
    begin = 0
    for number_of, end in enumerate(scan.clause_ends if known else ()):
        said = found.get(number_of, [])
        own = {part for one in said if one.kind == "utility" for part in roots_of(one.about)}
        if any(one.kind in ("noise", "chance") for one in said):
            own |= done
        left = [n for n in range(begin, end) if _is_left(scan, n)]
        left = [n for n in left if own.isdisjoint(roots(scan.low(n)))]
        # ``pulls shots that are sour, balanced or bitter``: what stands before a list is its head.
        head = min((one.span.start for one in said if isinstance(one.value, tuple)), default=0)
        inner = [n for n in left if scan.tokens[n].start > head]
        heads = [n for n in left if n == begin]
        has_rest = any(number(scan.low(n)) is not None for n in left)
        has_rest |= any(scan.low(n) in _HAPPENS for n in inner)
        has_effect = number_of in with_effect
        for n in {*inner, *heads}:
            # Not a baker who can bake, but what makes it tenser.
            is_person = scan.low(n).endswith(("er", "or")) and not has_effect
            has_rest |= not is_person and not known.isdisjoint(roots(scan.low(n)))
        lost = [n for n in range(begin, end) if not scan.taken[n] and scan.low(n) in _LOST]
        lost = [n for n in lost if (scan.low(n), scan.low(n + 1)) != ("only", "with")]
        if has_rest or (has_effect and lost):
            yield TextSpan(scan.tokens[begin].start, scan.tokens[end - 1].end)
        begin = end + 1


#: The same, remembered for the last sentences: one is read for the model and held against it.
read = lru_cache(maxsize=64)(read_request)
