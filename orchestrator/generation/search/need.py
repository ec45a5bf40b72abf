"""Whether a request needs current information, by words that are named in the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.generation.search.need_words import (
    ASKED,
    DATED,
    FRESH,
    MOMENT,
    PRINCIPLES,
    SETTLED,
    STABLE,
    STANDING,
    TOPIC,
)
from orchestrator.generation.search.query import request_part

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Need:
    """Whether to search, and why, in a sentence that quotes the words it was decided by.

    Attributes:
        words: those of the request that ask for it; empty where none do.
    """

    is_needed: bool
    reason: str
    words: str = ""


_GOOGLE = re.compile(r"(?:please |can you )?google (?!i/o|cloud|maps|docs|pixel|gemini)\w+", re.I)
_QUOTED = re.compile(
    '["\u201c\u201e\u00ab][^"\u201d\u201c\u00bb\n]{4,}?["\u201d\u201c\u00bb]|`[^`\n]+`'
)
_YEAR = re.compile(r"(?<![\w.,/-])(1\d{3}|20\d\d)s?(?![\w/-]|[.,]\d)")
_QUESTION = re.compile(
    r"\?|^\s*(?:what|who|which|when|where|how|is|are|has|have|did|does|do|will|any|tell|list|name"
    r"|summari|compare|find|show|give|w(?:ie|er|as|ann|elche)|qu|cu[aá]|ist |sind |hat |est |es "
    r"|son|ha |hay |y a|can |was |chi|news|latest|newest|current|breaking)",
    re.I,
)
#: A description of an agent names things of its own world: only a dated thing is meant as today's.
_AGENT = re.compile(
    r"\s*(?:(?:simulate|model|describe|generate|build)\s+)?"
    r"(?:an?|the|two|three|eine?n?|une?|una)\s"
    r"|\s*(?:simulate|(?:design|create|sketch) an? (?:\w+ )?(?:agent|model|robot))\b",
    re.I,
)
#: What "latest" means within a text, a program or a series.
_OF_OWN = re.compile(
    r"\W*(?:(?:time|training|working)[ -])?(?:steps?|states?|iterations?|nodes?|elements?|values?"
    r"|index|theory|commits?|entry|entries|frames?|rows?|orders?|position|directory|password|lines?"
    r"|items?|log|letter|patch|stage|étape|cell|turn|round|message|input|one|branch|file|of)\b",
    re.I,
)
_LAST = re.compile(r"last|letzt|[uú]ltim|derni", re.I)  # of what was: of a series that has ended
_WEAK = re.compile(r"c|a[ct]tu", re.I)  # current, actual…: of a thing in the request, as a rule
_PAST = re.compile(r"\b(?:was|were|did|had|ruled|fell|said|fue|era|était|war|wurde)\b", re.I)
#: A name within a sentence; in German every noun looks like one.
_NAME = re.compile(r"(?<=[\w,'] )(?!I\b)[A-Z][\w/&]*\w|(?<= )i[A-Z]\w+")
_NAME_IN_GERMAN = re.compile(r"\b[A-Z]{2,}\b|\b(?:in|von|aus|bei|für) [A-Z]\w+")
_GERMAN = re.compile(
    r"\s*(?:eine?n?|w(?:ie|arum|er|as|elche|ann|o)|ist|sind|gibt|hat|kann)\b", re.I
)
_MEASURED = re.compile(r"\b(?:euro|dollar|bitcoin|inflation|unemployment|incidence|headlines)\b")
_MEANT = (
    *("latest", "newest", "current", "currently", "recent", "recently", "today", "yesterday"),
    *("tomorrow", "tonight", "weather", "forecast", "price", "prices", "president", "minister"),
    *("version", "release", "exchange", "right", "score", "weekend"),
)
_LEAST_TYPO = 5  # letters


def _misspelled() -> dict[str, str]:
    """Words with a letter missing or two letters swapped, and what is meant by them."""
    found = {"lastest": "latest", "todays": "today's", "tommorow": "tomorrow"}
    for word in _MEANT:
        for i in range(1, len(word)):
            found[word[:i] + word[i + 1 :]] = word
            found[word[: i - 1] + word[i] + word[i - 1] + word[i + 1 :]] = word
    return {w: right for w, right in found.items() if len(w) >= _LEAST_TYPO and w not in _MEANT}


_MISSPELLED = _misspelled()


class _Seen:
    """A request, and the words in it that may speak of today."""

    def __init__(self, request: str, today: datetime.date) -> None:
        text = _QUOTED.sub(" … ", request)
        spelled = re.sub(r"[A-Za-z]{5,}", lambda word: _MISSPELLED.get(word[0], word[0]), text)
        self.text = spelled
        self.today = today
        self.moment, self.fresh, self.topic = (
            pattern.search(spelled) for pattern in (MOMENT, FRESH, TOPIC)
        )
        self.named = self.moment or self.fresh
        self.name = (_NAME_IN_GERMAN if _GERMAN.match(text) else _NAME).search(spelled)
        self.is_question = bool(_QUESTION.search(spelled))
        self.year = max(map(int, _YEAR.findall(spelled)), default=0)

    def is_about(self, when: re.Match[str] | None) -> bool:
        """Whether `when` is said beside something that changes."""
        return bool(when and self.topic and self.topic.span() != when.span())

    def yes(self, *words: str) -> Need:
        """It is needed because of these words."""
        quoted = " with ".join(f'"{word}"' for word in words)
        return Need(True, f"{quoted} asks how things stand on {self.today}.", words[0])


def need(text: str, today: datetime.date) -> Need:
    """Whether the answer to a request depends on how things stand `today`.

    What is quoted is given, and does not count; a year counts from last year on.
    """
    asked = request_part(text).replace("\u2019", "'")
    if found := ASKED.search(asked) or _GOOGLE.match(asked):
        return Need(True, f'"{found[0]}" asks for a search.')
    seen = _Seen(asked, today)
    decided = (rule(seen) for rule in _RULES)
    unclear = Need(False, "Nothing in it asks how things stand today.")
    return next((one for one in decided if one is not None), unclear)


def _settled(seen: _Seen) -> Need | None:
    found = SETTLED.search(seen.text)
    if not found and not seen.is_about(seen.moment):
        found = PRINCIPLES.search(seen.text)
    if found:
        beside = f', so that "{seen.named[0]}" does not mean today' if seen.named else ""
        return Need(False, f'"{found[0]}" can be answered from the request{beside}.')
    if 0 < seen.year < seen.today.year - 1 and not seen.moment:
        return Need(False, f"{seen.year} is settled.")
    return None


def _agent(seen: _Seen) -> Need | None:
    if not _AGENT.match(seen.text) or "?" in seen.text:
        return None
    dated = DATED.search(seen.text)
    names = seen.name or _MEASURED.search(seen.text)
    if dated is None or not (names or dated[0].lower().startswith("as of")):
        return Need(False, "It describes an agent and its own world.")
    return seen.yes(dated[0])


def _standing(seen: _Seen) -> Need | None:
    if seen.year >= seen.today.year - 1 and seen.is_question:
        return Need(True, f"{seen.year} is not settled on {seen.today}.", str(seen.year))
    found = STANDING.search(seen.text)
    return seen.yes(found[0]) if found else None


def _moment(seen: _Seen) -> Need | None:
    if seen.named and seen.topic and seen.is_about(seen.named):
        return seen.yes(seen.named[0], seen.topic[0])
    return seen.yes(seen.moment[0]) if seen.moment and seen.is_question else None


def _fresh(seen: _Seen) -> Need | None:
    if not seen.fresh or not seen.is_question or _WEAK.match(seen.fresh[0]):
        return None
    if _LAST.match(seen.fresh[0]) and _PAST.search(seen.text):
        return None
    return None if _OF_OWN.match(seen.text[seen.fresh.end() :]) else seen.yes(seen.fresh[0])


def _of_a_name(seen: _Seen) -> Need | None:
    text = seen.text
    if not seen.name or not seen.is_question or _PAST.search(text) or STABLE.search(text):
        return None
    words = f'What is asked of "{seen.name[0]}" may have changed until {seen.today}.'
    return Need(True, words, seen.name[0])


#: In this order; the first that decides is asked no further.
_RULES: tuple[Callable[[_Seen], Need | None], ...] = (
    _settled, _agent, _standing, _moment, _fresh, _of_a_name,
)  # fmt: skip
