"""How a check is declared, what it sees, and in what order the families run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.diagnostics import Diagnostic, Severity
from orchestrator.errors import GMNError
from orchestrator.gmn.compile import Compiled, compile_spec
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.gmn.tables import TableError, entries, expand

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.model import Conditional, GMNSpec, Variable, VariableKind


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
    constraints: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Variables by name; the first wins where a name is declared twice."""
        found: dict[str, Variable] = {}
        for _, variable in self.spec.variables():
            found.setdefault(variable.name, variable)
        return found

    @cached_property
    def kinds(self) -> Mapping[str, VariableKind]:
        """What each name is; the first declaration wins."""
        found: dict[str, VariableKind] = {}
        for kind, variable in self.spec.variables():
            found.setdefault(variable.name, kind)
        return found

    @cached_property
    def tables(self) -> tuple[tuple[str, Conditional], ...]:
        """Every conditional with its pointer: likelihoods, transitions, priors."""
        return tuple(
            (f"/{section}/{index}", conditional)
            for section in ("likelihoods", "transitions", "priors")
            for index, conditional in enumerate(getattr(self.spec, section))
        )

    def given(self, conditional: Conditional) -> Sequence[Variable] | None:
        """The parents of a table, None when one of them is not defined."""
        found = [self.variables.get(name) for name in conditional.given]
        known = [variable for variable in found if variable is not None]
        return known if len(known) == len(found) else None

    def fits(self, conditional: Conditional) -> bool:
        """Whether the table's names are known and it is within the limits once expanded."""
        of, given = self.variables.get(conditional.of), self.given(conditional)
        if of is None or given is None or any(v.n < 1 for v in (of, *given)):
            return False
        size = entries(of, given)
        rows = size // of.n
        return (
            size <= self.limits.table_entries
            and len(given) <= self.limits.parents
            and rows * len(conditional.table.rules) <= self.limits.rule_work
        )

    def written(self, conditional: Conditional) -> NDArray[np.float64] | None:
        """The rows as they were written, before noise; None where there are none or are ragged."""
        known = self._rows
        if (key := id(conditional)) not in known:
            rows = conditional.table.rows
            is_even = conditional.table.kind == "rows" and len({len(row) for row in rows}) == 1
            usable = is_even and self.given(conditional) is not None
            known[key] = np.array(rows, dtype=np.float64) if usable else None
        return known[key]

    @cached_property
    def _rows(self) -> dict[int, NDArray[np.float64] | None]:
        return {}

    @cached_property
    def _expanded(self) -> dict[int, NDArray[np.float64] | TableError | None]:
        return {}

    def expansion(self, conditional: Conditional) -> NDArray[np.float64] | TableError | None:
        """The expanded table, computed once; why not; or None when that is not to be tried."""
        known = self._expanded
        key = id(conditional)
        if key not in known:
            known[key] = self._expand(conditional)
        return known[key]

    def _expand(self, conditional: Conditional) -> NDArray[np.float64] | TableError | None:
        if not self.fits(conditional):
            return None
        of, given = self.variables[conditional.of], self.given(conditional)
        try:
            return expand(conditional.table, of, given or [])
        except TableError as error:
            return error

    def matrix(self, conditional: Conditional) -> NDArray[np.float64] | None:
        """The expanded table; None when it is too large or cannot be expanded."""
        found = self.expansion(conditional)
        return None if isinstance(found, TableError) else found

    @cached_property
    def compiled(self) -> Compiled | None:
        """The arrays, None when the document does not compile."""
        try:
            return compile_spec(self.spec)
        except GMNError:
            return None


Check = Callable[[Subject], Iterator[Diagnostic]]

_CHECKS: list[tuple[frozenset[str], Check]] = []


def check(*codes: str) -> Callable[[Check], Check]:
    """Declare a function as the check that raises `codes`."""

    def declared(function: Check) -> Check:
        _CHECKS.append((frozenset(codes), function))
        return function

    return declared


def run_checks(subject: Subject, *, codes: frozenset[str] | None = None) -> list[Diagnostic]:
    """Run the checks, family after family; with `codes` only those.

    Quality checks (5xx) run only where no error was found, and where the document compiles.
    """
    found: list[Diagnostic] = []
    quality: list[Check] = []
    for raises, function in _CHECKS:
        if codes is not None and not raises & codes:
            continue
        if all(code.startswith("GMN5") for code in raises):
            quality.append(function)
        else:
            found.extend(function(subject))
    if not any(d.severity is Severity.ERROR for d in found) and quality:
        for function in quality:
            found.extend(function(subject))
    return [d for d in found if codes is None or d.code in codes]
