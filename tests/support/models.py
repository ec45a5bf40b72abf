"""Compiled models made from arrays, also at random."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import numpy as np

from orchestrator.gmn.compile import ActionUtility, Compiled
from orchestrator.gmn.model import Variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def variable(name: str, size: int) -> Variable:
    return Variable(name=name, labels=tuple(f"{name}{i}" for i in range(size)))


@dataclass(frozen=True)
class Sizes:
    """What depends on what, as in `Compiled`."""

    states: tuple[int, ...]
    observations: tuple[int, ...]
    actions: tuple[int, ...]
    A: tuple[tuple[int, ...], ...]
    B: tuple[tuple[int, ...], ...]
    controls: tuple[tuple[int, ...], ...]


def compiled(
    sizes: Sizes, likelihoods: Sequence[Array], transitions: Sequence[Array], **more: Any
) -> Compiled:
    """A model that looks one step ahead; what `more` leaves out is zero or uniform."""
    policies = np.array(list(itertools.product(*map(range, sizes.actions))))[:, None, :]
    values: dict[str, Any] = {
        "C": [np.zeros(n) for n in sizes.observations],
        "V": [np.zeros(n) for n in sizes.states],
        "D": [np.full(n, 1 / n) for n in sizes.states],
        **more,
    }
    arguments: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return Compiled(
        states=tuple(variable(f"s{i}", n) for i, n in enumerate(sizes.states)),
        observations=tuple(variable(f"o{i}", n) for i, n in enumerate(sizes.observations)),
        actions=tuple(variable(f"u{i}", n) for i, n in enumerate(sizes.actions)),
        A=tuple(likelihoods),
        B=tuple(transitions),
        A_dependencies=sizes.A,
        B_dependencies=sizes.B,
        B_action_dependencies=sizes.controls,
        E=np.full(len(policies), 1 / len(policies)),
        policies=policies,
        horizon=1,
        gamma=8.0,
        selection="deterministic",
        info_gain=True,
        **arguments,
    )


def table(rng: np.random.Generator, *shape: int) -> Array:
    """p(axis 0 | the others), one in three sharp."""
    sharp = rng.random() < 1 / 3
    raw = rng.random(shape) + 0.01
    if sharp:
        raw = (raw == raw.max(axis=0)).astype(float)
    return np.asarray(raw / raw.sum(axis=0))


@st.composite
def tiny(draw: st.DrawFn) -> Compiled:
    """A model of at most two factors, two modalities and four joint actions, utilities anywhere."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    factors, actions = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    states = tuple(draw(st.integers(1, 3)) for _ in range(factors))
    some = st.sets(st.integers(0, factors - 1), min_size=1).map(lambda s: tuple(sorted(s)))
    which = st.sets(st.integers(0, actions - 1)).map(lambda s: tuple(sorted(s)))
    observations = draw(st.sampled_from([(2,), (3,), (1, 2), (2, 2)]))
    choices = (2,) * actions
    sizes = Sizes(
        states,
        observations,
        choices,
        tuple(draw(some) for _ in observations),
        tuple(tuple(sorted({f, *draw(some)})) for f in range(factors)),
        tuple(draw(which) for _ in range(factors)),
    )
    likelihoods = [
        table(rng, n, *(states[f] for f in d))
        for n, d in zip(observations, sizes.A, strict=True)
    ]  # fmt: skip
    transitions = [
        table(rng, n, *(states[g] for g in d), *(choices[k] for k in c))
        for n, d, c in zip(states, sizes.B, sizes.controls, strict=True)
    ]
    for f in range(factors):  # now and then one that forgets what it was
        if sizes.B[f] == (f,) and draw(st.booleans()):
            transitions[f][:] = transitions[f][:, :1]
    paid = []
    for _ in range(draw(st.integers(0, 2))):
        of, by = draw(some), draw(which)
        shape = [*(states[f] for f in of), *(choices[k] for k in by)]
        paid.append(ActionUtility(of, by, rng.normal(size=shape)))
    terminal = draw(st.sampled_from([False, False, True]))
    return compiled(
        sizes,
        likelihoods,
        transitions,
        C=[rng.normal(size=n) * draw(st.integers(0, 1)) for n in observations],
        V=[rng.normal(size=n) * draw(st.integers(0, 1)) for n in states],
        D=[table(rng, n) for n in states],
        discount=draw(st.sampled_from([1.0, 0.9, 0.5])),
        terminal=[rng.random(n) < 0.4 for n in states] if terminal else [],
        action_utilities=paid,
    )
