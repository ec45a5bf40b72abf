"""Compact tables, expanded: every kind becomes a matrix of contexts by outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.gmn.model import Conditional, GMNSpec, Table, Variable


class TableError(ValueError):
    """A table cannot be expanded as it stands.

    Attributes:
        code: the catalogue code that says why (105, 106, 213, 214, 301, 304, 305, 306…).
        field: pointer below the table, for example ``/rules/2/then/0``.
    """

    def __init__(self, code: str, message: str, *, field: str = "", context: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.context = context


def expand(table: Table, of: Variable, given: Sequence[Variable]) -> NDArray[np.float64]:
    """The table as a matrix, noise included, nothing normalised.

    Args:
        table: any kind.
        of: the variable whose distribution each row is; n = ``of.n`` columns.
        given: its parents; ``prod(parent.n)`` rows in C order, the first varies slowest.

    Returns: shape (rows, n), float64.
    Raises: TableError: it cannot be expanded.
    """
    raise NotImplementedError


def matrix(spec: GMNSpec, conditional: Conditional) -> NDArray[np.float64]:
    """`expand` with the variables looked up by name.

    Raises: TableError: a name is not defined (105), or the table cannot be expanded.
    """
    raise NotImplementedError


def context_labels(row: int, given: Sequence[Variable]) -> str:
    """Row `row` in labels: ``move=up, pos=r0c1``; empty without parents."""
    raise NotImplementedError
