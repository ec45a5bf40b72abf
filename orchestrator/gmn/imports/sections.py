"""``[nodes]`` and ``[edges]`` sections, as FreeAgentics writes them.

``name: type {key: value …}`` in the first, ``a -> b: type {…}`` in the second. A block may span
lines; it is what the block text of GMN has between braces.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.source_map import SourceMap
from orchestrator.gmn.formats.syntax import BrokenSyntax, Parser, Token, Value, plain
from orchestrator.gmn.imports.graph import tree_of
from orchestrator.gmn.imports.imported import Imported, imported
from orchestrator.gmn.imports.network import Edge, Node
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.parsing.scanning import blanked
from orchestrator.types.diagnostics import Severity
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from orchestrator.types.diagnostics import Diagnostic

_HEADER = pattern(r"^[ \t]*+\[([A-Za-z_][\w -]*+)\][ \t]*+(?:#.*+)?$", re.MULTILINE)
_NAME = r"([^\W\d]\w*+|\"[^\"\n]*+\"|'[^'\n]*+')"
_END = pattern(rf"[ \t]*+{_NAME}[ \t]*+")
_ARROW = pattern(r"-{1,3}>|={1,2}>|→|(<-{1,3}|←)")
_TYPE = pattern(r"(?::[ \t]*+(\w++)[ \t]*+)?(?:\{.*\}[ \t]*+)?[,;]?[ \t]*+\Z")
#: What may be wrong only because something else was not read.
_RESTS_ON_THE_REST = ("GMN806", "GMN105", "GMN010", "GMN301")
_MOST_FOUND = 20  # then a file is something else


class _Section(NamedTuple):
    name: str
    start: int
    end: int


def read(text: str) -> Imported:
    """Read both sections; an entry that is broken is reported with its line."""
    places = SourceMap(text)
    found: list[Diagnostic] = []
    nodes: list[Node] = []
    edges: list[Edge] = []
    sections = _sections(text)
    if not any(section.name == "nodes" for section in sections):
        return Imported({}, errors=(finding("GMN808", "no line of it is [nodes]"),))
    for section in sections:
        if section.name == "nodes":
            _nodes(text, section, places, nodes, found)
        elif section.name == "edges":
            _edges(text, section, places, edges, found)
        else:
            words = f"section [{section.name}] ignored"
            place = places.at(section.start)
            found.append(finding("GMN803", words, place=place, got=section.name))
    document, more, origins, names = tree_of(nodes, edges, {}, "sections [nodes] and [edges]")
    if any(d.severity is Severity.ERROR for d in found):  # which may say what else is missing
        more = [d for d in more if d.code not in _RESTS_ON_THE_REST]
    placed = (
        dataclasses.replace(d, pointer="", place=places.at(int(d.pointer))) if d.pointer else d
        for d in more
    )
    made = imported(document, [*found, *placed])
    offsets = {pointer: int(origin) for pointer, origin in origins.items()}
    return Imported(made.document, made.notes, made.errors, offsets, names)


def _sections(text: str) -> list[_Section]:
    """Every section; a line ``[word]`` inside of braces is a list of one."""
    heads: list[re.Match[str]] = []
    for match in _HEADER.finditer(text):
        since = text[heads[-1].end() : match.start()] if heads else ""
        if match[1].lower() in ("nodes", "edges") or since.count("{") <= since.count("}"):
            heads.append(match)
    ends = [*(head.start() for head in heads[1:]), len(text)] if heads else []
    return [
        _Section(head[1].strip().lower(), head.end(), end)
        for head, end in zip(heads, ends, strict=True)
    ]


def _nodes(
    text: str, section: _Section, places: SourceMap, nodes: list[Node], found: list[Diagnostic]
) -> None:
    body = blanked(text[: section.start]) + text[section.start : section.end]
    parser = Parser(body, places, DEFAULT_LIMITS.nesting)
    while not parser.at_end() and len(found) < _MOST_FOUND:
        start = parser.here
        try:
            nodes.append(_node(parser))
        except BrokenSyntax as error:
            line = text[start.offset :].split("\n", 1)[0].strip()
            words = f"not a node: {line[:60]!r}; write NAME: TYPE {{property: value}}"
            place = places.at(start.offset)
            is_inside = error.found.place is not None and error.found.place.line != place.line
            found.append(error.found if is_inside else finding("GMN003", words, place=place))
            _next_line(parser, text, max(start.offset, parser.here.offset))
    found += [*parser.found, *parser.repairs]


def _node(parser: Parser) -> Node:
    name = _word(parser)
    if not parser.is_mark(":"):
        raise parser.broken("':'")
    parser.take()
    kind = _word(parser)
    offsets: dict[str, int] = {}
    block = parser.block() if parser.is_mark("{") else None
    properties = plain(Value(block, name.offset), "", offsets) if block else {}
    assert isinstance(properties, dict)  # a block is
    return Node(name.text, kind.text.lower(), properties, str(name.offset))


def _word(parser: Parser) -> Token:
    if parser.here.kind not in ("word", "string", "number"):
        raise parser.broken("a name", "GMN003")
    return parser.take()


def _next_line(parser: Parser, text: str, offset: int) -> None:
    """Pass over what is left of a line."""
    end = text.find("\n", offset)
    while parser.here.kind != "end" and 0 <= parser.here.offset <= max(end, 0):
        parser.take()
    if end < 0:
        while parser.here.kind != "end":
            parser.take()


def _edges_of(line: str, origin: str) -> list[Edge]:
    """The edges of a line, one for each arrow of a chain; none where it is something else."""
    end = _END.match(line)
    pairs: list[tuple[str, str]] = []
    while end and (arrow := _ARROW.match(line, end.end())):
        if (after := _END.match(line, arrow.end())) is None:
            return []
        one, other = (name.strip("\"'") for name in (end[1], after[1]))
        pairs.append((other, one) if arrow[1] else (one, other))
        end = after
    kind = _TYPE.match(line, end.end()) if end else None
    if kind is None:
        return []
    return [Edge(one, other, (kind[1] or "").lower(), origin) for one, other in pairs]


def _edges(
    text: str, section: _Section, places: SourceMap, edges: list[Edge], found: list[Diagnostic]
) -> None:
    offset = section.start
    for line in text[section.start : section.end].split("\n"):
        said = line.split("#", 1)[0].split("//", 1)[0]
        if said.strip() and (made := _edges_of(said, str(offset))):
            edges += made
        elif said.strip(" \t,;") and len(found) < _MOST_FOUND:
            words = f"not an edge: {said.strip()[:60]!r}; write SOURCE -> TARGET: TYPE"
            found.append(finding("GMN003", words, place=places.at(offset)))
        offset += len(line) + 1
