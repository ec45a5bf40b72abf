"""The tokens of one text with what several rules look up: clauses, places, what is taken."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.gmn.request.commitment import Commitment, TextSpan
from orchestrator.gmn.request.phrases import TokenLine
from orchestrator.gmn.request.places import Location, places
from orchestrator.gmn.request.tokens import Lexeme, tokens, words, words_of
from orchestrator.types.cached import cached_property

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from orchestrator.gmn.request.commitment import Effect, Kind, Value
    from orchestrator.gmn.request.phrases import Phrase

ARTICLES = words("a an the his her its their your my our some any this that these")
#: Words at which a name of several words ends.
BOUNDARIES = words(
    "with without by for while from that which who whose whom when whenever where if unless but"
    " until till because so since as after before than then and or nor not is are was were be been"
    " am has have had may can could must should will would might do does did also again at in into"
    " onto on to out of up off via over under through per within inside among amongst costs cost"
    " earns gives given yet although though each every wants want needs decides chooses tries goes"
    " begins starts more less most worth"
)
#: Those of them that belong to a name when nothing follows: ``reel in``, ``move on``.
PARTICLES = words("in on up off out over through")
#: What is said of another thing each time, though the number is the same.
_EACH = words("chance noise utility")
_NEAR = 3  # characters beside a number in which its brackets are
_NAMING = words("states observations actions options named")
_MOST_ARTICLES = 3  # in a row
_APART = words(", and but")  # what a negation does not reach across
_ENDS = frozenset(".;!?\n")
NEGATIONS = words("not never no neither nor cannot")


@dataclass
class Scan:
    """One text while it is read.

    Attributes:
        found: the commitments so far.
        effects: what happens, so far.
        bracketed: numbers of the tokens in brackets behind a name of a list, which no list reads.
        known: the names that are listed or quoted so far, in lower case.
    """

    text: str
    found: list[Commitment] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    effects: list[Effect] = field(default_factory=list)
    bracketed: set[int] = field(default_factory=set)
    _stated: set[tuple[Kind, Value]] = field(default_factory=set)

    @cached_property
    def tokens(self) -> list[Lexeme]:
        """The tokens of the text."""
        return tokens(self.text)

    @cached_property
    def _lows(self) -> list[str]:
        return ["" if token.is_quoted else token.low for token in self.tokens]

    @cached_property
    def taken(self) -> bytearray:
        """For every token, whether a rule has read it."""
        return bytearray(len(self.tokens))

    @cached_property
    def happening(self) -> bytearray:
        """For every token, whether it is in a part that says what happens."""
        return bytearray(len(self.tokens))

    @cached_property
    def places(self) -> dict[int, Location]:
        """The cells and corners, under the number of their first token."""
        return {one.first: one for one in places(self._line)}

    @cached_property
    def places_by_end(self) -> dict[int, Location]:
        """The same under the number of the token after them."""
        return {one.after: one for one in self.places.values()}

    @cached_property
    def in_places(self) -> frozenset[int]:
        """The tokens of which the cells and corners consist."""
        return frozenset(n for o in self.places.values() for n in range(o.first, o.after))

    @cached_property
    def clause_ends(self) -> list[int]:
        """The numbers of the tokens that end a clause, ascending."""
        last = len(self.tokens)
        dots = {n for n in range(1, last) if self.tokens[n].text == self.tokens[n - 1].text == "."}
        dots |= {n - 1 for n in dots}  # ``p0..p3``
        ends = [n for n, token in enumerate(self.tokens) if token.text in _ENDS and n not in dots]
        return [*ends, last]

    def clause(self, at: int) -> tuple[int, int]:
        """First token, and token after the last, of the clause that token `at` stands in."""
        number = bisect.bisect_left(self.clause_ends, at)
        return (self.clause_ends[number - 1] + 1 if number else 0), self.clause_ends[number]

    def low(self, at: int) -> str:
        """Lexeme `at` in lower case; empty for a quoted name and beyond the ends."""
        return self._lows[at] if 0 <= at < len(self._lows) else ""

    def is_free(self, first: int, after: int) -> bool:
        """Whether no rule has read one of these tokens."""
        return not any(self.taken[first:after])

    def take(self, first: int, after: int) -> None:
        """Say that these tokens are read, and commit to nothing."""
        self.taken[first:after] = bytes([1]) * (after - first)

    def is_negated(self, at: int, *, within: int = 3) -> bool:
        """Whether one of the tokens before `at` in its clause turns it into its opposite."""
        begin = max(self.clause(at)[0], at - within)
        begin = max((n for n in range(begin, at) if self.low(n) in _APART), default=begin)
        said = [self.low(n) for n in range(begin, at)]
        return sum(word in NEGATIONS or word.endswith("n't") for word in said) % 2 == 1

    def add(
        self, kind: Kind, value: Value, first: int, after: int, rule: str, *, about: str = ""
    ) -> None:
        """Record a commitment that tokens `first` to before `after` make."""
        span = TextSpan(self.tokens[first].start, self.tokens[after - 1].end)
        self.taken[first:after] = bytes(n not in self.bracketed for n in range(first, after))
        if kind in _NAMING:
            names = value if isinstance(value, tuple) else (value,)
            self.known.update(str(name).casefold() for name in names if name)
        if kind in _EACH or (kind, value) not in self._stated:
            self._stated.add((kind, value))
            self.found.append(Commitment(kind, value, span, rule, about))

    def is_in_brackets(self, span: TextSpan) -> bool:
        """Whether brackets hold a span and nothing else."""
        before = self.text[max(span.start - _NEAR, 0) : span.start].rstrip()
        after = self.text[span.end : span.end + _NEAR].lstrip()
        return before.endswith("(") and after.startswith(")")

    def after_articles(self, at: int) -> int:
        """The first token from `at` on that is not an article."""
        for _ in range(_MOST_ARTICLES):
            at += self.low(at) in ARTICLES
        return at

    def name_at(self, at: int, *, most: int = 3) -> int:
        """The token after the name that begins at token `at`; `at` itself where there is none."""
        if at >= len(self.tokens) or not self.tokens[at].is_name:
            return at
        if self.tokens[at].is_quoted:
            return at + 1
        for end in range(min(at + 3, len(self.tokens)), at, -1):
            if self.known and words_of(self.tokens[at:end]).casefold() in self.known:
                return end
        end = at
        while end < len(self.tokens) and end - at < most and self.tokens[end].is_word:
            if self.low(end) in BOUNDARIES:
                is_last = end + 1 >= len(self.tokens) or not self.tokens[end + 1].is_word
                is_last = is_last or self.low(end + 1) in ("or", "and", "nor")
                is_particle = self.low(end) in PARTICLES and is_last and end > at
                if not is_particle and not (self.low(end) == "do" and end == at):
                    break
            end += 1
        return end

    @cached_property
    def _line(self) -> TokenLine:
        return TokenLine(self._lows)

    def phrases(self, wanted: re.Pattern[str], *, is_free: bool = True) -> Iterator[Phrase]:
        """Where a phrase is said, of which no rule has read token `at` if it must be free."""
        for one in self._line.phrases(wanted):
            if not is_free or not (self.taken[one.at] or one.at in self.in_places):
                yield one

    def walk(self) -> Iterator[tuple[int, str]]:
        """Number and lower case of every token that is a word or a sign."""
        return ((n, low) for n, low in enumerate(self._lows) if low)
