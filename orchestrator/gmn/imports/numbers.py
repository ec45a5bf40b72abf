"""Nested lists to arrays, and an array's axes to the order that the language wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.orientation import oriented
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.parsing.scalars import share_in
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.types.diagnostics import Diagnostic

    Array = NDArray[np.float64]

Tree = dict[str, object]

MOST_AXES = 12  # with a batch and a list around them
MOST_TABLES = 64
#: How other programs wrap an array in JSON.
_WRAPPERS = ("__ndarray__", "data", "values", "array", "matrix")


def array_in(value: object) -> Array | None:
    """The array that nested lists of numbers hold; None where they are ragged or not numbers.

    A percentage or a fraction is a number, also where it is written as a string.
    """
    if not isinstance(value, list | tuple | dict):
        return None
    try:
        return np.array(_plain(value, MOST_AXES), dtype=np.float64)
    except (ValueError, OverflowError):
        return None


def _plain(value: object, depth: int) -> object:
    """Numbers for what is written as one.

    Raises: ValueError: something is not a number, or nested too deep.
    """
    if isinstance(value, dict):
        value = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), list)), None)
    if isinstance(value, list | tuple) and depth:
        look(1 + len(value) // 8)
        if {*map(type, value)} <= {int, float}:
            return value
        return [_plain(item, depth - 1) for item in value]
    number = share_in(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{value!r} is not a number")  # noqa: TRY004  as numpy says of the rest
    return number


def is_wrapped(value: object) -> bool:
    """Whether an array stands in an object of its own, as other programs write it."""
    return isinstance(value, dict) and any(isinstance(value.get(key), list) for key in _WRAPPERS)


def why_no_array(value: object) -> str:
    """What keeps a value from being an array of numbers, in words."""
    try:
        _plain(value, MOST_AXES)
    except ValueError as error:
        return str(error)
    return "its lists are not all of one length"


def conditional(of: str, given: Sequence[str], table: Array) -> dict[str, object]:
    """A table as rows; `table` has the outcome on its last axis."""
    rows = table.reshape(-1, table.shape[-1]) if table.ndim and table.size else table
    return {"of": of, "given": list(given), "table": {"kind": "rows", "rows": rows.tolist()}}


def orders(states: int, actions: int) -> list[tuple[int, ...]]:
    """The customary orders of the axes of a table of so many parents, as `outcome_last` takes them.

    The outcome first, as in pymdp, the action before both others, or the outcome last.
    """
    n = states + actions
    outcome_first, outcome_last = (*range(1, n + 1), 0), tuple(range(n + 1))
    if actions != 1:
        return [outcome_first, outcome_last]
    before = tuple(range(1, states + 1))
    by_action = [(*before, 0, n), (*(axis + 1 for axis in before), 0, 1)]
    return [outcome_first, *by_action, outcome_last]


def outcome_last(
    name: str,
    array: Array,
    sizes: Sequence[int],
    declared: Sequence[tuple[int, ...]],
    found: list[Diagnostic],
    *,
    at: str = "",
) -> Array:
    """The array in the shape `sizes`, by proof.

    `declared` are the orders that its spelling means, the usual one first; the first that fits is
    taken. What fits in no order is taken as declared where its sizes do, and its sums show later;
    other axes are an error (301), as rows that are cut elsewhere mean another model. Another order
    than the usual one is reported (804), and so is a choice (216, 801).
    """
    usual, array = declared[0], _without_ones(array, len(sizes))
    proofs = (oriented(array, sizes, prefer=order) for order in declared)
    fitting = [p for p, order in zip(proofs, declared, strict=True) if p and p.orders[0] == order]
    proof = fitting[0] if fitting else oriented(array, sizes)
    if proof is None:
        return _unproven(name, array, sizes, usual, found, at=at)
    used = proof.orders[0]
    if proof.is_ambiguous:
        code = "GMN216" if array.ndim == 2 else "GMN801"
        every = " or ".join(_axes(order) for order in proof.orders)
        words = f"{name}: its axes can be read as {every}; the first is taken"
        found.append(finding(code, words, pointer=at, got=len(proof.orders), expected=used))
    if used != usual and not (
        array.transpose(usual).shape == proof.array.shape
        and np.array_equal(array.transpose(usual), proof.array)
    ):
        words = f"{name}: its sums prove the axes {_axes(used)}, where {_axes(usual)} is usual"
        found.append(finding("GMN804", words, pointer=at, got=used, expected=usual))
    return proof.array


def _without_ones(array: Array, axes: int) -> Array:
    """The array without leading axes of 1, as long as it has more axes than it should."""
    while array.ndim > axes and array.shape[0] == 1:
        array = array[0]
    return array


def _unproven(
    name: str,
    array: Array,
    sizes: Sequence[int],
    usual: Sequence[int],
    found: list[Diagnostic],
    *,
    at: str,
) -> Array:
    """The array as its spelling means it, or an error (301) where its axes cannot be that."""
    if max(sizes) > HARD_LIMITS.variable_size:
        return array  # which is said of the variable
    if array.ndim == len(sizes):
        turned = array.transpose(usual)
        off = [abs(n - m) for n, m in zip(turned.shape, sizes, strict=True)]
        is_one = any(n == 1 < m for n, m in zip(turned.shape, sizes, strict=True))
        if not is_one and max(off) <= 1 and (sum(off) <= 1 or sorted(array.shape) != sorted(sizes)):
            return turned
    elif array.ndim == 2 < len(sizes):
        return array  # one row for each context, as the language itself has it
    wanted = [sizes[usual.index(axis)] for axis in range(len(sizes))]
    words = f"{name} is {by(array.shape)}, expected {by(wanted)}, as {_axes(usual)}"
    if sorted(array.shape) == sorted(sizes):
        words += "; in no order of its axes do the probabilities of the outcome sum to 1"
    found.append(finding("GMN301", words, pointer=at, got=by(array.shape), expected=by(wanted)))
    return array


def by(sizes: Sequence[int]) -> str:
    """Sizes as people write them: 2x3."""
    return "x".join(map(str, sizes))


def _axes(order: Sequence[int]) -> str:
    """What each axis of the source is: ``(outcome, parent 1, parent 2)``."""
    last = len(order) - 1
    at = [order.index(axis) for axis in range(len(order))]
    return f"({', '.join('outcome' if i == last else f'parent {i + 1}' for i in at)})"


def is_batch(array: Array) -> bool:
    """Whether the first axis holds one model, once or more."""
    return array.shape[0] > 0 and bool(np.all(array == array[:1]))


def vectors(value: object) -> list[Array]:
    """One vector for each variable; a lone one, and axes of 1 around it, do not matter."""
    items = [*value.values()] if isinstance(value, dict) else value
    if not isinstance(items, list):
        return []
    alone = array_in(items)
    if alone is not None and alone.ndim == 1 and alone.size:
        return [alone]
    arrays = [array_in(item) for item in items[:MOST_TABLES]]
    return [
        np.array([])
        if array is None
        else (array[0] if array.ndim > 1 and is_batch(array) else array).ravel()
        for array in arrays
    ]


def flat(value: object) -> Array:
    """All numbers of a value in a row; none where it is not an array."""
    array = array_in(value)
    return array.ravel() if array is not None else np.array([])


def preferences(names: Sequence[str], values: Sequence[Array]) -> list[Tree]:
    """Preferences from vectors; one of zeros says nothing."""
    return [
        {"on": name, "values": vector.tolist()}
        for name, vector in zip(names, values, strict=False)
        if vector.size and np.any(vector != 0)
    ]


def priors(names: Sequence[str], values: Sequence[Array]) -> list[Tree]:
    """Priors from vectors."""
    return [
        {"of": name, "given": [], "table": {"kind": "rows", "rows": [vector.tolist()]}}
        for name, vector in zip(names, values, strict=False)
        if vector.size
    ]
