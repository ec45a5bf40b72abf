"""Which known word a misspelt one means, where there is evidence for one reading only."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from orchestrator.types.pattern import pattern
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_LETTER = r"[^\W\d_]"
_HUMP = pattern(r"(?<=[a-z])(?=[A-Z])")
# "-" and "." separate words between letters only: beside a digit they are a sign or a point.
_SEPARATOR = pattern(rf"(?<={_LETTER})(?:[-.](?={_LETTER})|\.$)")
_TOKEN = pattern(rf"{_LETTER}+|\d+|[^\w\s]")
_ROMAN = pattern(r"[ivx]+")
_NEGATING = ("a", "de", "dis", "il", "im", "in", "ir", "mis", "nei", "nev", "non", "not", "un")
_SHORTEST = 3  # letters; of a shorter word one letter is too large a part
#: Letters of a word in which one may be replaced, or two exchanged, where nothing says that both
#: words come from one author: "gaol" is not "goal".
SHORTEST_REPLACED = 7
_FIRST_IDEOGRAPH = "\u2e80"  # from here on one character is a word or a syllable


def nearest(word: str, known: Iterable[str], *, replaced: int = _SHORTEST) -> str | None:
    """The one known word that `word` means; None when there is none, or more than one.

    A word means the known word that equals it but for case; else but for spaces, ``_``, and ``-``
    or ``.`` between letters; else the one that differs by one letter added or left out in a word
    of at least 3 letters, or by one replaced or two neighbours exchanged in a word of at least
    `replaced`. Digits, signs, operators and Roman numerals are never in doubt, and neither is a
    negating prefix or word: ``s10`` is not ``s1``, ``C++`` is not ``C``, ``typical`` is not
    ``atypical``. Opposites such as min and max, left and right are more than one letter apart.
    """
    options = tuple(known)
    look(5 + len(options) // 16)
    if word in options:
        return word
    index, folded = _indexed(options), word.casefold()
    near = {option: None for key in _halves(folded) for option in index.get(key, ())}
    look(5 * len(near))
    alike = (
        index.get(folded, ()),
        index.get(_unspaced(word), ()),
        [option for option in near if _is_misspelt(word, option, replaced)],
    )
    found = next(filter(None, alike), ())
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=16)
def _indexed(options: tuple[str, ...]) -> dict[object, list[str]]:
    """Words by what they have in common with those that may mean them.

    The word in lower case, its letters without spaces, and each of `_halves`.
    """
    index: dict[object, list[str]] = {}
    for option in dict.fromkeys(options):
        folded, letters = option.casefold(), _unspaced(option)
        for key in (folded, *([letters] if letters else ()), *_halves(folded)):
            index.setdefault(key, []).append(option)
    return index


def _halves(folded: str) -> set[tuple[int, str]]:
    """What one edit leaves: the beginning of a word or its end, each half of the shorter word.

    Beginnings are marked 1, ends -1.
    """
    size = len(folded)
    halves = {max(0, (shorter - 1) // 2) for shorter in (size - 1, size)}
    return {(1, folded[:h]) for h in halves} | {(-1, folded[size - h :]) for h in halves}


def nearest_keys(
    given: Collection[str], known: Iterable[str], *, replaced: int = _SHORTEST
) -> dict[str, str]:
    """The known key that each unknown key of `given` means, where there is one.

    No value changes places: a key that is given is never taken for another, and of two keys that
    would mean the same neither does.
    """
    options = known if isinstance(known, dict) else dict.fromkeys(known)
    unknown = [key for key in given if key not in options]
    if not unknown:
        return {}
    near = {key: nearest(key, options, replaced=replaced) for key in unknown}
    claims = Counter(near.values())
    return {
        key: name
        for key, name in near.items()
        if name is not None and name not in given and claims[name] == 1
    }


def is_respelled(word: str, option: str) -> bool:
    """Whether two words differ in case, spaces, ``_``, and ``-`` or ``.`` between letters alone."""
    letters = _unspaced(word)
    return word.casefold() == option.casefold() or (letters == _unspaced(option) and bool(letters))


def _is_misspelt(word: str, option: str, replaced: int) -> bool:
    """Whether one letter of one word is the only difference."""
    if not _is_one_edit(word.casefold(), option.casefold()):
        return False
    ours, theirs = _tokens(word), _tokens(option)
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if a != b]
    return len(ours) == len(theirs) and len(pairs) == 1 and _is_typing_error(*pairs[0], replaced)


def _is_typing_error(a: str, b: str, replaced: int) -> bool:
    shortest = replaced if len(a) == len(b) else _SHORTEST
    if not (a.isalpha() and b.isalpha()) or max(a + b) >= _FIRST_IDEOGRAPH:
        return False
    if min(len(a), len(b)) < shortest or (_ROMAN.fullmatch(a) and _ROMAN.fullmatch(b)):
        return False
    if any(a == prefix + b or b == prefix + a for prefix in _NEGATING):
        return False
    return a.startswith(_NEGATING) == b.startswith(_NEGATING)


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    """Words, numbers and operators in order, in lower case; "firstName" is two words."""
    parted = _SEPARATOR.sub("_", _HUMP.sub("_", text.strip()))
    return tuple(token.casefold() for token in _TOKEN.findall(parted))


@lru_cache(maxsize=4096)
def _unspaced(text: str) -> tuple[str, ...]:
    """The same with neighbouring words joined; neighbouring numbers stay apart."""
    groups = groupby(_tokens(text), key=str.isalpha)
    return tuple(("" if is_words else " ").join(group) for is_words, group in groups)


def _is_one_edit(a: str, b: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours turns `a` into `b`."""
    half = (min(len(a), len(b)) - 1) // 2
    if abs(len(a) - len(b)) > 1 or a == b:
        return False
    # Most pairs are far apart; one edit leaves the first half or the last as it was.
    if half > 0 and a[:half] != b[:half] and a[-half:] != b[-half:]:
        return False
    start = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    rest_a, rest_b = a[start:], b[start:]
    if len(a) == len(b):
        swapped = rest_a[1::-1] == rest_b[:2] and rest_a[2:] == rest_b[2:]
        return rest_a[1:] == rest_b[1:] or swapped
    longer, shorter = (rest_a, rest_b) if len(a) > len(b) else (rest_b, rest_a)
    return longer[1:] == shorter
