"""From the text of an answer to the candidate inside it, and the answers that hold none."""

from __future__ import annotations

import ast
import io
import itertools
import json
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyjson5
from pydantic_core import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.types.requests import Answer, AnswerKind

#: A fenced block, its body in group 2; one that is never closed runs to the end.
FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_REFUSAL = re.compile(
    r"^\W*(?:(?:i'?m|i am) (?:very )?sorry|sorry|i (?:can'?t|cannot|won'?t|am unable|am not able)|"
    r"as an ai|unfortunately,? i)\b",
    re.IGNORECASE,
)
MOST_REFUSAL_CHARACTERS = 1200
_MOST_STARTS = 50
_MOST_NESTED = 200
_NOT_THAT = (
    ValueError, SyntaxError, RecursionError, MemoryError, TypeError, pyjson5.Json5Exception
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Extracted:
    """A candidate and where it stood.

    Attributes:
        body: the candidate.
        offset: characters of the answer before it.
        removed: what stood around it, empty when nothing did.
    """

    body: str
    offset: int
    removed: str


def unfence(text: str) -> Extracted:
    """The longest fenced block, or the text itself; a fence left open runs to the end."""
    blocks = list(FENCE.finditer(text))
    if not blocks:
        body = text.strip("\ufeff \t\r\n")
        return Extracted(body, text.find(body), "")
    best = max(blocks, key=lambda block: len(block[2]))
    around = (text[: best.start()] + text[best.end() :]).strip()
    return Extracted(best[2], best.start(2), around)


def is_json(text: str) -> bool:
    """Whether there is a JSON value in a text."""
    try:
        read_json(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class ParseResult:
    """A JSON value, and what was wrong with the text that it was read from.

    Attributes:
        fixes: what was overlooked to read it, in a few words each.
        offset: where in the text the value begins.
        repeated: keys that stand twice in one object with equal values.
        clashing: keys that stand twice with different values; the last one counts.
    """

    value: object
    fixes: tuple[str, ...] = ()
    offset: int = 0
    repeated: tuple[str, ...] = ()
    clashing: tuple[str, ...] = ()


def json_in(text: str) -> object:
    """The JSON value in a text; see `read_json`."""
    return read_json(text).value


def read_json(text: str, *, complete: bool = False) -> ParseResult:
    """The JSON value in a text: whole, fenced, or inside prose.

    JSON5 (comments, trailing commas, single quotes, bare keys), raw line breaks in strings and
    Python literals are read too; nothing is guessed. With `complete` the closed part of a text
    that was cut off is read.

    Raises: ValueError: there is none; the message says where reading stopped.
    """
    found = unfence(text)
    body, fixes = found.body, (("text around the JSON",) if found.removed else ())
    keys = _Keys()
    try:
        value = json.loads(body, object_pairs_hook=keys)
        blank = len(body) - len(body.lstrip())
        return ParseResult(value, fixes, found.offset + blank, *keys.given_twice)
    except json.JSONDecodeError as error:
        where = f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}"
    except RecursionError:
        raise ValueError("not JSON: it is nested too deeply") from None
    starts = [match.start() for match in re.finditer(r"[{\[]", body)][:_MOST_STARTS]
    for start in starts:
        if _is_nested(body[:start]):
            continue
        keys = _Keys()
        try:
            value, _ = json.JSONDecoder(object_pairs_hook=keys).raw_decode(body, start)
        except (json.JSONDecodeError, RecursionError):
            continue
        around = ("text around the JSON",)
        return ParseResult(value, around, found.offset + start, *keys.given_twice)
    for start, part in _candidates(body, starts):
        if (lenient := _leniently(part)) is not None:
            value, fix = lenient
            return ParseResult(value, (*fixes, fix), found.offset + start)
    if complete and starts and _is_cut_off(body[starts[0] :]):
        value = from_json(body[starts[0] :], allow_partial=True)
        cut = (*fixes, "its end, which was cut off")
        return ParseResult(value, cut, found.offset + starts[0])
    raise ValueError(where)


class _Keys:
    """Makes objects of their pairs, and notes the keys that one of them has twice."""

    def __init__(self) -> None:
        self.given_twice: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def __call__(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            same, clashing = self.given_twice
            seen: dict[str, object] = {}
            for key, value in pairs:
                if key in seen and seen[key] == value:
                    same = (*same, key)
                elif key in seen:
                    clashing = (*clashing, key)
                seen[key] = value
            self.given_twice = (same, clashing)
        return made


def _is_nested(before: str) -> bool:
    """Whether what follows lies inside a value that could not be read."""
    return sum(before.count(c) for c in "{[") > sum(before.count(c) for c in "}]")


def _is_cut_off(body: str) -> bool:
    try:
        pyjson5.decode(body, _MOST_NESTED)
    except pyjson5.Json5EOF:
        return True
    except pyjson5.Json5Exception:
        return False
    return False


def _candidates(body: str, starts: Sequence[int]) -> Iterator[tuple[int, str]]:
    yield (starts[0] if starts else 0), body
    if starts:
        last = max(body.rfind("}"), body.rfind("]"))
        if last > starts[0]:
            yield starts[0], body[starts[0] : last + 1]


def _leniently(body: str) -> tuple[object, str] | None:
    readers: tuple[tuple[Callable[[str], object], str], ...] = (
        (lambda part: json.loads(part, strict=False), "raw line breaks in strings"),
        (
            lambda part: pyjson5.decode(part, _MOST_NESTED),
            "comments, trailing commas, quotes or bare keys",
        ),
        (_python_literal, "Python's spelling"),
    )
    for read, fix in readers:
        try:
            value = read(body)
        except _NOT_THAT:
            continue
        if isinstance(value, dict | list):
            return value, fix
    return None


def _python_literal(body: str) -> object:
    value = ast.literal_eval(body)
    kinds = [token.type for token in tokenize.generate_tokens(io.StringIO(body).readline)]
    if any(pair == (tokenize.STRING, tokenize.STRING) for pair in itertools.pairwise(kinds)):
        raise ValueError("two strings side by side: a quote inside a string, or a comma missing")
    return json.loads(json.dumps(value))  # tuples are lists; sets and bytes are not JSON


def classify(answer: Answer, schema: Mapping[str, object]) -> AnswerKind | None:
    """What kind of non-answer this is; None when its content is worth judging."""
    if answer.refusal or answer.finish == "content_filter":
        return "refusal"
    text = answer.text.strip()
    if not text:
        return "truncated" if answer.finish == "length" else "empty"
    if answer.finish == "length":
        return "truncated"
    if len(text) <= MOST_REFUSAL_CHARACTERS and _REFUSAL.match(text) and "{" not in text:
        return "refusal"
    return "schema_echo" if _is_schema(text, schema) else None


def _is_schema(text: str, schema: Mapping[str, object]) -> bool:
    if '"properties"' not in text and '"$schema"' not in text:
        return False
    try:
        value = json_in(text)
    except ValueError:
        return False
    if not isinstance(value, dict):
        return False
    known = schema.get("properties")
    looks = "properties" in value or "$schema" in value
    return looks and not (isinstance(known, dict) and "properties" in known)
