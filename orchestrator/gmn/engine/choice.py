"""Which action is taken, and which of equal ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.gmn.engine.arrays import totals
from orchestrator.gmn.engine.plan import ROUNDING
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.engine.engine import Beliefs, Engine

    Array = NDArray[np.float64]

Broken = Literal["", "utility", "information", "steps", "order"]
#: The most numbers that an engine keeps of what was chosen (16 MB).
KNOWN_NUMBERS = 2**21
#: The most numbers of the plans that are compared at once for a batch of beliefs (32 MB).
BATCH_NUMBERS = 2**22


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
    index = int(_sampled(found.first[None], [rng])[0])
    by_action = found.posterior.reshape(len(found.first), -1)
    policy = index * by_action.shape[1] + int(by_action[index].argmax())
    return replace(found, action=engine.joint_actions[index], policy=policy, tied=(), broken_by="")


def choose_many(
    engine: Engine, beliefs: Beliefs, rngs: Sequence[np.random.Generator]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`choose` for each of a batch of beliefs, each with its own generator.

    The joint actions, [batch, actions], and how far each looked ahead, [batch]. Contingent plans
    are made in turn, equal beliefs once.
    """
    count, actions = engine.count(beliefs), len(engine.joint_actions)
    policies, steps, _ = engine.model.policies.shape
    if engine.model.selection == "contingent":
        each = [best(engine, engine.some(beliefs, row)) for row in range(count)]
        return np.stack([one.action for one in each]), np.array([one.depth for one in each])
    # What decides between equal plans holds four rows for each part and their sum.
    at_once = max(1, BATCH_NUMBERS // (4 * policies * steps * (len(engine.parts) + 1)))
    chosen, depth = [], []
    for at in range(0, count, at_once):
        found = _best_many(engine, engine.some(beliefs, slice(at, at + at_once)))
        index = found.policies // (policies // actions)
        if engine.model.selection == "stochastic":
            index = _sampled(found.first, rngs[at : at + at_once])
        chosen.append(engine.joint_actions[index])
        depth.append(found.depth)
    return np.concatenate(chosen), np.concatenate(depth)


def _sampled(first: Array, rngs: Sequence[np.random.Generator]) -> NDArray[np.int64]:
    """One joint action of each row, as `rng.choice` draws it."""
    total = np.cumsum(first / first.sum(axis=1)[:, None], axis=1)
    drawn = np.array([rng.random() for rng in rngs])
    below = (total / total[:, -1:] <= drawn[:, None]).sum(axis=1)
    index: NDArray[np.int64] = np.minimum(below, first.shape[1] - 1)
    return index


def best(engine: Engine, beliefs: Beliefs) -> Choice:
    """The most probable first action; its probability is that of all plans that begin with it.

    Of equally probable actions the one whose best plan gains utility earlier, else information
    earlier, else changes beliefs at fewer steps, else the one that was declared first.
    """
    # A belief is an array, or one for every factor.
    arrays = [np.concatenate(q) if isinstance(q, list) else q for q in beliefs]
    key = b"".join(q.tobytes() for q in arrays)
    if (found := engine.known.get(key)) is None:
        found = _only(engine, beliefs, _best_many(engine, engine.batch(beliefs)))
        numbers = len(key) // 8 + 2 * len(found.posterior)
        if len(engine.known) * numbers >= KNOWN_NUMBERS:
            engine.known.clear()
        engine.known[key] = found
    return found


@dataclass(slots=True)
class _Found:
    """The fields of `Choice` for each of a batch; `tied` [batch, joint actions]."""

    policies: NDArray[np.int64]
    neg_efe: Array
    posterior: Array
    first: Array
    tied: NDArray[np.bool_]
    broken_by: dict[int, Broken]
    depth: NDArray[np.int64]


def _only(engine: Engine, beliefs: Beliefs, found: _Found) -> Choice:
    """The choice of a batch of one."""
    policy = int(found.policies[0])
    tied = found.tied[0].nonzero()[0].tolist() if found.broken_by else ()
    return Choice(
        action=engine.joint_actions[policy // (found.neg_efe.shape[1] // found.first.shape[1])],
        policy=policy,
        neg_efe=found.neg_efe[0],
        posterior=found.posterior[0],
        first=found.first[0],
        engine=engine,
        beliefs=beliefs,
        tied=tuple(tied),
        broken_by=found.broken_by.get(0, ""),
        depth=int(found.depth[0]),
    )


def _best_many(engine: Engine, beliefs: Beliefs) -> _Found:
    count = engine.count(beliefs)
    look(100, numbers=16 * count * len(engine.model.policies))
    neg_efe, depth = engine.plan_many(beliefs)
    posterior = engine.policy_posterior(neg_efe)
    # Policies are in C order, the first step varying slowest: those of one action lie together.
    by_action = posterior.reshape(count, len(engine.joint_actions), -1)
    first = totals(by_action)
    tied = _largest(first)
    plans = _largest(by_action) & tied[:, :, None]
    policies = plans.reshape(count, -1).argmax(axis=1)
    broken_by: dict[int, Broken] = {}
    if np.count_nonzero(tied) > count:
        several = np.flatnonzero(tied.sum(axis=1) > 1)
        pairs = plans[several].reshape(len(several), -1).nonzero()
        policies[several], names = _better(engine, engine.some(beliefs, several), *pairs)
        broken_by = dict(zip(several.tolist(), names, strict=True))
    return _Found(policies, neg_efe, posterior, first, tied, broken_by, depth)


def _better(
    engine: Engine, beliefs: Beliefs, at: NDArray[np.int64], which: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[Broken]]:
    """Of equal plans of each row those that gain earlier, of them those that change fewer things.

    `which` are the policies of the rows `at`, in order. The first that is left of each row, and
    what left one first action over.
    """
    broken_by: list[Broken] = ["order"] * (int(at[-1]) + 1)
    names: tuple[Broken, ...] = ("utility", "information", "steps")
    scores, per_action = engine.ties(beliefs, at, which), len(engine.model.policies)
    per_action //= len(engine.joint_actions)
    start = np.searchsorted(at, np.arange(len(broken_by)))
    for place, name in enumerate(names):
        most = np.maximum.reduceat(scores[place], start)
        least = most - ROUNDING * np.maximum(1.0, np.abs(most))
        kept = scores[place] >= least[at]
        at, which, scores = at[kept], which[kept], scores[:, kept]
        start = np.searchsorted(at, np.arange(len(broken_by)))
        first = which // per_action
        for row in np.flatnonzero(np.maximum.reduceat(first, start) == first[start]).tolist():
            if broken_by[row] == "order":
                broken_by[row] = name
        if len(at) == len(broken_by):
            break
    return which[start], broken_by


def _largest(values: Array) -> NDArray[np.bool_]:
    """Which of the last axis are the largest probabilities, rounding aside."""
    most = np.maximum.reduce(values, axis=-1, keepdims=True)
    found: NDArray[np.bool_] = values >= most * (1 - ROUNDING)
    return found
