"""Several documents in one text: where each stands, and which one is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.formats.blocktext import STATEMENT
from orchestrator.gmn.formats.source_map import SourceMap
from orchestrator.gmn.formats.syntax import tokens_of
from orchestrator.parsing.json_reader import FENCE
from orchestrator.parsing.scanning import Scanner, blanked
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.model import GMNSpec

MOST_DOCUMENTS = 8
_SECTION = pattern(r"^[ \t]*\[nodes\][ \t]*(?:#.*)?$", re.MULTILINE | re.IGNORECASE)
_HEAD = pattern(
    r"^[ \t]*(gmn)[ \t]+\w|^[ \t]*(agent)[ \t]+[^\s{]+\s*\{|^[ \t]*(node)[ \t]+\w+[ \t]+\S+\s*\{",
    re.MULTILINE,
)
_JSON = Scanner({"string": ('"', r'[^"\\\n]++|\\[^\n]', '"')}, r"[{}\[\]]")
_END = pattern(r"\s*+end\b", re.IGNORECASE)
_IS_FINAL = pattern(
    r"\b(?:final|finished|corrected|revised|fixed|improved|complete answer|answer is|use this)\b",
    re.IGNORECASE,
)
_IS_NOT = pattern(
    r"\b(?:not|never|alternativ\w*|draft|either|or|above|first|earlier|previous|original)\b|n't\b",
    re.IGNORECASE,
)


class Span(NamedTuple):
    """Where a document begins and ends, prose around it included."""

    start: int
    end: int


class Document(NamedTuple):
    """Where a document stands, and the text with all other documents blank."""

    span: Span
    text: str


def documents_in(text: str) -> list[Document]:
    """Everything in `text` that may be a document of its own, in order.

    That is each fence with statements, sections or JSON in it, and outside of fences each run of
    statements up to the next ``gmn`` or ``agent``, and each JSON value; the last few of them.
    """
    found: list[tuple[Span, Span]] = []
    between: list[str] = []
    end = 0
    for fence in FENCE.finditer(text):
        parts = [Span(fence.start(2) + a, fence.start(2) + b) for a, b in _parts(fence[2])]
        if parts:
            found += _apart(Span(*fence.span()), parts)
            between += (text[end : fence.start()], blanked(fence[0]))
            end = fence.end()
    outside = "".join([*between, text[end:]])
    fenced = set(found)
    found += _apart(Span(0, len(text)), list(_parts(outside)))
    return [
        Document(span, _alone(text if (span, room) in fenced else outside, room))
        for span, room in sorted(found)[-MOST_DOCUMENTS:]
    ]


def _apart(within: Span, spans: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    """Where each document stands, and the same with the prose up to its neighbours."""
    ends = [within.start, *(span.end for span in spans)]
    starts = [*(span.start for span in spans), within.end]
    for n, span in enumerate(spans):
        yield span, Span(ends[n], starts[n + 1])


def _alone(text: str, room: Span) -> str:
    return blanked(text[: room.start]) + text[room.start : room.end] + blanked(text[room.end :])


def is_last_final(text: str, spans: Sequence[Span]) -> bool:
    """Whether the words right before the last document say that it is the answer.

    Words behind it could take that back, so they must not speak of it.
    """
    before = text[_closing(text, spans[-2]) : spans[-1].start]
    words = [line for line in before.splitlines() if line.strip() and not FENCE.match(line + "\n")]
    last = words[-1] if words else ""
    behind = text[_closing(text, spans[-1]) :]
    sentence = re.split(r"(?<=[.!?])\s|,\s", last.strip())[-1]
    says_so = bool(_IS_FINAL.search(sentence)) and not _IS_NOT.search(sentence)
    return says_so and not (_IS_FINAL.search(behind) or _IS_NOT.search(behind))


def _closing(text: str, span: Span) -> int:
    """Where the document itself ends, and prose may begin."""
    brace = text.rfind("}", *span)
    end = _END.match(text, brace + 1) if brace >= 0 else None
    return end.end() if end else brace + 1 if brace >= 0 else span.end


def is_same_model(one: GMNSpec, other: GMNSpec) -> bool:
    """Whether two documents differ at most in names of themselves, descriptions and metadata."""
    return _bare(one) == _bare(other)


def _bare(spec: GMNSpec) -> GMNSpec:
    plain = {"gmn": "", "name": "", "description": "", "agent_type": "", "metadata": ()}
    kinds = ("states", "observations", "actions")
    undescribed = {
        kind: tuple(v.model_copy(update={"description": ""}) for v in getattr(spec, kind))
        for kind in kinds
    }
    reasons = tuple(p.model_copy(update={"reason": ""}) for p in spec.preferences)
    return spec.model_copy(update={**plain, **undescribed, "preferences": reasons})


def _parts(text: str) -> Iterator[Span]:
    if text.lstrip().startswith(("{", "[")) and not _SECTION.search(text):
        done = 0
        for value in _json_values(text):  # its strings may look like statements
            if STATEMENT.search(text, done, value.start):
                break
            yield value
            done = value.end
        text = blanked(text[:done]) + text[done:]
    first = STATEMENT.search(text)
    if first is None:
        yield from [Span(0, len(text))] if _SECTION.search(text) else _json_values(text)
        return
    yield from _json_values(text[: first.start()])
    starts = _starts(text, first.start())
    yield from (Span(a, b) for a, b in zip(starts, [*starts[1:], len(text)], strict=True))


def _starts(text: str, first: int) -> list[int]:
    """Where block text begins, and each later ``gmn`` or ``agent`` that begins another document."""
    heads = {m.start(m.lastindex or 0): m[m.lastindex or 0] for m in _HEAD.finditer(text, first)}
    starts, seen = [first], set[str]()
    if [*heads.values()].count("gmn") > 1 or [*heads.values()].count("agent") > 1:
        depth = 0
        for token in tokens_of(text[first:], SourceMap(), []):
            if token.kind == "mark":
                depth += (token.text in "{[") - (token.text in "}]")
            word = heads.get(token.offset + first) if depth == 0 else None
            if (word in seen and word != "node") or (word == "gmn" and seen):
                starts.append(_line_start(text, token.offset + first))
                seen.clear()
            if word:
                seen.add(word)
    return starts


def _line_start(text: str, offset: int) -> int:
    """Where the line begins, or the comments right above it."""
    start = text.rfind("\n", 0, offset) + 1
    while start:
        above = text.rfind("\n", 0, start - 1) + 1
        if not text[above:start].lstrip().startswith(("#", "//")):
            break
        start = above
    return start


def _json_values(text: str) -> Iterator[Span]:
    """Every ``{…}`` or ``[{…}]`` with a string in it; one that is never closed runs to the end."""
    depth = start = strings = 0
    for match in _JSON.pieces(text):
        mark = match.group()
        if mark in "{[":
            if depth == 0:
                start, strings = match.start(), 0
            depth += 1
        elif mark in "}]":
            if depth == 1 and strings and "{" in text[start : match.end()]:
                yield Span(start, match.end())
            depth = max(0, depth - 1)
        else:
            strings += 1
    if depth and strings:
        yield Span(start, len(text))
