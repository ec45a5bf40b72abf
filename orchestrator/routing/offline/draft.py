"""A model while it is made of the words of a request, with what was assumed and what is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.gmn.model import Condition, Conditional, Outcome, Table
from orchestrator.gmn.request.labels import is_near, stems
from orchestrator.gmn.request.names import NamedValues, names_of, roots_of
from orchestrator.gmn.request.tokens import words
from orchestrator.types.cached import cached_property

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.gmn.request.commitment import Commitment, Kind, RequestReading, TextSpan

GOAL, AVERSION = 3.0, -6.0  # utilities in nats, where the sentence names no number
UNSAID = "not_said"  # the label of what the sentence does not name
_RINGS = words(
    "circle ring circular cyclic cycle carousel clockwise anticlockwise counterclockwise"
    " counter-clockwise anti-clockwise"
)
MOST_PLANS, MOST_STEPS = 4096, 8
_WORDS = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")


def slug(said: str) -> str:
    """A label made of words."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", said.strip()).strip("_")[:48]


def labelled(names: Sequence[str]) -> tuple[str, ...]:
    """One label for each name, each another."""
    found: list[str] = []
    for name in names:
        label = base = slug(name) or "value"
        number = 2
        while label in found:
            label, number = f"{base[:44]}_{number}", number + 1
        found.append(label)
    return tuple(found)


def near(said: str, labels: Sequence[str]) -> str:
    """The label that is called so, or nearly; empty for none, and for one of several."""
    wanted = stems(slug(said))
    exact = [label for label in labels if stems(label) == wanted]
    found = exact or [label for label in labels if is_near(said, label)]
    found = found or [label for label in labels if roots_of(label) & roots_of(said)]
    return found[0] if len(found) == 1 or exact else ""


def when(*said: tuple[str, str | Sequence[str]]) -> tuple[Condition, ...]:
    """The conditions that variables have a value, or one of several."""
    return tuple(
        Condition(var=name, values=(value,) if isinstance(value, str) else tuple(value))
        for name, value in said
    )


def then(*row: tuple[str, float]) -> tuple[Outcome, ...]:
    """The outcomes that have a probability above 0."""
    return tuple(Outcome(value=name, p=round(p, 12)) for name, p in row if p > 0)


def prior_of(draft: Draft, states: Sequence[str]) -> Conditional | None:
    """The prior that the sentence says of these states; a question where it is of others."""
    said = draft.first("prior")
    if said is None:
        return None
    shares = tuple(float(share) for share in said.value)  # type: ignore[union-attr]  # numbers
    if len(shares) != len(states):
        draft.ask(f"what is {draft.reading.said(said)!r} the prior of?")
        return None
    return Conditional(of="state", table=Table(kind="rows", rows=(shares,)))


@dataclass(frozen=True)
class Draft:
    """One request while its model is made.

    Attributes:
        assumptions: what the model has and the sentence does not say.
        questions: what has to be said before there is a model.
    """

    reading: RequestReading
    constraints: Mapping[str, int]
    assumptions: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    @cached_property
    def names(self) -> NamedValues:
        """The lists of the sentence with their roles."""
        return names_of(self.reading.text, self.reading.commitments)

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of the sentence, in lower case."""
        return frozenset(word.casefold() for word in _WORDS.findall(self.reading.text))

    @cached_property
    def is_ring(self) -> bool:
        """Whether what comes after the last of a list is its first again."""
        return not self.words.isdisjoint(_RINGS)

    def stepped(self, states: Sequence[str], state: str, step: int) -> str:
        """The state some steps along a list: the last one is the end, but for a ring."""
        to, last = states.index(state) + step, len(states) - 1
        return states[to % len(states) if self.is_ring else min(max(to, 0), last)]

    def of(self, *kinds: Kind) -> Iterator[Commitment]:
        """The commitments of these kinds."""
        return (one for one in self.reading.commitments if one.kind in kinds)

    def first(self, kind: Kind) -> Commitment | None:
        """The first commitment of a kind."""
        return next(self.of(kind), None)

    def clause(self, span: TextSpan, *, signs: Sequence[str] = tuple(".;!?\n")) -> str:
        """The words around `span` up to the next full stops and semicolons."""
        text = self.reading.text
        before = max(text.rfind(sign, 0, span.start) for sign in signs)
        after = [n for sign in signs if (n := text.find(sign, span.end)) >= 0]
        return text[before + 1 : min(after, default=len(text))]

    def part(self, span: TextSpan) -> str:
        """The words around `span` up to the next signs and `and`."""
        return self.clause(span, signs=(*".;!?\n,:", " and "))

    def has(self, one: Commitment, some: frozenset[str]) -> bool:
        """Whether the clause of a commitment has one of some words."""
        return not some.isdisjoint(w.casefold() for w in _WORDS.findall(self.clause(one.span)))

    def number(self, kind: Kind) -> float | None:
        """The number of the first commitment of a kind; None for none."""
        values = (one.value for one in self.of(kind) if isinstance(one.value, int | float))
        return next((float(value) for value in values), None)

    def noise(self, default: float, what: str) -> float:
        """The probability that an observation is wrong, else an assumption."""
        said = self.number("noise")
        if said is not None:
            return said
        share = 0.2 if self.first("noise") else default
        often = f"is wrong in {share:.0%}" if share else "is right always"
        self.assume(f"{what} {often}, as nothing else was said")
        return share

    def assume(self, words: str) -> None:
        """Add an assumption."""
        if words not in self.assumptions:
            self.assumptions.append(words)

    def ask(self, question: str) -> None:
        """Add a question."""
        if question not in self.questions:
            self.questions.append(question)

    def fitting(self, labels: Sequence[str], key: str) -> tuple[str, ...]:
        """The labels that a bound of the request leaves."""
        most = self.constraints.get(key, 256)
        if len(labels) > most:
            self.assume(f"{key}={most}: {', '.join(labels[most:])} left out")
        return tuple(labels[:most])

    def horizon(self, steps: int, n_actions: int, size: int) -> int:
        """How far to plan: what is asked, else `steps`, as far as comparing plans takes little."""
        asked = self.number("horizon")
        most = self.constraints.get("max_horizon", MOST_STEPS)
        wanted = min(int(asked or max(steps, 2)), most)
        plans = self.constraints.get("max_policies", MOST_PLANS)
        fitting = [
            h
            for h in range(1, max(wanted, 1) + 1)
            if n_actions**h <= plans and (h == 1 or n_actions**h * size <= 100_000)
        ]
        found = max(fitting, default=1)
        if asked and found < asked:
            self.assume(f"horizon {asked:g} makes too many plans: {found}")
        return found
