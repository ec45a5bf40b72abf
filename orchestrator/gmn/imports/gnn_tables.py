"""The tables of a GNN file with their axes in order, found by proof: by shape and by sums."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.orientation import BAND, MOST_AXES, oriented
from orchestrator.gmn.imports.printed import MOST_SHOWN, summed
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.imports.gnn_names import Member
    from orchestrator.gmn.imports.gnn_text import GNNFile
    from orchestrator.gmn.imports.printed import UnreadError
    from orchestrator.types.diagnostics import Diagnostic

    Array = NDArray[np.float64]

#: The orders of B that are in use, and how ``b_tensor_order`` calls them.
ORDERS = {
    "next_state_previous_state_action": "npa",
    "action_previous_state_next_state": "apn",
    "action_next_state_previous_state": "anp",
}
#: What the description of GNN says, and what its own renderers take where actions come first.
_CONVENTIONS = ("npa", "apn")
_SHORT = {"next": "n", "previous": "p", "prev": "p", "action": "a", "actions": "a"}
_FULL = {short: name for name, short in ORDERS.items()}


@dataclass(slots=True, eq=False)
class Parameter:
    """One array of InitialParameterization, and where it stands.

    Attributes:
        order: axes of the array in the order of the table that was made of it, the outcome last.
    """

    file: GNNFile
    name: str
    array: Array
    slack: Array
    at: int
    notes: list[Diagnostic]
    order: tuple[int, ...] = field(default=())

    def wrong(self, code: str, words: str) -> UnreadError:
        """What is wrong with it, at its place."""
        return self.file.error(code, words, self.at)

    def note(self, words: str, number: str = "810") -> None:
        """Say how it is read."""
        self.notes.append(finding(f"GMN{number}", words, place=self.file.places.at(self.at)))

    def rows(self, order: tuple[int, ...], axes: Sequence[str]) -> Array:
        """The table [contexts, outcomes] of an order of axes, each row of sum 1.

        Raises: UnreadError: columns do not sum to 1 within their printed digits (201).
        """
        self.order = order
        table, slack = self.array.transpose(order), self.slack.transpose(order)
        sums = summed(table, slack, -1)
        if wrong := np.argwhere(sums.wrong).tolist():
            raise self.wrong("GMN201", self._columns(wrong, sums.totals, axes))
        if rounded := np.argwhere(sums.rounded).tolist():
            words = self._column(rounded[0], sums.totals, axes)
            self.note(f"{len(rounded)} columns scaled within their printed digits, as {words}")
        rows: Array = sums.table.reshape(-1, table.shape[-1])
        return rows

    def _column(self, at: Sequence[int], totals: Array, axes: Sequence[str]) -> str:
        where = ", ".join(f"{axis}={i}" for axis, i in zip(axes, at, strict=True))
        return f"column ({where}) sums to {totals[tuple(at)]:.10g}"

    def _columns(self, wrong: Sequence[Sequence[int]], totals: Array, axes: Sequence[str]) -> str:
        shown = "; ".join(self._column(at, totals, axes) for at in wrong[:MOST_SHOWN])
        more = f"; and {len(wrong) - MOST_SHOWN} more" if len(wrong) > MOST_SHOWN else ""
        return f"{self.name}: {shown}{more}"


def likelihood(
    param: Parameter, o: Member, linked: Sequence[Member], every: Sequence[Member]
) -> tuple[Array, list[Member]]:
    """A as rows [contexts, observations], and the states that it depends on.

    These are what Connections link to it, where their sizes fit; else the only states that fit.

    Raises: UnreadError: its shape fits no states (301) or several (809), or columns do not sum.
    """
    array = param.array
    while array.ndim > 2 and array.shape[0] == 1 != o.size:
        array = array[0]
    param.array, param.slack = array, param.slack.reshape(array.shape)
    if array.ndim > MOST_AXES:
        raise param.wrong("GMN703", f"{param.name} has {array.ndim} axes, more than {MOST_AXES}")
    parents = _states_of(param, o, linked, every)
    prefer = (*range(1, array.ndim), 0)
    proof = oriented(array, [*(p.size for p in parents), o.size], prefer=prefer)
    axes = [p.name for p in parents]
    if proof is None:
        order = prefer if array.shape == (o.size, *(p.size for p in parents)) else None
        if order is None:
            sides = " x ".join(map(str, array.shape))
            raise param.wrong("GMN301", f"{param.name} is {sides}; no order of its axes sums to 1")
        return param.rows(order, axes), parents
    if proof.is_ambiguous and proof.orders[0] != prefer:
        orders = " or ".join(_written(order, [*axes, o.name]) for order in proof.orders)
        raise param.wrong("GMN809", f"{param.name} is {orders}: both sum to 1; write ({o.name}, …)")
    if proof.orders[0] != prefer:
        words = _written(proof.orders[0], [*axes, o.name])
        param.note(f"{param.name} is written {words}, the only order in which its columns sum to 1")
    return param.rows(proof.orders[0], axes), parents


def _states_of(
    param: Parameter, o: Member, linked: Sequence[Member], every: Sequence[Member]
) -> list[Member]:
    """The states that A depends on, by the sizes of its axes."""
    array, depth = param.array, param.array.ndim - 1
    for among in ([*linked], [*every]):
        found = [
            list(parents)
            for parents in itertools.combinations(among, depth)
            if sorted([o.size, *(p.size for p in parents)]) == sorted(array.shape)
        ]
        if found:
            break
    else:
        sides = " x ".join(map(str, array.shape))
        words = f"{param.name} is {sides}, which is not {o.size} values of {o.name} by states"
        raise param.wrong("GMN301", words)
    if len(found) > 1:
        names = " or ".join("(" + ", ".join(p.name for p in one) + ")" for one in found)
        raise param.wrong("GMN809", f"{param.name} fits the states {names}; link them to it")
    return found[0]


def _written(order: tuple[int, ...], names: Sequence[str]) -> str:
    """The names of the axes as the file has them."""
    placed = sorted(zip(order, names, strict=True))
    return f"({', '.join(name for _, name in placed)})"


class _Reading(NamedTuple):
    """One way to read B: the parents, the sizes of its actions, and the axes [a…, p…, n]."""

    short: str
    parents: tuple[Member, ...]
    actions: tuple[int, ...]
    order: tuple[int, ...]


def transition(
    param: Parameter, s: Member, linked: Sequence[Member], acting: Sequence[Member], count: int
) -> tuple[Array, list[Member], tuple[int, ...]]:
    """B as rows [contexts, next], its parents, and the sizes of its action axes.

    The contexts are those of the actions, then of the parents.

    Raises: UnreadError: no order fits its shape (301) or sums to 1 (201), or several do and differ
        (809).
    """
    if param.array.ndim > MOST_AXES:
        raise param.wrong(
            "GMN703", f"{param.name} has {param.array.ndim} axes, more than {MOST_AXES}"
        )
    declared = _declared(param)
    others = [x for x in linked if x is not s]
    whole = list(linked) if s in linked else [s, *linked]
    readings: list[_Reading] = []
    for size in range(min(len(others), max(param.array.ndim - 2, 0)), -1, -1):
        for some in itertools.combinations(others, size):
            parents = tuple(x for x in whole if x is s or x in some)
            readings += _readings(param, s, parents, is_moved=bool(acting))
        if readings:
            break
    counted = [r for r in readings if all(n in (1, count) for n in r.actions)] if count else []
    if count and readings and not counted:
        param.note(f"the file says {count} actions elsewhere, {param.name} has others", "803")
    readings = counted or readings
    if declared:
        readings = [r for r in readings if r.short == declared or not r.actions]
    if not readings:
        sides = " x ".join(map(str, param.array.shape))
        if param.array.shape[1:3] == (s.size, s.size) and param.array.ndim == 4:
            raise param.wrong("GMN802", f"{param.name} is {sides}: a table that changes with time")
        order = f" in the order {_FULL[declared]}" if declared else ""
        words = (
            f"{param.name} is {sides}, which does not fit the {s.size} values of {s.name}{order}"
        )
        raise param.wrong("GMN301", words)
    used = _proved(param, readings, is_declared=bool(declared))
    names = [f"action{i or ''}" for i in range(len(used.actions))]
    rows = param.rows(used.order, [*names, *(p.name for p in used.parents)])
    return rows, list(used.parents), used.actions


def _declared(param: Parameter) -> str:
    """The order that the file declares for B, short; empty where it declares none."""
    for key in ("b_tensor_order", "B_tensor_order", "transition_tensor_order"):
        said = param.file.settings.get(key, "").strip("\"' ").lower()
        words = said.replace("-", "_").replace(" ", "_").replace(",", "_").split("_")
        short = "".join(_SHORT.get(word, "") for word in words)
        if said and short not in _FULL:
            raise param.wrong("GMN008", f"{key}: {said[:60]!r} is not one of {', '.join(ORDERS)}")
        if said:
            return short
    return ""


def _readings(
    param: Parameter, s: Member, parents: tuple[Member, ...], *, is_moved: bool
) -> Iterator[_Reading]:
    """The orders in use that fit the shape."""
    shape, m = param.array.shape, len(parents)
    j = param.array.ndim - 1 - m
    if j < 0 or (is_moved and j == 0 and m > 1):
        return
    sizes = tuple(p.size for p in parents)
    if shape[0] == s.size and shape[1 : 1 + m] == sizes:
        order = (*range(1 + m, 1 + m + j), *range(1, 1 + m), 0)
        yield _Reading("npa", parents, shape[1 + m :], order)
    if j == 0:
        if shape[m] == s.size and shape[:m] == sizes:
            yield _Reading("apn", parents, (), tuple(range(m + 1)))
        return
    if shape[j : j + m] == sizes and shape[-1] == s.size:
        yield _Reading("apn", parents, shape[:j], tuple(range(m + 1 + j)))
    if shape[j] == s.size and shape[j + 1 :] == sizes:
        order = (*range(j), *range(j + 1, j + 1 + m), j)
        yield _Reading("anp", parents, shape[:j], order)


def _proved(param: Parameter, readings: Sequence[_Reading], *, is_declared: bool) -> _Reading:
    """The reading whose columns sum to 1; the first one where none does, to name them."""
    look(100, numbers=4 * param.array.size * len(readings))
    fits = [
        one
        for one in readings
        if np.all(np.abs(param.array.transpose(one.order).sum(axis=-1) - 1.0) <= BAND)
    ]
    if not fits:
        return readings[0]
    if not fits[0].actions and fits[0].short == "npa":
        return fits[0]  # (next, previous) is what the format says
    named = [one for one in fits if one.short in _CONVENTIONS]
    used = named[0] if named else fits[0]
    table = param.array.transpose(used.order)
    differ = [
        one
        for one in fits
        if one.parents != used.parents
        or not np.array_equal(table, param.array.transpose(one.order))
    ]
    if differ:
        names = " or ".join(_said(one) for one in (used, *differ))
        words = f"{param.name} sums to 1 as {names}, which are different models; "
        more = f"b_tensor_order: {_FULL[used.short]}, or another, in ModelParameters"
        if not named or any(one.short in _CONVENTIONS for one in differ):
            raise param.wrong("GMN809", f"{words}write {more}")
        param.note(f"{words}the first is what GNN's readers take; to be sure, write {more}", "801")
    elif len(fits) > 1:
        names = " and ".join(_FULL[one.short] for one in fits)
        param.note(f"{param.name} is the same model read as {names}")
    elif used.short != "npa" and not is_declared:
        param.note(f"{param.name} is written {_said(used)}, the only order that sums to 1")
    return used


def _said(one: _Reading) -> str:
    if not one.actions:
        return "(next, previous)" if one.short == "npa" else "(previous, next)"
    words = {"n": "next", "p": ", ".join(p.name for p in one.parents), "a": "action"}
    return f"({', '.join(words[letter] for letter in one.short)})"
