"""Where the names and places of a sentence stand in a model: near names count, guesses do not."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.request.tokens import stem, words
from orchestrator.types.pattern import pattern
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.model import GMNSpec, Variable, VariableKind
    from orchestrator.gmn.request.commitment import Commitment

_PARTS = pattern(r"[a-z]+|\d+", re.IGNORECASE)
_HUMPS = pattern(r"(?<=[a-z])(?=[A-Z])")
_CELL = pattern(r"r(\d+)c(\d+)")
_LABELLED = pattern(r"\D{0,24}(\d{1,3})\D{1,8}(\d{1,3})\D{0,2}")
_IDLE = words("wait stay idle noop none nothing hold rest pass")
_SMALL = words("the a an of to in on at its do it is be")


class Label(NamedTuple):
    """One value of one variable."""

    kind: VariableKind
    variable: Variable
    at: int

    @property
    def is_cell(self) -> bool:
        """Whether it is one of a grid, whose neighbours are worth nearly as much."""
        return len(self.variable.shape) == 2

    def __str__(self) -> str:
        return f"{self.kind} {self.variable.name}={self.variable.names[self.at]}"


@lru_cache(maxsize=4096)
def stems(name: str) -> frozenset[str]:
    """The stems of the words in a name: ``go_left``, ``goLeft`` and ``going left`` are alike."""
    parts = _PARTS.findall(_HUMPS.sub(" ", name))
    own = [part for part in parts[:-1] if part.casefold() not in _SMALL] + parts[-1:]
    return frozenset(stem(part) for part in own or parts)


def is_near(said: str, name: str) -> bool:
    """Whether a name of a model is the one that is said, or it with a word more or less."""
    one, other = stems(said), stems(name)
    if one == other:
        return bool(one)
    if said.casefold() in ("do nothing", "nothing"):
        return not other.isdisjoint(stem(word) for word in _IDLE)
    is_part = bool(one and other) and (one < other or other < one)
    return is_part and all(len(part) > 1 or part.isdigit() for part in one & other)


def labels_of(spec: GMNSpec, said: str) -> list[Label]:
    """The labels that are called so; those called exactly so alone, where there are any."""
    every = [
        (Label(kind, variable, at), name)
        for kind, variable in spec.variables()
        for at, name in enumerate(variable.names)
    ]
    look(4 * len(every))
    exact = [label for label, name in every if stems(name) == stems(said) != set()]
    return exact or [label for label, name in every if is_near(said, name)]


def variables_of(spec: GMNSpec, said: str) -> list[tuple[VariableKind, Variable]]:
    """The variables that are called so."""
    return [(kind, variable) for kind, variable in spec.variables() if is_near(said, variable.name)]


def grids(spec: GMNSpec) -> Iterator[tuple[VariableKind, Variable, int, int]]:
    """The states and observations whose values are cells, with their rows and columns."""
    for kind, variable in spec.variables():
        if kind == "action":
            continue
        if len(variable.shape) == 2:
            yield kind, variable, variable.shape[0], variable.shape[1]
            continue
        cells = [_LABELLED.fullmatch(name) for name in variable.names]
        at = {(int(cell[1]), int(cell[2])) for cell in cells if cell}
        if len(at) >= 4 and 2 * len(at) > variable.n:
            rows, columns = ([cell[axis] for cell in at] for axis in (0, 1))
            yield (kind, variable, max(rows) - min(rows) + 1, max(columns) - min(columns) + 1)


def cells_of(spec: GMNSpec, place: str, *, is_counted: bool) -> list[Label]:
    """The labels of a cell (``r2c3``), of corners or of the centre, in every grid of a model.

    Rows and columns that are counted in words may be counted from 1.
    """
    found = []
    for kind, variable, rows, columns in grids(spec):
        look(4 * variable.n)
        wanted = cells_at(place, rows, columns)
        if is_counted:
            wanted |= {(row - 1, column - 1) for row, column in wanted}
        for index, name in enumerate(variable.names):
            if (cell := _LABELLED.fullmatch(name)) and (int(cell[1]), int(cell[2])) in wanted:
                found.append(Label(kind, variable, index))
    return found


def cells_at(place: str, rows: int, columns: int) -> set[tuple[int, int]]:
    """The row and column of ``r2c3``; of ``centre`` and ``top corner`` all that may be meant."""
    if match := _CELL.fullmatch(place):
        return {(int(match[1]), int(match[2]))}
    if place == "centre":
        middle = [{(n - 1) // 2, n // 2} for n in (rows, columns)]
        return {(row, column) for row in middle[0] for column in middle[1]}
    if not place.endswith("corner"):
        return set()
    up = {0} if "top" in place else {rows - 1} if "bottom" in place else {0, rows - 1}
    across = {0} if "left" in place else {columns - 1} if "right" in place else {0, columns - 1}
    return {(row, column) for row in up for column in across}


def is_place(value: str) -> bool:
    """Whether a value of a commitment is a cell, a corner or the centre."""
    return value == "centre" or value.endswith("corner") or _CELL.fullmatch(value) is not None


def meant_by(one: Commitment, spec: GMNSpec) -> list[Label]:
    """The labels that a goal, a start or what is to be avoided means; states first."""
    value = str(one.value)
    if is_place(value):
        found = cells_of(spec, value, is_counted=one.about == "counted")
        return found or (labels_of(spec, value) if value == "centre" else [])
    found = labels_of(spec, value)
    return found or (labels_of(spec, one.about) if one.about else [])
