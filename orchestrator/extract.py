"""From the text of an answer to the candidate inside it, and the answers that hold none."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.result import Answer, AnswerKind

_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_REFUSAL = re.compile(
    r"^\W*(?:(?:i'?m|i am) (?:very )?sorry|sorry|i (?:can'?t|cannot|won'?t|am unable|am not able)|"
    r"as an ai|unfortunately,? i)\b",
    re.IGNORECASE,
)
MOST_REFUSAL_CHARACTERS = 1200


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
    blocks = list(_FENCE.finditer(text))
    if not blocks:
        body = text.strip("\ufeff \t\r\n")
        return Extracted(body, text.find(body), "")
    best = max(blocks, key=lambda block: len(block[2]))
    around = (text[: best.start()] + text[best.end() :]).strip()
    return Extracted(best[2], best.start(2), around)


def json_in(text: str) -> object:
    """The JSON value in a text: whole, fenced, or the first that parses inside prose.

    Raises: ValueError: there is none; the message says where reading stopped.
    """
    body = unfence(text).body
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        for start in (match.start() for match in re.finditer(r"[{\[]", body)):
            try:
                value, _ = json.JSONDecoder().raw_decode(body, start)
            except json.JSONDecodeError:
                continue
            return value
        message = f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        raise ValueError(message) from error


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
