"""What a sentence asks for, read with plain patterns: sizes, names, goals, noise, temper."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from orchestrator.types.pattern import pattern

_NUMBER_WORDS = {word: number for number, word in enumerate((
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
))}  # fmt: skip
COUNT = r"(\d{1,4}|" + "|".join(_NUMBER_WORDS) + r")"
_GRID = pattern(rf"\b{COUNT}\s*(?:x|\u00d7|by|times)\s*{COUNT}\b", re.IGNORECASE)
_GRID_WORDS = pattern(
    r"(?<!\bt[ -])\b(grid|maze|labyrinth|gridworld|grid-world|tiles|chessboard)\b", re.I
)
_LIST = pattern(
    r"\b(?P<what>states?|observations?|signals?|actions?|moves|choices)\b(?:\s+(?:are|is|named|called))?"
    r"\s*[:=(]\s*(?P<names>[^.;:()\n]+)",
    re.IGNORECASE,
)
_COUNTED = pattern(
    rf"\b{COUNT}[\s-]+(?:different\s+|possible\s+)?([a-z]{{3,20}}?)s?\b(?!\s*%)", re.IGNORECASE
)
_PERCENT = r"(\d{1,3}(?:\.\d+)?)\s*(?:%|percent)"
_CELL = r"(?:r(\d{1,3})c(\d{1,3})|(?:\(\s*+)?(\d{1,3})\s*+,\s*+(\d{1,3})(?:\s*+\))?)"
_PLACE = pattern(
    rf"{_CELL}|\b(?:top|upper|bottom|lower|north|south|far|near)?[\s-]*+"
    r"(?:(?:left|right|east|west)[\s-]*+)?(?:corner|cent(?:re|er)|middle)\b",
    re.IGNORECASE,
)
_ARTICLES = r"\s+(?:the\s+|a\s+|an\s+|state\s+|cell\s+)*"
_GOAL = pattern(
    r"\b(?:reach(?:es)?|goal(?:\s+is)?(?:\s+at)?|get(?:s)? to|go(?:es)? to|"
    rf"arrive(?:s)? (?:at|in)|find(?:s)?|prefers?|likes?|target(?:\s+is)?){_ARTICLES}",
    re.IGNORECASE,
)
_START = pattern(
    rf"\b(?:start(?:s|ing)?|begin(?:s|ning)?)(?:\s+(?:at|in|from))?{_ARTICLES}", re.IGNORECASE
)
_LABEL = pattern(r"[A-Za-z][\w]*(?:[ _-][A-Za-z]\w*)?")
_CELLS = rf"\s++((?:{_CELL}(?:\s*+(?:,|and)\s*+)*)+)"
_AVOIDED = pattern(
    r"\b(?:avoid(?:s|ing)?|trap(?:s)?(?:\s+at)?|pit(?:s)?(?:\s+at)?|"
    rf"hazard(?:s)?(?:\s+at)?|danger(?:s)?(?:\s+at)?){_CELLS}",
    re.IGNORECASE,
)
_BLOCKED = pattern(
    rf"\b(?:obstacles?|walls?|blocked|blocks?)(?:\s++(?:at|on|in|cells?))*{_CELLS}", re.IGNORECASE
)
_NOISE_OF = pattern(
    rf"{_PERCENT}\s+(?:of\s+)?(?:(?:sensor|observation|sensory|sensing|measurement|camera)\s*)?nois",
    re.IGNORECASE,
)
_NOISE_BY = pattern(
    rf"\bnois\w*+\s+(?:sensors?\s+|observations?\s+)?(?:of\s+|by\s+|at\s+|level\s+)?{_PERCENT}",
    re.IGNORECASE,
)
_HORIZON = pattern(
    rf"\bhorizon\s+(?:of\s+|to\s+)?{COUNT}\b|\b{COUNT}\s+(?:steps?|moves?)\s+ahead\b", re.IGNORECASE
)
#: How much more a cautious agent weighs what is disliked.
CAUTION = 1.5
_TEMPERS = {
    "cautious": pattern(
        r"\b(?:more )?(?:cautious|careful|prudent|risk-averse|safe(?:ly|r)?|timid)\b", re.I
    ),
    "curious": pattern(
        r"\b(?:curious|inquisitive|exploratory|information-seeking|epistemic)\b", re.I
    ),
    "greedy": pattern(r"\b(?:greedy|bold|reckless|impatient|risk-seeking|aggressive)\b", re.I),
}
_THINGS = frozenset((
    "state", "room", "location", "place", "site", "level", "zone", "station", "spot", "area",
    "node", "city", "shelf", "shelve", "floor", "mode", "phase",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wording:
    """What was found; empty and None mean that the sentence does not say."""

    text: str
    grid: tuple[int, int] | None = None
    mentions_grid: bool = False
    states: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    goal: str = ""
    start: str = ""
    avoid: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    n_obstacles: int = 0
    noise: float | None = None
    slip: float | None = None
    horizon: int | None = None
    temper: frozenset[str] = field(default_factory=frozenset)


def number(word: str) -> int:
    """A count written in digits or as a word."""
    return _NUMBER_WORDS[word.lower()] if word.lower() in _NUMBER_WORDS else int(word)


def read_wording(text: str) -> Wording:
    """Everything the sentence says that a model can be adapted to."""
    match = _GRID.search(text)
    grid = (number(match[1]), number(match[2])) if match else None
    lists = _lists(text)
    return Wording(
        text,
        grid=grid if grid and min(grid) >= 1 else None,
        mentions_grid=bool(_GRID_WORDS.search(text)),
        states=lists.get("state", ()) or _counted_states(text),
        observations=lists.get("observation", ()),
        actions=lists.get("action", ()),
        goal=_after(text, _GOAL),
        start=_after(text, _START),
        avoid=_cells(text, _AVOIDED),
        blocked=_cells(text, _BLOCKED),
        n_obstacles=_obstacle_count(text),
        noise=_noise(text),
        slip=_slip(text),
        horizon=_horizon(text),
        temper=frozenset(name for name, temper in _TEMPERS.items() if temper.search(text)),
    )


def slug(words: str) -> str:
    """A label made of words."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", words.strip()).strip("_")[:48]


def _lists(text: str) -> dict[str, tuple[str, ...]]:
    kinds = {"signal": "observation", "move": "action", "choice": "action"}
    found: dict[str, tuple[str, ...]] = {}
    for match in _LIST.finditer(text):
        what = match["what"].lower().rstrip("s")
        parts = re.split(r" ?, ?(?:and |or )?| and | or |/", " ".join(match["names"].split()))
        names = tuple(dict.fromkeys(slug(part) for part in parts if slug(part)))
        if len(names) >= 2 and all(len(part.split()) <= 3 for part in parts):
            found[kinds.get(what, what)] = names
    return found


def _counted_states(text: str) -> tuple[str, ...]:
    for match in _COUNTED.finditer(text):
        n, noun = number(match[1]), match[2].lower()
        if noun in _THINGS and 2 <= n <= 256:
            stem = {"shelve": "shelf", "citie": "city"}.get(noun, noun)
            return tuple(f"{stem}_{i + 1}" for i in range(n))
    return ()


def _after(text: str, verb: re.Pattern[str]) -> str:
    """The place or label that follows a verb."""
    for match in verb.finditer(text):
        if place := _PLACE.match(text, match.end()):
            return place[0].strip().lower()
        if word := _LABEL.match(text, match.end()):
            return slug(word[0])
    return ""


def _cells(text: str, noun: re.Pattern[str]) -> tuple[str, ...]:
    match = noun.search(text)
    if match is None:
        return ()
    return tuple(dict.fromkeys(m[0].strip() for m in re.finditer(_CELL, match[1])))


def _obstacle_count(text: str) -> int:
    match = re.search(rf"\b{COUNT}\s+(?:obstacles?|walls?|blocked cells?)\b", text, re.I)
    if match:
        return number(match[1])
    return 1 if re.search(r"\b(?:an obstacle|a wall)\b", text, re.I) else 0


def _share(text: str) -> float:
    return min(float(text) / 100.0, 1.0)


def _noise(text: str) -> float | None:
    if match := _NOISE_OF.search(text) or _NOISE_BY.search(text):
        return _share(match[1])
    if re.search(
        r"\b(?:perfect|exact|noise-?free|reliable)\s+(?:sensors?|observations?|sight)", text, re.I
    ):
        return 0.0
    if re.search(r"\bvery noisy\b", text, re.I):
        return 0.3
    return 0.2 if re.search(r"\bnois(?:y|e)\b", text, re.I) else None


def _slip(text: str) -> float | None:
    if match := re.search(rf"\bslip[a-z]*+[^.%]{{0,30}}?{_PERCENT}", text, re.I) or re.search(
        rf"{_PERCENT}[^.%]{{0,20}}?\bslip", text, re.I
    ):
        return _share(match[1])
    if re.search(r"\b(?:never slips|no slip|deterministic moves?)\b", text, re.I):
        return 0.0
    return 0.2 if re.search(r"\bslip(?:s|pery|ping)?\b|\bicy\b", text, re.I) else None


def _horizon(text: str) -> int | None:
    match = _HORIZON.search(text)
    return max(1, number(match[1] or match[2])) if match else None


def cells(rows: int, columns: int) -> list[str]:
    """The labels of a grid's cells, row by row."""
    return [f"r{i}c{j}" for i in range(rows) for j in range(columns)]


def cell_of(place: str, rows: int, columns: int) -> str | None:
    """A cell label for words such as ``top right corner``, ``(2,3)`` or ``r2c3``."""
    if match := re.fullmatch(_CELL, place.strip(), re.I):
        i, j = (int(part) for part in match.groups() if part is not None)
        return f"r{i}c{j}" if i < rows and j < columns else None
    if not re.search(r"corner|cent|middle", place, re.I):
        return None
    if re.search(r"cent|middle", place, re.I):
        return f"r{rows // 2}c{columns // 2}"
    top = re.search(r"top|upper|north|near", place, re.I)
    bottom = re.search(r"bottom|lower|south|far", place, re.I)
    left = re.search(r"left|west", place, re.I)
    right = re.search(r"right|east", place, re.I)
    i = 0 if top and not bottom else rows - 1
    j = 0 if left and not right else columns - 1
    if top and not left and not right and not bottom:
        j = 0 if re.search("near", place, re.I) else columns - 1
    return f"r{i}c{j}"
