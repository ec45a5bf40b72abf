"""Text, bytes or a mapping in, the tree of a canonical document out."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.blocktext import STATEMENT, read_block_text
from orchestrator.gmn.formats.candidates import blank
from orchestrator.gmn.formats.json_positions import JsonPositions
from orchestrator.gmn.formats.legacy_arrays import (
    is_arrays,
    is_flat_pomdp,
    read_arrays,
    read_flat_pomdp,
)
from orchestrator.gmn.formats.legacy_graph import is_graph, is_sections, read_graph, read_sections
from orchestrator.gmn.formats.source_map import SourceMap
from orchestrator.gmn.formats.syntax import BrokenSyntax, Parser, plain
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.parsing.json_reader import FENCE, read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.types.diagnostics import Diagnostic, Position

_NODE = re.compile(r"^[ \t]*node[ \t]+\w+[ \t]+\S+\s*\{", re.MULTILINE)
_FENCE_CLOSED = re.compile(r"\s*^[ \t]*(?:`{3,}|~{3,})[ \t]*$", re.MULTILINE)
_BEGUN = re.compile(r"^[ \t]*(?:agent|node)\b[^.\n]*\Z", re.MULTILINE)
_END = re.compile(r"^[ \t]*end\b", re.MULTILINE | re.IGNORECASE)
_SYNTAX = ("GMN001", "GMN002", "GMN003", "GMN005", "GMN009", "GMN013")
_QUOTES = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2018\u2019\u201a", "'"),
    }
)
_WRAPPED = 4  # one in the other
_SECTIONS = {"states", "nodes", "observations", "num_states", "A"}
_CALL = {"id", "type", "name", "arguments", "parameters", "input"}  # of a tool
#: What an agent that acts always has, and how a finding calls it.
_ALWAYS = {
    "states": "a state", "observations": "an observation", "likelihoods": "an emission",
    "transitions": "a transition", "preferences": "a preference", "policy": "a policy",
}  # fmt: skip
_SECTION = re.compile(r"^[ \t]*\[nodes\][ \t]*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader made of its input.

    Attributes:
        tree: a document with the keys of the canonical JSON form, not yet checked for types;
            None when nothing could be read.
        findings: what is wrong and stays wrong (001-005, 009, 013, 703, 704, 80x…).
        repairs: what was repaired while reading (012, 006, 009 in its lenient bands, 804…).
        places: where each part stands in the text.
        spelling: name of the format recognised: ``text``, ``json``, or a legacy one.
        is_whole: whether the text shows its own end: the line ``end``, the end of a fence, or
            JSON that closes.
        missing: what every complete document of its kind has and this one lacks, where neither
            ``end`` nor JSON's own end says that it is complete.
    """

    tree: dict[str, object] | None
    findings: tuple[Diagnostic, ...] = ()
    repairs: tuple[Diagnostic, ...] = ()
    places: SourceMap = field(default_factory=SourceMap)
    spelling: str = "text"
    is_whole: bool = True
    missing: tuple[str, ...] = ()


def read(source: str | bytes | Mapping[str, object], *, limits: Limits = DEFAULT_LIMITS) -> Reading:
    """Recognise the spelling of `source` and read it; any input gives a Reading, never a raise."""
    if isinstance(source, Mapping):
        return _value(dict(source), SourceMap(), limits)
    size = len(source) if isinstance(source, bytes) else len(source.encode(errors="replace"))
    if size > limits.document_bytes:
        words = f"the document has {size} bytes, more than {limits.document_bytes}"
        found = finding("GMN704", words, got=size, expected=limits.document_bytes)
        return Reading(None, (found,))
    if isinstance(source, bytes):
        try:
            text = source.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            place = SourceMap(source[: error.start].decode("utf-8")).at(error.start)
            words = f"byte {source[error.start]:#04x} is not UTF-8; save the document as UTF-8"
            return Reading(None, (finding("GMN001", words, place=place),))
    else:
        text = source.removeprefix("\ufeff")
    reading = _text(text, limits)
    if _is_unread(reading) and (other := _respelled(text)) != text:
        again = _text(other, limits)
        if not _is_unread(again):
            words = "typographic quotes or HTML entities read as the characters they stand for"
            return replace(again, repairs=(finding("GMN009", words), *again.repairs))
    return reading


def _is_unread(reading: Reading) -> bool:
    return reading.tree is None or any(d.code in _SYNTAX for d in reading.findings)


def _respelled(text: str) -> str:
    return html.unescape(text).translate(_QUOTES)


def _text(text: str, limits: Limits) -> Reading:
    places = SourceMap(text)
    if not text.strip():
        return Reading(None, (finding("GMN013", "the document is empty"),), places=places)
    start, end = _body(text)
    # What surrounds the document becomes blank, so every offset stays what the user sees.
    body = blank(text[:start]) + text[start:end]
    outside = [part for part in (text[:start].strip(), text[end:].strip()) if part]
    removed = tuple(_removed(part, places.at(0)) for part in outside if part.strip("`~ \n"))
    first = body.lstrip()[:1]
    if is_sections(body):
        reading = _sections(body, places, limits)
    elif first in ("{", "[") or _is_quoted(body):
        reading = _json(body, places, limits)
    else:
        reading = _block_text(body, places, limits)
    is_whole = reading.is_whole or bool(_FENCE_CLOSED.match(text, end))
    return replace(reading, repairs=(*removed, *reading.repairs), is_whole=is_whole)


def _removed(part: str, place: Position) -> Diagnostic:
    return finding("GMN012", f"text outside the document removed: {part[:60]!r}", place=place)


def _body(text: str) -> tuple[int, int]:
    """Where the document begins and ends in the answer or file around it."""
    for match in FENCE.finditer(text):
        inside = match[2]
        if STATEMENT.search(inside) or _SECTION.search(inside) or inside.lstrip().startswith("{"):
            inner = _body_in(inside)
            return match.start(2) + inner[0], match.start(2) + inner[1]
    return _body_in(text)


def _body_in(text: str) -> tuple[int, int]:
    stripped = text.lstrip()
    if stripped.startswith(("{", "[")) and not _SECTION.match(stripped):
        return len(text) - len(stripped), _json_end(text, len(text) - len(stripped))
    if _is_quoted(stripped):
        return 0, len(text)
    statement, section = STATEMENT.search(text), _SECTION.search(text)
    if section and not statement:
        return section.start(), len(text)
    if statement:
        return _before(text, statement.start()), _last_brace(text, statement.start())
    brace = text.find("{")
    if brace >= 0 and '"' in text[brace : brace + 40]:
        return brace, _json_end(text, brace)
    return 0, len(text)


def _is_quoted(text: str) -> bool:
    """Whether all of it is one JSON string."""
    try:
        return text.lstrip()[:1] == '"' and isinstance(json.loads(text, strict=False), str)
    except ValueError:
        return False


def _before(text: str, start: int) -> int:
    """Comment lines right above the first statement belong to the document."""
    lines = text[:start].split("\n")
    keep = len(lines) - 1
    while keep > 0 and (
        not lines[keep - 1].strip() or lines[keep - 1].lstrip().startswith(("#", "//"))
    ):
        keep -= 1
    return len("\n".join(lines[:keep])) + (1 if keep else 0)


def _last_brace(text: str, start: int) -> int:
    """Prose after the last closing brace is not part of the document."""
    end = text.rfind("}", start)
    rest = text[end + 1 :] if end >= 0 else ""
    if _END.search(rest) or _BEGUN.search(rest):
        return len(text)
    looks_like_prose = end >= 0 and rest.strip() and "{" not in rest and ":" not in rest
    is_comment = all(
        not line.strip() or line.lstrip().startswith(("#", "//")) for line in rest.splitlines()
    )
    return end + 1 if looks_like_prose and not is_comment else len(text)


def _json_end(text: str, start: int) -> int:
    end = text.rfind("}", start)
    return len(text) if end < 0 or text[end + 1 :].strip(" \n\t]},;") == "" else end + 1


def _block_text(body: str, places: SourceMap, limits: Limits) -> Reading:
    said = read_block_text(body, places, limits)
    findings = said.findings
    if not said.statements and not findings:
        words = "no statement found; a document begins with: node state NAME { … }"
        findings = (finding("GMN013", words, place=places.at(0)),)
    repairs = said.repairs
    if said.end is not None:
        rest = body[said.end + len("end") :]
        if node := _NODE.search(rest):
            place = places.at(said.end + len("end") + node.start())
            findings = (
                *findings,
                finding("GMN016", "a node stands after the line 'end'", place=place),
            )
        elif not _is_blank(rest):
            repairs = (*repairs, _removed(rest.strip(), places.at(said.end)))
    tree = said.tree if said.statements or said.tree else None
    missing = () if said.end is not None else _missing(said.tree, said.repairs)
    places = SourceMap(places.text, said.offsets)
    return Reading(tree, findings, repairs, places, "text", said.end is not None, missing)


def _is_blank(text: str) -> bool:
    """Whether there is nothing but comments and what may close a statement or a fence."""
    lines = (line.strip("`~ \t;,.") for line in text.splitlines())
    return all(not line or line.startswith(("#", "//")) for line in lines)


def _missing(tree: Mapping[str, object], repairs: Sequence[Diagnostic]) -> tuple[str, ...]:
    """What a document that was read without an end of its own lacks to be complete."""
    closed = ("a closing bracket",) if any(d.code == "GMN002" for d in repairs) else ()
    if not any(tree.get(section) for section in ("actions", "preferences", "policy")):
        return closed
    return (*closed, *(word for section, word in _ALWAYS.items() if not tree.get(section)))


def _sections(body: str, places: SourceMap, limits: Limits) -> Reading:
    def properties(block: str) -> Mapping[str, object] | None:
        parser = Parser(block, SourceMap(block), limits.nesting)
        try:
            value = plain(parser.value(), "", {})
        except BrokenSyntax:
            return None
        return value if isinstance(value, dict) else None

    tree, found = read_sections(body, properties)
    return replace(_legacy(tree, found, places, "sections"), is_whole=False)


def _json(body: str, places: SourceMap, limits: Limits) -> Reading:
    start = len(body) - len(body.lstrip())
    try:
        found = read_json(body)
    except ValueError:
        return _loose_json(body, places, limits)
    if found.offset != start:  # the document itself could not be read, something after it could
        return _loose_json(body, places, limits)
    reading = _value(found.value, SourceMap(places.text, JsonPositions(body, start)), limits)
    twice = [finding("GMN004", f"key {key!r} given twice, equal") for key in found.repeated]
    clash = [
        finding("GMN004", f"key {key!r} is given twice with different values", got=key)
        for key in found.clashing
    ]
    words = f"JSON read leniently: {'; '.join(found.fixes)}"
    lenient = [finding("GMN009", words)] if found.fixes else []
    return replace(
        reading,
        findings=(*clash, *reading.findings),
        repairs=(*lenient, *twice, *reading.repairs),
    )


def _loose_json(body: str, places: SourceMap, limits: Limits) -> Reading:
    """JSON without a comma, a quote or its end is still a value of the block text's grammar."""
    parser = Parser(body, places, limits.nesting + 8)  # canonical JSON nests deeper than text
    offsets: dict[str, int] = {}
    try:
        data = plain(parser.value(), "", offsets)
    except BrokenSyntax as error:
        return Reading(None, (error.found,), places=places, spelling="json")
    reading = _value(data, SourceMap(places.text, offsets), limits)
    lenient = finding("GMN009", "JSON read leniently: missing commas, quotes or ends")
    is_whole = all(d.code != "GMN002" for d in parser.repairs)
    return replace(
        reading,
        is_whole=is_whole,
        missing=() if is_whole else _missing(reading.tree or {}, parser.repairs),
        findings=(*parser.found, *reading.findings),
        repairs=(lenient, *parser.repairs, *reading.repairs),
    )


def _value(data: object, places: SourceMap, limits: Limits) -> Reading:
    """The document in a JSON value, out of what may be wrapped around it."""
    around: list[str] = []
    while len(around) < _WRAPPED and (found := _inside(data)) is not None:
        data, wrapper = found
        around.append(wrapper)
    if isinstance(data, str) and STATEMENT.search(data):
        reading, around = _text(data, limits), around or ["a string"]
    elif isinstance(data, dict):
        reading = _mapping(data, places, "json")
    else:
        words = f"expected an object, got a JSON {type(data).__name__}"
        return Reading(None, (finding("GMN009", words),), places=places, spelling="json")
    words = f"JSON read leniently: out of {', in '.join(around)}"
    wrapped = (finding("GMN009", words),) if around else ()
    return replace(reading, repairs=(*wrapped, *reading.repairs))


def _inside(data: object) -> tuple[object, str] | None:
    """What a value is wrapped around, and the wrapper in words; None for a document itself."""
    if isinstance(data, list) and len(data) == 1:
        return data[0], "a list of one"
    if isinstance(data, str) and data.lstrip()[:1] in ("{", "[", '"'):
        try:
            return read_json(data).value, "a string"
        except ValueError:
            return None
    if not isinstance(data, dict) or _SECTIONS & set(data):
        return None
    if set(data) <= _CALL:
        key = next((k for k in ("arguments", "parameters", "input") if k in data), "")
        return (data[key], f"the {key} of a call") if key else None
    if len(data) == 1:
        ((key, inner),) = data.items()
        is_text = isinstance(inner, str) and (STATEMENT.search(inner) or inner.lstrip()[:1] == "{")
        if is_text or isinstance(inner, dict | list):
            return inner, f"the key {key!r}"
    return None


def _mapping(data: dict[str, object], places: SourceMap, spelling: str) -> Reading:
    if is_graph(data):
        return _legacy(*read_graph(data), places, "graph")
    if is_flat_pomdp(data):
        return _legacy(*read_flat_pomdp(data), places, "flat_pomdp")
    if is_arrays(data):
        return _legacy(*read_arrays(data), places, "arrays")
    if not data:
        return Reading(None, (finding("GMN013", "the document is empty"),), places=places)
    return Reading(data, places=places, spelling=spelling)


def _legacy(
    tree: dict[str, object] | None, found: list[Diagnostic], places: SourceMap, spelling: str
) -> Reading:
    stays = ("GMN003", "GMN008", "GMN708", "GMN802", "GMN806")
    return Reading(
        tree,
        tuple(d for d in found if d.code in stays),
        tuple(d for d in found if d.code not in stays),
        places,
        spelling,
    )
