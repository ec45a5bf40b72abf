"""Block text: ``node <type> <name> { … }`` statements, each read on its own, up to ``end``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.block_nodes import SECTION_OF, Builder
from orchestrator.gmn.formats.comments import END
from orchestrator.gmn.formats.syntax import Block, BrokenSyntax, Parser, Token
from orchestrator.parsing.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.gmn.formats.source_map import SourceMap
    from orchestrator.gmn.limits import Limits
    from orchestrator.types.diagnostics import Diagnostic

#: How a statement begins, at the beginning of a line.
STATEMENT = re.compile(
    r"^[ \t]*+(?:gmn[ \t]++[\w.]|agent[ \t]++\S|node[ \t]++\w++[ \t]++\S)", re.MULTILINE
)
TYPE_ALIASES = {
    "hidden_state": "state",
    "factor": "state",
    "modality": "observation",
    "sensor": "observation",
    "control": "action",
    "likelihood": "emission",
    "dynamics": "transition",
    "prior": "belief",
    "goal": "preference",
    "habit": "policy",
    "query": "llm_query",
}
_STARTS = ("gmn", "agent", "node")
_NAME_KINDS = ("word", "string", "number")
MOST_SYNTAX_FINDINGS = 20
MOST_STATEMENTS = 1000  # several times what any document within the limits needs


@dataclass(frozen=True, slots=True)
class BlockText:
    """What block text said: a tree, its pointers' offsets, what was wrong and what was repaired.

    `end` is the offset of the line ``end``, None when the document has none; `names` are those of
    the nodes, by pointer.
    """

    tree: dict[str, object]
    offsets: dict[str, int]
    findings: tuple[Diagnostic, ...]
    repairs: tuple[Diagnostic, ...]
    statements: int
    end: int | None = None
    names: Mapping[str, str] = field(default_factory=dict)


def read_block_text(text: str, places: SourceMap, limits: Limits) -> BlockText:
    """Read every statement; one that is broken is reported and reading goes on at the next."""
    parser = Parser(text, places, limits.nesting)
    builder = Builder(places)
    broken: list[Diagnostic] = []
    statements, end = 0, None
    while not parser.at_end():
        if parser.here.kind == "word" and parser.here.text.lower().rstrip(".") == "end":
            end = builder.offsets[END] = parser.here.offset
            break  # what follows is prose, which no lexer can read
        try:
            statements += _statement(parser, builder)
        except BrokenSyntax as error:
            broken.append(error.found)
            _resume(parser)
        if len(broken) >= MOST_SYNTAX_FINDINGS:
            words = f"reading stopped here after {len(broken)} syntax errors"
            broken.append(finding("GMN002", words, place=places.at(parser.here.offset)))
            break
        if statements > MOST_STATEMENTS:
            words = f"more than {MOST_STATEMENTS} statements; reading stopped here"
            broken.append(finding("GMN708", words, place=places.at(parser.here.offset)))
            break
    if parser.numbers > limits.written_numbers:
        words = f"{parser.numbers} numbers are written out, more than {limits.written_numbers}"
        broken.append(finding("GMN707", words, got=parser.numbers, expected=limits.written_numbers))
    document, found = builder.finish(), (*parser.found, *broken, *builder.findings)
    return BlockText(
        document,
        builder.offsets,
        found,
        tuple(_apart_from_open_strings((*parser.repairs, *builder.repairs), found)),
        statements,
        end,
        builder.names,
    )


def _apart_from_open_strings(
    repairs: Iterable[Diagnostic], found: Iterable[Diagnostic]
) -> Iterator[Diagnostic]:
    """The repairs without those of words that belong to a string that is never closed."""
    opened: dict[int, int] = {}
    for one in found:
        if one.code == "GMN005" and one.place:
            opened.setdefault(one.place.line, one.place.column)
    for one in repairs:
        column = opened.get(one.place.line) if one.place and one.code == "GMN007" else None
        if column is None or one.place is None or one.place.column < column:
            yield one


def _statement(parser: Parser, builder: Builder) -> int:
    """Read one statement; 1 when it was whole."""
    token = parser.here
    if token.kind != "word" or token.text not in _STARTS:
        raise parser.broken("'node', 'agent' or 'gmn'")
    parser.take()
    if token.text == "gmn":
        version = parser.take()
        builder.set_version(version.text, version.offset)
    elif token.text == "agent":
        name = parser.take() if parser.here.kind in ("word", "string") else None
        block = parser.block() if parser.is_mark("{") else Block(())
        builder.set_agent(name.text if name else "agent", block, token.offset)
    else:
        kind, name = _expected_word(parser, ("word",)), _expected_word(parser, _NAME_KINDS)
        known = _node_type(kind.text, kind.offset, builder)
        if known == "policy" and "/policy" in builder.offsets:
            words = "a second policy node; write horizon, gamma and habit into one"
            place = builder.places.at(kind.offset)
            builder.findings.append(finding("GMN103", words, place=place, pointer="/policy"))
        builder.add_node(known, name, parser.block())
    return 1


def _expected_word(parser: Parser, kinds: tuple[str, ...]) -> Token:
    if parser.here.kind not in kinds:
        raise parser.broken("a node type and a name, as in: node state position", "GMN003")
    return parser.take()


def _node_type(written: str, offset: int, builder: Builder) -> str:
    word = written.lower()
    known = TYPE_ALIASES.get(word, word)
    if known in SECTION_OF:
        if known != written:
            words = f"node type {written!r} read as {known!r}"
            builder.repaired("GMN006", words, offset, got=written, expected=known)
        return known
    near = nearest(word, [*SECTION_OF, *TYPE_ALIASES])
    if near is not None:
        near = TYPE_ALIASES.get(near, near)
        words = f"node type {written!r} read as {near!r}"
        builder.repaired("GMN006", words, offset, got=written, expected=near)
        return near
    place = builder.places.at(offset)
    expected = ", ".join(SECTION_OF)
    raise BrokenSyntax(
        finding(
            "GMN006",
            f"unknown node type {written!r}; use one of {expected}",
            place=place,
            got=written,
            expected=expected,
        )
    )


def _resume(parser: Parser) -> None:
    """Go to the next word that starts a statement, or to the end, at the beginning of a line."""
    text = parser.places.text
    while not parser.at_end():
        parser.take()
        token = parser.here
        if token.kind != "word" or token.text not in (*_STARTS, "end"):
            continue
        if not _begins_line(text, token.offset):
            continue
        # A label may be called end: the document ends at a line without statements after it.
        if token.text != "end" or token.offset > _last_statement(text):
            return


def _begins_line(text: str, offset: int) -> bool:
    while offset and text[offset - 1].isspace() and text[offset - 1] != "\n":
        offset -= 1
    return offset == 0 or text[offset - 1] == "\n"


@lru_cache(maxsize=1)
def _last_statement(text: str) -> int:
    """Where the last statement of a text begins; -1 where there is none."""
    return max((found.start() for found in STATEMENT.finditer(text)), default=-1)
