"""One JSON value where it begins in a text, also in the spellings that models use for JSON."""

from __future__ import annotations

import ast
import io
import itertools
import json
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.parsing.bounds import MOST_NESTED, measured
from orchestrator.parsing.scanning import Scanner
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_TWICE = 20  # keys that are named
_NOT_THAT = (ValueError, SyntaxError, RecursionError, MemoryError, TypeError)
_STRINGS = {"double": ('"', r'[^"\\]++|\\.', '"'), "single": ("'", r"[^'\\]++|\\.", "'")}
_TYPOGRAPHIC = (
    r"[\u201c\u201e][^\u201c\u201d\u201e\"]*+[\u201d\u201c]"
    r"|\u2018[^\u2018\u2019\u201c\u201d\"]*+\u2019"
)
_ENTITY = r"&(?:quot|#34|#x22);"
_COMMENT = r"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"
_ESCAPED_END = r'(?<!\\\\)\\"'
_PIECES = Scanner(
    {
        "escaped": (r'\\"', rf"[^\\]++|(?!{_ESCAPED_END})\\", _ESCAPED_END),
        **_STRINGS,
        "entity": (_ENTITY, rf"[^&]++|(?!{_ENTITY})&", _ENTITY),
    },
    rf"{_TYPOGRAPHIC}|{_COMMENT}|[{{}}\[\]()]",
)
#: What can follow the bracket of a value, rather than of a word in brackets.
_BEGINS = pattern(
    rf"\{{\s*(?:[\"'}}\u201c\u201e\u2018\\]|{_ENTITY}|/[/*]|[^\W\d]\w*\s*:)"
    rf"|\[\s*(?:[\"'\[\]{{\u201c\u201e\u2018\\+.\d-]|{_ENTITY}|/[/*]|(?:true|false|null|None|nan|inf)\b)",
    re.IGNORECASE,
)
_TOKENS = Scanner(_STRINGS, rf"{_COMMENT}|[{{}}\[\]():,]|[^\s{{}}\[\]():,\"'/]+")
# "000.5" in "[1,000.5]" is a part of a number, and "010" has two readings.
_UNCLEAR_NUMBER = pattern(r"[-+]?0[0-9]+(?:\.[0-9]*)?|[-+]?[0-9]+(?:_[0-9]+)+(?:\.[0-9_]*)?")
_BARE_SHARES = Scanner(
    _STRINGS,
    r"(?<=[:,\[])(?P<blank>\s*+)(?P<share>\d++(?:\.\d++)?\s?%|\d++/\d++)(?=\s*+[,}\]])",
)
_QUOTED = Scanner(_STRINGS, rf"(?P<typographic>{_TYPOGRAPHIC})")


@dataclass(frozen=True, slots=True)
class ParseResult:
    """A JSON value, and what was wrong with the text that it was read from.

    Attributes:
        fixes: what was overlooked to read it, in a few words each.
        offset: where in the text the value begins.
        end: where it ends.
        repeated: keys that stand twice in one object with equal values.
        clashing: keys that stand twice with different values; the last one counts.
    """

    value: object
    fixes: tuple[str, ...] = ()
    offset: int = 0
    end: int = 0
    repeated: tuple[str, ...] = ()
    clashing: tuple[str, ...] = ()


def begins_value(text: str, start: int) -> bool:
    """Whether the bracket at `start` looks like that of a value."""
    return _BEGINS.match(text, start) is not None


def value_at(text: str, start: int, end: int, *, is_lenient: bool = True) -> ParseResult | None:
    """The value that begins at `start`; None where none can be read before `end`.

    Without `is_lenient` only what is JSON is read.
    """
    keys = _Keys()
    try:
        value, stop = json.JSONDecoder(object_pairs_hook=keys).raw_decode(text, start)
        measured(value)
    except (ValueError, RecursionError):
        stop = span_end(text, start, end) if is_lenient else 0
        return _leniently(text[start:stop], start) if stop else None
    return ParseResult(value, (), start, stop, *map(tuple, keys.given_twice))


def span_end(text: str, start: int, end: int) -> int:
    """Where the bracket at `start` is closed, brackets in strings aside; 0 when it is not."""
    depth = 0
    for piece in _PIECES.pieces(text, start, end):
        if piece[0] in "{[(":
            depth += 1
        elif piece[0] in ")]}":
            depth -= 1
        if depth == 0:
            return piece.end()
    return 0


class _Keys:
    """Makes objects of their pairs, and notes the first keys that one of them has twice."""

    def __init__(self) -> None:
        self.given_twice: tuple[list[str], list[str]] = ([], [])

    def __call__(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            same, clashing = self.given_twice
            seen: dict[str, object] = {}
            for key, value in pairs:
                if key in seen:
                    # Also as text, because True equals 1 and is another value.
                    is_same = seen[key] == value and json.dumps(seen[key]) == json.dumps(value)
                    noted = same if is_same else clashing
                    noted += [key] if len(noted) < _MOST_TWICE else []
                seen[key] = value
        return made


def _leniently(body: str, start: int) -> ParseResult | None:
    readers: tuple[tuple[Callable[[str], object], str], ...] = (
        (lambda part: json.loads(part, strict=False), "raw line breaks in strings"),
        (_json5, "comments, trailing commas, quotes or bare keys"),
        (_python_literal, "Python's spelling"),
        (lambda part: _json5(_BARE_SHARES.replaced(part, _quoted)), "a share without quotes"),
        (lambda part: _json5(_straightened(part)), "typographic quotes"),
        (lambda part: _json5(_unescaped(part)), "HTML entities"),
        (lambda part: _json5(json.loads(f'"{part}"')), "escaped quotes"),
    )
    if any(_UNCLEAR_NUMBER.fullmatch(token[0]) for token in _TOKENS.pieces(body)):
        return None
    for read, fix in readers:
        try:
            value = read(body)
            measured(value)
        except _NOT_THAT:
            continue
        if isinstance(value, dict | list):
            return ParseResult(value, (fix,), start, start + len(body), (), _twice(body))
    return None


def _json5(body: str) -> object:
    import pyjson5  # noqa: PLC0415  who reads no careless JSON does without

    try:
        value: object = pyjson5.decode(body, MOST_NESTED)
    except pyjson5.Json5Exception as error:
        raise ValueError(f"not JSON5: {error}") from error
    return value


def _python_literal(body: str) -> object:
    value = ast.literal_eval(body)
    kinds = [token.type for token in tokenize.generate_tokens(io.StringIO(body).readline)]
    if any(pair == (tokenize.STRING, tokenize.STRING) for pair in itertools.pairwise(kinds)):
        raise ValueError("two strings side by side: a quote inside a string, or a comma missing")
    return json.loads(json.dumps(value))  # tuples are lists; sets and bytes are not JSON


def _quoted(share: re.Match[str]) -> str:
    return f'{share["blank"]}"{share["share"]}"' if share.lastgroup else share[0]


def _straightened(body: str) -> str:
    """`body` with straight quotes in the place of typographic ones, outside straight ones."""
    return _QUOTED.replaced(
        body, lambda found: f'"{found[0][1:-1]}"' if found.lastgroup else found[0]
    )


def _unescaped(body: str) -> str:
    if '"' in body or not re.search(_ENTITY, body):
        raise ValueError("not escaped for HTML as a whole")
    import html  # noqa: PLC0415  2,231 names that few texts need

    return html.unescape(body)


def _twice(body: str) -> tuple[str, ...]:
    """Keys that one object of a careless text has twice."""
    twice: list[str] = []
    within: list[set[str] | None] = []
    before = ""
    plain = re.sub(_ENTITY, '"', _straightened(body).replace('\\"', '"'))
    for token in (piece[0] for piece in _TOKENS.pieces(plain)):
        if token in "{[(":
            within.append(set() if token == "{" else None)
        elif token in "}])" and within:
            within.pop()
        elif token == ":" and within and (keys := within[-1]) is not None:
            key = _plain_key(before.strip("\"'"))
            twice += [key] if key in keys and len(twice) < _MOST_TWICE else []
            keys.add(key)
        before = token if not token.startswith(("//", "/*")) else before
    return tuple(twice)


def _plain_key(key: str) -> str:
    """A key without escapes, so that ``\\u006dg`` is seen to be ``mg``."""
    try:
        return str(_json5(f'"{key}"')) if "\\" in key else key
    except ValueError:
        return key
