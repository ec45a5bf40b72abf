"""From the text of an answer to the candidates inside it, and the answers that hold none."""

from __future__ import annotations

import bisect
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic_core import from_json

from orchestrator.parsing.bounds import MOST_NESTED, json_value
from orchestrator.parsing.lenient_json import ParseResult, begins_value, span_end, value_at
from orchestrator.parsing.scalars import too_many_digits
from orchestrator.parsing.scanning import blanked
from orchestrator.types.pattern import pattern
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.types.requests import Answer, AnswerKind

#: A fenced block, its body in group 2; one that is never closed runs to the end.
FENCE = pattern(
    r"^[ \t]*+(`{3,}+|~{3,}+)[^\n]*+\n(.*?)(?:^[ \t]*+\1[ \t]*+$|\Z)", re.DOTALL | re.MULTILINE
)
_FENCE_LINE = pattern(r"^[ \t]*+(?:`{3}|~{3})[^\n]*+$", re.MULTILINE)
_REFUSAL = pattern(
    r"^\W*(?:(?:i'?m|i am) (?:very )?sorry|sorry|i (?:can'?t|cannot|won'?t|am unable|am not able)|"
    r"as an ai|unfortunately,? i)\b",
    re.IGNORECASE,
)
MOST_REFUSAL_CHARACTERS = 1200
_MOST_CANDIDATES = 200
_IS_OBJECT = pattern(r"[{\[\s]*[{\"'“„&\\]")
_THOUGHT = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|analysis)"
#: Where reasoning begins and ends, in the spellings of the common model families.
_MARK = pattern(
    rf"(?P<open><{_THOUGHT}(?:\s[^<>]*)?>|\[THINK\]|◁think▷|<\|begin_of_thought\|>"
    r"|<\|channel\|>(?!\s*final|\s*commentary\s+to)[^<]*<\|message\|>)"
    rf"|(?P<close></{_THOUGHT}\s*>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>"
    r"|<\|channel\|>\s*(?:final|commentary\s+to)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"
    r"|\bassistantfinal)"
    r"|(?P<end><\|(?:end|return|call)\|>)|(?P<value>[{\[])",
    re.IGNORECASE,
)
_DECIDES = pattern(
    r"(?<![\w-])final(?:ly)?\b[\s*_)\]]*(?::|$)"
    r"|(?<![\w-])(?:final|correct|corrected|right|revised|updated|fixed)\s+"
    r"(?:one|answer|version|result|output|json|object|list|value|choice|decision)\b"
    r"|\b(?:correction|revision|(?:corrected|revised|updated?|fixed)(?:\s+\w+)?)\b[\s*_]*(?::|$)"
    r"|\b(?:instead|rather|on second thoughts?|let me (?:fix|correct|revise|redo|try again))\b",
    re.IGNORECASE,
)
_RETRACTS = pattern(
    r"^\W*(?:hm+\W+)?(?:no(?:pe)?\s*[,.:;!\u2014\u2013-]|no,?\s+wait\b|wait\b|actually\b|sorry\b|"
    r"oops\b|hold on\b|scratch that\b|correction\b)",
    re.IGNORECASE,
)
_DOUBTS = pattern(
    r"n['\u2019]t\b|\bnon-|\b(?:not|or|both|either|also|another|alternativ\w*|instead of|"
    r"rather than|no (?:final|correct|right|other)|yet|"
    r"example|draft|old|previous|earlier|before|wrong|bad|invalid|maybe|perhaps|could|might|"
    r"options?|unless|if|was|were|input|compare|versus|vs|unlike|than|rejected|discarded)\b",
    re.IGNORECASE,
)
_TAKES_BACK = pattern(
    r"n['\u2019]t\b|\b(?:no|not|wait|actually|sorry|instead|wrong|first|former|above|ignore|scrap|"
    r"original|but|however|or|alternatively|draft|example)\b",
    re.IGNORECASE,
)


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


@dataclass(frozen=True, slots=True)
class Candidates:
    """Every JSON value of an answer, in the order of the text.

    Attributes:
        values: the values.
        text: the answer with blanks in the place of its reasoning.
        unread: where values begin that cannot be read; the last one may be cut off.
    """

    values: tuple[ParseResult, ...]
    text: str
    unread: tuple[int, ...] = ()

    def is_final(self, at: int) -> bool:
        """Whether the text says that value `at` replaces the values before it."""
        one = self.values[at]
        after = self.values[at + 1].offset if at + 1 < len(self.values) else len(self.text)
        if at == 0 or _TAKES_BACK.search(self.text[one.end : after]):
            return False
        between = _FENCE_LINE.sub("", self.text[self.values[at - 1].end : one.offset])
        said = [s for s in re.split(r"(?<=[.!?;])\s+|\n+", between) if re.search(r"\w", s)]
        if not said or _DOUBTS.search(said[-1]):
            return False
        return bool(_DECIDES.search(said[-1])) or any(map(_RETRACTS.match, said))

    def chosen(self, fitting: Mapping[int, str]) -> int | None:
        """Which value is the answer; None when several are.

        `fitting` has the canonical text of each value that fulfils what is asked for, at least
        one. Of values that differ only the last is taken, and only where the text says that it is
        the final one; a value that replaces it, or cannot be read, leaves the question open.
        """
        last = max(fitting)
        replaced = any(self.is_final(n) for n in range(last + 1, len(self.values)))
        if replaced or any(start > self.values[last].offset for start in self.unread):
            return None
        others = [n for n, value in fitting.items() if value != fitting[last]]
        # The final value may be said again, in another form.
        again = [n for n in fitting if not others or n > max(others)]
        return last if not others or any(map(self.is_final, again)) else None


def read_candidates(text: str, *, complete: bool = False) -> Candidates:
    """All JSON values in a text that stand outside the reasoning of the model.

    JSON5 (comments, trailing commas, single quotes, bare keys), raw line breaks in strings,
    typographic quotes, HTML entities and Python literals are read too; nothing is guessed. With
    `complete` the closed part of a last value that was cut off is read.

    Raises: ValueError: there is none; the message says where reading stopped.
    """
    body = text.strip("\ufeff \t\r\n")
    whole = value_at(body, 0, len(body)) if body[:1] in ("{", "[") else _scalar(body)
    if whole is not None and whole.end == len(body):
        start = text.find(body)
        return Candidates((replace(whole, offset=start, end=start + len(body)),), text)
    found = _scan(text)
    values = found.values
    if not values and not found.unread:
        values = _scalars(found.text)
    elif complete and found.unread and _is_cut_off(text[found.unread[-1] :]):
        cut = from_json(text[found.unread[-1] :], allow_partial=True)
        fixes = ("its end, which was cut off",)
        values = (*values, ParseResult(cut, fixes, found.unread[-1], len(text)))
        found = replace(found, unread=found.unread[:-1])
    if not values or len(values) > _MOST_CANDIDATES:
        raise ValueError(_why_not(text, found, len(values)))
    noted = _noted(text, found.text, values)
    return replace(found, values=tuple(replace(v, fixes=(*noted, *v.fixes)) for v in values))


def _scan(text: str) -> Candidates:
    """The values in brackets, those outside of reasoning."""
    values: list[ParseResult] = []
    unread: list[int] = []
    thoughts: list[tuple[int, int]] = []
    fences = [*(fence.start() for fence in _FENCE_LINE.finditer(text)), len(text)]
    at, thinks_from, careless = 0, -1, 0
    while len(unread) <= _MOST_CANDIDATES and (mark := _MARK.search(text, at)):
        look()
        at, is_inside = mark.end(), thinks_from >= 0
        if mark["close"] and not is_inside:  # all that stands before it is reasoning
            values, unread, thoughts = [], [], [(0, at)]
        elif is_inside and (mark["close"] or mark["end"]):
            thoughts.append((thinks_from, at))
            thinks_from = -1
        elif mark["open"] and not is_inside:
            thinks_from = mark.start()
        elif mark["value"] and (is_inside or len(values) > _MOST_CANDIDATES):
            continue  # of so many none is read, unless they turn out to be reasoning
        elif mark["value"] and begins_value(text, mark.start()):
            end = fences[bisect.bisect_left(fences, at)]
            value = value_at(text, mark.start(), end, is_lenient=careless < _MOST_CANDIDATES)
            careless += value is None or bool(value.fixes)
            if value is not None:
                values.append(value)
                at = value.end
            else:
                closed = span_end(text, mark.start(), end)
                if not closed or _IS_OBJECT.match(text, mark.start()):
                    unread.append(mark.start())
                at = closed or end
    if thinks_from >= 0:
        thoughts.append((thinks_from, len(text)))
    return Candidates(tuple(values), _without(text, thoughts), tuple(unread))


def _without(text: str, thoughts: Sequence[tuple[int, int]]) -> str:
    """`text` with blanks in the place of its reasoning."""
    made, at = "", 0
    for start, end in thoughts:
        made += text[at:start] + blanked(text[start:end])
        at = end
    return made + text[at:]


def _scalar(body: str) -> ParseResult | None:
    """A text that is a string, a number, a truth value or null of JSON, and nothing else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return None if isinstance(value, dict | list) else ParseResult(value, (), 0, len(body))


def _scalars(text: str) -> tuple[ParseResult, ...]:
    """The scalars that fill a fence each; without a fence the one that fills the text."""
    parts = [(block[2], block.start(2)) for block in FENCE.finditer(text)] or [(text, 0)]
    found = [(_scalar(body.strip()), start, start + len(body)) for body, start in parts]
    return tuple(replace(one, offset=a, end=b) for one, a, b in found if one is not None)


def bare_text(text: str) -> str:
    """An answer without its reasoning and its fence."""
    return unfence(_scan(text).text).body.strip()


def _noted(text: str, clean: str, values: Sequence[ParseResult]) -> tuple[str, ...]:
    """What stood beside the values, in a few words each."""
    around, at = "", 0
    for value in values:
        around, at = around + clean[at : value.offset], value.end
    is_around = _FENCE_LINE.sub("", around + clean[at:]).strip("\ufeff \t\r\n")
    notes = ("text around the JSON",) if is_around else ()
    return notes if clean == text else ("reasoning before the answer", *notes)


def _why_not(text: str, found: Candidates, count: int) -> str:
    if count:
        words = f"more than {_MOST_CANDIDATES} values stand in the answer"
        return f"not JSON: {words}; send the one that is meant alone"
    if not found.text.strip() and text.strip():
        return "not JSON: nothing but reasoning stands in the answer"
    if long := too_many_digits(found.text):
        return f"not JSON: {long}"
    try:
        json_value(unfence(found.text).body)
    except json.JSONDecodeError as error:
        return f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}"
    except ValueError as error:
        return f"not JSON: {error}"
    return "not JSON: no value stands in the answer"


def _is_cut_off(body: str) -> bool:
    import pyjson5  # noqa: PLC0415  as in `lenient_json`

    try:
        pyjson5.decode(body, MOST_NESTED)
    except pyjson5.Json5EOF:
        return True
    except pyjson5.Json5Exception:
        return False
    return False


def last_value(text: str) -> str:
    """A text that is still arriving from its last value on; empty where none has begun."""
    found = _scan(text)
    starts = [*(value.offset for value in found.values), *found.unread]
    return text[max(starts) :] if starts else ""


def is_json(text: str) -> bool:
    """Whether there is a JSON value in a text."""
    try:
        read_candidates(text)
    except ValueError:
        return False
    return True


def read_json(text: str, *, complete: bool = False) -> ParseResult:
    """The first value of `read_candidates`.

    Raises: ValueError: there is none; the message says where reading stopped.
    """
    return read_candidates(text, complete=complete).values[0]


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
        values = [found.value for found in read_candidates(text).values]
    except ValueError:
        return False
    known = schema.get("properties")
    if isinstance(known, dict) and "properties" in known:
        return False
    return all(isinstance(v, dict) and ("properties" in v or "$schema" in v) for v in values)
