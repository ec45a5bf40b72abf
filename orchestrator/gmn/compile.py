"""From a valid document to arrays in pymdp's layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.gmn.model import GMNSpec, Selection, Variable

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A generative model as arrays, float64, every distribution normalised.

    Attributes:
        states, observations, actions: the variables, in declaration order; an action-free model
            has the single one-label action ``none``.
        A: likelihoods, A[m] of shape [|o_m|, |s_d| for d in A_dependencies[m]], sums to 1 on axis 0.
        B: transitions, B[f] of shape [|s_f|, |s_d| for d in B_dependencies[f],
            |u_k| for k in B_action_dependencies[f]], sums to 1 on axis 0; f is in B_dependencies[f].
        C: log-preferences in nats, C[m] of shape [|o_m|], zeros where nothing is preferred.
        D: priors, D[f] of shape [|s_f|].
        V: state utilities in nats, V[f] of shape [|s_f|], zeros where nothing is preferred.
        E: prior over policies, shape [policies], sums to 1.
        policies: action indices, shape [policies, horizon, actions], in C order of the actions of
            each step, the first step varying slowest.
        gamma: precision over policies.
    """

    states: tuple[Variable, ...]
    observations: tuple[Variable, ...]
    actions: tuple[Variable, ...]
    A: tuple[Array, ...]
    B: tuple[Array, ...]
    C: tuple[Array, ...]
    D: tuple[Array, ...]
    V: tuple[Array, ...]
    E: Array
    A_dependencies: tuple[tuple[int, ...], ...]
    B_dependencies: tuple[tuple[int, ...], ...]
    B_action_dependencies: tuple[tuple[int, ...], ...]
    policies: NDArray[np.int64]
    horizon: int
    gamma: float
    selection: Selection
    info_gain: bool

    def to_json(self) -> dict[str, object]:
        """The arrays as nested lists under pymdp's argument names, JSON-ready."""
        raise NotImplementedError


def compile_spec(spec: GMNSpec) -> Compiled:
    """Expand every table and lay it out as pymdp does.

    A state without transition is static, one without prior starts uniform.

    Raises: GMNError: the document cannot be compiled; the message names the table and why.
    """
    raise NotImplementedError
