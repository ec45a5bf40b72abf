"""Which results count as one source, and how many independent hosts there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.generation.search import data_block
from orchestrator.generation.search.data_block import Source, clean, cut
from orchestrator.types.searching import SearchHit

# Of the five-letter sequences of the shorter text as many stand in the longer one, which holds more
# of them by chance the longer it is. Measured: snippets of their own on one subject share up to
# 0.27, a snippet and a long page up to 0.56, copies with a fifth of their words replaced 0.6 and
# more.
_LETTERS = 5
_LONG = 1_500  # sequences
_ALIKE, _ALIKE_LONG = 0.4, 0.6
_FEWEST = 30  # sequences; shorter texts are copies where they are equal
# Under these a country's registry sells names: bbc.co.uk is a host, co.uk is not one.
_SECOND_LEVEL = frozenset(
    {"ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ne", "net", "or", "org"}
)


@dataclass(frozen=True, slots=True)
class _Text:
    """A result that may become a source."""

    hit: SearchHit
    host: str
    origin: str
    text: str
    parts: frozenset[str]
    digits: tuple[str, ...]


def distinct(
    hits: Sequence[SearchHit],
    pages: Mapping[str, str] | None = None,
    *,
    each: int = data_block.MOST_PER_SOURCE,
    total: int = data_block.MOST_IN_TOTAL,
) -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """The sources among `hits`, cleaned, cut and numbered, and a note on each that was left out.

    A copy of the text of an earlier result is left out where it has the same numbers in the same
    order. Else either may be the one that was changed: it stays, and does not count as independent.
    `pages` holds page texts by address; they stand in place of the snippets, and want a thread:
    they take up to 0.2 s. A text has at most `each` characters, all of them `total`.
    """
    notes: list[str] = []
    seen: list[_Text] = []
    kept: list[_Text] = []
    for hit in hits:
        text = clean((pages or {}).get(hit.url) or hit.snippet or hit.title)
        if not (host := host_of(hit.url)) or not text:
            notes.append(
                f"left out: {cut(_line(hit.url), 80)!r} has no {'text' if host else 'host'}"
            )
            continue
        parts, digits = _sequences(text), tuple(re.findall(r"\d+", text))
        copied = [one for one in seen if _alike(parts, one.parts)]
        origin = copied[0].origin if copied else host
        seen.append(_Text(hit, host, origin, text, parts, digits))
        if any(digits == one.digits for one in copied):
            notes.append(f"left out: {host} has a copy of what {origin} says")
        else:
            kept.append(seen[-1])
    return _numbered(kept, each, total), tuple(notes)


def _numbered(kept: Sequence[_Text], each: int, total: int) -> tuple[Source, ...]:
    most = data_block.lengths(
        [len(one.text) for one in kept],
        each=each, total=total,
    )  # fmt: skip
    return tuple(
        Source(
            number,
            cut(_line(one.hit.title), data_block.MOST_OF_A_TITLE),
            one.hit.url,
            one.host,
            one.origin,
            cut(one.text, length),
            cut(clean(one.hit.snippet), data_block.MOST_OF_A_SNIPPET),
            cut(_line(one.hit.date), data_block.MOST_OF_A_DATE),
        )
        for number, (one, length) in enumerate(zip(kept, most, strict=True), 1)
    )


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _sequences(text: str) -> frozenset[str]:
    letters = re.sub(r"[\W_]+", "", text[: data_block.MOST_PER_SOURCE].casefold())
    return frozenset(letters[n : n + _LETTERS] for n in range(max(len(letters) - _LETTERS + 1, 1)))


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    fewest, most = sorted((len(one), len(other)))
    share = _ALIKE if most < _LONG else _ALIKE_LONG
    return one == other if fewest < _FEWEST else len(one & other) >= share * fewest


def host_of(url: str) -> str:
    """The registrable domain of an http(s) address, in ASCII; empty where there is none.

    The last two labels, or three where a country sells names under the second. Sites that share
    such a domain (of ``github.io``, say) count as one host.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").encode("idna").decode().lower()
    except ValueError:  # a UnicodeError too
        return ""
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[a-z0-9.:-]+", host):
        return ""
    labels = host.split(".")
    if labels[-1].isdigit() or ":" in host:  # an address, not a name
        return host
    is_sold = len(labels[-1]) == 2 and len(labels) > 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if is_sold else labels[-2:])


def hosts(sources: Iterable[Source]) -> int:
    """How many independent hosts there are; one of several with the same text or host counts."""
    return len({one.origin for one in sources})
