"""What a reader of sentences finds: commitments, each with its place, and the words left over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a commitment is about. Of names: ``states``, ``observations``, ``actions`` (the labels of
#: one variable of that kind), ``options`` (of one variable of any kind) and ``named`` (one name).
#: Of numbers: ``count`` (n and a noun), ``size`` (rows and columns), ``noise`` (probability that
#: what is observed is wrong), ``prior`` (of each state, in their order), ``chance`` (any other
#: probability), ``utility`` (signed), ``horizon``
#: (steps), ``precision`` and ``discount``. Of places and labels: ``start``, ``goal``, ``avoid``,
#: ``absent`` (what the model is not to have). ``temper`` is cautious, bold, curious or greedy.
Kind = Literal[
    "states", "observations", "actions", "options", "named", "count", "size", "start", "goal",
    "avoid", "absent", "noise", "prior", "chance", "utility", "horizon", "precision", "discount",
    "temper",
]  # fmt: skip

Value = str | float | tuple[str, ...] | tuple[float, ...] | tuple[int, int] | tuple[int, str]


@dataclass(frozen=True, slots=True)
class TextSpan:
    """Characters `start` (included) to `end` (excluded) of a text."""

    start: int
    end: int

    def overlaps(self, other: TextSpan) -> bool:
        """Whether both have a character in common."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Commitment:
    """One thing that a sentence says its model must have, or do.

    Attributes:
        value: a name, a number, the names of a list, rows and columns, or a count with its noun.
            Cells are ``r2c3`` as they are written, ``top left corner`` or ``centre``.
        span: where it is said.
        rule: the name of the rule that read it.
        about: what a number is of, as far as the sentence says; empty where it does not.
    """

    kind: Kind
    value: Value
    span: TextSpan
    rule: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a sentence says that happens, or that is seen.

    Attributes:
        action: what does it; empty where it happens by itself.
        before: the state in which it does so; empty for any.
        after: the state that it leads to, ``@stay``, ``@goal`` for the one that is wanted, or
            empty for a step along the list; of what is seen the observation.
        step: 1 and -1 for one step along the list, 2 and -2 for one to the better or worse.
        chance: its probability; None where the sentence does not say.
        is_alone: whether the sentence says that it happens by itself.
        is_shown: whether it says what is observed in `before`.
    """

    action: str
    before: str
    after: str
    span: TextSpan
    step: int = 0
    chance: float | None = None
    is_alone: bool = False
    is_shown: bool = False


@dataclass(frozen=True, slots=True)
class RequestReading:
    """What was read of a sentence.

    Attributes:
        commitments: in the order of the text.
        effects: what actions do, what happens by itself, what is seen where.
        unclear: the clauses that name states or actions and of which a rest was not read.
        not_understood: the words that no rule read and that carry a meaning of their own, in the
            user's spelling, each once.
        unread: characters beyond the longest text that is read.
    """

    text: str
    commitments: tuple[Commitment, ...] = ()
    not_understood: tuple[str, ...] = ()
    unread: int = 0
    effects: tuple[Effect, ...] = ()
    unclear: tuple[TextSpan, ...] = ()

    def said(self, commitment: Commitment) -> str:
        """The words of the text that make a commitment."""
        return self.text[commitment.span.start : commitment.span.end]
