"""The engine: an active-inference agent in numpy, and a world that follows its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled

    Array = NDArray[np.float64]


def infer_states(
    model: Compiled, observation: Sequence[int | None], prior: Sequence[Array]
) -> tuple[Array, ...]:
    """Posterior q(s_f) per factor by fixed-point iteration, as pymdp 1.0.4 does it.

    Args:
        observation: one index per modality; None for a modality that was not observed.
        prior: q(s_f) before the observation, shape [|s_f|] each.

    Raises: ValueError: an index is out of range (903).
    """
    raise NotImplementedError


def negative_expected_free_energy(model: Compiled, beliefs: Sequence[Array]) -> Array:
    """-G of every policy, in nats, shape [policies]: utility plus, if asked, information gain.

    Per step: q(o).C + q(s).V + [H(q(o)) - E_q(s) H(p(o|s))].
    """
    raise NotImplementedError


def policy_posterior(model: Compiled, neg_efe: Array) -> Array:
    """softmax(gamma * neg_efe + ln E), shape [policies]."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, in labels.

    Attributes:
        observation: label by modality.
        belief: most probable label and its probability by state factor.
        state: the true label by state factor.
        action: label by action factor, taken after the observation.
    """

    observation: Mapping[str, str]
    belief: Mapping[str, tuple[str, float]]
    state: Mapping[str, str]
    action: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """One episode; equal seeds give equal runs."""

    seed: int
    steps: tuple[Step, ...]
    guarded: int = 0


def simulate(model: Compiled, *, steps: int, seed: int) -> Run:
    """Let the agent act in a world sampled from its own model.

    Raises: ValueError: steps below 1.
    """
    raise NotImplementedError
