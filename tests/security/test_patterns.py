"""No pattern of the package takes longer than in proportion to the length of a text.

Each is run over texts that are hostile to it, made from the pattern itself, of growing length.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.generation.search import citations, need_words, quotes
from orchestrator.gmn.formats import candidates
from orchestrator.gmn.request import lists, numbers, odds, places, refusals, standing, wishes
from orchestrator.models.groups import _fits
from orchestrator.models.secrets import Secrets
from orchestrator.parsing import lenient_json
from orchestrator.parsing.scanning import Scanner
from tests.security import hostile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

pytestmark = pytest.mark.timeout(900)  # much work, on machines that do other work too
LENGTH = 2400
#: Rooms of the reader of sentences that have tables of phrases.
PHRASES = (lists, numbers, odds, places, refusals, standing, wishes)
#: Patterns that the program makes while it runs; the tests below run each of them.
MADE_LATER = {
    # our own lists of words: each is run below
    'orchestrator.generation.search.need_words: f"(?<![\\\\w\'])(?=\\\\w)(?:{joined})(?!\\\\w)"',
    # over one number, and over a quotation with what was written as a unit, escaped
    "orchestrator.generation.search.quotes: "
    "f'[+-]?(?:\\\\d+|[1-9]\\\\d{{0,2}}(?:{grouped}\\\\d{{3}})+)'",
    "orchestrator.generation.search.quotes: "
    "f'(?<![^\\\\W\\\\d_]){re.escape(unit)}(?![^\\\\W\\\\d_])'",
    # over labels of 48 characters
    "orchestrator.gmn.acting.expectations: fnmatch.translate(label)",
    "orchestrator.gmn.request.phrases: f'(?<!\\\\S)(?:{text})(?!\\\\S)'",  # each is run below
    "orchestrator.models.groups: pattern",
    "orchestrator.models.secrets: f'{_BEFORE_A_KEY}(?:{short})(?!\\\\w)'",
    "orchestrator.models.secrets: form",
    "orchestrator.parsing.scanning: '|'.join([*parts, self._others, *stops])",
    "orchestrator.routing.translate: f'\\\\b{name}\\\\b'",  # one of our names and nothing else
}


@lru_cache
def known() -> tuple[list[hostile.Pattern], list[str]]:
    return hostile.patterns()


def slow_on(
    pattern: re.Pattern[str],
    work: Callable[[str], object],
    *,
    in_c: bool = True,
    most: int = 40,
    every: int = 1,
) -> str:
    """The first hostile text on which a pattern takes longer than it should, in words."""
    for make in hostile.hostile_to(pattern)[::every]:
        if why := hostile.grows_faster(work, make, LENGTH, in_c=in_c, most=most):
            return f"{pattern.pattern!r} on {make(24)!r}: {why}"
    return ""


def test_every_pattern_of_the_package_is_found() -> None:
    found, made_later = known()
    assert len(found) > 100
    assert set(made_later) == MADE_LATER


#: Of the texts that are made for a pattern, each third by default.
EVERY = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])


@EVERY
@pytest.mark.parametrize("part", range(2))
def test_no_pattern_takes_longer_than_the_length_of_a_text_allows(part: int, every: int) -> None:
    slow = [slow_on(one.compiled, one.run, every=every) for one in known()[0][part::2]]
    assert not any(slow), [one for one in slow if one]


def _all_pieces(one: Scanner, text: str) -> int:
    return sum(1 for _ in one.pieces(text))


@EVERY
def test_no_scanner_takes_longer_than_the_length_of_a_text_allows(every: int) -> None:
    scanners = [
        (f"{module.__name__}.{name}", made)
        for module, _ in hostile.trees()
        for name, made in vars(module).items()
        if isinstance(made, Scanner)
    ]
    assert len(scanners) >= 6
    for name, one in scanners:
        slow = slow_on(one.pattern(), partial(_all_pieces, one), in_c=False, every=every)
        assert not slow, (name, slow)


@pytest.mark.parametrize("opening", ['"', "'", '\\"', "&quot;"])
def test_quotes_that_are_open_until_the_end_of_their_line_are_passed_once(opening: str) -> None:
    line = f"{opening}\n"
    for one in (candidates._JSON, lenient_json._PIECES):
        why = hostile.grows_faster(
            partial(_all_pieces, one), lambda n: line * (n // len(line)), 8 * LENGTH, in_c=False
        )
        assert not why, (opening, why)


def test_patterns_that_a_configuration_shapes_are_no_slower() -> None:
    secrets = Secrets(["short", "abcdefgh", "sk-another-1234"])
    assert secrets._short is not None
    assert not slow_on(secrets._short, secrets.removed, in_c=False)
    stars = re.compile("a*b*c*d*")  # for its texts only
    assert not slow_on(stars, lambda text: _fits(text, "*a*a*a*a*a*b"), in_c=False)


#: Lists of words have thousands of texts, one for each word, which are much alike.
@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [n for n, p in vars(need_words).items() if type(p) is re.Pattern])
def test_the_words_that_ask_for_a_search_are_no_slower(name: str, every: int) -> None:
    pattern = getattr(need_words, name)
    # Each tries some hundred words at every word of at most 2,000 characters: 6 µs a character.
    assert not slow_on(pattern, pattern.search, most=100, every=every)


def _phrases(value: object) -> Iterator[re.Pattern[str]]:
    """The phrases in a table of them."""
    if isinstance(value, tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _phrases(part)
    elif hasattr(value, "finditer") and hasattr(value, "pattern"):
        yield re.compile(value.pattern)  # compiled when first used


#: Words of the same rule are much alike: of the texts each twelfth.
@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("table", PHRASES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_phrases_of_a_sentence_are_no_slower(table: ModuleType, every: int) -> None:
    found = [one for name, value in vars(table).items() if name != "__builtins__"
             for one in _phrases(value)]  # fmt: skip
    assert found
    for one in found:
        assert not slow_on(one, one.findall, most=100, every=every)


def test_patterns_of_a_search_are_no_slower() -> None:
    number = re.compile(r"[+-]?(?:\d+|[1-9]\d{0,2}(?:,\d{3})+)")  # for its texts only
    assert not slow_on(number, quotes._readings)
    assert not slow_on(re.compile(r"(?<![^\W\d_])km"), partial(quotes.has_unit, "km"))
    for one in (citations._PLACES, citations._CODE):
        assert not slow_on(one, citations._lists_in_lists, in_c=False)
        assert not slow_on(one, citations._is_code)


def test_the_patterns_of_our_schemas_are_no_slower() -> None:
    def patterns_in(part: object) -> set[str]:
        parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        stated = part.get("pattern") if isinstance(part, dict) else None
        return ({stated} if isinstance(stated, str) else set()).union(*map(patterns_in, parts))

    for path in Path("schemas").glob("*.json"):
        for stated in patterns_in(json.loads(path.read_text(encoding="utf-8"))):
            made = re.compile(stated.replace(r"\z", r"\Z"))
            assert not slow_on(made, made.search), path


@pytest.mark.parametrize(
    ("pattern", "is_slow"),
    [
        (r"(a|a)*b", True), (r"(a+)+\Z", True), (r"\s*x?\s*!", True), (r"@\([^)]*\)", True),
        (r"\d+\s*/\s*\d+", True), (r"(?:[^\s=]+(?:\s*\|\s*[^\s=]+)*)\s*\Z", True),
        (r"a*+b", True), (r"(?<!\d)\d++\s*+/\s*+\d++", False), (r"ab*+c|d", False),
    ],
)  # fmt: skip
def test_a_slow_pattern_is_seen(pattern: str, *, is_slow: bool) -> None:
    made = re.compile(pattern)

    def asked() -> Iterator[bool]:
        # A busy machine hides one that is only a little slow, and is not the measure of later ones.
        for _ in range(10 if is_slow else 3):
            hostile._plain.cache_clear()
            yield bool(slow_on(made, lambda text: len(made.findall(text))))

    assert any(asked()) is is_slow
