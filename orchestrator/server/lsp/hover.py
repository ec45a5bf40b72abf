"""What stands at a place, in words: its meaning, its size, its shape."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.codes import CATALOGUE
from orchestrator.gmn.formats.block_nodes import KEYS_OF
from orchestrator.gmn.formats.blocktext import TYPE_ALIASES
from orchestrator.gmn.formats.candidates import Span
from orchestrator.server.lsp import meanings
from orchestrator.server.lsp.context import context_at
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.server.lsp.analysis import Analysis
    from orchestrator.server.lsp.context import Context
    from orchestrator.server.lsp.mentions import Mention, Symbols

_CODE = re.compile(r"\bGMN\d{3}\b")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")
_SHOWN = 12  # labels
_CODES = 3  # of findings at one place


class Explanation(NamedTuple):
    """Markdown, and the part of the text that it is about."""

    words: str
    span: Span


def explain_at(analysis: Analysis, offset: int) -> Explanation | None:
    """What stands at `offset`, and the codes of what is found there; None where neither is."""
    if analysis.is_too_large:
        return None
    made = _at(analysis, offset)
    here = [one for one in analysis.found_so_far() if one.span.start <= offset <= one.span.end]
    codes = list(dict.fromkeys(one.diagnostic.code for one in here))[:_CODES]
    if not codes:
        return made
    words = "\n\n---\n\n".join([*([made.words] if made else []), *map(_code, codes)])
    return Explanation(words, made.span if made else here[0].span)


def _at(analysis: Analysis, offset: int) -> Explanation | None:
    body, names = analysis.body, analysis.names()
    line = body.rfind("\n", 0, offset) + 1
    for code in _CODE.finditer(body, line, (body + "\n").index("\n", offset)):
        if code.start() <= offset <= code.end() and code[0] in CATALOGUE:
            return Explanation(_code(code[0]), Span(*code.span()))
    if (mention := names.at(offset)) is not None:
        return Explanation("\n\n".join(_mention(mention, names)), mention.span)
    if not analysis.is_block_text:
        return None
    at = context_at(body, min(offset + 1, len(body)))
    if at.word.start == at.word.end:  # behind the last character of a word
        at = context_at(body, offset)
    word = body[at.word.start : at.word.end]
    words = _word(at, word) if word else ""
    if at.wants == "name" and (said := "\n\n".join(_table(at.word, analysis))):
        words = said
    return Explanation(words, at.word) if words else None


def _code(code: str) -> str:
    known = CATALOGUE[code]
    return f"**{code}** {known.severity}: {known.title}\n\nIt is about {known.about}."


def _mention(mention: Mention, names: Symbols) -> Iterator[str]:
    kind = names.kinds.get(mention.variable, "")
    variable = names.variables.get(mention.variable)
    if not kind:
        yield f"{_plain(mention.variable)} is not declared"
        return
    if mention.label:
        yield f"label of {kind} **{_plain(mention.variable)}**"
        if variable and mention.label in variable.names:
            place = variable.names.index(mention.label)
            yield f"value {place + 1} of {variable.n} (index {place})"
        elif mention.is_pattern:
            yield "a pattern: every label that it matches"
        return
    yield f"**{kind}** {_plain(mention.variable)}"
    if variable is not None:
        yield size_words(variable.n, variable.shape)
        if labels := variable.names[: _SHOWN + 1]:
            more = ", …" if len(labels) > _SHOWN else ""
            yield f"labels: {', '.join(map(_plain, labels[:_SHOWN]))}{more}"
        if variable.description:
            yield _plain(variable.description)


def size_words(n: int, shape: tuple[int, ...]) -> str:
    """How many values a variable has, and in which shape."""
    sides = "x".join(map(str, shape))
    return f"{n} value{'s' * (n != 1)}" + (f", a grid of {sides}" if len(shape) > 1 else "")


def _word(at: Context, word: str) -> str:
    meaning = ""
    if at.wants == "statement":
        meaning = meanings.STATEMENTS.get(word, "")
    elif at.wants == "type":
        meaning = meanings.NODES.get(TYPE_ALIASES.get(word.lower(), word.lower()), "")
    elif at.wants == "key" and not at.path:
        key = KEYS_OF.get(at.kind, {}).get(word, word)
        meaning = meanings.PROPERTIES.get(at.kind, {}).get(key, "")
    elif at.wants == "key":
        meaning = meanings.INNER.get(at.key, {}).get(word, "")
    elif at.wants == "value" and word in meanings.VALUES.get(at.key, ()):
        meaning = meanings.PROPERTIES.get(at.kind, {}).get(at.key, "")
    return f"**{_plain(word)}**\n\n{meaning}" if meaning else ""


def _table(name: Span, analysis: Analysis) -> Iterator[str]:
    """What the table of a node is about, and its shape."""
    for found in tables_in(analysis):
        if found.at == name.start:
            given = ", ".join(found.given)
            yield f"**P({_plain(found.of)}{' | ' + _plain(given) if given else ''})**"
            yield found.shape


class TableShape(NamedTuple):
    """A table of the text: the offset of its node's name, what it is about, its size."""

    at: int
    of: str
    given: tuple[str, ...]
    rows: int
    columns: int

    @property
    def shape(self) -> str:
        """Its size in words; each row is a distribution."""
        return f"{self.rows:,} row{'s' * (self.rows != 1)} of {self.columns:,}"


def tables_in(analysis: Analysis) -> Iterator[TableShape]:
    """Every table of the text whose variables are known, however it is written."""
    names, reading = analysis.names(), analysis.reading()
    for section in ("likelihoods", "transitions", "priors"):
        entries = (reading.tree or {}).get(section)
        for i, entry in enumerate(entries if isinstance(entries, list) else []):
            if not isinstance(entry, dict) or not isinstance(entry.get("given", []), list):
                continue
            of, given = entry.get("of"), entry.get("given", [])
            offset = reading.places.offsets.get(f"/{section}/{i}")
            about = [names.variables.get(str(one)) for one in [of, *given]]
            sizes = [one.n for one in about if one is not None]
            if offset is not None and len(sizes) == len(about) and all(sizes):
                parents = tuple(map(str, given))
                yield TableShape(offset, str(of), parents, math.prod(sizes[1:]), sizes[0])


def _plain(text: str) -> str:
    """Strangers' text as it is, in Markdown."""
    return _SPECIAL.sub(r"\\\1", visible(text))
