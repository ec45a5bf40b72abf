"""Characters to values: the lexer and the value grammar of block text.

``value = number | "string" | '''…''' | word | [value, …] | {key: value …}``; separators are
optional, comments run from ``#`` or ``//`` to the end of the line, a key alone means true.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from orchestrator.gmn.codes import finding
from orchestrator.parsing.json_pointer import pointer_to
from orchestrator.parsing.scalars import share_in, too_many_digits
from orchestrator.parsing.scanning import Scanner
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.formats.source_map import SourceMap
    from orchestrator.types.diagnostics import Diagnostic

MOST_ILLEGAL = 1000
_LOOKED_AT = 64  # so many pieces of a text at once

_LEADING_ZERO = re.compile(r"[-+]?0\d")
TokenKind = Literal["string", "number", "word", "mark", "end"]

_NUMBER = r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?"
#: The pieces of block text: tokens, blanks and comments.
TOKENS = Scanner(
    {
        "long": ('"""', r'[^"]++|"(?!"")', '"""'),
        "double": ('"', r'[^"\\\n]++|\\.', '"'),
        "single": ("'", r"[^'\\\n]++|\\.", "'"),
        "step": (r"@\(", r"[^)\n]++", r"\)"),
    },
    rf"""(?x:
      (?P<blank>\s++|\#[^\n]*+|//[^\n]*+)
    | (?P<open>\"\"\"|"|')
    | (?:
        (?P<share>{_NUMBER}[ \t]*+%|\d++[ \t]*+/[ \t]*+\d++(?![\w.*+-]))
      | (?P<number>{_NUMBER}(?![\w.*+-])|[-+]?(?:Infinity|NaN|inf|nan)\b)
      | (?P<word>@[+-]?\w++|[\w*?](?:[\w\u0300-\u036f.*+?]++|-(?!>))*+)
      | (?P<mark>[{{}}\[\]:,;])
      )[ \t]*+
    | (?P<bad>.))
    """.strip(),
)


class Token(NamedTuple):
    """One token; `text` is unquoted for strings. A tuple, since a document may hold a million."""

    kind: TokenKind
    text: str
    offset: int


class Value(NamedTuple):
    """A value and where it stands. `raw` is the spelling of a scalar."""

    content: Scalar | list[Value] | Block
    offset: int
    raw: str = ""


class Block(NamedTuple):
    """``{…}``: entries in order."""

    entries: tuple[Property, ...]


class Property(NamedTuple):
    """``key: value``, or a key alone, whose value is then true."""

    key: str
    value: Value
    offset: int


class Share(float):
    """A number that was written as a percentage or a fraction, which only probabilities are."""


Scalar = str | int | float | bool | None


class BrokenSyntax(Exception):
    """Reading cannot go on here; carries the finding."""

    def __init__(self, found: Diagnostic) -> None:
        super().__init__(found.message)
        self.found = found


_KINDS: dict[str, TokenKind] = {
    "number": "number", "share": "number", "word": "word", "mark": "mark"
}  # fmt: skip


def tokens_of(text: str, places: SourceMap, found: list[Diagnostic]) -> Iterator[Token]:
    """The tokens one by one, so that stopping early costs no more.

    What could not be one goes into `found`: at most a handful of findings, then a count.
    """
    bad = 0
    for count, match in enumerate(TOKENS.pieces(text)):
        if not count % _LOOKED_AT:
            look(2 * _LOOKED_AT)
        kind = match.lastgroup
        if kind is not None and kind in _KINDS:
            yield Token(_KINDS[kind], match[kind], match.start())
        elif kind is None:
            raw = match.group()
            is_long, is_step = raw.startswith('"""'), raw[0] == "@"
            text_of = raw if is_step else raw[3:-3] if is_long else unquoted(raw)
            yield Token("word" if is_step else "string", text_of, match.start())
        elif kind != "blank":
            bad += 1
            if bad <= 5:
                found.append(_illegal(kind, match.group(), places, match.start()))
            elif bad == MOST_ILLEGAL:
                break  # this is not a document; no later text would make it one
    if bad > 5:
        more = "at least " if bad == MOST_ILLEGAL else ""
        found.append(finding("GMN001", f"{more}{bad - 5} more illegal characters"))
    yield Token("end", "", len(text))


class Remark(NamedTuple):
    """A comment: inside brackets or not, behind something on its line, before or after all else."""

    text: str
    offset: int
    is_inside: bool
    is_behind: bool
    is_first: bool
    is_last: bool


def remarks(text: str) -> list[Remark]:
    """Every comment of `text`, in order."""
    found: list[Remark] = []
    depth, ends_at, line_taken = 0, 0, False
    for match in TOKENS.pieces(text):
        raw, offset = match.group(), match.start()
        if match.lastgroup == "blank":
            if raw[0] in "#/":
                found.append(Remark(raw, offset, depth > 0, line_taken, ends_at == 0, False))
            elif "\n" in raw:
                line_taken = False
            continue
        ends_at, line_taken = match.end(), True
        if match.lastgroup == "mark":
            depth = max(0, depth + (raw[0] in "{[") - (raw[0] in "}]"))
    return [remark._replace(is_last=remark.offset >= ends_at) for remark in found]


def _illegal(kind: str, raw: str, places: SourceMap, offset: int) -> Diagnostic:
    place = places.at(offset)
    if kind == "open":
        return finding("GMN005", f"string opened by {raw} is never closed", place=place)
    return finding("GMN001", f"illegal character {raw!r}", place=place, got=repr(raw))


def unquoted(raw: str) -> str:
    """The text that a string in double or single quotes stands for."""
    if "\\" not in raw:
        return raw[1:-1]
    body = raw[1:-1] if raw[0] == '"' else raw[1:-1].replace("\\'", "'").replace('"', '\\"')
    try:
        return str(json.loads(f'"{body}"', strict=False))
    except json.JSONDecodeError:
        return raw[1:-1]  # an escape that JSON does not know stands as written


class Parser:
    """Reads values from tokens; positions are offsets into the text."""

    def __init__(self, text: str, places: SourceMap, nesting: int) -> None:
        self.places = places
        self.found: list[Diagnostic] = []
        self.repairs: list[Diagnostic] = []
        self.nesting = nesting
        self.numbers = 0
        self._tokens = tokens_of(text, places, self.found)
        #: The token to be read next.
        self.here = next(self._tokens)

    def take(self) -> Token:
        """Read one token; the end stays the end."""
        token = self.here
        if token.kind != "end":
            self.here = next(self._tokens)
        return token

    def skip(self, marks: str) -> None:
        """Pass over any of `marks`."""
        while self.here.kind == "mark" and self.here.text in marks:
            self.take()

    def at_end(self) -> bool:
        """Whether nothing but separators is left."""
        self.skip(",;")
        return self.here.kind == "end"

    def is_mark(self, mark: str) -> bool:
        """Whether `mark` comes next."""
        return self.here.kind == "mark" and self.here.text == mark

    def broken(self, expected: str, code: str = "GMN002") -> BrokenSyntax:
        """The finding that something else was expected here."""
        token = self.here
        got = "the end of the document" if token.kind == "end" else repr(token.text[:40])
        return BrokenSyntax(
            finding(
                code,
                f"expected {expected}, got {got}",
                place=self.places.at(token.offset),
                got=got,
                expected=expected,
            )
        )

    def value(self, depth: int = 0) -> Value:
        """One value.

        Raises: BrokenSyntax: there is none here, or it is nested too deep.
        """
        token = self.here
        if depth > self.nesting:
            raise BrokenSyntax(
                finding(
                    "GMN703",
                    f"nested deeper than {self.nesting} levels",
                    place=self.places.at(token.offset),
                )
            )
        kind, text, offset = token
        content: Scalar | list[Value] | Block = text
        if kind == "number":
            self.numbers += 1
            content = self._number(text)
        elif kind == "word":
            content = _WORDS.get(text, text)
        elif text == "[" and kind == "mark":
            return self._list(depth)
        elif text == "{" and kind == "mark":
            return Value(self.block(depth), offset)
        elif kind != "string":
            raise self.broken("a value")
        self.here = next(self._tokens)
        return Value(content, offset, text)

    def _number(self, text: str) -> Scalar:
        try:
            return _number(text)
        except OverflowError as error:
            place = self.places.at(self.here.offset)
            raise BrokenSyntax(finding("GMN002", str(error), place=place)) from None

    def _list(self, depth: int) -> Value:
        start = self.take().offset
        items: list[Value] = []
        while not self._closed("]"):
            items.append(self.value(depth + 1))
        return Value(items, start)

    def block(self, depth: int = 0) -> Block:
        """``{ key [: value] … }`` with the brace still to be read."""
        if not self.is_mark("{"):
            raise self.broken("'{'")
        if depth > self.nesting:
            self.value(depth)  # raises 703
        self.take()
        entries: dict[str, Property] = {}
        while not self._closed("}"):
            entry = self._entry(depth)
            if (first := entries.setdefault(entry.key, entry)) is not entry:
                self._twice(entry, first)
        return Block(tuple(entries.values()))

    def _twice(self, entry: Property, first: Property) -> None:
        place, words = self.places.at(entry.offset), f"property {entry.key!r} "
        if plain(entry.value, "", {}) == plain(first.value, "", {}):
            self.repairs.append(finding("GMN004", f"{words}given twice, equal", place=place))
        else:
            words += "is given twice with different values"
            self.found.append(finding("GMN004", words, place=place, got=entry.key))

    def _entry(self, depth: int) -> Property:
        token = self.here
        if token.kind not in ("word", "string", "number"):
            raise self.broken("a property name or '}'")
        here = self.here = next(self._tokens)
        if here.kind == "mark" and here.text == ":":
            self.here = next(self._tokens)
            return Property(token.text, self.value(depth + 1), token.offset)
        return Property(token.text, Value(True, token.offset, "true"), token.offset)

    def _closed(self, mark: str) -> bool:
        """Pass over separators; whether `mark` comes next, which is taken, or the end."""
        while self.here.kind == "mark":
            text = self.here.text
            if text != mark and text not in ",;":
                return False
            self.here = next(self._tokens)
            if text == mark:
                return True
        if self.here.kind == "end":
            self.repairs.append(
                finding(
                    "GMN002",
                    f"added {mark!r} missing at the end of the document",
                    place=self.places.at(self.here.offset),
                    expected=mark,
                )
            )
            return True
        return False


_WORDS: dict[str, Scalar] = {"true": True, "false": False, "True": True, "False": False,
                             "null": None, "None": None}  # fmt: skip


def _number(raw: str) -> Scalar:
    if _LEADING_ZERO.match(raw):  # of 1,000.5 the second part is not a number
        return raw
    if raw.endswith("%") or "/" in raw:
        share = share_in(raw)
        return raw if share is None else Share(share)
    if "." in raw:
        return float(raw)
    try:
        return int(raw)
    except ValueError as error:
        if long := too_many_digits(raw):
            raise OverflowError(long) from error
        return float(raw)


def plain(value: Value, pointer: str, offsets: dict[str, int]) -> object:
    """The value as Python data, noting where each part stands."""
    offsets[pointer] = value.offset
    if isinstance(value.content, list):
        return [plain(item, f"{pointer}/{i}", offsets) for i, item in enumerate(value.content)]
    if isinstance(value.content, Block):
        return {
            entry.key: plain(entry.value, pointer + pointer_to(entry.key), offsets)
            for entry in value.content.entries
        }
    return value.content
