"""How a check is declared, what it sees, and in what order the families run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import Conditional, GMNSpec, Variable


@dataclass(frozen=True)
class Subject:
    """One document under examination, with what several checks need computed once.

    Attributes:
        spec: the typed document.
        limits: the bounds it is held to.
        constraints: extra bounds of the request: max_states, max_actions…
    """

    spec: GMNSpec
    limits: Limits = DEFAULT_LIMITS
    constraints: Mapping[str, int] | None = None

    @cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Variables by name; the first wins where a name is declared twice."""
        raise NotImplementedError

    def tables(self) -> Iterator[tuple[str, Conditional]]:
        """Every conditional with its pointer: likelihoods, transitions, priors."""
        raise NotImplementedError

    def given(self, conditional: Conditional) -> Sequence[Variable] | None:
        """The parents of a table, None when one of them is not defined."""
        raise NotImplementedError

    def matrix(self, conditional: Conditional) -> NDArray[np.float64] | None:
        """The expanded table, computed once; None when it is too large or cannot be expanded."""
        raise NotImplementedError

    @cached_property
    def compiled(self) -> Compiled | None:
        """The arrays, None when the document does not compile."""
        raise NotImplementedError


Check = Callable[[Subject], "Iterator[Diagnostic]"] if TYPE_CHECKING else object


def check(*codes: str) -> Callable[[Check], Check]:
    """Declare a function as the check that raises `codes`."""
    raise NotImplementedError


def run_checks(subject: Subject, *, codes: frozenset[str] | None = None) -> list[Diagnostic]:
    """Run the checks, family after family, in document order; with `codes` only those.

    A family whose ground is missing (no variables resolved, a table too large) stays silent.
    Quality checks (5xx) run only where no error was found.
    """
    raise NotImplementedError
