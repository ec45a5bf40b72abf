"""Text, bytes or a mapping in, the tree of a canonical document out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, cast

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.blocktext import STATEMENT, read_block_text
from orchestrator.gmn.formats.decoding import respelled, why_binary, with_newlines
from orchestrator.gmn.formats.foreign import foreign
from orchestrator.gmn.formats.json_positions import JsonPositions
from orchestrator.gmn.formats.source_map import SourceMap
from orchestrator.gmn.formats.syntax import BrokenSyntax, Parser, plain
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.json_reader import FENCE, read_json
from orchestrator.parsing.scalars import long_number_in
from orchestrator.parsing.scanning import blanked
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.types.diagnostics import Diagnostic, Position

_NODE = pattern(r"^[ \t]*node[ \t]+\w+[ \t]+\S+\s*\{", re.MULTILINE)
_FENCE_CLOSED = pattern(r"\s*^[ \t]*(?:`{3,}|~{3,})[ \t]*$", re.MULTILINE)
_BEGUN = pattern(r"^[ \t]*(?:agent|node)\b[^.\n]*\Z", re.MULTILINE)
_END = pattern(r"^[ \t]*end\b", re.MULTILINE | re.IGNORECASE)
_SYNTAX = ("GMN001", "GMN002", "GMN003", "GMN005", "GMN009", "GMN013")
_WRAPPED = 4  # one in the other
_SECTIONS = {"states", "nodes", "observations", "num_states", "A", "B"}
#: Where services keep a document beside its name and version.
_HOLDERS = ("specification", "spec", "gmn_spec", "gmn", "model")
_CALL = {"id", "type", "name", "arguments", "parameters", "input"}  # of a tool
#: What an agent that acts always has, and how a finding calls it.
_ALWAYS = {
    "states": "a state", "observations": "an observation", "likelihoods": "an emission",
    "transitions": "a transition", "preferences": "a preference", "policy": "a policy",
}  # fmt: skip
_SECTION = pattern(r"^[ \t]*\[nodes\][ \t]*(?:#.*)?$", re.MULTILINE | re.IGNORECASE)
_HEADER = pattern(r"^[ \t]*\[[A-Za-z_][\w -]*\][ \t]*(?:#.*)?$", re.MULTILINE)


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
        names: what nodes are called, by pointer, for findings to speak of them.
    """

    tree: dict[str, object] | None
    findings: tuple[Diagnostic, ...] = ()
    repairs: tuple[Diagnostic, ...] = ()
    places: SourceMap = field(default_factory=SourceMap)
    spelling: str = "text"
    is_whole: bool = True
    missing: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


class Other(Protocol):
    """Reads what is not GMN; each method gives None where it is none of its kinds."""

    def whole(self, text: str, places: SourceMap) -> Reading | None:
        """A whole file, which no prose and no fence surrounds."""

    def body(self, text: str, places: SourceMap) -> Reading | None:
        """The text that stood in a fence or in prose, if any; offsets are those of the file."""

    def data(self, data: dict[str, object], places: SourceMap) -> Reading | None:
        """A JSON object."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What every step of reading needs: the limits, and who reads what is not GMN."""

    limits: Limits
    other: Other | None


def read(
    source: str | bytes | Mapping[str, object],
    *,
    limits: Limits = DEFAULT_LIMITS,
    other: Other | None = None,
) -> Reading:
    """Read block text or JSON; any input gives a Reading, never a raise.

    `other` is shown everything first, and reads what other tools write.
    """
    how = _Bounds(limits, other)
    if isinstance(source, Mapping):
        if (steps := long_number_in(source)) is not None:
            most = sys.get_int_max_str_digits()
            words = f"a number of more than {most:,} digits, the most that are read"
            return Reading(None, (finding("GMN010", words, pointer=pointer_to(*steps)),))
        return _value(dict(source), SourceMap(), how)
    size = len(source) if isinstance(source, bytes) else len(source.encode(errors="replace"))
    if size > limits.document_bytes:
        words = f"the document has {size} bytes, more than {limits.document_bytes}"
        found = finding("GMN704", words, got=size, expected=limits.document_bytes)
        return Reading(None, (found,))
    if isinstance(source, bytes):
        if is_binary := why_binary(source):
            return Reading(None, (finding("GMN001", is_binary),))
        try:
            text = source.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            place = SourceMap(source[: error.start].decode("utf-8")).at(error.start)
            words = f"byte {source[error.start]:#04x} is not UTF-8; save the document as UTF-8"
            return Reading(None, (finding("GMN001", words, place=place),))
    else:
        text = source.removeprefix("\ufeff")
    text = with_newlines(text)
    reading = _text(text, how)
    if _is_unread(reading) and (other_text := respelled(text)) != text:
        again = _text(other_text, how)
        if not _is_unread(again):
            words = (
                "typographic quotes, HTML entities or percent escapes read as the characters they"
                " stand for"
            )
            return replace(again, repairs=(finding("GMN009", words), *again.repairs))
    return reading


def _is_unread(reading: Reading) -> bool:
    return reading.tree is None or any(d.code in _SYNTAX for d in reading.findings)


def _text(text: str, how: _Bounds) -> Reading:
    places = SourceMap(text)
    if not text.strip():
        return Reading(None, (finding("GMN013", "the document is empty"),), places=places)
    if how.other and (alone := how.other.whole(text, places)) is not None:
        return alone
    start, end = _body(text)
    # What surrounds the document becomes blank, so every offset stays what the user sees.
    body = blanked(text[:start]) + text[start:end]
    outside = [part for part in (text[:start].strip(), text[end:].strip()) if part]
    removed = tuple(_removed(part, places.at(0)) for part in outside if part.strip("`~ \n"))
    first = body.lstrip()[:1]
    if how.other and (read_as := how.other.body(body, places)) is not None:
        reading = read_as
    elif first in ("{", "[") or _is_quoted(body):
        reading = _json(body, places, how)
    else:
        reading = _block_text(body, places, how.limits)
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
    if stripped.startswith(("{", "[")) and not _SECTION.search(stripped):
        return len(text) - len(stripped), _json_end(text, len(text) - len(stripped))
    if _is_quoted(stripped):
        return 0, len(text)
    statement, section = STATEMENT.search(text), _SECTION.search(text)
    if section and not statement:
        head = _HEADER.search(text)  # other sections may stand before it
        return _before(text, head.start() if head else section.start()), len(text)
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
    if not STATEMENT.search(body) and (unread := foreign(body, places)) is not None:
        return Reading(None, (unread,), places=places)
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
    is_whole = said.end is not None
    return Reading(tree, findings, repairs, places, "text", is_whole, missing, said.names)


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


def _json(body: str, places: SourceMap, how: _Bounds) -> Reading:
    start = len(body) - len(body.lstrip())
    try:
        found = read_json(body)
    except ValueError:
        return _loose_json(body, places, how)
    if found.offset != start:  # the document itself could not be read, something after it could
        return _loose_json(body, places, how)
    reading = _value(found.value, SourceMap(places.text, JsonPositions(body, start)), how)
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


def _loose_json(body: str, places: SourceMap, how: _Bounds) -> Reading:
    """JSON without a comma, a quote or its end is still a value of the block text's grammar."""
    parser = Parser(body, places, how.limits.nesting + 8)  # canonical JSON nests deeper than text
    offsets: dict[str, int] = {}
    try:
        data = plain(parser.value(), "", offsets)
    except BrokenSyntax as error:
        return Reading(None, (error.found,), places=places, spelling="json")
    reading = _value(data, SourceMap(places.text, offsets), how)
    lenient = finding("GMN009", "JSON read leniently: missing commas, quotes or ends")
    is_whole = all(d.code != "GMN002" for d in parser.repairs)
    return replace(
        reading,
        is_whole=is_whole,
        missing=() if is_whole else _missing(reading.tree or {}, parser.repairs),
        findings=(*parser.found, *reading.findings),
        repairs=(lenient, *parser.repairs, *reading.repairs),
    )


def _value(data: object, places: SourceMap, how: _Bounds) -> Reading:
    """The document in a JSON value, out of what may be wrapped around it."""
    around: list[str] = []
    while len(around) < _WRAPPED and (found := _inside(data)) is not None:
        data, wrapper = found
        around.append(wrapper)
    if isinstance(data, str) and (STATEMENT.search(data) or _SECTION.search(data)):
        reading, around = _text(data, how), around or ["a string"]
    elif isinstance(data, dict):
        read_as = how.other.data(data, places) if how.other else None
        reading = read_as or _mapping(data, places)
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
    if isinstance(data, str) and data.lstrip()[:1] in ("{", "[", '"') and not _SECTION.search(data):
        try:
            return read_json(data).value, "a string"
        except ValueError:
            return None
    if not isinstance(data, dict) or _SECTIONS & set(data):
        return None
    holder = next((k for k in _HOLDERS if _is_document(data.get(k)) and "bundle" not in data), "")
    if holder:
        kept = {k: data[k] for k in ("name", "description") if k in data}
        left = [k for k in data if k not in (holder, *kept)]
        words = f"the key {holder!r}" + (f", beside it ignored: {', '.join(left)}" if left else "")
        return {**kept, **cast("dict[str, object]", data[holder])}, words
    if set(data) <= _CALL:
        key = next((k for k in ("arguments", "parameters", "input") if k in data), "")
        return (data[key], f"the {key} of a call") if key else None
    if len(data) == 1:
        ((key, inner),) = data.items()
        is_text = isinstance(inner, str) and bool(
            STATEMENT.search(inner) or _SECTION.search(inner) or inner.lstrip()[:1] == "{"
        )
        if is_text or isinstance(inner, dict | list):
            return inner, f"the key {key!r}"
    return None


def _is_document(value: object) -> bool:
    return isinstance(value, dict) and bool(_SECTIONS & set(value))


def _mapping(data: dict[str, object], places: SourceMap) -> Reading:
    if not data:
        return Reading(None, (finding("GMN013", "the document is empty"),), places=places)
    return Reading(data, places=places, spelling="json")
