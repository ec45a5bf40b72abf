"""What an agent is expected to do, and whether it does it.

``cell=r4c4 within 12 in 80%`` reads: in at least 80% of the episodes the observation (or hidden
state, or action) `cell` is `r4c4` at some step among the first 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec


@dataclass(frozen=True, slots=True)
class Expectation:
    """One behavioural claim; `str()` gives the text that parses back to it."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Expectation:
        """Read one expectation.

        Raises: ValueError: it is not one; the message shows the form and an example.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one expectation.

    Attributes:
        rate: share of the episodes in which it held, in [0, 1].
        trace: for a failed one, the shortest telling episode in labels.
    """

    expectation: Expectation
    held: bool
    rate: float
    episodes: int
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        raise NotImplementedError


def expectations_of(spec: GMNSpec) -> tuple[Expectation, ...]:
    """The expectations a document carries in its metadata under ``expect``, split at ``;``."""
    raise NotImplementedError


def check_names(expectation: Expectation, spec: GMNSpec) -> list[Diagnostic]:
    """Findings (105, 106) for names and labels that the model does not have."""
    raise NotImplementedError


def measure(
    model: Compiled, expectations: Sequence[Expectation], *, episodes: int = 40, seed: int = 0
) -> tuple[Measured, ...]:
    """Simulate the episodes once (seeds seed, seed+1, …) and hold every expectation against them."""
    raise NotImplementedError
