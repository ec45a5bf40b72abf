"""The expectations of a document, and how often each of them holds in simulated episodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.acting.expectations import Expectation, check_names, measure
from orchestrator.gmn.formats.candidates import Span
from orchestrator.gmn.formats.extents import end_of
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.types.work import TooMuchWork, allowance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.acting.expectations import Measured
    from orchestrator.server.lsp.analysis import Analysis

EPISODES = 100
#: Lenses of one document; each of them shares the episodes of the others.
MOST = 32
_CLAIM = re.compile(r"[^;\"']+")


class Claim(NamedTuple):
    """One expectation as it is written."""

    text: str
    span: Span


def claims(analysis: Analysis) -> list[Claim]:
    """The expectations in the metadata of a text."""
    return [] if analysis.is_too_large else list(_claims(analysis))[:MOST]


def _claims(analysis: Analysis) -> Iterator[Claim]:
    reading, body = analysis.reading(), analysis.body
    entries = (reading.tree or {}).get("metadata")
    for i, entry in enumerate(entries if isinstance(entries, list) else []):
        offset = reading.places.offsets.get(f"/metadata/{i}/value")
        is_one = isinstance(entry, dict) and entry.get("key") == "expect"
        if not is_one or offset is None or reading.places.text != body:
            continue
        for part in _CLAIM.finditer(body, offset, end_of(body, offset)):
            if text := part[0].strip():
                start = part.start() + part[0].index(text)
                yield Claim(text, Span(start, start + len(text)))


def measured(analysis: Analysis) -> list[str]:
    """How often each claim of a text holds, in words; the same episodes for all."""
    found = claims(analysis)
    parsed = [_parsed(claim.text) for claim in found]
    verdict = analysis.checked().verdict
    if verdict.compiled is None or verdict.spec is None:
        return ["not measured: the document is not valid" for _ in found]
    said: dict[int, str] = {}
    wanted: dict[int, Expectation] = {}
    for i, one in enumerate(parsed):
        if isinstance(one, str):
            said[i] = one
        elif wrong := check_names(one, verdict.spec):
            said[i] = wrong[0].message
        else:
            wanted[i] = one
    try:
        with allowance(DEFAULT_LIMITS.work):
            results = measure(verdict.compiled, list(wanted.values()), episodes=EPISODES)
    except TooMuchWork as error:
        return [said.get(i, f"not measured: {error}") for i in range(len(found))]
    said |= {i: _said(result) for i, result in zip(wanted, results, strict=True)}
    return [said[i] for i in range(len(found))]


def _parsed(text: str) -> Expectation | str:
    try:
        return Expectation.parse(text)
    except ValueError as error:
        return str(error)


def _said(one: Measured) -> str:
    verdict = "holds" if one.held else "fails"
    if one.mean is not None:
        return f"{verdict}: {one.got} on average over {one.episodes} episodes"
    count = round(one.rate * one.episodes)
    if one.held:
        return f"holds in {count} of {one.episodes} episodes"
    return f"fails: it is so in {count} of {one.episodes} episodes"
