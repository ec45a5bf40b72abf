"""Which action is taken, and which of equal ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.gmn.engine.plan import ROUNDING
from orchestrator.types.work import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.engine.engine import Beliefs, Engine

    Array = NDArray[np.float64]

Broken = Literal["", "utility", "information", "steps", "order"]
#: The most numbers that an engine keeps of what was chosen (16 MB).
KNOWN_NUMBERS = 2**21


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
        broken_by: what decided between them: earlier utility, earlier information, fewer steps
            that change anything, or the order of declaration.
        engine, beliefs: what was chosen with, and from.
        depth: how many steps were looked ahead; fewer than the horizon where a contingent plan
            would have had too many branches.
    """

    action: NDArray[np.int64]
    policy: int
    neg_efe: Array
    posterior: Array
    first: Array
    engine: Engine = field(repr=False)
    beliefs: Beliefs = field(repr=False)
    tied: tuple[int, ...] = ()
    broken_by: Broken = ""
    depth: int = 0


def choose(engine: Engine, beliefs: Beliefs, rng: np.random.Generator) -> Choice:
    """The most probable first joint action, or with `selection: stochastic` a sampled one.

    Its probability is that of all policies that begin with it.
    """
    found = best(engine, beliefs)
    if engine.model.selection != "stochastic":
        return found
    index = int(rng.choice(len(found.first), p=found.first / found.first.sum()))
    by_action = found.posterior.reshape(len(found.first), -1)
    policy = index * by_action.shape[1] + int(by_action[index].argmax())
    return replace(found, action=engine.joint_actions[index], policy=policy, tied=(), broken_by="")


def best(engine: Engine, beliefs: Beliefs) -> Choice:
    """The most probable first action; its probability is that of all plans that begin with it.

    Of equally probable actions the one whose best plan gains utility earlier, else information
    earlier, else changes beliefs at fewer steps, else the one that was declared first.
    """
    # A belief is an array, or one for every factor.
    arrays = [np.concatenate(q) if isinstance(q, list) else q for q in beliefs]
    key = b"".join(q.tobytes() for q in arrays)
    if (found := engine.known.get(key)) is None:
        found = _best(engine, beliefs)
        numbers = len(key) // 8 + 2 * len(found.posterior)
        if len(engine.known) * numbers >= KNOWN_NUMBERS:
            engine.known.clear()
        engine.known[key] = found
    return found


def _best(engine: Engine, beliefs: Beliefs) -> Choice:
    model = engine.model
    look(100, numbers=16 * len(model.policies))
    neg_efe, depth = engine.plan(beliefs)
    posterior = engine.policy_posterior(neg_efe)
    # Policies are in C order, the first step varying slowest: those of one action lie together.
    by_action = posterior.reshape(len(engine.joint_actions), -1)
    first = by_action.sum(axis=1)
    tied = _largest(first)
    count = by_action.shape[1]
    plans = [a * count + _largest(by_action[a]) for a in tied]
    left = plans[0]
    broken_by: Broken = ""
    if len(tied) > 1:
        left, broken_by = _better(engine, beliefs, np.concatenate(plans))
    policy = int(left[0])
    return Choice(
        action=engine.joint_actions[policy // count],
        policy=policy,
        neg_efe=neg_efe,
        posterior=posterior,
        first=first,
        engine=engine,
        beliefs=beliefs,
        tied=tuple(tied.tolist()) if len(tied) > 1 else (),
        broken_by=broken_by,
        depth=depth,
    )


def _better(
    engine: Engine, beliefs: Beliefs, plans: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Broken]:
    """Those of equal plans that gain earlier, of them those that change fewer things.

    Also what left one first action over.
    """
    left_by: Broken = "order"
    per_action = len(engine.model.policies) // len(engine.joint_actions)
    names: tuple[Broken, ...] = ("utility", "information", "steps")
    for name, scores in zip(names, engine.ties(beliefs), strict=True):
        most = scores[plans].max()
        plans = plans[scores[plans] >= most - ROUNDING * max(1.0, abs(most))]
        if left_by == "order" and len(set(plans // per_action)) == 1:
            left_by = name
    return plans, left_by


def _largest(values: Array) -> NDArray[np.int64]:
    """Where the largest probabilities lie, rounding aside."""
    return np.flatnonzero(values >= values.max() * (1 - ROUNDING))
