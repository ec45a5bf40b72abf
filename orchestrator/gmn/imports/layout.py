"""Arrays with the variables that they are about, and whether they prove to fit."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.orientation import MOST_AXES, oriented
from orchestrator.gmn.imports.imported import named
from orchestrator.gmn.imports.numbers import (
    conditional,
    flat,
    orders,
    outcome_last,
    preferences,
    priors,
    vectors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.imports.numbers import Array
    from orchestrator.types.diagnostics import Diagnostic

Tree = dict[str, object]

#: Two priors over policies this near are the same one.
EXACT = 1e-9
SIZES = {
    "states": ("num_states",),
    "observations": ("num_obs", "num_observations"),
    "actions": ("num_controls", "num_actions"),
}
#: The arrays whose names those of vectors are.
_NAMED_BY = {"C": "A", "D": "B", "V": "B"}
POLICY = {
    "policy_len": "horizon",
    "gamma": "gamma",
    "use_states_info_gain": "info_gain",
    "action_selection": "selection",
    "discount": "discount",
}


@dataclass(slots=True)
class Layout:
    """Arrays with the variables that they are about.

    Attributes:
        states, observations, actions: sizes.
        given: of each A, the factors it depends on; of each B, factors and actions.
    """

    source: Mapping[str, object]
    a: list[Array]
    b: list[Array]
    states: list[int] = field(default_factory=list)
    observations: list[int] = field(default_factory=list)
    actions: dict[int, int] = field(default_factory=dict)
    a_given: list[list[int]] = field(default_factory=list)
    b_given: list[tuple[list[int], list[int]]] = field(default_factory=list)
    found: list[Diagnostic] = field(default_factory=list)

    @classmethod
    def of(cls, source: Mapping[str, object], a: list[Array], b: list[Array]) -> Layout | None:
        """The layout of arrays; None where the sizes of no state can be read from them."""
        made = cls(source, a, b)
        made._size_states()
        if not made.states:
            return None
        made._depend()
        return made

    def _size_states(self) -> None:
        said = _sizes(self.source, "states") or [len(v) for v in self.vectors_of("D")]
        self.states = [_factor_size(table) for table in self.b]
        if len(said) == len(self.states) or (said and not self.b):
            self.states = [n or m for n, m in itertools.zip_longest(said, self.states, fillvalue=0)]

    def _depend(self) -> None:
        """Who depends on whom, as said, else as pymdp takes it."""
        n = len(self.states)
        every = [*range(min(n, MOST_AXES))]
        usual = [self._usual_parents(table, every) for table in self.a]
        self.a_given = self._said("A_dependencies", usual, n)
        factors = self._said("B_dependencies", [[f] for f in range(len(self.b))], n)
        moved = [[f] if table.ndim > 1 + len(factors[f]) else [] for f, table in enumerate(self.b)]
        controls = self._said("B_action_dependencies", moved, MOST_AXES * 8)
        self.b_given = [*zip(factors, controls, strict=True)]
        for f, (states, actions) in enumerate(self.b_given):
            left = _without(self.b[f].shape, [self.states[g] for g in (f, *states)])
            axes = left if len(left) == len(actions) else self.b[f].shape[1 + len(states) :]
            for k, size in zip(actions, axes, strict=False):
                self.actions.setdefault(k, size)
        for key, of in _NAMED_BY.items():
            named, known = self.source.get(key), self.source.get(of)
            if not (isinstance(named, dict) and isinstance(known, dict)):
                continue
            if unknown := [repr(name) for name in named if name not in known]:
                words = f"{key} names {', '.join(unknown)[:80]}, which {of} does not"
                self.found.append(finding("GMN105", words, pointer=f"/{key}"))
        said = _sizes(self.source, "actions")
        if len(said) > max(self.actions, default=-1):
            self.actions = dict(enumerate(said)) if self.actions else {}
        said = _sizes(self.source, "observations") or [len(v) for v in self.vectors_of("C")]
        fits = len(said) == len(self.a)
        self.observations = [
            (said[m] if fits else 0) or self._outcomes(m) for m in range(len(self.a))
        ]

    def vectors_of(self, key: str) -> list[Array]:
        """Vectors in the order of what they are about; one that is missing by its name is empty."""
        said, named_by = self.source.get(key), self.source.get(_NAMED_BY[key])
        if isinstance(said, dict) and isinstance(named_by, dict) and set(said) <= set(named_by):
            said = [said.get(name, []) for name in named_by]
            return [flat(one) for one in said]
        found = vectors(said)
        if len(found) > 1 == len(self.a if key == "C" else self.b) and {*map(len, found)} == {1}:
            return [np.concatenate(found)]  # a column of one vector
        return found

    def _usual_parents(self, table: Array, every: list[int]) -> list[int]:
        """All factors; where there are fewer axes, the only factors whose sizes fit."""
        if table.ndim == 1 + len(every):
            return every
        fitting = [
            [*chosen]
            for chosen in itertools.combinations(every, max(0, min(table.ndim - 1, len(every))))
            if tuple(self.states[f] for f in chosen) == table.shape[1:]
        ]
        return fitting[0] if len(fitting) == 1 else every

    def _said(self, key: str, usual: list[list[int]], most: int) -> list[list[int]]:
        said = self.source.get(key)
        if said is None:
            return usual
        lists = [_indices(of, most) for of in said] if isinstance(said, list) else []
        known = [of for of in lists if of is not None]
        if len(known) == len(lists) == len(usual):
            return known
        words = f"{key} is not a list of {len(usual)} lists of different indices below {most}"
        self.found.append(finding("GMN008", words, pointer=f"/{key}"))
        return usual

    def _outcomes(self, m: int) -> int:
        """The size of a modality: the axis that is left beside the sizes of its parents."""
        left = _without(self.a[m].shape, [self.states[f] for f in self.a_given[m]])
        return int(left[0] if len(left) == 1 else self.a[m].shape[0])

    def _shapes(self) -> list[tuple[str, Array, list[int], int]]:
        """Every table, the sizes of its parents and its own, and how many of them are actions."""
        s, u = self.states, self.actions
        tables = [
            (f"A[{m}]", table, [*(s[f] for f in self.a_given[m]), self.observations[m]], 0)
            for m, table in enumerate(self.a)
        ]
        for f, table in enumerate(self.b):
            states, actions = self.b_given[f]
            sizes = [*(s[g] for g in states), *(u.get(k, 0) for k in actions), s[f]]
            tables.append((f"B[{f}]", table, sizes, len(actions)))
        return tables

    def is_proven(self) -> bool:
        """Whether every table has the sizes of its variables and an axis that sums to 1."""
        fit = _fit(self.vectors_of("D"), self.states) and _fit(
            self.vectors_of("C"), self.observations
        )
        fit = fit and len(self.b) == len(self.states)
        return fit and all(
            oriented(table, sizes) is not None for _, table, sizes, _ in self._shapes()
        )

    def unfit_vectors(self) -> Iterator[Diagnostic]:
        """What C and D count otherwise than arrays that prove to fit without them."""
        bare = {k: v for k, v in self.source.items() if k not in ("C", "D")}
        layout = Layout.of(bare, self.a, self.b)
        if layout is None or not layout.is_proven():
            return
        for key, code, sizes, of in (
            ("C", "GMN402", layout.observations, "outcomes of A"),
            ("D", "GMN301", layout.states, "values of B"),
        ):
            vectors = self.vectors_of(key)
            for i, (vector, size) in enumerate(zip(vectors, sizes, strict=False)):
                if len(vector) not in (0, size) and len(vectors) == len(sizes):
                    words = f"{key}[{i}] has {len(vector)} numbers for the {size} {of}[{i}]"
                    if len(vector) % size == 0:
                        words += "; of several time steps or of a batch, keep one"
                    yield finding(code, words, pointer=f"/{key}", got=len(vector), expected=size)

    def is_same(self, other: Layout) -> bool:
        """Whether both are the same model."""
        return self.tree([]) == other.tree([])

    def _tables(self, found: list[Diagnostic]) -> list[Array] | None:
        """Every A, then every B, the outcome last; None where one has too few axes."""
        shapes = self._shapes()
        if short := [d for shape in shapes for d in _too_few_axes(*shape[:3])]:
            found += short
            return None
        return [
            outcome_last(
                name, table, sizes, orders(len(sizes) - 1 - actions, actions), found, at=_at(name)
            )
            for name, table, sizes, actions in shapes
        ]

    def tree(self, found: list[Diagnostic]) -> Tree:
        """The document."""
        states = _variables(self.source, "states", self.states)
        observations = _variables(self.source, "observations", self.observations)
        _rename_twins(observations, _names(states), found)
        actions = _variables(self.source, "actions", [n for _, n in sorted(self.actions.items())])
        s, o, u = (_names(variables) for variables in (states, observations, actions))
        control = dict(zip(sorted(self.actions), u, strict=True))
        if (tables := self._tables(found)) is None:
            return {}
        likelihoods = [
            conditional(o[m], [s[f] for f in self.a_given[m]], table)
            for m, table in enumerate(tables[: len(self.a)])
        ]
        transitions = [
            conditional(
                s[f],
                [s[g] for g in given[0]] + [control[k] for k in given[1] if k in control],
                table,
            )
            for f, (given, table) in enumerate(
                zip(self.b_given, tables[len(self.a) :], strict=True)
            )
        ]
        policy = {ours: self.source[k] for k, ours in POLICY.items() if k in self.source}
        sizes = [self.actions[k] for k in sorted(self.actions)]
        habits = _habits(self.source, u, sizes, policy.get("horizon", 1), found)
        return {
            **named(self.source),
            "states": states,
            "observations": observations,
            "actions": actions,
            "likelihoods": likelihoods,
            "transitions": transitions,
            "preferences": preferences(o, self.vectors_of("C"))
            + preferences(s, self.vectors_of("V")),
            "priors": priors(s, self.vectors_of("D")),
            "habits": habits,
            **({"policy": policy} if policy else {}),
        }


def _fit(said: Sequence[Array], sizes: Sequence[int]) -> bool:
    """Whether vectors have the sizes of what they are about; an empty one says nothing."""
    lengths = [len(one) for one in said]
    return not lengths or (
        len(lengths) == len(sizes) and all(n in (0, m) for n, m in zip(lengths, sizes, strict=True))
    )


def _rename_twins(variables: Sequence[Tree], taken: Sequence[str], found: list[Diagnostic]) -> None:
    """Call an observation otherwise that has the name of a state, as modalities of pymdp may."""
    for variable in variables:
        name = str(variable["name"])
        if name in taken:
            variable["name"] = f"o_{name}"
            words = f"observation {name!r} is called 'o_{name}': a state has its name"
            found.append(finding("GMN804", words, got=name))


def _factor_size(table: Array) -> int:
    """The values of a factor: of three axes those two that are equal, as they are in pymdp."""
    if table.ndim == 3 and table.shape[0] != table.shape[1] and table.shape[1] == table.shape[2]:
        return int(table.shape[1])
    return int(table.shape[0])


def _without(axes: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """The axes that are left beside those of some sizes, each of which takes the first it fits."""
    left = [*axes]
    for size in sizes:
        if size in left:
            left.remove(size)
    return left


def _at(name: str) -> str:
    """The pointer to A[m] or B[f] in lists of arrays."""
    return f"/{name[0]}/{name[2:-1]}"


def _too_few_axes(name: str, table: Array, sizes: Sequence[int]) -> Iterator[Diagnostic]:
    """An error (301) where a table has fewer axes than an outcome and its parents."""
    if table.ndim < len(sizes) and table.size != math.prod(sizes):
        words = f"{name} has {table.ndim} axes for an outcome and {len(sizes) - 1} parents; say in"
        words += f" {name[0]}_dependencies what it depends on"
        yield finding("GMN301", words, pointer=_at(name), got=table.ndim, expected=len(sizes))


def _indices(value: object, most: int) -> list[int] | None:
    """The indices that a list holds, each once; None where it holds something else."""
    items: list[int] = value if isinstance(value, list) else []
    if value != items or len(items) > MOST_AXES or not all(_is_index(i, most) for i in items):
        return None
    return items if len(set(items)) == len(items) else None


def _is_index(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < most


def _sizes(source: Mapping[str, object], kind: str) -> list[int]:
    """The sizes that are said of states, observations or actions."""
    for key in SIZES[kind]:
        if said := read_sizes(source, key):
            return said
    labels = source.get("labels")
    by_name = labels.get(kind) if isinstance(labels, dict) else None
    if isinstance(by_name, dict) and all(isinstance(words, list) for words in by_name.values()):
        return [len(words) for words in by_name.values()]
    return []


def read_sizes(source: Mapping[str, object], key: str) -> list[int]:
    """The sizes under a key; none where it has anything else."""
    said = source.get(key)
    said = [said] if isinstance(said, int) else said
    is_read = isinstance(said, list) and all(_is_index(size, 2**31) for size in said)
    return said if isinstance(said, list) and is_read else []


def _habits(
    source: Mapping[str, object],
    names: Sequence[str],
    sizes: Sequence[int],
    horizon: object,
    found: list[Diagnostic],
) -> list[Tree]:
    """E, the prior over policies, as weights per action where it is such a product (803)."""
    prior = flat(source.get("E"))
    if prior.size == 0 or not sizes or np.ptp(prior) <= EXACT:
        return []
    steps = horizon if isinstance(horizon, int) and 0 < horizon < 64 else 1
    axes_of = list(sizes) * steps
    if prior.size != math.prod(sizes) ** steps or prior.sum() <= 0 or len(axes_of) > 32:
        found.append(finding("GMN803", f"'E' ignored: its {prior.size} weights fit no policies"))
        return []
    whole = (prior / prior.sum()).reshape(axes_of)
    axes = range(whole.ndim)
    weights = [whole.sum(axis=tuple(x for x in axes if x != k)) for k in range(len(sizes))]
    product = functools.reduce(np.multiply.outer, [w for _ in range(steps) for w in weights])
    if not np.allclose(product, whole, rtol=0, atol=EXACT):
        found.append(finding("GMN803", "'E' ignored: it is not a product of weights per action"))
        return []
    return [{"action": name, "weights": w.tolist()} for name, w in zip(names, weights, strict=True)]


def _variables(source: Mapping[str, object], kind: str, sizes: Sequence[int]) -> list[Tree]:
    labels = source.get("labels")
    by_name = labels.get(kind) if isinstance(labels, dict) else None
    if isinstance(by_name, dict) and len(by_name) == len(sizes):
        return [
            {"name": name, "labels": list(words) if isinstance(words, list) else [], "size": size}
            if not isinstance(words, list)
            else {"name": name, "labels": list(words)}
            for (name, words), size in zip(by_name.items(), sizes, strict=True)
        ]
    key = {"states": "B", "observations": "A"}.get(kind, "")
    keyed = source.get(key)
    if isinstance(keyed, dict) and len(keyed) == len(sizes):
        return [{"name": name, "size": n} for name, n in zip(keyed, sizes, strict=True)]
    stem = {"states": "s", "observations": "o", "actions": "u"}[kind]
    return [{"name": f"{stem}{i}", "size": size} for i, size in enumerate(sizes)]


def _names(variables: Sequence[Tree]) -> list[str]:
    return [str(variable["name"]) for variable in variables]
