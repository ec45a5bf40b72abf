"""Whether a model is what a sentence asked for: every commitment of it, with where it stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

#: What became of a commitment. ``missing``: nothing in the model bears it out; ``contradicted``:
#: the model says the opposite.
Outcome = Literal["fulfilled", "missing", "contradicted"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """One commitment of a sentence, held against a model.

    Attributes:
        kind: goal, avoid, states, noise…, see `orchestrator.gmn.request`.
        value: what is committed to, as text.
        said: the words of the user, characters `start` to before `end` of the sentence.
        where: where it stands in the model, or what is missing.
    """

    kind: str
    value: str
    said: str
    start: int
    end: int
    outcome: Outcome
    where: str


@dataclass(frozen=True, slots=True)
class Fits:
    """How much of what a sentence commits to is in a model.

    Attributes:
        commitments: in the order of the sentence.
        not_understood: words of the user that neither a rule reads nor the model has.
    """

    commitments: tuple[Fitted, ...] = ()
    not_understood: tuple[str, ...] = ()

    @property
    def of(self) -> int:
        """Number of commitments."""
        return len(self.commitments)

    @property
    def fulfilled(self) -> int:
        """Number of those that are fulfilled."""
        return sum(one.outcome == "fulfilled" for one in self.commitments)

    @property
    def share(self) -> float:
        """Fulfilled ones among all, 1 where there are none."""
        return self.fulfilled / self.of if self.of else 1.0

    @property
    def unmet(self) -> tuple[Fitted, ...]:
        """The commitments that are missing or contradicted."""
        return tuple(one for one in self.commitments if one.outcome != "fulfilled")

    def __str__(self) -> str:
        return f"{self.fulfilled} of {self.of}"

    def as_dict(self) -> dict[str, object]:
        """JSON-ready form."""
        return {
            "fulfilled": self.fulfilled,
            "of": self.of,
            "commitments": [asdict(one) for one in self.commitments],
            "not_understood": list(self.not_understood),
        }
