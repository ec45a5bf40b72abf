"""What one plan is worth, step by step, and what the agent expects to see on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.engine.engine import Beliefs, Engine

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """A plan, step by step; the sums of `utility` and `information` are its -G.

    Attributes:
        utility: expected utility in nats, discounted and weighed by the probability that the
            episode goes on, shape [steps of the plan].
        information: the same of the information gain; zeros where it does not count.
        expected: for every step q(o) of every modality, given that the episode goes on.
        beliefs: for every step the beliefs after it, before its observation.
    """

    utility: Array
    information: Array
    expected: tuple[tuple[Array, ...], ...]
    beliefs: tuple[Beliefs, ...]


def account(engine: Engine, beliefs: Beliefs, policy: int) -> Account:
    """The account of one policy, by its index, from `beliefs` on."""
    plan = engine.model.policies[policy]
    utility, information = np.zeros((2, len(plan)))
    expected, after = [], []
    weight = 1.0
    for step, action in enumerate(plan):
        weight *= engine.going_on(beliefs)
        doing = engine.action_utility(beliefs, action)
        beliefs = engine.predict(beliefs, action)
        utility[step] = weight * (doing + engine.utility(beliefs))
        information[step] = weight * engine.information(beliefs)
        weight *= engine.model.discount
        expected.append(engine.outcomes(beliefs))
        after.append(beliefs)
    return Account(utility, information, tuple(expected), tuple(after))
