"""Cuts a sentence into words, numbers, quoted names and signs, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN = pattern(
    r"""(?<!\w)'(?P<single>[^'\n]{1,60})'(?!\w)|"(?P<double>[^"\n]{1,60})"|`(?P<tick>[^`\n]{1,60})`"""
    r"|[\u201c\u201e\u00ab](?P<curly>[^\u201c\u201d\u00bb\n]{1,60})[\u201c\u201d\u00bb]"
    r"|(?<!\w)\u2018(?P<bent>[^\u2018\u2019\n]{1,60})\u2019(?!\w)"
    r"|(?P<number>(?<=[\s(=:>,/])\.\d{1,15}(?!\w|\.\d)|\d{1,15}(?:\.\d{1,15})?(?![\w.]\d)(?!\w|-(?:by|x)-\d))|(?P<word>w\.p\.|\w+(?:['\u2019-]\w+)*)"
    r"|(?P<sign>\S|\n)"
)
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,15})?|\.\d{1,15}")
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {
    **{word: n for n, word in enumerate(_UNITS.split())},
    **{word: 10 * n for n, word in enumerate(_TENS.split(), 2)},
    "dozen": 12, "hundred": 100, "thousand": 1000,
}  # fmt: skip


_IRREGULAR = {
    "shelves": "shelf", "people": "person", "men": "man", "mice": "mouse", "knives": "knife",
    "children": "child", "leaves": "leaf",
}  # fmt: skip
_PLURALS = (
    ("ies", "y"), ("heses", "hesis"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"),
)  # fmt: skip
#: Participles and the verbs that they are of: what is broken breaks.
_PARTICIPLES = {
    "broken": "break", "frozen": "freeze", "fallen": "fall", "burnt": "burn", "dead": "die",
    "asleep": "sleep", "awake": "wake", "sunk": "sink", "worn": "wear", "torn": "tear",
    "rotten": "rot", "spilt": "spill", "bent": "bend", "swollen": "swell", "grown": "grow",
    "stolen": "steal", "gone": "go", "hidden": "hide", "woken": "wake", "molten": "melt",
}  # fmt: skip


def words(text: str) -> frozenset[str]:
    """The words of a text without quotes and commas, as a set."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One token.

    Attributes:
        text: as written; of a quoted name without its quotes.
        low: the same in lower case.
        is_quoted, is_word: whether it is a quoted name, or a word or number.
    """

    text: str
    low: str
    start: int
    end: int
    is_quoted: bool
    is_word: bool

    @property
    def is_name(self) -> bool:
        """Whether it may be (part of) a name."""
        return self.is_quoted or self.is_word


def tokens(text: str) -> list[Lexeme]:
    """The tokens of `text`, in time linear in its length."""
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "sign"
        is_quoted = kind not in ("number", "word", "sign")
        said = match[kind].strip() if is_quoted else match[0].replace("\u2019", "'")
        is_word = kind in ("number", "word")
        found.append(Lexeme(said, said.casefold(), match.start(), match.end(), is_quoted, is_word))
    return found


@lru_cache(maxsize=4096)
def number(word: str) -> float | None:
    """A number in digits or in words (``twenty-five``); None for any other word."""
    if not word:
        return None
    try:
        return float(word) if _NUMBER.fullmatch(word) else _in_words(word)
    except KeyError:
        return None


def _in_words(word: str) -> float:
    parts = word.casefold().split("-")
    if len(parts) == 2 and not (20 <= NUMBER_WORDS[parts[0]] < 100 > 9 >= NUMBER_WORDS[parts[1]]):
        raise KeyError(word)
    if len(parts) > 2:
        raise KeyError(word)
    return float(sum(NUMBER_WORDS[part] for part in parts))


def singular(noun: str) -> str:
    """A noun without its plural ending; irregular ones that people name places with are known."""
    low = noun.casefold()
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    for ending, instead in _PLURALS:
        if low.endswith(ending) and len(low) > len(ending) + 1:
            return low.removesuffix(ending) + instead
    return low[:-1] if low.endswith("s") and not low.endswith(("ss", "us", "is")) else low


def stem(word: str) -> str:
    """What ``starving``, ``starves`` and ``starved`` have in common; rough, for comparing only."""
    low = word.casefold().replace("our", "or").replace("gray", "grey")
    if low.isalpha():
        low = singular(low)
    low = _PARTICIPLES.get(low, low)
    for ending in ("ational", "ation", "ness", "ing", "edly", "ely", "ed", "ly", "er", "al", "e",
                   "y"):  # fmt: skip
        if low.endswith(ending) and len(low) - len(ending) >= 3:
            low = low.removesuffix(ending)
            break
    return low[:-1] if len(low) > 3 and low[-1] == low[-2] else low


def words_of(parts: Iterable[Lexeme]) -> str:
    """The tokens as one name."""
    return " ".join(part.text for part in parts)
