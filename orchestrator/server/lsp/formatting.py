"""A text in its canonical form, and edits that make one document of another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrator.gmn.formats import coerce, comments_of, with_shares, write_json, write_text
from orchestrator.gmn.formats.extents import end_of
from orchestrator.gmn.formats.syntax import remarks
from orchestrator.gmn.formats.write import statements
from orchestrator.gmn.imports import KINDS, read
from orchestrator.gmn.model import GMNSpec
from orchestrator.parsing.json_reader import read_json
from orchestrator.server.lsp.analysis import NotPossibleError
from orchestrator.server.lsp.positions import Edit, difference, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.server.lsp.analysis import Analysis

#: What is read over, and would be gone afterwards.
_LOST = frozenset({"GMN012", "GMN014", "GMN803"})


def formatted(analysis: Analysis) -> list[Edit]:
    """The edits that bring a text into its canonical form, which means the same.

    Raises: NotPossibleError: it cannot be read, or something of it would be lost.
    """
    verdict = analysis.as_written()
    if verdict.spec is None:
        first = next(iter(verdict.report.errors), None)
        raise NotPossibleError(f"the text cannot be read: {first.message if first else 'empty'}")
    return difference(analysis.body, _canonical(analysis, verdict.spec))


def _canonical(analysis: Analysis, spec: GMNSpec) -> str:
    reading = analysis.reading()
    for one in (*reading.repairs, *analysis.as_written().report.repairs):
        if one.code in _LOST or (one.code == "GMN007" and not one.expected):
            raise NotPossibleError(f"something would be lost: {one.message}")
    if reading.spelling == "text" and reading.places.text == analysis.body:
        return write_text(with_shares(spec, reading.places), comments_of(reading.places))
    if reading.spelling != "json" or analysis.body.lstrip()[:1] != "{":
        title = KINDS[reading.spelling].title
        words = f"the text is {title}, which has no canonical form; orchestrator import reads it"
        raise NotPossibleError(words)
    data = read_json(analysis.body).value
    keys = list(data) if isinstance(data, dict) else ["its list"]
    lost = [str(key) for key in keys if key not in GMNSpec.model_fields]
    if _has_comments(analysis.body):
        lost.append("comments")
    if lost:
        raise NotPossibleError(f"something would be lost: {', '.join(lost)}")
    return write_json(spec)


def _has_comments(text: str) -> bool:
    """Whether there may be comments in a text that was read as JSON."""
    try:
        json.loads(text)
    except ValueError:
        return any(mark in text for mark in ("//", "/*", "#"))
    return False


def edits_to(analysis: Analysis, new: GMNSpec) -> list[Edit] | None:
    """The edits that make a text say `new`, and leave what says the same as it is.

    None where something of the text would be lost.
    """
    old = analysis.as_written().spec
    if old is None:
        return None
    if analysis.reading().spelling == "text":
        edits = _statement_edits(analysis, old, new)
        if edits is not None and says(replaced(analysis.body, edits), new):
            return edits
    try:
        made = _canonical(analysis, new)
    except NotPossibleError:
        return None
    return difference(analysis.body, made) if says(made, new) else None


def says(text: str, spec: GMNSpec) -> bool:
    """Whether a text reads as that document."""
    reading = read(text)
    return reading.tree is not None and coerce(reading.tree, reading.names).spec == spec


def _statement_edits(analysis: Analysis, old: GMNSpec, new: GMNSpec) -> list[Edit] | None:
    """Only the statements that change are written; None where it is not clear which is which."""
    places = analysis.reading().places
    before = dict(statements(old))
    after = dict(statements(with_shares(new, places)))
    pairs = _aligned(old, new)
    if pairs is None:
        return None
    edits: list[Edit] = []
    plain = dict(statements(new))
    for was, now in pairs.items():
        if now and before.get(was) == plain.get(now):
            continue
        changed = _statement(analysis.body, places.offsets, was, after.get(now, ""))
        if changed is None:
            return None
        edits += changed
    added = [after[now] for now in after if now not in pairs.values()]
    if added:
        at = places.offsets.get("/end", len(analysis.body.rstrip()))
        head = "" if "/end" in places.offsets else "\n"
        tail = "\n" if "/end" in places.offsets else ""
        edits.append(Edit(at, at, head + "\n".join(added) + tail))
    return edits


def _aligned(old: GMNSpec, new: GMNSpec) -> dict[str, str] | None:
    """The statement of `new` for each of `old`, by pointer; empty for one that is gone."""
    pairs = {"/gmn": "/gmn", "/name": "/name", "/policy": "/policy"}
    for section, (before, after) in _sections(old, new).items():
        if len(before) <= len(after):
            matched: Sequence[int | None] = range(len(before))
        else:
            matched = _matched(before, after)
            if sum(one is not None for one in matched) != len(after):
                return None
        for i, j in enumerate(matched):
            pairs[f"/{section}/{i}"] = "" if j is None else f"/{section}/{j}"
    return pairs


def _matched(before: Sequence[object], after: Sequence[object]) -> list[int | None]:
    found: list[int | None] = []
    at = 0
    for one in before:
        is_kept = at < len(after) and _called(one) == _called(after[at])
        found.append(at if is_kept else None)
        at += is_kept
    return found


def _called(part: object) -> object:
    return next((getattr(part, key) for key in ("name", "of", "on") if hasattr(part, key)), None)


def _sections(
    old: GMNSpec, new: GMNSpec
) -> Mapping[str, tuple[Sequence[object], Sequence[object]]]:
    names = ("states", "observations", "actions", "likelihoods", "transitions", "priors",
             "preferences", "queries")  # fmt: skip
    return {name: (getattr(old, name), getattr(new, name)) for name in names}


def _statement(body: str, offsets: Mapping[str, int], pointer: str, text: str) -> list[Edit] | None:
    """One statement of the text replaced, its comments above it; None where it is not found."""
    if (at := offsets.get(pointer)) is None:
        return None
    start = at if pointer == "/name" else body.rfind("node", 0, at)
    brace = body.find("{", at)
    if start < 0 or brace < 0 or pointer == "/gmn":
        return None
    end = end_of(body, brace)
    inside = "".join(f"{one}\n" for one in _comments(body, start, end))
    if not text and body[end : end + 1] == "\n":
        end += 1
    changed = difference(body[start:end], inside + text)
    return [Edit(start + one.start, start + one.end, one.text) for one in changed]


def _comments(body: str, start: int, end: int) -> Iterator[str]:
    return (one.text.rstrip() for one in remarks(body) if start < one.offset < end)
