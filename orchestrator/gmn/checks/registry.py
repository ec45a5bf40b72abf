"""Registers checks, computes what several of them read, and runs them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.gmn import repairs
from orchestrator.gmn.acting.walk import Walk
from orchestrator.gmn.checks.reach import Reach
from orchestrator.gmn.codes import finding
from orchestrator.gmn.compile import Compiled, compile_spec
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.parts import impossible
from orchestrator.gmn.limits import DEFAULT_LIMITS, Limits
from orchestrator.gmn.rules import own_axis
from orchestrator.gmn.tables import (
    TableError,
    context_labels,
    entries,
    expand,
    possible_rows,
    sizes_disagree,
    stored,
)
from orchestrator.types.cached import cached_property
from orchestrator.types.diagnostics import Diagnostic, Severity
from orchestrator.types.errors import GMNError
from orchestrator.types.work import TooMuchWork, allowance, doing, look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.model import Conditional, GMNSpec, Variable, VariableKind
    from orchestrator.gmn.rows import Rows

MOST_SHOWN = 5  # findings of one code in one table; one more finding counts the rest


@dataclass(frozen=True, eq=False)
class WrittenTable:
    """A table of kind rows with the right shape, without its noise.

    Attributes:
        pointer: RFC 6901 pointer to the conditional, for example ``/likelihoods/0``.
        rows: the numbers as written, shape (contexts, outcomes).
    """

    pointer: str
    conditional: Conditional
    of: Variable
    given: Sequence[Variable]
    rows: NDArray[np.float64]

    @property
    def where(self) -> str:
        """RFC 6901 pointer to the rows."""
        return f"{self.pointer}/table/rows"

    @property
    def title(self) -> str:
        """Its name in messages: ``likelihood of cell``."""
        return f"{title_of(self.pointer)} of {self.of.name}"

    def context(self, row: int) -> str:
        """The parents' labels of row `row`."""
        return context_labels(row, self.given)

    def title_of_row(self, row: int) -> str:
        """The name of a row in messages: ``transition of pos: row (move=up, pos=r0c1)``."""
        context = self.context(row)
        return f"{self.title}: row ({context})" if context else f"{self.title}: row"

    @cached_property
    def turned(self) -> NDArray[np.float64] | None:
        """The transposed table, if only its rows are distributions; else None."""
        own = own_axis(self.of, self.given)
        other = repairs.other_reading(self.rows, [parent.n for parent in self.given], own)
        return other if repairs.is_turned(self.rows, other) else None


def title_of(pointer: str) -> str:
    """``likelihood``, ``transition`` or ``prior``, from the pointer of a table."""
    return pointer.split("/")[1].removesuffix("s")


@dataclass(frozen=True)
class Subject:
    """The document that is checked, with values that several checks read, computed once.

    Attributes:
        spec: the typed document.
        limits: the bounds it must keep.
        constraints: extra bounds of the request: max_states, max_actions…
    """

    spec: GMNSpec
    limits: Limits = DEFAULT_LIMITS
    constraints: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Variables by name; the first declaration of a name counts."""
        found: dict[str, Variable] = {}
        for _, variable in self.spec.variables():
            found.setdefault(variable.name, variable)
        return found

    @cached_property
    def kinds(self) -> Mapping[str, VariableKind]:
        """Kind of variable by name; the first declaration of a name counts."""
        found: dict[str, VariableKind] = {}
        for kind, variable in self.spec.variables():
            found.setdefault(variable.name, kind)
        return found

    @cached_property
    def tables(self) -> tuple[tuple[str, Conditional], ...]:
        """Pointer and conditional of every likelihood, transition and prior."""
        return tuple(
            (f"/{section}/{index}", conditional)
            for section in ("likelihoods", "transitions", "priors")
            for index, conditional in enumerate(getattr(self.spec, section))
        )

    @cached_property
    def tables_with(self) -> Mapping[str, Sequence[Conditional]]:
        """The tables that are about each name, or have it as a parent."""
        found: dict[str, list[Conditional]] = {}
        for _, table in self.tables:
            for name in {table.of, *table.given}:
                found.setdefault(name, []).append(table)
        return found

    def given(self, conditional: Conditional) -> Sequence[Variable] | None:
        """The parents of a table, None when one of them is not defined."""
        found = [self.variables.get(name) for name in conditional.given]
        known = [variable for variable in found if variable is not None]
        return known if len(known) == len(found) else None

    def bounded(self, name: str) -> Variable | None:
        """The variable of that name, if its labels are few enough to be looked at."""
        variable = self.variables.get(name)
        return variable if variable and 1 <= variable.n <= self.limits.variable_size else None

    def size(self, conditional: Conditional) -> int:
        """How many numbers are kept of a table whose variables are known, at most."""
        key = id(conditional)
        if key not in self._sizes:  # which holds the table: its id is not that of another
            self._sizes[key] = (self._size(conditional), conditional)
        return self._sizes[key][0]

    @cached_property
    def _sizes(self) -> dict[int, tuple[int, Conditional]]:
        return {}

    def _size(self, conditional: Conditional) -> int:
        of, given = self.variables[conditional.of], self.given(conditional) or []
        is_transition = self.kinds[of.name] == "state" and bool(given)
        is_small = all(self.bounded(v.name) is not None for v in (of, *given))
        if is_transition and is_small and len(conditional.table.rules) <= self.limits.rules:
            return stored(conditional, of, given)
        return entries(of, given)

    def fits(self, conditional: Conditional) -> bool:
        """Whether the table's names are known and it is within the limits once expanded."""
        of, given = self.variables.get(conditional.of), self.given(conditional)
        if of is None or given is None or any(v.n < 1 for v in (of, *given)):
            return False
        rows = entries(of, given) // of.n
        return (
            self.size(conditional) <= self.limits.table_entries
            and len(given) <= self.limits.parents
            and rows * len(conditional.table.rules) <= self.limits.rule_work
        )

    @cached_property
    def _expanded(self) -> dict[int, NDArray[np.float64] | Rows | TableError | None]:
        return {}

    def expansion(self, conditional: Conditional) -> NDArray[np.float64] | Rows | TableError | None:
        """The expanded table or the error, computed once; None when `fits` is False.

        `Rows` where few outcomes of a transition are possible.
        """
        known = self._expanded
        key = id(conditional)
        if key not in known:
            known[key] = self.expanded(conditional)
        return known[key]

    def expanded(self, conditional: Conditional) -> NDArray[np.float64] | Rows | TableError | None:
        """The same for a table that is not one of the document's; nothing is remembered."""
        if not self.fits(conditional):
            return None
        of, given = self.variables[conditional.of], self.given(conditional) or []
        is_sparse = self.size(conditional) < entries(of, given)
        try:
            return (possible_rows if is_sparse else expand)(conditional.table, of, given)
        except TableError as error:
            return error

    @cached_property
    def written(self) -> tuple[WrittenTable, ...]:
        """The tables of kind rows whose variables and shape are right; entries may be wrong."""
        return tuple(found for at in self.tables if (found := self._written(*at)) is not None)

    def _written(self, pointer: str, conditional: Conditional) -> WrittenTable | None:
        table = conditional.table
        if table.kind != "rows" or not self.fits(conditional):
            return None
        of, given = self.variables[conditional.of], self.given(conditional) or []
        contexts = entries(of, given) // of.n
        if any(sizes_disagree(variable) for variable in (of, *given)):
            return None
        if len(table.rows) != contexts or any(len(row) != of.n for row in table.rows):
            return None
        look(numbers=64 * contexts * of.n)  # made from Python numbers, and read by many checks
        rows = np.array(table.rows, dtype=np.float64)
        return WrittenTable(pointer, conditional, of, given, rows)

    def matrix(self, conditional: Conditional) -> NDArray[np.float64] | None:
        """The expanded table as an array; None when it is none, or cannot be expanded."""
        found = self.expansion(conditional)
        return found if isinstance(found, np.ndarray) else None

    def known(self, conditional: Conditional) -> NDArray[np.float64] | Rows | None:
        """The expanded table as it is kept; None when it cannot be expanded."""
        found = self.expansion(conditional)
        return None if isinstance(found, TableError) else found

    @cached_property
    def _findings(self) -> dict[Check, list[Diagnostic]]:
        return {}

    def findings_of(self, function: Check) -> list[Diagnostic]:
        """What one check finds, computed once."""
        if function not in self._findings:
            self._findings[function] = list(function(self))
        return self._findings[function]

    @cached_property
    def compiled(self) -> Compiled | None:
        """The compiled arrays; None when the document does not compile."""
        try:
            return compile_spec(self.spec, self.known)
        except GMNError:
            return None

    @cached_property
    def engine(self) -> Engine:
        """The engine of `compiled`, for all that is simulated or planned.

        Raises: GMNError: there is no model, or none that can run as it asks.
        """
        return Engine(self.compiled or compile_spec(self.spec))  # which says why there is none

    @cached_property
    def reach(self) -> Reach:
        """Which joint states of `compiled` lead to which."""
        return Reach(self.compiled or compile_spec(self.spec))

    @cached_property
    def _walks(self) -> dict[int, Walk]:
        return {}

    def walk(self, seed: int) -> Walk:
        """The episode of `engine` with that seed."""
        if seed not in self._walks:
            self._walks[seed] = Walk(self.engine, seed)
        return self._walks[seed]

    def forget_walks(self) -> None:
        """Begin episodes again: one of them was interrupted."""
        self._walks.clear()


Check = Callable[[Subject], Iterator[Diagnostic]]


class _Listed(NamedTuple):
    """A check with the codes it raises, what it is called, and whether it is of quality."""

    raises: frozenset[str]
    function: Check
    words: str
    is_of_quality: bool


#: What says that a document is beyond a limit, where no local repair brings it back.
_TOO_LARGE = frozenset({"GMN701", "GMN702", "GMN707", "GMN708", "GMN709"})
_CHECKS: list[_Listed] = []


def check(*codes: str) -> Callable[[Check], Check]:
    """Register the decorated function as the check that yields `codes`."""

    def declared(function: Check) -> Check:
        words = function.__name__.replace("_", " ")
        is_of_quality = all(code.startswith("GMN5") for code in codes)
        _CHECKS.append(_Listed(frozenset(codes), function, words, is_of_quality))
        return function

    return declared


def is_too_large(found: Sequence[Diagnostic]) -> bool:
    """Whether one of the findings says that the document is too large to be looked at."""
    return any(d.code in _TOO_LARGE for d in found)


def run_checks(subject: Subject, *, codes: frozenset[str] | None = None) -> list[Diagnostic]:
    """The findings of all checks, or of `codes` alone.

    Bounds on sizes come first, and no other check looks at what is beyond them. Quality checks
    (5xx) run only when no error was found and an engine can run the model.

    Raises: TooMuchWork: an allowance is used up.
    """
    found: list[Diagnostic] = []
    quality: list[_Listed] = []
    for one in _CHECKS:
        if codes is not None and not one.raises & codes:
            continue
        if one.is_of_quality:
            quality.append(one)
        elif not found or one.raises & _TOO_LARGE or not is_too_large(found):
            doing(f"checking that {one.words}")
            look()
            found.extend(subject.findings_of(one.function))
    if not any(d.severity is Severity.ERROR for d in found) and quality:
        if subject.compiled is not None and (reason := impossible(subject.compiled)):
            return [*found, finding("GMN901", reason[1], pointer=reason[0])]
        for one in quality:
            found.extend(_looked_for(one, subject))
    return [d for d in found if codes is None or d.code in codes]


def _looked_for(one: _Listed, subject: Subject) -> list[Diagnostic]:
    """The findings of a quality check, or that it takes too much work: the model is valid."""
    words = f"looking whether {one.words}"
    try:
        with allowance(subject.limits.work // 20):
            doing(words, "it is left out")
            look()
            return subject.findings_of(one.function)
    except TooMuchWork as error:
        subject.forget_walks()
        return [finding("GMN515", str(error))]
