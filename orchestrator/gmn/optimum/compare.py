"""What an agent gains in its own world or another, beside the best, chance and a greedy agent.

The utility of an episode is that of docs/engine.md without information gain, in nats and
discounted: each act counts with what it is expected to lead to from the true state, which has the
same mean as what it did lead to and varies less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from orchestrator.gmn.acting.many import simulate_many
from orchestrator.gmn.acting.world import whole
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.optimum.expected import expected_utility
from orchestrator.gmn.optimum.joint import joints_of
from orchestrator.gmn.optimum.optimal import by_chance, optimum
from orchestrator.types.work import doing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.acting.episode import Run
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.optimum.joint import Joint
    from orchestrator.gmn.optimum.optimal import Optimum

    Array = NDArray[np.float64]

Reference = Literal["optimal", "random", "greedy"]


def rounded(value: float, beside: float = 0.0) -> float:
    """0 in place of what only floating point leaves of it."""
    return 0.0 if abs(value) < 1e-12 * max(1.0, abs(beside)) else value


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over episodes and its standard error, NaN of one episode.

    Attributes:
        is_expected: whether it was computed over all that can happen, not from episodes.
    """

    value: float
    error: float
    is_expected: bool = False

    def __str__(self) -> str:
        if self.is_expected:
            return f"{rounded(self.value):.4g} expected"
        error = "" if math.isnan(self.error) else f" ± {rounded(self.error, self.value):.2g}"
        return f"{rounded(self.value):.4g}{error}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Utilities of an episode, in nats, discounted; None for what was not asked for.

    Attributes:
        horizon: how many steps the agent looks ahead.
        depth: the fewest that it did; fewer where a contingent plan would be too large.
        agent: what the agent gained.
        by_chance: expected, choosing uniformly; it is there whenever `optimal` is.
        greedy: what an agent gained that takes the most utility of one step under its belief.
        optimal: the best that is possible.
        information: what the agent gained beyond its twin without information gain under the same
            seeds; None as well where it does not seek information.
    """

    steps: int
    episodes: int
    discount: float
    horizon: int
    depth: int
    agent: Mean
    by_chance: float | None = None
    greedy: Mean | None = None
    optimal: Optimum | None = None
    information: Mean | None = None

    @property
    def share(self) -> tuple[float, float] | None:
        """Share of the way from chance to the best, at least and at most; 1 is the best.

        Above 1 by the error of the agent's mean. None where chance is as good as the best.
        """
        if self.optimal is None or self.by_chance is None:
            return None
        return _span(self.agent.value - self.by_chance, self.optimal, self.by_chance)

    @property
    def share_error(self) -> float:
        """Standard error of `share`, of that end where it is larger; NaN where there is none."""
        if self.share is None or self.optimal is None or self.by_chance is None:
            return math.nan
        return self.agent.error / (self.optimal.lower - self.by_chance)

    @property
    def ratio(self) -> tuple[float, float] | None:
        """The agent's utility by that of the best, at least and at most; None where it is not > 0.

        It changes when all utilities are raised alike; `share` does not.
        """
        if self.optimal is None:
            return None
        return _span(self.agent.value, self.optimal, 0.0)


def _span(part: float, best: Optimum, zero: float) -> tuple[float, float] | None:
    """`part` by what the best has above `zero`, at least and at most; None where it has none."""
    if best.lower - zero <= 1e-9:
        return None
    least, most = sorted(part / (bound - zero) for bound in (best.lower, best.upper))
    return least, most


def compare(
    model: Compiled,
    against: Collection[Reference],
    *,
    steps: int,
    episodes: int,
    seed: int = 0,
    world: Compiled | None = None,
) -> Comparison:
    """Simulate the agent (seeds seed, seed+1, …) and compare what it gains with each reference.

    In `world`, where one is given, it is the agent that is mistaken: the best is that of an agent
    that knows the world.

    Raises:
        TypeError, ValueError: a number is not a whole one or too small, or no reference is named.
        GMNError: the model is too large for it.
        TooMuchWork: an allowance does not suffice.
    """
    steps, episodes = whole("steps", steps, 1), whole("episodes", episodes, 1)
    seed = whole("seed", seed, 0)
    _require_known(against)
    place = world or model
    joints = joints_of(place)
    optimal = chance = greedy = information = None
    if "optimal" in against:
        doing("looking for the best policy", "lower --steps, or compare a smaller model")
        optimal = optimum(place, steps=steps)
    if "optimal" in against or "random" in against:
        chance = by_chance(place, steps=steps)
    doing(f"comparing {episodes} episodes of {steps} steps", "lower --steps or --episodes")

    def gained(engine: Engine) -> Mean | Array:
        expected = expected_utility(engine, steps=steps) if world is None else None
        if expected is not None:
            return Mean(expected, 0.0, is_expected=True)
        return _gained(engine, world, joints, range(seed, seed + episodes), steps)

    engine = Engine(model)
    agent = gained(engine)
    if "optimal" in against and model.info_gain:
        information = _more(agent, gained(Engine(replace(model, info_gain=False))))
    if "greedy" in against:
        greedy = _mean(gained(Engine(_short_sighted(model))))
    ahead = model.horizon, engine.depth
    return Comparison(
        steps, episodes, model.discount, *ahead, _mean(agent), chance, greedy, optimal, information
    )


def _require_known(against: Collection[str]) -> None:
    known = get_args(Reference)
    if isinstance(against, str):
        raise TypeError(f"against is the text {against!r}, expected a list of references")
    if not against:
        raise ValueError(f"against is empty; name at least one of {', '.join(known)}")
    for name in against:
        if name not in known:
            raise ValueError(f"{name!r} is not one of {', '.join(known)}")


def _more(agent: Mean | Array, twin: Mean | Array) -> Mean:
    """What the agent gains beyond its twin; of episodes under the same seeds, pair by pair."""
    if not isinstance(agent, Mean) and not isinstance(twin, Mean):
        return _mean(agent - twin)
    one, other = _mean(agent), _mean(twin)
    is_expected = one.is_expected and other.is_expected
    return Mean(one.value - other.value, math.hypot(one.error, other.error), is_expected)


def _gained(
    engine: Engine, world: Compiled | None, joints: Sequence[Joint], seeds: range, steps: int
) -> Array:
    runs = simulate_many(engine, steps=steps, seeds=seeds, world=world)
    return np.array([_utility(run, engine.model, joints) for run in runs])


def _utility(run: Run, model: Compiled, joints: Sequence[Joint]) -> float:
    index = [{name: i for i, name in enumerate(v.names)} for v in (*model.states, *model.actions)]
    total, now = 0.0, 1.0
    for step in run.steps:
        if not step.action:  # the end, at which nothing is done
            break
        labels = (*step.state.values(), *step.action.values())
        values = [of[label] for of, label in zip(index, labels, strict=True)]
        state, action = values[: len(model.states)], values[len(model.states) :]
        total += now * sum(joint.worth_of(state, action) for joint in joints)
        now *= model.discount
    return total


def _mean(values: Mean | Array) -> Mean:
    if isinstance(values, Mean):
        return values
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return Mean(float(values.mean()), spread / math.sqrt(len(values)))


def _short_sighted(model: Compiled) -> Compiled:
    """The same model of an agent that looks one step ahead and cares for utility alone."""
    joint = np.unique(model.policies[:, 0, :], axis=0)  # sorted, which is C order
    return replace(
        model,
        horizon=1,
        policies=joint[:, None, :],
        E=np.full(len(joint), 1 / len(joint)),
        info_gain=False,
        selection="deterministic",
    )
