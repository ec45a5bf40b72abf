"""Which action is taken, and which of equal ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.types.work import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.engine.engine import Beliefs, Engine

    Array = NDArray[np.float64]

#: Probabilities and utilities nearer than this, relative to their size, differ by rounding alone.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What was chosen, and from what.

    Attributes:
        action: index of the label of every action, shape [actions].
        policy: index of the best plan that begins with it.
        neg_efe: -G of every policy in nats, shape [policies].
        posterior: probability of every policy, shape [policies].
        first: probability of every joint first action, shape [joint actions].
        tied: indices of the joint actions that were equally probable; empty where one was more.
        broken_by: what decided between them: earlier utility, fewer steps that change anything, or
            the order of declaration.
    """

    action: NDArray[np.int64]
    policy: int
    neg_efe: Array
    posterior: Array
    first: Array
    tied: tuple[int, ...] = ()
    broken_by: Literal["", "utility", "steps", "order"] = ""


def best(engine: Engine, beliefs: Beliefs) -> Choice:
    """The most probable first action, whose probability is that of all plans that begin with it."""
    model = engine.model
    look(100, numbers=16 * len(model.policies))
    neg_efe = engine.negative_expected_free_energy(beliefs)
    posterior = engine.policy_posterior(neg_efe)
    # Policies are in C order, the first step varying slowest: those of one action lie together.
    by_action = posterior.reshape(len(engine.joint_actions), -1)
    first = by_action.sum(axis=1)
    (tied,) = np.nonzero(first >= first.max() * (1 - ROUNDING))
    action = int(tied[0])
    policy = action * by_action.shape[1] + int(_largest(by_action[action])[0])
    chosen = engine.joint_actions[action]
    return Choice(chosen, policy, neg_efe, posterior, first)


def _largest(values: Array) -> NDArray[np.int64]:
    """Where the largest values lie, rounding aside."""
    return np.flatnonzero(values >= values.max() * (1 - ROUNDING))
