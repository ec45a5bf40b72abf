"""The grammar of GNN files (Generalized Notation Notation): sections, variables, links, numbers.

A file is markdown: ``## Section`` headers, ``#`` comments, ``NAME[dims, type=…]`` declarations,
``A>B`` links and ``NAME={(…), (…)}`` values, in which brackets of any kind are axes.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.source_map import SourceMap
from orchestrator.gmn.imports.printed import UnreadError, is_whole, number
from orchestrator.types.pattern import pattern
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.types.diagnostics import Diagnostic

    Array = NDArray[np.float64]

SECTIONS = {
    name.lower(): name
    for name in (
        "GNNSection", "GNNVersionAndFlags", "ModelName", "ModelAnnotation", "StateSpaceBlock",
        "Connections", "InitialParameterization", "Equations", "Time", "ActInfOntologyAnnotation",
        "ModelParameters", "Footer", "Signature",
    )
}  # fmt: skip
_HEADER = pattern(r"^[ \t]*(#{1,2})[ \t]*([A-Za-z]\w*)[ \t]*\r?$", re.MULTILINE)
_COMMENT = pattern(r"#[^\n]*+|^[ \t]*(?:`{3}|~{3})[^\n]*+", re.MULTILINE)
_DECLARED = pattern(r"^[ \t]*(?:[-*][ \t]+)?([^\W\d][\w'+]*+)[ \t]*\[([^\]\n]*+)\]", re.MULTILINE)
_ASSIGNED = pattern(r"[ \t\r\n,;]*+(?:[-*][ \t]+)?([^\W\d][\w'+]*+)[ \t]*=[ \t]*+")
_LINE = pattern(r"[\s,;]*+([^\s,;][^\n]*+)")
_OPENS = pattern(r"\s*+[\[({]")
_SETTING = pattern(
    r"^[ \t]*(?:[-*][ \t]+)?([^\W\d][\w'+]*+)[ \t]*[:=][ \t]*([^\n]*+)", re.MULTILINE
)
_LINK = pattern(r"<->|->|<-|[(),<>|→:-]|[^\s(),<>|→:-]++")
_VALUE = pattern(r"[\s,;]++|[\[({]|[\])}]|[^\s,;\[\](){}]++")
_ARROWS = ("<->", "->", "<-", "<", ">", "→", "-")
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_DEEPEST = 10
_MOST_DIGITS = 12
_LAST = ("StateSpaceBlock",)


class Declared(NamedTuple):
    """A variable of the state space: its sides (None: not known), what it is filled with, type."""

    name: str
    dims: tuple[int | None, ...]
    default: str
    at: int
    type: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class GNNValue:
    """Numbers of the text with half a unit of their last digits, or a word; where it stands."""

    array: Array | None
    slack: Array | None
    word: str
    at: int


@dataclass(slots=True)
class GNNFile:
    """What a text says, section by section.

    Attributes:
        prose: the sections of words, stripped.
        links: pairs of groups of names, in the order of the text.
        settings: ``key: value`` of ModelParameters and Time.
    """

    places: SourceMap
    prose: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Declared] = field(default_factory=dict)
    links: list[tuple[list[str], list[str]]] = field(default_factory=list)
    values: dict[str, GNNValue] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    notes: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, words: str, at: int | None = None) -> UnreadError:
        """What is wrong, where it stands."""
        place = self.places.at(at) if at is not None else None
        return UnreadError(finding(code, words, place=place))


def parsed(text: str) -> GNNFile:
    """The parts of a text.

    Raises: UnreadError: values are broken (002, 005, 008, 310), or it holds several models (014).
    """
    file = GNNFile(SourceMap(text))
    look(len(text) // 8)
    parts: dict[str, tuple[str, int]] = {}
    heads = [found for found in _HEADER.finditer(text) if _is_head(found)]
    for found, after in itertools.zip_longest(heads, heads[1:]):
        name = SECTIONS.get(found[2].lower(), found[2])
        if name in parts and name in SECTIONS.values():
            words = f"section {name} stands twice: a file of several models; keep one model"
            raise file.error("GMN014", words, found.start())
        body = text[found.end() : after.start() if after else len(text)]
        file.prose[name] = body.strip()
        # What is left out becomes blank, so that every offset stays that of the text.
        body = _COMMENT.sub(lambda m: " " * len(m[0]), body)
        parts[name] = body, found.end()
    # Settings first: sides of variables may be their names.
    for name in sorted(parts, key=_LAST.__contains__):
        _read(file, name, *parts[name])
    return file


def _is_head(found: re.Match[str]) -> bool:
    return found[1] == "##" or found[2].lower() in SECTIONS


def _read(file: GNNFile, name: str, body: str, start: int) -> None:
    if name == "StateSpaceBlock":
        for found in _DECLARED.finditer(body):
            _declare(file, found, start)
    elif name == "Connections":
        file.links += [pair for line in body.splitlines() for pair in _pairs(line)]
    elif name == "InitialParameterization":
        _assign(file, body, start)
    elif name in ("ModelParameters", "Time"):
        file.prose[name] = body
        for found in _SETTING.finditer(body):
            file.settings.setdefault(found[1], found[2].strip())
    elif name in ("ModelName", "GNNVersionAndFlags", "GNNSection"):
        file.prose[name] = body.strip()


def _declare(file: GNNFile, found: re.Match[str], start: int) -> None:
    dims: list[int | None] = []
    said: dict[str, str] = {}
    at = start + found.start(1)
    for word in map(str.strip, found[2].split(",")):
        key, is_set, value = word.partition("=")
        if is_set:
            said[key.strip()] = value.strip()
        elif word:
            side = file.settings.get(word, word)
            if is_whole(side) and len(side) >= _MOST_DIGITS:
                words = f"{found[1]} has a side of {len(side)} digits, more than any table has"
                raise file.error("GMN701", words, at)
            dims.append(int(side) if is_whole(side) else None)
    made = Declared(found[1], tuple(dims), said.get("default", ""), at, said.get("type", ""))
    if found[1] in file.variables and file.variables[found[1]].dims != made.dims:
        raise file.error("GMN004", f"{found[1]} is declared twice, with other sides", made.at)
    file.variables[found[1]] = made


def _pairs(line: str) -> Iterator[tuple[list[str], list[str]]]:
    """The groups of names on both sides of each arrow; what follows a colon is a label."""
    groups: list[list[str]] = [[]]
    is_given = False
    if "=" in line:  # G=ExpectedFreeEnergy
        return
    for token in _LINK.findall(line):
        if token == ":":
            break
        if token in _ARROWS:
            groups.append([])
        elif token == "|":  # X > Y | Z: Z leads to Y as X does
            is_given = True
        elif token not in "(),":
            groups[0 if is_given else -1].append(token)
    yield from ((a, b) for a, b in itertools.pairwise(groups) if a and b)


def _assign(file: GNNFile, body: str, start: int) -> None:
    at, ignored = 0, list[tuple[int, str]]()
    while at < len(body):
        look()
        found = _ASSIGNED.match(body, at)
        if found is None:
            line = _LINE.match(body, at)
            if line is None:
                break
            ignored.append((start + line.start(1), line[1].strip()[:60]))
            at = line.end()
            continue
        name, begin = found[1], start + found.start(1)
        if name in file.values:
            raise file.error("GMN004", f"{name} is given twice; keep one", begin)
        if _OPENS.match(body, found.end()):
            file.values[name], at = _numbers(file, body, found, start)
        else:
            end = body.find("\n", found.end())
            at = end if end >= 0 else len(body)
            file.values[name] = _word(body[found.end() : at].strip().rstrip(",;"), begin)
    if ignored and not file.values:
        words = (
            f"{ignored[0][1]!r} is not NAME={{…}}: nothing in InitialParameterization can be read"
        )
        raise file.error("GMN002", words, ignored[0][0])
    if ignored:
        more = f" and {len(ignored) - 1} more lines" if len(ignored) > 1 else ""
        words = f"{ignored[0][1]!r}{more} in InitialParameterization ignored"
        file.notes.append(finding("GMN803", words, place=file.places.at(ignored[0][0])))


def _word(word: str, at: int) -> GNNValue:
    made = number(word)
    if made is None:
        return GNNValue(None, None, word, at)
    return GNNValue(np.array(made[0]), np.array(made[1]), word, at)


class _Node(NamedTuple):
    """Numbers in C order with their shape; () is one number."""

    shape: tuple[int, ...]
    numbers: list[tuple[float, float]]


def _numbers(file: GNNFile, body: str, found: re.Match[str], start: int) -> tuple[GNNValue, int]:
    """Nested brackets as an array, and where they end."""
    name, open_ = found[1], list[tuple[str, list[_Node]]]()
    for token in _VALUE.finditer(body, found.end()):
        word, at = token[0], start + token.start()
        if word in _CLOSES:
            open_.append((word, []))
            if len(open_) > _DEEPEST:
                raise file.error("GMN703", f"{name} is nested deeper than {_DEEPEST}", at)
        elif word in (")", "]", "}"):
            bracket, inside = open_.pop()
            if _CLOSES[bracket] != word:
                words = f"{bracket!r} of {name} is closed by {word!r}"
                raise file.error("GMN002", words, at)
            made = _closed(file, name, inside, at)
            if not open_:
                pairs = np.array(made.numbers, dtype=np.float64).reshape(*made.shape, 2)
                value = GNNValue(pairs[..., 0], pairs[..., 1], "", start + found.start(1))
                return value, token.end()
            open_[-1][1].append(made)
        elif "=" in word:
            break
        elif word.strip(" \t\r\n,;"):
            open_[-1][1].append(_Node((), [_one(file, name, word, at)]))
    raise file.error("GMN005", f"the value of {name} is never closed", start + found.start(1))


def _closed(file: GNNFile, name: str, inside: Sequence[_Node], at: int) -> _Node:
    shapes = {node.shape for node in inside}
    if len(shapes) != 1:
        words = f"{name} is ragged here: {', '.join(map(str, sorted(shapes)))}" if shapes else (
            f"a pair of brackets of {name} is empty"
        )  # fmt: skip
        raise file.error("GMN310", words, at)
    look(len(inside))
    flat = [pair for node in inside for pair in node.numbers]
    return _Node((len(inside), *shapes.pop()), flat)


def _one(file: GNNFile, name: str, word: str, at: int) -> tuple[float, float]:
    """A number, a fraction or a percentage."""
    whole, slash, part = word.removesuffix("%").partition("/")
    above, below = number(whole), number(part) if slash else (1.0, 0.0)
    if above is None or below is None or below[0] == 0 or not np.isfinite(above[0] / below[0]):
        raise file.error("GMN008", f"{word[:40]!r} in {name} is not a number", at)
    scale = (0.01 if word.endswith("%") else 1.0) / below[0]
    return above[0] * scale, 0.0 if slash else above[1] * scale
